//! What somebody who owns a namespace may try to get more than the tenant allows. Each attempt ends in a refusal with its reason; RAM is not
//! written to, and no Secret is.
//!
//! Everything is tried with the rights of the ClusterRole `admin` in one namespace, and what these do not include is tried as well.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use ram_operator::api::{FINALIZER, RamUser, SECRET_LABEL, annotation};
use serde_json::{Value, json};

use crate::rotation::{assert_says, no_writes, stored};
use crate::support::operator::Running;
use crate::support::ram::Snapshot;
use crate::world::{World, condition, eventually, merge, shared};

const READ: &str = "AliyunOTSReadOnlyAccess";
const ADMIN: &str = "AdministratorAccess";
const INSIDE: &str = "acs:ots:*:*:instance/team-a-x";
const EVERYTHING: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Two teams in one account. `world` acts as the owner of the first team's namespace; the second team may have everything.
struct Scene {
    world: World,
    admin: Client,
    operator: Running,
    /// The second team's namespace.
    others: String,
    /// What its RamPolicy `sensors` is called in RAM.
    policy: String,
    /// The Secret of its key.
    pair: Secret,
}

impl Scene {
    async fn new(test: &str) -> Self {
        let mut world = World::new(test).await;
        tenant(&world, json!({})).await;
        let others = format!("{}-b", world.name);
        world.namespace(&others, json!({"team": world.name})).await;
        let joint = json!(["joint-*"]);
        let spec = json!({
            "accountRef": {"name": world.name},
            "namespaceSelector": {"matchLabels": {"team": world.name}},
            "names": {"users": joint, "groups": joint, "policies": joint},
            "attach": {"system": ["*"]},
            "documents": {"actions": ["*"], "resources": ["*"]},
        });
        world.apply(json!({"kind": "RamTenant", "metadata": {"name": others}, "spec": spec})).await;
        by_hand(&world);
        let operator = world.operator().await;
        the_others(&world, &others).await;
        let sensors = until(&world, &others, "RamPolicy", "sensors", "Available").await;
        let policy = sensors.data["status"]["policyName"].as_str().expect("a name").to_owned();
        let secrets: Api<Secret> = Api::namespaced(world.admin.clone(), &others);
        let pair = secrets.get("worker").await.expect("a pair");
        secrets.create(&PostParams::default(), &secret("first", "password")).await.expect("made");
        let owner = owner(&world).await;
        let admin = std::mem::replace(&mut world.admin, owner);
        world.writes();
        Self { world, admin, operator, others, policy, pair }
    }

    /// Changes the first team's tenant, as only an administrator can.
    async fn grant(&mut self, more: Value) {
        let owner = std::mem::replace(&mut self.world.admin, self.admin.clone());
        tenant(&self.world, more).await;
        self.world.admin = owner;
    }

    async fn end(mut self) {
        self.world.admin = self.admin;
        self.world.examine(Some(&self.operator)).await;
        self.operator.stop().await;
    }
}

/// The first team's tenant; `more` is merged over it.
async fn tenant(world: &World, more: Value) {
    let legacy = json!(["legacy-a-*"]);
    let mut spec = json!({
        "names": {"users": ["team-a.*", "joint-*"], "groups": ["joint-*"], "policies": ["team-a-*", "joint-*"]},
        "attach": {"system": ["AliyunOTS*"], "custom": ["shared-*"], "groups": ["readers"]},
        "documents": {"actions": ["ots:*"], "resources": ["acs:ots:*:*:instance/team-a-*"]},
        "adopt": {"users": legacy, "groups": legacy, "policies": legacy},
        "limits": {"accessKeys": 1},
    });
    merge(&mut spec, more);
    world.tenant(spec).await;
}

/// Administrators, and a group that the tenant lists and that holds too much.
fn by_hand(world: &World) {
    let person = world.ram.person();
    for name in ["boss", "legacy-a-boss"] {
        person.create_user(name, "by hand");
        person.attach(name, "System", ADMIN);
    }
    for name in ["admins", "legacy-a-admins", "readers"] {
        person.create_group(name);
        person.attach_to_group(name, "System", ADMIN);
    }
    person.create_user("legacy-a-member", "by hand");
    person.add_to_group("legacy-a-member", "admins");
    person.create_custom_policy("all", EVERYTHING);
    person.create_custom_policy("legacy-a-all", EVERYTHING);
}

