//! What was in RAM before: adopted, with nothing taken away before that is accepted; and observed or planned, which writes nothing.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use ram_operator::api::annotation;
use serde_json::{Value, json};

use super::sweep::Quick;
use super::{Object, Scenario, named};
use crate::adoption::{ADMIN, FULL, READ, adopting, attached, by_hand, document, object, tenant};
use crate::world::{World, condition, eventually};

const USER: &str = "legacy-a-reader";
const TEAM: &str = "legacy-a-team";
const ROWS: &str = "legacy-a-rows";

/// A user with a key in somebody's hands, a group and a policy, all made by hand.
fn before(world: &World, of_user: &str, of_group: &str, action: &str) {
    let person = world.ram.person();
    by_hand(world, USER, &[of_user]);
    person.create_key(USER);
    person.create_group(TEAM);
    person.attach_to_group(TEAM, "System", of_group);
    person.set_group_comments(TEAM, "made by hand");
    person.create_custom_policy(ROWS, &document(action));
    person.set_policy_description(ROWS, "made by hand");
}

async fn stored(world: &World, kind: &str, name: &str) -> DynamicObject {
    world.dynamic(kind, Some(&world.ns)).get(name).await.expect("there")
}

/// All three are adopted, and that is accepted as soon as they are.
#[derive(Clone, Copy, Debug)]
pub struct Adopt;

const ADOPTED: [(&str, &str); 3] = [("RamUser", "reader"), ("RamGroup", "team"), ("RamPolicy", "rows")];

impl Adopt {
    /// Everything is there that is asked for, beside everything that was there.
    async fn is_pending(world: &World) {
        for (kind, name) in &ADOPTED[..2] {
            let shown = world.available(kind, name).await;
            assert!(condition(&shown, "AdoptionPending").is_some(), "{kind}: {}", shown["status"]);
        }
        world.ready("RamPolicy", "rows", "False", "AdoptionPending").await;
        let writes = world.ram.writes();
        let takes = ["Detach", "Remove", "Delete", "CreatePolicyVersion", "UpdateAccessKey"];
        let taken: Vec<_> = writes.iter().filter(|write| takes.iter().any(|word| write.starts_with(word))).collect();
        assert!(taken.is_empty(), "before it was accepted: {taken:?}");
        let both = [format!("System/{FULL}"), format!("System/{READ}")];
        let snapshot = world.in_ram();
        assert_eq!((&snapshot.users[USER].policies[..], &snapshot.groups[TEAM].policies[..]), (&both[..], &both[..]));
    }

    /// The adoption is accepted, and nothing is left of it to be done.
    async fn is_done(world: &World, kind: &str, name: &str) {
        eventually(&format!("the adoption of {kind} {name} to be done"), || async {
            let shown = stored(world, kind, name).await.data;
            let available = condition(&shown, "Ready").is_some_and(|ready| ready["reason"] == "Available");
            let accepted = shown["status"]["adoption"]["acceptedTime"].is_string();
            let pending = condition(&shown, "AdoptionPending").is_some();
            if available && accepted && !pending { Ok(()) } else { Err(shown["status"].to_string()) }
        })
        .await;
    }
}

impl Scenario for Adopt {
    const QUICK: Quick = Quick::Every(8, 7);
    const RUNNING: bool = false;

