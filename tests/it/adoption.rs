//! What exists in RAM: adopted, observed, and what would be done to it.

use kube::ResourceExt as _;
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::ends::{all_done, orders};
use crate::groups::impatient;
use crate::rotation::{ask, assert_says, assert_true, done, no_writes};
use crate::support::ram::{Fault, FaultKind};
use crate::world::{World, condition, eventually, merge};

pub const READ: &str = "AliyunOTSReadOnlyAccess";
pub const FULL: &str = "AliyunOTSFullAccess";
pub const ADMIN: &str = "AdministratorAccess";

/// A corner whose tenant lets legacy-a-* be adopted and observed.
async fn corner(test: &str) -> World {
    let world = World::new(test).await;
    tenant(&world, json!({})).await;
    world
}

pub async fn tenant(world: &World, more: Value) {
    let legacy = json!(["legacy-a-*"]);
    let mut spec = json!({
        "attach": {"system": ["AliyunOTS*"], "groups": ["readers"]},
        "documents": {"actions": ["ots:*"], "resources": ["acs:ots:*:*:instance/team-a-*"]},
        "adopt": {"users": legacy, "groups": legacy, "policies": legacy},
    });
    merge(&mut spec, more);
    world.tenant(spec).await;
}

/// A user made by hand, with policies.
pub fn by_hand(world: &World, name: &str, policies: &[&str]) -> String {
    let person = world.ram.person();
    let id = person.create_user(name, "made by hand");
    for policy in policies {
        person.attach(name, "System", policy);
    }
    id
}

pub fn adopting(name: &str, more: Value) -> Value {
    let mut spec = json!({"userName": name, "adoption": "IfUnowned", "deletionPolicy": "Retain"});
    merge(&mut spec, more);
    spec
}

pub fn object(world: &World, kind: &str, name: &str, more: Value) -> Value {
    let mut spec = json!({"accountRef": {"name": world.name}});
    merge(&mut spec, more);
    json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": spec})
}

async fn looked(world: &World, kind: &str, name: &str) -> Value {
    world.reconcile(kind, name).await;
    world.dynamic(kind, Some(&world.ns)).get(name).await.expect("there").data
}