/// What the second team has, some of it under names that both may give.
async fn the_others(world: &World, ns: &str) {
    let everything = json!({"documentJson": EVERYTHING});
    let named = |field: &str, name: &str, mut spec: Value| {
        spec[field] = json!(name);
        spec
    };
    for (kind, name, spec) in [
        ("RamUser", "worker", json!({"policies": [system(ADMIN)]})),
        ("RamUser", "joint", json!({"userName": "joint-worker", "policies": [system(ADMIN)]})),
        ("RamGroup", "joint", json!({"groupName": "joint-team", "policies": [system(ADMIN)]})),
        ("RamPolicy", "sensors", everything.clone()),
        ("RamPolicy", "joint", named("policyName", "joint-rows", everything)),
        ("RamAccessKey", "worker", json!({"userRef": {"name": "worker"}})),
    ] {
        put(world, ns, kind, name, spec).await;
        until(world, ns, kind, name, "Available").await;
    }
}

/// A client with the rights of the ClusterRole `admin` in the world's namespace, and no other.
async fn owner(world: &World) -> Client {
    let (user, cluster) = (format!("owner-{}", world.name), &shared().await.cluster);
    let mut kubectl = cluster.kubectl();
    kubectl.args(["create", "rolebinding", "owner", "--clusterrole=admin", "--namespace", world.ns.as_str()]);
    let output = kubectl.arg(format!("--user={user}")).output().expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut config = cluster.admin_config();
    config.auth_info.impersonate = Some(user);
    let client = Client::try_from(config).expect("a client");
    let api: Api<RamUser> = Api::namespaced(client.clone(), &world.ns);
    let trial = json!({
        "apiVersion": "ram-operator.dev/v1alpha1", "kind": "RamUser", "metadata": {"name": "trial"}, "spec": {},
    });
    let dry = PatchParams { dry_run: true, ..PatchParams::apply("test").force() };
    // Rights come a moment after the objects that give them.
    eventually("the owner's rights", || async { api.patch("trial", &dry, &Patch::Apply(&trial)).await.map(|_| ()) })
        .await;
    client
}

fn object(world: &World, ns: &str, kind: &str, name: &str, more: Value) -> Value {
    let mut spec = if kind == "RamAccessKey" { json!({}) } else { json!({"accountRef": {"name": world.name}}) };
    merge(&mut spec, more);
    json!({"kind": kind, "metadata": {"name": name, "namespace": ns}, "spec": spec})
}

async fn put(world: &World, ns: &str, kind: &str, name: &str, more: Value) {
    world.apply(object(world, ns, kind, name, more)).await;
}

/// Waits until an object says this of its present spec.
async fn until(world: &World, ns: &str, kind: &str, name: &str, reason: &str) -> DynamicObject {
    let api = world.dynamic(kind, Some(ns));
    eventually(&format!("{kind} {ns}/{name} to be {reason}"), || async {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        let ready = condition(&object.data, "Ready").cloned().unwrap_or_default();
        let current = ready["observedGeneration"].as_i64() == object.metadata.generation;
        if current && ready["reason"] == json!(reason) { Ok(object) } else { Err(ready.to_string()) }
    })
    .await
}

/// What RAM has, without what every call of the operator changes: when keys were used last.
fn in_ram(world: &World) -> Snapshot {
    let mut all = world.ram.snapshot();
    all.users.values_mut().flat_map(|user| &mut user.keys).for_each(|key| key.last_used = None);
    all
}

/// The namespace's Secrets: equal twice means that nobody wrote one.
async fn secrets(world: &World) -> BTreeMap<String, Option<String>> {
    let all = world.secrets().list(&ListParams::default()).await.expect("a list");
    all.into_iter().map(|secret| (secret.name_any(), secret.resource_version())).collect()
}

fn secret(name: &str, key: &str) -> Secret {
    serde_json::from_value(json!({"metadata": {"name": name}, "stringData": {key: "somebody's"}})).expect("a Secret")
}

fn system(name: &str) -> Value {
    json!({"type": "System", "name": name})
}

fn custom(name: &str) -> Value {
    json!({"type": "Custom", "name": name})
}

fn group(name: &str) -> Value {
    json!({"groups": [{"type": "Ram", "name": name}]})
}

fn adopting(field: &str, name: &str, more: Value) -> Value {
    let mut spec = json!({(field): name, "adoption": "IfUnowned", "deletionPolicy": "Retain"});
    merge(&mut spec, more);
    spec
}

/// An object that asks for too much: its kind and spec, why it is refused, and a word of the message.
type Attempt = (&'static str, Value, &'static str, String);

