//! A RamAccessKey that is wanted.

use jiff::Timestamp;

use super::rotate::{self, Rotation};
use super::standing::{Standing, standing};
use super::{
    Journal, Ownership, Rights, SecretSeen, Seen, Stage, Step, UserSeen, adopt, mint, reason, restart, retire, sources,
    strays,
};
use crate::api::{KeyState, Why};
use crate::plan::timing::{LATER, READ_LAG, SOON};
use crate::plan::{Reason, Verdict};
use crate::ram::{KeyStatus, Proof};

pub(super) fn next(seen: &Seen, journal: &Journal, now: Timestamp) -> Result<Step, Verdict> {
    usable(seen)?;
    if !seen.finalizer && journal.ids().next().is_some() {
        return Ok(Step::AddFinalizer);
    }
    if accepted(journal) != accepted(&seen.journal) || enabled_again(seen, journal) {
        return Ok(Step::Record);
    }
    if let Some(step) = retire::revoked(seen, journal) {
        return Ok(step);
    }
    let standing = standing(seen, now);
    // An unexplained pair is asked about before any stray is judged: it may be one.
    if let Standing::Unexplained(id) = standing {
        return Ok(Step::Prove(id));
    }
    if let Some(step) = strays::next(seen, journal, now).or_else(|| retire::unwanted(seen, journal, now)) {
        return Ok(step);
    }
    if disarmed(seen) {
        return disarm(seen, journal);
    }
    if matches!(seen.user, UserSeen::Made { deleting: true, .. }) {
        return Err(reason(Reason::UserDeleted).about(&seen.spec.user_ref.name));
    }
    let id = match standing {
        Standing::Published(id) => id,
        Standing::Missing(id) => return Err(reason(Reason::KeyMissing).about(id).again_in(READ_LAG)),
        Standing::Foreign if adopt::in_place(seen, journal, secret_name(seen)) => {
            return mint::next(seen, journal, now);
        }
        Standing::Foreign => return Err(reason(Reason::SecretConflict).about(secret_name(seen)).again_in(6 * SOON)),
        Standing::OtherAccount => return Err(reason(Reason::WrongAccount).about("the Secret was published there")),
        Standing::Unexplained(id) => return Ok(Step::Prove(id)),
        Standing::Lost => return mint::next(seen, journal, now),
    };
    if let Some(step) = state(seen, journal, &id, now)? {
        return Ok(step);
    }
    if let Some(step) = proof(seen, journal, &id)? {
        return Ok(step);
    }
    if let Rotation::Begin(step) = rotate::next(seen, journal, &id, now) {
        return Ok(step);
    }
    if let Some(step) = republish(seen)? {
        return Ok(step);
    }
    if let Some(step) = sources::next(seen, journal, &id, now)? {
        return Ok(step);
    }
    if let Some(step) = restart::next(seen, journal, &id).or_else(|| retire::next(seen, journal, now)) {
        return Ok(step);
    }
    Err(rest(seen, journal, now))
}

/// What of the requests has to be in the status before anything is done about them.
fn accepted(journal: &Journal) -> [Option<&String>; 3] {
    let all = &journal.requests;
    [all.rotate.accepted.as_ref(), all.revoke.accepted.as_ref(), all.restore.accepted.as_ref()]
}

/// A key in quarantine, or a stray in its quiet time, that somebody enabled: what it has to wait is a whole wait again.
pub(super) fn enabled_again(seen: &Seen, journal: &Journal) -> bool {
    let noted = |id: &str| seen.journal.retiring.iter().any(|key| key.id == id && key.disabled_time.is_some());
    let mut waiting = journal.retiring.iter().filter(|key| key.why != Why::Revoked && key.disabled_time.is_none());
    waiting.any(|key| noted(&key.id) && seen.is(&key.id, KeyStatus::Active))
}

/// Whether the user is to have no key in use.
fn disarmed(seen: &Seen) -> bool {
    matches!(seen.user, UserSeen::Made { deleting, suspended, stays, .. } if suspended || (deleting && !stays))
}

/// As `state: Inactive`, noted in the same way: what was disabled here is enabled when the user is back.
fn disarm(seen: &Seen, journal: &Journal) -> Result<Step, Verdict> {
    let suspended = matches!(seen.user, UserSeen::Made { deleting: false, .. });
    let why = if suspended { Reason::UserSuspended } else { Reason::UserDeleted };
    // What somebody else disabled before stays so afterwards: then there is nothing to note.
    let armed = journal.ids().any(|id| seen.is(id, KeyStatus::Active));
    match inactive(seen, journal) {
        Ok(Some(step)) if armed => Ok(step),
        _ => Err(reason(why).about(&seen.spec.user_ref.name)),
    }
}

