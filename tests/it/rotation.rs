//! Rotation and retirement: every stage on the real API server, with the exact writes that RAM sees.
//!
//! Time passes for RAM and the operator alike, but timers run in real time: looks are asked for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Patch, PatchParams};
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::support::operator::Running;
use crate::support::ram::{Fault, FaultKind, NeverForm, Options};
use crate::world::{World, condition, eventually, shared};

/// What the usual tenant grants.
pub fn usual_tenant() -> Value {
    json!({"attach": {"system": ["AliyunOTS*"], "custom": ["shared-*"]}})
}

pub fn hours(n: u64) -> Duration {
    Duration::from_hours(n)
}

pub fn days(n: u64) -> Duration {
    hours(24 * n)
}

/// A time as a status holds it.
pub fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("no time: {value}")).parse().expect("RFC 3339")
}

/// The day on which RAM reports a use.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

pub fn no_writes(world: &World) {
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// The line of a mint for `reader`.
pub fn create(world: &World) -> String {
    format!("CreateAccessKey {}", world.ram_name("reader"))
}

pub async fn stored(world: &World, kind: &str, name: &str) -> Value {
    world.dynamic(kind, Some(&world.ns)).get(name).await.expect("stored").data
}

/// The RamAccessKey after a look that is asked for.
pub async fn looked(world: &World, name: &str) -> Value {
    world.reconcile("RamAccessKey", name).await;
    stored(world, "RamAccessKey", name).await
}

/// A condition is true for this reason, and its message names all of `words`.
pub fn assert_true(object: &Value, type_: &str, reason: &str, words: &[&str]) {
    let found = condition(object, type_).unwrap_or_else(|| panic!("no {type_}: {}", object["status"]));
    assert_eq!((&found["status"], &found["reason"]), (&json!("True"), &json!(reason)), "{found}");
    assert_says(object, type_, words);
}

pub fn assert_says(object: &Value, type_: &str, words: &[&str]) {
    let message = condition(object, type_).and_then(|found| found["message"].as_str()).unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
}

pub fn assert_well(object: &Value) {
    assert_true(object, "Ready", "Available", &[]);
}

/// Nothing is in the way of a rotation, or of what else this condition speaks of.
pub fn assert_without(object: &Value, type_: &str) {
    assert!(condition(object, type_).is_none(), "{}", object["status"]["conditions"]);
}

/// Looks until a condition is gone: a right that was just given takes a moment, and what a pass notes on its way keeps the
/// conditions of the one before.
pub async fn until_without(world: &World, type_: &str) {
    eventually(&format!("{type_} to go"), || async {
        let object = looked(world, "ingest").await;
        condition(&object, type_).map_or(Ok(()), |found| Err(found.to_string()))
    })
    .await;
}

/// Users and keys as asked for, ready, and the writes so far forgotten; the id of the published key.
pub async fn made_for(world: &World, user: Value, key: Value) -> String {
    world.user("reader", user).await;
    world.key("ingest", "reader", key).await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    world.writes();
    world.pair("ingest").await.0
}

pub async fn made(world: &World, key: Value) -> String {
    made_for(world, json!({}), key).await
}

/// Asks for something by annotation.
pub async fn ask(world: &World, request: &str, value: &str) {
    world.annotate("RamAccessKey", "ingest", &format!("ram-operator.dev/{request}"), value).await;
}

/// Takes the annotation of a request off.
pub async fn take_off(world: &World, request: &str) {
    let key = format!("ram-operator.dev/{request}");
    let patch = json!({"metadata": {"annotations": {key: null}}});
    let api = world.dynamic("RamAccessKey", Some(&world.ns));
    api.patch("ingest", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
}

/// Waits until a request is done.
pub async fn done(world: &World, request: &str, value: &str) -> Value {
    let api = world.dynamic("RamAccessKey", Some(&world.ns));
    eventually(&format!("{request} {value} to be done"), || async {
        let object = api.get("ingest").await.map_err(|e| e.to_string())?;
        let done = &object.data["status"]["requests"][request]["done"];
        if *done == json!(value) { Ok(object.data.clone()) } else { Err(object.data["status"].to_string()) }
    })
    .await
}

/// The published key, which is in use in RAM: who has the Secret can work.
pub async fn works(world: &World) -> String {
    let (id, _) = world.pair("ingest").await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")).get(&id), Some(&true), "{id} is published and works");
    id
}

/// Waits for another published key; returns its id.
pub async fn published_after(world: &World, old: &str) -> String {
    eventually("another published key", || async {
        let key = world.keys().get("ingest").await.map_err(|e| e.to_string())?;
        let there = world.secrets().get_opt("ingest").await.is_ok_and(|secret| secret.is_some());
        match key.status.unwrap_or_default().access_key_id {
            Some(id) if id != old && there => Ok(id),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

/// A key that was rotated on request ten days after it was made: the first one is in its overlap, unused since it was proved.
/// Returns both ids.
pub async fn rotated(world: &World, key: Value) -> (String, String) {
    let first = made(world, key).await;
    world.clock.advance(days(10));
    ask(world, "rotate", "before").await;
    done(world, "rotate", "before").await;
    assert_eq!(world.writes(), [create(world)]);
    let second = works(world).await;
    assert_ne!(first, second);
    (first, second)
}

/// Moves the clock to a time to come.
fn until(world: &World, moment: Timestamp) {
    let wait = moment.duration_since(world.clock.now());
    world.clock.advance(Duration::try_from(wait).expect("a time to come"));
}

/// The status is gone, as after a restore that left it behind.
pub async fn lose_status(world: &World) {
    let api = world.dynamic("RamAccessKey", Some(&world.ns));
    let patch = json!({"status": null});
    api.patch_status("ingest", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
}

// By interval.

/// It is ready, and was all the time.
fn assert_well_since(object: &Value, since: &Value) {
    assert_well(object);
    assert_eq!(&condition(object, "Ready").expect("Ready")["lastTransitionTime"], since, "{}", object["status"]);
}

/// A new process in the place of one that was killed changes nothing.
async fn again(world: &World, operator: Running, restarts: bool, since: &Value) -> Running {
    if !restarts {
        return operator;
    }
    operator.kill();
    let operator = world.operator().await;
    assert_well_since(&looked(world, "ingest").await, since);
    no_writes(world);
    works(world).await;
    operator
}

async fn stages(test: &str, restarts: bool) {
    let world = World::new(test).await;
    let name = world.ram_name("reader");
    let mut operator = world.operator().await;
    let first = made(&world, json!({"rotation": {"interval": "30d"}})).await;
    let object = stored(&world, "RamAccessKey", "ingest").await;
    let since = condition(&object, "Ready").expect("Ready")["lastTransitionTime"].clone();
    let due = time(&object["status"]["nextRotationTime"]);
    let age = due.duration_since(time(&object["status"]["createTime"]));
    // Spread by up to a tenth.
    assert!(age > SignedDuration::from_hours(27 * 24 - 1) && age <= SignedDuration::from_hours(30 * 24), "{age:?}");

    until(&world, due - Duration::from_mins(10));
    assert_well_since(&looked(&world, "ingest").await, &since);
    no_writes(&world);
    operator = again(&world, operator, restarts, &since).await;

    // Due: mint and publish.
    world.clock.advance(Duration::from_mins(20));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), [create(&world)]);
    assert_well_since(&object, &since);
    let second = works(&world).await;
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (second.clone(), true)].into());
    let status = &object["status"];
    assert_eq!(status["accessKeyId"], json!(second));
    assert!(status["intents"].is_null() && time(&status["nextRotationTime"]) > due, "{status}");
    let retiring = &status["retiring"];
    assert_eq!(retiring.as_array().map(Vec::len), Some(1), "{retiring}");
    assert_eq!((&retiring[0]["id"], &retiring[0]["why"]), (&json!(first), &json!("Replaced")));
    assert_eq!(time(&retiring[0]["nextTime"]), time(&retiring[0]["time"]) + days(1));
    assert!(retiring[0]["disabledTime"].is_null() && retiring[0]["lastUsed"].is_null(), "{retiring}");
    operator = again(&world, operator, restarts, &since).await;

    // Overlap: both work.
    world.clock.advance(hours(23));
    assert_well_since(&looked(&world, "ingest").await, &since);
    no_writes(&world);
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (second.clone(), true)].into());
    operator = again(&world, operator, restarts, &since).await;

    // Its end: nobody used the old one for a long time.
    let used = world.clock.now() - days(20);
    world.ram.person().set_last_used(&first, Some(used));
    world.clock.advance(hours(2));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_well_since(&object, &since);
    assert_eq!(works(&world).await, second);
    let retiring = &object["status"]["retiring"][0];
    assert_eq!(retiring["lastUsed"], json!(day(used)), "{retiring}");
    assert_eq!(time(&retiring["nextTime"]), time(&retiring["disabledTime"]) + days(3));
    operator = again(&world, operator, restarts, &since).await;

    // Quarantine.
    world.clock.advance(hours(71));
    assert_well_since(&looked(&world, "ingest").await, &since);
    no_writes(&world);
    operator = again(&world, operator, restarts, &since).await;
    world.clock.advance(hours(2));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_well_since(&object, &since);
    assert!(object["status"]["retiring"].is_null(), "{}", object["status"]);
    assert_eq!(world.keys_in_ram(&name), [(second.clone(), true)].into());
    operator = again(&world, operator, restarts, &since).await;

    // And on.
    until(&world, time(&object["status"]["nextRotationTime"]) + Duration::from_mins(1));
    assert_well_since(&looked(&world, "ingest").await, &since);
    assert_eq!(world.writes(), [create(&world)]);
    assert_ne!(works(&world).await, second);
    assert_eq!(world.keys_in_ram(&name).get(&second), Some(&true));
    let events = world.events("ingest").await;
    for reason in ["Published", "KeyDisabled", "KeyDeleted"] {
        assert!(events.iter().any(|event| event == reason), "{reason}: {events:?}");
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_by_interval_goes_through_its_stages() {
    stages("stages", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_in_any_stage_changes_nothing() {
    stages("stages_killed", true).await;
}

// On request.

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_can_be_asked_for_and_waited_for() {
    let world = World::new("asked").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let object = stored(&world, "RamAccessKey", "ingest").await;
    assert!(object["status"]["nextRotationTime"].is_null(), "without an interval nothing is due");
    world.clock.advance(days(10));
    ask(&world, "rotate", "v1").await;
    let mut wait = shared().await.cluster.kubectl();
    wait.args(["wait", "ramaccesskey/ingest", "--timeout=100s", "--for=jsonpath={.status.requests.rotate.done}=v1"])
        .arg(format!("--namespace={}", world.ns));
    let output = tokio::task::spawn_blocking(move || wait.output()).await.expect("no panic").expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(world.writes(), [create(&world)]);
    let object = stored(&world, "RamAccessKey", "ingest").await;
    let request = json!({"accepted": "v1", "done": "v1", "accessKeyId": first});
    assert_eq!(object["status"]["requests"]["rotate"], request);
    assert_well(&object);
    let second = works(&world).await;

    // Gone, and there again: nobody asks for anything new.
    take_off(&world, "rotate").await;
    assert_eq!(looked(&world, "ingest").await["status"]["requests"]["rotate"], request);
    ask(&world, "rotate", "v1").await;
    assert_eq!(looked(&world, "ingest").await["status"]["requests"]["rotate"], request);
    no_writes(&world);

    // A new value waits for the slot of the old key, and says so.
    ask(&world, "rotate", "v2").await;
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "NoFreeSlot", &[&first, "on its way out"]);
    let mut get = shared().await.cluster.kubectl();
    get.args(["get", "ramak", "ingest"]).arg(format!("--namespace={}", world.ns));
    let output = tokio::task::spawn_blocking(move || get.output()).await.expect("no panic").expect("kubectl runs");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let retires = object["status"]["retiring"][0]["nextTime"].as_str().expect("a time");
    for part in ["NEXT ROTATION", "RETIRES", "USED BY", "AGE", first.as_str(), second.as_str(), "NoFreeSlot", retires] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    let request = json!({"accepted": "v2", "done": "v1", "accessKeyId": second});
    assert_eq!(object["status"]["requests"]["rotate"], request);
    no_writes(&world);
    world.clock.advance(hours(25));
    assert_well(&looked(&world, "ingest").await);
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(73));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1".to_owned(), create(&world)]);
    assert_eq!(object["status"]["requests"]["rotate"]["done"], "v2");
    assert_well(&object);
    assert_without(&object, "RotationBlocked");
    assert_ne!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_at_creation_is_noted_and_not_acted_on() {
    let world = World::new("asked_before").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    let mut object = world.key_object("ingest", "reader", json!({}));
    object["metadata"]["annotations"] =
        json!({annotation::ROTATE: "long ago", annotation::RESTORE: "LTAI5tOfAnotherLife000001"});
    world.apply(object).await;
    let object = world.available("RamAccessKey", "ingest").await;
    let requests = &object["status"]["requests"];
    assert_eq!(requests["rotate"], json!({"accepted": "long ago", "done": "long ago"}));
    assert_eq!(requests["restore"]["done"], "LTAI5tOfAnotherLife000001");
    assert_without(&object, "RestoreRefused");
    let mints = world.writes().into_iter().filter(|write| *write == create(&world)).count();
    assert_eq!(mints, 1);
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_without(&object, "RestoreRefused");
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_answer_is_lost_disturbs_nobody() {
    let world = World::new("rotate_lost").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    world.ram.fault(Fault::on("CreateAccessKey", FaultKind::CutAfter).times(1));
    ask(&world, "rotate", "now").await;
    // One attempt at a time: the pair in use works, so that nothing is in a hurry.
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "AwaitingWindow", &["Wait"]);
    assert_eq!(works(&world).await, first);
    assert_eq!(world.writes(), [create(&world)]);
    world.clock.advance(Duration::from_mins(25));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #2 Inactive"]);
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "NoFreeSlot", &["on its way out"]);
    world.clock.advance(Duration::from_mins(190));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #2".to_owned(), create(&world)]);
    assert_eq!(object["status"]["requests"]["rotate"]["done"], "now");
    assert_well(&object);
    assert_ne!(works(&world).await, first);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// The old key.

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_in_use_is_waited_for() {
    let world = World::new("still_used").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    world.clock.advance(hours(25));
    let used = world.clock.now() - hours(1);
    world.ram.person().set_last_used(&first, Some(used));
    let object = looked(&world, "ingest").await;
    no_writes(&world);
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "StillUsed", &[&first, &day(used), "Ots", "maxOverlap"]);
    let retiring = &object["status"]["retiring"][0];
    assert_eq!((&retiring["lastUsed"], &retiring["usedBy"]), (&json!(day(used)), &json!("Ots")), "{retiring}");

    world.clock.advance(hours(20));
    world.ram.person().use_key(&first);
    assert_true(&looked(&world, "ingest").await, "RotationBlocked", "StillUsed", &[&first]);
    // Not used for the overlap, but its reports lag.
    world.clock.advance(hours(26));
    assert_true(&looked(&world, "ingest").await, "RotationBlocked", "StillUsed", &[&first]);
    no_writes(&world);
    world.clock.advance(hours(2));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_without(&object, "RotationBlocked");
    assert_well(&object);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_overlap_ends_the_wait() {
    let world = World::new("max_overlap").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({"rotation": {"overlap": "3h", "maxOverlap": "6h"}})).await;
    world.clock.advance(hours(4));
    world.ram.person().use_key(&first);
    assert_true(&looked(&world, "ingest").await, "RotationBlocked", "StillUsed", &[&first]);
    world.clock.advance(Duration::from_mins(110));
    world.ram.person().use_key(&first);
    assert_true(&looked(&world, "ingest").await, "RotationBlocked", "StillUsed", &[&first]);
    no_writes(&world);
    world.clock.advance(Duration::from_mins(20));
    world.ram.person().use_key(&first);
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_without(&object, "RotationBlocked");
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_record_of_use_the_overlap_alone_decides_and_says_so() {
    for (test, form) in
        [("never_absent", NeverForm::Absent), ("never_empty", NeverForm::Empty), ("never_dash", NeverForm::Dash)]
    {
        let world = World::with(test, Options { last_used_never: form, ..Options::default() }).await;
        let operator = world.operator().await;
        let (first, second) = rotated(&world, json!({})).await;
        world.ram.person().set_last_used(&first, None);
        world.clock.advance(hours(25));
        let object = looked(&world, "ingest").await;
        assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"], "{form:?}");
        assert_well(&object);
        assert_true(&object, "UseUnknown", "NoUseRecord", &[&first, "Restore it"]);
        assert_eq!(object["status"]["retiring"][0]["lastUsed"], "Never");
        world.clock.advance(hours(73));
        let object = looked(&world, "ingest").await;
        assert_eq!(world.writes(), ["DeleteAccessKey #1"], "{form:?}");
        assert_without(&object, "UseUnknown");
        assert_eq!(works(&world).await, second);
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_key_can_be_restored() {
    let world = World::new("restore").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let (first, second) = rotated(&world, json!({})).await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(50));

    let asked = world.clock.now() - Duration::from_secs(2);
    ask(&world, "restore", &first).await;
    let object = done(&world, "restore", &first).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active"]);
    assert_eq!(works(&world).await, second, "the pair is the new one still");
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (second.clone(), true)].into());
    let retiring = &object["status"]["retiring"][0];
    assert!(retiring["disabledTime"].is_null() && time(&retiring["time"]) > asked, "{retiring}");
    assert_eq!(time(&retiring["nextTime"]), time(&retiring["time"]) + days(1), "its overlap begins anew");

    take_off(&world, "restore").await;
    looked(&world, "ingest").await;
    ask(&world, "restore", &first).await;
    world.clock.advance(hours(23));
    assert_well(&looked(&world, "ingest").await);
    no_writes(&world);
    world.clock.advance(hours(2));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_without(&object, "RestoreRefused");

    // Once more: whatever follows a slash makes it a new request.
    let value = format!("{first}/again");
    ask(&world, "restore", &value).await;
    done(&world, "restore", &value).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active"]);
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(73));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);

    // Too late.
    ask(&world, "restore", &format!("{first}/late")).await;
    let object = looked(&world, "ingest").await;
    assert_true(&object, "RestoreRefused", "NotDisabled", &[&second]);
    assert_well(&object);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_is_refused_for_anything_but_a_disabled_key_of_ours() {
    let world = World::new("restore_refused").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let foreign = world.ram.person().create_key(&world.ram_name("reader")).0;
    world.ram.person().set_key_status(&foreign, false);
    for value in ["LTAI5tNobodyHasIt00000001", first.as_str(), foreign.as_str(), "anything at all"] {
        ask(&world, "restore", value).await;
        let object = looked(&world, "ingest").await;
        assert_true(&object, "RestoreRefused", "NotDisabled", &[&first, "Correct or remove it"]);
        assert_well(&object);
        assert_eq!(object["status"]["requests"]["restore"], json!({"refused": value}));
        no_writes(&world);
    }
    // What was refused is no order for later: somebody disables the key for a reason.
    let later = format!("{first}/later");
    ask(&world, "restore", &later).await;
    looked(&world, "ingest").await;
    world.ram.person().set_key_status(&first, false);
    looked(&world, "ingest").await;
    no_writes(&world);
    world.ram.person().set_key_status(&first, true);
    looked(&world, "ingest").await;
    let name = world.ram_name("reader");
    assert_eq!(world.keys_in_ram(&name), [(first, true), (foreign, false)].into());
    take_off(&world, "restore").await;
    assert_without(&looked(&world, "ingest").await, "RestoreRefused");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_leaves_the_recycle_bin_only_when_asked_for() {
    let world = World::new("bin").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    world.clock.advance(hours(73));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    assert_eq!(world.ram.person().in_recycle_bin(), std::slice::from_ref(&first));

    world.key("ingest", "reader", json!({"rotation": {"purgeFromRecycleBin": true}})).await;
    world.available("RamAccessKey", "ingest").await;
    no_writes(&world);
    world.clock.advance(days(10));
    ask(&world, "rotate", "with purge").await;
    done(&world, "rotate", "with purge").await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), [create(&world), "UpdateAccessKey #2 Inactive".to_owned()]);
    world.clock.advance(hours(73));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #2", "DeleteAccessKeyInRecycleBin #2"]);
    assert!(object["status"]["retiring"].is_null(), "{}", object["status"]);
    assert!(!world.ram.person().in_recycle_bin().contains(&second));
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #3 Inactive", "DeleteAccessKey #3", "DeleteAccessKeyInRecycleBin #3"]);
    assert_eq!(world.ram.person().in_recycle_bin(), [first], "what went before is nobody's business");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_recycle_bin_nothing_is_purged_and_nothing_waits() {
    let world = World::with("no_bin", Options { recycle_bin: false, ..Options::default() }).await;
    let operator = world.operator().await;
    rotated(&world, json!({"rotation": {"purgeFromRecycleBin": true}})).await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    world.clock.advance(hours(73));
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    assert_well(&object);
    assert!(object["status"]["retiring"].is_null(), "{}", object["status"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// The second slot.

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_in_the_second_slot_blocks_rotation_and_nothing_else() {
    let world = World::new("slot_foreign").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let name = world.ram_name("reader");
    let foreign = world.ram.person().create_key(&name).0;
    ask(&world, "rotate", "now").await;
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "NoFreeSlot", &[&format!("{foreign} (foreign)"), "delete it in RAM"]);
    assert_eq!(object["status"]["requests"]["rotate"]["accepted"], "now");
    assert!(object["status"]["requests"]["rotate"]["done"].is_null());
    no_writes(&world);
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (foreign.clone(), true)].into());
    // Once it is older than the tenant lets it be, it is not ready either.
    world.clock.advance(days(11));
    let mut tenant = usual_tenant();
    tenant["accessKeys"] = json!({"maxAge": "10d"});
    world.tenant(tenant).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "TooOld").await;
    assert_true(&object, "RotationBlocked", "NoFreeSlot", &[&foreign]);
    no_writes(&world);
    world.ram.person().delete_key(&foreign);
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), [create(&world)]);
    assert_eq!(object["status"]["requests"]["rotate"]["done"], "now");
    assert_without(&object, "RotationBlocked");
    assert_ne!(works(&world).await, first);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_siblings_key_in_the_second_slot_blocks_rotation_and_nothing_else() {
    let world = World::new("slot_sibling").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    world.key("other", "reader", json!({})).await;
    world.available("RamAccessKey", "other").await;
    assert_eq!(world.writes(), [create(&world)]);
    let (others, _) = world.pair("other").await;
    // On request, and because it is old.
    ask(&world, "rotate", "now").await;
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "NoFreeSlot", &[&format!("{others} (of RamAccessKey other)")]);
    world.key("ingest", "reader", json!({"rotation": {"interval": "30d"}})).await;
    world.clock.advance(days(31));
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "RotationBlocked", "NoFreeSlot", &["RamAccessKey other"]);
    no_writes(&world);
    assert_eq!(works(&world).await, first);
    world.delete("RamAccessKey", "other").await;
    world.gone("RamAccessKey", "other").await;
    let object = looked(&world, "ingest").await;
    assert_eq!(
        world.writes(),
        ["UpdateAccessKey #2 Inactive".to_owned(), "DeleteAccessKey #2".to_owned(), create(&world)]
    );
    assert_eq!(object["status"]["requests"]["rotate"]["done"], "now");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_by_interval_needs_both_slots() {
    let world = World::new("both_slots").await;
    let operator = world.operator().await;
    let interval = json!({"rotation": {"interval": "30d"}});
    world.user("reader", json!({})).await;
    world.user("writer", json!({})).await;
    // Whichever of the two has the interval: the one that is there keeps the user to itself.
    for (user, first, second) in [("reader", interval.clone(), json!({})), ("writer", json!({}), interval)] {
        let (one, two) = (format!("{user}-one"), format!("{user}-two"));
        world.key(&one, user, first).await;
        world.available("RamUser", user).await;
        world.available("RamAccessKey", &one).await;
        world.writes();
        world.key(&two, user, second).await;
        let object = world.ready("RamAccessKey", &two, "False", "NoSlotForRotation").await;
        assert_true(&object, "Stalled", "NoSlotForRotation", &[&one, "a RamUser of its own"]);
        no_writes(&world);
        assert_well(&looked(&world, &one).await);
        world.delete("RamAccessKey", &one).await;
        world.gone("RamAccessKey", &one).await;
        let object = looked(&world, &two).await;
        assert_well(&object);
        assert_without(&object, "Stalled");
        let writes = world.writes();
        assert_eq!(writes.len(), 3, "{writes:?}");
        assert_eq!(writes[2], format!("CreateAccessKey {}", world.ram_name(user)), "{writes:?}");
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Who may say no, and who may insist.

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_old_pairs_replaced_unasked() {
    let world = World::new("max_age").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    world.clock.advance(days(11));
    assert!(looked(&world, "ingest").await["status"]["nextRotationTime"].is_null());
    no_writes(&world);
    // The tenant begins to care: a change of the tenant is noticed.
    let mut tenant = usual_tenant();
    tenant["accessKeys"] = json!({"maxAge": "10d"});
    world.tenant(tenant).await;
    let second = published_after(&world, &first).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [create(&world)]);
    let age = time(&object["status"]["nextRotationTime"]).duration_since(time(&object["status"]["createTime"]));
    assert!(age >= SignedDuration::from_hours(9 * 24 - 1) && age <= SignedDuration::from_hours(10 * 24), "{age:?}");
    // An interval of its own counts only if it is shorter.
    world.key("ingest", "reader", json!({"rotation": {"interval": "90d"}})).await;
    let bound = object["status"]["nextRotationTime"].clone();
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(looked(&world, "ingest").await["status"]["nextRotationTime"], bound);
    world.key("ingest", "reader", json!({"rotation": {"interval": "5d"}})).await;
    world.available("RamAccessKey", "ingest").await;
    assert!(time(&looked(&world, "ingest").await["status"]["nextRotationTime"]) < time(&bound));
    no_writes(&world);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_key_is_not_rotated_but_retired() {
    let world = World::new("rotate_paused").await;
    let operator = world.operator().await;
    let first = made(&world, json!({"rotation": {"interval": "30d"}})).await;
    ask(&world, "paused", "true").await;
    world.clock.advance(days(31));
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "Paused", "Paused", &[]);
    assert_true(&object, "RotationBlocked", "Paused", &["ram-operator.dev/paused"]);
    no_writes(&world);
    take_off(&world, "paused").await;
    let second = published_after(&world, &first).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [create(&world)]);
    assert_without(&object, "RotationBlocked");
    // What takes away is not paused.
    ask(&world, "paused", "true").await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(73));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_waits_while_the_key_is_paused() {
    let world = World::new("restore_paused").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    ask(&world, "paused", "true").await;
    ask(&world, "restore", &first).await;
    let object = looked(&world, "ingest").await;
    assert_true(&object, "RestoreRefused", "Paused", &["ram-operator.dev/paused"]);
    assert_well(&object);
    no_writes(&world);
    take_off(&world, "paused").await;
    done(&world, "restore", &first).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active"]);
    until_without(&world, "RestoreRefused").await;
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_tenant_is_not_rotated_but_retired() {
    let world = World::new("rotate_tenant").await;
    let operator = world.operator().await;
    let first = made(&world, json!({"rotation": {"interval": "30d"}})).await;
    world.delete("RamTenant", &world.name).await;
    world.gone("RamTenant", &world.name).await;
    world.ready("RamAccessKey", "ingest", "False", "NotATenant").await;
    world.clock.advance(days(31));
    let object = looked(&world, "ingest").await;
    assert_true(&object, "RotationBlocked", "NotATenant", &["RamTenant"]);
    no_writes(&world);
    assert_eq!(works(&world).await, first);
    world.tenant(usual_tenant()).await;
    let second = published_after(&world, &first).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_without(&object, "RotationBlocked");
    assert_eq!(world.writes(), [create(&world)]);
    // What takes away needs no tenant.
    world.delete("RamTenant", &world.name).await;
    world.gone("RamTenant", &world.name).await;
    world.ready("RamAccessKey", "ingest", "False", "NotATenant").await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(73));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Accidents on the way.

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_lost_in_the_overlap_takes_the_slot_of_the_unused_old_key() {
    let world = World::new("lost_overlap").await;
    let operator = world.operator().await;
    let (_, second) = rotated(&world, json!({})).await;
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    let third = published_after(&world, &second).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(
        world.writes(),
        ["UpdateAccessKey #1 Inactive".to_owned(), "DeleteAccessKey #1".to_owned(), create(&world)]
    );
    // Who still has the second pair works on.
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(second.clone(), true), (third, true)].into());
    assert_eq!(object["status"]["retiring"][0]["id"], json!(second));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_lost_in_the_overlap_waits_for_an_old_key_in_use() {
    let world = World::new("lost_used").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let (first, second) = rotated(&world, json!({})).await;
    world.ram.person().use_key(&first);
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    let object = world.ready("RamAccessKey", "ingest", "False", "NoFreeSlot").await;
    assert_says(&object, "Ready", &[&first, &second]);
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (second.clone(), true)].into());
    no_writes(&world);
    // Neither shows a use for the overlap and the lag: the old one goes first.
    world.clock.advance(hours(28));
    let object = looked(&world, "ingest").await;
    assert_eq!(
        world.writes(),
        ["UpdateAccessKey #1 Inactive".to_owned(), "DeleteAccessKey #1".to_owned(), create(&world)]
    );
    assert_well(&object);
    let third = works(&world).await;
    assert_eq!(world.keys_in_ram(&name), [(second, true), (third, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_lost_in_the_quarantine_cuts_it_short() {
    let world = World::new("lost_quarantine").await;
    let operator = world.operator().await;
    let (_, second) = rotated(&world, json!({})).await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    let third = published_after(&world, &second).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1".to_owned(), create(&world)]);
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(second, true), (third, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_lost_on_the_way_is_rebuilt() {
    let world = World::new("lost_status").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    operator.stop().await;
    lose_status(&world).await;
    // In the overlap: the Secret names what it replaced, and when.
    let operator = world.operator().await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(object["status"]["accessKeyId"], json!(second));
    assert_eq!(object["status"]["retiring"][0]["id"], json!(first));
    no_writes(&world);
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(10));
    operator.stop().await;
    lose_status(&world).await;
    // In the quarantine: since when is forgotten, so that it begins anew.
    let operator = world.operator().await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(object["status"]["retiring"][0]["id"], json!(first));
    world.clock.advance(hours(71));
    looked(&world, "ingest").await;
    no_writes(&world);
    world.clock.advance(hours(2));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// `state: Inactive`, and keys disabled by others.

#[tokio::test(flavor = "multi_thread")]
async fn rotation_rests_while_the_keys_are_inactive() {
    let world = World::new("inactive_due").await;
    let operator = world.operator().await;
    let interval = json!({"rotation": {"interval": "30d"}});
    let first = made(&world, interval.clone()).await;
    world.key("ingest", "reader", json!({"rotation": {"interval": "30d"}, "state": "Inactive"})).await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(days(31));
    ask(&world, "rotate", "now").await;
    looked(&world, "ingest").await;
    no_writes(&world);
    world.key("ingest", "reader", interval).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active".to_owned(), create(&world)]);
    assert_eq!(object["status"]["requests"]["rotate"]["done"], "now");
    assert_ne!(works(&world).await, first);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// The writes since the last call, in any order.
pub fn sorted_writes(world: &World) -> Vec<String> {
    let mut writes = world.writes();
    writes.sort();
    writes
}

#[tokio::test(flavor = "multi_thread")]
async fn inactive_and_back_in_the_overlap_gives_both_keys_back() {
    let world = World::new("inactive_overlap").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let (first, second) = rotated(&world, json!({})).await;
    world.key("ingest", "reader", json!({"state": "Inactive"})).await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    assert_eq!(sorted_writes(&world), ["UpdateAccessKey #1 Inactive", "UpdateAccessKey #2 Inactive"]);
    world.clock.advance(hours(1));
    looked(&world, "ingest").await;
    no_writes(&world);
    // What was disabled this way is enabled again: pods that still have the old pair go on.
    world.key("ingest", "reader", json!({"state": "Active"})).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(sorted_writes(&world), ["UpdateAccessKey #1 Active", "UpdateAccessKey #2 Active"]);
    assert_eq!(world.keys_in_ram(&name), [(first, true), (second.clone(), true)].into());
    world.clock.advance(hours(26));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inactive_and_back_in_the_quarantine_leaves_the_old_key_disabled() {
    let world = World::new("inactive_quarant").await;
    let operator = world.operator().await;
    let (_, second) = rotated(&world, json!({})).await;
    world.clock.advance(hours(25));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.key("ingest", "reader", json!({"state": "Inactive"})).await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #2 Inactive"]);
    world.key("ingest", "reader", json!({"state": "Active"})).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #2 Active"]);
    world.clock.advance(hours(73));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_disabled_by_others_is_left_so_until_somebody_asks() {
    let world = World::new("idle").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let first = made(&world, json!({"rotation": {"interval": "30d"}})).await;
    // RAM disables what was idle for too long. Even when a rotation is due, nobody enables or replaces it by himself.
    world.clock.advance(days(31));
    world.ram.person().idle_out(&first);
    let object = looked(&world, "ingest").await;
    assert_eq!(condition(&object, "Ready").expect("Ready")["reason"], "DisabledOutside");
    assert_true(&object, "Stalled", "DisabledOutside", &[&first, annotation::RESTORE, annotation::ROTATE]);
    no_writes(&world);
    // One way out is the same key.
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "DisabledOutside").await;
    ask(&world, "restore", &first).await;
    done(&world, "restore", &first).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_without(&object, "Stalled");
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active"]);
    assert_eq!(works(&world).await, first);
    // The other one a new pair.
    world.ram.person().idle_out(&first);
    looked(&world, "ingest").await;
    world.ready("RamAccessKey", "ingest", "False", "DisabledOutside").await;
    ask(&world, "rotate", "a new pair").await;
    done(&world, "rotate", "a new pair").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [create(&world)]);
    let second = works(&world).await;
    assert_eq!(world.keys_in_ram(&name), [(first, false), (second.clone(), true)].into());
    world.clock.advance(hours(73));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(world.keys_in_ram(&name), [(second, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
