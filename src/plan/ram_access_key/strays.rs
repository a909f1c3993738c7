//! Keys that a mint of ours may have made and that are published nowhere.

use jiff::Timestamp;

use super::{Intent, Journal, SecretSeen, Seen, Step, after, before};
use crate::plan::timing::{CLOCK_TOLERANCE, PUBLISH_BOUND};
use crate::ram::AccessKey;

/// The suspects among the user's keys: in the window of an open intent, known to none, published or on their way out nowhere.
///
/// The open intents of all RamAccessKeys on one RAM user count together.
#[must_use]
pub fn suspects<'a>(seen: &'a Seen, journal: &Journal) -> Vec<&'a AccessKey> {
    let intents: Vec<&Intent> = journal.intents.iter().chain(seen.siblings.iter().flat_map(|s| &s.intents)).collect();
    let known = |id: &str| intents.iter().any(|intent| intent.known_ids.iter().any(|known| known == id));
    let held = |id: &str| journal.ids().any(|own| own == id) || seen.sibling_has(id) || in_secret(seen, id);
    let windowed = |key: &AccessKey| intents.iter().any(|intent| in_window(intent, key));
    // Somebody who has the secret and uses it after every window makes the key foreign.
    let used = |key: &AccessKey| used_after(seen, key, intents.iter().copied());
    seen.keys().iter().filter(|key| windowed(key) && !known(&key.id) && !held(&key.id) && !used(key)).collect()
}

/// The suspects that a mint of this object may have made.
pub(super) fn own_suspects<'a>(seen: &'a Seen, journal: &Journal) -> Vec<&'a AccessKey> {
    let own = |key: &&AccessKey| journal.intents.iter().any(|intent| in_window(intent, key));
    suspects(seen, journal).into_iter().filter(own).collect()
}

fn used_after<'a>(seen: &Seen, key: &AccessKey, intents: impl Iterator<Item = &'a Intent>) -> bool {
    let last = seen.use_by_others(&key.id);
    let end = window_end(intents.filter(|intent| in_window(intent, key)));
    last.zip(end).is_some_and(|(last, end)| last > end)
}

/// A pair in our Secret may be the answer to an intent even while it is not explained yet.
fn in_secret(seen: &Seen, id: &str) -> bool {
    matches!(&seen.secret, SecretSeen::Ours(secret) if secret.intact && secret.id.as_deref() == Some(id))
}

/// Whether a mint of this intent may have made the key.
#[must_use]
pub fn in_window(intent: &Intent, key: &AccessKey) -> bool {
    key.create_time >= before(intent.time, CLOCK_TOLERANCE)
        && key.create_time <= after(intent.not_after, CLOCK_TOLERANCE)
}

/// When no mint of these intents can still be proved and published.
#[must_use]
pub fn window_end<'a>(intents: impl Iterator<Item = &'a Intent>) -> Option<Timestamp> {
    intents.map(|intent| after(intent.not_after, PUBLISH_BOUND)).max()
}

/// Once every window that may hold a suspect is over: refuse late publishers, and take the suspect as ours on its way out.
pub(super) fn next(seen: &Seen, journal: &Journal, now: Timestamp) -> Option<Step> {
    own_suspects(seen, journal).into_iter().find_map(|suspect| {
        let all = journal.intents.iter().chain(seen.siblings.iter().flat_map(|s| &s.intents));
        let end = window_end(all.filter(|intent| in_window(intent, suspect)))?;
        match seen.uses.get(&suspect.id) {
            _ if now <= end => None,
            None => Some(Step::LookAtUse(suspect.id.clone())),
            Some(_) => Some(adopt(seen, journal, suspect)),
        }
    })
}

fn adopt(seen: &Seen, journal: &Journal, suspect: &AccessKey) -> Step {
    let mut fence: Vec<String> = seen
        .siblings
        .iter()
        // What a RamRevocation has is published by nobody any more.
        .filter(|sibling| !sibling.order && sibling.intents.iter().any(|intent| in_window(intent, suspect)))
        .map(|sibling| sibling.name.clone())
        .collect();
    if journal.intents.iter().any(|intent| in_window(intent, suspect)) {
        fence.push(seen.name.clone());
    }
    Step::AdoptStray { id: suspect.id.clone(), fence }
}

/// When the own intents are over, with those of siblings that may hold the same suspects.
pub(super) fn due(seen: &Seen, journal: &Journal) -> Option<Timestamp> {
    let holding = own_suspects(seen, journal);
    let siblings = seen.siblings.iter().flat_map(|s| &s.intents);
    let theirs = siblings.filter(|intent| holding.iter().any(|key| in_window(intent, key)));
    let own = window_end(journal.intents.iter())?;
    Some(window_end(theirs).map_or(own, |other| own.max(other)))
}
