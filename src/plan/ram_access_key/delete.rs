//! A RamAccessKey that is being deleted: disable first, then delete, verify, and let go.

use jiff::Timestamp;

use super::live::enabled_again;
use super::standing::{Standing, standing};
use super::{Journal, Ownership, Published, SecretSeen, Seen, Step, after, reason, strays};
use crate::api::{KeyDeletionPolicy, Why};
use crate::plan::timing::{READ_LAG, STRAY_QUIET};
use crate::plan::{Reason, Verdict};
use crate::ram::KeyStatus;

pub(super) fn next(seen: &Seen, journal: &Journal, now: Timestamp) -> Result<Step, Verdict> {
    if !seen.finalizer {
        return Err(reason(Reason::Deleting));
    }
    if never_made(seen, journal) {
        return Ok(Step::RemoveFinalizer);
    }
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    if !account.has(seen.journal.account_id.as_ref()) {
        return Err(reason(Reason::WrongAccount).about("the key was made there"));
    }
    match seen.ram.as_ref().map(|ram| ram.user) {
        Some(Ownership::Gone) => return gone(journal, now),
        Some(Ownership::NotOurs) => return Err(reason(Reason::UserNotOwned)),
        Some(Ownership::Ours) => {}
        None => return Err(reason(Reason::AccountNotReady)),
    }
    if enabled_again(seen, journal) {
        return Ok(Step::Record);
    }
    let published = match standing(seen, now) {
        Standing::Unexplained(id) => return Ok(Step::Prove(id)),
        Standing::Published(id) | Standing::Missing(id) => Some(id),
        _ => journal.access_key_id.clone(),
    };
    if let Some(step) = strays::next(seen, journal, now) {
        return Ok(step);
    }
    take_away(seen, journal, published.as_deref(), now)
}

/// With its user a key is gone too; but what was made this shortly before may not show yet.
fn gone(journal: &Journal, now: Timestamp) -> Result<Step, Verdict> {
    let asked = journal.intents.iter().map(|intent| intent.time).chain(journal.published_time).max();
    match asked.map(|time| after(time, READ_LAG)) {
        Some(sure) if now <= sure => Err(reason(Reason::Deleting).again_at(sure, now)),
        _ => Ok(Step::RemoveFinalizer),
    }
}

/// Nothing was ever written to RAM for this object.
fn never_made(seen: &Seen, journal: &Journal) -> bool {
    journal.ids().next().is_none() && journal.intents.is_empty() && !matches!(seen.secret, SecretSeen::Ours(_))
}

fn take_away(seen: &Seen, journal: &Journal, published: Option<&str>, now: Timestamp) -> Result<Step, Verdict> {
    let policy = effective(seen);
    let stays = |id: &str| Some(id) == published && policy != KeyDeletionPolicy::Delete;
    let armed = |id: &str| seen.is(id, KeyStatus::Active) && !(stays(id) && policy == KeyDeletionPolicy::Retain);
    let ids = || journal.ids().chain(published.filter(|id| !journal.ids().any(|own| own == *id)));
    if let Some(id) = ids().find(|id| armed(id)) {
        return Ok(Step::Disable(id.to_owned()));
    }
    if let Some(key) = ids().find(|id| seen.key(id).is_some() && !stays(id) && !in_quiet(journal, id, now)) {
        return Ok(Step::Delete(key.to_owned()));
    }
    if let Some(id) = ids().find(|id| seen.key(id).is_none() && seen.to_purge(id, journal.is_revoked(id))) {
        return Ok(Step::Purge(id.to_owned()));
    }
    waits(seen, journal, now)?;
    Ok(let_go(seen, policy))
}

/// A stray is deleted only after its quiet time: nobody knows yet whether it is in use.
fn in_quiet(journal: &Journal, id: &str, now: Timestamp) -> bool {
    let stray = journal.retiring.iter().find(|key| key.id == id && key.why == Why::Stray);
    stray.is_some_and(|key| now <= after(key.disabled_time.unwrap_or(now), STRAY_QUIET))
}

/// What keeps the finalizer on although no step is left.
fn waits(seen: &Seen, journal: &Journal, now: Timestamp) -> Result<(), Verdict> {
    if !journal.intents.is_empty() {
        let end = strays::due(seen, journal).unwrap_or(now);
        return Err(reason(Reason::AwaitingWindow).again_at(after(end, READ_LAG), now));
    }
    let strays = journal.retiring.iter().filter(|key| key.why == Why::Stray);
    if let Some(end) = strays.filter_map(|key| key.disabled_time).map(|time| after(time, STRAY_QUIET)).max() {
        return Err(reason(Reason::Deleting).again_at(after(end, READ_LAG), now));
    }
    // A list read this soon after the publish may lack the key.
    let listed = |id: &String| seen.key(id).is_some() || seen.deleted.contains(id);
    match journal.published_time.map(|time| after(time, READ_LAG)) {
        Some(end) if now <= end && !journal.access_key_id.as_ref().is_some_and(listed) => {
            Err(reason(Reason::Deleting).again_at(end, now))
        }
        _ => Ok(()),
    }
}

/// A tenant that denies to leave keys behind turns the policy into `Delete`.
#[must_use]
pub fn allowed(policy: KeyDeletionPolicy, retain_denied: bool) -> KeyDeletionPolicy {
    if retain_denied { KeyDeletionPolicy::Delete } else { policy }
}

/// What the deletion does. `Retain` needs a Secret that stays, else it only disables.
pub(super) fn effective(seen: &Seen) -> KeyDeletionPolicy {
    match allowed(seen.spec.deletion_policy, seen.retain_denied) {
        KeyDeletionPolicy::Retain if seen.namespace_terminating || !usable_secret(seen) => KeyDeletionPolicy::Disable,
        policy => policy,
    }
}

/// Whether `Retain` only disables the key, since nobody could use the pair.
#[must_use]
pub fn retain_refused(seen: &Seen) -> bool {
    let asked = allowed(seen.spec.deletion_policy, seen.retain_denied) == KeyDeletionPolicy::Retain;
    asked && effective(seen) != KeyDeletionPolicy::Retain
}

/// Whether the Secret stays when the object goes without having come to rest, and whether our marks come off it.
#[must_use]
pub fn released(seen: &Seen) -> Option<bool> {
    let policy = effective(seen);
    let ours = matches!(&seen.secret, SecretSeen::Ours(_));
    (ours && policy != KeyDeletionPolicy::Delete).then_some(policy == KeyDeletionPolicy::Retain)
}

fn usable_secret(seen: &Seen) -> bool {
    matches!(&seen.secret, SecretSeen::Ours(Published { intact: true, .. }))
        // Released in an earlier step of this deletion: the marks are gone and so is the right to judge it.
        || matches!(&seen.secret, SecretSeen::Foreign)
}

fn let_go(seen: &Seen, policy: KeyDeletionPolicy) -> Step {
    let marks = policy == KeyDeletionPolicy::Retain;
    match &seen.secret {
        SecretSeen::Ours(secret) if policy != KeyDeletionPolicy::Delete && (secret.owned || marks) => {
            Step::Release { marks }
        }
        _ => Step::RemoveFinalizer,
    }
}
