//! The model's RAM against the emulator, which speaks HTTP and is as strict as RAM: random calls have the same answers.
//!
//! `SEED=<number>` repeats a run that failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ram_operator::clock::Clock;
use ram_operator::ram::{
    Budget, Class, Client, Config, Credential, Endpoints, Error, KeyPair, KeyStatus, NewUser, Proof, SignedMint, Source,
};

use crate::names::{MINT_WINDOW, REPORT, SLOTS};
use crate::ram::{Emulator, Options};
use crate::start;
use crate::world::{By, Key, NotMade, Who, World};

const SEQUENCES: u64 = 200;
const CALLS: u32 = 20;
const USER: &str = "reader";
/// The emulator's clock runs on while a sequence takes place.
const DRIFT: i64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn the_models_ram_answers_as_the_emulator_does() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    let first = given.unwrap_or_else(|| clock.as_secs());
    println!("{SEQUENCES} sequences of {CALLS} calls, from SEED={first} on");
    let mut made = 0;
    for seed in first..first + SEQUENCES {
        let mut both = Both::start(seed).await;
        for _ in 0..CALLS {
            let call = both.call().await;
            both.told.push(call);
            both.compare().await;
        }
        made += both.pairs.len();
    }
    println!("{made} keys were made");
}

/// Numbers that look random and follow from a seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// The model and the emulator, side by side.
struct Both {
    model: World,
    emulator: Emulator,
    client: Client,
    dice: Dice,
    seed: u64,
    /// What the model's keys are in the emulator, deleted ones too.
    pairs: BTreeMap<u8, KeyPair>,
    /// A mint that is signed and not sent, and until when RAM accepts it in the model.
    signed: Option<(SignedMint, i64)>,
    /// The calls so far, in words.
    told: Vec<String>,
}

impl Both {
    async fn start(seed: u64) -> Self {
        let lag = Duration::from_secs(u64::try_from(REPORT).expect("a length of time"));
        let emulator = Emulator::start(Options { last_used_lag: lag, ..Options::default() }).await;
        let (access_key_id, secret) = emulator.access_key();
        let credential = Credential {
            access_key_id,
            access_key_secret: secret.into(),
            security_token: None,
            expiration: None,
        };
        let (url, clock) = (emulator.url(), emulator.clock());
        let config = Config {
            endpoints: Endpoints { ram: url.clone(), ims: url.clone(), sts: url.clone(), metadata: url },
            source: Source::Static(credential),
            assume_role: None,
            account_id: None,
            quota_share: 100,
            clock: Clock::from_fn(move || clock.now()),
            observer: Arc::new(|_, _| ()),
            allow_http: true,
        };
        let client = Client::new(config, Arc::new(Budget::new(100))).expect("a client");
        Self {
            model: start::unmade_user(),
            emulator,
            client,
            dice: Dice::new(seed),
            seed,
            pairs: BTreeMap::new(),
            signed: None,
            told: Vec::new(),
        }
    }

    /// One call, or one thing that a person does, to both; the answers have to agree.
    async fn call(&mut self) -> String {
        match self.dice.roll(14) {
            0 => self.create_user().await,
            1 => self.delete_user().await,
            2..=4 => {
                self.sign().await;
                self.send().await
            }
            5 => self.sign().await,
            6 => self.send().await,
            7 => self.set(false).await,
            8 => self.set(true).await,
            9 => self.delete().await,
            10 => self.use_it().await,
            11 => self.person_makes(),
            12 => self.person_meddles(),
            _ => self.wait(),
        }
    }

    fn agree(&self, what: &str, model: &str, emulator: &str) {
        let told = self.told.join("\n  ");
        assert_eq!(model, emulator, "SEED={}: {what}: the model (left) and the emulator differ after\n  {told}", self.seed);
    }

