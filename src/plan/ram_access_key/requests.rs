//! Requests by annotation: what was asked for, what was taken up, and what is complete.
//!
//! A value is taken up once, in the status, before its first effect. From then on removing the annotation changes nothing.

use jiff::Timestamp;

use super::{Journal, Seen, restart};
use crate::api::{Request, Requests, Why};
use crate::ram::KeyStatus;

/// Revoked keys that the status remembers.
const REVOKED: usize = 10;

/// The annotations' values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Any text: a new pair.
    pub rotate: Option<String>,
    /// The id of a key, perhaps with `/` and any text after it.
    pub revoke: Option<String>,
    /// The id of a key, perhaps with `/` and any text after it.
    pub restore: Option<String>,
}

/// How far requests have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRequests {
    /// `rotate`.
    pub rotate: Progress,
    /// `revoke`.
    pub revoke: Progress,
    /// `restore`.
    pub restore: Progress,
}

/// How far one request has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The value that was taken up last.
    pub accepted: Option<String>,
    /// The value whose work is complete.
    pub done: Option<String>,
    /// The key that it concerns.
    pub key: Option<String>,
    /// The value that was refused.
    pub refused: Option<String>,
}

impl Progress {
    fn read(request: Option<&Request>) -> Self {
        let Request { accepted, done, access_key_id, refused } = request.cloned().unwrap_or_default();
        Self { accepted, done, key: access_key_id, refused }
    }

    fn write(&self) -> Option<Request> {
        let Self { accepted, done, key, refused } = self.clone();
        let any = accepted.is_some() || refused.is_some();
        any.then_some(Request { accepted, done, access_key_id: key, refused })
    }

    /// The key of a request that was taken up and is not complete.
    #[must_use]
    pub fn open(&self) -> Option<&str> {
        if self.accepted == self.done { None } else { self.key.as_deref() }
    }

    fn news<'a>(&self, asked: Option<&'a String>) -> Option<&'a String> {
        asked.filter(|value| self.accepted.as_ref() != Some(*value) && self.refused.as_ref() != Some(*value))
    }

    fn accept(&mut self, value: &str, key: &str) {
        let (accepted, key) = (Some(value.to_owned()), Some(key.to_owned()));
        *self = Self { accepted, key, ..std::mem::take(self) };
    }

    /// Takes a value up without doing anything.
    fn skip(&mut self, value: &str) {
        *self = Self { accepted: Some(value.to_owned()), done: Some(value.to_owned()), ..Self::default() };
    }

    /// It will never be complete.
    fn fail(&mut self) {
        self.key = None;
    }

    /// Whether it was taken up and could not be carried out.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.accepted != self.done && self.key.is_none()
    }

    fn complete(&mut self) {
        self.done.clone_from(&self.accepted);
    }
}

impl KeyRequests {
    /// Reads a status.
    #[must_use]
    pub fn read(requests: Option<&Requests>) -> Self {
        let of = |pick: fn(&Requests) -> Option<&Request>| Progress::read(requests.and_then(pick));
        Self {
            rotate: of(|requests| requests.rotate.as_ref()),
            revoke: of(|requests| requests.revoke.as_ref()),
            restore: of(|requests| requests.restore.as_ref()),
        }
    }

    /// Writes it into a status.
    pub fn write(&self, requests: &mut Option<Requests>) {
        let mut all = requests.take().unwrap_or_default();
        all.rotate = self.rotate.write();
        all.revoke = self.revoke.write();
        all.restore = self.restore.write();
        *requests = Some(all).filter(|all| *all != Requests::default());
    }
}

/// The id in a value of `revoke` or `restore`. What follows a `/` only makes the value a new one.
#[must_use]
pub fn id_in(value: &str) -> &str {
    value.split_once('/').map_or(value, |(id, _)| id).trim()
}

/// Takes up what is new, and completes what the facts show to be done.
pub(super) fn take_up(journal: &mut Journal, seen: &Seen, now: Timestamp) {
    // A status that knows no key is a new object's, or was lost: what is asked for then may be long done.
    let first = seen.journal.access_key_id.is_none();
    if let Some(value) = journal.requests.rotate.news(seen.asked.rotate.as_ref()) {
        match journal.access_key_id.clone().filter(|_| !first) {
            Some(id) => journal.requests.rotate.accept(value, &id),
            None => journal.requests.rotate.skip(value),
        }
    }
    if let Some(value) = journal.requests.restore.news(seen.asked.restore.as_ref()) {
        let id = id_in(value);
        if first {
            journal.requests.restore.skip(value);
        } else if restorable(journal, seen, id) {
            journal.requests.restore.accept(value, id);
            restart_overlap(journal, id, now);
        } else if seen.ram.is_some() {
            // It must not do anything when somebody disables that key later.
            journal.requests.restore.refused = Some(value.clone());
        }
    }
    if let Some(value) = journal.requests.revoke.news(seen.asked.revoke.as_ref()) {
        let id = id_in(value);
        if is_ours(journal, id) {
            journal.requests.revoke.accept(value, id);
            revoke(journal, id, now);
        }
    }
    complete(journal, seen, now);
}

/// A disabled key of ours that was not revoked.
fn restorable(journal: &Journal, seen: &Seen, id: &str) -> bool {
    let known = journal.access_key_id.as_deref() == Some(id)
        || journal.retiring.iter().any(|key| key.id == id && key.why == Why::Replaced);
    known && seen.is(id, KeyStatus::Inactive) && !journal.is_revoked(id)
}

fn restart_overlap(journal: &mut Journal, id: &str, now: Timestamp) {
    for key in journal.retiring.iter_mut().filter(|key| key.id == id) {
        key.time = now;
        key.disabled_time = None;
    }
}

pub(super) fn is_ours(journal: &Journal, id: &str) -> bool {
    journal.ids().any(|own| own == id)
}

fn revoke(journal: &mut Journal, id: &str, now: Timestamp) {
    if !journal.is_revoked(id) {
        journal.revoked.push((id.to_owned(), now));
    }
    // The oldest are forgotten first; they are long gone.
    let surplus = journal.revoked.len().saturating_sub(REVOKED);
    journal.revoked.drain(..surplus);
    for key in journal.retiring.iter_mut().filter(|key| key.id == id) {
        key.why = Why::Revoked;
    }
}

fn complete(journal: &mut Journal, seen: &Seen, now: Timestamp) {
    let published = journal.access_key_id.clone();
    let settled = published.is_some() && journal.proved_time.is_some() && restart::done(seen, journal);
    if let Some(old) = journal.requests.rotate.open()
        && settled
        && published.as_deref() != Some(old)
    {
        journal.requests.rotate.complete();
    }
    if let Some(id) = journal.requests.restore.open().map(str::to_owned) {
        if seen.is(&id, KeyStatus::Active) {
            journal.requests.restore.complete();
            // Its overlap begins when it works again.
            restart_overlap(journal, &id, now);
        } else if !is_ours(journal, &id) {
            journal.requests.restore.fail();
        }
    }
    if let Some(id) = journal.requests.revoke.open()
        && settled
        && !is_ours(journal, id)
        && seen.key(id).is_none()
    {
        journal.requests.revoke.complete();
    }
}
