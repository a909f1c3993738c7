//! Log-on to the console: given, taken away, reset, and what other people do to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use ram_operator::api::annotation;
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::{Value, json};

use crate::rotation::{assert_says, no_writes};
use crate::support::ram::{CallInfo, Fault, FaultKind, Hook, Logon, Options, Outcome, Phase};
use crate::world::{World, eventually, merge};

async fn corner(test: &str) -> World {
    let world = World::new(test).await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    world
}

fn generate(more: Value) -> Value {
    let mut login = json!({"initialPassword": {"source": "Generate", "secret": {"name": "first"}}});
    merge(&mut login, more);
    json!({"policies": [], "consoleLogin": login})
}

fn from_secret() -> Value {
    let reference =
        json!({"source": "SecretRef", "secretRef": {"name": "mine", "key": "pw"}, "changeAtLogon": "NotRequired"});
    json!({"policies": [], "consoleLogin": {"initialPassword": reference}})
}

async fn password(world: &World) -> String {
    let secret = world.secrets().get("first").await.expect("a Secret");
    String::from_utf8(secret.data.expect("data")["password"].0.clone()).expect("text")
}

fn logs_on(world: &World, password: &str) -> Logon {
    world.ram.person().logs_on(&world.ram_name("alice"), password)
}

fn line(world: &World, action: &str) -> String {
    format!("{action} {}", world.ram_name("alice"))
}

async fn looked(world: &World) -> Value {
    world.reconcile("RamUser", "alice").await;
    world.dynamic("RamUser", Some(&world.ns)).get("alice").await.expect("there").data
}

