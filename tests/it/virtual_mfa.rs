//! Virtual MFA devices: given, bound by the operator or the person, reset, lost and taken away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, PostParams};
use ram_operator::api::{MFA_LABEL, annotation};
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::plan::mfa_device;
use ram_operator::ram::consecutive_codes;
use ram_operator::run::Clients;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::rotation::{assert_says, no_writes};
use crate::support::ram::{BoundBy, CallInfo, Fault, FaultKind, Hook, Logon, Outcome, Phase};
use crate::world::{World, eventually, merge};

fn mfa(more: Value) -> Value {
    let mut mfa = json!({"secret": {"name": "seed"}});
    merge(&mut mfa, more);
    json!({"policies": [], "virtualMfa": mfa})
}

/// The name in RAM of the device that is made for alice.
fn device(world: &World) -> String {
    mfa_device::name("test", &world.ns, "alice")
}

fn serial(world: &World) -> String {
    mfa_device::serial(&world.ram.account_id(), &device(world))
}

/// The lines of the journal.
fn line(world: &World, action: &str) -> String {
    let (user, device) = (world.ram_name("alice"), device(world));
    match action {
        "BindMFADevice" => format!("{action} {user} {device}"),
        "CreateVirtualMFADevice" | "DeleteVirtualMFADevice" => format!("{action} {device}"),
        _ => format!("{action} {user}"),
    }
}

fn lines(world: &World, actions: &[&str]) -> Vec<String> {
    actions.iter().map(|action| line(world, action)).collect()
}

#[track_caller]
fn wrote(world: &World, actions: &[&str]) {
    assert_eq!(world.writes(), lines(world, actions));
}

const MADE: [&str; 2] = ["CreateVirtualMFADevice", "BindMFADevice"];
const REPLACED: [&str; 4] = ["UnbindMFADevice", "DeleteVirtualMFADevice", "CreateVirtualMFADevice", "BindMFADevice"];

async fn text(world: &World, secret: &str, key: &str) -> String {
    let secret = world.secrets().get(secret).await.expect("a Secret");
    String::from_utf8(secret.data.expect("data")[key].0.clone()).expect("text")
}

/// The code that the device of a seed shows now; none that was used before.
pub fn code(world: &World, seed: &str) -> String {
    world.clock.advance(Duration::from_secs(90));
    let codes = consecutive_codes(&SecretString::from(seed.to_owned()), world.clock.now()).expect("a seed");
    codes[1].expose_secret().to_owned()
}

fn has_device(world: &World) -> bool {
    world.ram.snapshot().users[&world.ram_name("alice")].mfa_device
}

async fn looked(world: &World) -> Value {
    world.reconcile("RamUser", "alice").await;
    world.dynamic("RamUser", Some(&world.ns)).get("alice").await.expect("there").data
}

async fn reset(world: &World, value: &str) {
    world.annotate("RamUser", "alice", annotation::RESET_MFA, value).await;
    let api = world.dynamic("RamUser", Some(&world.ns));
    eventually("the reset to be done", || async {
        let object = api.get("alice").await.map_err(|e| e.to_string())?;
        let done = &object.data["status"]["requests"]["resetMfa"]["done"];
        if *done == json!(value) { Ok(()) } else { Err(object.data["status"].to_string()) }
    })
    .await;
}

