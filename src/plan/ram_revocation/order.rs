//! An order that an object left behind: disable, wait for windows, delete, and the user last.

use jiff::Timestamp;

use super::{Claim, Owner, Seen, Step, leaves_user, reason, wants_user};
use crate::api::Order;
use crate::plan::marker::Marker;
use crate::plan::mfa_device::{Away, away};
use crate::plan::ram_access_key::{Intent, Retiring, in_window, window_end};
use crate::plan::timing::{READ_LAG, SOON, STRAY_QUIET};
use crate::plan::{Reason, Verdict};
use crate::ram::AccessKey;

pub(super) fn next(seen: &Seen, order: &Order, now: Timestamp) -> Result<Step, Verdict> {
    if !seen.finalizer && !seen.deleting {
        return Ok(Step::AddFinalizer);
    }
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    if !account.has(order.account_id.as_ref()) {
        return Err(reason(Reason::WrongAccount).about("the order is for that one"));
    }
    let ram = seen.ram.as_ref().ok_or_else(|| reason(Reason::AccountNotReady))?;
    let ours = Marker::of(&account.owner_id, &order.user.namespace, &order.user.name, "");
    let marker = match &ram.user {
        Owner::Gone => return gone(seen, order, now),
        Owner::Marked(marker) if marker.same_object(&ours) => marker,
        // Our marker is off already, or was never on.
        Owner::Marked(_) | Owner::NotOurs if leaves_user(order) => return Ok(Step::Finish),
        // Nobody ever saw that the user was ours: somebody else had the name.
        Owner::Marked(_) | Owner::NotOurs if order.user.user_id.is_none() => return Ok(Step::Finish),
        Owner::Marked(_) | Owner::NotOurs => return Err(reason(Reason::UserNotOwned).about(&order.user.user_name)),
    };
    if leaves_user(order) {
        return unmark(seen, order, marker);
    }
    let intents: Vec<Intent> = order.intents.iter().map(Intent::read).collect();
    let user_goes = wants_user(order) && order.user.marker_uid.as_deref() == Some(&marker.uid) && !seen.live_user;
    if let Some(step) = keys(seen, order, &intents, user_goes, now) {
        return Ok(step);
    }
    // Disarmed before anything is waited for.
    let login = ram.login.as_ref().filter(|login| login.enabled != Some(false));
    if user_goes && login.is_some() && account.default_domain.is_some() {
        // RAM may ask for a password with it, which nobody knows: the log-on goes at once then.
        return Ok(if seen.disable_refused { Step::DeleteLogin } else { Step::DisableLogin });
    }
    windows(seen, &intents, now)?;
    if user_goes {
        return user(seen, order, now);
    }
    certain(seen, order, now)?;
    Ok(Step::Finish)
}

/// Lets a user that stays be nobody's. An object that took it back has written its own uid.
fn unmark(seen: &Seen, order: &Order, marker: &Marker) -> Result<Step, Verdict> {
    if order.user.marker_uid.as_deref() != Some(&marker.uid) {
        return Ok(Step::Finish);
    }
    // Whose the user is tells them that the keys are ours to take away.
    wait_for(seen)?;
    Ok(Step::Unmark)
}

/// RamAccessKeys and orders that still have keys to take away.
fn wait_for(seen: &Seen) -> Result<(), Verdict> {
    let going: Vec<&str> = seen.claims.iter().filter(|c| c.deleting).map(|claim| claim.name.as_str()).collect();
    if going.is_empty() {
        return Ok(());
    }
    Err(reason(Reason::WaitingForKeys).about(going.join(", ")).again_in(6 * SOON))
}

impl Seen {
    /// Until when what RAM shows says that nothing is there.
    fn sure_until(&self, now: Timestamp) -> Timestamp {
        self.listed.unwrap_or(now)
    }
}

/// A list read this soon after the order was given may lack a key that was young then.
fn certain(seen: &Seen, order: &Order, now: Timestamp) -> Result<(), Verdict> {
    let sure = seen.created.and_then(|time| time.saturating_add(READ_LAG).ok());
    let deleted = order.access_key_ids.iter().all(|id| seen.deleted.contains(id));
    let early = |sure: &Timestamp| seen.sure_until(now) <= *sure;
    match sure.filter(early).filter(|_| !deleted && !order.access_key_ids.is_empty()) {
        Some(sure) => Err(reason(Reason::Deleting).about("a second look is to confirm it").again_at(sure, now)),
        None => Ok(()),
    }
}

