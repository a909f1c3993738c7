//! A process that freezes at the worst moments and thaws when another one has taken over: no key is lost, and no published pair is replaced by
//! one that nobody will keep.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use ram_operator::controller::Environment;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::faults::Gate;
use crate::support::ram::{CallInfo, Hook, Outcome, Phase};
use crate::world::{World, eventually};

/// Holds the first CreateAccessKey before or after its effect until it is let go.
fn hold_first_mint(phase_held: Phase) -> (Hook, Arc<Semaphore>, Arc<Semaphore>) {
    hold_first(|call| call.action == "CreateAccessKey", phase_held)
}

/// Holds the first call that is wanted, before or after its effect: the first semaphore tells that it came, the second lets it go.
pub fn hold_first(
    wanted: impl Fn(&CallInfo) -> bool + Send + Sync + 'static,
    phase_held: Phase,
) -> (Hook, Arc<Semaphore>, Arc<Semaphore>) {
    let wanted = Arc::new(wanted);
    let (came, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let hook: Hook = {
        let (came, go) = (Arc::clone(&came), Arc::clone(&go));
        Arc::new(move |call, phase| {
            let (came, go, first) = (Arc::clone(&came), Arc::clone(&go), Arc::clone(&first));
            let wanted = Arc::clone(&wanted);
            Box::pin(async move {
                if wanted(&call) && phase == phase_held && first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    came.add_permits(1);
                    go.acquire().await.expect("open").forget();
                }
                Outcome::Go
            })
        })
    };
    (hook, came, go)
}

/// Everything that can be left over is gone after the windows and waits are over.
async fn ends_well(world: &World) {
    let name = world.ram_name("reader");
    world.available("RamAccessKey", "ingest").await;
    let (published, _) = world.pair("ingest").await;
    for wait in [Duration::from_mins(30), Duration::from_hours(4), Duration::from_hours(30), Duration::from_hours(80)] {
        world.clock.advance(wait);
        world.reconcile("RamAccessKey", "ingest").await;
    }
    assert_eq!(world.pair("ingest").await.0, published, "the published pair was kept");
    assert_eq!(world.keys_in_ram(&name), [(published, true)].into());
    let status = world.keys().get("ingest").await.expect("there").status.expect("a status");
    assert!(status.intents.is_none() && status.retiring.is_none(), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_between_check_and_send_and_thawed_within_the_window() {
    let world = World::new("frozen-send").await;
    let (hook, came, go) = hold_first_mint(Phase::Before);
    world.ram.set_hook(Some(hook));
    let frozen = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    came.acquire().await.expect("open").forget();
    // The slot is free: another process mints at once, beside the open intent.
    let operator = world.operator().await;
    world.available("RamAccessKey", "ingest").await;
    let (published, _) = world.pair("ingest").await;
    go.add_permits(1);
    eventually("the late key", || async {
        if world.keys_in_ram(&world.ram_name("reader")).len() == 2 { Ok(()) } else { Err("not yet") }
    })
    .await;
    frozen.stop().await;
    assert_eq!(world.pair("ingest").await.0, published, "a late publisher does not replace what is published");
    ends_well(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_between_check_and_send_and_thawed_after_the_window() {
    let world = World::new("frozen-late").await;
    let (hook, came, go) = hold_first_mint(Phase::Before);
    world.ram.set_hook(Some(hook));
    let frozen = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    came.acquire().await.expect("open").forget();
    let operator = world.operator().await;
    world.available("RamAccessKey", "ingest").await;
    world.clock.advance(Duration::from_mins(16));
    go.add_permits(1);
    // RAM itself refuses what was signed sixteen minutes ago.
    eventually("the refusal", || async {
        let journal = world.ram.journal();
        let refused = journal
            .iter()
            .any(|call| call.action == "CreateAccessKey" && call.code.as_deref() == Some("InvalidTimeStamp.Expired"));
        if refused { Ok(()) } else { Err("not yet") }
    })
    .await;
    frozen.stop().await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")).len(), 1);
    ends_well(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_between_mint_and_publish() {
    for thaw_after in [Duration::ZERO, Duration::from_mins(30)] {
        let world = World::new("frozen-publish").await;
        // The Secret's write is held, the dry run before it is not.
        let gate = Gate::new("POST", "/secrets", "dryRun");
        let held = Arc::clone(&gate);
        let frozen =
            world.operator_with(world.flags(), Environment::default(), move |config| held.clients(&config)).await;
        world.user("reader", json!({})).await;
        world.key("ingest", "reader", json!({})).await;
        gate.came().await;
        let operator = world.operator().await;
        world.available("RamAccessKey", "ingest").await;
        let (published, _) = world.pair("ingest").await;
        assert_eq!(
            world.keys_in_ram(&world.ram_name("reader")).len(),
            2,
            "the frozen process made one, the other one too"
        );
        if !thaw_after.is_zero() {
            world.clock.advance(thaw_after);
            world.reconcile("RamAccessKey", "ingest").await;
        }
        gate.open();
        frozen.stop().await;
        assert_eq!(world.pair("ingest").await.0, published, "the late publisher was refused");
        ends_well(&world).await;
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

/// A process died after the publish and before it was noted, and somebody damaged the Secret before the next one looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_was_damaged_before_it_was_noted_is_replaced() {
    let world = World::new("damaged-unnoted").await;
    let (hook, came, go) = hold_first_mint(Phase::After);
    world.ram.set_hook(Some(hook));
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    came.acquire().await.expect("open").forget();
    let intended = world.keys().get("ingest").await.expect("there").status;
    go.add_permits(1);
    world.available("RamAccessKey", "ingest").await;
    let (unnoted, _) = world.pair("ingest").await;
    operator.stop().await;
    let mut object = world.keys().get("ingest").await.expect("there");
    object.status = intended;
    object.metadata.managed_fields = None;
    world.keys().replace_status("ingest", &PostParams::default(), &object).await.expect("put back");
    let damage = json!({"stringData": {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "damaged"}});
    world.secrets().patch("ingest", &PatchParams::default(), &Patch::Merge(damage)).await.expect("damaged");
    world.clock.advance(Duration::from_mins(30));
    let operator = world.operator().await;
    ends_well(&world).await;
    assert_ne!(world.pair("ingest").await.0, unnoted);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_a_mint() {
    let world = World::new("sigterm").await;
    let (hook, came, go) = hold_first_mint(Phase::After);
    world.ram.set_hook(Some(hook));
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    came.acquire().await.expect("open").forget();
    let stopping = tokio::spawn(operator.stop());
    go.add_permits(1);
    stopping.await.expect("stopped");
    // Published and recorded by the process that was told to end.
    let (published, _) = world.pair("ingest").await;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(published.clone(), true)].into());
    let status = world.keys().get("ingest").await.expect("there").status.expect("a status");
    assert_eq!((status.access_key_id, status.intents), (Some(published), None));
    world.examine(None).await;
}