async fn deleted(world: &World) {
    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_on_with_the_device_that_the_operator_bound() {
    let world = World::new("mfa").await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    let operator = world.operator().await;
    let mut spec = mfa(json!({"secret": {"labels": {"team": "a"}, "annotations": {"note": "hand it over"}}}));
    let password = json!({"source": "Generate", "secret": {"name": "first"}, "changeAtLogon": "NotRequired"});
    spec["consoleLogin"] = json!({"initialPassword": password, "mfa": "Required"});
    world.user("alice", spec).await;
    let object = world.available("RamUser", "alice").await;
    let login = line(&world, "CreateLoginProfile") + " Active";
    assert_eq!(world.writes(), [vec![line(&world, "CreateUser"), login], lines(&world, &MADE)].concat());
    assert_eq!(object["status"]["virtualMfa"]["state"], "Bound");
    assert_eq!(object["status"]["virtualMfa"]["serialNumber"], json!(serial(&world)));

    let secret = world.secrets().get("seed").await.expect("a Secret");
    assert_eq!((secret.type_.as_deref(), secret.labels()[MFA_LABEL].as_str()), (Some("Opaque"), "alice"));
    assert_eq!((secret.labels()["team"].as_str(), secret.annotations()["note"].as_str()), ("a", "hand it over"));
    assert_eq!(secret.owner_references()[0].kind, "RamUser");
    let seed = text(&world, "seed", "seed").await;
    let principal = object["status"]["userPrincipalName"].as_str().expect("a name").to_owned();
    assert_eq!(text(&world, "seed", "userPrincipalName").await, principal);
    assert_eq!(text(&world, "seed", "serialNumber").await, serial(&world));
    let uri = format!("otpauth://totp/Aliyun:{}?secret={seed}&issuer=Aliyun", principal.replace('@', "%40"));
    assert_eq!(text(&world, "seed", "otpauthUri").await, uri);
    assert!(secret.data.expect("data")["qr.png"].0.starts_with(b"\x89PNG"));

    let user = world.ram_name("alice");
    let password = text(&world, "first", "password").await;
    let person = world.ram.person();
    assert_eq!(person.logs_on(&user, &password), Logon::NeedsCode);
    assert_eq!(person.logs_on_with_code(&user, &password, &code(&world, &seed)), Logon::In);
    looked(&world).await;
    no_writes(&world);

    // Handed over, the Secret may go.
    world.secrets().delete("seed", &DeleteParams::default()).await.expect("deleted");
    let object = looked(&world).await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Bound");
    no_writes(&world);

    // The telephone is lost.
    reset(&world, "lost").await;
    wrote(&world, &REPLACED);
    let second = text(&world, "seed", "seed").await;
    assert_ne!(seed, second);
    assert_eq!(person.logs_on_with_code(&user, &password, &code(&world, &seed)), Logon::WrongCode);
    assert_eq!(person.logs_on_with_code(&user, &password, &code(&world, &second)), Logon::In);
    // The password that was given in the first pass is known as such.
    let object = looked(&world).await;
    assert!(object["status"]["consoleLogin"]["passwordSeal"].is_string(), "{object:#}");
    no_writes(&world);

    deleted(&world).await;
    let mut all = vec![line(&world, "UpdateLoginProfile") + " Inactive"];
    all.extend(lines(&world, &["DeleteLoginProfile", "UnbindMFADevice", "DeleteVirtualMFADevice", "DeleteUser"]));
    assert_eq!(world.writes(), all);
    assert!(world.ram.snapshot().devices.is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_binds_the_device_or_one_of_its_own() {
    let world = World::new("mfa_person").await;
    let operator = world.operator().await;
    let (person, user, ours) = (world.ram.person(), world.ram_name("alice"), serial(&world));
    world.user("alice", mfa(json!({"bind": "User"}))).await;
    let object = world.available("RamUser", "alice").await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Issued");
    wrote(&world, &["CreateUser", "CreateVirtualMFADevice"]);
    // Before the person gets to it, the Secret may be gone already.
    world.secrets().delete("seed", &DeleteParams::default()).await.expect("deleted");
    let object = looked(&world).await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Issued");
    no_writes(&world);
    // A device that shows within a minute after it was made may be an older one.
    world.clock.advance(Duration::from_mins(2));
    person.bind_mfa(&user, &ours);
    let object = looked(&world).await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Bound");
    assert_eq!(world.ram.snapshot().devices[&ours].bound_by, Some(BoundBy::Person));
    no_writes(&world);

    reset(&world, "lost").await;
    wrote(&world, &["UnbindMFADevice", "DeleteVirtualMFADevice", "CreateVirtualMFADevice"]);
    assert!(!has_device(&world) && !text(&world, "seed", "seed").await.is_empty());

    // The person takes another one: what was made here is not left over.
    world.clock.advance(Duration::from_mins(2));
    let other = person.give_mfa(&user);
    let object = looked(&world).await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Bound");
    assert_eq!(object["status"]["virtualMfa"]["serialNumber"], json!(other));
    wrote(&world, &["DeleteVirtualMFADevice"]);
    looked(&world).await;
    no_writes(&world);

    // A reset takes that one away too, and leaves it for whoever made it.
    reset(&world, "lost again").await;
    wrote(&world, &["UnbindMFADevice", "CreateVirtualMFADevice"]);
    let devices = world.ram.snapshot().devices;
    assert!(devices[&other].user.is_none() && devices[&ours].user.is_none());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_took_away_stays_so_until_a_reset() {
    let world = World::new("mfa_taken").await;
    let operator = world.operator().await;
    let (person, user) = (world.ram.person(), world.ram_name("alice"));
    world.user("alice", mfa(json!({}))).await;
    world.available("RamUser", "alice").await;
    world.writes();
    for (n, lost) in [false, true].into_iter().enumerate() {
        world.clock.advance(Duration::from_mins(2));
        if lost {
            person.delete_mfa_device(&serial(&world));
        } else {
            person.take_mfa(&user);
        }
        looked(&world).await;
        let object = world.ready("RamUser", "alice", "False", "MfaTakenOutside").await;
        assert_says(&object, "Stalled", &["reset-mfa"]);
        no_writes(&world);
        reset(&world, &format!("r{n}")).await;
        world.available("RamUser", "alice").await;
        wrote(&world, if lost { &MADE } else { &REPLACED[1..] });
        assert!(has_device(&world));
    }
    // One that the person binds will do.
    world.clock.advance(Duration::from_mins(2));
    person.take_mfa(&user);
    looked(&world).await;
    world.ready("RamUser", "alice", "False", "MfaTakenOutside").await;
    person.bind_mfa(&user, &serial(&world));
    looked(&world).await;
    world.available("RamUser", "alice").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Lets GetUserMFAInfo show alice with the device as before a reset, though she has none: in the second answer after a device was made, which is the
/// first after that was noted, and in those after it, `most` in all, until the device is to be bound. Tells how many there were.
fn old_answers(world: &World, most: usize) -> Arc<AtomicUsize> {
    let (person, user, serial) = (world.ram.person(), world.ram_name("alice"), serial(world));
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let (made, reads, shown) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicBool::new(false));
    let hook: Hook = Arc::new(move |call: CallInfo, phase| {
        match (call.action.as_str(), phase) {
            ("CreateVirtualMFADevice", Phase::After) => made.store(true, Ordering::SeqCst),
            ("BindMFADevice", Phase::Before) => made.store(false, Ordering::SeqCst),
            ("GetUserMFAInfo", Phase::Before) if made.load(Ordering::SeqCst) => {
                let noted = reads.fetch_add(1, Ordering::SeqCst) > 0;
                if noted && count.load(Ordering::SeqCst) < most {
                    count.fetch_add(1, Ordering::SeqCst);
                    shown.store(true, Ordering::SeqCst);
                    person.bind_mfa(&user, &serial);
                }
            }
            ("GetUserMFAInfo", Phase::After) if shown.swap(false, Ordering::SeqCst) => person.take_mfa(&user),
            _ => {}
        }
        Box::pin(async { Outcome::Go })
    });
    world.ram.set_hook(Some(hook));
    given
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_answer_after_a_reset_is_not_taken_for_the_new_device() {
    let world = World::new("mfa_lag").await;
    let operator = world.operator().await;
    world.user("alice", mfa(json!({}))).await;
    world.available("RamUser", "alice").await;
    world.writes();
    world.clock.advance(Duration::from_mins(2));
    let given = old_answers(&world, 1);
    reset(&world, "lost").await;
    world.ram.set_hook(None);
    assert_eq!(given.load(Ordering::SeqCst), 1);
    wrote(&world, &REPLACED);
    world.available("RamUser", "alice").await;
    let ours = serial(&world);
    assert!(matches!(world.ram.snapshot().devices[&ours].bound_by, Some(BoundBy::Call(_))));

    // Its answer is lost: RAM's refusal of the next one says that it is bound.
    world.clock.advance(Duration::from_mins(2));
    world.ram.fault(Fault::on("BindMFADevice", FaultKind::CutAfter).times(1));
    reset(&world, "lost again").await;
    world.available("RamUser", "alice").await;
    wrote(&world, &REPLACED);

    // The person has not got to it, whatever an old answer says.
    world.clock.advance(Duration::from_mins(2));
    world.user("alice", mfa(json!({"bind": "User"}))).await;
    world.available("RamUser", "alice").await;
    let given = old_answers(&world, 2);
    reset(&world, "another one").await;
    let object = looked(&world).await;
    world.ram.set_hook(None);
    assert_eq!(given.load(Ordering::SeqCst), 2);
    assert_eq!(object["status"]["virtualMfa"]["state"], "Issued");
    wrote(&world, &REPLACED[..3]);
    // After a while there is none, and that is no loss.
    world.clock.advance(Duration::from_mins(2));
    let object = looked(&world).await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Issued");
    world.available("RamUser", "alice").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_seed_was_lost_is_made_again() {
    let world = World::new("mfa_lost_seed").await;
    // As a process that died between RAM's answer and the Secret left it.
    world.ram.person().create_mfa_device(&device(&world));
    let operator = world.operator().await;
    world.user("alice", mfa(json!({}))).await;
    world.available("RamUser", "alice").await;
    let again = ["DeleteVirtualMFADevice", "CreateVirtualMFADevice", "BindMFADevice"];
    wrote(&world, &[&["CreateUser"][..], &again].concat());
    assert!(has_device(&world));

    // The answer itself is lost.
    world.ram.fault(Fault::on("CreateVirtualMFADevice", FaultKind::CutAfter).times(1));
    reset(&world, "again").await;
    world.available("RamUser", "alice").await;
    wrote(&world, &[&REPLACED[..3], &again].concat());
    let seed = text(&world, "seed", "seed").await;
    assert_eq!(seed.len(), 64);
    assert!(has_device(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_another_user_has_is_not_touched() {
    let world = World::new("mfa_held").await;
    let person = world.ram.person();
    person.create_user("somebody", "");
    let (held, _) = person.create_mfa_device(&device(&world));
    person.bind_mfa("somebody", &held);
    let operator = world.operator().await;
    world.user("alice", mfa(json!({}))).await;
    let object = world.ready("RamUser", "alice", "False", "MfaDeviceHeld").await;
    assert_says(&object, "Stalled", &[held.as_str(), "not touched"]);
    wrote(&world, &["CreateUser"]);
    person.take_mfa("somebody");
    world.poke("RamUser", "alice").await;
    world.available("RamUser", "alice").await;
    wrote(&world, &["DeleteVirtualMFADevice", "CreateVirtualMFADevice", "BindMFADevice"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_stays_and_nothing_is_made() {
    let world = World::new("mfa_foreign_secret").await;
    let foreign: Secret =
        serde_json::from_value(json!({"metadata": {"name": "seed"}, "stringData": {"mine": "x"}})).expect("a Secret");
    world.secrets().create(&PostParams::default(), &foreign).await.expect("made");
    let operator = world.operator().await;
    world.user("alice", mfa(json!({}))).await;
    let object = world.ready("RamUser", "alice", "False", "SecretConflict").await;
    assert_says(&object, "Ready", &["seed"]);
    wrote(&world, &["CreateUser"]);
    assert_eq!(text(&world, "seed", "mine").await, "x");
    world.secrets().delete("seed", &DeleteParams::default()).await.expect("deleted");
    world.poke("RamUser", "alice").await;
    world.available("RamUser", "alice").await;
    wrote(&world, &MADE);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_a_suspension_stop_it() {
    let world = World::new("mfa_paused").await;
    let operator = world.operator().await;
    world.user("alice", json!({"policies": []})).await;
    world.available("RamUser", "alice").await;
    world.annotate("RamUser", "alice", annotation::PAUSED, "true").await;
    world.user("alice", mfa(json!({}))).await;
    world.ready("RamUser", "alice", "False", "Paused").await;
    wrote(&world, &["CreateUser"]);
    world.annotate("RamUser", "alice", annotation::PAUSED, "false").await;
    world.available("RamUser", "alice").await;
    wrote(&world, &MADE);
    let mut suspended = mfa(json!({}));
    suspended["state"] = json!("Suspended");
    world.user("alice", suspended).await;
    world.ready("RamUser", "alice", "False", "Suspended").await;
    world.annotate("RamUser", "alice", annotation::RESET_MFA, "when it is back").await;
    looked(&world).await;
    no_writes(&world);
    world.user("alice", mfa(json!({}))).await;
    reset(&world, "when it is back").await;
    wrote(&world, &REPLACED);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_takes_every_device_away_and_left_out_means_not_managed() {
    let world = World::new("mfa_absent").await;
    let operator = world.operator().await;
    world.user("alice", mfa(json!({}))).await;
    world.available("RamUser", "alice").await;
    world.writes();
    world.user("alice", json!({"policies": []})).await;
    looked(&world).await;
    no_writes(&world);
    world.user("alice", mfa(json!({"state": "Absent", "secret": null}))).await;
    let object = world.available("RamUser", "alice").await;
    assert_eq!(object["status"]["virtualMfa"]["state"], "Absent");
    wrote(&world, &["UnbindMFADevice", "DeleteVirtualMFADevice"]);
    let other = world.ram.person().give_mfa(&world.ram_name("alice"));
    looked(&world).await;
    wrote(&world, &["UnbindMFADevice"]);
    assert!(world.ram.snapshot().devices.contains_key(&other), "it is whoever's it was");
    // There is no device to replace.
    reset(&world, "nothing").await;
    no_writes(&world);
    let old = text(&world, "seed", "seed").await;
    world.user("alice", mfa(json!({}))).await;
    world.available("RamUser", "alice").await;
    wrote(&world, &MADE);
    assert_ne!(text(&world, "seed", "seed").await, old);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_with_a_device_that_was_never_managed() {
    let world = World::new("mfa_unmanaged").await;
    let operator = world.operator().await;
    let (person, user) = (world.ram.person(), world.ram_name("alice"));
    for right in [true, false] {
        world.user("alice", json!({"policies": []})).await;
        world.available("RamUser", "alice").await;
        let other = person.give_mfa(&user);
        // The least policy without --virtual-mfa lets nobody delete devices.
        if !right {
            person.deny("DeleteVirtualMFADevice");
        }
        deleted(&world).await;
        let mut all = lines(&world, &["CreateUser", "UnbindMFADevice"]);
        all.extend(right.then(|| format!("DeleteVirtualMFADevice {user}")));
        all.push(line(&world, "DeleteUser"));
        assert_eq!(world.writes(), all);
        assert_eq!(world.ram.snapshot().devices.contains_key(&other), !right);
    }
    // Older rights do not even let the operator ask.
    person.deny("GetUserMFAInfo");
    world.user("alice", json!({"policies": []})).await;
    world.available("RamUser", "alice").await;
    deleted(&world).await;
    wrote(&world, &["CreateUser", "DeleteUser"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_to_look_at_devices_keeps_no_deletion_from_disarming() {
    let world = World::new("mfa_denied").await;
    let operator = world.operator().await;
    world.user("alice", mfa(json!({}))).await;
    world.key("app", "alice", json!({})).await;
    world.available("RamUser", "alice").await;
    world.available("RamAccessKey", "app").await;
    world.writes();
    world.ram.person().deny("GetUserMFAInfo");
    world.delete("RamUser", "alice").await;
    let object = world.ready("RamUser", "alice", "False", "Blocked").await;
    assert_says(&object, "Ready", &["MFADevice"]);
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    world.ram.person().allow("GetUserMFAInfo");
    world.poke("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    wrote(&world, &["UnbindMFADevice", "DeleteVirtualMFADevice", "DeleteUser"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_retained_keeps_its_device() {
    let world = World::new("mfa_retain").await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "retain": "Allow"})).await;
    let operator = world.operator().await;
    let mut spec = mfa(json!({}));
    spec["deletionPolicy"] = json!("Retain");
    world.user("alice", spec).await;
    world.available("RamUser", "alice").await;
    world.writes();
    deleted(&world).await;
    wrote(&world, &["UpdateUser"]);
    assert!(has_device(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_goes_with_its_user_also_by_a_revocation() {
    let world = World::new("mfa_left").await;
    let flags = Run { hand_over_after: Duration::from_secs(2), ..world.flags() };
    let operator =
        world.operator_with(flags, Environment::default(), |config| Clients::new(&config).expect("clients")).await;
    let (user, ours) = (world.ram_name("alice"), serial(&world));
    world.user("alice", mfa(json!({}))).await;
    world.available("RamUser", "alice").await;
    let kind = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
    world.ram.fault(Fault::everywhere(kind));
    deleted(&world).await;
    world.writes();
    // The person has changed the device since: both go.
    let other = world.ram.person().give_mfa(&user);
    world.ram.clear_faults();
    let api = world.dynamic("RamRevocation", None);
    eventually("the user to be gone", || async {
        for order in api.list(&ListParams::default()).await.map_err(|e| e.to_string())? {
            if order.data["spec"]["order"]["user"]["userName"] == json!(user) {
                assert_eq!(order.data["spec"]["order"]["user"]["virtualMfa"], json!(true));
                world.poke("RamRevocation", &order.name_any()).await;
            }
        }
        if world.ram.snapshot().users.contains_key(&user) { Err("still there".to_owned()) } else { Ok(()) }
    })
    .await;
    let mut all = lines(&world, &["UnbindMFADevice"]);
    all.push(format!("DeleteVirtualMFADevice {user}"));
    all.extend(lines(&world, &["DeleteVirtualMFADevice", "DeleteUser"]));
    assert_eq!(world.writes(), all);
    let devices = world.ram.snapshot().devices;
    assert!(!devices.contains_key(&ours) && !devices.contains_key(&other), "{devices:?}");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
