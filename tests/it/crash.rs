//! Every request of every scenario: the process dies before its effect, or after it; or the request alone is struck and the process
//! goes on. The end is the same: one published key, no live stray, nothing foreign touched, no human needed.
//!
//! The quick part lets the process die at every request of three scenarios and at every fourth of the others, which share most of theirs
//! with those, after every second write there, and strikes every fourth request with one of the troubles in turn. `PROOF=long cargo test crash` tries
//! everything at every request.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{DeleteParams, ListParams};
use ram_operator::api::{RamAccessKey, annotation};
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::faults::{Director, Moment, Trouble};
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
    /// A new pair is asked for.
    Rotate,
    /// The published key is revoked.
    Revoke,
    Delete,
    /// Deleted, and left to RamRevocations at the first trouble.
    Leave,
    /// With a policy of its own and a group that has it.
    Team,
    /// All of that is deleted.
    Disband,
    /// The same, and left to RamRevocations at the first trouble.
    DisbandLeave,
    /// A person with a first password and an MFA device.
    Person,
    /// That person goes.
    Depart,
}

impl Scenario {
    fn team(self) -> bool {
        matches!(self, Self::Team | Self::Disband | Self::DisbandLeave)
    }

    fn person(self) -> bool {
        matches!(self, Self::Person | Self::Depart)
    }

    fn ends(self) -> bool {
        matches!(self, Self::Delete | Self::Leave | Self::Disband | Self::DisbandLeave | Self::Depart)
    }
}

/// Objects of a scenario; what others refer to comes last.
fn objects(scenario: Scenario) -> Vec<(&'static str, &'static str)> {
    if scenario.person() {
        return vec![("RamUser", "reader")];
    }
    let mut all = vec![("RamAccessKey", "ingest"), ("RamUser", "reader")];
    if scenario.team() {
        all.extend([("RamGroup", "readers"), ("RamPolicy", "sensors")]);
    }
    all
}

/// Worlds of one sweep at a time.
const WIDTH: usize = 3;
/// Worlds of all sweeps at a time: with more, the API server is so slow that everything waits for it.
static PLACES: Semaphore = Semaphore::const_new(10);

async fn sweep(scenario: Scenario) {
    let long = std::env::var("PROOF").is_ok_and(|proof| proof == "long");
    let whole = long || matches!(scenario, Scenario::Create | Scenario::Republish | Scenario::Delete);
    let stride = if whole { 1 } else { 4 };
    let before = points(scenario, Moment::Before, (1..).step_by(stride)).await;
    let after = points(scenario, Moment::After, (1..).step_by(stride.min(2))).await;
    let mut struck = 0;
    for (k, trouble) in Trouble::QUICK.into_iter().enumerate() {
        let moment = Moment::Struck(trouble);
        struck += match long {
            true => points(scenario, moment, 1..).await,
            false => points(scenario, moment, (4 * k + 1..).step_by(4 * Trouble::QUICK.len())).await,
        };
    }
    if long {
        struck += points(scenario, Moment::Struck(Trouble::Silent), 1..).await;
    }
    println!(
        "{scenario:?}: died at {before} requests before their effect, at {after} writes after it; {struck} requests struck; \
         strays left 0, foreign things touched 0, humans needed 0"
    );
    assert!(before >= 5 && after >= 2 && struck >= 3, "{scenario:?}: only {before}, {after}, {struck} were reached");
}

