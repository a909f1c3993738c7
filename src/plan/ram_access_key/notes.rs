//! Conditions beside `Ready`: what somebody should know although the published pair works.

use jiff::Timestamp;

use super::requests::{id_in, is_ours};
use super::rotate::{self, Rotation};
use super::{Journal, LastUse, Retiring, Seen, after, restart};
use crate::api::Why;
use crate::plan::Extra;
use crate::ram::KeyStatus;

/// All that hold.
#[must_use]
pub fn notes(seen: &Seen, journal: &Journal, now: Timestamp) -> Vec<Extra> {
    if seen.deleting {
        return Vec::new();
    }
    let mut all = Vec::new();
    all.extend(rotation(seen, journal, now).map(|(reason, message)| ("RotationBlocked", reason, message)));
    let unknown: Vec<&str> = never_used(journal).collect();
    if !unknown.is_empty() {
        let message = format!(
            "RAM has no record of any use of {}, so that its overlap alone decided. Restore it if something still needs it.",
            unknown.join(", ")
        );
        all.push(("UseUnknown", "NoUseRecord", message));
    }
    let failures = restart::failures(seen, journal);
    if !failures.is_empty() {
        let message =
            format!("{}. Restart what uses the Secret by hand, or correct restartTargets.", failures.join("; "));
        all.push(("RestartFailed", "RestartFailed", message));
    }
    all.extend(refused_revocation(seen, journal).map(|message| ("RevokeRefused", "NotOurKey", message)));
    all.extend(refused_restore(seen, journal).map(|(reason, message)| ("RestoreRefused", reason, message)));
    all
}

fn rotation(seen: &Seen, journal: &Journal, now: Timestamp) -> Option<(&'static str, String)> {
    let overdue = journal.retiring.iter().find(|key| in_use(seen, key, now));
    if let Some(key) = overdue {
        let LastUse::Day(day) = &key.last_use else { return None };
        let service = key.used_by.as_ref().map(|service| format!(" with {service}")).unwrap_or_default();
        let message = format!(
            "{} was replaced and is still used, last on {day}{service}. Restart what uses it, or set rotation.maxOverlap.",
            key.id
        );
        return Some(("StillUsed", message));
    }
    let id = journal.access_key_id.as_deref()?;
    if journal.is_revoked(id) {
        return None;
    }
    match rotate::next(seen, journal, id, now) {
        Rotation::Blocked(reason, message) => Some((reason, message)),
        Rotation::NotDue | Rotation::Begin(_) => None,
    }
}

fn in_use(seen: &Seen, key: &Retiring, now: Timestamp) -> bool {
    key.why == Why::Replaced
        && seen.is(&key.id, KeyStatus::Active)
        && now > after(key.time, seen.pace().overlap)
        && matches!(key.last_use, LastUse::Day(_))
}

fn never_used(journal: &Journal) -> impl Iterator<Item = &str> {
    let unknown = |key: &&Retiring| key.why == Why::Replaced && key.last_use == LastUse::Never;
    journal.retiring.iter().filter(unknown).map(|key| key.id.as_str())
}

/// An id in the annotation that is no key of this object; one that was taken up before is.
fn refused_revocation(seen: &Seen, journal: &Journal) -> Option<String> {
    let value = seen.asked.revoke.as_ref().filter(|value| journal.requests.revoke.accepted.as_ref() != Some(*value))?;
    let id = id_in(value);
    (!is_ours(journal, id)).then(|| {
        format!("The annotation ram-operator.dev/revoke names a key that this object does not have. It has {}. Correct or remove it.", list(journal))
    })
}

fn refused_restore(seen: &Seen, journal: &Journal) -> Option<(&'static str, String)> {
    if journal.requests.restore.open().is_some() {
        return seen.granted().err().map(|refused| (refused.reason.name(), refused.message()));
    }
    if journal.requests.restore.failed() && seen.asked.restore == journal.requests.restore.accepted {
        let message = "The key was deleted before it could be enabled again. Ask for a new pair by the annotation ram-operator.dev/rotate.";
        return Some(("Deleted", message.to_owned()));
    }
    let value =
        seen.asked.restore.as_ref().filter(|value| journal.requests.restore.accepted.as_ref() != Some(*value))?;
    let reason = if journal.is_revoked(id_in(value)) { "Revoked" } else { "NotDisabled" };
    let message = format!(
        "The annotation ram-operator.dev/restore names no disabled key of this object that could be enabled again. It has {}. Correct or remove it; once that key is disabled, ask with another value, such as the id and `/2`.",
        list(journal)
    );
    Some((reason, message))
}

fn list(journal: &Journal) -> String {
    let ids: Vec<&str> = journal.ids().collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}
