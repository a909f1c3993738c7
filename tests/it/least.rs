//! The RAM policy that `ram-operator policy` prints is enough. Every other scenario runs with the one for all features; here are a prefix, and
//! what it looks like when a right is missing.

use ram_operator::config::Policy;
use ram_operator::least_policy;
use serde_json::{Value, json};

use crate::rotation::assert_says;
use crate::support::ram::Options;
use crate::world::World;

/// A document without the right to an action.
fn without(mut document: Value, action: &str) -> Value {
    let right = json!(format!("ram:{action}"));
    for statement in document["Statement"].as_array_mut().expect("statements") {
        statement["Action"].as_array_mut().expect("actions").retain(|other| *other != right);
    }
    document
}

/// The calls that were refused for want of a right.
fn refused(world: &World) -> Vec<String> {
    let calls = world.ram.journal();
    let refused = calls.iter().filter(|call| call.code.as_deref() == Some("NoPermission"));
    refused.map(|call| format!("{} {:?}", call.action, call.params)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_the_document_lacks_is_missed() {
    let world = World::new("least_lacks").await;
    let operator = world.operator().await;
    world.user("reader", json!({"groups": []})).await;
    world.available("RamUser", "reader").await;
    assert_eq!(refused(&world), Vec::<String>::new());
    let document = least_policy::document(&world.every_feature());
    world.rights(&without(document.clone(), "ListGroupsForUser"), &[]);
    world.poke("RamUser", "reader").await;
    let object = world.ready("RamUser", "reader", "False", "AccessDenied").await;
    assert_says(&object, "Ready", &["ram:ListGroupsForUser", "ram-operator policy"]);
    assert!(!refused(&world).is_empty());
    world.rights(&document, &[]);
    world.reconcile("RamUser", "reader").await;
    world.available("RamUser", "reader").await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// The objects of a team: everything that the prefix bounds.
async fn team(world: &World, actions: &[&str]) {
    let statement = json!({"effect": "Allow", "actions": actions, "resources": ["*"]});
    let policies =
        json!([{"type": "System", "name": "AliyunOTSReadOnlyAccess"}, {"type": "RamPolicy", "name": "sensors"}]);
    for (kind, name, mut spec) in [
        ("RamPolicy", "sensors", json!({"statements": [statement]})),
        ("RamGroup", "readers", json!({"policies": policies})),
    ] {
        spec["accountRef"] = json!({"name": world.name});
        world.apply(json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
    }
    let first = json!({"source": "Generate", "secret": {"name": "first"}});
    let person = json!({
        "policies": policies,
        "groups": [{"type": "RamGroup", "name": "readers"}],
        "consoleLogin": {"initialPassword": first},
        "virtualMfa": {"secret": {"name": "mfa"}, "bind": "Operator"},
    });
    world.user("alice", person).await;
    world.key("ingest", "alice", json!({"allowedSources": {"publicCidrs": ["127.0.0.0/8"]}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_lives_and_leaves_within_a_prefix() {
    let world = World::bare("least_prefix", Options::default()).await;
    let flags = Policy {
        user_name_prefix: "p.".to_owned(),
        attach_system: vec!["AliyunOTS*".to_owned()],
        attach_custom: Vec::new(),
        import: false,
        settings: false,
        ..world.every_feature()
    };
    world.rights(&least_policy::document(&flags), &[]);
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.account(json!({"userNamePrefix": "p."})).await;
    let documents = json!({"actions": ["ots:*"], "resources": ["*"]});
    let attach = json!({"system": ["AliyunOTS*"]});
    world.tenant(json!({"attach": attach, "documents": documents, "consoleLogin": "Allow"})).await;
    let operator = world.operator().await;
    let objects = [("RamAccessKey", "ingest"), ("RamUser", "alice"), ("RamGroup", "readers"), ("RamPolicy", "sensors")];
    for actions in [&["ots:Get*"][..], &["ots:Get*", "ots:List*"]] {
        team(&world, actions).await;
        for (kind, name) in objects {
            world.available(kind, name).await;
            world.reconcile(kind, name).await;
        }
    }
    let made = world.in_ram();
    let user = &made.users[&format!("p.{}", world.ram_name("alice"))];
    assert!(user.mfa_device && user.login_profile && user.keys.len() == 1, "{user:?}");
    assert_eq!((user.policies.len(), user.groups.len()), (2, 1));
    assert_eq!(made.policies.values().map(|policy| policy.versions.len()).collect::<Vec<_>>(), [2]);
    for (kind, name) in objects {
        world.delete(kind, name).await;
    }
    for (kind, name) in objects {
        world.gone(kind, name).await;
    }
    let left = world.in_ram();
    assert!(left.groups.is_empty() && left.policies.is_empty() && left.devices.is_empty(), "{left:?}");
    assert_eq!(left.users.len(), 1, "{:?}", left.users.keys());
    assert_eq!(refused(&world), Vec::<String>::new());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
