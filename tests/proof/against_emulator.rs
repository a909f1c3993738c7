//! The model of RAM against the emulator: random calls to both, through the operator's own client, with the same answers.
//!
//! `SEED=...` repeats a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ram_operator::clock::Clock;
use ram_operator::ram::{
    Budget, Class, Client, Config, Credential, Endpoints, KeyPair, KeyStatus, NewUser, Proof, SignedMint, Source,
};

use crate::emulator::{EmuClock, Emulator, Options};
use crate::names::{MINT_WINDOW, SLOTS};
use crate::start;
use crate::world::{NotMade, Who, World};

const USER: &str = "team-a.reader";
const SEQUENCES: usize = 60;
const CALLS: usize = 25;

/// One user on both sides; keys by the model's number.
struct Pair {
    model: World,
    emulator: Emulator,
    client: Client,
    clock: EmuClock,
    keys: BTreeMap<u8, KeyPair>,
    /// Mints that are signed and not sent, with the time after which RAM refuses them.
    signed: Vec<(SignedMint, i64)>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("a small number")
    }
}

impl Pair {
    async fn new() -> Self {
        let clock = EmuClock::system();
        let emulator = Emulator::start(Options { clock: clock.clone(), ..Options::default() }).await;
        let (id, secret) = emulator.access_key();
        let url = emulator.url();
        let now = clock.clone();
        let config = Config {
            endpoints: Endpoints { ram: url.clone(), ims: url.clone(), sts: url.clone(), metadata: url },
            source: Source::Static(Credential {
                access_key_id: id,
                access_key_secret: secret.into(),
                security_token: None,
                expiration: None,
            }),
            assume_role: None,
            account_id: None,
            quota_share: 100,
            clock: Clock::from_fn(move || now.now()),
            observer: Arc::new(|_, _| ()),
            allow_http: true,
        };
        let client = Client::new(config, Arc::new(Budget::new(100))).expect("a client");
        let user = NewUser { user_name: USER.to_owned(), ..NewUser::default() };
        client.create_user(&user).await.expect("a user");
        Self { model: start::fresh(1), emulator, client, clock, keys: BTreeMap::new(), signed: Vec::new() }
    }

    async fn mint(&mut self) -> String {
        let signed = self.client.sign_create_access_key(USER).await.expect("signed");
        self.send(signed, self.model.now + MINT_WINDOW).await
    }

    async fn send(&mut self, signed: SignedMint, not_after: i64) -> String {
        let ours = self.model.mint(not_after, 10, 0);
        let theirs = self.client.send_mint(signed).await;
        match (ours, theirs) {
            (Ok(id), Ok(pair)) => {
                self.keys.insert(id, pair);
                format!("mint {id}")
            }
            (Err(NotMade::Quota), Err(error)) => {
                assert_eq!(error.class(), Class::Quota, "{error}");
                assert!(error.proves_nothing_made());
                "mint: no slot".to_owned()
            }
            (Err(NotMade::Expired), Err(error)) => {
                assert_eq!(error.class(), Class::Clock, "{error}");
                assert!(error.proves_nothing_made());
                "mint: too late".to_owned()
            }
            (ours, theirs) => panic!("the model says {ours:?}, the emulator {theirs:?}"),
        }
    }

    async fn change(&mut self, id: u8, active: bool) -> String {
        let status = if active { KeyStatus::Active } else { KeyStatus::Inactive };
        let there = self.model.set_key(id, active, Who::Ours);
        let answer = self.client.update_access_key(USER, &self.keys[&id].id, status).await;
        assert_eq!(there, answer.is_ok(), "{answer:?}");
        format!("{status} {id}")
    }

    async fn delete(&mut self, id: u8) -> String {
        // By a person's hand: whether it was wise is not asked here.
        self.model.delete_key(id, Who::Person).expect("allowed");
        self.client.delete_access_key(USER, &self.keys[&id].id).await.expect("gone, or gone before");
        format!("delete {id}")
    }

    async fn prove(&mut self, id: u8) -> String {
        let proof = self.client.prove(&self.keys[&id]).await.expect("an answer");
        let wanted = self.model.key(id).map(|key| key.active);
        let same = match proof {
            Proof::Authentic { .. } => wanted == Some(true),
            Proof::Inactive => wanted == Some(false),
            Proof::NotYet => wanted.is_none(),
        };
        assert!(same, "key {id}: {wanted:?} in the model, {proof:?} in the emulator");
        format!("prove {id}")
    }

    async fn compare(&self) {
        let listed = self.client.list_access_keys(USER).await.expect("an answer").expect("a user");
        let mut theirs: Vec<(&str, bool)> =
            listed.iter().map(|key| (key.id.as_str(), key.status == KeyStatus::Active)).collect();
        let mut ours: Vec<(&str, bool)> =
            self.model.listing().iter().map(|key| (self.keys[&key.id].id.as_str(), key.active)).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, theirs);
        assert!(listed.len() <= SLOTS);
    }

    fn pass_time(&mut self, minutes: u64) -> String {
        self.clock.advance(Duration::from_mins(minutes));
        self.model.now += i64::try_from(minutes * 60).expect("a small number");
        format!("{minutes} minutes")
    }

    async fn call(&mut self, random: &mut Random) -> String {
        let ids: Vec<u8> = self.keys.keys().copied().collect();
        let id = ids.get(random.below(ids.len().max(1))).copied();
        match (random.below(9), id) {
            (0 | 1, _) => self.mint().await,
            (2, _) => {
                let signed = self.client.sign_create_access_key(USER).await.expect("signed");
                self.signed.push((signed, self.model.now + MINT_WINDOW));
                "sign".to_owned()
            }
            (3, _) if !self.signed.is_empty() => {
                let (signed, not_after) = self.signed.remove(0);
                self.send(signed, not_after).await
            }
            (4, Some(id)) => self.change(id, true).await,
            (5, Some(id)) => self.change(id, false).await,
            (6, Some(id)) => self.delete(id).await,
            (7, Some(id)) => self.prove(id).await,
            // No sum of these is the window: at its edge the milliseconds of real time would decide.
            _ => self.pass_time([2, 6, 20][random.below(3)]),
        }
    }
}

#[tokio::test]
async fn the_model_of_ram_answers_as_the_emulator() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(u64::from(nanos) | 1);
    println!("model against emulator: SEED={seed}, {SEQUENCES} sequences of {CALLS} calls");
    let mut random = Random(seed);
    for _ in 0..SEQUENCES {
        let mut pair = Pair::new().await;
        let mut told = Vec::new();
        for _ in 0..CALLS {
            told.push(pair.call(&mut random).await);
            pair.compare().await;
        }
        drop(pair.emulator);
        assert_eq!(told.len(), CALLS);
    }
}
