//! Every YAML in examples/ is what the server takes, and does what it says with an operator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::emulator::public;
use crate::support::ram::Options;
use crate::world::{World, condition, eventually, shared};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

async fn kubectl(arguments: &[&str]) -> Output {
    shared().await.cluster.kubectl().args(arguments).output().expect("kubectl runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_taken_by_the_server() {
    // Some of the examples live there.
    for namespace in ["team-a", "tablestore", "tablestore-ingest"] {
        let made = kubectl(&["create", "namespace", namespace]).await;
        assert!(made.status.success() || String::from_utf8_lossy(&made.stderr).contains("already exists"));
    }
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let file = path.to_str().expect("a path in UTF-8");
        let taken =
            kubectl(&["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", file]).await;
        assert!(taken.status.success(), "{file}: {}", String::from_utf8_lossy(&taken.stderr));
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} examples were found");
}

fn documents(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join(file)).expect("a file");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// Applies an example as it stands, but in this test's corner: its names, its namespaces, its RAM.
async fn apply_here(world: &World, file: &str, namespaces: &BTreeMap<String, String>) {
    for document in documents(file) {
        apply_one(world, document, namespaces).await;
    }
}

async fn apply_one(world: &World, mut document: Value, namespaces: &BTreeMap<String, String>) {
    let url = world.ram.url();
    let name = document["metadata"]["name"].as_str().expect("a name").to_owned();
    let kind = document["kind"].as_str().expect("a kind").to_owned();
    let namespace = document["metadata"]["namespace"].as_str().map(|namespace| namespaces[namespace].clone());
    if let Some(namespace) = &namespace {
        document["metadata"]["namespace"] = json!(namespace);
    }
    match kind.as_str() {
        "Namespace" => {
            let mut labels = document["metadata"]["labels"].clone();
            labels["ram-test"] = json!(world.name);
            world.namespace(&namespaces[&name], labels).await;
            return;
        }
        "Deployment" => {
            let namespace = namespace.expect("a namespace");
            let api: Api<Deployment> = Api::namespaced(world.admin.clone(), &namespace);
            let apply = PatchParams::apply("test").force();
            api.patch(&name, &apply, &Patch::Apply(document)).await.expect("applied");
            return;
        }
        "RamAccount" => {
            document["metadata"]["name"] = json!(world.name);
            document["spec"]["endpoints"] = json!({"ram": url, "ims": url, "sts": url});
            document["spec"]["credentials"]["secret"]["name"] = json!(world.name);
        }
        "RamTenant" | "RamRevocation" => {
            document["metadata"]["name"] = json!(format!("{}-{name}", world.name));
            document["spec"]["accountRef"] = json!({"name": world.name});
            if kind == "RamTenant" {
                document["spec"]["namespaceSelector"]["matchLabels"]["ram-test"] = json!(world.name);
            }
        }
        "RamAccessKey" => {}
        _ => document["spec"]["accountRef"] = json!({"name": world.name}),
    }
    world.apply(document).await;
}

/// Waits until an object in any namespace of this corner is Ready.
async fn ready_in(world: &World, kind: &str, namespace: &str, name: &str) {
    let api = world.dynamic(kind, Some(namespace));
    eventually(&format!("{kind} {namespace}/{name} to be ready"), || async {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        let ready = condition(&object.data, "Ready").is_some_and(|ready| ready["status"] == "True");
        if ready { Ok(()) } else { Err(object.data["status"].to_string()) }
    })
    .await;
}

/// Waits until an object in any namespace of this corner says this of `Ready`.
async fn says(world: &World, kind: &str, namespace: &str, name: &str, reason: &str) -> Value {
    let api = world.dynamic(kind, Some(namespace));
    eventually(&format!("{kind} {namespace}/{name} to say {reason}"), || async {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        let ready = condition(&object.data, "Ready").cloned().unwrap_or_default();
        let current = ready["observedGeneration"].as_i64() == object.metadata.generation;
        if ready["reason"] == reason && current { Ok(object.data) } else { Err(ready.to_string()) }
    })
    .await
}

