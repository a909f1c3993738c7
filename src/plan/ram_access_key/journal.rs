//! The part of the status that cannot be seen again, and how facts settle it.

use jiff::Timestamp;

use super::requests::{self, KeyRequests};
use super::standing::{Standing, standing};
use super::strays::own_suspects;
use super::{Published, SecretSeen, Seen, after, restart, retire, rotate};
use crate::api::{self, KeyState, RamAccessKeyStatus, Restart, SourcesSet, Why};
use crate::plan::timing::READ_LAG;
use crate::ram::{AccessKey, KeyStatus, Proof};

/// The lasting part of a RamAccessKey's status, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The account the key is in.
    pub account_id: Option<String>,
    /// RAM's `UserId`.
    pub user_id: Option<String>,
    /// RAM's `UserName`.
    pub user_name: Option<String>,
    /// Id of the published key.
    pub access_key_id: Option<String>,
    /// What `spec.state` was carried out last.
    pub state: Option<KeyState>,
    /// When the published key was made.
    pub create_time: Option<Timestamp>,
    /// When it was published.
    pub published_time: Option<Timestamp>,
    /// When it was proved.
    pub proved_time: Option<Timestamp>,
    /// When it was first missing from RAM's list.
    pub missing_time: Option<Timestamp>,
    /// Keys on their way out.
    pub retiring: Vec<Retiring>,
    /// Mints without an answer.
    pub intents: Vec<Intent>,
    /// Keys that were ordered to be revoked, with the time of the order; the latest last.
    pub revoked: Vec<(String, Timestamp)>,
    /// For which key each workload was restarted last.
    pub restarts: Vec<Restart>,
    /// What was asked of RAM last for the allowed sources.
    pub sources: Option<SourcesSet>,
    /// How far requests by annotation have come.
    pub requests: KeyRequests,
    /// When the published pair is replaced next; follows from the rest.
    pub next_rotation: Option<Timestamp>,
}

/// A key on its way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retiring {
    /// Its id.
    pub id: String,
    /// Why.
    pub why: Why,
    /// Since when.
    pub time: Timestamp,
    /// When it was found disabled.
    pub disabled_time: Option<Timestamp>,
    /// It is disabled together with all keys of the object, and is enabled with them again.
    pub disarmed: bool,
    /// When it is disabled or deleted at the earliest; follows from the rest.
    pub next_time: Option<Timestamp>,
    /// Its last use as it was read last.
    pub last_use: LastUse,
    /// The service of that use.
    pub used_by: Option<String>,
}

/// The last use of a key, by the day: anything finer would change all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LastUse {
    /// It was not asked for yet.
    #[default]
    Unknown,
    /// RAM has no record of any.
    Never,
    /// On this day, `YYYY-MM-DD`.
    Day(String),
}

impl LastUse {
    fn read(text: Option<&String>) -> Self {
        match text.map(String::as_str) {
            None => Self::Unknown,
            Some("Never") => Self::Never,
            Some(day) => Self::Day(day.to_owned()),
        }
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Never => Some("Never".to_owned()),
            Self::Day(day) => Some(day.clone()),
        }
    }

    fn of(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Never, |time| Self::Day(time.to_string().chars().take(10).collect()))
    }
}

/// The note written before a mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub id: String,
    /// When the request was signed, by RAM's clock.
    pub time: Timestamp,
    /// After this RAM refuses the request.
    pub not_after: Timestamp,
    /// Keys that the user had before.
    pub known_ids: Vec<String>,
    /// The key that the new one takes the place of.
    pub replaces: Option<String>,
}

