//! Time and its gaps: watches that fail for a while, a cluster that refuses or does not answer, and backups that bring back an older day.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request};
use kube::ResourceExt as _;
use kube::api::PostParams;
use kube::client::{Body, ClientBuilder};
use ram_operator::api::annotation;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::json;

use crate::rotation::assert_says;
use crate::world::{World, eventually};

/// Clients whose watches are refused while `closed`.
fn with_gaps(config: &kube::Config, closed: &Arc<AtomicBool>) -> Clients {
    let plain = Clients::new(config).expect("clients");
    let closed = Arc::clone(closed);
    let refuse = tower::filter::AsyncFilterLayer::new(move |request: Request<Body>| {
        let closed = closed.load(Ordering::SeqCst);
        async move { if closed { Err(tower::BoxError::from("no watches now")) } else { Ok(request) } }
    });
    let watches = ClientBuilder::try_from(config.clone()).expect("a client");
    let buffer = tower::buffer::BufferLayer::new(1024);
    let watches = watches.with_layer(&buffer).with_layer(&refuse).build();
    Clients { calls: plain.calls, watches }
}

/// What becomes of requests about Secrets.
const PASSES: u8 = 0;
const REFUSED: u8 = 1;
const LOST: u8 = 2;

/// Clients of which this becomes when they ask for Secrets of a namespace.
fn with_trouble(config: &kube::Config, namespace: &str, trouble: &Arc<AtomicU8>) -> Clients {
    let plain = Clients::new(config).expect("clients");
    let mut calls = config.clone();
    calls.default_retry = false;
    let (about, trouble) = (format!("/namespaces/{namespace}/secrets"), Arc::clone(trouble));
    let spoil = tower::filter::AsyncFilterLayer::new(move |mut request: Request<Body>| {
        let concerned = request.uri().path().contains(&about);
        let trouble = if concerned { trouble.load(Ordering::SeqCst) } else { PASSES };
        async move {
            match trouble {
                // Nobody gave the operator the right to be somebody else: the server itself refuses.
                REFUSED => {
                    request.headers_mut().insert("impersonate-user", HeaderValue::from_static("nobody"));
                    Ok(request)
                }
                LOST => Err(tower::BoxError::from("no answer")),
                _ => Ok(request),
            }
        }
    });
    let calls = ClientBuilder::try_from(calls).expect("a client");
    // The filter asks for a service that can be cloned.
    let buffer = tower::buffer::BufferLayer::new(1024);
    let calls = calls.with_layer(&buffer).with_layer(&spoil).build();
    Clients { calls, watches: plain.watches }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_refuses_or_does_not_answer_is_said_and_heals() {
    let world = World::new("cluster_trouble").await;
    let trouble = Arc::new(AtomicU8::new(REFUSED));
    let (seen, namespace) = (Arc::clone(&trouble), world.ns.clone());
    let clients = move |config: kube::Config| with_trouble(&config, &namespace, &seen);
    let operator = world.operator_with(world.flags(), Environment::default(), clients).await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let object = world.ready("RamAccessKey", "ingest", "False", "ClusterDenied").await;
    assert_says(&object, "Ready", &["secrets ingest", "the chart's ClusterRole"]);
    trouble.store(LOST, Ordering::SeqCst);
    world.poke("RamAccessKey", "ingest").await;
    world.ready("RamAccessKey", "ingest", "False", "ClusterUnavailable").await;
    let writes = world.writes();
    assert!(
        !writes.iter().any(|line| line.starts_with("CreateAccessKey")),
        "no pair is made that has no place: {writes:?}"
    );
    trouble.store(PASSES, Ordering::SeqCst);
    world.poke("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {}", world.ram_name("reader"))]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_a_gap_of_the_watches_is_made_up_for() {
    let world = World::new("gap").await;
    let closed = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&closed);
    let operator =
        world.operator_with(world.flags(), Environment::default(), move |config| with_gaps(&config, &seen)).await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    eventually("a watch to fail", || async {
        let metrics = reqwest::get(format!("http://{}/metrics", operator.address)).await.map_err(|e| e.to_string())?;
        let text = metrics.text().await.map_err(|e| e.to_string())?;
        if text.contains("ram_operator_watch_failures_total{") { Ok(()) } else { Err("none failed yet".to_owned()) }
    })
    .await;
    assert_eq!(world.writes(), Vec::<String>::new());
    closed.store(false, Ordering::SeqCst);
    world.available("RamAccessKey", "ingest").await;
    // What is deleted while nobody watches goes all the same.
    operator.stop().await;
    world.delete("RamAccessKey", "ingest").await;
    world.delete("RamUser", "reader").await;
    let operator = world.operator().await;
    world.gone("RamUser", "reader").await;
    assert!(!world.ram.snapshot().users.contains_key(&world.ram_name("reader")));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_before_a_rotation_disturbs_no_working_pair() {
    let world = World::new("backup").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let before = world.keys().get("ingest").await.expect("there");
    let old = world.pair("ingest").await.0;
    let old_secret = world.secrets().get("ingest").await.expect("there");
    world.annotate("RamAccessKey", "ingest", annotation::ROTATE, "1").await;
    let new = eventually("another pair", || async {
        let key = world.keys().get("ingest").await.map_err(|e| e.to_string())?;
        let id = key.status.and_then(|status| status.access_key_id).unwrap_or_default();
        if id == old { Err("the old one".to_owned()) } else { Ok(id) }
    })
    .await;
    for hours in [28, 80] {
        world.clock.advance(Duration::from_hours(hours));
        world.reconcile("RamAccessKey", "ingest").await;
    }
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(new.clone(), true)].into());
    operator.stop().await;
    world.writes();

    // The object's status is that of the day before the rotation, with a key that is long gone.
    let mut restored = world.keys().get("ingest").await.expect("there");
    restored.status = before.status.clone();
    restored.metadata.managed_fields = None;
    world.keys().replace_status("ingest", &PostParams::default(), &restored).await.expect("restored");
    let operator = world.operator().await;
    world.available("RamAccessKey", "ingest").await;
    eventually("the status to be put right", || async {
        let key = world.keys().get("ingest").await.map_err(|e| e.to_string())?;
        let id = key.status.and_then(|status| status.access_key_id);
        if id.as_deref() == Some(&new) { Ok(()) } else { Err(format!("{id:?}")) }
    })
    .await;
    assert_eq!(world.writes(), Vec::<String>::new(), "the pair in the Secret proved itself");

    // And its Secret: the pair of that day is dead, so that there is a new one, and the other retires.
    let now = world.secrets().get("ingest").await.expect("there");
    let mut secret = old_secret.clone();
    secret.metadata.resource_version = now.resource_version();
    secret.metadata.uid.clone_from(&now.metadata.uid);
    secret.metadata.managed_fields = None;
    world.secrets().replace("ingest", &PostParams::default(), &secret).await.expect("restored");
    let third = eventually("a third pair", || async {
        let key = world.keys().get("ingest").await.map_err(|e| e.to_string())?;
        let id = key.status.and_then(|status| status.access_key_id).unwrap_or_default();
        if [&old, &new].contains(&&id) { Err(id) } else { Ok(id) }
    })
    .await;
    assert_eq!(world.pair("ingest").await.0, third);
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(new, true), (third, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