async fn accept(world: &World, kind: &str, name: &str) {
    world.annotate(kind, name, annotation::ACCEPT_ADOPTION, "yes").await;
    let api = world.dynamic(kind, Some(&world.ns));
    eventually("the adoption to be accepted", || async {
        let status = api.get(name).await.map_err(|e| e.to_string())?.data["status"].clone();
        if status["adoption"]["acceptedTime"].is_string() { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

async fn finalizers(world: &World, kind: &str, name: &str) -> Vec<String> {
    world.dynamic(kind, Some(&world.ns)).get(name).await.expect("there").finalizers().to_vec()
}

pub fn attached(policy: &str) -> Value {
    json!({"type": "System", "name": policy})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_adopted_and_loses_nothing_until_that_is_accepted() {
    let world = corner("adopt").await;
    let operator = world.operator().await;
    let name = "legacy-a-reader";
    let id = by_hand(&world, name, &[FULL]);
    // More than a spec may say, in characters as well as in bytes.
    let comments = format!("made by hand {}", "\u{4e2d}".repeat(60));
    world.ram.person().set_comments(name, &comments);
    world.user("reader", adopting(name, json!({}))).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes(), [format!("UpdateUser {name}"), format!("AttachPolicyToUser {name} System/{READ}")]);
    assert!(world.ram.snapshot().users[name].comments.starts_with(&format!("{comments} [ram-operator:test:")));
    let shown = looked(&world, "RamUser", "reader").await;
    assert_says(&shown, "AdoptionPending", &[&format!("policy System/{FULL}"), "accept-adoption"]);
    assert_eq!(shown["status"]["userId"], json!(id));
    assert!(shown["status"]["adoption"]["time"].is_string(), "{}", shown["status"]);
    assert!(world.events("reader").await.contains(&"Adopted".to_owned()));
    no_writes(&world);

    // It is the object's own from now on.
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {name}")]);

    accept(&world, "RamUser", "reader").await;
    let shown = looked(&world, "RamUser", "reader").await;
    assert!(condition(&shown, "AdoptionPending").is_none(), "{}", shown["status"]["conditions"]);
    assert_eq!(world.writes(), [format!("DetachPolicyFromUser {name} System/{FULL}")]);
    assert_eq!(world.ram.snapshot().users[name].policies, [format!("System/{READ}")]);

    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    world.writes();
    // The tenant says nothing of retain: what was there before stays all the same.
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(world.writes(), [format!("UpdateUser {name}")]);
    assert_eq!(world.ram.snapshot().users[name].comments, comments);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_in_the_manifest_accepts_nothing_in_the_first_pass_and_all_in_the_next() {
    let world = corner("adopt_early").await;
    let operator = world.operator().await;
    by_hand(&world, "legacy-a-reader", &[READ, FULL]);
    let mut early = world.user_object("reader", adopting("legacy-a-reader", json!({})));
    early["metadata"]["annotations"] = json!({annotation::ACCEPT_ADOPTION: "by the team"});
    world.apply(early).await;
    world.available("RamUser", "reader").await;
    assert_eq!(world.writes().first(), Some(&"UpdateUser legacy-a-reader".to_owned()));
    looked(&world, "RamUser", "reader").await;
    assert_eq!(world.ram.snapshot().users["legacy-a-reader"].policies, [format!("System/{READ}")]);
    // Accepted, the object may delete what it adopted.
    world.user("reader", adopting("legacy-a-reader", json!({"deletionPolicy": "Delete"}))).await;
    world.available("RamUser", "reader").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert!(!world.ram.snapshot().users.contains_key("legacy-a-reader"));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_adopted_is_not_touched() {
    let world = corner("adopt_no").await;
    let operator = world.operator().await;
    by_hand(&world, "legacy-b-one", &[]);
    by_hand(&world, "legacy-a-admin", &[ADMIN]);
    by_hand(&world, "legacy-a-member", &[]);
    world.ram.person().add_to_group("legacy-a-member", "admins");
    world.ram.person().attach_to_group("admins", "System", ADMIN);
    by_hand(&world, "legacy-a-taken", &[]);
    let marker = format!("[ram-operator:elsewhere:{}:{}]", "h".repeat(22), "u".repeat(8));
    world.ram.person().set_comments("legacy-a-taken", &marker);
    by_hand(&world, "legacy-a-never", &[]);
    let before = world.ram.snapshot();
    for (object, name, more, reason, says) in [
        ("other-team", "legacy-b-one", json!({}), "AdoptionNotAllowed", "legacy-b-one"),
        ("admin", "legacy-a-admin", json!({}), "AdoptionExceedsTenant", "System AdministratorAccess"),
        ("member", "legacy-a-member", json!({}), "AdoptionExceedsTenant", "group admins"),
        ("taken", "legacy-a-taken", json!({}), "OwnedElsewhere", "legacy-a-taken"),
        // Without being asked for it is foreign, as ever.
        ("never", "legacy-a-never", json!({"adoption": "Never"}), "Foreign", "legacy-a-never"),
    ] {
        world.user(object, adopting(name, more)).await;
        let shown = world.ready("RamUser", object, "False", reason).await;
        assert_says(&shown, "Ready", &[says]);
        assert_eq!(finalizers(&world, "RamUser", object).await, Vec::<String>::new(), "{object}");
        assert!(shown["status"]["userId"].is_null() && shown["status"]["policies"].is_null(), "{}", shown["status"]);
        // Neither does anybody get its keys.
        world.key(object, object, json!({})).await;
        world.ready("RamAccessKey", object, "False", "UserNotReady").await;
    }
    no_writes(&world);
    for object in ["other-team", "admin", "member", "taken", "never"] {
        world.delete("RamUser", object).await;
        world.gone("RamUser", object).await;
    }
    no_writes(&world);
    let after = world.ram.snapshot();
    for name in ["legacy-b-one", "legacy-a-admin", "legacy-a-member", "legacy-a-taken", "legacy-a-never"] {
        assert_eq!(after.users[name], before.users[name], "{name}");
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_user_that_gets_too_much_by_hand_gets_no_new_key() {
    let world = corner("adopt_later").await;
    let operator = world.operator().await;
    let name = "legacy-a-reader";
    by_hand(&world, name, &[]);
    world.user("reader", adopting(name, json!({"attachments": "Report"}))).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.ram.person().attach(name, "System", ADMIN);
    world.reconcile("RamUser", "reader").await;
    world.ready("RamUser", "reader", "False", "AdoptionExceedsTenant").await;
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "AdoptionExceedsTenant").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_adopted_user_got_since_the_last_look_is_seen_before_each_mint() {
    let world = corner("adopt_since").await;
    let operator = world.operator().await;
    let (name, person) = ("legacy-a-reader", world.ram.person());
    by_hand(&world, name, &[READ]);
    world.user("reader", adopting(name, json!({"attachments": "Report"}))).await;
    world.available("RamUser", "reader").await;
    world.writes();
    // Nobody asks the RamUser to look: its next look is an hour away.
    person.attach(name, "System", ADMIN);
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamUser", "reader", "False", "AdoptionExceedsTenant").await;
    world.ready("RamAccessKey", "ingest", "False", "AdoptionExceedsTenant").await;
    no_writes(&world);
    person.detach(name, "System", ADMIN);
    world.reconcile("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {name}")]);
    person.attach(name, "System", ADMIN);
    ask(&world, "rotate", "1").await;
    world.ready("RamUser", "reader", "False", "AdoptionExceedsTenant").await;
    let shown = world.ready("RamAccessKey", "ingest", "False", "AdoptionExceedsTenant").await;
    assert_true(&shown, "RotationBlocked", "AdoptionExceedsTenant", &["reader"]);
    no_writes(&world);
    person.detach(name, "System", ADMIN);
    world.reconcile("RamUser", "reader").await;
    done(&world, "rotate", "1").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {name}")]);
    let shown = world.available("RamUser", "reader").await;
    assert_eq!((&shown["status"]["policies"], &shown["status"]["groups"]), (&json!([attached(READ)]), &json!([])));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_an_adopted_user_joined_since_the_last_look_is_judged_before_its_first_key() {
    let world = corner("adopt_joined").await;
    let operator = world.operator().await;
    let (name, person) = ("legacy-a-reader", world.ram.person());
    by_hand(&world, name, &[READ]);
    world.user("reader", adopting(name, json!({}))).await;
    world.available("RamUser", "reader").await;
    world.writes();
    person.add_to_group(name, "readers");
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {name}")]);
    // The key waited for this, though groups are not managed.
    let status = world.users().get("reader").await.expect("there").status.expect("a status");
    assert_eq!(status.groups, Some(vec!["readers".to_owned()]));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// One object of each kind that adopts what has the name `legacy-a-x`.
fn of_each_kind(world: &World, namespace: &str, more: &Value) -> [Value; 3] {
    let all = [
        ("RamUser", json!({"userName": "legacy-a-x", "policies": [attached(READ)]})),
        ("RamGroup", json!({"groupName": "legacy-a-x", "policies": []})),
        ("RamPolicy", json!({"policyName": "legacy-a-x", "documentJson": document("ots:PutRow")})),
    ];
    all.map(|(kind, mut spec)| {
        merge(&mut spec, more.clone());
        let mut object = object(world, kind, "x", spec);
        object["metadata"]["namespace"] = json!(namespace);
        object
    })
}

/// A user, a group and a policy of the name `legacy-a-x`, made by hand.
fn all_by_hand(world: &World) {
    by_hand(world, "legacy-a-x", &[READ]);
    world.ram.person().create_group("legacy-a-x");
    world.ram.person().create_custom_policy("legacy-a-x", &document("ots:PutRow"));
    set_texts(world);
}

/// Somebody writes what stands there, whatever stood there before.
fn set_texts(world: &World) {
    let person = world.ram.person();
    person.set_comments("legacy-a-x", "made by hand");
    person.set_group_comments("legacy-a-x", "made by hand");
    person.set_policy_description("legacy-a-x", "made by hand");
}

fn texts(world: &World) -> [String; 3] {
    let now = world.ram.snapshot();
    let (user, group, policy) = (&now.users["legacy-a-x"], &now.groups["legacy-a-x"], &now.policies["legacy-a-x"]);
    [user.comments.clone(), group.comments.clone(), policy.description.clone()]
}

const EACH: [&str; 3] = ["RamUser", "RamGroup", "RamPolicy"];

#[tokio::test(flavor = "multi_thread")]
async fn what_another_object_owns_is_not_adopted_though_somebody_took_its_marker_off() {
    let world = corner("adopt_owned").await;
    let operator = world.operator().await;
    let other = format!("{}-b", world.ns);
    world.namespace(&other, json!({"ram-test": world.name})).await;
    all_by_hand(&world);
    let adopts = json!({"adoption": "IfUnowned", "deletionPolicy": "Retain"});
    for owner in of_each_kind(&world, &other, &adopts) {
        let kind = owner["kind"].as_str().expect("a kind").to_owned();
        world.apply(owner).await;
        let api = world.dynamic(&kind, Some(&other));
        eventually(&format!("the owning {kind} to be ready"), || async {
            let object = api.get("x").await.map_err(|e| e.to_string())?;
            let ready = condition(&object.data, "Ready").ok_or("no Ready")?;
            if ready["reason"] == "Available" { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
    }
    let marked = texts(&world);
    assert!(marked.iter().all(|text| text.starts_with("made by hand [ram-operator:test:")), "{marked:?}");
    world.writes();
    // The owners look again in an hour.
    set_texts(&world);
    for taker in of_each_kind(&world, &world.ns, &adopts) {
        world.apply(taker).await;
    }
    for kind in EACH {
        let shown = world.ready(kind, "x", "False", "OwnedElsewhere").await;
        assert!(shown["status"]["adoption"].is_null(), "{}", shown["status"]);
        assert_eq!(finalizers(&world, kind, "x").await, Vec::<String>::new());
        world.delete(kind, "x").await;
        world.gone(kind, "x").await;
    }
    no_writes(&world);
    assert_eq!(texts(&world), ["made by hand"; 3]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_adopted_and_stays_is_nobodys_also_when_ram_did_not_let_it_be_released() {
    let world = corner("adopt_left").await;
    let legacy = json!(["legacy-a-*"]);
    // The names may be given to what is made here, too.
    tenant(&world, json!({"names": {"users": legacy, "groups": legacy, "policies": legacy}})).await;
    let operator = impatient(&world).await;
    all_by_hand(&world);
    for object in of_each_kind(&world, &world.ns, &json!({"adoption": "IfUnowned", "deletionPolicy": "Retain"})) {
        world.apply(object).await;
    }
    for kind in EACH {
        world.available(kind, "x").await;
    }
    let marked = texts(&world);
    world.writes();
    for action in ["UpdateUser", "UpdateGroup", "UpdatePolicyDescription"] {
        let kind = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
        world.ram.fault(Fault::on(action, kind));
    }
    for kind in EACH {
        world.delete(kind, "x").await;
    }
    for kind in EACH {
        world.gone(kind, "x").await;
    }
    let specs: Vec<Value> = orders(&world).await.into_iter().map(|order| order.data["spec"].clone()).collect();
    let stays = |spec: &&Value| {
        let of = if spec["order"].is_null() { &spec["leftOver"] } else { &spec["order"]["user"] };
        of["deletionPolicy"] == "Retain"
    };
    assert_eq!((specs.len(), specs.iter().filter(stays).count()), (3, 3), "{specs:?}");

    // Objects made again under the names find the markers of the earlier ones, and take nothing for their own making.
    for object in of_each_kind(&world, &world.ns, &json!({})) {
        world.apply(object).await;
    }
    for kind in EACH {
        world.ready(kind, "x", "False", "Foreign").await;
    }
    assert_eq!(texts(&world), marked);
    no_writes(&world);
    world.ram.clear_faults();
    all_done(&world).await;
    let mut wrote = world.writes();
    wrote.sort();
    assert_eq!(wrote, ["UpdateGroup legacy-a-x", "UpdatePolicyDescription Custom/legacy-a-x", "UpdateUser legacy-a-x"]);
    assert_eq!(texts(&world), ["made by hand"; 3]);
    for kind in EACH {
        looked(&world, kind, "x").await;
        world.ready(kind, "x", "False", "Foreign").await;
        world.delete(kind, "x").await;
        world.gone(kind, "x").await;
    }
    no_writes(&world);
    assert_eq!(texts(&world), ["made by hand"; 3]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_user_gets_no_key_before_its_spec_is_judged() {
    let world = corner("adopt_unjudged").await;
    let operator = world.operator().await;
    let name = "legacy-a-reader";
    by_hand(&world, name, &[]);
    world.user("reader", adopting(name, json!({"attachments": "Report"}))).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.user("reader", adopting(name, json!({"attachments": "Report", "management": "Observe"}))).await;
    world.ready("RamUser", "reader", "True", "Observed").await;
    // Meanwhile it gets too much, and back under management nobody can look at that at first.
    world.ram.person().attach(name, "System", ADMIN);
    let down = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
    let fault = world.ram.fault(Fault::on("ListPoliciesForUser", down).user(name));
    world.user("reader", adopting(name, json!({"attachments": "Report"}))).await;
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "UserNotReady").await;
    world.ram.remove_fault(fault);
    world.poke("RamUser", "reader").await;
    world.ready("RamUser", "reader", "False", "AdoptionExceedsTenant").await;
    world.ready("RamAccessKey", "ingest", "False", "AdoptionExceedsTenant").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observed_user_is_shown_and_never_written_to() {
    let world = corner("observe").await;
    let operator = world.operator().await;
    let name = "legacy-a-boss";
    let id = by_hand(&world, name, &[ADMIN]);
    world.ram.person().add_to_group(name, "admins");
    let (key, _) = world.ram.person().create_key(name);
    let before = world.ram.snapshot().users[name].clone();
    world.user("boss", json!({"userName": name, "management": "Observe", "displayName": "Boss"})).await;
    let shown = world.ready("RamUser", "boss", "True", "Observed").await;
    let status = &shown["status"];
    assert_eq!(status["observed"]["id"], json!(id));
    assert_eq!(status["policies"], json!([attached(ADMIN)]));
    assert_eq!(status["groups"], json!(["admins"]));
    assert_eq!((&status["accessKeys"][0]["id"], &status["accessKeys"][0]["owner"]), (&json!(key), &json!("Foreign")));
    // What is an object's own is told by these, and this one owns nothing.
    assert!(status["userId"].is_null() && status["markerUid"].is_null(), "{status}");
    assert_says(&shown, "DriftFound", &["displayName", &format!("System {READ}"), &format!("System {ADMIN}")]);
    assert_eq!(finalizers(&world, "RamUser", "boss").await, Vec::<String>::new());
    world.key("stolen", "boss", json!({})).await;
    world.ready("RamAccessKey", "stolen", "False", "UserNotManaged").await;
    looked(&world, "RamUser", "boss").await;

    // Nor does it become the object's own by another lever.
    world.user("boss", json!({"userName": name, "management": "Manage"})).await;
    let shown = world.ready("RamUser", "boss", "False", "Foreign").await;
    assert!(!shown["status"].to_string().contains(ADMIN), "{}", shown["status"]);
    world.ready("RamAccessKey", "stolen", "False", "UserNotReady").await;
    world.user("boss", json!({"userName": name, "management": "Observe"})).await;
    world.ready("RamUser", "boss", "True", "Observed").await;
    world.delete("RamUser", "boss").await;
    world.gone("RamUser", "boss").await;
    no_writes(&world);
    assert_eq!(world.ram.snapshot().users[name], before);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_observe_sees_nothing() {
    let world = corner("observe_no").await;
    let operator = world.operator().await;
    by_hand(&world, "legacy-b-boss", &[ADMIN]);
    by_hand(&world, "legacy-a-boss", &[ADMIN]);
    for (object, name) in [("boss", "legacy-b-boss"), ("nobody", "legacy-b-nobody")] {
        world.user(object, json!({"userName": name, "management": "Observe"})).await;
        let shown = world.ready("RamUser", object, "False", "AdoptionNotAllowed").await;
        let seen = shown["status"].to_string();
        assert!(!seen.contains(ADMIN) && shown["status"]["observed"].is_null(), "{seen}");
    }
    world.user("missing", json!({"userName": "legacy-a-nobody", "management": "Observe"})).await;
    world.ready("RamUser", "missing", "False", "NotInRam").await;
    // What was shown goes with the right to see it.
    world.user("mine", json!({"userName": "legacy-a-boss", "management": "Observe"})).await;
    world.ready("RamUser", "mine", "True", "Observed").await;
    tenant(&world, json!({"adopt": null})).await;
    let shown = world.ready("RamUser", "mine", "False", "AdoptionNotAllowed").await;
    assert!(!shown["status"].to_string().contains(ADMIN), "{}", shown["status"]);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_lists_what_manage_then_does() {
    let world = corner("plan").await;
    let operator = world.operator().await;
    world.ram.person().create_group("readers");
    let name = world.ram_name("reader");
    let groups = json!([{"type": "Ram", "name": "readers"}]);
    let spec =
        |management: &str, policies: Value| json!({"policies": policies, "groups": groups, "management": management});
    let (some, none) = (json!([attached(READ)]), json!([]));
    world.user("reader", spec("Plan", some.clone())).await;
    let shown = world.ready("RamUser", "reader", "False", "Planned").await;
    assert_eq!(
        shown["status"]["plan"],
        json!([format!("CreateUser {name}"), format!("AttachPolicyToUser System/{READ}"), "AddUserToGroup readers"])
    );
    assert_says(&shown, "Ready", &["3 steps would be taken"]);
    assert_eq!(finalizers(&world, "RamUser", "reader").await, Vec::<String>::new());
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "UserNotManaged").await;
    looked(&world, "RamUser", "reader").await;
    no_writes(&world);

    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    world.user("reader", spec("Manage", some.clone())).await;
    let shown = world.available("RamUser", "reader").await;
    assert_eq!(
        world.writes(),
        [
            format!("CreateUser {name}"),
            format!("AttachPolicyToUser {name} System/{READ}"),
            format!("AddUserToGroup {name} readers"),
        ]
    );
    assert!(shown["status"]["plan"].is_null(), "{}", shown["status"]);

    // Of what is managed, a plan changes nothing either.
    world.user("reader", spec("Plan", none)).await;
    let shown = world.ready("RamUser", "reader", "False", "Planned").await;
    assert_eq!(shown["status"]["plan"], json!([format!("DetachPolicyFromUser System/{READ}")]));
    assert_eq!(finalizers(&world, "RamUser", "reader").await.len(), 1);
    world.user("reader", spec("Plan", some)).await;
    let shown = world.available("RamUser", "reader").await;
    assert!(shown["status"]["plan"].is_null(), "{}", shown["status"]);
    no_writes(&world);

    // What was made goes, whatever the lever.
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert_eq!(
        world.writes(),
        [
            format!("DetachPolicyFromUser {name} System/{READ}"),
            format!("RemoveUserFromGroup {name} readers"),
            format!("DeleteUser {name}"),
        ]
    );
    world.user("reader", json!({"management": "Plan"})).await;
    world.ready("RamUser", "reader", "False", "Planned").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_managed_user_stay_as_they_are_while_it_is_planned() {
    let world = corner("plan_keys").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    world.writes();
    world.user("reader", json!({"management": "Plan", "state": "Suspended"})).await;
    world.ready("RamUser", "reader", "False", "Suspended").await;
    world.ready("RamAccessKey", "ingest", "False", "UserNotManaged").await;
    no_writes(&world);
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    assert_eq!(world.writes().len(), 2, "its deletion goes on: disabled, then deleted");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_planned_adopted_and_observed() {
    let world = corner("adopt_group").await;
    let operator = world.operator().await;
    let person = world.ram.person();
    for (name, policy) in [("legacy-a-team", FULL), ("legacy-a-admins", ADMIN), ("legacy-b-team", FULL)] {
        person.create_group(name);
        person.attach_to_group(name, "System", policy);
    }
    person.set_group_comments("legacy-a-team", "made by hand");
    let spec = |management: &str| {
        json!({"groupName": "legacy-a-team", "policies": [attached(READ)], "management": management,
            "adoption": "IfUnowned", "deletionPolicy": "Retain"})
    };
    world.apply(object(&world, "RamGroup", "team", spec("Plan"))).await;
    let shown = world.ready("RamGroup", "team", "False", "Planned").await;
    let listed = json!(["UpdateGroup legacy-a-team", format!("AttachPolicyToGroup System/{READ}")]);
    assert_eq!(shown["status"]["plan"], listed);
    no_writes(&world);
    world.apply(object(&world, "RamGroup", "team", spec("Manage"))).await;
    let shown = world.available("RamGroup", "team").await;
    assert_says(&shown, "AdoptionPending", &[&format!("policy System/{FULL}")]);
    assert_eq!(
        world.writes(),
        ["UpdateGroup legacy-a-team".to_owned(), format!("AttachPolicyToGroup legacy-a-team System/{READ}"),]
    );
    accept(&world, "RamGroup", "team").await;
    looked(&world, "RamGroup", "team").await;
    assert_eq!(world.writes(), [format!("DetachPolicyFromGroup legacy-a-team System/{FULL}")]);

    for (name, group, reason) in
        [("admins", "legacy-a-admins", "AdoptionExceedsTenant"), ("other", "legacy-b-team", "AdoptionNotAllowed")]
    {
        let spec = json!({"groupName": group, "adoption": "IfUnowned", "deletionPolicy": "Retain"});
        world.apply(object(&world, "RamGroup", name, spec)).await;
        world.ready("RamGroup", name, "False", reason).await;
    }
    let watch = json!({"groupName": "legacy-a-admins", "management": "Observe"});
    world.apply(object(&world, "RamGroup", "watched", watch)).await;
    let shown = world.ready("RamGroup", "watched", "True", "Observed").await;
    assert_eq!(shown["status"]["policies"], json!([attached(ADMIN)]));
    // To see a group is not to be let in.
    world.user("alice", json!({"policies": [], "groups": [{"type": "RamGroup", "name": "watched"}]})).await;
    world.ready("RamUser", "alice", "False", "GroupNotReady").await;
    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    world.writes();
    for name in ["watched", "admins", "other"] {
        world.delete("RamGroup", name).await;
        world.gone("RamGroup", name).await;
    }
    no_writes(&world);
    world.delete("RamGroup", "team").await;
    world.gone("RamGroup", "team").await;
    assert_eq!(world.writes(), ["UpdateGroup legacy-a-team"]);
    assert_eq!(world.ram.snapshot().groups["legacy-a-team"].comments, "made by hand");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

pub fn document(action: &str) -> String {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "acs:ots:*:*:instance/team-a-x"});
    json!({"Version": "1", "Statement": [statement]}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_planned_adopted_and_observed() {
    let world = corner("adopt_policy").await;
    let operator = world.operator().await;
    for (name, action) in [("legacy-a-rows", "ots:PutRow"), ("legacy-a-all", "ram:*"), ("legacy-b-rows", "ots:PutRow")]
    {
        world.ram.person().create_custom_policy(name, &document(action));
    }
    world.ram.person().set_policy_description("legacy-a-rows", "made by hand");
    let spec = |management: &str| {
        json!({"policyName": "legacy-a-rows", "documentJson": document("ots:GetRow"), "management": management,
            "adoption": "IfUnowned", "deletionPolicy": "Retain"})
    };
    world.apply(object(&world, "RamPolicy", "rows", spec("Plan"))).await;
    let shown = world.ready("RamPolicy", "rows", "False", "Planned").await;
    assert_eq!(shown["status"]["plan"], json!(["UpdatePolicyDescription legacy-a-rows"]));
    no_writes(&world);
    world.apply(object(&world, "RamPolicy", "rows", spec("Manage"))).await;
    let shown = world.ready("RamPolicy", "rows", "False", "AdoptionPending").await;
    assert_says(&shown, "AdoptionPending", &["the document that it has"]);
    assert_eq!(world.writes(), ["UpdatePolicyDescription Custom/legacy-a-rows"]);
    accept(&world, "RamPolicy", "rows").await;
    world.available("RamPolicy", "rows").await;
    assert_eq!(world.writes(), ["CreatePolicyVersion Custom/legacy-a-rows"]);

    for (name, policy, reason) in
        [("all", "legacy-a-all", "AdoptionExceedsTenant"), ("other", "legacy-b-rows", "AdoptionNotAllowed")]
    {
        let spec = json!({"policyName": policy, "documentJson": document("ots:GetRow"), "adoption": "IfUnowned",
            "deletionPolicy": "Retain"});
        world.apply(object(&world, "RamPolicy", name, spec)).await;
        world.ready("RamPolicy", name, "False", reason).await;
    }
    let watch = json!({"policyName": "legacy-a-all", "management": "Observe"});
    world.apply(object(&world, "RamPolicy", "watched", watch)).await;
    let shown = world.ready("RamPolicy", "watched", "True", "Observed").await;
    assert_eq!(shown["status"]["version"], json!("v1"));
    assert!(shown["status"]["createTime"].is_null(), "{}", shown["status"]);
    // To see a policy is not to have it.
    world.user("alice", json!({"policies": [{"type": "RamPolicy", "name": "watched"}]})).await;
    world.ready("RamUser", "alice", "False", "PolicyNotReady").await;
    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    world.writes();
    for name in ["watched", "all", "other"] {
        world.delete("RamPolicy", name).await;
        world.gone("RamPolicy", name).await;
    }
    no_writes(&world);
    world.delete("RamPolicy", "rows").await;
    world.gone("RamPolicy", "rows").await;
    assert_eq!(world.writes(), ["UpdatePolicyDescription Custom/legacy-a-rows"]);
    assert_eq!(world.ram.snapshot().policies["legacy-a-rows"].description, "made by hand");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_adoptions_are_refused_at_admission() {
    let world = World::bare("adopt_admission", crate::support::ram::Options::default()).await;
    let statement = json!([{"effect": "Deny", "actions": ["ots:*"], "resources": ["*"]}]);
    for (kind, name, body) in [
        ("RamUser", "userName", json!({})),
        ("RamGroup", "groupName", json!({})),
        ("RamPolicy", "policyName", json!({"statements": statement})),
    ] {
        let explicit = format!("`{name}` must be given for the management 'Observe' and for the adoption 'IfUnowned'");
        let retain = "`deletionPolicy` must be 'Retain' with the adoption 'IfUnowned'".to_owned();
        for (n, (change, says)) in [
            (json!({(name): "a"}), None),
            (json!({(name): "a", "management": "Observe"}), None),
            (json!({"management": "Plan"}), None),
            (json!({(name): "a", "adoption": "IfUnowned", "deletionPolicy": "Retain"}), None),
            (json!({"management": "Observe"}), Some(explicit.clone())),
            (json!({"adoption": "IfUnowned", "deletionPolicy": "Retain"}), Some(explicit)),
            (json!({(name): "a", "adoption": "IfUnowned"}), Some(retain)),
            (json!({"management": "Watch"}), Some("Unsupported value".to_owned())),
            (json!({"adoption": "Always"}), Some("Unsupported value".to_owned())),
        ]
        .into_iter()
        .enumerate()
        {
            let mut spec = body.clone();
            merge(&mut spec, change);
            let answer = world.try_apply(object(&world, kind, &format!("case-{n}"), spec.clone())).await;
            match (answer, says) {
                (Ok(_), None) => {}
                (Err(kube::Error::Api(status)), Some(says)) if status.message.contains(&says) => {}
                (answer, says) => panic!("{kind} {spec}: wanted {says:?}, got {answer:?}"),
            }
        }
    }
    // A document is needed but to observe.
    let none = json!({"policyName": "a", "management": "Observe"});
    world.apply(object(&world, "RamPolicy", "without", none)).await;
    for spec in [json!({"policyName": "a"}), json!({"policyName": "a", "management": "Plan"})] {
        assert!(world.try_apply(object(&world, "RamPolicy", "with", spec)).await.is_err());
    }
}
