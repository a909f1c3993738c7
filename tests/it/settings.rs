//! What RAM's documentation leaves open is a setting of the emulator. The operator gets to the same end whichever way RAM does it: with the key of a
//! user here, with a person and with a team beside. What concerns the settings of an account is in `account_settings`.

mod person;
mod team;

use std::future::Future;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use crate::support::ram::{Fault, FaultKind, NeverForm, Options};
use crate::world::{World, eventually};

/// Worlds at a time.
const WIDTH: usize = 4;

/// The options with a change, under a name.
fn way(name: &'static str, change: fn(&mut Options)) -> (&'static str, Options) {
    let mut options = Options::default();
    change(&mut options);
    (name, options)
}

/// Every setting away from its default, alone and all together.
fn ways() -> Vec<(&'static str, Options)> {
    let with = |change: fn(&mut Options)| way("", change).1;
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
        ("sources", with(elsewhere)),
        (
            "sources-first",
            with(|o| {
                elsewhere(o);
                o.source_checked_first = true;
                o.source_refusal_code = "NoPermission".to_owned();
            }),
        ),
        (
            "sources-unknown",
            with(|o| {
                elsewhere(o);
                o.source_refusal_code = "SourceNotAllowed".to_owned();
            }),
        ),
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

/// Calls come from where no key of the account may be used but the operator's own.
fn elsewhere(options: &mut Options) {
    options.source_address = HERE.parse().expect("an address");
}

const HERE: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.0/24";

fn from(source: &str) -> String {
    let statement = json!({"Type": "ClassicWhiteList", "IPList": [source]});
    json!({"Version": 1, "Status": "Active", "Statements": [statement]}).to_string()
}

/// Lives a life each way, a few at a time.
async fn each_way<F: Future<Output = ()> + Send + 'static>(
    ways: Vec<(&'static str, Options)>,
    life: impl Fn(&'static str, Options) -> F,
) {
    let life = &life;
    let lives = ways.into_iter().map(|(name, options)| async move {
        let outcome = tokio::spawn(life(name, options)).await;
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    futures::stream::iter(lives).buffer_unordered(WIDTH).collect::<Vec<()>>().await;
}

/// What is in the list of the emulator's settings and nowhere here is a question that nobody asked the operator.
#[test]
fn every_open_question_is_put_to_the_operator() {
    let lives = [
        include_str!("settings.rs"),
        include_str!("settings/person.rs"),
        include_str!("settings/team.rs"),
        include_str!("account_settings.rs"),
        include_str!("accounts.rs"),
    ];
    let fields = include_str!("../support/ram/options.rs").lines().filter_map(|line| line.strip_prefix("    pub "));
    let flags = fields.filter_map(|field| field.strip_suffix(": bool,"));
    let others = ["throttle_status", "last_used_never", "last_used_lag", "key_policy_lag", "delete_conflict_lag"];
    let codes = ["role_conflict_code", "source_refusal_code"];
    let mut count = 0;
    for name in flags.chain(others).chain(codes) {
        assert!(
            lives.iter().any(|text| text.contains(&format!("{name} = ")) || text.contains(&format!("{name}: "))),
            "{name}"
        );
        count += 1;
    }
    assert!(count > 25, "{count}: the list of settings was not read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_comes_to_the_same_end_whichever_way_ram_does_it() {
    each_way(ways(), life).await;
}

/// Made, throttled on the way, lost, replaced, retired, retained by nobody, and gone.
async fn life(name: &'static str, options: Options) {
    let shut_out = options.source_address.to_string() == HERE;
    let world = World::with(name, options).await;
    if shut_out {
        world.ram.person().set_key_policy(&world.ram.access_key().0, &from(HERE));
        world.ram.person().set_account_key_policy(&from(ELSEWHERE));
    }
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
