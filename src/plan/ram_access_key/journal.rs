//! The part of the status that cannot be seen again, and how facts settle it.

use jiff::Timestamp;

use super::standing::{Standing, standing};
use super::strays::own_suspects;
use super::{Published, SecretSeen, Seen, after};
use crate::api::{self, KeyState, RamAccessKeyStatus, Why};
use crate::plan::timing::READ_LAG;
use crate::ram::{KeyStatus, Proof};

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
}

/// A key on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retiring {
    /// Its id.
    pub id: String,
    /// Why.
    pub why: Why,
    /// Since when.
    pub time: Timestamp,
    /// When it was found disabled.
    pub disabled_time: Option<Timestamp>,
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
        let retiring = |key: &api::RetiringKey| Retiring {
            id: key.id.clone(),
            why: key.why,
            time: parse(&key.time).unwrap_or_default(),
            disabled_time: time(&key.disabled_time),
        };
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
            retiring: status.retiring.iter().flatten().map(retiring).collect(),
            intents: status.intents.iter().flatten().map(Intent::read).collect(),
        }
    }

    /// Writes it into a status; conditions and requests are left alone.
    pub fn write(&self, status: &mut RamAccessKeyStatus) {
        let time = |time: Option<Timestamp>| time.map(|t| t.to_string());
        let retiring = |key: &Retiring| api::RetiringKey {
            id: key.id.clone(),
            why: key.why,
            time: key.time.to_string(),
            disabled_time: time(key.disabled_time),
        };
        status.account_id.clone_from(&self.account_id);
        status.user_id.clone_from(&self.user_id);
        status.user_name.clone_from(&self.user_name);
        status.access_key_id.clone_from(&self.access_key_id);
        status.state = self.state;
        status.create_time = time(self.create_time);
        status.published_time = time(self.published_time);
        status.proved_time = time(self.proved_time);
        status.missing_time = time(self.missing_time);
        status.retiring = some(self.retiring.iter().map(retiring).collect());
        status.intents = some(self.intents.iter().map(Intent::write).collect());
    }

    /// Every id that this object has in RAM.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.access_key_id.as_deref().into_iter().chain(self.retiring.iter().map(|key| key.id.as_str()))
    }

    fn retire(&mut self, id: &str, why: Why, time: Timestamp) {
        if self.access_key_id.as_deref() != Some(id) && !self.retiring.iter().any(|key| key.id == id) {
            self.retiring.push(Retiring { id: id.to_owned(), why, time, disabled_time: None });
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

    fn write(&self) -> api::Intent {
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
    journal.retiring.retain(|key| ram.keys.iter().any(|listed| listed.id == key.id) && !was_used(seen, key));
    for key in &mut journal.retiring {
        key.disabled_time = if seen.is(&key.id, KeyStatus::Inactive) { key.disabled_time.or(Some(now)) } else { None };
    }
    close(&mut journal, seen, now);
    journal
}

/// A stray that was used by somebody after its window has become foreign.
fn was_used(seen: &Seen, key: &Retiring) -> bool {
    let last = seen.uses.get(&key.id).and_then(|used| used.time);
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
        // Ids in the Secret count only if the journal or the intent names them, or if the journal was lost and the pair proved.
        let replaces = intent.as_ref().and_then(|intent| intent.replaces.as_deref());
        for (old, since) in &secret.retiring {
            let named = earlier.as_deref() == Some(old) || replaces == Some(old);
            if (named || earlier.is_none()) && !seen.sibling_has(old) {
                journal.retire(old, Why::Replaced, *since);
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
    if own_suspects(seen, journal).is_empty() {
        journal.intents.retain(|intent| now <= after(intent.not_after, READ_LAG));
    }
}
