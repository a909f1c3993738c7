//! One point: a corner, a scenario in it, one trouble, and the end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::ListParams;
use ram_operator::controller::Environment;

use super::Scenario;
use crate::faults::{Director, Moment};
use crate::support::operator::Running;
use crate::world::World;

/// An operator that asks nobody anything for so long waits for time to pass.
const REST: Duration = Duration::from_millis(1500);
/// One that never rests may wait for time to pass all the same.
const RESTLESS: Duration = Duration::from_secs(6);

/// What became of one point.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The chosen request came at all.
    pub reached: bool,
    /// Requests up to then, or to the end of the scenario.
    pub requests: usize,
    /// Writes among them.
    pub writes: usize,
}

/// Tries one point.
pub async fn point<S: Scenario>(scenario: S, n: usize, moment: Moment) -> Outcome {
    let world = World::again("crash").await;
    let foreign = bystander(&world);
    let director = Director::new(&world, S::ACCOUNT, n, moment);
    world.ram.set_hook(Some(director.hook()));
    let first = begin(&world, scenario, &director).await;
    // Until then nobody pokes: what a scenario asks for is what it asks for by itself.
    tokio::select! {
        () = director.died() => {}
        () = scenario.finished(&world) => {}
    }
    let (requests, writes) = director.counted();
    let reached = director.reached();
    let (operator, director) = match moment {
        Moment::Before | Moment::After => {
            first.kill();
            director.disarm();
            let idle = Director::idle(&world);
            world.ram.set_hook(Some(idle.hook()));
            (start::<S>(&world, &idle).await, idle)
        }
        Moment::Struck(_) | Moment::Never => (first, director),
    };
    if !reached {
        director.disarm();
    }
    healed(&world, scenario, &director).await;
    scenario.settle(&world).await;
    assert_eq!(bystander_now(&world), foreign, "something foreign was touched");
    world.examine(Some(&operator)).await;
    operator.stop().await;
    world.leave().await;
    Outcome { reached, requests, writes }
}

/// Sets up and asks; from then on requests are numbered. Returns the operator that is asked.
async fn begin<S: Scenario>(world: &World, scenario: S, director: &Arc<Director>) -> Running {
    if !S::RUNNING {
        scenario.set_up(world).await;
        director.arm();
        scenario.ask(world).await;
        return start::<S>(world, director).await;
    }
    let operator = start::<S>(world, director).await;
    scenario.set_up(world).await;
    // What is young may be missing from a list, which makes everybody wait a minute: not here.
    world.clock.advance(Duration::from_mins(2));
    // The last of what was set up is no part of what is asked for.
    director.quiet(Duration::from_millis(200), Duration::from_secs(5)).await;
    director.arm();
    scenario.ask(world).await;
    operator
}

async fn start<S: Scenario>(world: &World, director: &Arc<Director>) -> Running {
    let mut flags = world.flags();
    if S::IMPATIENT {
        flags.hand_over_after = Duration::ZERO;
    }
    world.operator_with(flags, Environment::default(), |config| director.clients(&config)).await
}

/// The end is reached in real time, or once the window of a mint without an answer is over: when nobody asks anything any more, time leaps.
/// Not before: what is signed and sent before a leap is too old after it.
async fn healed<S: Scenario>(world: &World, scenario: S, director: &Director) {
    let mut done = pin!(scenario.finished(world));
    loop {
        tokio::select! {
            () = &mut done => return,
            () = director.quiet(REST, RESTLESS) => leap(world, scenario).await,
        }
    }
}

async fn leap<S: Scenario>(world: &World, scenario: S) {
    world.clock.advance(Duration::from_mins(25));
    for (kind, name) in scenario.objects(world) {
        world.poke(kind, &name).await;
    }
    poke_orders(world).await;
}

/// Has every RamRevocation looked at.
pub async fn poke_orders(world: &World) {
    let params = ListParams::default().labels(&world.label());
    let orders = world.dynamic("RamRevocation", None).list_metadata(&params).await.expect("a list");
    for order in &orders.items {
        world.poke("RamRevocation", &order.name_any()).await;
    }
}

/// Somebody else's user, with a key.
fn bystander(world: &World) -> Vec<String> {
    let person = world.ram.person();
    person.create_user("bystander", "a person's");
    person.create_key("bystander");
    bystander_now(world)
}

fn bystander_now(world: &World) -> Vec<String> {
    let snapshot = world.in_ram();
    let user = &snapshot.users["bystander"];
    vec![
        user.user_id.clone(),
        user.comments.clone(),
        format!("{:?}", user.keys.iter().map(|k| (&k.id, k.active)).collect::<Vec<_>>()),
    ]
}