/// Deletes an object in any namespace of this corner, and waits until it is gone.
async fn away(world: &World, kind: &str, namespace: &str, name: &str) {
    let api = world.dynamic(kind, Some(namespace));
    api.delete(name, &DeleteParams::default()).await.expect("deletion asked for");
    eventually(&format!("{kind} {name} to be gone"), || async {
        let left = api.get_opt(name).await.map_err(|error| error.to_string())?;
        left.map_or(Ok(()), |left| Err(left.data["status"].to_string()))
    })
    .await;
}

/// Examples whose credentials this corner does not have: a second account, the node's role, the operator's environment and its token. What they
/// show is tried in accounts.rs, each with an operator of its own.
const ASKED_ONLY: &[&str] =
    &["account-assume-role.yaml", "account-ecs-role.yaml", "account-environment.yaml", "account-rrsa.yaml"];

/// Examples with a test of their own below.
const STORIES: &[&str] = &["quickstart.yaml", "tablestore-team.yaml"];

/// It names a key, which has to be there first.
const REVOCATION: &str = "revocation.yaml";

/// The others, in an order in which each finds what it needs.
const TOGETHER: &[&str] = &[
    "account-settings.yaml",
    "tenant-team.yaml",
    "deployment-envfrom.yaml",
    "user-explicit-name.yaml",
    "key-files.yaml",
    "user-additive.yaml",
    "key-inactive.yaml",
    "key-restart.yaml",
    "key-retain.yaml",
    "key-rotation.yaml",
    "key-sources.yaml",
    "policy-json.yaml",
    "team.yaml",
    "user-adopt.yaml",
    "key-adopt.yaml",
    "user-grace.yaml",
    "user-login.yaml",
    "user-mfa.yaml",
    "user-observe.yaml",
    "user-plan.yaml",
    "user-suspended.yaml",
];

/// How their objects end.
const ENDS: &[(&str, &str, &str)] = &[
    ("RamUser", "dashboard", "Available"),
    ("RamAccessKey", "dashboard", "Available"),
    ("RamUser", "ingest", "Available"),
    ("RamAccessKey", "ingest-files", "Available"),
    ("RamUser", "batch", "Available"),
    ("RamAccessKey", "batch", "Inactive"),
    ("RamAccessKey", "restarting", "Available"),
    ("RamUser", "archive", "Available"),
    ("RamAccessKey", "archive", "Available"),
    ("RamAccessKey", "rotated", "Available"),
    ("RamAccessKey", "bound", "Available"),
    ("RamPolicy", "from-the-console", "Available"),
    ("RamPolicy", "sensors", "Available"),
    ("RamGroup", "engineers", "Available"),
    ("RamUser", "alice", "Available"),
    ("RamUser", "legacy", "Available"),
    ("RamAccessKey", "legacy", "Available"),
    ("RamUser", "careful", "Available"),
    ("RamUser", "bob", "Available"),
    ("RamUser", "carol", "Available"),
    ("RamUser", "watched", "Observed"),
    ("RamUser", "planned", "Planned"),
    ("RamUser", "suspended", "Suspended"),
    ("RamAccessKey", "suspended", "UserSuspended"),
];

