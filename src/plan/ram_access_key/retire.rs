//! Keys on their way out: overlap, disable, quarantine, delete, purge.

use jiff::Timestamp;

use super::mint::quiet_since;
use super::{Journal, LastUse, Pace, Retiring, Seen, Step, after};
use crate::api::Why;
use crate::plan::timing::STRAY_QUIET;
use crate::ram::KeyStatus;

pub(super) fn next(seen: &Seen, journal: &Journal, now: Timestamp) -> Option<Step> {
    journal.retiring.iter().find_map(|key| step(seen, journal, key, now))
}

/// Strays and revoked keys go whatever becomes of the published pair: nobody may use them.
pub(super) fn unwanted(seen: &Seen, journal: &Journal, now: Timestamp) -> Option<Step> {
    let mut unwanted = journal.retiring.iter().filter(|key| key.why != Why::Replaced);
    unwanted.find_map(|key| step(seen, journal, key, now))
}

/// A revoked key is disabled before anything else is done, published or not.
pub(super) fn revoked(seen: &Seen, journal: &Journal) -> Option<Step> {
    let id = journal.revoked.iter().map(|(id, _)| id).find(|id| seen.is(id, KeyStatus::Active))?;
    Some(Step::Disable(id.clone()))
}

fn step(seen: &Seen, journal: &Journal, key: &Retiring, now: Timestamp) -> Option<Step> {
    if seen.key(&key.id).is_none() {
        return seen.to_purge(&key.id, key.why == Why::Revoked).then(|| Step::Purge(key.id.clone()));
    }
    let pace = seen.pace();
    let active = seen.is(&key.id, KeyStatus::Active);
    match (key.why, active) {
        (Why::Stray | Why::Revoked, true) => Some(Step::Disable(key.id.clone())),
        (Why::Revoked, false) => Some(Step::Delete(key.id.clone())),
        (Why::Replaced, false) if seen.to_restore(journal, &key.id) => Some(Step::Enable(key.id.clone())),
        // Somebody waits for it.
        (Why::Replaced, false) if journal.requests.restore.open() == Some(&key.id) => None,
        (Why::Replaced, true) if now > after(key.time, pace.overlap) => match seen.uses.get(&key.id) {
            None => Some(Step::LookAtUse(key.id.clone())),
            // Nobody used it recently, as far as RAM knows by now.
            Some(used) if used.time.is_none_or(|time| time <= quiet_since(seen, now)) => {
                Some(Step::Disable(key.id.clone()))
            }
            Some(_) if pace.max_overlap.is_some_and(|most| now > after(key.time, most)) => {
                Some(Step::Disable(key.id.clone()))
            }
            Some(_) => None,
        },
        (_, false) if key.disabled_time.is_some_and(|time| now > after(time, quarantine(key.why, &pace))) => {
            match key.why {
                Why::Stray if !seen.uses.contains_key(&key.id) => Some(Step::LookAtUse(key.id.clone())),
                _ => Some(Step::Delete(key.id.clone())),
            }
        }
        // Read once for whoever thinks of restoring it; a pass that died after it disabled the key could not note it.
        (Why::Replaced, false) if key.last_use == LastUse::Unknown && !seen.uses.contains_key(&key.id) => {
            Some(Step::LookAtUse(key.id.clone()))
        }
        _ => None,
    }
}

fn quarantine(why: Why, pace: &Pace) -> std::time::Duration {
    match why {
        Why::Stray => STRAY_QUIET,
        Why::Replaced => pace.quarantine,
        Why::Revoked => std::time::Duration::ZERO,
    }
}

/// When it is disabled or deleted at the earliest.
pub(super) fn due(key: &Retiring, pace: &Pace) -> Option<Timestamp> {
    match (key.why, key.disabled_time) {
        (Why::Revoked, _) => None,
        (_, Some(time)) => Some(after(time, quarantine(key.why, pace))),
        (_, None) => {
            let longest = pace.max_overlap.filter(|_| matches!(key.last_use, LastUse::Day(_)));
            Some(after(key.time, longest.unwrap_or(pace.overlap)))
        }
    }
}

/// When the next of them has something due.
pub(super) fn recheck(journal: &Journal, now: Timestamp) -> Option<Timestamp> {
    journal.retiring.iter().filter_map(|key| key.next_time).filter(|time| *time > now).min()
}
