//! The life of a person who logs on: a password to be changed, an MFA device, both replaced, suspended and back, disabled and back, and gone.

use std::time::Duration;

use ram_operator::api::annotation;
use ram_operator::plan::mfa_device;
use ram_operator::ram::consecutive_codes;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{each_way, way};
use crate::rotation::assert_says;
use crate::support::ram::{Fault, FaultKind, Logon, LogonView, Options};
use crate::world::{World, eventually, merge};

/// The password that the person chose.
const OWN: &str = "s3cr3t-Of-Alice-1";

/// Every setting that touches a person away from its default, alone and all together.
fn ways() -> Vec<(&'static str, Options)> {
    vec![
        way("person", |_| {}),
        way("needs-password", |o| o.login_profile_update_needs_password = true),
        way("not-initial", |o| o.updated_password_is_initial = false),
        way("same-taken", |o| o.same_password_refused = false),
        way("unbound-deleted", |o| o.unbind_deletes_device = true),
        way("person-others", others),
        way("person-all", |o| {
            others(o);
            o.login_profile_update_needs_password = true;
            o.updated_password_is_initial = false;
            o.same_password_refused = false;
            o.unbind_deletes_device = true;
        }),
    ]
}

fn others(o: &mut Options) {
    o.ims_password_required = false;
    o.ims_mfa_info_refused = true;
    o.ims_delete_cascades = true;
    o.recycle_bin = false;
    o.leading_hyphen_allowed = true;
    o.case_insensitive_names = false;
    o.empty_fields = false;
    o.v3_json_by_default = true;
    o.page_size_limit = 1;
    o.throttle_status = 429;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_to_the_same_end_whichever_way_ram_does_it() {
    each_way(ways(), life).await;
}

async fn life(name: &'static str, options: Options) {
    let world = World::with(name, options.clone()).await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    world.ram.person().set_password_policy([("PasswordReusePrevention", "3")]);
    let operator = world.operator().await;
    apply(&world, "Active", json!({})).await;
    world.available("RamUser", "alice").await;
    let first = text(&world, "first", "password").await;
    let seed = text(&world, "seed", "seed").await;
    assert_eq!(log_on(&world, &first, &seed), Logon::MustChangePassword);
    world.ram.person().change_password(&world.ram_name("alice"), OWN);
    assert_eq!(log_on(&world, OWN, &seed), Logon::In);

    let second = another_password(&world, &options, &seed).await;
    assert_ne!(second, first);
    let seed = another_device(&world, &options, &second, &seed).await;
    let third = suspended_and_back(&world, &options, &second, &seed).await;
    disabled_and_back(&world, &options, &third, &seed).await;
    gone(&world, &options).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

async fn apply(world: &World, state: &str, more: Value) {
    let mut login = json!({"mfa": "Required", "initialPassword": {"source": "Generate", "secret": {"name": "first"}}});
    merge(&mut login, more);
    let device = json!({"secret": {"name": "seed"}});
    world.user("alice", json!({"policies": [], "state": state, "consoleLogin": login, "virtualMfa": device})).await;
}

async fn text(world: &World, secret: &str, key: &str) -> String {
    let secret = world.secrets().get(secret).await.expect("a Secret");
    String::from_utf8(secret.data.expect("data")[key].0.clone()).expect("text")
}

/// Tries a password and a code of the device of that seed which was not used before.
fn log_on(world: &World, password: &str, seed: &str) -> Logon {
    world.clock.advance(Duration::from_secs(90));
    let codes = consecutive_codes(&SecretString::from(seed.to_owned()), world.clock.now()).expect("a seed");
    world.ram.person().logs_on_with_code(&world.ram_name("alice"), password, codes[1].expose_secret())
}

fn logon(world: &World) -> Option<LogonView> {
    world.in_ram().users[&world.ram_name("alice")].logon.clone()
}

async fn ask(world: &World, key: &str, request: &str, value: &str) {
    world.annotate("RamUser", "alice", key, value).await;
    let api = world.dynamic("RamUser", Some(&world.ns));
    eventually("the request to be done", || async {
        let object = api.get("alice").await.map_err(|e| e.to_string())?;
        let done = &object.data["status"]["requests"][request]["done"];
        if *done == json!(value) { Ok(()) } else { Err(object.data["status"].to_string()) }
    })
    .await;
}

/// The answer is lost, so that RAM gets the same password twice.
async fn another_password(world: &World, options: &Options, seed: &str) -> String {
    world.ram.fault(Fault::on("UpdateLoginProfile", FaultKind::CutAfter).times(1));
    ask(world, annotation::RESET_PASSWORD, "resetPassword", "forgotten").await;
    let given = logon(world).expect("a log-on");
    assert!(given.active && given.reset_required && given.mfa_required, "{given:?}");
    assert_eq!(given.initial.is_some(), options.updated_password_is_initial);
    let password = text(world, "first", "password").await;
    assert_eq!(log_on(world, OWN, seed), Logon::WrongPassword);
    assert_eq!(log_on(world, &password, seed), Logon::MustChangePassword);
    password
}

/// The lines of the journal in which the device goes.
fn device_goes(world: &World, options: &Options) -> Vec<String> {
    let mut lines = vec![format!("UnbindMFADevice {}", world.ram_name("alice"))];
    if !options.unbind_deletes_device {
        lines.push(format!("DeleteVirtualMFADevice {}", device(world)));
    }
    lines
}

fn device(world: &World) -> String {
    mfa_device::name("test", &world.ns, "alice")
}

async fn another_device(world: &World, options: &Options, password: &str, old: &str) -> String {
    world.available("RamUser", "alice").await;
    world.writes();
    ask(world, annotation::RESET_MFA, "resetMfa", "lost").await;
    let (user, device) = (world.ram_name("alice"), device(world));
    let made = vec![format!("CreateVirtualMFADevice {device}"), format!("BindMFADevice {user} {device}")];
    assert_eq!(world.writes(), [device_goes(world, options), made].concat());
    let seed = text(world, "seed", "seed").await;
    assert_eq!(log_on(world, password, old), Logon::WrongCode);
    assert_eq!(log_on(world, password, &seed), Logon::MustChangePassword);
    let devices = world.in_ram().devices;
    let serial = mfa_device::serial(&world.ram.account_id(), &device);
    assert_eq!(devices.keys().collect::<Vec<_>>(), [&serial]);
    assert_eq!(devices[&serial].user.as_ref(), Some(&user));
    seed
}

/// Nobody logs on; where RAM disables no log-on without a password there is none.
fn assert_shut(world: &World, options: &Options) {
    match logon(world) {
        None => assert!(options.login_profile_update_needs_password, "the log-on is gone"),
        Some(logon) => assert!(!logon.active && !options.login_profile_update_needs_password, "{logon:?}"),
    }
    assert!(world.in_ram().users[&world.ram_name("alice")].mfa_device);
}

async fn suspended_and_back(world: &World, options: &Options, password: &str, seed: &str) -> String {
    apply(world, "Suspended", json!({})).await;
    world.ready("RamUser", "alice", "False", "Suspended").await;
    assert_shut(world, options);
    assert_eq!(
        world.events("alice").await.contains(&"LogOnDeleted".to_owned()),
        options.login_profile_update_needs_password
    );
    apply(world, "Active", json!({})).await;
    world.available("RamUser", "alice").await;
    let now = text(world, "first", "password").await;
    // What was handed over is not given again.
    assert_eq!(now != password, options.login_profile_update_needs_password);
    assert_eq!(log_on(world, &now, seed), Logon::MustChangePassword);
    let given = logon(world).expect("a log-on");
    assert!(given.active && given.reset_required && given.mfa_required, "{given:?}");
    now
}

async fn disabled_and_back(world: &World, options: &Options, password: &str, seed: &str) {
    apply(world, "Active", json!({"state": "Disabled"})).await;
    world.available("RamUser", "alice").await;
    assert_shut(world, options);
    let user = world.ram_name("alice");
    if options.login_profile_update_needs_password {
        // Somebody makes one that is disabled: only a person can tell the password that enables it.
        world.ram.person().give_login_profile(&user);
        world.ram.person().set_login_profile_status(&user, false);
        apply(world, "Active", json!({})).await;
        let object = world.ready("RamUser", "alice", "False", "PasswordNeeded").await;
        assert_says(&object, "Stalled", &["InvalidParameter.Password.TooWeak", "reset-password"]);
        assert!(logon(world).is_some_and(|logon| !logon.active));
        ask(world, annotation::RESET_PASSWORD, "resetPassword", "back").await;
        assert_ne!(text(world, "first", "password").await, password);
    } else {
        apply(world, "Active", json!({})).await;
    }
    world.available("RamUser", "alice").await;
    let now = text(world, "first", "password").await;
    assert_eq!(log_on(world, &now, seed), Logon::MustChangePassword);
    let given = logon(world).expect("a log-on");
    assert!(given.active && given.mfa_required, "{given:?}");
    world.writes();
    world.reconcile("RamUser", "alice").await;
    assert_eq!(world.writes(), Vec::<String>::new());
}

async fn gone(world: &World, options: &Options) {
    let user = world.ram_name("alice");
    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    let mut lines = Vec::new();
    if !options.login_profile_update_needs_password {
        lines.push(format!("UpdateLoginProfile {user} Inactive"));
    }
    lines.push(format!("DeleteLoginProfile {user}"));
    lines.extend(device_goes(world, options));
    lines.push(format!("DeleteUser {user}"));
    assert_eq!(world.writes(), lines);
    let end = world.in_ram();
    assert!(!end.users.contains_key(&user) && end.devices.is_empty(), "{:?}", end.devices);
}