#[test]
fn no_example_is_left_out() {
    let names = std::fs::read_dir(folder()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let yaml: BTreeSet<String> =
        names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".yaml")).collect();
    let all = [ASKED_ONLY, STORIES, &[REVOCATION], TOGETHER].concat();
    let tried: BTreeSet<String> = all.into_iter().map(str::to_owned).collect();
    assert_eq!(yaml, tried);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_examples_of_a_team_do_what_they_say() {
    let world = World::bare("examples", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let person = world.ram.person();
    // The account's sources are written only where they cannot shut out the operator.
    person.set_key_policy(&id, &public(&["127.0.0.1"]));
    // What they say has to be there before.
    for user in ["legacy-a-reader", "legacy-a-batch"] {
        person.create_user(user, "made by hand");
        person.attach(user, "System", "AliyunOTSReadOnlyAccess");
    }
    person.attach("legacy-a-reader", "System", "AliyunOTSFullAccess");
    let document = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:PutRow","Resource":"*"}]}"#;
    person.create_custom_policy("shared-sensors", document);
    let team = format!("{}-team", world.ns);
    let namespaces = BTreeMap::from([("team-a".to_owned(), team.clone())]);
    let operator = world.operator().await;
    for file in TOGETHER {
        if *file == "key-adopt.yaml" {
            let (id, secret) = person.create_key("legacy-a-reader");
            // The account's sources do not let the operator prove it from here.
            person.set_key_policy(&id, &public(&["127.0.0.1"]));
            let pair = json!({"ALIBABA_CLOUD_ACCESS_KEY_ID": id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret});
            let object = json!({"metadata": {"name": "legacy-pair", "namespace": team}, "stringData": pair});
            let object: Secret = serde_json::from_value(object).expect("a Secret");
            Api::namespaced(world.admin.clone(), &team).create(&PostParams::default(), &object).await.expect("made");
        }
        apply_here(&world, file, &namespaces).await;
    }
    let mut shown = BTreeMap::new();
    for (kind, name, reason) in ENDS {
        shown.insert((*kind, *name), says(&world, kind, &team, name, reason).await["status"].clone());
    }
    let accounts = world.dynamic("RamAccount", None);
    eventually("the settings to be applied", || async {
        let object = accounts.get(&world.name).await.map_err(|error| error.to_string())?;
        let applied = condition(&object.data, "SettingsApplied").is_some_and(|found| found["status"] == "True");
        if applied { Ok(()) } else { Err(object.data["status"].to_string()) }
    })
    .await;

    let seen = world.ram.snapshot();
    let user = |name: &str| &seen.users[&format!("{team}.{name}")];
    assert_eq!(seen.settings.alias.as_deref(), Some("acme"));
    assert!(seen.settings.key_policy.as_ref().is_some_and(|policy| policy.contains("vpc-bp1example")));
    // Key and Secret, in the forms that are asked for.
    let status = &shown[&("RamAccessKey", "ingest-files")];
    assert_eq!(status["binding"], json!({"name": "ingest-credentials"}));
    let secrets: Api<Secret> = Api::namespaced(world.admin.clone(), &team);
    let data = secrets.get("ingest-credentials").await.expect("a Secret").data.unwrap_or_default();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["AccessKey.csv", "config.json", "credentials", "ots.properties"]);
    assert_eq!(seen.users["prod-team-a.ingest"].keys.len(), 1);
    assert!(user("batch").keys.is_empty() && user("suspended").keys.is_empty(), "made when they are to be used");
    assert!(shown[&("RamAccessKey", "rotated")]["nextRotationTime"].is_string());
    let sources = user("bound").keys[0].policy.clone().expect("sources");
    assert!(sources.contains("203.0.113.0/24") && sources.contains("vpc-bp1example"), "{sources}");
    // People.
    assert_eq!(user("alice").groups, [format!("{team}.engineers")]);
    assert!(user("bob").logon.as_ref().is_some_and(|logon| logon.active && logon.mfa_required && logon.reset_required));
    assert!(user("carol").mfa_device);
    for name in ["bob-first-password", "carol-first-password", "carol-mfa"] {
        assert!(secrets.get_opt(name).await.expect("an answer").is_some(), "{name}");
    }
    // What others made.
    let users = world.dynamic("RamUser", Some(&team));
    eventually("what the adoption would take away to be listed", || async {
        let legacy = users.get("legacy").await.map_err(|error| error.to_string())?.data;
        let message = condition(&legacy, "AdoptionPending").map(|found| found["message"].to_string());
        let listed = message.is_some_and(|message| message.contains("AliyunOTSFullAccess"));
        if listed { Ok(()) } else { Err(legacy["status"].to_string()) }
    })
    .await;
    assert_eq!(seen.users["legacy-a-reader"].policies.len(), 2, "nothing is taken away before that is accepted");
    assert_eq!(seen.users["legacy-a-batch"].comments, "made by hand");
    assert!(shown[&("RamUser", "planned")]["plan"].as_array().is_some_and(|plan| !plan.is_empty()));
    assert!(!seen.users.contains_key(&format!("{team}.planned")));

    // A key that leaked is replaced and goes.
    let leaked = shown[&("RamAccessKey", "dashboard")]["accessKeyId"].clone();
    let mut order = documents(REVOCATION).remove(0);
    order["spec"]["accessKeyId"] = leaked.clone();
    let name = format!("{}-{}", world.name, order["metadata"]["name"].as_str().expect("a name"));
    apply_one(&world, order, &namespaces).await;
    world.ready("RamRevocation", &name, "True", "Revoked").await;
    let now = says(&world, "RamAccessKey", &team, "dashboard", "Available").await["status"]["accessKeyId"].clone();
    let keys = world.keys_in_ram(&format!("{team}.dashboard"));
    assert!(now != leaked && keys.len() == 1 && keys.contains_key(now.as_str().expect("an id")), "{keys:?}");

    // A key that outlives its object, and its user.
    away(&world, "RamAccessKey", &team, "archive").await;
    away(&world, "RamUser", &team, "archive").await;
    let left = world.ram.snapshot().users[&format!("{team}.archive")].clone();
    assert!(left.comments.is_empty() && left.keys[0].active, "{left:?}");
    assert!(secrets.get_opt("archive").await.expect("an answer").is_some());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_team_ends_with_nothing_of_who_left() {
    let world = World::bare("story", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let [team, service] = ["people", "service"].map(|part| format!("{}-{part}", world.ns));
    let namespaces =
        BTreeMap::from([("tablestore".to_owned(), team.clone()), ("tablestore-ingest".to_owned(), service.clone())]);
    let operator = world.operator().await;
    apply_here(&world, "tablestore-team.yaml", &namespaces).await;
    for (kind, namespace, name) in [
        ("RamPolicy", &team, "sensors"),
        ("RamGroup", &team, "engineers"),
        ("RamUser", &team, "dana"),
        ("RamUser", &service, "ingest"),
        ("RamAccessKey", &service, "ingest"),
    ] {
        ready_in(&world, kind, namespace, name).await;
    }
    let (dana, ingest) = (format!("{team}.dana"), format!("{service}.ingest"));
    let seen = world.ram.snapshot();
    assert_eq!(seen.settings.alias.as_deref(), Some("acme"));
    let logon = seen.users[&dana].logon.clone().expect("she logs on");
    assert!(logon.active && logon.reset_required && logon.mfa_required && seen.users[&dana].mfa_device);
    assert_eq!(seen.users[&dana].groups, [format!("{team}.engineers")]);
    assert_eq!(seen.users[&ingest].keys.len(), 1);
    let mut wrote = world.writes();
    wrote.sort();
    for action in
        ["SetAccountAlias", "SetPasswordPolicy", "SetSecurityPreference", "CreateVirtualMFADevice", "BindMFADevice"]
    {
        assert_eq!(wrote.iter().filter(|line| line.starts_with(action)).count(), 1, "{action}: {wrote:?}");
    }

    // The service's namespace may have nothing else, and the team no key.
    let more = json!({"kind": "RamAccessKey", "metadata": {"name": "more", "namespace": team}, "spec": {"userRef": {"name": "dana"}}});
    world.apply(more).await;
    let key = world.dynamic("RamAccessKey", Some(&team));
    eventually("the team's key to be refused", || async {
        let object = key.get("more").await.map_err(|error| error.to_string())?;
        let reason = condition(&object.data, "Ready").map(|ready| ready["reason"].clone()).unwrap_or_default();
        if reason == "LimitReached" { Ok(()) } else { Err(reason.to_string()) }
    })
    .await;
    assert_eq!(world.writes(), Vec::<String>::new());

    for (kind, name) in [("RamAccessKey", "more"), ("RamUser", "dana")] {
        away(&world, kind, &team, name).await;
    }
    let left = world.ram.snapshot();
    assert!(
        !left.users.contains_key(&dana) && left.devices.is_empty(),
        "{:?} {:?}",
        left.users.keys(),
        left.devices.keys()
    );
    assert!(left.groups[&format!("{team}.engineers")].members.is_empty());
    assert_eq!(left.users[&ingest].keys, seen.users[&ingest].keys, "the service goes on");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_ends_in_a_working_pair() {
    let world = World::bare("quickstart", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let namespaces = BTreeMap::from([("default".to_owned(), world.ns.clone())]);
    apply_here(&world, "quickstart.yaml", &namespaces).await;
    let operator = world.operator().await;
    world.available("RamAccessKey", "reader").await;
    let (id, _) = world.pair("reader").await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(id, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
