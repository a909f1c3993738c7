//! What cannot be tried on the shared control plane: CRDs that are missing, changed or deleted.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, ResourceExt as _};
use ram_operator::clock::Clock;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::json;

use crate::oracle;
use crate::support::cluster::{Cluster, binaries, say};
use crate::support::operator::{Running, install_chart, token};
use crate::support::ram::{EmuClock, Emulator, Options};
use crate::world::{World, condition, eventually};

async fn readiness(operator: &Running, says: &str) {
    eventually(&format!("/readyz to say {says}"), || async {
        let answer = reqwest::get(format!("http://{}/readyz", operator.address)).await.map_err(|e| e.to_string())?;
        let text = answer.text().await.map_err(|e| e.to_string())?;
        if text.contains(says) { Ok(()) } else { Err(text) }
    })
    .await;
}

fn helm(cluster: &Cluster, arguments: &[&str]) {
    let output = install_chart(cluster, arguments).expect("helm runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn crds_that_are_missing_changed_and_deleted() {
    oracle::listen();
    let binaries =
        tokio::task::spawn_blocking(|| binaries(&say)).await.expect("no panic").unwrap_or_else(|e| panic!("{e}"));
    let cluster = Cluster::start(&binaries, &say).await.unwrap_or_else(|e| panic!("{e}"));
    helm(&cluster, &["--set", "crds.install=false"]);
    let admin = Client::try_from(cluster.admin_config()).expect("a client");
    let config = cluster.config_with_token(&token(&admin).await.expect("a token"));
    let clock = EmuClock::system();
    let ram = Emulator::start(Options { clock: clock.clone(), ..Options::default() }).await;
    let world = World {
        name: "own".to_owned(),
        admin: admin.clone(),
        ram,
        clock,
        ns: "own".to_owned(),
        logged: oracle::Mark::here(),
    };
    let flags = world.flags();
    let operator =
        Running::start(|| Clients::new(&config).expect("clients"), flags, Environment::default(), Clock::system());

    // Missing: not ready, says which; heals when they come, without a restart.
    readiness(&operator, "the CRD ramaccounts.ram-operator.dev is not installed").await;
    helm(&cluster, &["--reset-values"]);
    readiness(&operator, "ok").await;

    world.namespace("own", json!({"ram-test": "own"})).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.account(json!({})).await;
    let documents = json!({"actions": ["ots:*"], "resources": ["*"]});
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "documents": documents})).await;

    // An object that this version cannot read stops nobody else, and says so itself.
    let crds: Api<CustomResourceDefinition> = Api::all(admin);
    let name = "ramusers.ram-operator.dev";
    let mut crd = serde_json::to_value(crds.get(name).await.expect("there")).expect("JSON");
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/policies";
    *crd.pointer_mut(path).expect("a schema") = json!({"x-kubernetes-preserve-unknown-fields": true});
    let crd = serde_json::from_value(crd).expect("a CRD");
    crds.replace(name, &PostParams::default(), &crd).await.expect("loosened");
    eventually("an object that does not fit", || async {
        let object = world.user_object("broken", json!({"policies": "nonsense"}));
        world.try_apply(object).await.map(|_| ())
    })
    .await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let object = world.ready("RamUser", "broken", "False", "InvalidSpec").await;
    assert_eq!(condition(&object, "Stalled").expect("stalled")["status"], "True");
    // One of each kind that could ask for a deletion in RAM.
    let account = json!({"name": "own"});
    let statement = json!({"effect": "Allow", "actions": ["ots:Get*"], "resources": ["*"]});
    let metadata = json!({"name": "team", "namespace": "own"});
    let spec = json!({"accountRef": account, "statements": [statement]});
    world.apply(json!({"kind": "RamPolicy", "metadata": metadata, "spec": spec})).await;
    let spec = json!({"accountRef": account, "policies": [{"type": "RamPolicy", "name": "team"}]});
    world.apply(json!({"kind": "RamGroup", "metadata": metadata, "spec": spec})).await;
    world.available("RamGroup", "team").await;
    // An order that waits for its time.
    world.user("leaver", json!({"deletionGracePeriod": "1d"})).await;
    world.available("RamUser", "leaver").await;
    world.delete("RamUser", "leaver").await;
    world.gone("RamUser", "leaver").await;
    world.examine(Some(&operator)).await;
    world.writes();

    // Deleted: no order against RAM.
    let (published, _) = world.pair("ingest").await;
    let namespaced = ["ramaccesskeys", "ramusers", "ramgroups", "rampolicies", "ramrevocations"];
    let all = namespaced.map(|plural| format!("{plural}.ram-operator.dev"));
    for name in &all {
        crds.delete(name, &DeleteParams::default()).await.expect("deletion asked for");
    }
    for name in &all {
        eventually(&format!("{name} to be gone"), || async {
            match crds.get_opt(name).await {
                Ok(None) => Ok(()),
                other => Err(format!("{:?}", other.map(|crd| crd.and_then(|crd| crd.status).map(|s| s.conditions)))),
            }
        })
        .await;
    }
    assert_eq!(world.writes(), Vec::<String>::new());
    let left = world.ram.snapshot();
    assert!(left.users.contains_key("own.leaver") && left.groups.contains_key("own.team"), "{left:?}");
    assert_eq!(left.policies.len(), 1, "{left:?}");
    assert_eq!(world.pair("ingest").await.0, published);
    assert!(world.secrets().get("ingest").await.expect("there").owner_references().is_empty());
    operator.kill();
    cluster.stop();
}