async fn reset(world: &World, value: &str) {
    world.annotate("RamUser", "alice", annotation::RESET_PASSWORD, value).await;
    let api = world.dynamic("RamUser", Some(&world.ns));
    eventually("the reset to be done", || async {
        let object = api.get("alice").await.map_err(|e| e.to_string())?;
        let done = &object.data["status"]["requests"]["resetPassword"]["done"];
        if *done == json!(value) { Ok(()) } else { Err(object.data["status"].to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_password_logs_on_once_and_can_be_reset() {
    let world = corner("login").await;
    let operator = world.operator().await;
    world.user("alice", generate(json!({"mfa": "Required"}))).await;
    let object = world.available("RamUser", "alice").await;
    assert_eq!(world.writes(), [line(&world, "CreateUser"), line(&world, "CreateLoginProfile") + " Active"]);
    let told = world.events("alice").await;
    assert!(told.iter().any(|event| event == "PasswordGiven"), "{told:?}");
    let first = password(&world).await;
    assert!(logs_on(&world, &first).accepts(), "{:?}", logs_on(&world, &first));
    let view = world.ram.snapshot().users[&world.ram_name("alice")].logon.clone().expect("a log-on");
    assert!(view.active && view.reset_required && view.mfa_required, "{view:?}");
    let status = &object["status"];
    let url = status["loginUrl"].as_str().expect("a URL");
    assert!(url.starts_with("https://signin.aliyun.com/") && url.ends_with(".onaliyun.com/login.htm"), "{url}");
    assert!(!status.to_string().contains(&first));
    looked(&world).await;
    no_writes(&world);

    // Handed over, the Secret may go.
    world.secrets().delete("first", &DeleteParams::default()).await.expect("deleted");
    looked(&world).await;
    no_writes(&world);

    reset(&world, "lost it").await;
    assert_eq!(world.writes(), [line(&world, "UpdateLoginProfile") + " Active"]);
    let second = password(&world).await;
    assert_ne!(first, second);
    assert_eq!(logs_on(&world, &first), Logon::WrongPassword);
    assert!(logs_on(&world, &second).accepts());
    reset(&world, "again").await;
    assert_ne!(password(&world).await, second);
    world.writes();

    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    assert_eq!(
        world.writes(),
        [
            line(&world, "UpdateLoginProfile") + " Inactive",
            line(&world, "DeleteLoginProfile"),
            line(&world, "DeleteUser"),
        ]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_on_is_turned_off_and_on_and_away() {
    let world = corner("login_states").await;
    let operator = world.operator().await;
    world.user("alice", generate(json!({}))).await;
    world.available("RamUser", "alice").await;
    let first = password(&world).await;
    world.writes();
    let update = |to: &str| format!("{} {to}", line(&world, "UpdateLoginProfile"));
    for (state, written) in [("Disabled", "Inactive"), ("Enabled", "Active")] {
        world.user("alice", generate(json!({"state": state}))).await;
        world.available("RamUser", "alice").await;
        assert_eq!(world.writes(), [update(written)]);
    }
    let mut suspended = generate(json!({}));
    suspended["state"] = json!("Suspended");
    world.user("alice", suspended).await;
    world.ready("RamUser", "alice", "False", "Suspended").await;
    assert_eq!(world.writes(), [update("Inactive")]);
    assert_eq!(logs_on(&world, &first), Logon::Disabled);
    world.user("alice", generate(json!({}))).await;
    world.available("RamUser", "alice").await;
    assert_eq!(world.writes(), [update("Active")]);
    assert!(logs_on(&world, &first).accepts(), "with the password that it had");

    // What somebody else takes away stays so until it is asked for.
    world.clock.advance(Duration::from_mins(2));
    world.ram.person().set_login_profile_status(&world.ram_name("alice"), false);
    looked(&world).await;
    world.ready("RamUser", "alice", "False", "LoginTakenOutside").await;
    no_writes(&world);
    reset(&world, "give it back").await;
    world.available("RamUser", "alice").await;
    assert_eq!(world.writes(), [update("Active")]);

    world.user("alice", generate(json!({"state": "Absent"}))).await;
    looked(&world).await;
    assert_eq!(world.writes(), [line(&world, "DeleteLoginProfile")]);
    // By hand it adds access: it goes again.
    world.ram.person().give_login_profile(&world.ram_name("alice"));
    looked(&world).await;
    assert_eq!(world.writes(), [line(&world, "DeleteLoginProfile")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

async fn put_password(world: &World, text: &str) {
    put(&world.secrets(), text).await;
}

async fn put(secrets: &Api<Secret>, text: &str) {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "stringData": {"pw": text}});
    let apply = PatchParams::apply("test").force();
    secrets.patch("mine", &apply, &Patch::Apply(secret)).await.expect("applied");
}

/// The answer to the next call of this action is lost, and the Secret has another text before anybody looks again.
fn lose_answer(world: &World, action: &'static str, text: &'static str) {
    let (secrets, lost) = (world.secrets(), AtomicBool::new(false));
    let hook: Hook = Arc::new(move |call: CallInfo, phase| {
        let strikes = call.action == action && phase == Phase::After && !lost.swap(true, Ordering::SeqCst);
        let secrets = secrets.clone();
        Box::pin(async move {
            if !strikes {
                return Outcome::Go;
            }
            put(&secrets, text).await;
            Outcome::Cut
        })
    });
    world.ram.set_hook(Some(hook));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_the_password_that_is_in_the_secret() {
    let world = corner("login_lost").await;
    let operator = world.operator().await;
    put_password(&world, "s3cr3t-Of-Alice-1").await;
    lose_answer(&world, "CreateLoginProfile", "s3cr3t-Of-Alice-2");
    world.user("alice", from_secret()).await;
    world.available("RamUser", "alice").await;
    let update = line(&world, "UpdateLoginProfile");
    let create = line(&world, "CreateLoginProfile") + " Active";
    // It is given back with the password: what RAM shows may be from before.
    assert_eq!(world.writes(), [line(&world, "CreateUser"), create, format!("{update} Active")]);
    assert_eq!(logs_on(&world, "s3cr3t-Of-Alice-2"), Logon::In);

    // Back to the former text, which is the one that the status knows.
    lose_answer(&world, "UpdateLoginProfile", "s3cr3t-Of-Alice-2");
    put_password(&world, "s3cr3t-Of-Alice-3").await;
    let object = looked(&world).await;
    assert_eq!(world.writes(), [update.clone(), update.clone()]);
    assert_eq!(logs_on(&world, "s3cr3t-Of-Alice-2"), Logon::In);
    assert!(object["status"]["consoleLogin"]["pendingSeal"].is_null(), "{object:#}");
    world.ram.set_hook(None);

    // RAM refuses a password that it has: that is how the lost answer is known.
    world.ram.person().set_password_policy([("PasswordReusePrevention", "3")]);
    world.ram.fault(Fault::on("UpdateLoginProfile", FaultKind::CutAfter).times(1));
    put_password(&world, "s3cr3t-Of-Alice-4").await;
    looked(&world).await;
    world.available("RamUser", "alice").await;
    assert_eq!(world.writes(), [update]);
    assert_eq!(logs_on(&world, "s3cr3t-Of-Alice-4"), Logon::In);
    looked(&world).await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_password_is_pushed_when_its_text_changes() {
    let world = corner("login_secret").await;
    let operator = world.operator().await;
    world.user("alice", from_secret()).await;
    let object = world.ready("RamUser", "alice", "False", "PasswordNotFound").await;
    assert_says(&object, "Ready", &["pw in Secret mine"]);
    world.writes();
    put_password(&world, "weak").await;
    world.poke("RamUser", "alice").await;
    world.ready("RamUser", "alice", "False", "PasswordRefused").await;
    world.writes();
    put_password(&world, "s3cr3t-Of-Alice-1").await;
    world.poke("RamUser", "alice").await;
    world.available("RamUser", "alice").await;
    assert_eq!(world.writes(), [line(&world, "CreateLoginProfile") + " Active"]);
    assert_eq!(logs_on(&world, "s3cr3t-Of-Alice-1"), Logon::In);
    // Other data and metadata are nobody's business.
    let patch = json!({"metadata": {"labels": {"a": "b"}}, "stringData": {"other": "x"}});
    world.secrets().patch("mine", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    looked(&world).await;
    no_writes(&world);
    put_password(&world, "s3cr3t-Of-Alice-2").await;
    looked(&world).await;
    assert_eq!(world.writes(), [line(&world, "UpdateLoginProfile")]);
    assert_eq!(logs_on(&world, "s3cr3t-Of-Alice-2"), Logon::In);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tenants_word_nobody_logs_on_and_a_foreign_secret_stays() {
    let world = World::new("login_denied").await;
    let operator = world.operator().await;
    world.user("alice", generate(json!({}))).await;
    world.ready("RamUser", "alice", "False", "ConsoleLoginNotAllowed").await;
    assert!(world.secrets().get_opt("first").await.expect("an answer").is_none());
    no_writes(&world);
    let foreign: Secret =
        serde_json::from_value(json!({"metadata": {"name": "first"}, "stringData": {"mine": "x"}})).expect("a Secret");
    world.secrets().create(&PostParams::default(), &foreign).await.expect("made");
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    world.ready("RamUser", "alice", "False", "SecretConflict").await;
    assert_eq!(world.writes(), [line(&world, "CreateUser")]);
    assert!(world.secrets().get("first").await.expect("there").data.expect("data").contains_key("mine"));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_goes_with_its_user_also_by_a_revocation() {
    goes_by_a_revocation(false).await;
}

/// Whether RAM disables a log-on without a new password is open: an order ends whichever way it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_goes_by_a_revocation_also_where_it_cannot_be_disabled() {
    goes_by_a_revocation(true).await;
}

async fn goes_by_a_revocation(login_profile_update_needs_password: bool) {
    let options = Options { login_profile_update_needs_password, ..Options::default() };
    let world = World::with("login_left", options).await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    let flags = Run { hand_over_after: Duration::from_secs(2), ..world.flags() };
    let operator =
        world.operator_with(flags, Environment::default(), |config| Clients::new(&config).expect("clients")).await;
    world.user("alice", generate(json!({}))).await;
    world.available("RamUser", "alice").await;
    let kind = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
    world.ram.fault(Fault::everywhere(kind));
    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    world.writes();
    world.ram.clear_faults();
    let api = world.dynamic("RamRevocation", None);
    let user = world.ram_name("alice");
    eventually("the user to be gone", || async {
        for order in api.list(&kube::api::ListParams::default()).await.map_err(|e| e.to_string())? {
            if order.data["spec"]["order"]["user"]["userName"] == json!(user) {
                world.poke("RamRevocation", &kube::ResourceExt::name_any(&order)).await;
            }
        }
        if world.ram.snapshot().users.contains_key(&user) { Err("still there".to_owned()) } else { Ok(()) }
    })
    .await;
    let mut all = vec![line(&world, "DeleteLoginProfile"), line(&world, "DeleteUser")];
    if !login_profile_update_needs_password {
        all.insert(0, line(&world, "UpdateLoginProfile") + " Inactive");
    }
    assert_eq!(world.writes(), all);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