/// What has to hold before anything of the key can be judged.
fn usable(seen: &Seen) -> Result<(), Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    if !account.has(seen.journal.account_id.as_ref()) {
        return Err(reason(Reason::WrongAccount).about("the key was made there"));
    }
    match &seen.user {
        UserSeen::Missing => return Err(reason(Reason::UserNotFound).about(&seen.spec.user_ref.name)),
        UserSeen::Unmade if unmanaged(seen) => return seen.grant.clone(),
        UserSeen::Unmade => return Err(reason(Reason::UserNotReady).about(&seen.spec.user_ref.name)),
        UserSeen::Made { .. } => {}
    }
    match seen.ram.as_ref().map(|ram| ram.user) {
        Some(Ownership::Ours) => Ok(()),
        Some(Ownership::NotOurs) => Err(reason(Reason::UserNotOwned)),
        Some(Ownership::Gone) if matches!(seen.user, UserSeen::Made { deleting: true, .. }) => {
            Err(reason(Reason::UserDeleted).about(&seen.spec.user_ref.name))
        }
        // What was made this moment may not show yet.
        Some(Ownership::Gone) | None => {
            Err(reason(Reason::UserNotReady).about(&seen.spec.user_ref.name).again_in(SOON))
        }
    }
}

/// Whether the RamUser does not manage its user, so that it never makes one.
fn unmanaged(seen: &Seen) -> bool {
    seen.grant.as_ref().is_err_and(|refused| refused.reason == Reason::UserNotManaged)
}

fn secret_name(seen: &Seen) -> &str {
    seen.spec.secret.name.as_deref().unwrap_or(&seen.name)
}

/// Carries out `spec.state`. A key is enabled only if we disabled it.
fn state(seen: &Seen, journal: &Journal, id: &str, now: Timestamp) -> Stage {
    if seen.spec.state == KeyState::Inactive {
        return inactive(seen, journal);
    }
    let disabled = seen.is(id, KeyStatus::Inactive);
    match journal.state {
        Some(KeyState::Inactive) if seen.paused => Err(reason(Reason::Paused)),
        Some(KeyState::Inactive) => Ok(Some(rearm(seen, journal, id))),
        _ if disabled && seen.to_restore(journal, id) => Ok(Some(Step::Enable(id.to_owned()))),
        // Somebody asked for another pair: that is the way out.
        _ if disabled && journal.requests.rotate.open() == Some(id) => match rotate::next(seen, journal, id, now) {
            Rotation::Begin(step) => Ok(Some(step)),
            _ => Err(reason(Reason::DisabledOutside).about(id)),
        },
        _ if disabled => Err(reason(Reason::DisabledOutside).about(id)),
        _ => Ok(None),
    }
}

/// Enables what was disabled with the object: the published key, and an old one whose overlap was not over. Asked of RAM even where
/// the list shows a key as active, since the list may be from before it was disabled.
fn rearm(seen: &Seen, journal: &Journal, id: &str) -> Step {
    let disarmed = journal.retiring.iter().filter(|key| key.disarmed).map(|key| key.id.as_str());
    let there = |id: &&str| seen.key(id).is_some() && !seen.enabled.contains(*id);
    match std::iter::once(id).chain(disarmed).find(there) {
        Some(id) => Step::Enable(id.to_owned()),
        None => Step::RecordState(KeyState::Active),
    }
}

/// Noted first, then done: after a crash in between nobody takes our own work for somebody else's.
fn inactive(seen: &Seen, journal: &Journal) -> Stage {
    if journal.state != Some(KeyState::Inactive) {
        return Ok(Some(Step::RecordState(KeyState::Inactive)));
    }
    match journal.ids().find(|id| seen.is(id, KeyStatus::Active)) {
        Some(id) => Ok(Some(Step::Disable(id.to_owned()))),
        None => Err(reason(Reason::Inactive)),
    }
}

fn republish(seen: &Seen) -> Stage {
    match &seen.secret {
        SecretSeen::Ours(secret) if !secret.up_to_date && seen.paused => Err(reason(Reason::Paused)),
        SecretSeen::Ours(secret) if !secret.up_to_date => Ok(Some(Step::Republish)),
        _ => Ok(None),
    }
}

/// Nothing is retired before the published pair is proved.
fn proof(seen: &Seen, journal: &Journal, id: &str) -> Stage {
    if journal.proved_time.is_some() {
        return Ok(None);
    }
    match seen.proofs.get(id) {
        None => Ok(Some(Step::Prove(id.to_owned()))),
        Some(Proof::Authentic { .. }) => Ok(None),
        Some(Proof::Inactive | Proof::NotYet) => Err(reason(Reason::Unproven).about(id).again_in(3 * SOON)),
    }
}

fn rest(seen: &Seen, journal: &Journal, now: Timestamp) -> Verdict {
    let mut verdict = match &seen.grant {
        Ok(()) if rotate::overdue(seen, journal, now) => reason(Reason::TooOld).again_in(LATER),
        Ok(()) => reason(Reason::Available),
        Err(refused) => refused.clone().again_in(LATER),
    };
    // A workload that comes, or a right that is given, tells nobody.
    if !restart::failures(seen, journal).is_empty() {
        verdict = verdict.again_in(LATER);
    }
    // A rotation waits for the RamUser, which may have nothing new to tell.
    if seen.rights == Rights::Changed {
        verdict = verdict.again_in(READ_LAG);
    }
    let times = [retire::recheck(journal, now), strays::due(seen, journal), rotate::recheck(journal, now)];
    for time in times.into_iter().flatten() {
        verdict = verdict.again_at(time, now);
    }
    verdict
}