/// What was made this shortly before may not show yet.
fn gone(seen: &Seen, order: &Order, now: Timestamp) -> Result<Step, Verdict> {
    let asked = order.intents.iter().map(|intent| Intent::read(intent).time).max();
    match asked.and_then(|time| time.saturating_add(READ_LAG).ok()) {
        Some(sure) if seen.sure_until(now) <= sure => Err(reason(Reason::Deleting).again_at(sure, now)),
        // An MFA device outlives its user; that of an object which lives has the same name.
        _ => Ok(seen.mfa_ours.clone().filter(|_| !seen.live_user).map_or(Step::Finish, Step::DeleteMfaDevice)),
    }
}

/// A key that a RamAccessKey has which stays is not touched, unless the user itself goes: it is disabled then, and goes last.
fn claimed(seen: &Seen, id: &str) -> bool {
    seen.claims.iter().any(|claim| !claim.deleting && claim.ids.iter().any(|own| own == id))
}

/// A RamAccessKey that stays is told first whose work it is that its key is disabled.
fn disarm(seen: &Seen, id: &str) -> Step {
    let owner = seen.claims.iter().find(|claim| claim.ids.iter().any(|own| own == id));
    match owner {
        Some(claim) if !claim.deleting && !claim.disarmed => Step::Disarm(claim.name.clone()),
        _ => Step::Disable(id.to_owned()),
    }
}

fn keys(seen: &Seen, order: &Order, intents: &[Intent], user_goes: bool, now: Timestamp) -> Option<Step> {
    let free = |id: &&String| user_goes || !claimed(seen, id);
    let all = || order.access_key_ids.iter().chain(&order.disabled_ids).filter(free);
    if let Some(id) = all().find(|id| seen.is_active(id)) {
        return Some(disarm(seen, id));
    }
    if let Some(step) = strays(seen, order, intents, now) {
        return Some(step);
    }
    // While a user waits for its grace period its keys wait with it: an object that takes it back may have them.
    let waiting = user_goes && waits(order).is_some_and(|end| now < end);
    let going = || order.access_key_ids.iter().filter(|id| !claimed(seen, id) || (user_goes && !waiting));
    if let Some(id) = going().find(|id| seen.key(id).is_some()) {
        return Some(Step::Delete(id.clone()));
    }
    let purge = |id: &&String| order.purge_from_recycle_bin && !seen.purged.contains(*id);
    going().find(purge).map(|id| Step::Purge(id.clone()))
}

/// Keys in the window of an intent that nobody knew before, has or publishes.
fn suspects<'a>(seen: &'a Seen, order: &Order, intents: &[Intent]) -> Vec<&'a AccessKey> {
    let known = |id: &String| intents.iter().any(|intent| intent.known_ids.contains(id));
    let held = |id: &String| {
        order.access_key_ids.contains(id)
            || order.disabled_ids.contains(id)
            || seen.strays.iter().any(|stray| stray.id == *id)
            || seen.claims.iter().any(|claim| claim.ids.contains(id))
    };
    let keys = seen.ram.iter().flat_map(|ram| &ram.keys);
    let windowed = |key: &AccessKey| intents.iter().any(|intent| in_window(intent, key));
    keys.filter(|key| windowed(key) && !known(&key.id) && !held(&key.id)).collect()
}

fn strays(seen: &Seen, order: &Order, intents: &[Intent], now: Timestamp) -> Option<Step> {
    for suspect in suspects(seen, order, intents) {
        let others = seen.claims.iter().flat_map(|claim| &claim.intents);
        let end = window_end(intents.iter().chain(others).filter(|intent| in_window(intent, suspect)))?;
        if now > end {
            match seen.uses.get(&suspect.id) {
                None => return Some(Step::LookAtUse(suspect.id.clone())),
                Some(used) if used.time.is_some_and(|time| time > end) => {}
                Some(_) => return Some(Step::NoteStray(suspect.id.clone())),
            }
        }
    }
    seen.strays.iter().find_map(|stray| stray_step(seen, stray, now))
}

