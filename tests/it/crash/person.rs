//! A person with a first password and an MFA device: comes, gets new ones, is suspended and back.

use std::time::Duration;

use kube::api::PostParams;
use ram_operator::api::{UserState, annotation};
use serde_json::json;

use super::keys::{self, ASKED, times};
use super::sweep::Quick;
use super::{Object, Scenario, all_available, named};
use crate::virtual_mfa::code;
use crate::world::{World, eventually};

pub fn objects() -> Vec<Object> {
    named(&[("RamUser", "reader")])
}

async fn apply(world: &World, state: &str) {
    let first = json!({"source": "Generate", "secret": {"name": "first"}});
    let mfa = json!({"secret": {"name": "mfa"}, "bind": "Operator"});
    world.user("reader", json!({"state": state, "consoleLogin": {"initialPassword": first}, "virtualMfa": mfa})).await;
}

async fn make(world: &World) {
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    apply(world, "Active").await;
}

pub async fn made(world: &World) {
    make(world).await;
    all_available(world, objects()).await;
}

async fn text(world: &World, secret: &str, key: &str) -> String {
    let secret = world.secrets().get(secret).await.expect("a Secret");
    String::from_utf8(secret.data.expect("data")[key].0.clone()).expect("text")
}

/// What a person has in hand.
async fn in_hand(world: &World) -> (String, String) {
    (text(world, "first", "password").await, text(world, "mfa", "seed").await)
}

/// Keeps what the person has in hand now, where secrets may be kept.
async fn keep(world: &World) {
    let (password, seed) = in_hand(world).await;
    let kept = json!({"metadata": {"name": "before"}, "stringData": {"password": password, "seed": seed}});
    let kept = serde_json::from_value(kept).expect("a Secret");
    world.secrets().create(&PostParams::default(), &kept).await.expect("made");
}

async fn kept(world: &World) -> (String, String) {
    (text(world, "before", "password").await, text(world, "before", "seed").await)
}

/// Who has what is in the Secrets logs on, with the one device there is.
async fn logs_on(world: &World) {
    let name = world.ram_name("reader");
    let (password, seed) = in_hand(world).await;
    assert!(world.ram.person().password_is(&name, &password), "the Secret has another password than RAM");
    let snapshot = world.in_ram();
    let devices: Vec<_> = snapshot.devices.values().map(|device| device.user.clone()).collect();
    assert_eq!((devices.as_slice(), snapshot.users[&name].mfa_device), ([Some(name.clone())].as_slice(), true));
    let logon = world.ram.person().logs_on_with_code(&name, &password, &code(world, &seed));
    assert!(logon.accepts(), "with password and code of the Secrets: {logon:?}");
    let secret = world.secrets().get("mfa").await.expect("a seed").data.expect("data");
    assert!(secret.contains_key("qr.png"), "{:?}", secret.keys());
}

/// The person comes.
#[derive(Clone, Copy, Debug)]
pub struct Person;

impl Scenario for Person {
    const QUICK: Quick = Quick::Every(6, 5);
    const RUNNING: bool = false;

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn ask(self, world: &World) {
        make(world).await;
    }
    async fn finished(self, world: &World) {
        all_available(world, objects()).await;
    }
    async fn settle(self, world: &World) {
        logs_on(world).await;
    }
}

/// Everything is lost: another password and another device are asked for at once.
#[derive(Clone, Copy, Debug)]
pub struct Renew;

impl Scenario for Renew {
    const QUICK: Quick = Quick::Every(8, 4);

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn set_up(self, world: &World) {
        made(world).await;
        keep(world).await;
    }
    async fn ask(self, world: &World) {
        for request in [annotation::RESET_PASSWORD, annotation::RESET_MFA] {
            world.annotate("RamUser", "reader", request, ASKED).await;
        }
    }
    async fn finished(self, world: &World) {
        eventually("both requests to be done", || async {
            let status = world.users().get("reader").await.map_err(|e| e.to_string())?.status.unwrap_or_default();
            let requests = status.requests.clone().unwrap_or_default();
            let mut both = [requests.reset_password, requests.reset_mfa].into_iter();
            let done = both.all(|request| request.is_some_and(|request| request.done.as_deref() == Some(ASKED)));
            if done { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
        all_available(world, objects()).await;
    }
    async fn settle(self, world: &World) {
        logs_on(world).await;
        let ((old, lost), (_, seed)) = (kept(world).await, in_hand(world).await);
        assert!(!world.ram.person().password_is(&world.ram_name("reader"), &old), "the old password is still good");
        assert_ne!(lost, seed, "the device is the one that was lost");
    }
}

/// The person, with a key too, is suspended, and back as soon as that is done.
#[derive(Clone, Copy, Debug)]
pub struct Suspend;

impl Suspend {
    fn all() -> Vec<Object> {
        keys::objects()
    }

    async fn is_suspended(world: &World) {
        world.ready("RamUser", "reader", "False", "Suspended").await;
        world.ready("RamAccessKey", "ingest", "False", "UserSuspended").await;
        let user = &world.in_ram().users[&world.ram_name("reader")];
        let armed = user.keys.iter().any(|key| key.active) || user.logon.as_ref().is_none_or(|logon| logon.active);
        assert!(!armed && user.mfa_device, "no access, and nothing taken away for good: {user:?}");
    }
}

impl Scenario for Suspend {
    const QUICK: Quick = Quick::Every(8, 6);

    fn objects(self, _: &World) -> Vec<Object> {
        Self::all()
    }
    async fn set_up(self, world: &World) {
        make(world).await;
        world.key("ingest", "reader", json!({})).await;
        all_available(world, Self::all()).await;
        keep(world).await;
    }
    async fn ask(self, world: &World) {
        apply(world, "Suspended").await;
    }
    async fn finished(self, world: &World) {
        if world.users().get("reader").await.expect("a user").spec.state == UserState::Suspended {
            Self::is_suspended(world).await;
            apply(world, "Active").await;
        }
        all_available(world, Self::all()).await;
    }
    async fn settle(self, world: &World) {
        // With the password, the device and the key of before.
        assert_eq!(in_hand(world).await, kept(world).await);
        logs_on(world).await;
        let name = world.ram_name("reader");
        assert!(world.in_ram().users[&name].logon.as_ref().is_some_and(|logon| logon.active));
        keys::one_key(world).await;
        assert_eq!(times(world, &format!("CreateAccessKey {name}")), 1, "the same key");
        // Nothing of it comes back to anybody later.
        world.clock.advance(Duration::from_hours(1));
        world.reconcile("RamUser", "reader").await;
        logs_on(world).await;
    }
}