impl Journal {
    /// Reads a status.
    #[must_use]
    pub fn read(status: &RamAccessKeyStatus) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(parse);
        let revoked = |key: &api::RevokedKey| (key.id.clone(), parse(&key.time).unwrap_or_default());
        Self {
            account_id: status.account_id.clone(),
            user_id: status.user_id.clone(),
            user_name: status.user_name.clone(),
            access_key_id: status.access_key_id.clone(),
            state: status.state,
            create_time: time(&status.create_time),
            published_time: time(&status.published_time),
            proved_time: time(&status.proved_time),
            missing_time: time(&status.missing_time),
            retiring: status.retiring.iter().flatten().map(Retiring::read).collect(),
            intents: status.intents.iter().flatten().map(Intent::read).collect(),
            revoked: status.revoked.iter().flatten().map(revoked).collect(),
            restarts: status.restarts.clone().unwrap_or_default(),
            sources: status.allowed_sources.clone(),
            requests: KeyRequests::read(status.requests.as_ref()),
            next_rotation: time(&status.next_rotation_time),
        }
    }

    /// Writes it into a status; conditions and the request `reconcile` are left alone.
    pub fn write(&self, status: &mut RamAccessKeyStatus) {
        let time = |time: Option<Timestamp>| time.map(|t| t.to_string());
        let revoked = |(id, time): &(String, Timestamp)| api::RevokedKey { id: id.clone(), time: time.to_string() };
        status.account_id.clone_from(&self.account_id);
        status.user_id.clone_from(&self.user_id);
        status.user_name.clone_from(&self.user_name);
        status.access_key_id.clone_from(&self.access_key_id);
        status.state = self.state;
        status.create_time = time(self.create_time);
        status.published_time = time(self.published_time);
        status.proved_time = time(self.proved_time);
        status.missing_time = time(self.missing_time);
        status.retiring = some(self.retiring.iter().map(Retiring::write).collect());
        status.intents = some(self.intents.iter().map(Intent::write).collect());
        status.revoked = some(self.revoked.iter().map(revoked).collect());
        status.restarts = some(self.restarts.clone());
        status.next_rotation_time = time(self.next_rotation);
        status.allowed_sources.clone_from(&self.sources);
        self.requests.write(&mut status.requests);
    }

    /// Notes that all keys are to be disabled by us; those of them that are in use come back when that is over.
    pub fn disarm(&mut self, keys: &[AccessKey]) {
        self.state = Some(KeyState::Inactive);
        let active = |id: &str| keys.iter().any(|key| key.id == id && key.status == KeyStatus::Active);
        for key in self.retiring.iter_mut().filter(|key| key.why == Why::Replaced) {
            key.disarmed |= active(&key.id);
        }
    }

    /// Notes that keys are in use again: what rested meanwhile, an overlap for one, begins anew.
    pub fn rearm(&mut self, now: Timestamp) {
        self.state = Some(KeyState::Active);
        for key in self.retiring.iter_mut().filter(|key| key.disarmed) {
            key.disarmed = false;
            key.time = now;
        }
    }

    /// Whether a key was ordered to be revoked.
    #[must_use]
    pub fn is_revoked(&self, id: &str) -> bool {
        self.revoked.iter().any(|(revoked, _)| revoked == id)
    }

    /// Every id that this object has in RAM.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.access_key_id.as_deref().into_iter().chain(self.retiring.iter().map(|key| key.id.as_str()))
    }

    /// Keys that may be a person's: disabled, and watched for use before they are deleted.
    pub fn strays(&self) -> impl Iterator<Item = &Retiring> {
        self.retiring.iter().filter(|key| key.why == Why::Stray)
    }

    fn retire(&mut self, id: &str, why: Why, time: Timestamp) {
        let why = if self.is_revoked(id) { Why::Revoked } else { why };
        if self.access_key_id.as_deref() != Some(id) && !self.retiring.iter().any(|key| key.id == id) {
            self.retiring.push(Retiring::new(id, why, time));
        }
    }
}

impl Retiring {
    /// A key that is on its way out from now on.
    #[must_use]
    pub fn new(id: &str, why: Why, time: Timestamp) -> Self {
        Self { id: id.to_owned(), why, time, ..Self::default() }
    }

    /// Reads one from a status.
    #[must_use]
    pub fn read(key: &api::RetiringKey) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(parse);
        Self {
            id: key.id.clone(),
            why: key.why,
            time: parse(&key.time).unwrap_or_default(),
            disabled_time: time(&key.disabled_time),
            disarmed: key.disarmed,
            next_time: time(&key.next_time),
            last_use: LastUse::read(key.last_used.as_ref()),
            used_by: key.used_by.clone(),
        }
    }

    /// Writes it for a status.
    #[must_use]
    pub fn write(&self) -> api::RetiringKey {
        let time = |time: Option<Timestamp>| time.map(|t| t.to_string());
        api::RetiringKey {
            id: self.id.clone(),
            why: self.why,
            time: self.time.to_string(),
            disabled_time: time(self.disabled_time),
            disarmed: self.disarmed,
            next_time: time(self.next_time),
            last_used: self.last_use.write(),
            used_by: self.used_by.clone(),
        }
    }
}

impl Intent {
    /// Reads one from a status.
    #[must_use]
    pub fn read(intent: &api::Intent) -> Self {
        Self {
            id: intent.id.clone(),
            time: parse(&intent.time).unwrap_or_default(),
            not_after: parse(&intent.not_after).unwrap_or_default(),
            known_ids: intent.known_ids.clone(),
            replaces: intent.replaces.clone(),
        }
    }

