//! RamUser and RamTenant on the real API server, with the exact writes that RAM sees.
//!
//! What changes in RAM alone is seen at the next look of an object, so [`looked`] asks for one. Everything else is noticed
//! by watches.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use ram_operator::api::{FINALIZER, RamUser, annotation};
use ram_operator::plan::marker::Marker;
use ram_operator::plan::names::generated;
use serde_json::{Value, json};

use crate::support::ram::{Options, UserView};
use crate::world::{World, condition, eventually, merge, shared};

const READ: &str = "AliyunOTSReadOnlyAccess";
const FULL: &str = "AliyunOTSFullAccess";
const WRITE: &str = "AliyunOTSWriteOnlyAccess";
/// A policy that the usual tenant does not allow.
const OTHER: &str = "AliyunOSSFullAccess";

fn create(user: &str) -> String {
    format!("CreateUser {user}")
}

fn update(user: &str) -> String {
    format!("UpdateUser {user}")
}

fn attach(user: &str, policy: &str) -> String {
    format!("AttachPolicyToUser {user} System/{policy}")
}

fn detach(user: &str, policy: &str) -> String {
    format!("DetachPolicyFromUser {user} System/{policy}")
}

fn remove(user: &str) -> String {
    format!("DeleteUser {user}")
}

fn no_writes(world: &World) {
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// Part of a spec: these system policies.
fn policies(names: &[&str]) -> Value {
    let all: Vec<Value> = names.iter().map(|name| json!({"type": "System", "name": name})).collect();
    json!({"policies": all})
}

/// What the usual tenant grants, and `more`.
fn grants(more: Value) -> Value {
    let mut spec = json!({"attach": {"system": ["AliyunOTS*"], "custom": ["shared-*"]}});
    merge(&mut spec, more);
    spec
}

/// A corner with an account, but without a tenant.
async fn without_tenant(test: &str) -> World {
    let world = World::bare(test, Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.account(json!({})).await;
    world
}

/// The RamUser as it is stored now.
async fn stored(world: &World, name: &str) -> Value {
    world.dynamic("RamUser", Some(&world.ns)).get(name).await.expect("a RamUser").data
}

/// The RamUser after a look that is asked for, since only RAM has changed.
async fn looked(world: &World, name: &str) -> Value {
    world.reconcile("RamUser", name).await;
    stored(world, name).await
}

fn reason(object: &Value) -> &str {
    condition(object, "Ready").and_then(|ready| ready["reason"].as_str()).unwrap_or_default()
}

fn is_true(object: &Value, type_: &str) -> bool {
    condition(object, type_).is_some_and(|condition| condition["status"] == "True")
}

/// `Ready` has this reason, `Stalled` is true, and the message names all of `words`.
fn assert_stalled(object: &Value, wanted: &str, words: &[&str]) {
    assert_eq!(reason(object), wanted, "{}", object["status"]);
    assert!(is_true(object, "Stalled"), "{}", object["status"]);
    assert_says(object, "Ready", words);
}

fn assert_well(object: &Value) {
    assert_eq!(reason(object), "Available", "{}", object["status"]);
    assert!(condition(object, "Stalled").is_none(), "{}", object["status"]);
}

fn assert_says(object: &Value, type_: &str, words: &[&str]) {
    let message = condition(object, type_).and_then(|found| found["message"].as_str()).unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
}

fn in_ram(world: &World, user: &str) -> UserView {
    world.ram.snapshot().users.get(user).cloned().expect("a user in RAM")
}

/// The marker that RAM should show for a RamUser.
async fn marker(world: &World, name: &str) -> Marker {
    let object = world.users().get(name).await.expect("a RamUser");
    Marker::of("test", &world.ns, name, &object.uid().expect("a uid"))
}

async fn finalizers(world: &World, name: &str) -> Vec<String> {
    world.users().get(name).await.expect("a RamUser").finalizers().to_vec()
}

async fn patch_metadata(world: &World, name: &str, metadata: Value) {
    let patch = json!({"metadata": metadata});
    world.users().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
}

async fn label_namespace(world: &World, labels: Value) {
    let patch = json!({"metadata": {"labels": labels}});
    let api: Api<Namespace> = Api::all(world.admin.clone());
    api.patch(&world.ns, &PatchParams::default(), &Patch::Merge(patch)).await.expect("labelled");
}

/// Makes a user with its defaults and `more`, waits for it and forgets the writes that it took.
async fn made(world: &World, name: &str, more: Value) -> Value {
    world.user(name, more).await;
    let object = world.available("RamUser", name).await;
    world.writes();
    object
}

/// Ages are told apart by whole seconds.
async fn next_second() {
    let before = Timestamp::now().as_second();
    eventually("the next second", || async move {
        if Timestamp::now().as_second() > before { Ok(()) } else { Err("not yet") }
    })
    .await;
}

// Profile.

fn profile(user: &UserView) -> [&str; 4] {
    [&user.display_name, &user.comments, &user.email, &user.mobile_phone]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_is_written_changed_and_cleared() {
    let world = World::new("profile").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let mut spec = json!({
        "displayName": "Reader",
        "comments": "reads logs",
        "email": "reader@example.com",
        "mobilePhone": "86-13800000000",
    });
    world.user("reader", spec.clone()).await;
    let object = world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    let marker = marker(&world, "reader").await;
    let user = in_ram(&world, &name);
    let comments = marker.append_to("reads logs");
    assert_eq!(profile(&user), ["Reader", comments.as_str(), "reader@example.com", "86-13800000000"]);
    let status = &object["status"];
    assert_eq!(status["userName"], json!(name));
    assert_eq!(status["userId"], json!(user.user_id));
    assert_eq!(status["accountId"], json!(world.ram.account_id()));
    assert_eq!(status["userPrincipalName"], json!(format!("{name}@{}.onaliyun.com", world.ram.account_id())));
    assert_eq!(status["policies"], json!([{"type": "System", "name": READ}]));

    for (field, value) in [
        ("displayName", "Log reader"),
        ("comments", "reads all logs"),
        ("email", "logs@example.com"),
        ("mobilePhone", "86-13900000000"),
    ] {
        spec[field] = json!(value);
        world.user("reader", spec.clone()).await;
        world.available("RamUser", "reader").await;
        assert_eq!(world.writes(), [update(&name)], "{field}");
    }
    let comments = marker.append_to("reads all logs");
    assert_eq!(
        profile(&in_ram(&world, &name)),
        ["Log reader", comments.as_str(), "logs@example.com", "86-13900000000"]
    );

    for field in ["comments", "email", "mobilePhone"] {
        spec[field] = json!("");
    }
    world.user("reader", spec.clone()).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [update(&name)]);
    let comments = marker.append_to("");
    assert_eq!(profile(&in_ram(&world, &name)), ["Log reader", comments.as_str(), "", ""]);

    // What is not given is not managed: nothing changes.
    for field in ["displayName", "comments", "email", "mobilePhone"] {
        spec[field] = Value::Null;
    }
    world.user("reader", spec).await;
    world.available("RamUser", "reader").await;
    no_writes(&world);
    assert_eq!(in_ram(&world, &name).display_name, "Log reader");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_the_profile_by_hand() {
    let world = World::new("profile_by_hand").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({"comments": "reads logs"})).await;
    let person = world.ram.person();
    let whole = marker(&world, "reader").await.append_to("reads logs");

    person.set_comments(&name, "the marker is gone");
    assert_well(&looked(&world, "reader").await);
    assert_eq!(world.writes(), [update(&name)]);
    assert_eq!(in_ram(&world, &name).comments, whole);

    person.set_comments(&name, &marker(&world, "reader").await.append_to("another text"));
    assert_well(&looked(&world, "reader").await);
    assert_eq!(world.writes(), [update(&name)]);
    assert_eq!(in_ram(&world, &name).comments, whole);

    // Not in the spec, so not managed.
    person.set_display_name(&name, "By hand");
    assert_well(&looked(&world, "reader").await);
    no_writes(&world);
    assert_eq!(in_ram(&world, &name).display_name, "By hand");

    // Once it is in the spec, it is.
    world.user("reader", json!({"comments": "reads logs", "displayName": "Reader"})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [update(&name)]);
    person.set_display_name(&name, "By hand");
    assert_well(&looked(&world, "reader").await);
    assert_eq!(world.writes(), [update(&name)]);
    assert_eq!(in_ram(&world, &name).display_name, "Reader");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Names.

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_name_needs_the_tenants_word() {
    let world = World::new("explicit_name").await;
    let operator = world.operator().await;
    world.user("reader", json!({"userName": "svc-reader"})).await;
    let object = world.ready("RamUser", "reader", "False", "NameNotAllowed").await;
    assert_says(&object, "Ready", &["svc-reader", "the RamTenant's names"]);
    assert!(condition(&object, "Stalled").is_none());
    assert!(finalizers(&world, "reader").await.is_empty());
    no_writes(&world);

    world.tenant(grants(json!({"names": {"users": ["svc-*"]}}))).await;
    let object = world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create("svc-reader"), attach("svc-reader", READ)]);
    assert_eq!(object["status"]["userName"], "svc-reader");
    assert_eq!(finalizers(&world, "reader").await, [FINALIZER]);

    // The name is no longer allowed: the object says so, and keeps what it has.
    world.tenant(grants(json!({"names": {"users": ["team-*"]}}))).await;
    world.ready("RamUser", "reader", "False", "NameNotAllowed").await;
    no_writes(&world);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach("svc-reader", READ), remove("svc-reader")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_cut_and_do_not_collide() {
    let world = World::new("long_names").await;
    let operator = world.operator().await;
    let objects = ["a", "b"].map(|end| format!("reader-{}-{end}", "x".repeat(80)));
    for object in &objects {
        let stored = made(&world, object, json!({})).await;
        let name = stored["status"]["userName"].as_str().expect("a name");
        assert_eq!(name.len(), 64);
        assert_eq!(name, generated("", &world.ns, object));
        assert_eq!(in_ram(&world, name).policies, [format!("System/{READ}")]);
    }
    assert_ne!(generated("", &world.ns, &objects[0]), generated("", &world.ns, &objects[1]));
    world.delete("RamUser", &objects[0]).await;
    world.gone("RamUser", &objects[0]).await;
    let name = generated("", &world.ns, &objects[0]);
    assert_eq!(world.writes(), [detach(&name, READ), remove(&name)]);
    in_ram(&world, &generated("", &world.ns, &objects[1]));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Policies.

#[tokio::test(flavor = "multi_thread")]
async fn policies_follow_the_spec() {
    let world = World::new("policies").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.user("reader", policies(&[READ])).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    for (wanted, writes) in [
        (vec![FULL, READ], vec![attach(&name, FULL)]),
        (vec![FULL], vec![detach(&name, READ)]),
        (vec![WRITE], vec![attach(&name, WRITE), detach(&name, FULL)]),
        (vec![], vec![detach(&name, WRITE)]),
        (vec![READ], vec![attach(&name, READ)]),
    ] {
        world.user("reader", policies(&wanted)).await;
        let object = world.available("RamUser", "reader").await;
        assert_eq!(world.writes(), writes, "{wanted:?}");
        assert_eq!(object["status"]["policies"], policies(&wanted)["policies"]);
    }

    // Absent: nothing is detached, by us or because somebody attached it.
    world.user("reader", json!({"policies": null})).await;
    let object = world.available("RamUser", "reader").await;
    assert!(condition(&object, "DriftFound").is_none());
    world.ram.person().attach(&name, "System", OTHER);
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert!(condition(&object, "DriftFound").is_none());
    no_writes(&world);
    assert_eq!(in_ram(&world, &name).policies, [format!("System/{OTHER}"), format!("System/{READ}")]);
    world.ram.person().detach(&name, "System", READ);
    assert_well(&looked(&world, "reader").await);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_policy_is_attached_by_name() {
    let world = World::new("custom_policy").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let document =
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:GetRow","Resource":"acs:ots:*:*:*"}]}"#;
    world.ram.person().create_custom_policy("shared-rows", document);
    world.user("reader", json!({"policies": [{"type": "Custom", "name": "shared-rows"}]})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), format!("AttachPolicyToUser {name} Custom/shared-rows")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_policies_is_repaired() {
    let world = World::new("drift").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    let person = world.ram.person();

    person.attach(&name, "System", OTHER);
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert!(condition(&object, "DriftFound").is_none());
    assert_eq!(world.writes(), [detach(&name, OTHER)]);

    person.detach(&name, "System", READ);
    assert_well(&looked(&world, "reader").await);
    assert_eq!(world.writes(), [attach(&name, READ)]);

    // What is missing comes first, so that the user is never without what it should have.
    person.attach(&name, "System", OTHER);
    person.detach(&name, "System", READ);
    assert_well(&looked(&world, "reader").await);
    assert_eq!(world.writes(), [attach(&name, READ), detach(&name, OTHER)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_only_denies_stays() {
    let world = World::new("deny_stays").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    let person = world.ram.person();
    let deny = r#"{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let both = r#"{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"},
        {"Effect":"Allow","Action":"ots:*","Resource":"*"}]}"#;
    person.create_custom_policy("stop-it", deny);
    person.create_custom_policy("stop-and-go", both);
    person.attach(&name, "Custom", "stop-it");
    person.attach(&name, "Custom", "stop-and-go");
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert!(is_true(&object, "DriftFound"));
    assert_says(&object, "DriftFound", &["Custom stop-it"]);
    assert_eq!(world.writes(), [format!("DetachPolicyFromUser {name} Custom/stop-and-go")]);
    assert_eq!(in_ram(&world, &name).policies, ["Custom/stop-it".to_owned(), format!("System/{READ}")]);

    person.detach(&name, "Custom", "stop-it");
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert!(condition(&object, "DriftFound").is_none());
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_attachments_are_reported_left_or_detached() {
    let world = World::new("attachments").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({"attachments": "Report"})).await;
    world.ram.person().attach(&name, "System", OTHER);
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert!(is_true(&object, "DriftFound"));
    assert_says(&object, "DriftFound", &["System AliyunOSSFullAccess", "Remove the difference in RAM"]);
    no_writes(&world);

    world.user("reader", json!({"attachments": "Additive"})).await;
    let object = world.available("RamUser", "reader").await;
    assert!(condition(&object, "DriftFound").is_none());
    no_writes(&world);
    assert_eq!(in_ram(&world, &name).policies, [format!("System/{OTHER}"), format!("System/{READ}")]);

    world.user("reader", json!({"attachments": "Exclusive"})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, OTHER)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_ram_does_not_have() {
    let world = World::new("policy_not_found").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.tenant(json!({"attach": {"system": ["*"]}})).await;
    world.user("reader", policies(&["AliyunNoSuchAccess"])).await;
    let object = world.ready("RamUser", "reader", "False", "PolicyNotFound").await;
    assert_stalled(&object, "PolicyNotFound", &["System/AliyunNoSuchAccess", "Correct the policy's type and name"]);
    assert_eq!(world.writes(), [create(&name)]);
    assert_eq!(object["status"]["userName"], json!(name));

    world.user("reader", policies(&[READ])).await;
    assert_well(&world.available("RamUser", "reader").await);
    assert_eq!(world.writes(), [attach(&name, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Quotas of RAM.

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_quota_of_users() {
    // The operator's own user is one of the two.
    let world = World::with("users_quota", Options { users_quota: 2, ..Options::default() }).await;
    let operator = world.operator().await;
    let (first, second) = (world.ram_name("first"), world.ram_name("second"));
    made(&world, "first", json!({})).await;
    world.user("second", json!({})).await;
    let object = world.ready("RamUser", "second", "False", "QuotaReached").await;
    assert_says(&object, "Ready", &["LimitExceeded.User", "have the quota raised"]);
    assert!(condition(&object, "Stalled").is_none());
    no_writes(&world);

    world.delete("RamUser", "first").await;
    world.gone("RamUser", "first").await;
    assert_well(&looked(&world, "second").await);
    assert_eq!(world.writes(), [detach(&first, READ), remove(&first), create(&second), attach(&second, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_quota_of_system_policies() {
    let world = World::with("policy_quota", Options { system_policies_per_user: 1, ..Options::default() }).await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.user("reader", policies(&[READ, FULL])).await;
    let object = world.ready("RamUser", "reader", "False", "QuotaReached").await;
    assert_says(&object, "Ready", &["LimitExceeded"]);
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    world.user("reader", policies(&[READ])).await;
    assert_well(&world.available("RamUser", "reader").await);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_replaced_at_the_quota() {
    let world = World::with("full_quota", Options { system_policies_per_user: 1, ..Options::default() }).await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", policies(&[READ])).await;
    // There is no room for both: what is not wanted has to make room.
    world.user("reader", policies(&[FULL])).await;
    assert_well(&world.available("RamUser", "reader").await);
    assert_eq!(world.writes(), [detach(&name, READ), attach(&name, FULL)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Tenants.

#[tokio::test(flavor = "multi_thread")]
async fn no_tenant_until_one_is_made() {
    let world = without_tenant("no_tenant").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.user("reader", json!({})).await;
    let object = world.ready("RamUser", "reader", "False", "NotATenant").await;
    assert_says(&object, "Ready", &["RamTenant", "label on the namespace"]);
    assert!(condition(&object, "Stalled").is_none());
    assert!(finalizers(&world, "reader").await.is_empty());
    no_writes(&world);
    world.tenant(grants(json!({}))).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tenant_until_the_namespace_has_the_label() {
    let world = without_tenant("no_label").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.tenant(grants(json!({"namespaceSelector": {"matchLabels": {"team": "a"}}}))).await;
    world.user("reader", json!({})).await;
    world.ready("RamUser", "reader", "False", "NotATenant").await;
    no_writes(&world);
    label_namespace(&world, json!({"team": "a"})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_the_tenant_revokes_nothing() {
    let world = World::new("match_lost").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    let before = in_ram(&world, &name);
    label_namespace(&world, json!({"ram-test": null})).await;
    world.ready("RamUser", "reader", "False", "NotATenant").await;
    // Nothing new is granted.
    world.user("reader", policies(&[READ, FULL])).await;
    world.ready("RamUser", "reader", "False", "NotATenant").await;
    no_writes(&world);
    assert_eq!(in_ram(&world, &name), before);

    label_namespace(&world, json!({"ram-test": world.name})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [attach(&name, FULL)]);

    // What takes away needs no tenant.
    label_namespace(&world, json!({"ram-test": null})).await;
    world.ready("RamUser", "reader", "False", "NotATenant").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, READ), detach(&name, FULL), remove(&name)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// A further tenant of this corner with this selector.
async fn second_tenant(world: &World, labels: Value) -> String {
    let name = format!("{}-second", world.name);
    world
        .apply(json!({
            "kind": "RamTenant",
            "metadata": {"name": name},
            "spec": {"accountRef": {"name": world.name}, "namespaceSelector": {"matchLabels": labels}},
        }))
        .await;
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_grant_nothing_new() {
    let world = World::new("two_tenants").await;
    let operator = world.operator().await;
    let (early, late) = (world.ram_name("early"), world.ram_name("late"));
    made(&world, "early", json!({})).await;
    let before = in_ram(&world, &early);
    let second = second_tenant(&world, json!({"ram-test": world.name})).await;
    world.user("late", json!({})).await;
    for user in ["early", "late"] {
        let object = world.ready("RamUser", user, "False", "TenantAmbiguous").await;
        assert_says(&object, "Ready", &[world.name.as_str(), second.as_str(), "leave one"]);
        assert!(condition(&object, "Stalled").is_none());
    }
    no_writes(&world);
    assert_eq!(in_ram(&world, &early), before);

    second_tenant(&world, json!({"ram-test": "nobody"})).await;
    world.available("RamUser", "early").await;
    world.available("RamUser", "late").await;
    assert_eq!(world.writes(), [create(&late), attach(&late, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deletion_of_a_tenant_is_noticed() {
    let world = World::new("tenant_deleted").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let second = second_tenant(&world, json!({"ram-test": world.name})).await;
    world.user("reader", json!({})).await;
    world.ready("RamUser", "reader", "False", "TenantAmbiguous").await;
    no_writes(&world);
    world.delete("RamTenant", &second).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    world.delete("RamTenant", &world.name).await;
    world.ready("RamUser", "reader", "False", "NotATenant").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_allowed_stops_all_of_them() {
    let world = World::new("not_allowed").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.user("reader", policies(&[READ, OTHER])).await;
    let object = world.ready("RamUser", "reader", "False", "PolicyNotAllowed").await;
    assert_says(&object, "Ready", &["System AliyunOSSFullAccess", "RamTenant's attach"]);
    assert!(condition(&object, "Stalled").is_none());
    assert!(finalizers(&world, "reader").await.is_empty());
    no_writes(&world);
    assert!(!world.ram.snapshot().users.contains_key(&name));

    world.tenant(grants(json!({"attach": {"system": ["AliyunOTS*", OTHER]}}))).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ), attach(&name, OTHER)]);

    // A policy that is attached already stays when it is no longer allowed; the object says so.
    world.tenant(grants(json!({}))).await;
    world.ready("RamUser", "reader", "False", "PolicyNotAllowed").await;
    no_writes(&world);
    assert_eq!(in_ram(&world, &name).policies, [format!("System/{OTHER}"), format!("System/{READ}")]);

    // On a user that exists, too, nothing is left half done.
    world.user("reader", policies(&[READ, FULL, "AdministratorAccess"])).await;
    let object = world.ready("RamUser", "reader", "False", "PolicyNotAllowed").await;
    assert_says(&object, "Ready", &["System AdministratorAccess"]);
    no_writes(&world);
    world.user("reader", policies(&[READ])).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, OTHER)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_retain_needs_the_tenants_word() {
    let world = World::new("retain_denied").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.user("reader", json!({"deletionPolicy": "Retain"})).await;
    let object = world.ready("RamUser", "reader", "False", "RetainNotAllowed").await;
    assert_says(&object, "Ready", &["Set deletionPolicy to Delete", "retain: Allow"]);
    no_writes(&world);
    world.tenant(grants(json!({"retain": "Allow"}))).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);

    // Denied again, deletion means deletion.
    world.tenant(grants(json!({"retain": "Deny"}))).await;
    world.ready("RamUser", "reader", "False", "RetainNotAllowed").await;
    no_writes(&world);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, READ), remove(&name)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_lets_the_oldest_in() {
    let world = World::new("limit").await;
    let operator = world.operator().await;
    world.tenant(grants(json!({"limits": {"users": 2}}))).await;
    for user in ["u1", "u2"] {
        next_second().await;
        world.user(user, json!({})).await;
        world.available("RamUser", user).await;
    }
    let ram = |user: &str| world.ram_name(user);
    let both = [create(&ram("u1")), attach(&ram("u1"), READ), create(&ram("u2")), attach(&ram("u2"), READ)];
    assert_eq!(world.writes(), both);
    for user in ["u3", "u4"] {
        next_second().await;
        world.user(user, json!({})).await;
        let object = world.ready("RamUser", user, "False", "LimitReached").await;
        assert_says(&object, "Ready", &["ask for a higher limit"]);
        assert!(condition(&object, "Stalled").is_none());
        assert!(finalizers(&world, user).await.is_empty());
    }
    no_writes(&world);

    // The tenant counts when it is asked to.
    world.reconcile("RamTenant", &world.name).await;
    let tenant = world.dynamic("RamTenant", None).get(&world.name).await.expect("a tenant").data;
    assert!(is_true(&tenant, "LimitReached"));
    assert_eq!(tenant["status"]["namespaces"], 1);
    assert_eq!(tenant["status"]["used"]["users"], 4);

    world.delete("RamUser", "u1").await;
    world.gone("RamUser", "u1").await;
    // One that waits is not woken by the end of another: ask for a look.
    assert_eq!(reason(&looked(&world, "u4").await), "LimitReached");
    assert_well(&looked(&world, "u3").await);
    assert_eq!(
        world.writes(),
        [detach(&ram("u1"), READ), remove(&ram("u1")), create(&ram("u3")), attach(&ram("u3"), READ)]
    );

    world.tenant(grants(json!({"limits": {"users": 3}}))).await;
    world.available("RamUser", "u4").await;
    assert_eq!(world.writes(), [create(&ram("u4")), attach(&ram("u4"), READ)]);

    // A lower limit takes nothing from anybody.
    world.tenant(grants(json!({"limits": {"users": 0}}))).await;
    for user in ["u2", "u3", "u4"] {
        assert_well(&looked(&world, user).await);
    }
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

fn ready_reason(user: &RamUser) -> String {
    let conditions = user.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|condition| condition.type_ == "Ready").map(|ready| ready.reason.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_holds_for_users_made_at_once() {
    let world = World::new("limit_at_once").await;
    let operator = world.operator().await;
    world.tenant(grants(json!({"limits": {"users": 2}}))).await;
    world.available("RamAccount", &world.name).await;
    for n in 1..=6 {
        world.user(&format!("u{n}"), json!({})).await;
    }
    let reasons = eventually("six users to be settled", || async {
        let users = world.users().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let reasons: Vec<String> = users.iter().map(ready_reason).collect();
        let settled = reasons.iter().all(|reason| reason == "Available" || reason == "LimitReached");
        if settled && reasons.len() == 6 { Ok(reasons) } else { Err(format!("{reasons:?}")) }
    })
    .await;
    assert_eq!(reasons.iter().filter(|reason| *reason == "Available").count(), 2, "{reasons:?}");
    let snapshot = world.ram.snapshot();
    assert_eq!(snapshot.users.keys().filter(|name| name.starts_with(&world.ns)).count(), 2);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Users that are not ours.

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_user_is_not_touched() {
    let world = World::new("foreign").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let person = world.ram.person();
    person.create_user(&name, "made by hand");
    person.attach(&name, "System", OTHER);
    let before = in_ram(&world, &name);
    world.user("reader", json!({"comments": "ours"})).await;
    let object = world.ready("RamUser", "reader", "False", "Foreign").await;
    assert_stalled(&object, "Foreign", &[name.as_str(), "Choose another name", "not touched"]);
    assert!(object["status"]["userId"].is_null());
    assert!(finalizers(&world, "reader").await.is_empty());
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    no_writes(&world);
    assert_eq!(in_ram(&world, &name), before);

    world.user("reader", json!({"comments": "ours"})).await;
    world.ready("RamUser", "reader", "False", "Foreign").await;
    person.delete_user_by_force(&name);
    assert_well(&looked(&world, "reader").await);
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_another_installation_or_object_is_not_touched() {
    let world = World::new("owned_elsewhere").await;
    let operator = world.operator().await;
    let person = world.ram.person();
    let (first, second) = (world.ram_name("first"), world.ram_name("second"));
    let elsewhere = Marker::of("elsewhere", &world.ns, "first", "0a1b2c3d-0000").append_to("");
    let other = Marker::of("test", &world.ns, "other", "0a1b2c3d-0000").append_to("");
    person.create_user(&first, &elsewhere);
    person.create_user(&second, &other);
    for user in ["first", "second"] {
        world.user(user, json!({})).await;
        let object = world.ready("RamUser", user, "False", "OwnedElsewhere").await;
        assert_stalled(&object, "OwnedElsewhere", &[world.ram_name(user).as_str(), "Choose another name"]);
        assert!(finalizers(&world, user).await.is_empty());
        world.delete("RamUser", user).await;
        world.gone("RamUser", user).await;
    }
    no_writes(&world);
    assert_eq!(in_ram(&world, &first).comments, elsewhere);
    assert_eq!(in_ram(&world, &second).comments, other);

    // Given away by hand after it was ours: left alone from then on, at deletion too.
    made(&world, "third", json!({})).await;
    let third = world.ram_name("third");
    person.set_comments(&third, &elsewhere);
    person.attach(&third, "System", OTHER);
    let before = in_ram(&world, &third);
    assert_stalled(&looked(&world, "third").await, "OwnedElsewhere", &[third.as_str()]);
    world.delete("RamUser", "third").await;
    world.gone("RamUser", "third").await;
    no_writes(&world);
    assert_eq!(in_ram(&world, &third), before);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_took_the_name_is_not_touched() {
    let world = World::new("replaced").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let person = world.ram.person();
    let first = made(&world, "reader", json!({})).await;
    // Even a copied marker does not make it ours: identity is the UserId.
    let comments = in_ram(&world, &name).comments;
    person.delete_user_by_force(&name);
    let other = person.create_user(&name, &comments);
    let before = in_ram(&world, &name);
    let object = looked(&world, "reader").await;
    assert_stalled(&object, "Replaced", &[name.as_str(), "Delete or rename that one"]);
    assert_eq!(object["status"]["userId"], first["status"]["userId"]);
    assert_ne!(object["status"]["userId"], json!(other));
    no_writes(&world);

    person.delete_user_by_force(&name);
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    assert_eq!(object["status"]["userId"], json!(in_ram(&world, &name).user_id));

    person.delete_user_by_force(&name);
    person.create_user(&name, "by hand");
    assert_stalled(&looked(&world, "reader").await, "Replaced", &[]);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    no_writes(&world);
    assert_eq!(in_ram(&world, &name).comments, "by hand");
    assert_ne!(in_ram(&world, &name).user_id, before.user_id);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Users changed by hand.

#[tokio::test(flavor = "multi_thread")]
async fn a_user_deleted_by_hand_comes_back() {
    let world = World::new("deleted_by_hand").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let before = made(&world, "reader", policies(&[READ, FULL])).await;
    world.ram.person().delete_user_by_force(&name);
    let object = looked(&world, "reader").await;
    assert_well(&object);
    assert_eq!(world.writes(), [create(&name), attach(&name, READ), attach(&name, FULL)]);
    assert_ne!(object["status"]["userId"], before["status"]["userId"]);
    assert_eq!(object["status"]["userId"], json!(in_ram(&world, &name).user_id));

    // Gone by hand when the object goes: nothing is left to do.
    world.ram.person().delete_user_by_force(&name);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_renamed_by_hand() {
    let world = World::new("renamed").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let person = world.ram.person();
    made(&world, "reader", json!({})).await;
    person.rename_user(&name, "elsewhere");
    assert_stalled(&looked(&world, "reader").await, "UserRenamed", &["elsewhere", "Rename it back"]);
    // Nor does it get a key meanwhile.
    world.key("ingest", "reader", json!({})).await;
    let key = world.ready("RamAccessKey", "ingest", "False", "UserNotOwned").await;
    assert_stalled(&key, "UserNotOwned", &["See the conditions of the RamUser"]);
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    no_writes(&world);
    person.rename_user("elsewhere", &name);
    assert_well(&looked(&world, "reader").await);
    no_writes(&world);

    // Deletion does not forget it under its other name.
    person.rename_user(&name, "elsewhere");
    world.delete("RamUser", "reader").await;
    let object = world.ready("RamUser", "reader", "False", "UserRenamed").await;
    assert_stalled(&object, "UserRenamed", &["elsewhere"]);
    no_writes(&world);
    person.rename_user("elsewhere", &name);
    // Only RAM has changed: ask for a look.
    world.annotate("RamUser", "reader", annotation::RECONCILE, "renamed back").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, READ), remove(&name)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Deletion.

#[tokio::test(flavor = "multi_thread")]
async fn deletion_takes_everything_away() {
    let world = World::new("deletion").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", policies(&[READ, FULL])).await;
    world.ram.person().add_to_group(&name, "devs");
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let leave = format!("RemoveUserFromGroup {name} devs");
    assert_eq!(world.writes(), [detach(&name, READ), detach(&name, FULL), leave, remove(&name)]);
    assert!(!world.ram.snapshot().users.contains_key(&name));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_log_on_blocks_deletion() {
    let world = World::new("login_profile").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    world.ram.person().give_login_profile(&name);
    world.delete("RamUser", "reader").await;
    let object = world.ready("RamUser", "reader", "False", "Blocked").await;
    assert_stalled(&object, "Blocked", &["LoginProfile", "Remove in RAM"]);
    assert_eq!(world.writes(), [detach(&name, READ)]);
    assert!(in_ram(&world, &name).login_profile);
    world.ram.person().take_login_profile(&name);
    // Only RAM has changed: ask for a look.
    world.annotate("RamUser", "reader", annotation::RECONCILE, "log-on removed").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [remove(&name)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_blocks_deletion() {
    let world = World::new("foreign_key").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    let (id, _) = world.ram.person().create_key(&name);
    let object = looked(&world, "reader").await;
    assert_well(&object);
    let inventory = &object["status"]["accessKeys"];
    assert_eq!(inventory[0]["id"], json!(id));
    assert_eq!(inventory[0]["owner"], "Foreign");
    assert_eq!(inventory[0]["state"], "Active");

    world.delete("RamUser", "reader").await;
    let object = world.ready("RamUser", "reader", "False", "Blocked").await;
    assert_stalled(&object, "Blocked", &[id.as_str(), "Remove in RAM"]);
    no_writes(&world);
    assert_eq!(world.keys_in_ram(&name).get(&id), Some(&true));
    world.ram.person().delete_key(&id);
    // Only RAM has changed: ask for a look.
    world.annotate("RamUser", "reader", annotation::RECONCILE, "key removed").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, READ), remove(&name)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_user_stays_without_our_marker() {
    let world = World::new("retain").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    world.tenant(grants(json!({"retain": "Allow"}))).await;
    made(&world, "reader", json!({"deletionPolicy": "Retain", "comments": "reads logs"})).await;
    let before = in_ram(&world, &name);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [update(&name)]);
    assert_eq!(in_ram(&world, &name), UserView { comments: "reads logs".to_owned(), ..before });

    // It is nobody's now, so the object does not take it back by its name alone.
    world.user("reader", json!({})).await;
    world.ready("RamUser", "reader", "False", "Foreign").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_made_again_takes_its_user_back() {
    let world = World::new("made_again").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    let (user, old) = (in_ram(&world, &name), marker(&world, "reader").await);
    assert_eq!(user.comments, old.append_to(""));
    // Without the operator, which would put its finalizer on again.
    operator.stop().await;
    patch_metadata(&world, "reader", json!({"finalizers": null})).await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(in_ram(&world, &name), user);

    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    let object = world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [update(&name)]);
    let new = marker(&world, "reader").await;
    assert!(new.same_object(&old) && new.uid != old.uid);
    assert_eq!(in_ram(&world, &name), UserView { comments: new.append_to(""), ..user });
    assert_eq!(object["status"]["userId"], json!(in_ram(&world, &name).user_id));
    assert_eq!(object["status"]["markerUid"], json!(new.uid));
    assert_eq!(finalizers(&world, "reader").await, [FINALIZER]);

    // The old object seems to be alive somewhere: neither gives in, so a person has to look.
    world.ram.person().set_comments(&name, &old.append_to(""));
    let object = looked(&world, "reader").await;
    assert_stalled(&object, "Contested", &[name.as_str(), "stop one of them"]);
    no_writes(&world);
    world.ram.person().set_comments(&name, &new.append_to(""));
    assert_well(&looked(&world, "reader").await);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Pause.

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_user_gets_nothing_new() {
    let world = World::new("paused").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({"displayName": "Before"})).await;
    world.annotate("RamUser", "reader", annotation::PAUSED, "true").await;
    let object = eventually("the condition Paused", || async {
        let object = stored(&world, "reader").await;
        if is_true(&object, "Paused") { Ok(object) } else { Err(object["status"].to_string()) }
    })
    .await;
    assert_well(&object);

    let mut wanted = policies(&[READ, FULL]);
    wanted["displayName"] = json!("After");
    world.user("reader", wanted).await;
    let object = world.ready("RamUser", "reader", "False", "Paused").await;
    assert_says(&object, "Ready", &["ram-operator.dev/paused"]);
    assert!(is_true(&object, "Paused"));
    assert!(condition(&object, "Stalled").is_none());
    no_writes(&world);
    patch_metadata(&world, "reader", json!({"annotations": {"ram-operator.dev/paused": null}})).await;
    let object = world.available("RamUser", "reader").await;
    assert!(condition(&object, "Paused").is_none());
    assert_eq!(world.writes(), [update(&name), attach(&name, FULL)]);

    // Drift is left alone, too.
    world.annotate("RamUser", "reader", annotation::PAUSED, "true").await;
    world.ram.person().attach(&name, "System", OTHER);
    let object = looked(&world, "reader").await;
    assert_eq!(reason(&object), "Paused");
    no_writes(&world);
    patch_metadata(&world, "reader", json!({"annotations": {"ram-operator.dev/paused": null}})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, OTHER)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_paused_from_the_start_waits() {
    let world = World::new("paused_new").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let mut object = world.user_object("reader", json!({}));
    object["metadata"]["annotations"] = json!({"ram-operator.dev/paused": "true"});
    world.apply(object).await;
    let object = world.ready("RamUser", "reader", "False", "Paused").await;
    assert!(is_true(&object, "Paused"));
    no_writes(&world);
    patch_metadata(&world, "reader", json!({"annotations": {"ram-operator.dev/paused": null}})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [create(&name), attach(&name, READ)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_goes_on_while_paused() {
    let world = World::new("paused_delete").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    world.annotate("RamUser", "reader", annotation::PAUSED, "true").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [detach(&name, READ), remove(&name)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Requests, events, rest.

#[tokio::test(flavor = "multi_thread")]
async fn a_request_can_be_waited_for() {
    let world = World::new("request").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    made(&world, "reader", json!({})).await;
    world.ram.person().detach(&name, "System", READ);
    world.annotate("RamUser", "reader", annotation::RECONCILE, "now-1").await;
    for condition in ["jsonpath={.status.requests.reconcile.done}=now-1", "condition=Ready"] {
        let mut wait = shared().await.cluster.kubectl();
        wait.args(["wait", "ramuser/reader", "--timeout=100s"])
            .arg(format!("--namespace={}", world.ns))
            .arg(format!("--for={condition}"));
        let output = tokio::task::spawn_blocking(move || wait.output()).await.expect("no panic").expect("kubectl runs");
        assert!(output.status.success(), "{condition}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.writes(), [attach(&name, READ)]);
    let object = stored(&world, "reader").await;
    assert_eq!(object["status"]["requests"]["reconcile"], json!({"accepted": "now-1", "done": "now-1"}));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Events on an object: reason, and whether it was repeated.
async fn events(world: &World, object: &str) -> Vec<(String, bool)> {
    let api: Api<Event> = Api::namespaced(world.admin.clone(), &world.ns);
    let all = api.list(&ListParams::default()).await.expect("a list");
    let of = |event: &&Event| event.regarding.as_ref().and_then(|about| about.name.as_deref()) == Some(object);
    all.items
        .iter()
        .filter(of)
        .map(|event| (event.reason.clone().unwrap_or_default(), event.series.is_some()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_is_written_and_nothing_is_announced() {
    let world = World::new("rest").await;
    let operator = world.operator().await;
    // Else the user might say first that there is no account.
    world.available("RamAccount", &world.name).await;
    made(&world, "reader", json!({})).await;
    let once = vec![("Available".to_owned(), false)];
    let seen = eventually("an event", || async {
        let seen = events(&world, "reader").await;
        if seen.is_empty() { Err("none") } else { Ok(seen) }
    })
    .await;
    assert_eq!(seen, once);
    for _ in 0..2 {
        assert_well(&looked(&world, "reader").await);
    }
    assert_eq!(events(&world, "reader").await, once);

    // A tenant that changes makes every user look, and none of them write.
    let before = world.users().get("reader").await.expect("a RamUser").resource_version();
    world.ram.clear_journal();
    world.tenant(grants(json!({"limits": {"users": 10}}))).await;
    eventually("a look at RAM", || async {
        let calls = world.ram.journal();
        if calls.iter().any(|call| call.action == "ListAccessKeys") { Ok(()) } else { Err("none") }
    })
    .await;
    no_writes(&world);
    let after = world.users().get("reader").await.expect("a RamUser").resource_version();
    assert_eq!(before, after);

    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let mut all = events(&world, "reader").await;
    all.sort();
    assert_eq!(all, [("Available".to_owned(), false), ("Removed".to_owned(), false)]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
