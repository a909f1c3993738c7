//! RAM in trouble: throttled, slow, silent, behind, denying, down; and answers that are lost.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::freeze::hold_first;
use crate::support::ram::{CallInfo, EmuClock, Fault, FaultKind, Options, Phase, Product};
use crate::world::{World, condition, eventually};

const POLICY: &str = "System/AliyunOTSReadOnlyAccess";

fn message(object: &Value) -> &str {
    condition(object, "Ready").expect("Ready")["message"].as_str().expect("a message")
}

/// Asks for a look without waiting for its end: one that fails never comes to rest.
async fn ask(world: &World, kind: &str, name: &str) {
    world.annotate(kind, name, annotation::RECONCILE, &format!("ask-{}", Timestamp::now())).await;
}

fn status(status: u16, code: &str) -> FaultKind {
    FaultKind::Status { status, code: code.to_owned() }
}

fn down() -> FaultKind {
    status(503, "ServiceUnavailable")
}

/// What is done for a user with one policy and one key, once each.
fn made(user: &str) -> Vec<String> {
    vec![format!("CreateUser {user}"), format!("AttachPolicyToUser {user} {POLICY}"), format!("CreateAccessKey {user}")]
}

/// Writes by the user they name, in order.
fn by_user(writes: Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for write in writes {
        let user = write.split_whitespace().nth(1).unwrap_or_default().to_owned();
        all.entry(user).or_default().push(write);
    }
    all
}