fn attempt(kind: &'static str, spec: Value, reason: &'static str, says: &str) -> Attempt {
    (kind, spec, reason, says.to_owned())
}

fn users(others: &str, policy: &str) -> Vec<Attempt> {
    let no = |spec: Value, reason, says: &str| attempt("RamUser", spec, reason, says);
    let named = |name: &str| json!({"userName": name});
    let login = json!({"source": "SecretRef", "secretRef": {"name": "first", "key": "password"}});
    let generated = format!("{others}.worker");
    vec![
        // A group by name, in any spelling, and one that the tenant lists and that holds too much.
        no(group("admins"), "GroupNotAllowed", "admins"),
        no(group("ADMINS"), "GroupNotAllowed", "ADMINS"),
        no(group("joint-team"), "GroupNotAllowed", "joint-team"),
        no(group("readers"), "GroupExceedsTenant", ADMIN),
        no(group("Readers"), "GroupExceedsTenant", ADMIN),
        // Names: whether there is a user or not, the same is said. In a glob a dot is a dot.
        no(named("boss"), "NameNotAllowed", "boss"),
        no(named("BOSS"), "NameNotAllowed", "BOSS"),
        no(named("nobody"), "NameNotAllowed", "nobody"),
        no(named("team-ax.reader"), "NameNotAllowed", "team-ax.reader"),
        no(named("xteam-a.reader"), "NameNotAllowed", "xteam-a.reader"),
        no(named(&generated), "NameNotAllowed", &generated),
        no(named(&generated.to_uppercase()), "NameNotAllowed", &generated.to_uppercase()),
        no(json!({"userName": "boss", "management": "Plan"}), "NameNotAllowed", "boss"),
        // One that both teams may give.
        no(named("joint-worker"), "OwnedElsewhere", "joint-worker"),
        no(named("JOINT-Worker"), "OwnedElsewhere", "joint-worker"),
        no(adopting("userName", "joint-worker", json!({})), "OwnedElsewhere", "joint-worker"),
        // Policies by name, in any spelling and of any type.
        no(json!({"policies": [system(READ), system(ADMIN)]}), "PolicyNotAllowed", ADMIN),
        no(json!({"policies": [system("administratoraccess")]}), "PolicyNotAllowed", "administratoraccess"),
        no(json!({"policies": [custom("AliyunOTSFullAccess")]}), "PolicyNotAllowed", "Custom AliyunOTSFullAccess"),
        no(json!({"policies": [custom("all")]}), "PolicyNotAllowed", "Custom all"),
        no(json!({"policies": [custom("joint-rows")]}), "PolicyNotAllowed", "joint-rows"),
        no(json!({"policies": [custom(policy)]}), "PolicyNotAllowed", policy),
        no(json!({"policies": [system(ADMIN)], "attachments": "Additive"}), "PolicyNotAllowed", ADMIN),
        // To leave things behind, and to log on.
        no(json!({"deletionPolicy": "Retain"}), "RetainNotAllowed", "retain"),
        no(adopting("userName", "team-a.new", json!({})), "RetainNotAllowed", "retain"),
        no(json!({"consoleLogin": {"initialPassword": login}}), "ConsoleLoginNotAllowed", "consoleLogin"),
        // To adopt, or to look at, an administrator.
        no(adopting("userName", "boss", json!({})), "AdoptionNotAllowed", "boss"),
        no(adopting("userName", "nobody", json!({})), "AdoptionNotAllowed", "nobody"),
        no(adopting("userName", "legacy-a-boss", json!({"policies": []})), "AdoptionExceedsTenant", ADMIN),
        no(adopting("userName", "LEGACY-A-BOSS", json!({})), "AdoptionExceedsTenant", ADMIN),
        no(adopting("userName", "legacy-a-boss", json!({"management": "Plan"})), "AdoptionExceedsTenant", ADMIN),
        no(adopting("userName", "legacy-a-member", json!({"groups": []})), "AdoptionExceedsTenant", "group admins"),
        no(json!({"userName": "boss", "management": "Observe"}), "AdoptionNotAllowed", "boss"),
        no(json!({"userName": "joint-worker", "management": "Observe"}), "AdoptionNotAllowed", "joint-worker"),
        no(json!({"userName": "nobody", "management": "Observe"}), "AdoptionNotAllowed", "nobody"),
    ]
}

