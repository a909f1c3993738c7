//! The process dies at every request of create, re-publish and delete, before the effect and after it. A fresh process ends in the
//! same state: one published key, no live stray, nothing foreign touched, no human needed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::DeleteParams;
use ram_operator::controller::Environment;
use serde_json::json;

use crate::faults::{Director, Moment};
use crate::support::operator::Running;
use crate::world::{World, eventually};

/// A scenario: what is set up before, what is asked for, and how the end looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    Create,
    /// The Secret is deleted by hand.
    Replace,
    /// The spec's formats change.
    Republish,
    Delete,
}

/// Worlds at a time.
const WIDTH: usize = 4;

async fn sweep(scenario: Scenario) {
    let before = points(scenario, Moment::Before).await;
    let after = points(scenario, Moment::After).await;
    println!("{scenario:?}: {before} crash points before a request, {after} after the effect of a write");
    assert!(before >= 8 && after >= 2, "{scenario:?}: only {before} and {after} crash points were reached");
}

/// Tries point after point, a few at a time, until one lies behind the scenario's last request. Returns how many were reached.
async fn points(scenario: Scenario, moment: Moment) -> usize {
    let try_point = |n| async move {
        let outcome = tokio::spawn(crash(scenario, n, moment)).await;
        outcome.unwrap_or_else(|error| panic!("{scenario:?} request {n} {moment:?}: {error}"))
    };
    let mut outcomes = pin!(futures::stream::iter(1..).map(try_point).buffered(WIDTH));
    let mut reached = 0;
    while let Some(true) = outcomes.next().await {
        reached += 1;
    }
    reached
}

/// Returns whether the chosen request came at all.
async fn crash(scenario: Scenario, n: usize, moment: Moment) -> bool {
    let world = World::new("crash").await;
    let foreign = bystander(&world);
    if scenario != Scenario::Create {
        let operator = world.operator().await;
        set_up(&world).await;
        operator.stop().await;
    }
    let director = Director::new(&world.ns, n, moment);
    world.ram.set_hook(Some(director.hook()));
    if scenario == Scenario::Create {
        world.user("reader", json!({})).await;
        world.key("ingest", "reader", json!({})).await;
    } else {
        ask(&world, scenario).await;
    }
    let doomed = start(&world, &director).await;
    tokio::select! {
        () = director.died() => {}
        () = finished(&world, scenario) => {}
    }
    let reached = director.reached();
    doomed.kill();
    director.disarm();
    world.ram.set_hook(None);
    let operator = world.operator().await;
    healed(&world, scenario).await;
    settle(&world, scenario).await;
    assert_eq!(bystander_now(&world), foreign, "something foreign was touched");
    world.examine(Some(&operator)).await;
    operator.stop().await;
    reached
}

async fn start(world: &World, director: &Arc<Director>) -> Running {
    let director = Arc::clone(director);
    world.operator_with(world.flags(), Environment::default(), move |config| director.clients(&config)).await
}

async fn set_up(world: &World) {
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
}

async fn ask(world: &World, scenario: Scenario) {
    match scenario {
        Scenario::Create => {}
        Scenario::Replace => {
            world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
        }
        Scenario::Republish => world.key("ingest", "reader", json!({"secret": {"formats": ["Env", "Csv"]}})).await,
        Scenario::Delete => {
            world.delete("RamAccessKey", "ingest").await;
            world.delete("RamUser", "reader").await;
        }
    }
}

/// The end is reached in real time, or once the window of a mint without an answer is over.
async fn healed(world: &World, scenario: Scenario) {
    let mut advance =
        tokio::time::interval_at(tokio::time::Instant::now() + Duration::from_secs(3), Duration::from_secs(3));
    let mut done = pin!(finished(world, scenario));
    loop {
        tokio::select! {
            () = &mut done => return,
            _ = advance.tick() => {
                world.clock.advance(Duration::from_mins(25));
                for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
                    world.poke(kind, name).await;
                }
            }
        }
    }
}

async fn finished(world: &World, scenario: Scenario) {
    match scenario {
        Scenario::Delete => {
            // A mint without an answer may hold the deletion until its window is over.
            world.gone("RamAccessKey", "ingest").await;
            world.gone("RamUser", "reader").await;
        }
        _ => {
            world.available("RamUser", "reader").await;
            world.available("RamAccessKey", "ingest").await;
            eventually("a Secret as asked for", || async {
                let secret = world.secrets().get_opt("ingest").await.ok().flatten().ok_or("no Secret")?;
                let data = secret.data.unwrap_or_default();
                if scenario != Scenario::Republish || data.contains_key("AccessKey.csv") {
                    Ok(())
                } else {
                    Err("old formats")
                }
            })
            .await;
        }
    }
}

/// Lets windows, overlap and quarantine pass, and looks at the end.
async fn settle(world: &World, scenario: Scenario) {
    let name = world.ram_name("reader");
    if scenario == Scenario::Delete {
        assert!(!world.ram.snapshot().users.contains_key(&name), "the user is still in RAM");
        return;
    }
    let (published, _) = world.pair("ingest").await;
    for wait in [Duration::from_mins(30), Duration::from_hours(30), Duration::from_hours(80), Duration::from_hours(4)] {
        let alone = world.keys_in_ram(&name).len() == 1;
        let status = world.keys().get("ingest").await.expect("a key").status.expect("a status");
        if alone && status.intents.is_none() && status.retiring.is_none() {
            break;
        }
        world.clock.advance(wait);
        world.reconcile("RamAccessKey", "ingest").await;
    }
    let keys = world.keys_in_ram(&name);
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), [(published.clone(), true)], "strays are left");
    let key = world.keys().get("ingest").await.expect("a key");
    let status = key.status.expect("a status");
    assert_eq!(status.access_key_id.as_deref(), Some(published.as_str()));
    assert!(status.intents.is_none() && status.retiring.is_none(), "{status:?}");
    assert_eq!(world.pair("ingest").await.0, published, "the published key changed after it was ready");
    assert_eq!(world.ram.snapshot().users[&name].policies, ["System/AliyunOTSReadOnlyAccess"]);
}

/// Somebody else's user, with a key.
fn bystander(world: &World) -> Vec<String> {
    let person = world.ram.person();
    person.create_user("bystander", "a person's");
    person.create_key("bystander");
    bystander_now(world)
}

fn bystander_now(world: &World) -> Vec<String> {
    let snapshot = world.ram.snapshot();
    let user = &snapshot.users["bystander"];
    vec![
        user.user_id.clone(),
        user.comments.clone(),
        format!("{:?}", user.keys.iter().map(|k| (&k.id, k.active)).collect::<Vec<_>>()),
    ]
}

/// `CRASH=Replace:15:Before cargo test one_crash_point` looks at one point more closely.
#[tokio::test(flavor = "multi_thread")]
async fn one_crash_point() {
    let chosen = std::env::var("CRASH").unwrap_or_else(|_| "Create:9:After".to_owned());
    let parts: Vec<&str> = chosen.split(':').collect();
    let scenario = match parts[0] {
        "Create" => Scenario::Create,
        "Replace" => Scenario::Replace,
        "Republish" => Scenario::Republish,
        "Delete" => Scenario::Delete,
        other => panic!("no scenario {other}"),
    };
    let moment = if parts[2] == "After" { Moment::After } else { Moment::Before };
    crash(scenario, parts[1].parse().expect("a number"), moment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_create_heals() {
    sweep(Scenario::Create).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_replace_heals() {
    sweep(Scenario::Replace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_republish_heals() {
    sweep(Scenario::Republish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_delete_heals() {
    sweep(Scenario::Delete).await;
}
