//! What RAM's documentation leaves open is a setting of the emulator. The operator gets to the same end whichever way RAM does it.

use std::time::Duration;

use futures::StreamExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use crate::support::ram::{Fault, FaultKind, NeverForm, Options};
use crate::world::{World, eventually};

/// Worlds at a time.
const WIDTH: usize = 4;

/// Every setting away from its default, alone and all together.
fn ways() -> Vec<(&'static str, Options)> {
    let with = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        options
    };
    vec![
        ("cascade", with(|o| o.ims_delete_cascades = true)),
        ("active-stays", with(|o| o.active_key_may_be_deleted = false)),
        ("never-empty", with(|o| o.last_used_never = NeverForm::Empty)),
        ("never-dash", with(|o| o.last_used_never = NeverForm::Dash)),
        ("use-lags", with(|o| o.last_used_lag = Duration::from_hours(2))),
        ("status-429", with(|o| o.throttle_status = 429)),
        ("cased", with(|o| o.case_insensitive_names = false)),
        ("no-empty", with(|o| o.empty_fields = false)),
        ("v3-json", with(|o| o.v3_json_by_default = true)),
        ("rates", with(|o| o.rates = true)),
        ("pages-of-1", with(|o| o.page_size_limit = 1)),
        (
            "all",
            with(|o| {
                o.ims_delete_cascades = true;
                o.active_key_may_be_deleted = false;
                o.last_used_never = NeverForm::Dash;
                o.throttle_status = 429;
                o.case_insensitive_names = false;
                o.empty_fields = false;
                o.v3_json_by_default = true;
                o.rates = true;
                o.page_size_limit = 1;
            }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_comes_to_the_same_end_whichever_way_ram_does_it() {
    let lives = ways().into_iter().map(|(name, options)| async move {
        let outcome = tokio::spawn(life(name, options)).await;
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    futures::stream::iter(lives).buffer_unordered(WIDTH).collect::<Vec<()>>().await;
}

/// Made, throttled on the way, lost, replaced, retired, retained by nobody, and gone.
async fn life(name: &str, options: Options) {
    let world = World::with(name, options).await;
    world.ram.fault(Fault::on("AttachPolicyToUser", FaultKind::Throttle { retry_after: None }).times(2));
    let operator = world.operator().await;
    world.user("reader", json!({"displayName": "Reader"})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    let user = world.ram_name("reader");
    let (old, _) = world.pair("ingest").await;
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    let new = eventually("another pair", || async {
        let secret = world.secrets().get_opt("ingest").await.ok().flatten().ok_or("no Secret")?;
        let id = secret.metadata.annotations.unwrap_or_default()["ram-operator.dev/access-key-id"].clone();
        if id == old { Err("the old one") } else { Ok(id) }
    })
    .await;
    world.available("RamAccessKey", "ingest").await;
    // Never used, so that its overlap alone decides; then its quarantine.
    for (hours, keys) in [(29, vec![(old.clone(), false), (new.clone(), true)]), (73, vec![(new.clone(), true)])] {
        world.clock.advance(Duration::from_hours(hours));
        world.reconcile("RamAccessKey", "ingest").await;
        assert_eq!(world.keys_in_ram(&user), keys.into_iter().collect(), "after {hours} hours");
    }
    // At rest RAM's form of texts that are not set is no difference.
    world.writes();
    world.reconcile("RamUser", "reader").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.delete("RamAccessKey", "ingest").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamAccessKey", "ingest").await;
    world.gone("RamUser", "reader").await;
    assert!(!world.ram.snapshot().users.contains_key(&user), "the user is still in RAM");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
