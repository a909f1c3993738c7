//! A user with a key: made, replaced, published anew, rotated, restored, revoked.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use kube::api::DeleteParams;
use ram_operator::api::{RamAccessKey, RamAccessKeyStatus, Requests, annotation};
use serde_json::json;

use super::sweep::Quick;
use super::{Object, Scenario, all_available, named};
use crate::revocation::{leak, restarted, right_to_restart, targets, workload};
use crate::rotation::until_without;
use crate::world::{World, eventually};

/// The value of a request that is nothing but new.
pub const ASKED: &str = "now";

/// The two objects of most scenarios.
pub fn objects() -> Vec<Object> {
    named(&[("RamAccessKey", "ingest"), ("RamUser", "reader")])
}

pub async fn make(world: &World) {
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
}

/// A user with a key, both at rest.
pub async fn made(world: &World) {
    make(world).await;
    all_available(world, objects()).await;
}

/// What a key and the data of its Secret are to show.
type Shows = fn(&RamAccessKey, &BTreeMap<String, ByteString>) -> bool;

/// Waits until both objects are available, there is a Secret, and it is as asked for.
async fn published(world: &World, shows: Shows) {
    all_available(world, objects()).await;
    eventually("a Secret as asked for", || async {
        let key = world.keys().get("ingest").await.map_err(|_| "no key")?;
        let secret = world.secrets().get_opt("ingest").await.ok().flatten().ok_or("no Secret")?;
        if shows(&key, &secret.data.unwrap_or_default()) { Ok(()) } else { Err("not as asked for") }
    })
    .await;
}

fn requests(key: &RamAccessKey) -> Requests {
    key.status.as_ref().and_then(|status| status.requests.clone()).unwrap_or_default()
}

async fn status(world: &World) -> RamAccessKeyStatus {
    world.keys().get("ingest").await.expect("a key").status.expect("a status")
}

/// How long to wait for whatever comes next.
fn wait(status: &RamAccessKeyStatus) -> Duration {
    let mut retiring = status.retiring.iter().flatten();
    match (&status.intents, retiring.any(|key| key.disabled_time.is_none())) {
        // The window of a mint without an answer.
        (Some(_), _) => Duration::from_mins(30),
        // An overlap.
        (None, true) => Duration::from_hours(30),
        // A quarantine, or the quiet time of a stray.
        (None, false) => Duration::from_hours(80),
    }
}

/// Lets windows, overlap and quarantine pass: the published key is the only one then, and was it all the time.
pub async fn one_key(world: &World) {
    let name = world.ram_name("reader");
    let (published, _) = world.pair("ingest").await;
    for _ in 0..6 {
        let status = status(world).await;
        if world.keys_in_ram(&name).len() == 1 && status.intents.is_none() && status.retiring.is_none() {
            break;
        }
        world.clock.advance(wait(&status));
        world.reconcile("RamAccessKey", "ingest").await;
    }
    let keys: Vec<_> = world.keys_in_ram(&name).into_iter().collect();
    assert_eq!(keys, [(published.clone(), true)], "strays are left");
    let status = status(world).await;
    assert_eq!(status.access_key_id.as_deref(), Some(published.as_str()));
    assert!(status.intents.is_none() && status.retiring.is_none(), "{status:?}");
    assert_eq!(world.pair("ingest").await.0, published, "the published key changed after it was ready");
    assert_eq!(world.in_ram().users[&name].policies, ["System/AliyunOTSReadOnlyAccess"]);
}

/// How often RAM did something, which the emulator's journal says in these words.
pub fn times(world: &World, line: &str) -> usize {
    world.ram.writes().iter().filter(|write| *write == line).count()
}

/// Both are made.
#[derive(Clone, Copy, Debug)]
pub struct Create;

impl Scenario for Create {
    const QUICK: Quick = Quick::Whole;
    const RUNNING: bool = false;

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn ask(self, world: &World) {
        make(world).await;
    }
    async fn finished(self, world: &World) {
        published(world, |_, _| true).await;
    }
    async fn settle(self, world: &World) {
        one_key(world).await;
    }
}

/// The Secret is deleted by hand.
#[derive(Clone, Copy, Debug)]
pub struct Replace;

impl Scenario for Replace {
    const QUICK: Quick = Quick::Every(6, 1);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        made(world).await;
    }
    async fn ask(self, world: &World) {
        world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    }
    async fn finished(self, world: &World) {
        published(world, |_, _| true).await;
    }
    async fn settle(self, world: &World) {
        one_key(world).await;
    }
}

/// The formats of the Secret change.
#[derive(Clone, Copy, Debug)]
pub struct Republish;

impl Scenario for Republish {
    const QUICK: Quick = Quick::Every(4, 2);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        made(world).await;
    }
    async fn ask(self, world: &World) {
        world.key("ingest", "reader", json!({"secret": {"formats": ["Env", "Csv"]}})).await;
    }
    async fn finished(self, world: &World) {
        published(world, |_, data| data.contains_key("AccessKey.csv")).await;
    }
    async fn settle(self, world: &World) {
        one_key(world).await;
    }
}

