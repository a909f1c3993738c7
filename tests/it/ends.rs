//! Deletions end, whatever is in their way, and nothing is forgotten: what cannot be taken away now is left to RamRevocations.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use ram_operator::api::{FINALIZER, annotation};
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::faults::Gate;
use crate::freeze::hold_first;
use crate::rotation::{
    assert_says, assert_true, days, hours, looked, made, made_for, no_writes, sorted_writes, stored, time,
    usual_tenant, works,
};
use crate::support::operator::{NAMESPACE, Running};
use crate::support::ram::{Fault, FaultKind, Hook, Phase};
use crate::world::{World, condition, eventually};

/// A deletion that does not succeed is handed over after two seconds.
fn flags(world: &World) -> Run {
    Run { hand_over_after: Duration::from_secs(2), ..world.flags() }
}

async fn start(world: &World) -> Running {
    let clients = |config: kube::Config| Clients::new(&config).expect("clients");
    world.operator_with(flags(world), Environment::default(), clients).await
}

/// An operator whose calls to the API server pass this gate.
async fn start_behind(world: &World, gate: &Arc<Gate>) -> Running {
    let gate = Arc::clone(gate);
    world.operator_with(flags(world), Environment::default(), move |config| gate.clients(&config)).await
}

fn ram_is_down(world: &World) {
    let kind = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
    world.ram.fault(Fault::everywhere(kind));
}

fn detach(world: &World) -> String {
    format!("DetachPolicyFromUser {} System/AliyunOTSReadOnlyAccess", world.ram_name("reader"))
}

fn remove_user(world: &World) -> String {
    format!("DeleteUser {}", world.ram_name("reader"))
}

/// What it takes to remove a user with one policy and one key.
fn everything(world: &World) -> [String; 4] {
    let key = |line: &str| line.to_owned();
    [key("UpdateAccessKey #1 Inactive"), key("DeleteAccessKey #1"), detach(world), remove_user(world)]
}

fn in_ram(world: &World) -> bool {
    world.ram.snapshot().users.contains_key(&world.ram_name("reader"))
}

async fn delete_namespace(world: &World) {
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    namespaces.delete(&world.ns, &DeleteParams::default()).await.expect("deletion asked for");
}

async fn namespace_gone(world: &World) {
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    eventually("the namespace to be gone", || async {
        match namespaces.get_opt(&world.ns).await {
            Ok(None) => Ok(()),
            other => Err(format!("{:?}", other.map(|found| found.and_then(|namespace| namespace.status)))),
        }
    })
    .await;
}

/// The RamRevocations of this corner.
pub async fn orders(world: &World) -> Vec<DynamicObject> {
    let params = ListParams::default().labels(&world.label());
    world.dynamic("RamRevocation", None).list(&params).await.expect("a list").items
}

/// The order that an object of this kind left; waits for it.
async fn order_of(world: &World, kind: &str) -> (String, Value) {
    let prefix = format!("{}-", kind.to_lowercase());
    eventually(&format!("an order of a {kind}"), || async {
        let all = orders(world).await;
        let names: Vec<String> = all.iter().map(kube::ResourceExt::name_any).collect();
        let found = all.into_iter().find(|order| order.name_any().starts_with(&prefix));
        found.map(|order| (order.name_any(), order.data)).ok_or_else(|| format!("{names:?}"))
    })
    .await
}

