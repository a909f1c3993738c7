//! Every request of every scenario: the process dies before its effect, or after it; or the request alone is struck and the process
//! goes on. The end is the same: what was asked for, no live stray, nothing foreign touched, no human needed.
//!
//! * `sweep`: which points of a scenario are tried, and what is counted.
//! * `point`: one of them, from an empty corner to its end.
//! * the rest: the scenarios. To add one is to write one `impl` of [`Scenario`], and a line in the list below.
//!
//! The quick part lets the process die at every request of two scenarios, and strikes every fourth; of the others, which share most of their
//! requests with those, it tries every sixth or eighth. `PROOF=long cargo test crash` tries everything at every request.

mod account;
mod ends;
mod keys;
mod legacy;
mod person;
mod point;
mod sweep;
mod team;

use std::fmt::Debug;
use std::future::Future;

use self::account::Settings;
use self::ends::{Delete, Depart, Disband, DisbandLeave, Leave, TakeBack};
use self::keys::{Create, Leak, Replace, Republish, Restore, Revoke, Rotate};
use self::legacy::{Adopt, Observe};
use self::person::{Person, Renew, Suspend};
use self::point::point;
use self::sweep::{Quick, sweep};
use self::team::{Change, Team};
use crate::faults::Moment;
use crate::world::World;

/// What is there before, what is asked for, and how the end looks.
pub trait Scenario: Copy + Debug + Send + Sync + 'static {
    /// What the quick part tries.
    const QUICK: Quick;
    /// The operator runs when it is asked. Else it starts then, and finds everything there at once; what was before was there without it.
    const RUNNING: bool = true;
    /// At the first trouble with a deletion the operator leaves it to a RamRevocation.
    const IMPATIENT: bool = false;
    /// The account itself is part of it.
    const ACCOUNT: bool = false;

    /// Its objects; what others refer to comes last.
    fn objects(self, world: &World) -> Vec<Object>;

    /// Brings about what is there before, and waits until it is.
    fn set_up(self, _world: &World) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Asks, and waits for nothing: from here on the operator is struck.
    fn ask(self, world: &World) -> impl Future<Output = ()> + Send;

    /// Waits until the objects say that it is done. May be given up at any place and begun anew: where it asks for more on its way, the
    /// cluster tells how far it came.
    fn finished(self, world: &World) -> impl Future<Output = ()> + Send;

    /// Lets the waits pass that are still ahead, and looks at the exact end in RAM.
    fn settle(self, world: &World) -> impl Future<Output = ()> + Send;
}

/// Kind and name.
pub type Object = (&'static str, String);

fn named(objects: &[(&'static str, &str)]) -> Vec<Object> {
    objects.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect()
}

async fn all_available(world: &World, objects: Vec<Object>) {
    for (kind, name) in objects {
        world.available(kind, &name).await;
    }
}

/// A test for each scenario, and a way to name one.
macro_rules! sweeps {
    ($($test:ident: $scenario:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                sweep($scenario).await;
            }
        )*

        async fn point_of(scenario: &str, n: usize, moment: Moment) {
            $(
                if scenario == stringify!($scenario) {
                    let outcome = Box::pin(point($scenario, n, moment)).await;
                    return println!("{outcome:?}");
                }
            )*
            panic!("no scenario {scenario}");
        }
    };
}

sweeps! {
    a_crash_at_any_request_of_create_heals: Create,
    a_crash_at_any_request_of_replace_heals: Replace,
    a_crash_at_any_request_of_republish_heals: Republish,
    a_crash_at_any_request_of_rotate_heals: Rotate,
    a_crash_at_any_request_of_restore_heals: Restore,
    a_crash_at_any_request_of_revoke_heals: Revoke,
    a_crash_at_any_request_of_a_leak_heals: Leak,
    a_crash_at_any_request_of_delete_heals: Delete,
    a_crash_at_any_request_of_a_hand_over_heals: Leave,
    a_crash_at_any_request_of_a_grace_period_and_taking_back_heals: TakeBack,
    a_crash_at_any_request_of_a_team_heals: Team,
    a_crash_at_any_request_of_changes_of_a_team_heals: Change,
    a_crash_at_any_request_of_disbanding_heals: Disband,
    a_crash_at_any_request_of_disbanding_and_a_hand_over_heals: DisbandLeave,
    a_crash_at_any_request_of_a_person_heals: Person,
    a_crash_at_any_request_of_a_new_password_and_device_heals: Renew,
    a_crash_at_any_request_of_a_suspension_heals: Suspend,
    a_crash_at_any_request_of_a_departure_heals: Depart,
    a_crash_at_any_request_of_an_adoption_heals: Adopt,
    a_crash_at_any_request_of_an_observation_heals: Observe,
    a_crash_at_any_request_of_settings_heals: Settings,
}

/// `CRASH=Replace:15:Before cargo test one_crash_point` looks at one point more closely.
#[tokio::test(flavor = "multi_thread")]
async fn one_crash_point() {
    let chosen = std::env::var("CRASH").unwrap_or_else(|_| "Create:9:After".to_owned());
    let parts: Vec<&str> = chosen.split(':').collect();
    let [scenario, n, moment] = parts.as_slice() else { panic!("CRASH is not scenario:number:moment: {chosen}") };
    point_of(scenario, n.parse().expect("a number"), Moment::read(moment)).await;
}
