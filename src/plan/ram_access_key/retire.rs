//! Keys on their way out: overlap, disable, quarantine, delete.

use jiff::Timestamp;

use super::mint::quiet_since;
use super::{Journal, Retiring, Seen, Step, after};
use crate::api::Why;
use crate::plan::timing::{OVERLAP, QUARANTINE, STRAY_QUIET};
use crate::ram::KeyStatus;

pub(super) fn next(seen: &Seen, journal: &Journal, now: Timestamp) -> Option<Step> {
    journal.retiring.iter().find_map(|key| step(seen, key, now))
}

/// Strays go whatever becomes of the published pair: nobody has their secret.
pub(super) fn strays(seen: &Seen, journal: &Journal, now: Timestamp) -> Option<Step> {
    journal.retiring.iter().filter(|key| key.why == Why::Stray).find_map(|key| step(seen, key, now))
}

fn step(seen: &Seen, key: &Retiring, now: Timestamp) -> Option<Step> {
    let active = seen.is(&key.id, KeyStatus::Active);
    match (key.why, active) {
        (Why::Stray, true) => Some(Step::Disable(key.id.clone())),
        (Why::Replaced, true) if now > after(key.time, OVERLAP) => match seen.uses.get(&key.id) {
            None => Some(Step::LookAtUse(key.id.clone())),
            // Nobody used it recently, as far as RAM knows by now.
            Some(used) if used.time.is_none_or(|time| time <= quiet_since(now)) => Some(Step::Disable(key.id.clone())),
            Some(_) => None,
        },
        (_, false) if key.disabled_time.is_some_and(|time| now > after(time, quarantine(key.why))) => match key.why {
            Why::Stray if !seen.uses.contains_key(&key.id) => Some(Step::LookAtUse(key.id.clone())),
            _ => Some(Step::Delete(key.id.clone())),
        },
        _ => None,
    }
}

fn quarantine(why: Why) -> std::time::Duration {
    match why {
        Why::Stray => STRAY_QUIET,
        Why::Replaced => QUARANTINE,
    }
}

/// When the next of them has something due.
pub(super) fn due(journal: &Journal, now: Timestamp) -> Option<Timestamp> {
    let due = |key: &Retiring| match key.disabled_time {
        Some(time) => after(time, quarantine(key.why)),
        None => after(key.time, OVERLAP),
    };
    journal.retiring.iter().map(due).filter(|time| *time > now).min()
}
