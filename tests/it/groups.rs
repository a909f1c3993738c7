//! RamPolicies and RamGroups, and RamUsers that refer to them: what is written to RAM, what a tenant lets through, and how they end.

use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams};
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::{Value, json};
use std::time::Duration;

use crate::rotation::{assert_says, no_writes};
use crate::support::operator::Running;
use crate::support::ram::{Fault, FaultKind, RolePreset, Trust};
use crate::world::{World, condition, eventually, merge};

const READ: &str = "AliyunOTSReadOnlyAccess";

/// A corner whose tenant may write policies about Tablestore, and whose users may join one group of the account.
async fn corner(test: &str) -> World {
    let world = World::new(test).await;
    tenant(&world, json!({})).await;
    world
}

async fn tenant(world: &World, more: Value) {
    let mut spec = json!({
        "attach": {"system": ["AliyunOTS*"], "groups": ["readers"]},
        "documents": {"actions": ["ots:*"], "resources": ["acs:ots:*:*:instance/team-a-*"]},
    });
    merge(&mut spec, more);
    world.tenant(spec).await;
}

fn allow(actions: &[&str]) -> Value {
    json!([{"effect": "Allow", "actions": actions, "resources": ["acs:ots:*:*:instance/team-a-x"]}])
}

async fn policy(world: &World, name: &str, more: Value) {
    let mut spec = json!({"accountRef": {"name": world.name}});
    merge(&mut spec, more);
    world.apply(json!({"kind": "RamPolicy", "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
}

async fn group(world: &World, name: &str, more: Value) {
    let mut spec = json!({"accountRef": {"name": world.name}});
    merge(&mut spec, more);
    world.apply(json!({"kind": "RamGroup", "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
}

async fn member(world: &World, name: &str, groups: Value) {
    world.user(name, json!({"policies": [], "groups": groups})).await;
}

async fn stored(world: &World, kind: &str, name: &str) -> Value {
    world.dynamic(kind, Some(&world.ns)).get(name).await.expect("there").data
}

async fn ram_policy(world: &World, name: &str) -> String {
    stored(world, "RamPolicy", name).await["status"]["policyName"].as_str().expect("a name").to_owned()
}

async fn looked(world: &World, kind: &str, name: &str) -> Value {
    world.reconcile(kind, name).await;
    stored(world, kind, name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_made_changed_repaired_and_deleted() {
    let world = corner("policy").await;
    let operator = world.operator().await;
    policy(&world, "sensors", json!({"description": "reads", "statements": allow(&["ots:Get*"])})).await;
    world.available("RamPolicy", "sensors").await;
    let name = ram_policy(&world, "sensors").await;
    assert!(name.starts_with(&format!("{}-sensors-", world.ns)), "{name}");
    assert_eq!(world.writes(), [format!("CreatePolicy Custom/{name}")]);
    assert!(world.ram.snapshot().policies[&name].description.starts_with("reads [ram-operator:test:"));

    // The same in JSON, in another spelling, is no change.
    let document = r#"{"Version": "1", "Statement": {"Effect": "Allow", "Action": "ots:Get*", "Resource": "acs:ots:*:*:instance/team-a-x"}}"#;
    policy(&world, "sensors", json!({"description": "reads", "documentJson": document})).await;
    looked(&world, "RamPolicy", "sensors").await;
    no_writes(&world);

    // A change is a version, and never more than five are kept.
    for (n, action) in
        ["ots:List*", "ots:Put*", "ots:Search", "ots:Batch*", "ots:Update*", "ots:Insert*"].into_iter().enumerate()
    {
        policy(&world, "sensors", json!({"description": "reads", "statements": allow(&[action])})).await;
        let version = format!("v{}", n + 2);
        eventually("another version", || async {
            let status = stored(&world, "RamPolicy", "sensors").await["status"].clone();
            if status["version"] == json!(version) { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        assert_eq!(world.writes(), [format!("CreatePolicyVersion Custom/{name}")]);
    }
    let shown = world.ram.snapshot().policies[&name].clone();
    assert_eq!((shown.versions.len(), shown.default_version.as_str()), (5, "v7"));
    let told = world.events("sensors").await;
    assert!(told.iter().any(|event| event == "DocumentChanged"), "{told:?}");

    // Another default version, and a wider document, are drift.
    world.clock.advance(Duration::from_mins(2));
    world.ram.person().set_default_policy_version(&name, "v6");
    looked(&world, "RamPolicy", "sensors").await;
    // RAM may not show a version for a minute after it was made: nobody makes it twice.
    world.clock.advance(Duration::from_mins(2));
    let wide = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let wider = world.ram.person().add_policy_version(&name, wide);
    world.ram.person().set_default_policy_version(&name, &wider);
    looked(&world, "RamPolicy", "sensors").await;
    assert_eq!(world.writes(), vec![format!("CreatePolicyVersion Custom/{name}"); 2]);
    assert!(world.ram.snapshot().policies[&name].document.contains("ots:Insert*"));

    looked(&world, "RamPolicy", "sensors").await;
    no_writes(&world);
    world.delete("RamPolicy", "sensors").await;
    world.gone("RamPolicy", "sensors").await;
    assert_eq!(world.writes(), [format!("DeletePolicy Custom/{name}")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_answer_is_lost_is_not_made_twice_while_it_does_not_show() {
    let world = corner("policy_lag").await;
    let operator = world.operator().await;
    policy(&world, "sensors", json!({"statements": allow(&["ots:Get*"])})).await;
    world.available("RamPolicy", "sensors").await;
    let name = ram_policy(&world, "sensors").await;
    world.writes();
    world.ram.set_read_lag(Duration::from_secs(50));
    world.ram.fault(Fault::on("CreatePolicyVersion", FaultKind::CutAfter).times(1));
    policy(&world, "sensors", json!({"statements": allow(&["ots:List*"])})).await;
    world.ready("RamPolicy", "sensors", "Unknown", "Unsettled").await;
    world.clock.advance(Duration::from_secs(55));
    looked(&world, "RamPolicy", "sensors").await;
    world.available("RamPolicy", "sensors").await;
    assert_eq!(world.writes(), [format!("CreatePolicyVersion Custom/{name}")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_outside_the_tenants_bounds_is_never_written() {
    let world = corner("bounds").await;
    let operator = world.operator().await;
    let inside = "acs:ots:*:*:instance/team-a-x";
    for (n, (document, reason, word)) in [
        (json!({"Effect": "Allow", "Action": "*", "Resource": inside}), "DocumentNotAllowed", "the action *"),
        (json!({"Effect": "Allow", "Action": "o*s:*", "Resource": inside}), "DocumentNotAllowed", "o*s:*"),
        (json!({"Effect": "Allow", "Action": "ots:*", "Resource": "*"}), "DocumentNotAllowed", "the resource *"),
        (
            json!({"Effect": "Allow", "Action": "ots:*", "Resource": "acs:ots:*:*:instance/t*m-a-x"}),
            "DocumentNotAllowed",
            "t*m-a-x",
        ),
        (json!({"Effect": "Allow", "NotAction": "ram:*", "Resource": inside}), "DocumentNotAllowed", "NotAction"),
        (
            json!({"Effect": "Allow", "Action": "ots:*", "NotResource": "acs:oss:*"}),
            "DocumentNotAllowed",
            "NotResource",
        ),
        (json!({"Effect": "Allow", "Action": ["ots:*", "ram:*"], "Resource": inside}), "DocumentNotAllowed", "ram:*"),
        (json!({"Effect": "Allow", "Action": "ots:*"}), "DocumentInvalid", "Resource is missing"),
        (
            json!({"Effect": "Allow", "Action": "ots:*", "Resource": inside, "Principal": "*"}),
            "DocumentInvalid",
            "Principal",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let text = json!({"Version": "1", "Statement": [document]}).to_string();
        let name = format!("p{n}");
        policy(&world, &name, json!({"documentJson": text})).await;
        let object = world.ready("RamPolicy", &name, "False", reason).await;
        assert_says(&object, "Ready", &[word]);
    }
    // Two members of one name: RAM might read the other one.
    let twice = format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"{inside}"}}]}}"#
    );
    policy(&world, "twice", json!({"documentJson": twice})).await;
    world.ready("RamPolicy", "twice", "False", "DocumentInvalid").await;
    policy(&world, "named", json!({"policyName": "AliyunOTSMine", "statements": allow(&["ots:*"])})).await;
    world.ready("RamPolicy", "named", "False", "NameNotAllowed").await;
    // What the schema can tell is refused when it is applied.
    let many = |kind: &str, count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"type": kind, "name": format!("P{n}")})).collect()
    };
    let without_service = json!([{"effect": "Allow", "actions": ["ots"], "resources": ["*"]}]);
    for (kind, more, says) in [
        ("RamGroup", json!({"policies": many("System", 21)}), "`policies` must not hold more than 20 of type 'System'"),
        ("RamGroup", json!({"policies": many("Custom", 11)}), "`policies` must not hold more than 10 of the types"),
        ("RamPolicy", json!({"statements": without_service}), "spec.statements[0].actions[0] in body should match"),
        ("RamPolicy", json!({"statements": allow(&["ots:*"]), "documentJson": "{}"}), "exactly one of `statements`"),
        ("RamPolicy", json!({"documentJson": "x".repeat(16_385)}), "spec.documentJson: Too long"),
    ] {
        let mut spec = json!({"accountRef": {"name": world.name}});
        merge(&mut spec, more);
        let bad = json!({"kind": kind, "metadata": {"name": "bad", "namespace": world.ns}, "spec": spec});
        let said = world.try_apply(bad).await.expect_err("refused").to_string();
        assert!(said.contains(says), "{kind}: {said}");
    }
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_of_a_team_is_made_and_goes() {
    let world = corner("team").await;
    let operator = world.operator().await;
    // From the last to the first: each waits for what it refers to.
    member(&world, "alice", json!([{"type": "RamGroup", "name": "readers"}])).await;
    world.ready("RamUser", "alice", "False", "GroupNotReady").await;
    let policies = json!([{"type": "System", "name": READ}, {"type": "RamPolicy", "name": "sensors"}]);
    group(&world, "readers", json!({"comments": "the team", "policies": policies})).await;
    world.ready("RamGroup", "readers", "False", "PolicyNotReady").await;
    policy(&world, "sensors", json!({"statements": allow(&["ots:Get*"])})).await;
    world.available("RamPolicy", "sensors").await;
    world.available("RamGroup", "readers").await;
    world.available("RamUser", "alice").await;
    let (policy_name, group_name) = (ram_policy(&world, "sensors").await, format!("{}.readers", world.ns));
    let mut wrote = world.writes();
    wrote.sort();
    let mut wanted = vec![
        format!("CreatePolicy Custom/{policy_name}"),
        format!("CreateGroup {group_name}"),
        format!("AttachPolicyToGroup {group_name} System/{READ}"),
        format!("AttachPolicyToGroup {group_name} Custom/{policy_name}"),
        format!("CreateUser {}", world.ram_name("alice")),
        format!("AddUserToGroup {} {group_name}", world.ram_name("alice")),
    ];
    wanted.sort();
    assert_eq!(wrote, wanted);
    let shown = looked(&world, "RamGroup", "readers").await;
    assert_eq!(shown["status"]["members"], json!([world.ram_name("alice")]));
    let shown = looked(&world, "RamPolicy", "sensors").await;
    assert_eq!(shown["status"]["attachedTo"], json!({"groups": [group_name]}));
    looked(&world, "RamUser", "alice").await;
    no_writes(&world);

    // What somebody adds by hand goes again.
    let person = world.ram.person();
    person.create_group("admins");
    person.add_to_group(&world.ram_name("alice"), "admins");
    person.attach_to_group(&group_name, "System", "AdministratorAccess");
    looked(&world, "RamUser", "alice").await;
    looked(&world, "RamGroup", "readers").await;
    assert_eq!(
        world.writes(),
        [
            format!("RemoveUserFromGroup {} admins", world.ram_name("alice")),
            format!("DetachPolicyFromGroup {group_name} System/AdministratorAccess"),
        ]
    );

    // The policy goes first: it is taken from the group, which then says what it lacks.
    world.delete("RamPolicy", "sensors").await;
    world.gone("RamPolicy", "sensors").await;
    assert_eq!(
        world.writes(),
        [
            format!("DetachPolicyFromGroup {group_name} Custom/{policy_name}"),
            format!("DeletePolicy Custom/{policy_name}")
        ]
    );
    world.ready("RamGroup", "readers", "False", "PolicyNotReady").await;
    world.delete("RamGroup", "readers").await;
    world.gone("RamGroup", "readers").await;
    assert_eq!(
        world.writes(),
        [
            format!("DetachPolicyFromGroup {group_name} System/{READ}"),
            format!("RemoveUserFromGroup {} {group_name}", world.ram_name("alice")),
            format!("DeleteGroup {group_name}"),
        ]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_account_is_joined_only_within_the_tenants_bounds() {
    let world = corner("join").await;
    let operator = world.operator().await;
    let person = world.ram.person();
    member(&world, "early", json!([{"type": "Ram", "name": "readers"}])).await;
    let object = world.ready("RamUser", "early", "False", "GroupNotFound").await;
    assert_eq!(condition(&object, "Stalled").expect("Stalled")["status"], "True");
    world.delete("RamUser", "early").await;
    world.gone("RamUser", "early").await;
    world.writes();
    for name in ["readers", "admins"] {
        person.create_group(name);
    }
    person.attach_to_group("readers", "System", READ);
    person.attach_to_group("readers", "System", "AdministratorAccess");
    member(&world, "eve", json!([{"type": "Ram", "name": "admins"}])).await;
    world.ready("RamUser", "eve", "False", "GroupNotAllowed").await;
    no_writes(&world);
    member(&world, "alice", json!([{"type": "Ram", "name": "readers"}])).await;
    let object = world.ready("RamUser", "alice", "False", "GroupExceedsTenant").await;
    assert_says(&object, "Ready", &["readers", "AdministratorAccess"]);
    no_writes(&world);
    person.detach_from_group("readers", "System", "AdministratorAccess");
    looked(&world, "RamUser", "alice").await;
    world.available("RamUser", "alice").await;
    let name = world.ram_name("alice");
    assert_eq!(world.writes(), [format!("CreateUser {name}"), format!("AddUserToGroup {name} readers")]);
    // A group that is left out is left.
    member(&world, "alice", json!([])).await;
    world.available("RamUser", "alice").await;
    looked(&world, "RamUser", "alice").await;
    assert_eq!(world.writes(), [format!("RemoveUserFromGroup {} readers", world.ram_name("alice"))]);
    assert!(world.ram.snapshot().groups.contains_key("readers"), "a foreign group stays");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_foreign_policy_nor_a_foreign_group_is_touched() {
    let world = corner("foreign_things").await;
    let operator = world.operator().await;
    tenant(&world, json!({"names": {"policies": ["theirs"], "groups": ["theirs"]}})).await;
    let person = world.ram.person();
    let document = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Get*","Resource":"acs:ots:*:*:instance/team-a-x"}]}"#;
    person.create_custom_policy("theirs", document);
    person.create_group("theirs");
    policy(&world, "mine", json!({"policyName": "theirs", "statements": allow(&["ots:*"])})).await;
    group(&world, "mine", json!({"groupName": "theirs", "policies": []})).await;
    for kind in ["RamPolicy", "RamGroup"] {
        let object = world.ready(kind, "mine", "False", "Foreign").await;
        assert_eq!(condition(&object, "Stalled").expect("Stalled")["status"], "True");
        world.delete(kind, "mine").await;
        world.gone(kind, "mine").await;
    }
    no_writes(&world);
    // Nor is it taken over where what it says leaves no room for the marker.
    person.set_group_comments("theirs", &"x".repeat(120));
    tenant(&world, json!({"adopt": {"groups": ["theirs"]}})).await;
    let spec = json!({"groupName": "theirs", "policies": [], "adoption": "IfUnowned", "deletionPolicy": "Retain"});
    group(&world, "mine", spec).await;
    let object = world.ready("RamGroup", "mine", "False", "NoRoomForMarker").await;
    assert_says(&object, "Ready", &["of 128", "Shorten that text in RAM"]);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// A deletion that does not succeed is handed over after two seconds.
pub async fn impatient(world: &World) -> Running {
    let flags = Run { hand_over_after: Duration::from_secs(2), ..world.flags() };
    world.operator_with(flags, Environment::default(), |config| Clients::new(&config).expect("clients")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_is_left_to_revocations_and_goes_when_it_can() {
    let world = corner("left_over").await;
    let operator = impatient(&world).await;
    policy(&world, "sensors", json!({"statements": allow(&["ots:Get*"])})).await;
    group(&world, "readers", json!({"policies": [{"type": "RamPolicy", "name": "sensors"}]})).await;
    world.available("RamGroup", "readers").await;
    let (policy_name, group_name) = (ram_policy(&world, "sensors").await, format!("{}.readers", world.ns));
    let person = world.ram.person();
    person.create_user("mallory", "");
    person.add_to_group("mallory", &group_name);
    person.attach("mallory", "Custom", &policy_name);
    person.create_group("outsiders");
    person.attach_to_group("outsiders", "Custom", &policy_name);
    person.add_role(&RolePreset::new("auditor", Trust::Account));
    person.attach_to_role("auditor", "Custom", &policy_name);
    // Who else has it is to be seen before anybody asks for its deletion.
    let shown = looked(&world, "RamPolicy", "sensors").await;
    let mut groups = ["outsiders", group_name.as_str()];
    groups.sort_unstable();
    let wanted = json!({"users": ["mallory"], "groups": groups, "roles": ["auditor"]});
    assert_eq!((&shown["status"]["attachedTo"], &shown["status"]["attachmentCount"]), (&wanted, &json!(4)));
    world.writes();
    for (kind, name) in [("RamGroup", "readers"), ("RamPolicy", "sensors")] {
        world.delete(kind, name).await;
        world.gone(kind, name).await;
    }
    assert_eq!(world.writes(), [format!("DetachPolicyFromGroup {group_name} Custom/{policy_name}")]);
    let api = world.dynamic("RamRevocation", None);
    let orders = || async { api.list(&ListParams::default()).await.expect("a list").items };
    let ours = |object: &kube::api::DynamicObject| object.data["spec"]["leftOver"]["namespace"] == json!(world.ns);
    eventually("both to be blocked by what is foreign", || async {
        let all: Vec<_> = orders().await.into_iter().filter(ours).collect();
        let says = |o: &kube::api::DynamicObject| {
            condition(&o.data, "Ready").map(|c| c["message"].to_string()).unwrap_or_default()
        };
        let blocked = all.iter().filter(|o| says(o).contains("mallory")).count();
        let all_named = all
            .iter()
            .any(|o| ["user mallory", "group outsiders", "role auditor"].iter().all(|holder| says(o).contains(holder)));
        let done = blocked == 2 && all_named;
        if done { Ok(()) } else { Err(format!("{:?}", all.iter().map(says).collect::<Vec<_>>())) }
    })
    .await;
    no_writes(&world);
    person.remove_from_group("mallory", &group_name);
    person.detach("mallory", "Custom", &policy_name);
    person.detach_from_group("outsiders", "Custom", &policy_name);
    person.detach_from_role("auditor", "Custom", &policy_name);
    // Once: who writes an object all the time keeps others from it.
    for order in orders().await.into_iter().filter(ours) {
        world.poke("RamRevocation", &order.name_any()).await;
    }
    eventually("both to be done", || async {
        let all: Vec<_> = orders().await.into_iter().filter(ours).collect();
        match all.first() {
            None => Ok(()),
            Some(order) => Err(format!("{} {}", order.name_any(), order.data["status"])),
        }
    })
    .await;
    let mut wrote = world.writes();
    wrote.sort();
    assert_eq!(wrote, [format!("DeleteGroup {group_name}"), format!("DeletePolicy Custom/{policy_name}")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_with_everything_goes_while_ram_is_down() {
    let world = corner("team_gone").await;
    let operator = impatient(&world).await;
    policy(&world, "sensors", json!({"statements": allow(&["ots:Get*"])})).await;
    group(&world, "readers", json!({"policies": [{"type": "RamPolicy", "name": "sensors"}]})).await;
    member(&world, "alice", json!([{"type": "RamGroup", "name": "readers"}])).await;
    world.key("ingest", "alice", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let kind = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
    world.ram.fault(Fault::everywhere(kind));
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.admin.clone());
    namespaces.delete(&world.ns, &DeleteParams::default()).await.expect("deletion asked for");
    eventually("the namespace to be gone", || async {
        match namespaces.get_opt(&world.ns).await {
            Ok(None) => Ok(()),
            other => Err(format!("{:?}", other.map(|found| found.map(|namespace| namespace.status)))),
        }
    })
    .await;
    world.ram.clear_faults();
    world.clock.advance(Duration::from_mins(2));
    let api = world.dynamic("RamRevocation", None);
    let poked = std::sync::Mutex::new(None::<std::time::Instant>);
    eventually("RAM to be empty", || async {
        // An order that is poked in each of its passes never writes its status.
        let due = poked.lock().expect("a time").is_none_or(|time| time.elapsed() > Duration::from_secs(4));
        if due {
            *poked.lock().expect("a time") = Some(std::time::Instant::now());
            world.poke("RamAccount", &world.name).await;
        }
        let orders = api.list(&ListParams::default().labels(&world.label())).await.map_err(|e| e.to_string())?;
        for order in orders.iter().filter(|_| due) {
            world.poke("RamRevocation", &order.name_any()).await;
        }
        let left = world.in_ram();
        let users: Vec<&String> = left.users.keys().filter(|name| name.starts_with(&world.ns)).collect();
        if users.is_empty() && left.groups.is_empty() && left.policies.is_empty() {
            return Ok(());
        }
        let why: Vec<String> = orders.iter().map(|order| order.data["status"]["conditions"].to_string()).collect();
        Err(format!("{users:?} {:?} {:?} {why:?}", left.groups.keys(), left.policies.keys()))
    })
    .await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_retain_leaves_policy_and_group_without_our_marker() {
    let world = corner("retain_things").await;
    let operator = world.operator().await;
    tenant(&world, json!({"retain": "Allow"})).await;
    policy(&world, "sensors", json!({"statements": allow(&["ots:Get*"]), "deletionPolicy": "Retain"})).await;
    group(&world, "readers", json!({"policies": [], "deletionPolicy": "Retain"})).await;
    world.available("RamPolicy", "sensors").await;
    world.available("RamGroup", "readers").await;
    let policy_name = ram_policy(&world, "sensors").await;
    for (kind, name) in [("RamPolicy", "sensors"), ("RamGroup", "readers")] {
        world.delete(kind, name).await;
        world.gone(kind, name).await;
    }
    let left = world.ram.snapshot();
    assert_eq!(left.policies[&policy_name].description, "left by ram-operator");
    assert_eq!(left.groups[&format!("{}.readers", world.ns)].comments, "");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_deleted_is_made_again_and_goes_with_its_object() {
    let world = corner("remade").await;
    let operator = world.operator().await;
    policy(&world, "sensors", json!({"statements": allow(&["ots:Get*"])})).await;
    group(&world, "readers", json!({"policies": []})).await;
    world.available("RamPolicy", "sensors").await;
    world.available("RamGroup", "readers").await;
    let (policy_name, group_name) = (ram_policy(&world, "sensors").await, format!("{}.readers", world.ns));
    world.writes();
    world.clock.advance(Duration::from_mins(2));
    world.ram.person().delete_custom_policy(&policy_name);
    world.ram.person().delete_group(&group_name);
    for (kind, name) in [("RamPolicy", "sensors"), ("RamGroup", "readers")] {
        looked(&world, kind, name).await;
        world.available(kind, name).await;
    }
    assert_eq!(world.writes(), [format!("CreatePolicy Custom/{policy_name}"), format!("CreateGroup {group_name}")]);
    for (kind, name) in [("RamPolicy", "sensors"), ("RamGroup", "readers")] {
        world.delete(kind, name).await;
        world.gone(kind, name).await;
    }
    assert_eq!(world.writes(), [format!("DeletePolicy Custom/{policy_name}"), format!("DeleteGroup {group_name}")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Looks are no steps: a user that joins groups with many policies gets there.
#[tokio::test(flavor = "multi_thread")]
async fn groups_with_many_policies_are_joined() {
    let world = corner("many").await;
    let operator = world.operator().await;
    let mut groups = Vec::new();
    for n in 0..2 {
        let mut policies = Vec::new();
        for m in 0..9 {
            let name = format!("p{n}{m}");
            policy(&world, &name, json!({"statements": allow(&["ots:Get*"])})).await;
            policies.push(json!({"type": "RamPolicy", "name": name}));
        }
        group(&world, &format!("g{n}"), json!({"policies": policies})).await;
        groups.push(json!({"type": "RamGroup", "name": format!("g{n}")}));
    }
    for n in 0..2 {
        world.available("RamGroup", &format!("g{n}")).await;
    }
    member(&world, "alice", json!(groups)).await;
    world.available("RamUser", "alice").await;
    assert_eq!(world.ram.snapshot().users[&world.ram_name("alice")].groups.len(), 2);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