    async fn create_user(&mut self) -> String {
        let user = NewUser { user_name: USER.to_owned(), ..NewUser::default() };
        let answer = self.client.create_user(&user).await;
        let free = self.model.ram_user.is_none();
        if free {
            let id = self.model.next_uid;
            self.model.next_uid += 1;
            self.model.ram_user = Some((id, id));
        }
        self.agree("CreateUser", outcome(free), &told(&answer));
        "CreateUser".to_owned()
    }

    async fn delete_user(&mut self) -> String {
        let answer = self.client.delete_user(USER).await;
        let empty = self.model.keys.is_empty();
        if empty {
            self.model.ram_user = None;
        }
        self.agree("DeleteUser", outcome(empty), &told(&answer));
        "DeleteUser".to_owned()
    }

    async fn sign(&mut self) -> String {
        let signed = self.client.sign_create_access_key(USER).await.expect("a signature");
        self.signed = Some((signed, self.model.now + MINT_WINDOW));
        "CreateAccessKey is signed".to_owned()
    }

    async fn send(&mut self) -> String {
        let Some((signed, not_after)) = self.signed.take() else { return "nothing is signed".to_owned() };
        let answer = self.client.send_mint(signed).await;
        let made = self.model.mint(not_after, 10, 1);
        let expected = match &made {
            Ok(_) => "done",
            Err(NotMade::Expired) => "Clock",
            Err(NotMade::NoUser) => "Missing",
            Err(NotMade::Quota) => "Quota",
        };
        self.agree("CreateAccessKey", expected, &told(&answer));
        match (made, answer) {
            (Ok(id), Ok(pair)) => drop(self.pairs.insert(id, pair)),
            (_, Err(error)) => assert!(error.proves_nothing_made(), "SEED={}: {error}", self.seed),
            (Err(_), Ok(_)) => unreachable!("they agreed"),
        }
        format!("CreateAccessKey is sent: {expected}")
    }

    /// Any key that there ever was.
    fn any(&mut self) -> Option<(u8, KeyPair)> {
        let count = u64::try_from(self.pairs.len()).expect("a small number");
        let index = usize::try_from(self.dice.roll(count.max(1))).expect("a small number");
        self.pairs.iter().nth(index).map(|(id, pair)| (*id, pair.clone()))
    }

    async fn set(&mut self, active: bool) -> String {
        let Some((id, pair)) = self.any() else { return "no key".to_owned() };
        let status = if active { KeyStatus::Active } else { KeyStatus::Inactive };
        let answer = self.client.update_access_key(USER, &pair.id, status).await;
        let there = self.model.set_key(id, active, Who::Ours);
        self.agree("UpdateAccessKey", if there { "done" } else { "Missing" }, &told(&answer));
        format!("UpdateAccessKey {id} {status}")
    }

    async fn delete(&mut self) -> String {
        let Some((id, pair)) = self.any() else { return "no key".to_owned() };
        let answer = self.client.delete_access_key(USER, &pair.id).await;
        self.model.delete_key(id, Who::Ours).expect("nothing is published");
        self.agree("DeleteAccessKey", "done", &told(&answer));
        format!("DeleteAccessKey {id}")
    }

    /// The key signs GetCallerIdentity: a use, and a proof.
    async fn use_it(&mut self) -> String {
        let Some((id, pair)) = self.any() else { return "no key".to_owned() };
        let now = self.model.now;
        // The model remembers two uses: it is not told of a third while the first is not reported.
        if self.model.key(id).is_some_and(|key| key.used.is_some_and(|time| now < time + REPORT)) {
            return format!("{id} was used a moment ago");
        }
        let proof = self.client.prove(&pair).await.expect("a proof");
        let proof = match proof {
            Proof::Authentic { .. } => "authentic",
            Proof::Inactive => "inactive",
            Proof::NotYet => "unknown",
        };
        let expected = match self.model.key_mut(id) {
            None => "unknown",
            Some(key) if !key.active => "inactive",
            Some(key) => {
                key.use_it(now);
                "authentic"
            }
        };
        self.agree("GetCallerIdentity", expected, proof);
        format!("{id} is used: {proof}")
    }

