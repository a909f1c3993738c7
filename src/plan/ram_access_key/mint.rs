//! Whether a key may be made, or an existing one adopted, and which one gives way when both slots are taken.

use jiff::Timestamp;

use super::{Journal, Seen, Step, UserSeen, adopt, before, reason, rights, strays};
use crate::api::{KeyState, Why};
use crate::plan::timing::{KEYS_PER_USER, LATER, MAX_INTENTS, USE_LAG};
use crate::plan::{Reason, Verdict};
use crate::ram::KeyStatus;

pub(super) fn next(seen: &Seen, journal: &Journal, now: Timestamp) -> Result<Step, Verdict> {
    if seen.spec.state == KeyState::Inactive {
        return no_key_while_inactive(seen, journal);
    }
    granted(seen, journal)?;
    if let Some(from) = adopt::wanted(seen, journal) {
        return adopt::next(seen, from, now);
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    if journal.intents.len() >= MAX_INTENTS {
        return Err(full(Reason::IntentsFull, seen, journal, now));
    }
    let lost = journal.access_key_id.clone().filter(|id| seen.key(id).is_some());
    let step = if seen.keys().len() >= KEYS_PER_USER {
        make_room(seen, journal, lost.as_deref(), now)?
    } else {
        Step::Mint { replaces: lost }
    };
    // No room is made for a key that may not be.
    match step {
        look @ Step::LookAtUse(_) => Ok(look),
        step => Ok(rights::judged(seen)?.unwrap_or(step)),
    }
}

/// What has to hold before this object gets a key, made or adopted.
fn granted(seen: &Seen, journal: &Journal) -> Result<(), Verdict> {
    seen.granted()?;
    if journal.access_key_id.is_none() {
        seen.account.as_ref().map_err(Clone::clone)?.open()?;
    }
    // The first key waits until the user has its rights; a replacement does not.
    if journal.access_key_id.is_none() && !matches!(seen.user, UserSeen::Made { ready: true, .. }) {
        return Err(reason(Reason::UserNotReady).about(&seen.spec.user_ref.name));
    }
    if journal.access_key_id.is_none()
        && let Some(sibling) = rival(seen)
    {
        return Err(reason(Reason::NoSlotForRotation).about(format!("{sibling} has the user already")));
    }
    if wants_principal_name(seen) && seen.account.as_ref().is_ok_and(|account| account.default_domain.is_none()) {
        return Err(reason(Reason::PrincipalNameUnknown).again_in(LATER));
    }
    Ok(())
}

fn no_key_while_inactive(seen: &Seen, journal: &Journal) -> Result<Step, Verdict> {
    match journal.ids().find(|id| seen.is(id, KeyStatus::Active)) {
        Some(_) if journal.state != Some(KeyState::Inactive) => Ok(Step::RecordState(KeyState::Inactive)),
        Some(id) => Ok(Step::Disable(id.to_owned())),
        None => Err(reason(Reason::Inactive)),
    }
}

/// With an interval a RamAccessKey needs both slots of its user: the one that has a key already keeps them.
fn rival(seen: &Seen) -> Option<&str> {
    let own = seen.spec.rotation.interval.is_some();
    let holds = |sibling: &&super::Sibling| !sibling.order && (!sibling.ids.is_empty() || !sibling.intents.is_empty());
    let rival = seen.siblings.iter().filter(holds).find(|sibling| own || sibling.interval)?;
    Some(&rival.name)
}

fn wants_principal_name(seen: &Seen) -> bool {
    let mut templates = seen.spec.secret.data.iter().flat_map(|data| data.values());
    templates.any(|template| template.0.contains("$(userPrincipalName)"))
}

/// Cuts short, in this order: the quarantine of a disabled key of ours, the overlap of a replaced one without recent use,
/// the lost key itself once it shows no use for as long. Never a foreign key.
fn make_room(seen: &Seen, journal: &Journal, lost: Option<&str>, now: Timestamp) -> Result<Step, Verdict> {
    let on_their_way = || journal.retiring.iter();
    // What is revoked works for nobody: it is the first to go.
    if let Some(id) = lost.filter(|id| journal.is_revoked(id) && seen.is(id, KeyStatus::Inactive)) {
        return Ok(Step::Delete(id.to_owned()));
    }
    // A stray is a key of ours only after its quiet time, when it goes by itself: a person may have made it.
    let quarantined = |key: &&super::Retiring| key.why != Why::Stray && seen.is(&key.id, KeyStatus::Inactive);
    if let Some(key) = on_their_way().find(quarantined) {
        return Ok(Step::Delete(key.id.clone()));
    }
    let unwanted = on_their_way().filter(|key| key.why == Why::Replaced).map(|key| key.id.as_str());
    for id in unwanted.chain(lost) {
        match seen.uses.get(id) {
            None => return Ok(Step::LookAtUse(id.to_owned())),
            // Reports lag: of a key that was made since then, no use is no sign.
            Some(used) if used.time.max(seen.key(id).map(|key| key.create_time)) > Some(quiet_since(seen, now)) => {}
            Some(_) if seen.is(id, KeyStatus::Active) => return Ok(Step::Disable(id.to_owned())),
            Some(_) => return Ok(Step::Delete(id.to_owned())),
        }
    }
    Err(full(Reason::NoFreeSlot, seen, journal, now))
}

/// A key without use since this moment, as far as RAM reports, is not in use.
pub(super) fn quiet_since(seen: &Seen, now: Timestamp) -> Timestamp {
    before(now, seen.pace().overlap + USE_LAG)
}

/// A key of the user and whose it is.
pub(super) fn role(seen: &Seen, journal: &Journal, id: &str) -> String {
    if let Some(key) = journal.retiring.iter().find(|key| key.id == id) {
        let when = key.next_time.map(|time| format!(" until {time} at least")).unwrap_or_default();
        return format!("{id} (ours, on its way out{when})");
    }
    if journal.access_key_id.as_deref() == Some(id) {
        return format!("{id} (ours, published last)");
    }
    match seen.siblings.iter().find(|sibling| sibling.ids.iter().any(|own| own == id)) {
        Some(sibling) if sibling.order => format!("{id} (being revoked by {})", sibling.name),
        Some(sibling) => format!("{id} (of RamAccessKey {})", sibling.name),
        None => format!("{id} (foreign)"),
    }
}

fn full(why: Reason, seen: &Seen, journal: &Journal, now: Timestamp) -> Verdict {
    let keys: Vec<String> = seen.keys().iter().map(|key| role(seen, journal, &key.id)).collect();
    let verdict = reason(why).about(format!("the user has {}", keys.join(", "))).again_in(LATER);
    match strays::due(seen, journal) {
        Some(time) => verdict.again_at(time, now),
        None => verdict,
    }
}