fn stray_step(seen: &Seen, stray: &Retiring, now: Timestamp) -> Option<Step> {
    let id = stray.id.clone();
    seen.key(&id)?;
    if seen.is_active(&id) {
        // Somebody enabled it: its quiet time begins anew, which is noted first.
        let again = stray.disabled_time.is_some();
        return Some(if again { Step::NoteStray(id) } else { Step::Disable(id) });
    }
    if stray.disabled_time.is_none_or(|time| now <= time.saturating_add(STRAY_QUIET).unwrap_or(Timestamp::MAX)) {
        return None;
    }
    match seen.uses.get(&id) {
        None => Some(Step::LookAtUse(id)),
        Some(used) if used.time.is_some_and(|time| time > stray.time) => None,
        Some(_) => Some(Step::Delete(id)),
    }
}

/// The strays as the facts of this pass make them.
#[must_use]
pub fn settled(seen: &Seen, now: Timestamp) -> Vec<Retiring> {
    let mut strays = seen.strays.clone();
    if seen.ram.is_some() {
        let used =
            |stray: &Retiring| seen.uses.get(&stray.id).and_then(|used| used.time).is_some_and(|t| t > stray.time);
        strays.retain(|stray| seen.key(&stray.id).is_some() && !used(stray));
        for stray in &mut strays {
            stray.disabled_time = if seen.is_active(&stray.id) { None } else { stray.disabled_time.or(Some(now)) };
        }
    }
    strays
}

/// What keeps the order open although no step is left.
fn windows(seen: &Seen, intents: &[Intent], now: Timestamp) -> Result<(), Verdict> {
    let end = window_end(intents.iter()).and_then(|end| end.saturating_add(READ_LAG).ok());
    if let Some(end) = end.filter(|end| seen.sure_until(now) <= *end) {
        return Err(reason(Reason::AwaitingWindow).again_at(end, now));
    }
    let open = settled(seen, now).into_iter().filter_map(|stray| stray.disabled_time).max();
    if let Some(end) = open.and_then(|time| time.saturating_add(STRAY_QUIET).ok()) {
        return Err(reason(Reason::Deleting).again_at(end, now).again_in(crate::plan::timing::LATER));
    }
    Ok(())
}

fn waits(order: &Order) -> Option<Timestamp> {
    order.user.not_before.as_deref().and_then(|text| text.parse().ok())
}

fn user(seen: &Seen, order: &Order, now: Timestamp) -> Result<Step, Verdict> {
    if let Some(end) = waits(order).filter(|end| now < *end) {
        return Err(reason(Reason::GracePeriod).about(format!("on {end}")).again_at(end, now));
    }
    let Some(ram) = &seen.ram else { return Err(reason(Reason::AccountNotReady)) };
    wait_for(seen)?;
    let open = window_end(seen.claims.iter().flat_map(|claim| &claim.intents));
    if let Some(end) = open.and_then(|end| end.saturating_add(READ_LAG).ok()).filter(|end| seen.sure_until(now) <= *end)
    {
        return Err(reason(Reason::AwaitingWindow).again_at(end, now));
    }
    let ours = |id: &str| {
        let has = |claim: &Claim| claim.ids.iter().any(|own| own == id) && !claim.strays.iter().any(|key| key.id == id);
        seen.claims.iter().any(has)
    };
    if let Some(key) = ram.keys.iter().find(|key| ours(&key.id)) {
        return Ok(if seen.is_active(&key.id) { Step::Disable(key.id.clone()) } else { Step::Delete(key.id.clone()) });
    }
    if !ram.keys.is_empty() {
        let foreign: Vec<&str> = ram.keys.iter().map(|key| key.id.as_str()).collect();
        return Err(reason(Reason::Blocked).about(format!("AccessKeys {}", foreign.join(", "))));
    }
    if ram.login.is_some() {
        return Ok(Step::DeleteLogin);
    }
    if let Some(policy) = ram.policies.first() {
        return Ok(Step::DetachPolicy(policy.clone()));
    }
    if let Some(group) = ram.groups.first() {
        return Ok(Step::LeaveGroup(group.clone()));
    }
    Ok(match away(ram.mfa.as_ref(), seen.mfa_loose.as_ref(), seen.mfa_ours.as_ref()) {
        Some(Away::Unbind) => Step::UnbindMfa,
        Some(Away::Delete(serial)) => Step::DeleteMfaDevice(serial),
        None => Step::DeleteUser,
    })
}
