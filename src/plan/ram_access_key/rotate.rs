//! Whether the published pair is to be replaced although it works.

use jiff::Timestamp;

use super::mint::role;
use super::{Journal, Seen, Step, UserSeen, after, rights};
use crate::api::KeyState;
use crate::digest;
use crate::plan::timing::KEYS_PER_USER;
use crate::plan::{Reason, Verdict};

/// What stands in the way of a rotation, or that nothing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    /// Nobody wants one now.
    NotDue,
    /// It can begin.
    Begin(Step),
    /// It is due and cannot begin: reason and message.
    Blocked(&'static str, String),
}

/// When the published pair is replaced next: by its own interval or by the tenant's bound, whichever is first.
///
/// Each is shortened by up to a tenth, by hash, so that keys made together are not replaced together.
pub(super) fn due(seen: &Seen, journal: &Journal) -> Option<Timestamp> {
    let id = journal.access_key_id.as_deref()?;
    let made = journal.create_time.or(journal.published_time)?;
    let age = [seen.pace().interval, seen.max_age].into_iter().flatten().min()?;
    let early = age.mul_f64(0.1 * fraction(&[&seen.name, "/", id]));
    let due = after(made, age.saturating_sub(early));
    // Whole seconds, as the status holds them.
    Timestamp::from_second(due.as_second()).ok()
}

/// Whether the published pair is older than the tenant allows, and something is in the way of its rotation.
pub(super) fn overdue(seen: &Seen, journal: &Journal, now: Timestamp) -> bool {
    let (Some(id), Some(most)) = (journal.access_key_id.as_deref(), seen.max_age) else { return false };
    let old = journal.create_time.is_some_and(|made| now > after(made, most));
    old && matches!(next(seen, journal, id, now), Rotation::Blocked(..))
}

/// What lets rotation rest as long as it holds.
fn resting(seen: &Seen) -> Option<Verdict> {
    match seen.user {
        UserSeen::Made { suspended: true, .. } => Some(Verdict::new(Reason::UserSuspended)),
        _ if seen.spec.state == KeyState::Inactive => Some(Verdict::new(Reason::Inactive)),
        _ => None,
    }
}

fn fraction(parts: &[&str]) -> f64 {
    let digits: String = digest::hex(parts).chars().take(4).collect();
    u16::from_str_radix(&digits, 16).map_or(0.0, |n| f64::from(n) / f64::from(u16::MAX))
}

pub(super) fn next(seen: &Seen, journal: &Journal, id: &str, now: Timestamp) -> Rotation {
    let asked = journal.requests.rotate.open() == Some(id);
    if !asked && due(seen, journal).is_none_or(|due| now < due) {
        return Rotation::NotDue;
    }
    if let Some(rests) = resting(seen) {
        return if asked { Rotation::Blocked(rests.reason.name(), rests.message()) } else { Rotation::NotDue };
    }
    if let Err(refused) = seen.granted() {
        return Rotation::Blocked(refused.reason.name(), refused.message());
    }
    if !journal.intents.is_empty() {
        // One attempt at a time: nothing is in a hurry.
        let message = "The last attempt had no answer. Wait until its window is over.".to_owned();
        return Rotation::Blocked("AwaitingWindow", message);
    }
    if seen.keys().len() >= KEYS_PER_USER {
        return Rotation::Blocked("NoFreeSlot", occupied(seen, journal, id));
    }
    match rights::judged(seen) {
        Ok(look) => Rotation::Begin(look.unwrap_or_else(|| Step::Mint { replaces: Some(id.to_owned()) })),
        Err(refused) => Rotation::Blocked(refused.reason.name(), refused.message()),
    }
}

/// Who has the other slot.
fn occupied(seen: &Seen, journal: &Journal, id: &str) -> String {
    let others = seen.keys().iter().filter(|key| key.id != id).map(|key| role(seen, journal, &key.id));
    let others: Vec<String> = others.collect();
    format!(
        "RAM gives a user two AccessKeys, and the other one is {}. Wait for it to go, revoke it by the annotation ram-operator.dev/revoke if it is ours, or delete it in RAM.",
        others.join(", ")
    )
}

/// When to look again for a rotation.
pub(super) fn recheck(journal: &Journal, now: Timestamp) -> Option<Timestamp> {
    journal.next_rotation.filter(|due| *due > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_stays_within_a_tenth() {
        for id in ["LTAI1", "LTAI2", "LTAI3", "LTAI4", "LTAI5"] {
            let early = 0.1 * fraction(&["ingest", "/", id]);
            assert!((0.0..=0.1).contains(&early));
        }
        assert_ne!(fraction(&["a"]).to_bits(), fraction(&["b"]).to_bits());
    }
}
