//! Several replicas: one works and the others stand by, whatever happens to the one that works.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::client::{Body, ClientBuilder};
use ram_operator::clock::Clock;
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::{Clients, Error, Operator};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::binary::{self, kubeconfig, may_lead};
use crate::oracle;
use crate::support::operator::{NAMESPACE, Running, token};
use crate::world::{World, eventually, shared};

/// Long enough that a busy machine does not miss renewals, short enough to be waited for.
const DURATION: Duration = Duration::from_secs(12);

/// Ids and states of the keys of two users.
type Keys = (BTreeMap<String, bool>, BTreeMap<String, bool>);

/// A corner whose operators stand for election.
async fn world(test: &str) -> World {
    let world = World::new(test).await;
    may_lead(&world, NAMESPACE, "ram-operator").await;
    world
}

fn flags(world: &World) -> Run {
    Run { leader_elect: true, lease_name: world.name.clone(), lease_duration: DURATION, ..world.flags() }
}

async fn replica(world: &World) -> Running {
    world.operator_with(flags(world), Environment::default(), |config| Clients::new(&config).expect("clients")).await
}

/// The real program as a replica.
async fn program(world: &World) -> binary::Operator {
    let config = kubeconfig(&token(&world.admin).await.expect("a token")).await;
    let (name, duration) =
        (format!("--lease-name={}", world.name), format!("--lease-duration={}s", DURATION.as_secs()));
    binary::Operator::start_with(world, &config, &[&name, &duration])
}

/// Waits until a path of an operator answers 200 with this text in it.
async fn answers(address: SocketAddr, path: &str, says: &str) {
    eventually(&format!("{path} to say {says}"), || async {
        let answer = reqwest::get(format!("http://{address}{path}")).await.map_err(|e| e.to_string())?;
        let code = answer.status().as_u16();
        let text = answer.text().await.map_err(|e| e.to_string())?;
        if code == 200 && text.contains(says) { Ok(()) } else { Err(format!("{code} {text}")) }
    })
    .await;
}

async fn works(operator: &Running) {
    answers(operator.address, "/readyz", "ok").await;
    answers(operator.address, "/metrics", "ram_operator_leader 1\n").await;
}

async fn stands_by(operator: &Running) {
    answers(operator.address, "/readyz", "standby").await;
    answers(operator.address, "/metrics", "ram_operator_leader 0\n").await;
}

fn leases(world: &World) -> Api<Lease> {
    Api::namespaced(world.admin.clone(), NAMESPACE)
}

