//! A user with a key, a group that it is in, and a policy that the group has.

use serde_json::{Value, json};

use super::keys::one_key;
use super::sweep::Quick;
use super::{Object, Scenario, all_available, named};
use crate::world::World;

pub fn objects() -> Vec<Object> {
    named(&[("RamAccessKey", "ingest"), ("RamUser", "reader"), ("RamGroup", "readers"), ("RamPolicy", "sensors")])
}

/// A tenant that may write policies of its own.
async fn tenant(world: &World) {
    let documents = json!({"actions": ["ots:*"], "resources": ["*"]});
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "documents": documents})).await;
}

async fn apply(world: &World, kind: &str, name: &str, mut spec: Value) {
    spec["accountRef"] = json!({"name": world.name});
    world.apply(json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
}

async fn policy(world: &World, actions: &str) {
    let statement = json!({"effect": "Allow", "actions": [actions], "resources": ["*"]});
    apply(world, "RamPolicy", "sensors", json!({"statements": [statement]})).await;
}

async fn group(world: &World, name: &str, policies: Value) {
    apply(world, "RamGroup", name, json!({"policies": policies})).await;
}

async fn member(world: &World, of: &str) {
    world.user("reader", json!({"groups": [{"type": "RamGroup", "name": of}]})).await;
}

fn sensors() -> Value {
    json!({"type": "RamPolicy", "name": "sensors"})
}

fn read_only() -> Value {
    json!({"type": "System", "name": "AliyunOTSReadOnlyAccess"})
}

async fn make(world: &World) {
    tenant(world).await;
    policy(world, "ots:Get*").await;
    group(world, "readers", json!([sensors()])).await;
    member(world, "readers").await;
    world.key("ingest", "reader", json!({})).await;
}

pub async fn made(world: &World) {
    make(world).await;
    all_available(world, objects()).await;
}

/// The name in RAM of the one policy there is.
fn only_policy(world: &World) -> String {
    let policies = world.in_ram().policies;
    assert_eq!(policies.len(), 1, "{:?}", policies.keys());
    policies.into_keys().next().expect("one")
}

/// A group has exactly these policies and members.
fn assert_group(world: &World, name: &str, policies: &[&str], members: &[&str]) {
    let group = &world.in_ram().groups[&format!("{}.{name}", world.ns)];
    assert_eq!(group.policies, policies, "{name}");
    assert_eq!(group.members, members, "{name}");
}

/// All of it is made.
#[derive(Clone, Copy, Debug)]
pub struct Team;

impl Scenario for Team {
    const QUICK: Quick = Quick::Every(6, 1);
    const RUNNING: bool = false;

    fn objects(self, _: &World) -> Vec<Object> {
        objects()
    }
    async fn ask(self, world: &World) {
        make(world).await;
    }
    async fn finished(self, world: &World) {
        all_available(world, objects()).await;
    }
    async fn settle(self, world: &World) {
        let policy = only_policy(world);
        let snapshot = world.in_ram();
        assert_eq!((snapshot.groups.len(), snapshot.policies[&policy].versions.len()), (1, 1));
        assert_group(world, "readers", &[&format!("Custom/{policy}")], &[&world.ram_name("reader")]);
        one_key(world).await;
    }
}

/// Everything changes at once: the policy's document where there is no room for another version, what the groups have, and in which of
/// them the user is.
#[derive(Clone, Copy, Debug)]
pub struct Change;

impl Change {
    fn all() -> Vec<Object> {
        named(&[("RamUser", "reader"), ("RamGroup", "readers"), ("RamGroup", "writers"), ("RamPolicy", "sensors")])
    }
}

impl Scenario for Change {
    const QUICK: Quick = Quick::Every(8, 2);

    fn objects(self, _: &World) -> Vec<Object> {
        Self::all()
    }
    async fn set_up(self, world: &World) {
        tenant(world).await;
        policy(world, "ots:Get*").await;
        group(world, "readers", json!([sensors()])).await;
        group(world, "writers", json!([read_only()])).await;
        member(world, "readers").await;
        all_available(world, Self::all()).await;
        let old = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Old*","Resource":"*"}]}"#;
        for _ in 0..4 {
            world.ram.person().add_policy_version(&only_policy(world), old);
        }
    }
    async fn ask(self, world: &World) {
        policy(world, "ots:List*").await;
        group(world, "readers", json!([sensors(), read_only()])).await;
        group(world, "writers", json!([sensors()])).await;
        member(world, "writers").await;
    }
    async fn finished(self, world: &World) {
        all_available(world, Self::all()).await;
    }
    async fn settle(self, world: &World) {
        let name = only_policy(world);
        let (custom, user) = (format!("Custom/{name}"), world.ram_name("reader"));
        let snapshot = world.in_ram();
        assert_eq!((snapshot.groups.len(), &snapshot.users[&user].groups), (2, &vec![format!("{}.writers", world.ns)]));
        assert_group(world, "readers", &[&custom, "System/AliyunOTSReadOnlyAccess"], &[]);
        assert_group(world, "writers", &[&custom], &[&user]);
        let policy = &snapshot.policies[&name];
        let with = |action: &str| policy.versions.iter().filter(|version| version.document.contains(action)).count();
        assert_eq!((with("ots:List*"), with("ots:Get*"), with("ots:Old*")), (1, 1, 3), "one old version made room");
        assert!(policy.document.contains("ots:List*"), "in force: {}", policy.document);
        assert_eq!(policy.attached_to, [format!("Group/{}.readers", world.ns), format!("Group/{}.writers", world.ns)]);
        assert_eq!(snapshot.users[&user].policies, ["System/AliyunOTSReadOnlyAccess"]);
    }
}
