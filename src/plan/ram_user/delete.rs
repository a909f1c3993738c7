//! A RamUser that is being deleted: disarm first, then take away in the order RAM asks for.

use jiff::Timestamp;

use super::super::timing::{LATER, READ_LAG, SOON, after};
use super::super::{Reason, Verdict};
use super::{InRam, KeyObject, Ownership, Seen, Step, first_active, login, mfa, whose};
use crate::plan::marker::Marker;
use crate::plan::ownership::surely_gone;
use crate::ram::{User, UserChanges};

pub(super) fn next(seen: &Seen, now: Timestamp) -> Result<Step, Verdict> {
    if !seen.finalizer {
        return Err(Verdict::new(Reason::Deleting));
    }
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let Some(user) = &ram.user else {
        let step = gone(seen, ram, now)?;
        // A device outlives its user.
        return Ok(mfa::left_over(seen).unwrap_or(step));
    };
    match whose(seen, marker, user) {
        Ownership::Ours | Ownership::MarkerMissing => {}
        // The user we made is gone, or has been taken by somebody else: there is nothing of ours to take away.
        Ownership::Not(_) => return gone(seen, ram, now),
    }
    if seen.memory.adoption.stays(seen.spec.deletion_policy, seen.tenant.as_ref().ok()) {
        release(seen, user)
    } else {
        delete(seen, ram, now)
    }
}

/// Without a remembered time, the finalizer says that it may have been made.
fn gone(seen: &Seen, ram: &InRam, now: Timestamp) -> Result<Step, Verdict> {
    if let Some(name) = &ram.renamed_to {
        return Err(Verdict::new(Reason::UserRenamed).about(format!("it is called {name} now")));
    }
    let made = seen.memory.create_time.or(if ram.user.is_none() { seen.deletion_time } else { None });
    surely_gone(made, seen.witnessed, now)?;
    Ok(Step::RemoveFinalizer)
}

fn release(seen: &Seen, user: &User) -> Result<Step, Verdict> {
    wait_for_keys(seen)?;
    let (text, marker) = Marker::parse(&user.comments);
    match marker {
        Some(_) => Ok(Step::UpdateUser(UserChanges { comments: Some(text.to_owned()), ..UserChanges::default() })),
        None => Ok(Step::RemoveFinalizer),
    }
}

fn delete(seen: &Seen, ram: &InRam, now: Timestamp) -> Result<Step, Verdict> {
    let ours = |id: &str| seen.key_is_ours(id);
    if let Some(key) = first_active(&ram.keys, ours) {
        return Ok(disarm(seen, &key.id));
    }
    if ram.login.as_ref().is_some_and(|profile| profile.enabled != Some(false)) && named(seen) {
        return Ok(login::off(seen));
    }
    if let Some(end) = grace_ends(seen).filter(|end| now < *end) {
        return Ok(Step::HandOver(end));
    }
    wait_for_keys(seen)?;
    let open = seen.key_objects.iter().filter_map(KeyObject::open_until).max();
    if let Some(end) = open.map(|until| after(until, READ_LAG)).filter(|end| now <= *end) {
        return Err(Verdict::new(Reason::AwaitingWindow).again_at(end, now));
    }
    if let Some(stray) = ram.keys.iter().find(|key| seen.is_stray(&key.id)) {
        let what =
            format!("AccessKey {} of a mint without an answer goes when it is clear that nobody uses it", stray.id);
        return Err(Verdict::new(Reason::Deleting).about(what).again_in(LATER));
    }
    let foreign: Vec<&str> = ram.keys.iter().map(|key| key.id.as_str()).filter(|id| !ours(id)).collect();
    if !foreign.is_empty() {
        return Err(Verdict::new(Reason::Blocked).about(format!("AccessKeys {}", foreign.join(", "))));
    }
    if let Some(key) = ram.keys.first() {
        return Ok(Step::DeleteKey(key.id.clone()));
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
    // Last: as long as something may keep the user in RAM, it keeps its second factor.
    Ok(mfa::leave(seen, ram).unwrap_or(Step::DeleteUser))
}

/// Whether IMS can be told whose log-on it is about.
fn named(seen: &Seen) -> bool {
    seen.account.as_ref().is_ok_and(|account| account.default_domain.is_some())
}

/// A RamAccessKey that stays is told first whose work it is that its key is disabled.
fn disarm(seen: &Seen, id: &str) -> Step {
    let owner = seen.key_objects.iter().find(|object| object.ids.iter().any(|known| known == id));
    match owner {
        Some(object) if !object.deleting && !object.disarmed => Step::Disarm(object.name.clone()),
        _ => Step::DisableKey(id.to_owned()),
    }
}

/// When the user may be deleted, if that is not at once.
#[must_use]
pub fn grace_ends(seen: &Seen) -> Option<Timestamp> {
    let grace = seen.spec.deletion_grace_period.duration().filter(|grace| !grace.is_zero())?;
    let end = seen.deletion_time?.saturating_add(grace).ok()?;
    Timestamp::from_second(end.as_second()).ok()
}

fn wait_for_keys(seen: &Seen) -> Result<(), Verdict> {
    let names: Vec<&str> = seen.key_objects.iter().filter(|o| o.deleting).map(|o| o.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Verdict::new(Reason::WaitingForKeys).about(names.join(", ")).again_in(SOON))
}