/// Asks for a look at every order, without waiting: one that is done goes.
async fn poke_orders(world: &World) {
    let api = world.dynamic("RamRevocation", None);
    for order in orders(world).await {
        let value = uuid::Uuid::new_v4().to_string();
        let patch = json!({"metadata": {"annotations": {annotation::RECONCILE: value}}});
        let _ = api.patch(&order.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
    }
}

/// Waits until every order is carried out. That would come by itself within minutes; looks are asked for to save the time.
pub async fn all_done(world: &World) {
    let mut done = pin!(eventually("every order to be carried out", || async {
        let left = orders(world).await;
        match left.first() {
            None => Ok(()),
            Some(order) => Err(format!("{}: {}", order.name_any(), order.data["status"]["conditions"])),
        }
    }));
    let mut again = tokio::time::interval(Duration::from_secs(3));
    loop {
        tokio::select! {
            () = &mut done => return,
            _ = again.tick() => poke_orders(world).await,
        }
    }
}

/// Waits until a request came to a gate.
async fn came(gate: &Gate) {
    tokio::time::timeout(Duration::from_mins(2), gate.came()).await.expect("the request came");
}

/// Garbage collection takes the Secret of a RamAccessKey that is gone.
async fn secret_gone(world: &World) {
    eventually("garbage collection of the Secret", || async {
        match world.secrets().get_opt("ingest").await {
            Ok(None) => Ok(()),
            other => Err(format!("{:?}", other.map(|found| found.map(|secret| secret.metadata)))),
        }
    })
    .await;
}

/// Waits for a line of the operator's metrics.
async fn metric(operator: &Running, line: &str) {
    eventually(line, || async {
        let answer = reqwest::get(format!("http://{}/metrics", operator.address)).await.map_err(|e| e.to_string())?;
        let text = answer.text().await.map_err(|e| e.to_string())?;
        if text.lines().any(|found| found == line) { Ok(()) } else { Err("another number".to_owned()) }
    })
    .await;
}

/// The age of the oldest order that is not done, in seconds; 0 without one.
async fn oldest_order(operator: &Running) -> u64 {
    let answer = reqwest::get(format!("http://{}/metrics", operator.address)).await.expect("an answer");
    let text = answer.text().await.expect("text");
    let name = "ram_operator_oldest_pending_revocation_age_seconds ";
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
    line.parse().expect("a number")
}

// Namespaces.

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_while_ram_is_down() {
    let world = World::new("ends_down").await;
    let operator = start(&world).await;
    let id = made(&world, json!({})).await;
    let name = world.ram_name("reader");
    ram_is_down(&world);
    delete_namespace(&world).await;
    namespace_gone(&world).await;
    // What is left to be done is there to be seen, and why it waits.
    for kind in ["RamAccessKey", "RamUser"] {
        let (order, _) = order_of(&world, kind).await;
        let object = world.ready("RamRevocation", &order, "False", "RamUnavailable").await;
        assert_says(&object, "Ready", &["ServiceUnavailable", "see the network"]);
        let spec = &object["spec"]["order"];
        assert_eq!(spec["accountId"], json!(world.ram.account_id()));
        assert_eq!(spec["user"]["userName"], json!(name));
        // Whether the user's order names the key too depends on which of the two objects went first.
        if kind == "RamAccessKey" {
            assert_eq!(spec["accessKeyIds"], json!([id]));
        }
    }
    metric(&operator, "ram_operator_pending_revocations 2").await;
    world.clock.advance(hours(1));
    assert!((3600..7200).contains(&oldest_order(&operator).await), "the age of the older one, in seconds");
    assert_eq!(world.keys_in_ram(&name), [(id, true)].into());
    no_writes(&world);
    world.ram.clear_faults();
    all_done(&world).await;
    assert_eq!(world.writes(), everything(&world));
    assert!(!in_ram(&world));
    metric(&operator, "ram_operator_pending_revocations 0").await;
    assert_eq!(oldest_order(&operator).await, 0);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_after_the_operators_credentials_did() {
    let world = World::new("ends_credentials").await;
    let operator = start(&world).await;
    made(&world, json!({})).await;
    let secrets: Api<Secret> = Api::namespaced(world.admin.clone(), NAMESPACE);
    secrets.delete(&world.name, &DeleteParams::default()).await.expect("deleted");
    world.ready("RamAccount", &world.name, "False", "CredentialsNotFound").await;
    delete_namespace(&world).await;
    namespace_gone(&world).await;
    for kind in ["RamAccessKey", "RamUser"] {
        let (order, _) = order_of(&world, kind).await;
        let object = world.ready("RamRevocation", &order, "False", "AccountNotReady").await;
        assert_says(&object, "Ready", &[&world.name, "CredentialsNotFound"]);
    }
    no_writes(&world);
    assert!(in_ram(&world));
    // A watch notices that they are there again.
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.available("RamAccount", &world.name).await;
    all_done(&world).await;
    assert_eq!(world.writes(), everything(&world));
    assert!(!in_ram(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_somebody_elses_key_on_a_user() {
    let world = World::new("ends_foreign").await;
    let operator = start(&world).await;
    made(&world, json!({})).await;
    let name = world.ram_name("reader");
    let foreign = world.ram.person().create_key(&name).0;
    delete_namespace(&world).await;
    namespace_gone(&world).await;
    let (order, _) = order_of(&world, "RamUser").await;
    let object = world.ready("RamRevocation", &order, "False", "Blocked").await;
    assert_true(&object, "Stalled", "Blocked", &[&foreign, "Remove in RAM what the detail names"]);
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    assert_eq!(world.keys_in_ram(&name), [(foreign.clone(), true)].into());

    // The account is needed until that is done, and says for what.
    world.delete("RamAccount", &world.name).await;
    let object = world.ready("RamAccount", &world.name, "False", "InUse").await;
    assert_says(&object, "Ready", &["RamRevocations", &order]);
    // Neither a new process nor a deletion by hand makes it forgotten.
    operator.stop().await;
    let operator = start(&world).await;
    world.delete("RamRevocation", &order).await;
    world.reconcile("RamRevocation", &order).await;
    world.ready("RamRevocation", &order, "False", "Blocked").await;
    no_writes(&world);
    assert_eq!(world.keys_in_ram(&name), [(foreign.clone(), true)].into());

    world.ram.person().delete_key(&foreign);
    all_done(&world).await;
    assert_eq!(world.writes(), [detach(&world), remove_user(&world)]);
    assert!(!in_ram(&world));
    world.gone("RamAccount", &world.name).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_orders_for_one_user_are_carried_out_once() {
    let world = World::new("ends_three").await;
    let operator = start(&world).await;
    made(&world, json!({})).await;
    world.key("other", "reader", json!({})).await;
    world.available("RamAccessKey", "other").await;
    world.writes();
    ram_is_down(&world);
    for (kind, name) in [("RamUser", "reader"), ("RamAccessKey", "ingest"), ("RamAccessKey", "other")] {
        world.delete(kind, name).await;
    }
    for (kind, name) in [("RamUser", "reader"), ("RamAccessKey", "ingest"), ("RamAccessKey", "other")] {
        world.gone(kind, name).await;
    }
    assert_eq!(orders(&world).await.len(), 3);
    // One that starts while RAM is down does not even know whether the account is the right one.
    operator.kill();
    let operator = start(&world).await;
    world.ram.clear_faults();
    world.annotate("RamAccount", &world.name, annotation::RECONCILE, "RAM is back").await;
    all_done(&world).await;
    let writes = world.writes();
    assert_eq!(writes.last(), Some(&remove_user(&world)));
    let mut sorted = writes;
    sorted.sort();
    let mut wanted: Vec<String> = everything(&world).into();
    wanted.extend(["UpdateAccessKey #2 Inactive".to_owned(), "DeleteAccessKey #2".to_owned()]);
    wanted.sort();
    assert_eq!(sorted, wanted);
    assert!(!in_ram(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// What an order says and who may end it.

#[tokio::test(flavor = "multi_thread")]
async fn an_order_can_be_given_up() {
    let world = World::new("ends_abandon").await;
    let operator = start(&world).await;
    made(&world, json!({})).await;
    let name = world.ram_name("reader");
    let foreign = world.ram.person().create_key(&name).0;
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        world.delete(kind, name).await;
    }
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        world.gone(kind, name).await;
    }
    let (order, _) = order_of(&world, "RamUser").await;
    world.ready("RamRevocation", &order, "False", "Blocked").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    world.annotate("RamRevocation", &order, annotation::ABANDON, "kept for the auditors").await;
    world.gone("RamRevocation", &order).await;
    no_writes(&world);
    let left = &world.ram.snapshot().users[&name];
    assert_eq!(left.policies, ["System/AliyunOTSReadOnlyAccess"]);
    assert_eq!(world.keys_in_ram(&name), [(foreign, true)].into());
    // Events on what has no namespace are in `default`.
    let events: Api<Event> = Api::namespaced(world.admin.clone(), "default");
    let all = events.list(&ListParams::default()).await.expect("a list");
    let said = all.items.iter().any(|event| {
        let about = event.regarding.as_ref().and_then(|about| about.name.as_deref());
        let note = event.note.as_deref().unwrap_or_default();
        let abandoned = event.reason.as_deref() == Some("Abandoned") && note.contains("kept for the auditors");
        abandoned && about == Some(order.as_str())
    });
    assert!(said, "an event says that it was given up, and why");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_by_the_order() {
    let world = World::new("ends_denied").await;
    let operator = start(&world).await;
    let id = made(&world, json!({})).await;
    world.ram.person().deny("UpdateAccessKey");
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    let (order, _) = order_of(&world, "RamAccessKey").await;
    let object = world.ready("RamRevocation", &order, "False", "AccessDenied").await;
    assert_says(&object, "Ready", &["ram:UpdateAccessKey", "Grant it"]);
    let told = world.events("ingest").await;
    assert!(told.iter().any(|event| event == "HandedOver"), "{told:?}");
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(id, true)].into());
    no_writes(&world);
    world.ram.person().allow("UpdateAccessKey");
    all_done(&world).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    // Its user is somebody else's business.
    assert!(in_ram(&world));
    world.available("RamUser", "reader").await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_leaves_behind_is_left_by_an_order_too() {
    let world = World::new("ends_policy").await;
    let mut tenant = usual_tenant();
    tenant["retain"] = json!("Allow");
    world.tenant(tenant).await;
    let operator = start(&world).await;
    let sleeps = made(&world, json!({"deletionPolicy": "Disable"})).await;
    world.key("stays", "reader", json!({"deletionPolicy": "Retain"})).await;
    world.available("RamAccessKey", "stays").await;
    world.writes();
    let (stays, _) = world.pair("stays").await;
    ram_is_down(&world);
    for name in ["ingest", "stays"] {
        world.delete("RamAccessKey", name).await;
    }
    for name in ["ingest", "stays"] {
        world.gone("RamAccessKey", name).await;
    }
    // One of the two is to be disabled, nothing is to be deleted.
    assert_eq!(orders(&world).await.len(), 1);
    let (_, order) = order_of(&world, "RamAccessKey").await;
    let spec = &order["spec"]["order"];
    assert_eq!((&spec["disabledIds"], &spec["accessKeyIds"]), (&json!([sleeps]), &json!([])), "{spec}");
    world.ram.clear_faults();
    all_done(&world).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(sleeps, false), (stays.clone(), true)].into());
    assert_eq!(world.pair("stays").await.0, stays, "its Secret stays too");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Grace periods.

fn grace() -> Value {
    json!({"deletionGracePeriod": "2d"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_in_its_grace_period_can_be_had_back() {
    let world = World::new("grace_back").await;
    let operator = world.operator().await;
    let name = world.ram_name("reader");
    let id = made_for(&world, grace(), json!({})).await;
    let before = stored(&world, "RamUser", "reader").await["status"]["userId"].clone();
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let (order, _) = order_of(&world, "RamUser").await;
    let object = world.ready("RamRevocation", &order, "False", "GracePeriod").await;
    let end = time(&object["spec"]["order"]["user"]["notBefore"]);
    let now = world.clock.now();
    assert!(end > now + hours(47) && end < now + hours(49), "{end}");
    assert_says(&object, "Ready", &[&end.to_string(), "apply the RamUser again"]);
    assert!(condition(&object, "Stalled").is_none());
    world.ready("RamAccessKey", "ingest", "False", "UserNotFound").await;
    // Disarmed, and nothing more.
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert_eq!(world.keys_in_ram(&name), [(id.clone(), false)].into());
    assert_eq!(world.ram.snapshot().users[&name].policies, ["System/AliyunOTSReadOnlyAccess"]);
    world.clock.advance(hours(24));
    world.reconcile("RamRevocation", &order).await;
    operator.kill();
    let operator = start(&world).await;
    world.reconcile("RamRevocation", &order).await;
    no_writes(&world);

    world.user("reader", grace()).await;
    let object = world.available("RamUser", "reader").await;
    assert_eq!(object["status"]["userId"], before, "the same user");
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("UpdateUser {name}"), "UpdateAccessKey #1 Active".to_owned()]);
    assert_eq!(works(&world).await, id);
    // The order is void now, also when its time comes.
    world.clock.advance(days(3));
    all_done(&world).await;
    no_writes(&world);
    assert_eq!(works(&world).await, id);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_when_its_grace_period_is_over() {
    let world = World::new("grace_over").await;
    let operator = world.operator().await;
    made_for(&world, grace(), json!({})).await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let (order, _) = order_of(&world, "RamUser").await;
    world.ready("RamRevocation", &order, "False", "GracePeriod").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(47));
    world.reconcile("RamRevocation", &order).await;
    no_writes(&world);
    operator.kill();
    let operator = start(&world).await;
    world.clock.advance(hours(2));
    all_done(&world).await;
    assert_eq!(world.writes(), everything(&world)[1..]);
    assert!(!in_ram(&world));
    // Its RamAccessKey is still there, without a user, and goes when it is asked to.
    world.ready("RamAccessKey", "ingest", "False", "UserNotFound").await;
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_period_holds_also_when_ram_was_down_and_the_order_gives_back_what_it_disarmed() {
    let world = World::new("grace_down").await;
    let operator = start(&world).await;
    let name = world.ram_name("reader");
    let id = made_for(&world, grace(), json!({})).await;
    ram_is_down(&world);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let (order, object) = order_of(&world, "RamUser").await;
    assert!(object["spec"]["order"]["user"]["notBefore"].is_string(), "{}", object["spec"]);
    no_writes(&world);
    world.ram.clear_faults();
    poke_orders(&world).await;
    // The order disarms in the place of an object that could not.
    world.ready("RamRevocation", &order, "False", "GracePeriod").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    assert!(in_ram(&world));
    world.user("reader", grace()).await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("UpdateUser {name}"), "UpdateAccessKey #1 Active".to_owned()]);
    assert_eq!(works(&world).await, id);
    all_done(&world).await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Objects that come back while an order is pending.

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_the_same_name_takes_its_user_back_and_the_ordered_keys_go() {
    let world = World::new("back_user").await;
    let operator = start(&world).await;
    let name = world.ram_name("reader");
    made(&world, json!({})).await;
    let before = stored(&world, "RamUser", "reader").await["status"]["userId"].clone();
    ram_is_down(&world);
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        world.delete(kind, name).await;
    }
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        world.gone(kind, name).await;
    }
    assert_eq!(orders(&world).await.len(), 2);
    world.user("reader", json!({})).await;
    world.ram.clear_faults();
    world.poke("RamUser", "reader").await;
    let object = world.available("RamUser", "reader").await;
    assert_eq!(object["status"]["userId"], before);
    all_done(&world).await;
    let [disabled, deleted, ..] = everything(&world);
    assert_eq!(sorted_writes(&world), [deleted, disabled, format!("UpdateUser {name}")]);
    let left = &world.ram.snapshot().users[&name];
    assert!(left.keys.is_empty(), "nobody has their Secrets: {left:?}");
    assert_eq!(left.policies, ["System/AliyunOTSReadOnlyAccess"]);
    // And it is as good as any other.
    secret_gone(&world).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    works(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_comes_back_keeps_the_key_that_somebody_still_has() {
    let world = World::new("back_key").await;
    let operator = start(&world).await;
    let name = world.ram_name("reader");
    let id = made(&world, json!({})).await;
    ram_is_down(&world);
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let (_, order) = order_of(&world, "RamUser").await;
    assert_eq!(order["spec"]["order"]["accessKeyIds"], json!([id]));
    world.user("reader", json!({})).await;
    world.ram.clear_faults();
    world.poke("RamUser", "reader").await;
    world.available("RamUser", "reader").await;
    world.poke("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    all_done(&world).await;
    assert_eq!(world.writes(), [format!("UpdateUser {name}")]);
    assert_eq!(works(&world).await, id);
    assert_eq!(world.keys_in_ram(&name), [(id, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Mints without an answer.

/// A user with a published key and one whose answer was lost: ids of the stray (#1) and of the published key (#2).
async fn with_stray(world: &World) -> (String, String) {
    world.ram.fault(Fault::on("CreateAccessKey", FaultKind::CutAfter).times(1));
    let published = made(world, json!({})).await;
    let keys = world.keys_in_ram(&world.ram_name("reader"));
    assert_eq!(keys.len(), 2, "{keys:?}");
    (keys.into_keys().find(|id| *id != published).expect("a stray"), published)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_in_a_window_that_was_handed_over_is_found_disabled_and_later_deleted() {
    let world = World::new("window").await;
    let operator = start(&world).await;
    let (stray, published) = with_stray(&world).await;
    let name = world.ram_name("reader");
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    let (order, _) = order_of(&world, "RamAccessKey").await;
    let object = world.ready("RamRevocation", &order, "False", "AwaitingWindow").await;
    let spec = &object["spec"]["order"];
    assert_eq!(spec["intents"].as_array().map(Vec::len), Some(1), "{spec}");
    assert_eq!(spec["accessKeyIds"], json!([published]));
    assert_eq!(world.writes(), ["UpdateAccessKey #2 Inactive", "DeleteAccessKey #2"]);
    assert_eq!(world.keys_in_ram(&name), [(stray.clone(), true)].into());

    // A late publisher may still come.
    world.clock.advance(Duration::from_mins(10));
    world.reconcile("RamRevocation", &order).await;
    no_writes(&world);
    operator.kill();
    let operator = start(&world).await;
    world.clock.advance(Duration::from_mins(15));
    world.reconcile("RamRevocation", &order).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    let object = world.ready("RamRevocation", &order, "False", "Deleting").await;
    assert_eq!(object["status"]["strays"][0]["id"], json!(stray));
    world.clock.advance(Duration::from_mins(170));
    world.reconcile("RamRevocation", &order).await;
    no_writes(&world);
    world.clock.advance(Duration::from_mins(15));
    all_done(&world).await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert!(world.keys_in_ram(&name).is_empty() && in_ram(&world));
    world.available("RamUser", "reader").await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Key and user go while a stray of theirs waits for its quiet time: both objects end, and the orders carry it on.
#[tokio::test(flavor = "multi_thread")]
async fn a_stray_in_its_quiet_time_holds_neither_key_nor_user() {
    for patience in [Duration::from_secs(2), Duration::from_secs(12)] {
        let world = World::new("stray_ends").await;
        let clients = |config: kube::Config| Clients::new(&config).expect("clients");
        let flags = Run { hand_over_after: patience, ..world.flags() };
        let operator = world.operator_with(flags, Environment::default(), clients).await;
        let (stray, _) = with_stray(&world).await;
        let name = world.ram_name("reader");
        world.clock.advance(Duration::from_mins(25));
        let object = looked(&world, "ingest").await;
        assert_eq!(object["status"]["retiring"][0]["why"], json!("Stray"), "{}", object["status"]);
        world.delete("RamAccessKey", "ingest").await;
        world.delete("RamUser", "reader").await;
        world.gone("RamAccessKey", "ingest").await;
        world.gone("RamUser", "reader").await;
        assert_eq!(world.keys_in_ram(&name), [(stray, false)].into(), "it is watched for use before it goes");
        world.clock.advance(Duration::from_hours(4));
        all_done(&world).await;
        assert!(!in_ram(&world));
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_in_a_window_that_somebody_uses_is_left_alone() {
    let world = World::new("window_used").await;
    let operator = start(&world).await;
    let (suspect, _) = with_stray(&world).await;
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    let (order, _) = order_of(&world, "RamAccessKey").await;
    world.ready("RamRevocation", &order, "False", "AwaitingWindow").await;
    world.writes();
    world.clock.advance(Duration::from_mins(25));
    world.ram.person().use_key(&suspect);
    all_done(&world).await;
    no_writes(&world);
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(suspect, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_stays_until_the_windows_of_its_keys_have_passed() {
    let world = World::new("window_user").await;
    let operator = start(&world).await;
    // A mint that may still arrive, and needs the user to make a key.
    world.ram.fault(Fault::on("CreateAccessKey", FaultKind::CutBefore).times(1));
    made(&world, json!({})).await;
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    let (order, _) = order_of(&world, "RamAccessKey").await;
    world.ready("RamRevocation", &order, "False", "AwaitingWindow").await;
    // The object that knew of it is gone; the order knows.
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    assert!(in_ram(&world), "an object that takes the name again would be given the late key");
    let (order, _) = order_of(&world, "RamUser").await;
    world.ready("RamRevocation", &order, "False", "AwaitingWindow").await;
    world.clock.advance(Duration::from_mins(25));
    all_done(&world).await;
    assert_eq!(world.writes(), [detach(&world), remove_user(&world)]);
    assert!(!in_ram(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_no_key_that_is_published_and_not_noted_yet() {
    let world = World::new("window_fresh").await;
    let operator = start(&world).await;
    world.ram.fault(Fault::on("CreateAccessKey", FaultKind::CutBefore).times(1));
    made(&world, json!({})).await;
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    let (order, _) = order_of(&world, "RamAccessKey").await;
    world.ready("RamRevocation", &order, "False", "AwaitingWindow").await;
    secret_gone(&world).await;
    world.writes();
    operator.stop().await;

    // Another one of the same name: its process dies between the publish, which is its first event, and the note of it.
    let gate = Gate::new("POST", "/events", "dryRun");
    let doomed = start_behind(&world, &gate).await;
    world.key("ingest", "reader", json!({})).await;
    came(&gate).await;
    doomed.kill();
    let second = works(&world).await;
    let object = stored(&world, "RamAccessKey", "ingest").await;
    assert!(object["status"]["accessKeyId"].is_null(), "{}", object["status"]);
    assert_eq!(world.writes(), [format!("CreateAccessKey {}", world.ram_name("reader"))]);

    // All windows are over, and the order is looked at first.
    world.clock.advance(Duration::from_mins(30));
    let hold = Gate::new("GET", "/ramaccesskeys/ingest", "dryRun");
    let operator = start_behind(&world, &hold).await;
    let value = json!("after the windows");
    world.annotate("RamRevocation", &order, annotation::RECONCILE, "after the windows").await;
    let api = world.dynamic("RamRevocation", None);
    eventually("a look at the order", || async {
        match api.get_opt(&order).await.map_err(|e| e.to_string())? {
            Some(found) if found.data["status"]["requests"]["reconcile"]["done"] != value => {
                Err(found.data["status"].to_string())
            }
            _ => Ok(()),
        }
    })
    .await;
    no_writes(&world);
    assert_eq!(works(&world).await, second);
    hold.open();
    world.available("RamAccessKey", "ingest").await;
    all_done(&world).await;
    no_writes(&world);
    assert_eq!(works(&world).await, second);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

// Processes that die on the way.

#[tokio::test(flavor = "multi_thread")]
async fn an_object_stays_until_its_order_is_written() {
    let world = World::new("order_first").await;
    let operator = start(&world).await;
    let id = made(&world, json!({})).await;
    operator.stop().await;
    let gate = Gate::new("POST", "/ramrevocations", "dryRun");
    let operator = start_behind(&world, &gate).await;
    looked(&world, "ingest").await;
    ram_is_down(&world);
    world.delete("RamAccessKey", "ingest").await;
    came(&gate).await;
    assert!(orders(&world).await.is_empty());
    let object = world.keys().get("ingest").await.expect("still there");
    assert_eq!(object.finalizers(), [FINALIZER]);
    gate.open();
    world.gone("RamAccessKey", "ingest").await;
    let (_, order) = order_of(&world, "RamAccessKey").await;
    assert_eq!(order["spec"]["order"]["accessKeyIds"], json!([id]));
    world.ram.clear_faults();
    all_done(&world).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_order_and_finalizer_leaves_one_order() {
    let world = World::new("order_twice").await;
    let operator = start(&world).await;
    made(&world, json!({})).await;
    operator.stop().await;
    // At rest nobody patches the object, so that the first patch takes the finalizer off.
    let gate = Gate::new("PATCH", "/ramaccesskeys/ingest", "dryRun");
    let doomed = start_behind(&world, &gate).await;
    looked(&world, "ingest").await;
    ram_is_down(&world);
    world.delete("RamAccessKey", "ingest").await;
    came(&gate).await;
    order_of(&world, "RamAccessKey").await;
    doomed.kill();
    assert_eq!(world.keys().get("ingest").await.expect("still there").finalizers(), [FINALIZER]);
    // The next one does not even know whether the account can be used.
    let operator = start(&world).await;
    world.gone("RamAccessKey", "ingest").await;
    assert_eq!(orders(&world).await.len(), 1);
    world.ram.clear_faults();
    world.annotate("RamAccount", &world.name, annotation::RECONCILE, "RAM is back").await;
    all_done(&world).await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    assert!(in_ram(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Holds the first call of an action for good; the semaphore tells that it came.
fn hold(action: &'static str, at: Phase) -> (Hook, Arc<Semaphore>) {
    let (hook, came, _) = hold_first(move |call| call.action == action, at);
    (hook, came)
}

/// The process dies after the effect of the first call of `action`, and another one ends what it began.
async fn dies_after(test: &str, action: &'static str) {
    let world = World::new(test).await;
    let doomed = start(&world).await;
    made(&world, json!({})).await;
    ram_is_down(&world);
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        world.delete(kind, name).await;
    }
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        world.gone(kind, name).await;
    }
    let (hook, came) = hold(action, Phase::After);
    world.ram.set_hook(Some(hook));
    world.ram.clear_faults();
    loop {
        poke_orders(&world).await;
        if let Ok(permit) = tokio::time::timeout(Duration::from_secs(3), came.acquire()).await {
            permit.expect("open").forget();
            break;
        }
    }
    doomed.kill();
    world.ram.set_hook(None);
    let operator = start(&world).await;
    all_done(&world).await;
    assert_eq!(world.writes(), everything(&world), "{action}");
    assert!(!in_ram(&world));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_in_the_middle_of_an_order_is_followed_by_one_that_ends_it() {
    tokio::join!(
        dies_after("order_disable", "UpdateAccessKey"),
        dies_after("order_delete", "DeleteAccessKey"),
        dies_after("order_detach", "DetachPolicyFromUser"),
        dies_after("order_user", "DeleteUser"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_waits_for_a_key_whose_user_is_gone() {
    let world = World::new("ends_key_left").await;
    let operator = start(&world).await;
    made(&world, json!({})).await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    world.delete("RamAccount", &world.name).await;
    let object = world.ready("RamAccount", &world.name, "False", "InUse").await;
    assert_says(&object, "Ready", &["RamAccessKeys", &format!("{}/ingest", world.ns)]);
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    world.gone("RamAccount", &world.name).await;
    assert!(orders(&world).await.is_empty(), "nothing is left to do");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_for_a_secret_that_is_being_deleted() {
    let world = World::new("ends_secret").await;
    let operator = start(&world).await;
    let metadata = json!({
        "name": "ingest", "labels": {"ram-operator.dev/access-key": "ingest"}, "finalizers": ["example.com/held"],
    });
    let held: Secret = serde_json::from_value(json!({ "metadata": metadata })).expect("a Secret");
    world.secrets().create(&PostParams::default(), &held).await.expect("created");
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deletion asked for");
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "SecretRefused").await;
    assert_says(&object, "Ready", &["Secret ingest is being deleted"]);
    assert!(world.keys_in_ram(&world.ram_name("reader")).is_empty());
    let free = json!({"metadata": {"finalizers": null}});
    world.secrets().patch("ingest", &PatchParams::default(), &Patch::Merge(free)).await.expect("let go");
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")).len(), 1);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