/// One user with a key for each action, each struck twice by `kinds`, all at once.
async fn storm(name: &str, kinds: &[(&str, FaultKind)]) {
    const ACTIONS: [&str; 5] = ["CreateUser", "AttachPolicyToUser", "GetUser", "ListAccessKeys", "ListPoliciesForUser"];
    let world = World::new(name).await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    let mut users = Vec::new();
    for (kind, fault) in kinds {
        for action in ACTIONS {
            let user = format!("{kind}-{}", action.to_lowercase());
            world.ram.fault(Fault::on(action, fault.clone()).user(world.ram_name(&user)).times(2));
            users.push(user);
        }
    }
    for user in &users {
        world.user(user, json!({})).await;
        world.key(user, user, json!({})).await;
    }
    for user in &users {
        world.available("RamUser", user).await;
        world.available("RamAccessKey", user).await;
    }
    let writes = by_user(world.writes());
    let snapshot = world.ram.snapshot();
    for user in &users {
        let name = world.ram_name(user);
        assert_eq!(writes.get(&name), Some(&made(&name)), "{user}");
        let view = &snapshot.users[&name];
        assert_eq!(view.policies, [POLICY], "{user}");
        assert_eq!(view.keys.len(), 1, "{user}");
        assert_eq!(view.keys[0].id, world.pair(user).await.0, "{user}");
    }
    // Nobody else was made, but the operator's own user is there.
    assert_eq!((writes.len(), snapshot.users.len()), (users.len(), users.len() + 1));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_calls_come_to_one_of_each() {
    storm(
        "throttled",
        &[("plain", FaultKind::Throttle { retry_after: None }), ("told", FaultKind::Throttle { retry_after: Some(1) })],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_calls_come_to_one_of_each() {
    let kinds = [("error", status(500, "InternalError")), ("down", down()), ("garbage", FaultKind::Garbage)];
    storm("failed", &kinds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_calls_and_lost_answers_come_to_one_of_each() {
    let kinds = [
        ("slow", FaultKind::Latency(Duration::from_secs(1))),
        ("before", FaultKind::CutBefore),
        ("after", FaultKind::CutAfter),
    ];
    storm("lost", &kinds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_gets_no_answer_is_asked_again() {
    let world = World::new("proof").await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    for (user, kind) in [
        ("throttled", FaultKind::Throttle { retry_after: None }),
        ("error", status(500, "InternalError")),
        ("down", down()),
        ("slow", FaultKind::Latency(Duration::from_secs(1))),
        ("garbage", FaultKind::Garbage),
        ("before", FaultKind::CutBefore),
        ("after", FaultKind::CutAfter),
    ] {
        // From now on nobody but the proof asks who it is.
        let fault = world.ram.fault(Fault::on("GetCallerIdentity", kind).times(2));
        world.user(user, json!({})).await;
        world.key(user, user, json!({})).await;
        let key = world.available("RamAccessKey", user).await;
        world.ram.remove_fault(fault);
        let name = world.ram_name(user);
        assert_eq!(world.writes(), made(&name), "{user}");
        assert!(key["status"]["provedTime"].is_string() && key["status"]["intents"].is_null(), "{key}");
        assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(world.pair(user).await.0, true)]));
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// A user with a key whose first mint lost its answer; returns the stray's id and the published one.
async fn with_stray(world: &World) -> (String, String) {
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.ram.fault(Fault::on("CreateAccessKey", FaultKind::CutAfter).times(1));
    world.key("ingest", "reader", json!({})).await;
    let key = world.available("RamAccessKey", "ingest").await;
    let name = world.ram_name("reader");
    let mut wanted = made(&name);
    wanted.push(format!("CreateAccessKey {name}"));
    assert_eq!(world.writes(), wanted);
    assert_eq!(key["status"]["intents"].as_array().map(Vec::len), Some(1), "{key}");
    let (published, _) = world.pair("ingest").await;
    assert_eq!(key["status"]["accessKeyId"], json!(published));
    let keys = world.keys_in_ram(&name);
    assert!(keys.len() == 2 && keys.values().all(|active| *active), "{keys:?}");
    let stray = keys.into_keys().find(|id| *id != published).expect("a stray");
    (stray, published)
}

/// Has the RamUser look at its keys, and waits until it lists one with this owner.
async fn owned_by(world: &World, id: &str, owner: &str) {
    world.reconcile("RamUser", "reader").await;
    let api = world.dynamic("RamUser", Some(&world.ns));
    eventually(&format!("key {id} to be {owner}"), || async {
        let user = api.get("reader").await.map_err(|e| e.to_string())?;
        let keys = user.data["status"]["accessKeys"].as_array().cloned().unwrap_or_default();
        let found = keys.iter().any(|key| key["id"] == id && key["owner"] == owner);
        if found { Ok(()) } else { Err(user.data["status"].to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_answer_was_lost_is_disabled_and_later_deleted() {
    let world = World::new("stray").await;
    let operator = world.operator().await;
    let (stray, published) = with_stray(&world).await;
    owned_by(&world, &stray, "Undecided").await;
    let name = world.ram_name("reader");

    // While a late publisher may still come, nothing happens to it.
    world.clock.advance(Duration::from_mins(10));
    world.reconcile("RamAccessKey", "ingest").await;
    assert!(world.writes().is_empty());

    // Time passes in RAM only: looks are asked for.
    world.clock.advance(Duration::from_mins(15));
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(stray.clone(), false), (published.clone(), true)]));
    let key = world.available("RamAccessKey", "ingest").await;
    assert!(key["status"]["intents"].is_null(), "{key}");
    assert_eq!(key["status"]["retiring"][0]["id"], json!(stray));
    owned_by(&world, &stray, "RamAccessKey").await;
    eventually("the event", || async {
        let events = world.events("ingest").await;
        if events.iter().any(|reason| reason == "StrayFound") { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await;

    world.clock.advance(Duration::from_mins(170));
    world.reconcile("RamAccessKey", "ingest").await;
    assert!(world.writes().is_empty(), "its quiet time is three hours");
    world.clock.advance(Duration::from_mins(15));
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(published.clone(), true)]));
    let key = world.available("RamAccessKey", "ingest").await;
    assert!(key["status"]["intents"].is_null() && key["status"]["retiring"].is_null(), "{key}");
    assert_eq!(world.pair("ingest").await.0, published);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_that_somebody_uses_is_not_touched() {
    let world = World::new("suspect").await;
    let operator = world.operator().await;
    let (suspect, published) = with_stray(&world).await;
    world.clock.advance(Duration::from_mins(25));
    world.ram.person().use_key(&suspect);
    // Use of a key in RAM wakes nobody: a look is asked for.
    world.reconcile("RamAccessKey", "ingest").await;
    assert!(world.writes().is_empty());
    let key = world.available("RamAccessKey", "ingest").await;
    assert!(key["status"]["intents"].is_null() && key["status"]["retiring"].is_null(), "{key}");
    owned_by(&world, &suspect, "Foreign").await;
    owned_by(&world, &published, "RamAccessKey").await;
    world.clock.advance(Duration::from_hours(5));
    world.reconcile("RamAccessKey", "ingest").await;
    assert!(world.writes().is_empty());
    let name = world.ram_name("reader");
    assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(suspect, true), (published, true)]));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mint_that_made_nothing_is_forgotten_after_its_window() {
    let world = World::new("nothing_made").await;
    let operator = world.operator().await;
    for (user, kind) in [
        ("error", status(500, "InternalError")),
        ("down", down()),
        ("garbage", FaultKind::Garbage),
        ("before", FaultKind::CutBefore),
    ] {
        world.ram.fault(Fault::on("CreateAccessKey", kind).times(1));
        world.user(user, json!({})).await;
        world.key(user, user, json!({})).await;
        let key = world.available("RamAccessKey", user).await;
        let name = world.ram_name(user);
        assert_eq!(world.writes(), made(&name), "{user}");
        // Nobody knows yet that nothing was made.
        assert_eq!(key["status"]["intents"].as_array().map(Vec::len), Some(1), "{user}: {key}");
        world.clock.advance(Duration::from_mins(25));
        world.reconcile("RamAccessKey", user).await;
        let key = world.available("RamAccessKey", user).await;
        assert!(key["status"]["intents"].is_null(), "{user}: {key}");
        assert!(world.writes().is_empty());
        assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(world.pair(user).await.0, true)]));
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_mint_leaves_no_intent() {
    let world = World::new("throttled_mint").await;
    let operator = world.operator().await;
    world.ram.fault(Fault::on("CreateAccessKey", FaultKind::Throttle { retry_after: None }).times(2));
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    let key = world.available("RamAccessKey", "ingest").await;
    assert!(key["status"]["intents"].is_null(), "{key}");
    assert_eq!(world.writes(), made(&world.ram_name("reader")));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Waits until an object says that the operator lacks the right to `action`.
async fn denied(world: &World, kind: &str, name: &str, action: &str) {
    let right = format!("ram:{action}");
    eventually(&format!("{kind} {name} to name {right}"), || async {
        let object = world.ready(kind, name, "False", "AccessDenied").await;
        let text = message(&object).to_owned();
        let stalled = condition(&object, "Stalled").is_some();
        // A refusal proves that nothing was made.
        let open = !object["status"]["intents"].is_null();
        if text.contains(&right) && text.contains("Grant it") && !stalled && !open { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named() {
    let world = World::new("denied").await;
    let operator = world.operator().await;
    let (person, name) = (world.ram.person(), world.ram_name("reader"));
    for action in ["CreateUser", "AttachPolicyToUser", "CreateAccessKey"] {
        person.deny(action);
    }
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    denied(&world, "RamUser", "reader", "CreateUser").await;
    assert!(world.writes().is_empty());
    // RAM tells nobody that a right was granted: a look is asked for, here and below.
    person.allow("CreateUser");
    ask(&world, "RamUser", "reader").await;
    denied(&world, "RamUser", "reader", "AttachPolicyToUser").await;
    assert_eq!(world.writes(), [format!("CreateUser {name}")]);
    person.allow("AttachPolicyToUser");
    world.reconcile("RamUser", "reader").await;
    world.available("RamUser", "reader").await;
    denied(&world, "RamAccessKey", "ingest", "CreateAccessKey").await;
    assert!(world.keys_in_ram(&name).is_empty());
    assert_eq!(world.writes(), [format!("AttachPolicyToUser {name} {POLICY}")]);
    person.allow("CreateAccessKey");
    world.reconcile("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {name}")]);
    assert_eq!(world.keys_in_ram(&name).len(), 1);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_nice_to_know_may_be_denied() {
    let world = World::new("denied_ims").await;
    let person = world.ram.person();
    person.deny("GetDefaultDomain");
    person.deny("GetAccountSummary");
    let operator = world.operator().await;
    let account = world.available("RamAccount", &world.name).await;
    assert!(account["status"]["defaultDomain"].is_null() && account["status"]["usage"].is_null(), "{account}");
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let user = world.available("RamUser", "reader").await;
    assert!(user["status"]["userPrincipalName"].is_null());
    assert_eq!(world.writes(), made(&world.ram_name("reader")));
    // Who needs it waits, and says for what.
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    let login = json!({"initialPassword": {"source": "Generate", "secret": {"name": "first"}}});
    world.user("writer", json!({ "consoleLogin": login })).await;
    let user = world.ready("RamUser", "writer", "False", "DomainUnknown").await;
    assert!(message(&user).contains("ram:GetDefaultDomain"), "{}", message(&user));
    let template = json!({"secret": {"data": {"name": "$(userPrincipalName)"}}});
    world.key("named", "reader", template).await;
    let key = world.ready("RamAccessKey", "named", "False", "PrincipalNameUnknown").await;
    assert!(message(&key).contains("ram:GetDefaultDomain"), "{}", message(&key));
    let writer = world.ram_name("writer");
    assert_eq!(world.writes(), made(&writer)[..2]);
    person.allow("GetDefaultDomain");
    person.allow("GetAccountSummary");
    // RAM tells nobody that a right was granted: a look is asked for.
    world.reconcile("RamAccount", &world.name).await;
    let account = world.available("RamAccount", &world.name).await;
    let domain = format!("{}.onaliyun.com", world.ram.account_id());
    assert_eq!(account["status"]["defaultDomain"], json!(domain));
    let api = world.dynamic("RamUser", Some(&world.ns));
    eventually("the user to be told its domain", || async {
        let user = api.get("reader").await.map_err(|e| e.to_string())?;
        let principal = &user.data["status"]["userPrincipalName"];
        let wanted = json!(format!("{}@{domain}", world.ram_name("reader")));
        if *principal == wanted { Ok(()) } else { Err(principal.to_string()) }
    })
    .await;
    world.available("RamUser", "writer").await;
    world.available("RamAccessKey", "named").await;
    let mut writes = world.writes();
    writes.sort();
    let reader = world.ram_name("reader");
    assert_eq!(writes, [format!("CreateAccessKey {reader}"), format!("CreateLoginProfile {writer} Active")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_that_ram_does_not_know_yet_is_waited_for() {
    let world = World::new("new_key").await;
    world.ram.set_new_key_refused_for(Duration::from_secs(3));
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    let key = world.available("RamAccessKey", "ingest").await;
    assert!(key["status"]["provedTime"].is_string() && key["status"]["intents"].is_null(), "{key}");
    let name = world.ram_name("reader");
    assert_eq!(world.writes(), made(&name));
    assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(world.pair("ingest").await.0, true)]));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_lag_behind_lead_to_one_of_each() {
    let world = World::new("lag").await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    world.ram.set_read_lag(Duration::from_secs(2));
    for (user, key) in [("reader", "ingest"), ("writer", "export")] {
        world.user(user, json!({})).await;
        world.key(key, user, json!({})).await;
    }
    for (user, key) in [("reader", "ingest"), ("writer", "export")] {
        world.available("RamUser", user).await;
        world.available("RamAccessKey", key).await;
    }
    let writes = by_user(world.writes());
    for (user, key) in [("reader", "ingest"), ("writer", "export")] {
        let name = world.ram_name(user);
        assert_eq!(writes.get(&name), Some(&made(&name)));
        assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(world.pair(key).await.0, true)]));
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// A look by name that shows nothing yet and a look by id that shows the user a moment later are no sign of another owner.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_shows_between_two_looks_is_still_ours() {
    let world = World::new("between").await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    world.ram.set_read_lag(Duration::from_mins(10));
    let by_id = |call: &CallInfo| call.product == Some(Product::Ims) && call.action == "GetUser";
    let (hook, came, go) = hold_first(by_id, Phase::Before);
    world.ram.set_hook(Some(hook));
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    let held = tokio::time::timeout(Duration::from_secs(30), came.acquire()).await;
    held.expect("a look by id").expect("open").forget();
    world.ram.set_read_lag(Duration::ZERO);
    go.add_permits(1);
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    for object in ["reader", "ingest"] {
        let events = world.events(object).await;
        let usual = |reason: &String| ["UserNotReady", "Available", "Published"].contains(&&**reason);
        assert!(events.iter().all(usual), "{object}: {events:?}");
    }
    assert_eq!(world.writes(), made(&world.ram_name("reader")));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// The operator's clock is so many minutes ahead of RAM's, or behind it.
async fn skewed(name: &str, minutes: i64) {
    let ram = EmuClock::system();
    ram.set_skew(SignedDuration::from_mins(-minutes));
    let mut world = World::with(name, Options { clock: ram, ..Options::default() }).await;
    // From here on the corner's clock is the operator's alone.
    world.clock = EmuClock::system();
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), made(&world.ram_name("reader")));
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rams_time_is_learnt_when_the_operators_clock_is_ahead() {
    skewed("ahead", 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rams_time_is_learnt_when_the_operators_clock_is_behind() {
    skewed("behind", -20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_waits_for_ram() {
    let world = World::new("down_delete").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    world.available("RamUser", "reader").await;
    let name = world.ram_name("reader");
    let (id, _) = world.pair("ingest").await;
    world.writes();
    world.ram.fault(Fault::everywhere(down()));
    world.delete("RamAccessKey", "ingest").await;
    world.delete("RamUser", "reader").await;
    for (kind, object) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        let waiting = world.ready(kind, object, "False", "RamUnavailable").await;
        assert!(message(&waiting).contains("see the network, the endpoints"), "{}", message(&waiting));
        let stored = world.dynamic(kind, Some(&world.ns)).get(object).await.expect("still there");
        assert_eq!(stored.metadata.finalizers.unwrap_or_default(), ["ram-operator.dev/revoke"]);
    }
    assert!(world.writes().is_empty());
    assert_eq!(world.keys_in_ram(&name), BTreeMap::from([(id, true)]));
    world.ram.clear_faults();
    // It would come by itself within minutes; a look is asked for to save the time.
    ask(&world, "RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    let users = world.dynamic("RamUser", Some(&world.ns));
    if users.get_opt("reader").await.expect("an answer").is_some() {
        // It may go in this moment: whether the annotation still finds it does not matter.
        let patch = json!({"metadata": {"annotations": {(annotation::RECONCILE): "now"}}});
        let _ = users.patch("reader", &PatchParams::default(), &Patch::Merge(patch)).await;
    }
    world.gone("RamUser", "reader").await;
    let mut writes = world.writes();
    // User and key may both disarm the key; RAM takes that twice for once.
    writes.dedup();
    assert_eq!(
        writes,
        [
            "UpdateAccessKey #1 Inactive".to_owned(),
            "DeleteAccessKey #1".to_owned(),
            format!("DetachPolicyFromUser {name} {POLICY}"),
            format!("DeleteUser {name}"),
        ]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_operator_says_so_on_what_it_looks_at() {
    let world = World::new("refused").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.ram.person().disable_caller_key();
    // Only the user is looked at, so that it meets the refusal itself.
    ask(&world, "RamUser", "reader").await;
    let user = world.ready("RamUser", "reader", "False", "CredentialsInvalid").await;
    assert!(message(&user).contains("InvalidAccessKeyId.Inactive"), "{}", message(&user));
    assert!(message(&user).contains("Put a working AccessKey pair"));
    world.ram.person().enable_caller_key();
    // RAM tells nobody that the key works again: a look is asked for.
    world.reconcile("RamUser", "reader").await;
    world.available("RamUser", "reader").await;
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_takes_ready_from_nobody() {
    let world = World::new("outage").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.ram.fault(Fault::everywhere(down()));
    ask(&world, "RamUser", "reader").await;
    let name = world.ram_name("reader");
    let api = world.dynamic("RamUser", Some(&world.ns));
    // Four passes of three attempts each fail, and at no time it is not ready.
    eventually("several passes to fail", || async {
        let user = api.get("reader").await.expect("the user");
        let ready = condition(&user.data, "Ready").expect("Ready").clone();
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("Available")));
        let journal = world.ram.journal();
        let failed = journal.iter().filter(|call| call.status == 503 && call.params.get("UserName") == Some(&name));
        let failed = failed.count();
        if failed > 12 { Ok(()) } else { Err(format!("{failed} calls")) }
    })
    .await;
    world.user("newcomer", json!({})).await;
    let waiting = world.ready("RamUser", "newcomer", "False", "RamUnavailable").await;
    assert!(message(&waiting).contains("ServiceUnavailable"), "{}", message(&waiting));
    assert!(condition(&waiting, "Stalled").is_none());
    world.available("RamUser", "reader").await;
    assert!(world.writes().is_empty());
    world.ram.clear_faults();
    // It would come by itself within minutes; a look is asked for to save the time.
    ask(&world, "RamUser", "newcomer").await;
    world.available("RamUser", "newcomer").await;
    world.reconcile("RamUser", "reader").await;
    world.available("RamUser", "reader").await;
    let newcomer = world.ram_name("newcomer");
    assert_eq!(world.writes(), [format!("CreateUser {newcomer}"), format!("AttachPolicyToUser {newcomer} {POLICY}")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_is_refused_for_a_minute_is_published_unproven_and_nothing_retires_meanwhile() {
    let world = World::new("unproven").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let (old, _) = world.pair("ingest").await;
    world.writes();
    let refused = world.ram.fault(Fault::on("GetCallerIdentity", status(404, "InvalidAccessKeyId.NotFound")));
    world.annotate("RamAccessKey", "ingest", annotation::ROTATE, "1").await;
    world.ready("RamAccessKey", "ingest", "False", "Unproven").await;
    let (new, _) = world.pair("ingest").await;
    assert_ne!(new, old, "its secret exists nowhere else, so it is published");
    // The overlap is over and nobody used the old one: still it stays while the new one is not proved.
    world.clock.advance(Duration::from_hours(30));
    ask(&world, "RamAccessKey", "ingest").await;
    eventually("another proof to be asked for", || async {
        let proofs = world.ram.journal().iter().filter(|call| call.action == "GetCallerIdentity").count();
        if proofs > 5 { Ok(()) } else { Err(format!("{proofs}")) }
    })
    .await;
    let user = world.ram_name("reader");
    assert_eq!(world.keys_in_ram(&user), [(old.clone(), true), (new.clone(), true)].into());
    world.ram.remove_fault(refused);
    ask(&world, "RamAccessKey", "ingest").await;
    let key = world.available("RamAccessKey", "ingest").await;
    assert_eq!(key["status"]["requests"]["rotate"]["done"], "1");
    eventually("the old key to retire", || async {
        ask(&world, "RamAccessKey", "ingest").await;
        let keys = world.keys_in_ram(&user);
        if keys == [(old.clone(), false), (new.clone(), true)].into() { Ok(()) } else { Err(format!("{keys:?}")) }
    })
    .await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ram_answers_is_told_as_a_reason_and_heals() {
    let world = World::new("answers").await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "consoleLogin": "Allow"})).await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    let device = json!({"virtualMfa": {"secret": {"name": "seed"}}});
    for (user, action, kind, spec, reason) in [
        ("coded", "BindMFADevice", status(403, "CheckAuthenticationCodeFail"), device, "MfaCodesRefused"),
        ("skewed", "GetUser", status(400, "InvalidTimeStamp.Expired"), json!({}), "ClockSkew"),
        ("throttled", "GetUser", FaultKind::Throttle { retry_after: None }, json!({}), "Throttled"),
    ] {
        let fault = world.ram.fault(Fault::on(action, kind).user(world.ram_name(user)));
        world.user(user, spec).await;
        let object = world.ready("RamUser", user, "False", reason).await;
        assert!(condition(&object, "Stalled").is_none(), "{object}");
        world.ram.remove_fault(fault);
        // It would come by itself within minutes; a look is asked for to save the time.
        ask(&world, "RamUser", user).await;
        world.available("RamUser", user).await;
    }
    world.delete("RamUser", "coded").await;
    world.gone("RamUser", "coded").await;
    let told = world.events("coded").await;
    for reason in ["MfaIssued", "MfaBound", "MfaUnbound", "Removed"] {
        assert!(told.iter().any(|event| event == reason), "{reason}: {told:?}");
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
