//! What takes a key out of use now, what brings it to those who use it, and from where it may be used.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use ram_operator::api::annotation;
use ram_operator::plan::marker::Marker;
use serde_json::{Value, json};

use crate::rotation::{
    ask, assert_says, assert_true, assert_well, assert_without, create, done, hours, looked, lose_status, made,
    no_writes, rotated, stored, take_off, until_without, usual_tenant, works,
};
use crate::support::operator::NAMESPACE;
use crate::support::ram::Options;
use crate::world::{World, condition, eventually};

fn disable(number: u32) -> String {
    format!("UpdateAccessKey #{number} Inactive")
}

fn remove(number: u32) -> String {
    format!("DeleteAccessKey #{number}")
}

fn purge(number: u32) -> String {
    format!("DeleteAccessKeyInRecycleBin #{number}")
}

// By annotation.

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_disabled_first_then_replaced_then_deleted() {
    let world = World::new("revoke").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    ask(&world, "revoke", &first).await;
    let object = done(&world, "revoke", &first).await;
    assert_eq!(world.writes(), [disable(1), create(&world), remove(1), purge(1)]);
    assert_well(&object);
    let second = works(&world).await;
    assert_eq!(object["status"]["accessKeyId"], json!(second));
    assert_eq!(object["status"]["revoked"][0]["id"], json!(first));
    assert!(object["status"]["retiring"].is_null(), "{}", object["status"]);
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(second.clone(), true)].into());
    assert!(world.ram.person().in_recycle_bin().is_empty());
    // The annotation is still there; and nobody gets the key back.
    assert_well(&looked(&world, "ingest").await);
    ask(&world, "restore", &first).await;
    let object = looked(&world, "ingest").await;
    assert_true(&object, "RestoreRefused", "Revoked", &[&second]);
    assert_well(&object);
    no_writes(&world);
    let events = world.events("ingest").await;
    for reason in ["KeyDisabled", "Published", "KeyDeleted"] {
        assert!(events.iter().any(|event| event == reason), "{reason}: {events:?}");
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retiring_key_is_revoked_without_a_new_pair() {
    for (test, quarantined) in [("revoke_overlap", false), ("revoke_quarantine", true)] {
        let world = World::new(test).await;
        let operator = world.operator().await;
        let (first, second) = rotated(&world, json!({})).await;
        if quarantined {
            world.clock.advance(hours(25));
            looked(&world, "ingest").await;
            assert_eq!(world.writes(), [disable(1)]);
        }
        world.ram.person().use_key(&first);
        ask(&world, "revoke", &first).await;
        let object = done(&world, "revoke", &first).await;
        let wanted = [disable(1), remove(1), purge(1)];
        assert_eq!(world.writes(), wanted[usize::from(quarantined)..]);
        assert_well(&object);
        assert_eq!(works(&world).await, second);
        assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(second, true)].into());
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_not_ours_is_not_revoked() {
    let world = World::new("revoke_refused").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let name = world.ram_name("reader");
    let foreign = world.ram.person().create_key(&name).0;
    for value in [foreign.as_str(), "LTAI5tNobodyHasIt00000001", "now"] {
        ask(&world, "revoke", value).await;
        let object = looked(&world, "ingest").await;
        assert_true(&object, "RevokeRefused", "NotOurKey", &[&first, "Correct or remove it"]);
        assert_well(&object);
        assert!(object["status"]["requests"]["revoke"].is_null() && object["status"]["revoked"].is_null());
        no_writes(&world);
    }
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (foreign, true)].into());
    assert_eq!(works(&world).await, first);
    take_off(&world, "revoke").await;
    assert_without(&looked(&world, "ingest").await, "RevokeRefused");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_both_slots_taken_the_revoked_key_itself_makes_room() {
    let world = World::new("revoke_full").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let name = world.ram_name("reader");
    let foreign = world.ram.person().create_key(&name).0;
    ask(&world, "revoke", &first).await;
    assert_well(&done(&world, "revoke", &first).await);
    assert_eq!(world.writes(), [disable(1), remove(1), create(&world), purge(1)]);
    let third = works(&world).await;
    assert_eq!(world.keys_in_ram(&name), [(foreign, true), (third, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_overlap_the_old_key_outlives_a_revoked_new_one() {
    let world = World::new("revoke_new").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    ask(&world, "revoke", &second).await;
    let object = done(&world, "revoke", &second).await;
    assert_well(&object);
    assert_eq!(world.writes(), [disable(2), remove(2), create(&world), purge(2)]);
    let third = works(&world).await;
    assert_eq!(object["status"]["retiring"][0]["id"], json!(first));
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(first, true), (third, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tenant_a_key_is_disabled_at_once_and_replaced_when_granted_again() {
    let world = World::new("revoke_tenant").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let name = world.ram_name("reader");
    world.delete("RamTenant", &world.name).await;
    world.gone("RamTenant", &world.name).await;
    world.ready("RamAccessKey", "ingest", "False", "NotATenant").await;
    ask(&world, "revoke", &first).await;
    eventually("the key to be disabled", || async {
        let keys = world.keys_in_ram(&name);
        if keys.get(&first) == Some(&false) { Ok(()) } else { Err(format!("{keys:?}")) }
    })
    .await;
    // The order stands, whatever becomes of the annotation, and of the process.
    take_off(&world, "revoke").await;
    operator.kill();
    let operator = world.operator().await;
    let object = looked(&world, "ingest").await;
    assert_eq!(world.writes(), [disable(1)]);
    assert_eq!(condition(&object, "Ready").expect("Ready")["reason"], "NotATenant");
    let request = &object["status"]["requests"]["revoke"];
    assert!(request["accepted"] == json!(first) && request["done"].is_null(), "{request}");
    world.tenant(usual_tenant()).await;
    assert_well(&done(&world, "revoke", &first).await);
    assert_eq!(world.writes(), [create(&world), remove(1), purge(1)]);
    let second = works(&world).await;
    assert_eq!(world.keys_in_ram(&name), [(second, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_is_acted_on_even_when_the_status_was_lost() {
    let world = World::new("revoke_lost").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    operator.stop().await;
    lose_status(&world).await;
    ask(&world, "revoke", &first).await;
    let operator = world.operator().await;
    assert_well(&done(&world, "revoke", &first).await);
    assert_eq!(world.writes(), [disable(1), create(&world), remove(1), purge(1)]);
    works(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// By key id.

pub fn leak(world: &World, name: &str, id: &str) -> Value {
    let spec = json!({"accountRef": {"name": world.name}, "accessKeyId": id, "note": "found in a log"});
    json!({"kind": "RamRevocation", "metadata": {"name": name}, "spec": spec})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_revokes_a_key_without_knowing_whose_it_is() {
    let world = World::new("leak").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let name = format!("{}-leak", world.name);
    world.apply(leak(&world, &name, &first)).await;
    let object = world.ready("RamRevocation", &name, "True", "Revoked").await;
    assert_eq!(world.writes(), [disable(1), create(&world), remove(1), purge(1)]);
    assert_eq!(object["status"]["userName"], json!(world.ram_name("reader")));
    assert_well(&world.available("RamAccessKey", "ingest").await);
    let second = works(&world).await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(second.clone(), true)].into());

    // It stays as a note, and rests.
    world.reconcile("RamRevocation", &name).await;
    let before = world.versions().await;
    assert_well(&looked(&world, "ingest").await);
    world.ready("RamRevocation", &name, "True", "Revoked").await;
    let (kind, after) = (format!("RamRevocation/{name}"), world.versions().await);
    assert_eq!(before.get(&kind), after.get(&kind), "nobody writes what is done");
    world.delete("RamRevocation", &name).await;
    world.gone("RamRevocation", &name).await;
    no_writes(&world);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_replaced_yet_is_disabled_all_the_same() {
    let world = World::new("leak_tenant").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    world.delete("RamTenant", &world.name).await;
    world.gone("RamTenant", &world.name).await;
    let name = format!("{}-leak", world.name);
    world.apply(leak(&world, &name, &first)).await;
    let object = world.ready("RamRevocation", &name, "False", "AwaitingReplacement").await;
    assert_says(&object, "Ready", &[&format!("{}/ingest", world.ns)]);
    assert_eq!(world.writes(), [disable(1)]);
    world.tenant(usual_tenant()).await;
    world.ready("RamRevocation", &name, "True", "Revoked").await;
    assert_eq!(world.writes(), [create(&world), remove(1), purge(1)]);
    works(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_revokes_what_nobody_publishes() {
    let world = World::new("leak_other").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    // On its way out.
    let name = format!("{}-old", world.name);
    world.apply(leak(&world, &name, &first)).await;
    world.ready("RamRevocation", &name, "True", "Revoked").await;
    assert_eq!(world.writes(), [disable(1), remove(1), purge(1)]);
    // A list may lack what was replaced within the last minute, so that one look is not enough to call it gone.
    world.clock.advance(Duration::from_secs(65));
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert!(object["status"]["retiring"].is_null(), "{}", object["status"]);
    // Made by hand on a user of ours: the person says so.
    let foreign = world.ram.person().create_key(&world.ram_name("reader")).0;
    let name = format!("{}-by-hand", world.name);
    world.apply(leak(&world, &name, &foreign)).await;
    world.ready("RamRevocation", &name, "True", "Revoked").await;
    assert_eq!(world.writes(), [disable(3), remove(3), purge(3)]);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_users_that_are_not_ours_are_not_touched() {
    let world = World::new("leak_refused").await;
    let operator = world.operator().await;
    let person = world.ram.person();
    person.create_user("somebody", "a person's");
    let marker = Marker::of("elsewhere", &world.ns, "reader", "0a1b2c3d-0000");
    person.create_user("somebody-elses", &marker.append_to("of another installation"));
    let (theirs, _) = person.create_key("somebody");
    let (others, _) = person.create_key("somebody-elses");
    let own = world.ram.access_key().0;
    for (n, id) in [&theirs, &others, &own].into_iter().enumerate() {
        let name = format!("{}-{n}", world.name);
        world.apply(leak(&world, &name, id)).await;
        let object = world.ready("RamRevocation", &name, "False", "RevokeRefused").await;
        assert_true(&object, "Stalled", "RevokeRefused", &[id, "by hand"]);
        world.delete("RamRevocation", &name).await;
        world.gone("RamRevocation", &name).await;
    }
    let name = format!("{}-unknown", world.name);
    world.apply(leak(&world, &name, "LTAI5tNobodyHasIt00000001")).await;
    let object = world.ready("RamRevocation", &name, "False", "KeyNotFound").await;
    assert_true(&object, "Stalled", "KeyNotFound", &["LTAI5tNobodyHasIt00000001", "accessKeyId"]);
    no_writes(&world);
    assert_eq!(world.keys_in_ram("somebody"), [(theirs, true)].into());
    assert_eq!(world.keys_in_ram("somebody-elses"), [(others, true)].into());
    assert_eq!(world.keys_in_ram("ram-operator"), [(own, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_has_one_form_and_does_not_change() {
    let world = World::new("leak_schema").await;
    let name = format!("{}-leak", world.name);
    let said = |answer: Result<DynamicObject, kube::Error>| answer.expect_err("refused").to_string();
    let order = json!({
        "from": "RamUser/a/b", "uid": "u", "accessKeyIds": [], "intents": [],
        "user": {"userName": "a.b", "namespace": "a", "name": "b"},
    });
    let mut both = leak(&world, &name, "LTAI5tNobodyHasIt00000001");
    both["spec"]["order"] = order;
    assert!(said(world.try_apply(both).await).contains("exactly one of `accessKeyId` (yours), `order` and `leftOver`"));
    let mut none = leak(&world, &name, "");
    none["spec"] = json!({"accountRef": {"name": world.name}});
    assert!(said(world.try_apply(none).await).contains("exactly one of `accessKeyId` (yours), `order` and `leftOver`"));
    let short = leak(&world, &name, "LTAI");
    assert!(said(world.try_apply(short).await).contains("spec.accessKeyId"));
    world.apply(leak(&world, &name, "LTAI5tNobodyHasIt00000001")).await;
    for (field, value) in [("note", "another"), ("accessKeyId", "LTAI5tNobodyHasIt00000002")] {
        let mut changed = leak(&world, &name, "LTAI5tNobodyHasIt00000001");
        changed["spec"][field] = json!(value);
        assert!(said(world.try_apply(changed).await).contains("may not be changed"), "{field}");
    }
    world.delete("RamRevocation", &name).await;
    world.gone("RamRevocation", &name).await;
    world.examine(None).await;
}

// Suspended.

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_user_has_no_key_in_use_and_gets_them_back() {
    let world = World::new("suspended").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let first = made(&world, json!({})).await;
    world.user("reader", json!({"state": "Suspended"})).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "UserSuspended").await;
    assert_says(&object, "Ready", &["spec.state of the RamUser"]);
    world.ready("RamUser", "reader", "False", "Suspended").await;
    assert_eq!(world.writes(), [disable(1)]);
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), false)].into());
    assert_eq!(world.ram.snapshot().users[&name].policies, ["System/AliyunOTSReadOnlyAccess"]);
    // Nothing is granted meanwhile, to nobody.
    operator.kill();
    let operator = world.operator().await;
    ask(&world, "rotate", "now").await;
    looked(&world, "ingest").await;
    world.key("other", "reader", json!({})).await;
    world.ready("RamAccessKey", "other", "False", "UserSuspended").await;
    no_writes(&world);
    world.delete("RamAccessKey", "other").await;
    world.gone("RamAccessKey", "other").await;
    world.user("reader", json!({"state": "Active"})).await;
    world.available("RamUser", "reader").await;
    assert_well(&done(&world, "rotate", "now").await);
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active".to_owned(), create(&world)]);
    let second = works(&world).await;
    assert_eq!(world.keys_in_ram(&name), [(first, true), (second, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_inactive_by_itself_stays_so_when_its_user_is_back() {
    let world = World::new("suspended_inactive").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    world.key("ingest", "reader", json!({"state": "Inactive"})).await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    assert_eq!(world.writes(), [disable(1)]);
    world.user("reader", json!({"state": "Suspended"})).await;
    world.ready("RamUser", "reader", "False", "Suspended").await;
    world.ready("RamAccessKey", "ingest", "False", "UserSuspended").await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    no_writes(&world);
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active"]);
    assert_eq!(works(&world).await, first);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Restarts.

const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

fn workloads(world: &World, kind: &str) -> Api<DynamicObject> {
    let resource = match kind {
        "Deployment" => ApiResource::erase::<Deployment>(&()),
        "StatefulSet" => ApiResource::erase::<StatefulSet>(&()),
        "DaemonSet" => ApiResource::erase::<DaemonSet>(&()),
        other => panic!("no workload: {other}"),
    };
    Api::namespaced_with(world.admin.clone(), &world.ns, &resource)
}

pub async fn workload(world: &World, kind: &str, name: &str) {
    let labels = json!({"app": name});
    let container = json!({"name": "main", "image": "registry.example.com/ingest:1"});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
    let mut spec = json!({"selector": {"matchLabels": labels}, "template": template});
    if kind != "DaemonSet" {
        spec["replicas"] = json!(0);
    }
    if kind == "StatefulSet" {
        spec["serviceName"] = json!(name);
    }
    let body = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let body: DynamicObject = serde_json::from_value(body).expect("a workload");
    workloads(world, kind).create(&PostParams::default(), &body).await.expect("made");
}

/// Generation of a workload, and the key that its pods were restarted for.
pub async fn restarted(world: &World, kind: &str, name: &str) -> (Option<i64>, Option<String>) {
    let found = workloads(world, kind).get(name).await.expect("a workload");
    let annotations = found.data.pointer("/spec/template/metadata/annotations");
    let key = annotations.and_then(|all| all["ram-operator.dev/restarted-for.ingest"].as_str().map(str::to_owned));
    (found.metadata.generation, key)
}

/// The right that the chart gives with `restartTargets.enabled`, in this namespace only.
pub async fn right_to_restart(world: &World) {
    let rule = json!({
        "apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "daemonsets"], "verbs": ["get", "patch"],
    });
    let role = json!({"metadata": {"name": "restarts"}, "rules": [rule]});
    let roles: Api<Role> = Api::namespaced(world.admin.clone(), &world.ns);
    let role = serde_json::from_value(role).expect("a Role");
    roles.create(&PostParams::default(), &role).await.expect("made");
    let binding = json!({
        "metadata": {"name": "restarts"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "restarts"},
        "subjects": [{"kind": "ServiceAccount", "name": "ram-operator", "namespace": NAMESPACE}],
    });
    let bindings: Api<RoleBinding> = Api::namespaced(world.admin.clone(), &world.ns);
    let binding = serde_json::from_value(binding).expect("a RoleBinding");
    bindings.create(&PostParams::default(), &binding).await.expect("made");
}

pub fn targets(names: &[(&str, &str)]) -> Value {
    let all: Vec<Value> = names.iter().map(|(kind, name)| json!({"kind": kind, "name": name})).collect();
    json!({"rotation": {"overlap": "3h", "quarantine": "1h"}, "restartTargets": all})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_restart_the_same_workload_and_neither_takes_that_for_interference() {
    let world = World::new("restart_shared").await;
    let operator = world.operator().await;
    right_to_restart(&world).await;
    workload(&world, "Deployment", "ingest").await;
    made(&world, targets(&[("Deployment", "ingest")])).await;
    world.user("writer", json!({})).await;
    world.key("egress", "writer", targets(&[("Deployment", "ingest")])).await;
    world.available("RamAccessKey", "egress").await;
    until_without(&world, "RestartFailed").await;
    ask(&world, "rotate", "1").await;
    done(&world, "rotate", "1").await;
    world.annotate("RamAccessKey", "egress", annotation::ROTATE, "1").await;
    let api = world.dynamic("RamAccessKey", Some(&world.ns));
    eventually("the other key to be rotated", || async {
        let object = api.get("egress").await.map_err(|e| e.to_string())?;
        let done = &object.data["status"]["requests"]["rotate"]["done"];
        if *done == json!("1") { Ok(()) } else { Err(object.data["status"].to_string()) }
    })
    .await;
    for name in ["ingest", "egress"] {
        world.reconcile("RamAccessKey", name).await;
        let object = api.get(name).await.expect("there");
        assert_without(&object.data, "RestartFailed");
    }
    assert_eq!(restarted(&world, "Deployment", "ingest").await, (Some(3), Some(works(&world).await)));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_nothing_is_restarted_and_that_is_said() {
    let world = World::new("restart_denied").await;
    let operator = world.operator().await;
    workload(&world, "Deployment", "ingest").await;
    let first = made(&world, targets(&[("Deployment", "ingest")])).await;
    let object = looked(&world, "ingest").await;
    assert_well(&object);
    assert_true(&object, "RestartFailed", "RestartFailed", &["Deployment ingest", "restartTargets.enabled"]);
    // Rotation goes on: who restarts the pods otherwise is not held up.
    world.clock.advance(hours(240));
    ask(&world, "rotate", "now").await;
    let object = done(&world, "rotate", "now").await;
    assert_well(&object);
    assert_true(&object, "RestartFailed", "RestartFailed", &["by hand"]);
    assert_ne!(works(&world).await, first);
    assert_eq!(restarted(&world, "Deployment", "ingest").await, (Some(1), None));
    right_to_restart(&world).await;
    until_without(&world, "RestartFailed").await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_are_restarted_once_for_each_new_pair() {
    let world = World::new("restart").await;
    right_to_restart(&world).await;
    let operator = world.operator().await;
    for kind in KINDS {
        workload(&world, kind, "ingest").await;
    }
    let first = made(&world, targets(&KINDS.map(|kind| (kind, "ingest")))).await;
    until_without(&world, "RestartFailed").await;
    for kind in KINDS {
        // Who refers to the Secret could not start before it was there.
        assert_eq!(restarted(&world, kind, "ingest").await, (Some(1), None), "{kind}: not for the first pair");
    }
    world.clock.advance(hours(240));
    ask(&world, "rotate", "one").await;
    let object = done(&world, "rotate", "one").await;
    let second = works(&world).await;
    assert_ne!(first, second);
    for kind in KINDS {
        assert_eq!(restarted(&world, kind, "ingest").await, (Some(2), Some(second.clone())), "{kind}");
    }
    assert_without(&object, "RestartFailed");
    let restarts = object["status"]["restarts"].as_array().cloned().unwrap_or_default();
    assert_eq!(restarts.len(), 3, "{restarts:?}");
    assert!(restarts.iter().all(|restart| restart["accessKeyId"] == json!(second)), "{restarts:?}");
    assert!(world.events("ingest").await.iter().any(|event| event == "Restarted"));
    // A new process restarts nobody.
    operator.kill();
    let operator = world.operator().await;
    looked(&world, "ingest").await;
    for kind in KINDS {
        assert_eq!(restarted(&world, kind, "ingest").await.0, Some(2), "{kind}");
    }

    // Taken back by somebody: said, and not done again.
    let back =
        json!({"spec": {"template": {"metadata": {"annotations": {"ram-operator.dev/restarted-for.ingest": null}}}}});
    let patched = workloads(&world, "Deployment").patch("ingest", &PatchParams::default(), &Patch::Merge(back)).await;
    patched.expect("patched");
    for _ in 0..2 {
        let object = looked(&world, "ingest").await;
        assert_true(&object, "RestartFailed", "RestartFailed", &["Deployment ingest was taken back", "by hand"]);
        assert_well(&object);
        assert_eq!(restarted(&world, "Deployment", "ingest").await, (Some(3), None));
    }

    // The next pair is another matter.
    world.clock.advance(hours(4));
    looked(&world, "ingest").await;
    world.clock.advance(hours(2));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), [create(&world), disable(1), remove(1)]);
    ask(&world, "rotate", "two").await;
    let object = done(&world, "rotate", "two").await;
    let third = works(&world).await;
    for (kind, generation) in KINDS.into_iter().zip([4, 3, 3]) {
        assert_eq!(restarted(&world, kind, "ingest").await, (Some(generation), Some(third.clone())), "{kind}");
    }
    assert_without(&object, "RestartFailed");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_exist_is_named_and_holds_nobody_up() {
    let world = World::new("restart_missing").await;
    right_to_restart(&world).await;
    let operator = world.operator().await;
    workload(&world, "Deployment", "ingest").await;
    made(&world, targets(&[("Deployment", "ingest"), ("DaemonSet", "nosuch")])).await;
    eventually("the missing one to be named", || async {
        let object = looked(&world, "ingest").await;
        let found = condition(&object, "RestartFailed").ok_or("nothing")?;
        let message = found["message"].as_str().unwrap_or_default().to_owned();
        if message.starts_with("DaemonSet nosuch does not exist") { Ok(()) } else { Err("another failure") }
    })
    .await;
    world.clock.advance(hours(240));
    ask(&world, "rotate", "now").await;
    let object = done(&world, "rotate", "now").await;
    assert_well(&object);
    let words = ["DaemonSet nosuch does not exist", "correct restartTargets"];
    assert_true(&object, "RestartFailed", "RestartFailed", &words);
    let second = works(&world).await;
    assert_eq!(restarted(&world, "Deployment", "ingest").await, (Some(2), Some(second)));
    // One that comes later starts with the pair that is there.
    workload(&world, "DaemonSet", "nosuch").await;
    assert_without(&looked(&world, "ingest").await, "RestartFailed");
    assert_eq!(restarted(&world, "DaemonSet", "nosuch").await, (Some(1), None));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Allowed sources.

fn sources(cidrs: &[&str]) -> Value {
    json!({"allowedSources": {"publicCidrs": cidrs}})
}

fn restrict(number: u32, cidrs: &str) -> String {
    format!("SetAccessKeyPolicy #{number} Active {cidrs}")
}

#[tokio::test(flavor = "multi_thread")]
async fn allowed_sources_are_set_after_the_publish_and_read_back_with_patience() {
    let options = Options { key_policy_lag: Duration::from_mins(2), ..Options::default() };
    let world = World::with("sources", options).await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.key("ingest", "reader", sources(&["127.0.0.0/8"])).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "SourcesPending").await;
    let first = works(&world).await;
    assert_says(&object, "Ready", &[&first, "Wait"]);
    assert_without(&object, "Stalled");
    // Asked for once, however often it is looked at.
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), [create(&world), restrict(1, "127.0.0.0/8")]);
    world.clock.advance(Duration::from_mins(3));
    world.available("RamAccessKey", "ingest").await;
    no_writes(&world);

    // A change.
    let wider = sources(&["203.0.113.7", "127.0.0.0/8"]);
    world.key("ingest", "reader", wider).await;
    world.ready("RamAccessKey", "ingest", "False", "SourcesPending").await;
    assert_eq!(world.writes(), [restrict(1, "127.0.0.0/8,203.0.113.7")]);
    world.clock.advance(Duration::from_mins(3));
    world.available("RamAccessKey", "ingest").await;

    // A new pair has them too.
    world.clock.advance(hours(240));
    ask(&world, "rotate", "now").await;
    done(&world, "rotate", "now").await;
    world.ready("RamAccessKey", "ingest", "False", "SourcesPending").await;
    assert_eq!(world.writes(), [create(&world), restrict(2, "127.0.0.0/8,203.0.113.7")]);
    let second = works(&world).await;
    assert_ne!(first, second);
    world.clock.advance(Duration::from_mins(3));
    world.available("RamAccessKey", "ingest").await;

    // Taken away by hand: that widens access, and is put back.
    world.clock.advance(Duration::from_mins(10));
    world.ram.person().set_key_policy(&second, r#"{"Version":1,"Status":"Inactive","Statements":[]}"#);
    world.clock.advance(Duration::from_mins(3));
    looked(&world, "ingest").await;
    assert_eq!(world.writes(), [restrict(2, "127.0.0.0/8,203.0.113.7")]);
    world.clock.advance(Duration::from_mins(3));
    world.available("RamAccessKey", "ingest").await;
    let policy = world.ram.person().key_policy(&second).expect("a policy");
    assert!(policy.contains("203.0.113.7"), "{policy}");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_shut_the_operator_out_do_not_disturb_it() {
    // The pair itself may not be used from where the operator is; a refusal for that proves it all the same.
    let world = World::new("sources_out").await;
    let operator = world.operator().await;
    let first = made(&world, sources(&["203.0.113.0/24"])).await;
    operator.stop().await;
    lose_status(&world).await;
    let operator = world.operator().await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(object["status"]["accessKeyId"], json!(first));
    no_writes(&world);
    world.clock.advance(hours(240));
    ask(&world, "rotate", "now").await;
    done(&world, "rotate", "now").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [create(&world), restrict(2, "203.0.113.0/24")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_may_ask_for_allowed_sources() {
    let world = World::new("sources_asked").await;
    let operator = world.operator().await;
    let mut tenant = usual_tenant();
    tenant["accessKeys"] = json!({"allowedSources": "Required"});
    world.tenant(tenant).await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.key("ingest", "reader", json!({})).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "SourcesRequired").await;
    assert_says(&object, "Ready", &["Add spec.allowedSources"]);
    no_writes(&world);
    world.key("ingest", "reader", sources(&["127.0.0.0/8"])).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [create(&world), restrict(1, "127.0.0.0/8")]);
    let first = works(&world).await;
    // A key that is there is kept; no other takes its place.
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "SourcesRequired").await;
    world.clock.advance(hours(240));
    ask(&world, "rotate", "now").await;
    assert_true(&looked(&world, "ingest").await, "RotationBlocked", "SourcesRequired", &["allowedSources"]);
    no_writes(&world);
    assert_eq!(works(&world).await, first);
    world.tenant(usual_tenant()).await;
    done(&world, "rotate", "now").await;
    assert_well(&world.available("RamAccessKey", "ingest").await);
    assert_eq!(world.writes(), [create(&world)]);
    // With no source at all the key could not be used: that is what `state` is for.
    let nothing = world.key_object("ingest", "reader", json!({"allowedSources": {}}));
    let refused = world.try_apply(nothing).await.expect_err("refused").to_string();
    assert!(refused.contains("at least one source"), "{refused}");
    let object = stored(&world, "RamAccessKey", "ingest").await;
    assert!(object["spec"]["allowedSources"].is_null());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