/// A new pair is asked for, and brought to a workload.
#[derive(Clone, Copy, Debug)]
pub struct Rotate;

impl Scenario for Rotate {
    const QUICK: Quick = Quick::Every(6, 3);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        right_to_restart(world).await;
        workload(world, "Deployment", "ingest").await;
        world.user("reader", json!({})).await;
        world.key("ingest", "reader", targets(&[("Deployment", "ingest")])).await;
        all_available(world, objects()).await;
        until_without(world, "RestartFailed").await;
    }
    async fn ask(self, world: &World) {
        world.annotate("RamAccessKey", "ingest", annotation::ROTATE, ASKED).await;
    }
    async fn finished(self, world: &World) {
        published(world, |key, _| requests(key).rotate.is_some_and(|rotate| rotate.done.as_deref() == Some(ASKED)))
            .await;
    }
    async fn settle(self, world: &World) {
        one_key(world).await;
        let (published, _) = world.pair("ingest").await;
        let once = (Some(2), Some(published));
        assert_eq!(restarted(world, "Deployment", "ingest").await, once, "restarted once, for the new pair");
    }
}

/// A key in its quarantine is asked back.
#[derive(Clone, Copy, Debug)]
pub struct Restore;

impl Restore {
    /// The first key, made before the published one.
    fn old(world: &World) -> String {
        let snapshot = world.in_ram();
        snapshot.users[&world.ram_name("reader")].keys[0].id.clone()
    }
}

impl Scenario for Restore {
    const QUICK: Quick = Quick::Every(8, 1);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        made(world).await;
        world.clock.advance(Duration::from_hours(240));
        Rotate.ask(world).await;
        Rotate.finished(world).await;
        world.clock.advance(Duration::from_hours(30));
        world.reconcile("RamAccessKey", "ingest").await;
        assert_eq!(world.keys_in_ram(&world.ram_name("reader")).get(&Self::old(world)), Some(&false));
    }
    async fn ask(self, world: &World) {
        world.annotate("RamAccessKey", "ingest", annotation::RESTORE, &Self::old(world)).await;
    }
    async fn finished(self, world: &World) {
        published(world, |key, _| requests(key).restore.is_some_and(|restore| restore.done.is_some())).await;
    }
    async fn settle(self, world: &World) {
        let name = world.ram_name("reader");
        let (old, (published, _)) = (Self::old(world), world.pair("ingest").await);
        assert_eq!(world.keys_in_ram(&name), [(old, true), (published, true)].into(), "both work");
        one_key(world).await;
        assert_eq!(times(world, &format!("CreateAccessKey {name}")), 2, "nobody needed a third");
    }
}

/// The published key is revoked.
#[derive(Clone, Copy, Debug)]
pub struct Revoke;

impl Scenario for Revoke {
    const QUICK: Quick = Quick::Every(6, 5);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        made(world).await;
    }
    async fn ask(self, world: &World) {
        let (id, _) = world.pair("ingest").await;
        world.annotate("RamAccessKey", "ingest", annotation::REVOKE, &id).await;
    }
    async fn finished(self, world: &World) {
        published(world, |key, _| requests(key).revoke.is_some_and(|revoke| revoke.done.is_some())).await;
    }
    async fn settle(self, world: &World) {
        let revoked = requests(&world.keys().get("ingest").await.expect("a key")).revoke.and_then(|revoke| revoke.done);
        one_key(world).await;
        for_good(world, &revoked.expect("an id")).await;
    }
}

/// A key that was revoked is not published, and nobody can bring it back.
async fn for_good(world: &World, revoked: &str) {
    assert_ne!(world.pair("ingest").await.0, revoked);
    let bin = world.ram.person().in_recycle_bin();
    assert!(!bin.iter().any(|id| id == revoked), "it can be had back from the recycle bin");
}

/// The published key is found somewhere, and revoked by somebody who does not know whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Leak;

impl Leak {
    fn order(world: &World) -> String {
        format!("{}-leak", world.name)
    }
}

impl Scenario for Leak {
    const QUICK: Quick = Quick::Every(8, 3);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        made(world).await;
    }
    async fn ask(self, world: &World) {
        let (id, _) = world.pair("ingest").await;
        world.apply(leak(world, &Self::order(world), &id)).await;
    }
    async fn finished(self, world: &World) {
        world.ready("RamRevocation", &Self::order(world), "True", "Revoked").await;
        published(world, |key, _| requests(key).revoke.is_some_and(|revoke| revoke.done.is_some())).await;
    }
    async fn settle(self, world: &World) {
        let order = world.dynamic("RamRevocation", None).get(&Self::order(world)).await.expect("it stays as a note");
        let revoked = order.data["spec"]["accessKeyId"].as_str().expect("an id").to_owned();
        one_key(world).await;
        for_good(world, &revoked).await;
    }
}