    fn objects(self, _: &World) -> Vec<Object> {
        named(&ADOPTED)
    }
    async fn set_up(self, world: &World) {
        tenant(world, json!({})).await;
        before(world, FULL, FULL, "ots:PutRow");
    }
    async fn ask(self, world: &World) {
        let group = json!({"groupName": TEAM, "policies": [attached(READ)]});
        let policy = json!({"policyName": ROWS, "documentJson": document("ots:GetRow")});
        for (kind, name, mut spec) in [("RamGroup", "team", group), ("RamPolicy", "rows", policy)] {
            spec["adoption"] = json!("IfUnowned");
            spec["deletionPolicy"] = json!("Retain");
            world.apply(object(world, kind, name, spec)).await;
        }
        world.user("reader", adopting(USER, json!({}))).await;
    }
    async fn finished(self, world: &World) {
        // The user is accepted first.
        if !stored(world, "RamUser", "reader").await.annotations().contains_key(annotation::ACCEPT_ADOPTION) {
            Self::is_pending(world).await;
        }
        for (kind, name) in ADOPTED {
            world.annotate(kind, name, annotation::ACCEPT_ADOPTION, "yes").await;
        }
        for (kind, name) in ADOPTED {
            Self::is_done(world, kind, name).await;
        }
    }
    async fn settle(self, world: &World) {
        let snapshot = world.in_ram();
        let (user, group, policy) = (&snapshot.users[USER], &snapshot.groups[TEAM], &snapshot.policies[ROWS]);
        let read = [format!("System/{READ}")];
        assert_eq!((&user.policies[..], &group.policies[..]), (&read[..], &read[..]));
        assert!(user.keys.len() == 1 && user.keys[0].active, "somebody has that key: {:?}", user.keys);
        let with = |action: &str| policy.versions.iter().filter(|version| version.document.contains(action)).count();
        assert_eq!((with("ots:GetRow"), with("ots:PutRow")), (1, 1));
        assert!(policy.document.contains("ots:GetRow"), "in force: {}", policy.document);
        for text in [&user.comments, &group.comments, &policy.description] {
            assert!(text.starts_with("made by hand [ram-operator:test:"), "{text}");
        }
        assert_eq!((snapshot.groups.len(), snapshot.policies.len()), (1, 1));
    }
}

/// The same three observed, with more rights than the tenant may give, and three that are only planned.
#[derive(Clone, Copy, Debug)]
pub struct Observe;

const OBSERVED: [(&str, &str); 3] = [("RamUser", "boss"), ("RamGroup", "watched"), ("RamPolicy", "watched")];
const PLANNED: [(&str, &str); 3] = [("RamUser", "planned"), ("RamGroup", "planned"), ("RamPolicy", "planned")];

async fn apply(world: &World, kind: &str, name: &str, management: &str, mut spec: Value) {
    spec["management"] = json!(management);
    world.apply(object(world, kind, name, spec)).await;
}

impl Scenario for Observe {
    const QUICK: Quick = Quick::Every(8, 8);
    const RUNNING: bool = false;

    fn objects(self, _: &World) -> Vec<Object> {
        named(&[OBSERVED, PLANNED].concat())
    }
    async fn set_up(self, world: &World) {
        tenant(world, json!({})).await;
        before(world, ADMIN, ADMIN, "ram:*");
    }
    async fn ask(self, world: &World) {
        apply(world, "RamPolicy", "watched", "Observe", json!({"policyName": ROWS})).await;
        apply(world, "RamGroup", "watched", "Observe", json!({"groupName": TEAM})).await;
        world.user("boss", json!({"userName": USER, "management": "Observe", "displayName": "Boss"})).await;
        apply(world, "RamPolicy", "planned", "Plan", json!({"documentJson": document("ots:GetRow")})).await;
        apply(world, "RamGroup", "planned", "Plan", json!({"policies": [attached(READ)]})).await;
        world.user("planned", json!({"management": "Plan"})).await;
    }
    async fn finished(self, world: &World) {
        for (kind, name) in OBSERVED {
            world.ready(kind, name, "True", "Observed").await;
        }
        for (kind, name) in PLANNED {
            world.ready(kind, name, "False", "Planned").await;
        }
    }
    async fn settle(self, world: &World) {
        // Nor later.
        for (kind, name) in self.objects(world) {
            world.reconcile(kind, &name).await;
            let finalizers = stored(world, kind, &name).await.finalizers().to_vec();
            assert_eq!(finalizers, Vec::<String>::new(), "{kind} {name} holds nothing");
        }
        assert_eq!(world.ram.writes(), Vec::<String>::new());
        let snapshot = world.in_ram();
        let names: Vec<_> = snapshot.users.keys().map(String::as_str).collect();
        assert_eq!(names, ["bystander", USER, "ram-operator"]);
        let (user, group) = (&snapshot.users[USER], &snapshot.groups[TEAM]);
        let admin = [format!("System/{ADMIN}")];
        assert_eq!((&user.policies[..], &group.policies[..]), (&admin[..], &admin[..]));
        assert_eq!((user.comments.as_str(), group.comments.as_str()), ("made by hand", "made by hand"));
        assert!(user.keys.len() == 1 && user.keys[0].active && user.display_name.is_empty(), "{user:?}");
        assert_eq!((snapshot.groups.len(), snapshot.policies.len(), snapshot.policies[ROWS].versions.len()), (1, 1, 1));
    }
}