fn groups_and_keys() -> Vec<Attempt> {
    let no = |spec: Value, reason, says: &str| attempt("RamGroup", spec, reason, says);
    vec![
        no(json!({"policies": [system(READ), system(ADMIN)]}), "PolicyNotAllowed", ADMIN),
        no(json!({"policies": [custom("all")]}), "PolicyNotAllowed", "Custom all"),
        no(json!({"groupName": "admins"}), "NameNotAllowed", "admins"),
        no(json!({"groupName": "nothing"}), "NameNotAllowed", "nothing"),
        no(json!({"groupName": "joint-team"}), "OwnedElsewhere", "joint-team"),
        no(json!({"deletionPolicy": "Retain"}), "RetainNotAllowed", "retain"),
        no(adopting("groupName", "admins", json!({})), "AdoptionNotAllowed", "admins"),
        no(adopting("groupName", "legacy-a-admins", json!({"policies": []})), "AdoptionExceedsTenant", ADMIN),
        no(json!({"groupName": "admins", "management": "Observe"}), "AdoptionNotAllowed", "admins"),
        // A key of a user in another namespace.
        attempt("RamAccessKey", json!({"userRef": {"name": "worker"}}), "UserNotFound", "worker"),
    ]
}

/// Policies under names and in places of others.
fn policies(policy: &str) -> Vec<Attempt> {
    let no = |mut spec: Value, reason, says: &str| {
        if spec["management"].is_null() {
            spec["documentJson"] = json!(document(&json!({"Effect": "Allow", "Action": "ots:*", "Resource": INSIDE})));
        }
        attempt("RamPolicy", spec, reason, says)
    };
    vec![
        no(json!({"policyName": ADMIN}), "NameNotAllowed", ADMIN),
        no(json!({"policyName": "all"}), "NameNotAllowed", "all"),
        no(json!({"policyName": policy}), "NameNotAllowed", policy),
        no(json!({"policyName": "joint-rows"}), "OwnedElsewhere", ""),
        no(json!({"deletionPolicy": "Retain"}), "RetainNotAllowed", "retain"),
        no(adopting("policyName", "all", json!({})), "AdoptionNotAllowed", "all"),
        no(adopting("policyName", "legacy-a-all", json!({})), "AdoptionExceedsTenant", "the action *"),
        no(json!({"policyName": "all", "management": "Observe"}), "AdoptionNotAllowed", "all"),
    ]
}

fn document(statement: &Value) -> String {
    json!({"Version": "1", "Statement": [statement]}).to_string()
}

