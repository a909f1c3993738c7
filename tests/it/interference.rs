//! What somebody in the namespace may write, and what must not follow from it.

use kube::api::{Patch, PatchParams};
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::rotation::{
    ask, assert_says, assert_true, assert_well, looked, lose_status, made, no_writes, rotated, works,
};
use crate::support::operator::Running;
use crate::world::{World, eventually};

/// Changes annotations and data of the published Secret.
async fn tamper(world: &World, patch: Value) {
    world.secrets().patch("ingest", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
}

async fn metrics(operator: &Running) -> String {
    let answer = reqwest::get(format!("http://{}/metrics", operator.address)).await.expect("an answer");
    answer.text().await.expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_names_a_foreign_key_does_not_make_it_ours() {
    let world = World::new("forged").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let name = world.ram_name("reader");
    let (foreign, _) = world.ram.person().create_key(&name);
    operator.stop().await;
    // As when the object was deleted without its finalizer, and applied again.
    lose_status(&world).await;
    let forged = format!("{foreign}@2020-01-01T00:00:00Z");
    tamper(&world, json!({"metadata": {"annotations": {annotation::RETIRING: forged}}})).await;
    let operator = world.operator().await;
    world.available("RamAccessKey", "ingest").await;
    let object = looked(&world, "ingest").await;
    assert!(object["status"]["retiring"].is_null(), "{}", object["status"]);
    no_writes(&world);
    assert_eq!(world.keys_in_ram(&name), [(first.clone(), true), (foreign, true)].into());
    assert_eq!(works(&world).await, first);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_somebody_changed_are_written_again() {
    let world = World::new("marks").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    for (mark, value) in [
        (annotation::PUBLISHED_TIME, Value::Null),
        (annotation::PUBLISHED_TIME, json!("never")),
        (annotation::ACCOUNT_ID, json!("9999999999999999")),
    ] {
        let data = json!({"ALIBABA_CLOUD_ACCESS_KEY_ID": null, "junk": "eA=="});
        tamper(&world, json!({"metadata": {"annotations": {mark: value}}, "data": data})).await;
        eventually("the Secret to be written again", || async {
            let secret = world.secrets().get("ingest").await.map_err(|e| e.to_string())?;
            let data = secret.data.unwrap_or_default();
            let whole = data.contains_key("ALIBABA_CLOUD_ACCESS_KEY_ID") && !data.contains_key("junk");
            if whole { Ok(()) } else { Err(format!("{:?}", data.keys())) }
        })
        .await;
        assert_well(&looked(&world, "ingest").await);
        assert_eq!(works(&world).await, first);
    }
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_text_are_none_and_all_that_is_wrong_is_said() {
    let world = World::new("empty_requests").await;
    let operator = world.operator().await;
    let first = made(&world, json!({})).await;
    let key = |name: &str| format!("ram-operator.dev/{name}");
    let annotations = json!({
        key("revoke"): "", key("rotate"): " ", key("paused"): "yes", key("unheard-of"): "x", key("restore"): "x".repeat(300),
    });
    let api = world.dynamic("RamAccessKey", Some(&world.ns));
    let patch = json!({"metadata": {"annotations": annotations}});
    api.patch("ingest", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    let object = looked(&world, "ingest").await;
    assert_true(&object, "UnknownAnnotation", "UnknownAnnotation", &["revoke is empty", "rotate is empty"]);
    assert_says(
        &object,
        "UnknownAnnotation",
        &["paused means something only as true", "unheard-of", "longer than 256"],
    );
    eventually("an event", || async {
        let told = world.events("ingest").await;
        told.iter().any(|reason| reason == "UnknownAnnotation").then_some(()).ok_or(format!("{told:?}"))
    })
    .await;
    no_writes(&world);
    assert_eq!(works(&world).await, first);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Events are told apart by what they say, also when they come close together.
#[tokio::test(flavor = "multi_thread")]
async fn every_published_key_has_an_event_of_its_own() {
    let world = World::new("published_events").await;
    let operator = world.operator().await;
    let (first, second) = rotated(&world, json!({})).await;
    ask(&world, "revoke", "LTAI5tNobodysKey").await;
    let object = looked(&world, "ingest").await;
    assert_true(&object, "RevokeRefused", "NotOurKey", &[]);
    let notes = |wanted: &'static str| {
        let world = &world;
        async move {
            let api = kube::Api::<k8s_openapi::api::events::v1::Event>::namespaced(world.admin.clone(), &world.ns);
            let all = api.list(&kube::api::ListParams::default()).await.expect("a list");
            let of = all.into_iter().filter(|event| event.reason.as_deref() == Some(wanted));
            of.filter_map(|event| event.note).collect::<Vec<_>>().join("\n")
        }
    };
    let published = notes("Published").await;
    assert!(published.contains(&first) && published.contains(&second), "{published}");
    assert!(!notes("NotOurKey").await.is_empty(), "a refusal has a Warning");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_a_person_can_be_given_up_and_what_is_gone_is_not_counted() {
    let world = World::new("given_up").await;
    let operator = world.operator().await;
    made(&world, json!({})).await;
    let name = format!("leaked-{}", world.name);
    let order = |id: &str| {
        let spec = json!({"accountRef": {"name": world.name}, "accessKeyId": id});
        json!({"kind": "RamRevocation", "metadata": {"name": name}, "spec": spec})
    };
    let pending = || async {
        let text = metrics(&operator).await;
        text.lines().find(|line| line.starts_with("ram_operator_pending_revocations ")).map(str::to_owned)
    };
    let waits_for = |wanted: &'static str| {
        let pending = &pending;
        async move {
            eventually("the metric", || async {
                match pending().await {
                    Some(line) if line == wanted => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await;
        }
    };
    world.apply(order("LTAI5tNobodysKey000001")).await;
    world.ready("RamRevocation", &name, "False", "KeyNotFound").await;
    waits_for("ram_operator_pending_revocations 1").await;
    // Nothing holds it: it goes without a pass of its own.
    world.delete("RamRevocation", &name).await;
    waits_for("ram_operator_pending_revocations 0").await;
    world.apply(order("LTAI5tNobodysKey000002")).await;
    world.ready("RamRevocation", &name, "False", "KeyNotFound").await;
    world.annotate("RamRevocation", &name, annotation::ABANDON, "").await;
    world.reconcile("RamRevocation", &name).await;
    let stored = world.dynamic("RamRevocation", None).get(&name).await.expect("still there");
    assert_says(&stored.data, "UnknownAnnotation", &["abandon is empty"]);
    world.annotate("RamRevocation", &name, annotation::ABANDON, "it was a mistake").await;
    world.gone("RamRevocation", &name).await;
    waits_for("ram_operator_pending_revocations 0").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
