//! Every YAML in examples/ is what the server takes, and the quickstart works as it stands.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::support::ram::Options;
use crate::world::{World, shared};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

async fn kubectl(arguments: &[&str]) -> Output {
    shared().await.cluster.kubectl().args(arguments).output().expect("kubectl runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_taken_by_the_server() {
    // Some of the examples live there.
    let made = kubectl(&["create", "namespace", "team-a"]).await;
    assert!(made.status.success() || String::from_utf8_lossy(&made.stderr).contains("already exists"));
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

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_ends_in_a_working_pair() {
    let world = World::bare("quickstart", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let text = std::fs::read_to_string(folder().join("quickstart.yaml")).expect("a file");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    // As it stands, but in this test's corner: its names, its namespace, its RAM.
    let url = world.ram.url();
    for mut document in documents {
        let kind = document["kind"].as_str().expect("a kind").to_owned();
        match kind.as_str() {
            "RamAccount" => {
                document["metadata"]["name"] = json!(world.name);
                document["spec"]["endpoints"] = json!({"ram": url, "ims": url, "sts": url});
                document["spec"]["credentials"]["secret"]["name"] = json!(world.name);
            }
            "RamTenant" => {
                document["metadata"]["name"] = json!(world.name);
                document["spec"]["accountRef"] = json!({"name": world.name});
            }
            _ => {
                document["metadata"]["namespace"] = json!(world.ns);
                if kind == "RamUser" {
                    document["spec"]["accountRef"] = json!({"name": world.name});
                }
            }
        }
        world.apply(document).await;
    }
    let operator = world.operator().await;
    world.available("RamAccessKey", "reader").await;
    let (id, _) = world.pair("reader").await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(id, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
