//! `kill -9` of the real program at random moments, while users and keys come, change and go. In the end every Secret works, RAM has no
//! key but those, nothing foreign was touched, and no object needs a person.
//!
//! `PROOF=long cargo test kill` does it with thousands of keys; `SEED=...` repeats a run.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use kube::api::{DeleteParams, ListParams};
use kube::{Resource as _, ResourceExt as _};
use ram_operator::api::{RamAccessKey, annotation};
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::json;

use crate::binary::{Operator, kubeconfig};
use crate::support::operator::token;
use crate::world::{World, eventually_within};

/// How much is done.
struct Size {
    users: usize,
    kills: usize,
    patience: Duration,
}

fn size() -> Size {
    match std::env::var("PROOF").as_deref() {
        Ok("long") => Size { users: 2000, kills: 60, patience: Duration::from_mins(20) },
        _ => Size { users: 40, kills: 10, patience: Duration::from_mins(3) },
    }
}

/// Numbers that look random and can be had again (xorshift).
pub struct Random(u64);

impl Random {
    /// Seeded by `SEED`; else by the clock in the long part, and by a constant in the quick one. Says so.
    pub fn new(what: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let long = std::env::var("PROOF").is_ok_and(|proof| proof == "long");
            if long { u64::from(now) | 1 } else { 11 }
        });
        println!("{what}: SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("a small number")
    }
}

