//! Every YAML in examples/ is what the server takes, and the quickstart works as it stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use kube::api::DeleteParams;
use serde_json::{Value, json};

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

/// Applies an example as it stands, but in this test's corner: its names, its namespaces, its RAM.
async fn apply_here(world: &World, file: &str, namespaces: &BTreeMap<String, String>) {
    let text = std::fs::read_to_string(folder().join(file)).expect("a file");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let url = world.ram.url();
    for mut document in documents {
        let name = document["metadata"]["name"].as_str().expect("a name").to_owned();
        let kind = document["kind"].as_str().expect("a kind").to_owned();
        match kind.as_str() {
            "Namespace" => {
                let mut labels = document["metadata"]["labels"].clone();
                labels["ram-test"] = json!(world.name);
                world.namespace(&namespaces[&name], labels).await;
                continue;
            }
            "RamAccount" => {
                document["metadata"]["name"] = json!(world.name);
                document["spec"]["endpoints"] = json!({"ram": url, "ims": url, "sts": url});
                document["spec"]["credentials"]["secret"]["name"] = json!(world.name);
            }
            "RamTenant" => {
                document["metadata"]["name"] = json!(format!("{}-{name}", world.name));
                document["spec"]["accountRef"] = json!({"name": world.name});
                document["spec"]["namespaceSelector"]["matchLabels"]["ram-test"] = json!(world.name);
            }
            kind => {
                let namespace = document["metadata"]["namespace"].as_str().expect("a namespace").to_owned();
                document["metadata"]["namespace"] = json!(namespaces[&namespace]);
                if kind != "RamAccessKey" {
                    document["spec"]["accountRef"] = json!({"name": world.name});
                }
            }
        }
        world.apply(document).await;
    }
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
        let api = world.dynamic(kind, Some(&team));
        api.delete(name, &DeleteParams::default()).await.expect("deletion asked for");
        eventually(&format!("{kind} {name} to be gone"), || async {
            api.get_opt(name)
                .await
                .map_err(|error| error.to_string())?
                .map_or(Ok(()), |left| Err(left.data["status"].to_string()))
        })
        .await;
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