/// Tries point after point, a few at a time, until one lies behind the scenario's last request. Returns how many were reached.
async fn points(scenario: Scenario, moment: Moment, all: impl Iterator<Item = usize>) -> usize {
    let try_point = |n| async move {
        let _place = PLACES.acquire().await.expect("never closed");
        let outcome = tokio::spawn(crash(scenario, n, moment)).await;
        outcome.unwrap_or_else(|error| panic!("{scenario:?} request {n} {moment:?}: {error}"))
    };
    let mut outcomes = pin!(futures::stream::iter(all).map(try_point).buffered(WIDTH));
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
    let makes = matches!(scenario, Scenario::Create | Scenario::Team | Scenario::Person);
    if !makes {
        let operator = world.operator().await;
        set_up(&world, scenario).await;
        operator.stop().await;
        // What is young may be missing from a list, which makes everybody wait a minute: not here.
        world.clock.advance(Duration::from_mins(2));
    }
    let director = Director::new(&world.ns, n, moment);
    world.ram.set_hook(Some(director.hook()));
    if makes {
        make(&world, scenario).await;
    } else {
        ask(&world, scenario).await;
    }
    let first = start(&world, scenario, Some(&director)).await;
    // Until then nobody pokes: what a scenario asks for is what it asks for by itself.
    tokio::select! {
        () = director.died() => {}
        () = finished(&world, scenario) => {}
    }
    let reached = director.reached();
    let operator = match moment {
        Moment::Struck(_) => first,
        Moment::Before | Moment::After => {
            first.kill();
            director.disarm();
            world.ram.set_hook(None);
            start(&world, scenario, None).await
        }
    };
    if !reached {
        director.disarm();
    }
    healed(&world, scenario).await;
    settle(&world, scenario).await;
    assert_eq!(bystander_now(&world), foreign, "something foreign was touched");
    world.examine(Some(&operator)).await;
    operator.stop().await;
    reached
}

async fn start(world: &World, scenario: Scenario, director: Option<&Arc<Director>>) -> Running {
    let mut flags = world.flags();
    if matches!(scenario, Scenario::Leave | Scenario::DisbandLeave) {
        flags.hand_over_after = Duration::ZERO;
    }
    let director = director.cloned();
    let clients = move |config: kube::Config| match director {
        Some(director) => director.clients(&config),
        None => Clients::new(&config).expect("clients"),
    };
    world.operator_with(flags, Environment::default(), clients).await
}

async fn make(world: &World, scenario: Scenario) {
    if scenario.person() {
        world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
        let first = json!({"source": "Generate", "secret": {"name": "first"}});
        let mfa = json!({"secret": {"name": "mfa"}, "bind": "Operator"});
        return world.user("reader", json!({"consoleLogin": {"initialPassword": first}, "virtualMfa": mfa})).await;
    }
    if !scenario.team() {
        world.user("reader", json!({})).await;
        return world.key("ingest", "reader", json!({})).await;
    }
    let documents = json!({"actions": ["ots:*"], "resources": ["*"]});
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "documents": documents})).await;
    let statement = json!({"effect": "Allow", "actions": ["ots:Get*"], "resources": ["*"]});
    for (kind, name, spec) in [
        ("RamPolicy", "sensors", json!({"statements": [statement]})),
        ("RamGroup", "readers", json!({"policies": [{"type": "RamPolicy", "name": "sensors"}]})),
    ] {
        let mut spec = spec;
        spec["accountRef"] = json!({"name": world.name});
        world.apply(json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
    }
    world.user("reader", json!({"groups": [{"type": "RamGroup", "name": "readers"}]})).await;
    world.key("ingest", "reader", json!({})).await;
}

async fn set_up(world: &World, scenario: Scenario) {
    make(world, scenario).await;
    for (kind, name) in objects(scenario) {
        world.available(kind, name).await;
    }
}

async fn ask(world: &World, scenario: Scenario) {
    match scenario {
        Scenario::Create | Scenario::Team | Scenario::Person => {}
        Scenario::Replace => {
            world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
        }
        Scenario::Republish => world.key("ingest", "reader", json!({"secret": {"formats": ["Env", "Csv"]}})).await,
        Scenario::Rotate => world.annotate("RamAccessKey", "ingest", annotation::ROTATE, ASKED).await,
        Scenario::Revoke => {
            let (id, _) = world.pair("ingest").await;
            world.annotate("RamAccessKey", "ingest", annotation::REVOKE, &id).await;
        }
        Scenario::Delete | Scenario::Leave | Scenario::Disband | Scenario::DisbandLeave | Scenario::Depart => {
            for (kind, name) in objects(scenario) {
                world.delete(kind, name).await;
            }
        }
    }
}

/// The value of the annotation `rotate`.
const ASKED: &str = "now";

/// Whether the request of the scenario, if it has one, is complete.
fn answered(scenario: Scenario, key: &RamAccessKey) -> bool {
    let requests = key.status.as_ref().and_then(|status| status.requests.clone()).unwrap_or_default();
    match scenario {
        Scenario::Rotate => requests.rotate.is_some_and(|rotate| rotate.done.as_deref() == Some(ASKED)),
        Scenario::Revoke => requests.revoke.is_some_and(|revoke| revoke.done.is_some()),
        _ => true,
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
                for (kind, name) in objects(scenario) {
                    world.poke(kind, name).await;
                }
            }
        }
    }
}