/// Documents that reach further than they look, and documents that RAM would refuse.
fn documents() -> Vec<Attempt> {
    let allow = |action: Value, resource: Value| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let of = |statement: Value| attempt("RamPolicy", json!({"documentJson": document(&statement)}), "", "");
    let actions = |action: Value| of(allow(action, json!(INSIDE)));
    let resources = |resource: Value| of(allow(json!("ots:*"), resource));
    let text = |text: String| attempt("RamPolicy", json!({"documentJson": text}), "", "");
    let typed = |action: &str, resource: &str| {
        let statements =
            json!([{"effect": "Allow", "actions": ["ots:GetRow", action], "resources": [INSIDE, resource]}]);
        attempt("RamPolicy", json!({"statements": statements}), "", "")
    };
    let anywhere = json!({"StringEquals": {"acs:RequestTag/team": ["a"]}});
    let too_much = [
        (actions(json!("*")), "the action *"),
        (actions(json!("*:*")), "the action *:*"),
        (actions(json!("o*s:*")), "o*s:*"),
        (actions(json!("?ts:*")), "?ts:*"),
        (actions(json!("ots*:*")), "ots*:*"),
        (actions(json!(["ots:*", "RAM:CreateAccessKey"])), "RAM:CreateAccessKey"),
        (resources(json!("*")), "the resource *"),
        (resources(json!("acs:*:*:*:instance/team-a-x")), "acs:*"),
        (resources(json!("acs:ots:*:*:*/team-a-x")), "*/team-a-x"),
        (resources(json!("acs:ots:*:*:instance/t*m-a-x")), "t*m-a-x"),
        (resources(json!("acs:ots:*instance/team-a-x")), "acs:ots:*instance"),
        (resources(json!("acs:ots:*:*:instance/TEAM-A-x")), "TEAM-A-x"),
        (resources(json!([INSIDE, "acs:ots:*:*:instance/team-b-x"])), "team-b-x"),
        (resources(json!("acs:ots:*:*:instance/team-a-${acs:PrincipalTag/team}")), "${acs:"),
        (of(json!({"Effect": "Allow", "NotAction": "ram:*", "Resource": INSIDE})), "NotAction"),
        (of(json!({"Effect": "Allow", "Action": "ots:*", "NotResource": "acs:oss:*"})), "NotResource"),
        // No condition makes up for it, and neither does what another statement denies.
        (of(json!({"Effect": "Allow", "Action": "*", "Resource": INSIDE, "Condition": anywhere})), "the action *"),
        (text(EVERYTHING.replace('[', r#"[{"Effect":"Deny","NotAction":"ots:*","Resource":"*"},"#)), "statement 2"),
        (typed("ram:*", INSIDE), "ram:*"),
        (typed("ots:*", "acs:oss:*"), "acs:oss:*"),
    ];
    let one = format!(r#""Effect":"Allow","Action":"ots:*","Resource":"{INSIDE}""#);
    let whole = |inner: &str| text(format!(r#"{{"Version":"1","Statement":[{{{one}{inner}}}]}}"#));
    let many: Vec<String> = (0..200).map(|n| format!("acs:ots:*:*:instance/team-a-{n}")).collect();
    let invalid = [
        (actions(json!("ots*")), "<service>:<Operation>"),
        (actions(json!([["*"]])), "statement 1"),
        (actions(json!([])), "Action is empty"),
        (of(json!({"Effect": "allow", "Action": "*", "Resource": "*"})), "allow"),
        (of(json!({"Effect": "Allow", "notaction": "ram:*", "Resource": INSIDE})), "notaction"),
        (of(json!({"Effect": "Allow", "Action": "ots:*", "NotAction": "ram:*", "Resource": INSIDE})), "exclude"),
        (resources(json!(many)), "6144"),
        // RAM might read the other one of two.
        (whole(r#","Action":"*""#), "Action comes twice"),
        (whole(r#","\u0041ction":"*""#), "Action comes twice"),
        (whole(r#","Principal":{"RAM":["*"]}"#), "Principal"),
        (text(EVERYTHING.replacen('{', r#"{"Statement":[],"#, 1)), "duplicate field `Statement`"),
        (text(format!("{EVERYTHING}{EVERYTHING}")), "trailing"),
    ];
    let as_what =
        |reason: &'static str| move |((kind, spec, ..), says): (Attempt, &str)| attempt(kind, spec, reason, says);
    let refused = too_much.into_iter().map(as_what("DocumentNotAllowed"));
    refused.chain(invalid.into_iter().map(as_what("DocumentInvalid"))).collect()
}

/// The object shows nothing of what is somebody else's, unless it was asked for by name or the tenant lets it be seen.
fn assert_shows_nothing(object: &DynamicObject, reason: &str) {
    let status = &object.data["status"];
    for field in ["userId", "groupId", "createTime", "accessKeyId", "policies", "observed", "adoption"] {
        assert!(status[field].is_null(), "{field}: {status}");
    }
    let asked = object.data["spec"].to_string().to_lowercase().contains(&ADMIN.to_lowercase());
    let allowed = asked || reason.contains("Exceeds");
    assert!(allowed || !status.to_string().contains(ADMIN), "{status}");
    assert!(!object.finalizers().iter().any(|name| name == FINALIZER), "{:?}", object.metadata);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_asks_for_more_is_refused_with_nothing_written() {
    let scene = Scene::new("escape").await;
    let world = &scene.world;
    let (before, secrets_before) = (in_ram(world), secrets(world).await);
    let mut attempts = users(&scene.others, &scene.policy);
    attempts.extend(groups_and_keys());
    attempts.extend(policies(&scene.policy));
    attempts.extend(documents());
    for (n, (kind, spec, ..)) in attempts.iter().enumerate() {
        let mut tried = object(world, &world.ns, kind, &format!("try-{n}"), spec.clone());
        // What is accepted in advance is not allowed by that.
        tried["metadata"]["annotations"] = json!({annotation::ACCEPT_ADOPTION: "yes"});
        world.apply(tried).await;
    }
    for (n, (kind, spec, reason, says)) in attempts.iter().enumerate() {
        let found = until(world, &world.ns, kind, &format!("try-{n}"), reason).await;
        assert_says(&found.data, "Ready", &[says.as_str()]);
        assert_shows_nothing(&found, reason);
        let planned = found.data["status"]["plan"].as_array().map_or(0, Vec::len);
        assert_eq!(planned, 0, "{spec}: {}", found.data["status"]);
    }
    no_writes(world);
    // Nor do they take anything with them.
    for kind in ["RamUser", "RamGroup", "RamPolicy", "RamAccessKey"] {
        let api = world.dynamic(kind, Some(&world.ns));
        api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("deletion asked for");
        eventually(&format!("every {kind} to be gone"), || async {
            let left = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            if left.items.is_empty() { Ok(()) } else { Err(format!("{} are left", left.items.len())) }
        })
        .await;
    }
    no_writes(world);
    assert_eq!(in_ram(world), before);
    assert_eq!(secrets(world).await, secrets_before);
    scene.end().await;
}

/// What the first team may have, and has.
async fn own(scene: &Scene) {
    let (world, ns) = (&scene.world, scene.world.ns.as_str());
    let statements = json!([{"effect": "Allow", "actions": ["ots:Get*"], "resources": [INSIDE]}]);
    for (kind, name, spec) in [
        ("RamUser", "mine", json!({"policies": [system(READ)]})),
        ("RamGroup", "mine", json!({"policies": [], "attachments": "Additive"})),
        ("RamPolicy", "mine", json!({"statements": statements})),
        ("RamAccessKey", "mine", json!({"userRef": {"name": "mine"}})),
    ] {
        put(world, ns, kind, name, spec).await;
        until(world, ns, kind, name, "Available").await;
    }
    world.writes();
}

/// What exists is not made to have more by another spec.
async fn edits(scene: &Scene) {
    let (world, ns) = (&scene.world, scene.world.ns.as_str());
    let login = json!({"source": "SecretRef", "secretRef": {"name": "first", "key": "password"}});
    for (more, reason, says) in [
        (json!({"policies": [system(READ), system(ADMIN)]}), "PolicyNotAllowed", ADMIN),
        // A policy and a group of another namespace.
        (json!({"policies": [system(READ), {"type": "RamPolicy", "name": "sensors"}]}), "PolicyNotReady", "sensors"),
        (json!({"groups": [{"type": "RamGroup", "name": "joint"}]}), "GroupNotReady", "joint"),
        (group("admins"), "GroupNotAllowed", "admins"),
        (group("readers"), "GroupExceedsTenant", ADMIN),
        (json!({"deletionPolicy": "Retain"}), "RetainNotAllowed", "retain"),
        (json!({"consoleLogin": {"initialPassword": login}}), "ConsoleLoginNotAllowed", "consoleLogin"),
        (json!({}), "Available", ""),
    ] {
        let mut spec = json!({"policies": [system(READ)]});
        merge(&mut spec, more);
        put(world, ns, "RamUser", "mine", spec).await;
        let found = until(world, ns, "RamUser", "mine", reason).await;
        assert_says(&found.data, "Ready", &[says]);
    }
    for (policy, reason) in [("Retain", "RetainNotAllowed"), ("Disable", "RetainNotAllowed"), ("Delete", "Available")] {
        let spec = json!({"userRef": {"name": "mine"}, "deletionPolicy": policy});
        put(world, ns, "RamAccessKey", "mine", spec).await;
        until(world, ns, "RamAccessKey", "mine", reason).await;
    }
    no_writes(world);
}

/// What somebody made wider in RAM is not handed on by those who may hand on what it was.
async fn widened_by_hand(scene: &Scene) {
    let (world, ns) = (&scene.world, scene.world.ns.as_str());
    let person = world.ram.person();
    person.attach_to_group(&format!("{ns}.mine"), "System", ADMIN);
    world.annotate("RamPolicy", "mine", annotation::PAUSED, "true").await;
    let name = stored(world, "RamPolicy", "mine").await["status"]["policyName"].as_str().expect("a name").to_owned();
    let wider = person.add_policy_version(&name, EVERYTHING);
    person.set_default_policy_version(&name, &wider);
    let before = in_ram(world);
    let policy = json!({"policies": [{"type": "RamPolicy", "name": "mine"}]});
    for (kind, name, spec, reason, says) in [
        ("RamUser", "friend", json!({"groups": [{"type": "RamGroup", "name": "mine"}]}), "GroupExceedsTenant", ADMIN),
        ("RamUser", "holder", policy.clone(), "DocumentNotAllowed", "the action *"),
        ("RamGroup", "holder", policy, "DocumentNotAllowed", "the action *"),
    ] {
        put(world, ns, kind, name, spec).await;
        let found = until(world, ns, kind, name, reason).await;
        assert_says(&found.data, "Ready", &[says]);
        assert_shows_nothing(&found, "Exceeds");
    }
    no_writes(world);
    assert_eq!(in_ram(world), before);
}

/// A key of others does not become the owner's by a Secret that holds it, nor by its id in an annotation.
async fn keys_of_others(scene: &Scene) {
    let (world, ns) = (&scene.world, scene.world.ns.as_str());
    let mut copied = scene.pair.clone();
    copied.metadata = ObjectMeta {
        name: Some("copied".to_owned()),
        labels: Some(BTreeMap::from([(SECRET_LABEL.to_owned(), "copied".to_owned())])),
        annotations: scene.pair.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    for secret in [copied, secret("token", "token")] {
        world.secrets().create(&PostParams::default(), &secret).await.expect("made");
    }
    let (before, secrets_before) = (in_ram(world), secrets(world).await);
    for (name, more, reason) in [
        ("token", json!({}), "SecretConflict"),
        ("elsewhere", json!({"secret": {"name": "token"}}), "SecretConflict"),
        ("kept", json!({"deletionPolicy": "Retain"}), "RetainNotAllowed"),
        // Beyond the limit, so that nothing is minted in its place either.
        ("copied", json!({}), "LimitReached"),
    ] {
        let mut spec = json!({"userRef": {"name": "mine"}});
        merge(&mut spec, more);
        put(world, ns, "RamAccessKey", name, spec).await;
        assert_shows_nothing(&until(world, ns, "RamAccessKey", name, reason).await, reason);
    }
    let id = scene.pair.annotations()[annotation::ACCESS_KEY_ID].as_str();
    for (name, request, refused) in [
        ("mine", annotation::REVOKE, "RevokeRefused"),
        ("mine", annotation::RESTORE, "RestoreRefused"),
        ("copied", annotation::REVOKE, "RevokeRefused"),
    ] {
        world.annotate("RamAccessKey", name, request, id).await;
        eventually(refused, || async {
            let found = stored(world, "RamAccessKey", name).await;
            if condition(&found, refused).is_some() { Ok(()) } else { Err(found["status"]["conditions"].to_string()) }
        })
        .await;
    }
    for name in ["copied", "token", "elsewhere", "kept"] {
        world.delete("RamAccessKey", name).await;
        world.gone("RamAccessKey", name).await;
    }
    no_writes(world);
    assert_eq!(in_ram(world), before);
    assert_eq!(secrets(world).await, secrets_before);
}

fn forbidden<T>(what: &str, answer: Result<T, kube::Error>) {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        Err(error) => panic!("{what}: {error}"),
        Ok(_) => panic!("{what}: it was allowed"),
    }
}

/// What the cluster itself refuses to who owns a namespace and nothing else.
async fn rights(scene: &Scene) {
    let (world, ns) = (&scene.world, scene.world.ns.as_str());
    for kind in ["RamUser", "RamGroup", "RamPolicy", "RamAccessKey"] {
        let api = world.dynamic(kind, Some(ns));
        let off = Patch::Merge(json!({"metadata": {"finalizers": []}}));
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        // A policy is in force a moment after it was made.
        let said = eventually("the finalizer to be kept on", || async {
            match api.patch("mine", &dry, &off).await {
                Err(kube::Error::Api(status)) => Ok(status.message.clone()),
                other => Err(format!("{:?}", other.map(|_| ()))),
            }
        })
        .await;
        assert!(said.contains(FINALIZER) && said.contains("delete the object and wait"), "{said}");
        forbidden(kind, api.patch("mine", &PatchParams::default(), &off).await);
        // What the operator remembers is not theirs to write.
        let status = Patch::Merge(json!({"status": {"accountId": "1234567890123456"}}));
        forbidden(kind, api.patch_status("mine", &PatchParams::default(), &status).await);
        forbidden(kind, world.dynamic(kind, Some(&scene.others)).list(&ListParams::default()).await);
    }
    let id = scene.pair.annotations()[annotation::ACCESS_KEY_ID].as_str();
    let account = json!({"name": world.name});
    for (kind, spec) in [
        ("RamRevocation", json!({"accountRef": account, "accessKeyId": id})),
        ("RamTenant", json!({"accountRef": account, "namespaceSelector": {}, "attach": {"system": ["*"]}})),
        ("RamAccount", json!({"credentials": {"source": "Environment"}})),
    ] {
        let name = format!("{}-mine", world.name);
        forbidden(kind, world.try_apply(json!({"kind": kind, "metadata": {"name": name}, "spec": spec})).await);
        forbidden(kind, world.dynamic(kind, None).list(&ListParams::default()).await);
    }
    // Nor do they choose their tenant.
    let label = Patch::Merge(json!({"metadata": {"labels": {"team": world.name}}}));
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    forbidden("a label", namespaces.patch(ns, &PatchParams::default(), &label).await);
    // No reference leads out of the namespace.
    let there = format!("{}/worker", scene.others);
    let password = json!({"source": "SecretRef", "secretRef": {"name": there, "key": "password"}});
    for (kind, spec) in [
        ("RamAccessKey", json!({"userRef": {"name": there}})),
        ("RamAccessKey", json!({"userRef": {"name": "worker", "namespace": scene.others}})),
        ("RamAccessKey", json!({"userRef": {"name": "mine"}, "secret": {"name": there}})),
        ("RamUser", json!({"policies": [{"type": "RamPolicy", "name": there}]})),
        ("RamUser", json!({"groups": [{"type": "RamGroup", "name": there}]})),
        ("RamUser", json!({"consoleLogin": {"initialPassword": password}})),
    ] {
        let answer = world.try_apply(object(world, ns, kind, "out", spec.clone())).await;
        assert!(matches!(answer, Err(kube::Error::Api(_))), "{kind} {spec}: {answer:?}");
    }
    no_writes(world);
}

/// What was left in RAM is no longer the owner's, whatever it got since then.
async fn retained(scene: &mut Scene) {
    scene.grant(json!({"retain": "Allow"})).await;
    let (name, again) = ("team-a.again", json!({"userName": "team-a.again", "deletionPolicy": "Retain"}));
    let world = &scene.world;
    put(world, &world.ns, "RamUser", "again", again.clone()).await;
    until(world, &world.ns, "RamUser", "again", "Available").await;
    world.delete("RamUser", "again").await;
    world.gone("RamUser", "again").await;
    assert_eq!(world.writes(), [format!("CreateUser {name}"), format!("UpdateUser {name}")]);
    world.ram.person().attach(name, "System", ADMIN);
    let before = in_ram(world);
    put(world, &world.ns, "RamUser", "again", again).await;
    assert_shows_nothing(&until(world, &world.ns, "RamUser", "again", "Foreign").await, "");
    put(world, &world.ns, "RamAccessKey", "again", json!({"userRef": {"name": "again"}})).await;
    until(world, &world.ns, "RamAccessKey", "again", "UserNotReady").await;
    put(world, &world.ns, "RamUser", "again", adopting("userName", name, json!({}))).await;
    assert_shows_nothing(&until(world, &world.ns, "RamUser", "again", "AdoptionNotAllowed").await, "");
    scene.grant(json!({"retain": "Allow", "adopt": {"users": ["team-a.*"]}})).await;
    let world = &scene.world;
    let found = until(world, &world.ns, "RamUser", "again", "AdoptionExceedsTenant").await;
    assert_shows_nothing(&found, "AdoptionExceedsTenant");
    until(world, &world.ns, "RamAccessKey", "again", "UserNotReady").await;
    for kind in ["RamAccessKey", "RamUser"] {
        world.delete(kind, "again").await;
        world.gone(kind, "again").await;
    }
    no_writes(world);
    assert_eq!(in_ram(world), before);
}

/// Where log-on is allowed, no Secret of others is read for a password, and none is written over.
async fn secrets_of_others(scene: &mut Scene) {
    scene.grant(json!({"consoleLogin": "Allow"})).await;
    let world = &scene.world;
    let before = secrets(world).await;
    let read = json!({"source": "SecretRef", "secretRef": {"name": "first", "key": "password"}});
    let write = json!({"source": "Generate", "secret": {"name": "token"}});
    for (name, spec, reason, says) in [
        ("reads", json!({"consoleLogin": {"initialPassword": read}}), "PasswordNotFound", "first"),
        ("writes", json!({"consoleLogin": {"initialPassword": write}}), "SecretConflict", "token"),
        ("seeds", json!({"virtualMfa": {"secret": {"name": "token"}}}), "SecretConflict", "token"),
    ] {
        put(world, &world.ns, "RamUser", name, spec).await;
        let found = until(world, &world.ns, "RamUser", name, reason).await;
        assert_says(&found.data, "Ready", &[says]);
        // The user itself may be had.
        assert_eq!(world.writes(), [format!("CreateUser {}", world.ram_name(name))]);
    }
    assert_eq!(secrets(world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_has_is_no_way_to_more() {
    let mut scene = Scene::new("escape_own").await;
    own(&scene).await;
    edits(&scene).await;
    rights(&scene).await;
    keys_of_others(&scene).await;
    widened_by_hand(&scene).await;
    retained(&mut scene).await;
    secrets_of_others(&mut scene).await;
    scene.end().await;
}