    fn person_makes(&mut self) -> String {
        if self.model.ram_user.is_none() || self.model.keys.len() >= SLOTS {
            return "no room for a key".to_owned();
        }
        let (id, secret) = self.emulator.person().create_key(USER);
        let (number, now) = (self.model.next_key, self.model.now);
        self.model.next_key += 1;
        self.model.keys.push(Key::new(number, now, By::Person, None));
        self.pairs.insert(number, KeyPair { id, secret: secret.into(), create_time: None });
        format!("a person makes {number}")
    }

    fn person_meddles(&mut self) -> String {
        let Some((id, pair)) = self.any().filter(|(id, _)| self.model.key(*id).is_some()) else {
            return "no key".to_owned();
        };
        let person = self.emulator.person();
        if self.dice.roll(2) == 0 {
            person.delete_key(&pair.id);
            self.model.delete_key(id, Who::Person).expect("a person may");
            return format!("a person deletes {id}");
        }
        let active = self.dice.roll(2) == 0;
        person.set_key_status(&pair.id, active);
        self.model.set_key(id, active, Who::Person);
        format!("a person makes {id} active: {active}")
    }

    fn wait(&mut self) -> String {
        // Sums of these may be just as long as a report lags, but never a little shorter, and never near a mint's window.
        let minutes = [10, 40, 190][usize::try_from(self.dice.roll(3)).expect("a small number")];
        self.emulator.clock().advance(Duration::from_secs(60 * minutes));
        self.model.now += i64::try_from(60 * minutes).expect("a length of time");
        format!("{minutes} minutes pass")
    }

    /// What both show of the user's keys.
    async fn compare(&self) {
        let listed = self.client.list_access_keys(USER).await.expect("an answer");
        let shown = |id: &str, active: bool| format!("{id} {active}");
        let emulator = listed.map(|keys| {
            let keys: Vec<String> = keys.iter().map(|key| shown(&key.id, key.status == KeyStatus::Active)).collect();
            keys.join(", ")
        });
        let model = self.model.ram_user.map(|_| {
            let keys = self.model.listing();
            let keys: Vec<String> = keys.iter().map(|key| shown(&self.pairs[&key.id].id, key.active)).collect();
            keys.join(", ")
        });
        self.agree("ListAccessKeys", &format!("{model:?}"), &format!("{emulator:?}"));
        for (id, pair) in &self.pairs {
            self.compare_use(*id, pair).await;
        }
    }

    async fn compare_use(&self, id: u8, pair: &KeyPair) {
        // A key that is gone is asked about only once in a while.
        if self.model.key(id).is_none() && !self.told.len().is_multiple_of(5) {
            return;
        }
        let answer = self.client.access_key_last_used(USER, &pair.id).await;
        let Some(key) = self.model.key(id) else {
            self.agree("GetAccessKeyLastUsed", "Missing", &told(&answer));
            return;
        };
        let emulator = answer.expect("the key is there").time;
        let model = key.reported(self.model.now);
        self.agree("GetAccessKeyLastUsed", reported(model.is_some()), reported(emulator.is_some()));
        if let (Some(model), Some(emulator)) = (model, emulator) {
            let model = self.model.now - model;
            let emulator = self.emulator.clock().now().as_second() - emulator.as_second();
            let apart = (model - emulator).abs();
            assert!(apart < DRIFT, "SEED={}: the last use of {id} is {model} s and {emulator} s ago", self.seed);
        }
    }
}

fn outcome(done: bool) -> &'static str {
    if done { "done" } else { "refused" }
}

fn reported(used: bool) -> &'static str {
    if used { "used" } else { "not used" }
}

/// An answer in one word.
fn told<T>(answer: &Result<T, Error>) -> String {
    match answer {
        Ok(_) => "done".to_owned(),
        Err(error) => match error.class() {
            // A name that is taken, or a user that still has keys.
            Class::Exists | Class::InUse => "refused".to_owned(),
            class => format!("{class:?}"),
        },
    }
}