/// What somebody does to one user and its key.
async fn disturb(world: &World, name: &str, what: usize, gone: &mut BTreeMap<String, ()>) {
    match what {
        0 => {
            let _ = world.secrets().delete(name, &DeleteParams::default()).await;
        }
        1 => {
            world.annotate("RamAccessKey", name, annotation::ROTATE, &format!("r{}", world.writes().len())).await;
        }
        2 => world.key(name, name, json!({"secret": {"formats": ["Env", "Csv"]}})).await,
        3 => {
            world.delete("RamAccessKey", name).await;
            world.delete("RamUser", name).await;
            gone.insert(name.to_owned(), ());
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_loses_nothing() {
    let Size { users, kills, patience } = size();
    let mut random = Random::new("kill");
    let world = World::new("kill").await;
    let person = world.ram.person();
    person.create_user("bystander", "a person's");
    let foreign = person.create_key("bystander").0;
    let config = kubeconfig(&token(&world.admin).await.expect("a token")).await;
    let names: Vec<String> = (0..users).map(|n| format!("u{n}")).collect();
    futures::stream::iter(&names)
        .for_each_concurrent(8, |name| async {
            world.user(name, json!({})).await;
            world.key(name, name, json!({})).await;
        })
        .await;

    let (mut gone, mut memory) = (BTreeMap::new(), 0);
    for _ in 0..kills {
        let program = Operator::start(&world, &config);
        program.ready().await;
        for _ in 0..users / 10 {
            let name = &names[random.below(users)];
            if !gone.contains_key(name) {
                disturb(&world, name, random.below(6), &mut gone).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(50 + random.below(1500) as u64)).await;
        memory = memory.max(program.peak_memory());
        program.kill().await;
    }

    // One that lives gets everything in order, at once and once the windows and waits are over.
    // It hands over as it does by default: a deletion that finds a stray would wait for its quiet time else.
    let flags = Run { hand_over_after: Run::default().hand_over_after, ..world.flags() };
    let operator =
        world.operator_with(flags, Environment::default(), |config| Clients::new(&config).expect("clients")).await;
    let hours = Duration::from_hours;
    // Windows; then overlap, quarantine and a stray's quiet time, twice, since one key may have to wait for another.
    for wait in [hours(0), Duration::from_mins(25), hours(30), hours(80), hours(5), hours(30), hours(80), hours(5)] {
        world.clock.advance(wait);
        for name in &names {
            world.poke("RamAccessKey", name).await;
        }
        for order in orders(&world).await {
            world.poke("RamRevocation", &order).await;
        }
        eventually_within(patience, "everything to rest", || async { rest(&world, users - gone.len(), wait).await })
            .await;
    }
    eventually_within(patience, "every order to be carried out", || async {
        let left = orders(&world).await;
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })
    .await;
    verify(&world, users - gone.len(), &foreign).await;
    println!(
        "{users} users with a key each, {kills} kills: strays left 0, foreign things touched 0, objects that need a human 0; \
         at most {memory} MiB of memory"
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// What deletions have left to be taken away.
async fn orders(world: &World) -> Vec<String> {
    let params = ListParams::default().labels(&world.label());
    let found = world.dynamic("RamRevocation", None).list(&params).await.expect("a list");
    found.iter().map(kube::ResourceExt::name_any).collect()
}

/// All that should be there is ready, and after the first wait nothing is on its way any more that should have arrived.
async fn rest(world: &World, wanted: usize, wait: Duration) -> Result<(), String> {
    let keys = world.keys().list(&ListParams::default()).await.map_err(|e| e.to_string())?;
    let users = world.users().list(&ListParams::default()).await.map_err(|e| e.to_string())?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    if wait.is_zero() {
        // Deletions may wait for the window of a mint without an answer, and so may a mint where two of them took both slots.
        let rests = |key: &&RamAccessKey| {
            let ready = key.status.iter().flat_map(|status| &status.conditions).find(|c| c.type_ == "Ready");
            ready.is_some_and(|c| c.status == "True" || ["NoFreeSlot", "IntentsFull"].contains(&c.reason.as_str()))
        };
        let open = keys.iter().filter(|key| key.meta().deletion_timestamp.is_none()).filter(|key| !rests(key));
        let open: Vec<String> = open.map(|key| key.name_any()).collect();
        return if open.is_empty() { Ok(()) } else { Err(format!("not ready: {}", open.join(", "))) };
    }
    if keys.items.len() != wanted || users.items.len() != wanted {
        let going = keys.iter().filter(|key| key.meta().deletion_timestamp.is_some()).map(|key| {
            let why = key.status.iter().flat_map(|status| &status.conditions).find(|c| c.type_ == "Ready");
            format!("{}: {}", key.name_any(), why.map(|c| c.message.clone()).unwrap_or_default())
        });
        let users_going = users.iter().filter(|user| user.meta().deletion_timestamp.is_some()).map(|user| {
            let why = user.status.iter().flat_map(|status| &status.conditions).find(|c| c.type_ == "Ready");
            format!("{}: {}", user.name_any(), why.map(|c| c.message.clone()).unwrap_or_default())
        });
        let going: Vec<String> = going.chain(users_going).collect();
        return Err(format!(
            "{} keys and {} users, not {wanted}; still there: {going:?}",
            keys.items.len(),
            users.items.len()
        ));
    }
    for key in &keys {
        let asked = key.annotations().get(annotation::RECONCILE);
        let status = key.status.clone().unwrap_or_default();
        let done = status.requests.and_then(|requests| requests.reconcile).and_then(|request| request.done);
        if asked != done.as_ref() {
            return Err(format!("{} was not looked at", key.name_any()));
        }
    }
    Ok(())
}

async fn verify(world: &World, wanted: usize, foreign: &str) {
    let snapshot = world.ram.snapshot();
    let mut minted: Vec<(String, String, bool)> = snapshot
        .minted_keys()
        .filter(|(_, key)| key.id != foreign)
        .map(|(user, key)| (user.clone(), key.id.clone(), key.active))
        .collect();
    minted.sort();
    let mut published = Vec::new();
    for key in world.keys().list(&ListParams::default()).await.expect("a list") {
        let status = key.status.clone().expect("a status");
        let ready = status.conditions.iter().find(|c| c.type_ == "Ready").expect("Ready");
        assert_eq!(ready.status, "True", "{}: {}", key.name_any(), ready.message);
        assert!(status.intents.is_none() && status.retiring.is_none(), "{}: {status:?}", key.name_any());
        let (id, _) = world.pair(&key.name_any()).await;
        published.push((world.ram_name(&key.name_any()), id, true));
    }
    published.sort();
    assert_eq!(published.len(), wanted);
    assert_eq!(minted, published, "RAM has other keys than those that are published");
    let keys: Vec<(String, bool)> =
        snapshot.users["bystander"].keys.iter().map(|key| (key.id.clone(), key.active)).collect();
    assert_eq!(keys, [(foreign.to_owned(), true)], "a foreign key was touched");
}