async fn record(world: &World) -> LeaseSpec {
    leases(world).get(&world.name).await.expect("a Lease").spec.expect("a spec")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_hands_over_at_once() {
    let world = world("leader_stop").await;
    let first = replica(&world).await;
    works(&first).await;
    let before = record(&world).await;
    assert_eq!((before.lease_transitions, before.lease_duration_seconds), (Some(0), Some(12)));
    let second = replica(&world).await;
    stands_by(&second).await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;

    // A standby that is told to end has nothing to wait for.
    let third = replica(&world).await;
    stands_by(&third).await;
    let began = Instant::now();
    third.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(record(&world).await.holder_identity, before.holder_identity);

    world.writes();
    first.stop().await;
    let began = Instant::now();
    works(&second).await;
    // Nobody would have had it so soon, had it not been given back.
    assert!(began.elapsed() < DURATION / 2, "it took {:?}", began.elapsed());
    let after = record(&world).await;
    assert_ne!(after.holder_identity, before.holder_identity);
    assert_eq!(after.lease_transitions, Some(1));

    // Nothing is done anew, and what is new is done.
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.user("writer", json!({})).await;
    world.key("other", "writer", json!({})).await;
    world.available("RamAccessKey", "other").await;
    world.examine(Some(&second)).await;
    second.stop().await;
    assert_eq!(record(&world).await.holder_identity.as_deref(), Some(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_replaced_when_its_time_is_over() {
    let world = world("leader_kill").await;
    let first = replica(&world).await;
    works(&first).await;
    let second = replica(&world).await;
    stands_by(&second).await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let (published, _) = world.pair("ingest").await;

    first.kill();
    let began = Instant::now();
    world.user("writer", json!({})).await;
    world.key("other", "writer", json!({})).await;
    works(&second).await;
    // It was renewed in the last sixth at the latest.
    assert!(began.elapsed() > DURATION / 2, "it took only {:?}", began.elapsed());
    world.available("RamAccessKey", "other").await;
    assert_eq!(world.pair("ingest").await.0, published);
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(published, true)].into());
    assert_eq!(record(&world).await.lease_transitions, Some(1));
    world.examine(Some(&second)).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_froze_writes_nothing_when_it_thaws() {
    let world = world("leader_frozen").await;
    let first = program(&world).await;
    first.ready().await;
    let second = replica(&world).await;
    stands_by(&second).await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let (lost, _) = world.pair("ingest").await;

    // There is work that both of them see: the thawed one finds its events in the sockets.
    first.signal("STOP");
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    world.user("writer", json!({})).await;
    world.key("other", "writer", json!({})).await;
    works(&second).await;
    world.available("RamAccessKey", "other").await;
    eventually("a new pair", || async {
        let secret = world.secrets().get_opt("ingest").await.map_err(|e| e.to_string())?;
        secret.map(drop).ok_or_else(|| "no Secret".to_owned())
    })
    .await;
    world.reconcile("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    let pairs = (world.pair("ingest").await, world.pair("other").await);
    let keys =
        || -> Keys { (world.keys_in_ram(&world.ram_name("reader")), world.keys_in_ram(&world.ram_name("writer"))) };
    let wanted: Keys = ([(lost, true), (pairs.0.0.clone(), true)].into(), [(pairs.1.0.clone(), true)].into());
    assert_eq!(keys(), wanted, "one lost pair that retires, and the published ones");
    world.writes();

    first.signal("CONT");
    let (code, said) = first.ended().await;
    assert_eq!(code, Some(1), "{said}");
    let lost = format!("ram-operator: the lease {} was lost: ", world.name);
    assert!(said.lines().any(|line| line.starts_with(&lost)), "{said}");
    assert_eq!(world.writes(), Vec::<String>::new(), "it wrote after another one had taken over");
    assert_eq!(keys(), wanted);
    assert_eq!((world.pair("ingest").await, world.pair("other").await), pairs);
    for name in ["ingest", "other"] {
        world.reconcile("RamAccessKey", name).await;
        world.available("RamAccessKey", name).await;
    }
    assert_eq!(record(&world).await.lease_transitions, Some(1));
    oracle::examine("the program's log", &said, &world.ram.secrets());
    world.examine(Some(&second)).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_deleted_is_made_again_and_one_that_is_stolen_ends_the_process() {
    let world = world("leader_stolen").await;
    let first = program(&world).await;
    first.ready().await;
    let before = record(&world).await.holder_identity;
    leases(&world).delete(&world.name, &DeleteParams::default()).await.expect("deleted");
    eventually("the Lease to be back", || async {
        let lease = leases(&world).get_opt(&world.name).await.map_err(|e| e.to_string())?;
        lease.map(drop).ok_or_else(|| "no Lease".to_owned())
    })
    .await;
    assert_eq!(record(&world).await.holder_identity, before);

    let theft = Patch::Merge(json!({"spec": {"holderIdentity": "somebody"}}));
    leases(&world).patch(&world.name, &PatchParams::default(), &theft).await.expect("stolen");
    let (code, said) = first.ended().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("the lease {} was lost: somebody holds it now", world.name)), "{said}");
    assert_eq!(record(&world).await.holder_identity.as_deref(), Some("somebody"), "it is left to the thief");

    // Who does not renew it loses it, whoever that is.
    let second = replica(&world).await;
    stands_by(&second).await;
    works(&second).await;
    second.stop().await;
}

/// Clients whose renewals fail while `away` is set.
fn cut_off(config: &kube::Config, away: &Arc<AtomicBool>) -> Clients {
    let plain = Clients::new(config).expect("clients");
    let mut calls = config.clone();
    calls.default_retry = false;
    let away = Arc::clone(away);
    let refuse = tower::filter::AsyncFilterLayer::new(move |request: Request<Body>| {
        let renewal = request.method() == Method::PUT && request.uri().path().contains("/leases/");
        let refused = renewal && away.load(Ordering::SeqCst);
        async move { if refused { Err(tower::BoxError::from("no way to the API server")) } else { Ok(request) } }
    });
    let calls = ClientBuilder::try_from(calls).expect("a client");
    // The filter asks for a service that can be cloned.
    let buffer = tower::buffer::BufferLayer::new(1024);
    let calls = calls.with_layer(&buffer).with_layer(&refuse).build();
    Clients { calls, watches: plain.watches }
}

/// An operator whose end can be looked at.
async fn observed(world: &World, clients: Clients) -> (SocketAddr, JoinHandle<Result<(), Error>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let clock = world.clock.clone();
    let operator = Operator::new(clients, flags(world), Environment::default(), Clock::from_fn(move || clock.now()));
    (address, tokio::spawn(operator.run(listener, CancellationToken::new())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_ends() {
    let world = world("leader_away").await;
    let away = Arc::new(AtomicBool::new(false));
    let config = shared().await.cluster.config_with_token(&token(&world.admin).await.expect("a token"));
    let (address, first) = observed(&world, cut_off(&config, &away)).await;
    answers(address, "/readyz", "ok").await;
    let second = replica(&world).await;
    stands_by(&second).await;
    let holder = record(&world).await.holder_identity;

    away.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(Duration::from_secs(60), first).await.expect("it ends").expect("no panic");
    match ended {
        Err(error @ Error::LeaderLost { .. }) => {
            assert!(
                error.to_string().contains("not renewed in time (ServiceError: no way to the API server)"),
                "{error}"
            );
        }
        other => panic!("it should have lost the lease: {other:?}"),
    }
    works(&second).await;
    assert_ne!(record(&world).await.holder_identity, holder);
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    world.examine(Some(&second)).await;
    second.stop().await;
}