    /// Writes it for a status or an order.
    #[must_use]
    pub fn write(&self) -> api::Intent {
        api::Intent {
            id: self.id.clone(),
            time: self.time.to_string(),
            not_after: self.not_after.to_string(),
            known_ids: self.known_ids.clone(),
            replaces: self.replaces.clone(),
        }
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    if list.is_empty() { None } else { Some(list) }
}

/// The journal as the facts of this pass make it: what the status will say once this pass rests.
#[must_use]
pub fn settle(seen: &Seen, now: Timestamp) -> Journal {
    let mut journal = seen.journal.clone();
    let Some(ram) = &seen.ram else { return journal };
    let standing = standing(seen, now);
    if let (Standing::Published(id) | Standing::Missing(id), SecretSeen::Ours(secret)) = (&standing, &seen.secret) {
        record(&mut journal, seen, id, secret, now);
    }
    journal.missing_time = match standing {
        Standing::Missing(_) => Some(journal.missing_time.unwrap_or(now)),
        Standing::Lost if seen.key(journal.access_key_id.as_deref().unwrap_or_default()).is_none() => {
            journal.missing_time
        }
        _ => None,
    };
    journal.retiring.retain(|key| {
        let listed = ram.keys.iter().any(|listed| listed.id == key.id);
        // A list may lack what is young, unless we deleted it ourselves.
        let unsure = seen.listed.unwrap_or(now) <= after(key.time, READ_LAG) && !seen.deleted.contains(&key.id);
        let taken = key.why == Why::Stray && seen.sibling_has(&key.id);
        (listed || unsure || seen.to_purge(&key.id, key.why == Why::Revoked)) && !was_used(seen, key) && !taken
    });
    for key in &mut journal.retiring {
        let active = seen.is(&key.id, KeyStatus::Active);
        key.disarmed &= !(active && journal.state == Some(KeyState::Active));
        // A key that comes back has its quarantine still before it.
        key.disabled_time = if active || key.disarmed { None } else { key.disabled_time.or(Some(now)) };
        if let Some(used) = seen.uses.get(&key.id) {
            key.last_use = LastUse::of(used.time);
            key.used_by.clone_from(&used.service);
        }
    }
    close(&mut journal, seen, now);
    restart::take_note(&mut journal, seen);
    requests::take_up(&mut journal, seen, now);
    let pace = seen.pace();
    for key in &mut journal.retiring {
        key.next_time = retire::due(key, &pace);
    }
    journal.next_rotation = rotate::due(seen, &journal);
    journal
}

/// A stray that was used by somebody after its window has become foreign.
fn was_used(seen: &Seen, key: &Retiring) -> bool {
    let last = seen.use_by_others(&key.id);
    key.why == Why::Stray && last.is_some_and(|last| last > key.time)
}

fn record(journal: &mut Journal, seen: &Seen, id: &str, secret: &Published, now: Timestamp) {
    journal.account_id = seen.account.as_ref().ok().map(|account| account.account_id.clone());
    journal.user_id = seen.user_id().cloned();
    let fresh = journal.access_key_id.as_deref() != Some(id);
    let intent = journal.intents.iter().find(|intent| secret.intent.as_deref() == Some(&intent.id)).cloned();
    if fresh {
        let earlier = journal.access_key_id.replace(id.to_owned());
        journal.published_time = secret.time;
        journal.proved_time = None;
        journal.missing_time = None;
        journal.state.get_or_insert(KeyState::Active);
        journal.retiring.retain(|key| key.id != id);
        // An older copy of the Secret may have come back: what it replaces was published until now.
        if let (Some(old), None) = (&earlier, &intent) {
            journal.retire(old, Why::Replaced, now);
        }
        // Ids in the Secret count only if the journal or the intent names them, or if the journal was lost and the pair proved.
        let replaces = intent.as_ref().and_then(|intent| intent.replaces.as_deref());
        for (old, since, why) in &secret.retiring {
            let named = earlier.as_deref() == Some(old) || replaces == Some(old);
            if (named || earlier.is_none()) && !seen.sibling_has(old) {
                journal.retire(old, *why, *since);
            }
        }
        if let Some(old) = earlier {
            journal.retire(&old, Why::Replaced, secret.time.unwrap_or(now));
        }
    }
    if let Some(key) = seen.key(id) {
        journal.create_time = Some(key.create_time);
    }
    if matches!(seen.proofs.get(id), Some(Proof::Authentic { .. })) {
        journal.proved_time.get_or_insert(now);
    }
    journal.intents.retain(|open| intent.as_ref().is_none_or(|closed| closed.id != open.id));
}

/// An intent without an answer is closed only by a live list after its window that shows no suspect.
fn close(journal: &mut Journal, seen: &Seen, now: Timestamp) {
    let listed = seen.listed.unwrap_or(now);
    if own_suspects(seen, journal).is_empty() {
        journal.intents.retain(|intent| listed <= after(intent.not_after, READ_LAG));
    }
}