async fn finished(world: &World, scenario: Scenario) {
    match scenario {
        _ if scenario.ends() => {
            // A mint without an answer may hold the deletion until its window is over.
            for (kind, name) in objects(scenario) {
                world.gone(kind, name).await;
            }
            eventually("all RamRevocations to be done", || async {
                let params = ListParams::default().labels(&world.label());
                let left = world.dynamic("RamRevocation", None).list(&params).await.map_err(|e| e.to_string())?;
                match left.items.first() {
                    None => Ok(()),
                    Some(order) => Err(order.data["status"]["conditions"].to_string()),
                }
            })
            .await;
        }
        _ => {
            for (kind, name) in objects(scenario) {
                world.available(kind, name).await;
            }
            if scenario.person() {
                return;
            }
            eventually("a Secret as asked for", || async {
                let key = world.keys().get("ingest").await.map_err(|_| "no key")?;
                if !answered(scenario, &key) {
                    return Err("not answered");
                }
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
    let snapshot = world.in_ram();
    if scenario.ends() {
        assert!(!snapshot.users.contains_key(&name), "the user is still in RAM");
        assert!(snapshot.groups.is_empty() && snapshot.policies.is_empty(), "{:?}", snapshot.groups.keys());
        assert!(snapshot.devices.is_empty(), "{:?}", snapshot.devices.keys());
        return;
    }
    if scenario.person() {
        let secret = world.secrets().get("first").await.expect("a first password");
        let password = String::from_utf8(secret.data.expect("data")["password"].0.clone()).expect("text");
        assert!(world.ram.person().password_is(&name, &password), "the Secret has another password than RAM");
        let devices: Vec<_> = snapshot.devices.values().map(|device| device.user.clone()).collect();
        assert_eq!((devices.as_slice(), snapshot.users[&name].mfa_device), ([Some(name.clone())].as_slice(), true));
        let seed = world.secrets().get("mfa").await.expect("a seed").data.expect("data");
        assert!(seed.contains_key("seed") && seed.contains_key("qr.png"), "{:?}", seed.keys());
        return;
    }
    if scenario.team() {
        let group = &snapshot.groups[&format!("{}.readers", world.ns)];
        let (policy, found) = snapshot.policies.iter().next().expect("a policy");
        assert_eq!((snapshot.policies.len(), snapshot.groups.len(), found.versions.len()), (1, 1, 1));
        assert_eq!((&group.members, &group.policies), (&vec![name.clone()], &vec![format!("Custom/{policy}")]));
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
        "Rotate" => Scenario::Rotate,
        "Revoke" => Scenario::Revoke,
        "Delete" => Scenario::Delete,
        "Leave" => Scenario::Leave,
        "Team" => Scenario::Team,
        "Disband" => Scenario::Disband,
        "DisbandLeave" => Scenario::DisbandLeave,
        "Person" => Scenario::Person,
        "Depart" => Scenario::Depart,
        other => panic!("no scenario {other}"),
    };
    let troubles = [Trouble::QUICK.as_slice(), &[Trouble::Silent]].concat();
    let moment = match parts[2] {
        "Before" => Moment::Before,
        "After" => Moment::After,
        name => Moment::Struck(*troubles.iter().find(|t| format!("{t:?}") == name).expect("a trouble")),
    };
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
async fn a_crash_at_any_request_of_rotate_heals() {
    sweep(Scenario::Rotate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_revoke_heals() {
    sweep(Scenario::Revoke).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_delete_heals() {
    sweep(Scenario::Delete).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_a_hand_over_heals() {
    sweep(Scenario::Leave).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_a_team_heals() {
    sweep(Scenario::Team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_disbanding_heals() {
    sweep(Scenario::Disband).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_disbanding_and_a_hand_over_heals() {
    sweep(Scenario::DisbandLeave).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_a_person_heals() {
    sweep(Scenario::Person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_a_departure_heals() {
    sweep(Scenario::Depart).await;
}
