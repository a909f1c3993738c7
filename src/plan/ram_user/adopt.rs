//! Taking over a user that nobody owns. What it has by hand must be what the tenant allows: who gets its keys gets that too.

use super::super::adoption::{exceeding, exceeds, rights};
use super::super::attachments::{self, Reference, resolved, unwanted};
use super::super::document::Document;
use super::super::tenant::{Grants, Thing};
use super::super::{Reason, Verdict, unpaused};
use super::live::{asked, changes, wish};
use super::{InRam, Ownership, Seen, Step, groups, whose};
use crate::api::{Attachments, LoginState, MfaState};
use crate::plan::marker::Marker;
use crate::ram::{PolicyRef, User};

/// What to do next about a user without a marker.
pub(super) fn next(seen: &Seen, ram: &InRam, user: &User, marker: &Marker) -> Result<Step, Verdict> {
    unpaused(seen.paused)?;
    seen.account.as_ref().map_err(Clone::clone)?.open()?;
    if seen.memory.adoption.accepted.is_some() && !seen.memory.adoption.adopted() {
        // What was accepted was another user, that is gone: of this one nobody said so.
        return Err(Verdict::new(Reason::Foreign).about(&user.user_name));
    }
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.adopts(Thing::User, seen.spec.user_name.as_deref())?;
    grants.limit()?;
    asked(seen, grants)?;
    if let Some(step) = within(seen, ram, grants, true)? {
        return Ok(step);
    }
    let changes = changes(seen, user, marker, true)?;
    // Noted first: afterwards its marker looks like that of a user that was made here.
    if !seen.memory.adoption.adopted() {
        return Ok(Step::RecordAdoption);
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    changes.map(Step::UpdateUser).ok_or_else(|| Verdict::new(Reason::Unsettled))
}

/// Whether an adopted user still has no more than the tenant allows. Where there is no tenant, nothing is granted anyway.
pub(super) fn still_within(seen: &Seen, ram: &InRam) -> Result<Option<Step>, Verdict> {
    match &seen.tenant {
        Ok(grants) if seen.memory.adoption.adopted() => within(seen, ram, grants, false),
        _ => Ok(None),
    }
}

/// What is to be remembered of the rights that an adopted user has: they were judged, all of them, and are within the tenant's grant. A key is
/// made only while the user has just these. What was not judged to its end leaves what was known `before`.
#[must_use]
pub fn judged(seen: &Seen, before: Option<String>) -> Option<String> {
    let (Some(ram), Ok(grants), true) = (&seen.ram, &seen.tenant, seen.memory.adoption.adopted()) else { return None };
    match within(seen, ram, grants, true) {
        Ok(None) => Some(rights(&ram.policies, &ram.groups)),
        Ok(Some(_)) => before,
        Err(_) => None,
    }
}

/// Judges what the user has: all of it, or what stays.
fn within(seen: &Seen, ram: &InRam, grants: &Grants, all: bool) -> Result<Option<Step>, Verdict> {
    let exclusive = seen.spec.attachments == Attachments::Exclusive && !seen.memory.adoption.holds();
    let goes = |managed: bool| !all && exclusive && managed;
    let extra = if goes(seen.spec.policies.is_some()) { besides(seen, ram)? } else { Vec::new() };
    let policies: Vec<PolicyRef> = attachments::besides(&extra, &ram.policies).cloned().collect();
    if let Some(policy) = exceeding(grants, &policies, &seen.documents)? {
        return Ok(Some(Step::LookAtPolicy(policy)));
    }
    let left = if goes(seen.spec.groups.is_some()) { groups::unwanted(seen, ram) } else { Vec::new() };
    let of_the_namespace = |group: &str| {
        let mut references = seen.group_references.values();
        references.any(|found| matches!(found, Reference::Named(name) if name.eq_ignore_ascii_case(group)))
    };
    for group in ram.groups.iter().filter(|group| !left.contains(group)) {
        if !of_the_namespace(group) && grants.group(group).is_err() {
            return Err(exceeds(format!("group {group}")));
        }
        let look = groups::contents(seen, grants, group).map_err(|refused| match refused.reason {
            Reason::GroupExceedsTenant => exceeds(refused.detail.unwrap_or_default()),
            _ => refused,
        })?;
        if look.is_some() {
            return Ok(look);
        }
    }
    Ok(None)
}

/// Policies that the spec does not name.
fn besides(seen: &Seen, ram: &InRam) -> Result<Vec<PolicyRef>, Verdict> {
    let wanted = resolved(seen.spec.policies.as_deref().unwrap_or_default(), &seen.references)?;
    Ok(attachments::besides(&wanted, &ram.policies).cloned().collect())
}

/// What is taken away although the user has too much: that waits for no tenant.
pub(super) fn removal(seen: &Seen, ram: &InRam) -> Option<Step> {
    let exclusive = seen.spec.attachments == Attachments::Exclusive && !seen.memory.adoption.holds() && !seen.paused;
    if !exclusive {
        return None;
    }
    let extra = seen.spec.policies.as_ref().and_then(|_| besides(seen, ram).ok()).unwrap_or_default();
    for policy in extra {
        match seen.documents.get(&policy) {
            None => return Some(Step::LookAtPolicy(policy)),
            Some(document) if document.as_ref().is_some_and(Document::only_denies) => {}
            Some(_) => return Some(Step::DetachPolicy(policy)),
        }
    }
    groups::unwanted(seen, ram).first().map(|group| Step::LeaveGroup((*group).clone()))
}

/// Whether a step waits until the adoption is accepted: what it takes away cannot be had back.
pub(super) fn waits(seen: &Seen, step: &Step) -> bool {
    seen.memory.adoption.holds() && matches!(step, Step::DeleteLogin | Step::RecordLogin(LoginState::Absent))
}

/// What would be taken from an adopted user, and waits until that is accepted.
#[must_use]
pub fn pending(seen: &Seen) -> Vec<String> {
    let (Some(ram), Some(marker), true) = (&seen.ram, &seen.marker, seen.memory.adoption.holds()) else {
        return Vec::new();
    };
    let ours = |user: &User| !matches!(whose(seen, marker, user), Ownership::Not(_));
    if !ram.user.as_ref().is_some_and(ours) {
        return Vec::new();
    }
    let policies = wish(seen, ram).map(|wish| unwanted(&wish)).unwrap_or_default();
    let mut all: Vec<String> = policies.iter().map(|policy| format!("policy {policy}")).collect();
    all.extend(groups::unwanted(seen, ram).iter().map(|group| format!("group {group}")));
    let absent = seen.spec.console_login.as_ref().is_some_and(|login| login.state == LoginState::Absent);
    // One that RAM does not disable can only be deleted, which waits here.
    if (absent || seen.disable_refused) && ram.login.is_some() {
        all.push("log-on to the console".to_owned());
    }
    let absent = seen.spec.virtual_mfa.as_ref().is_some_and(|mfa| mfa.state == MfaState::Absent);
    if absent && ram.mfa.is_some() {
        all.push("the MFA device".to_owned());
    }
    all
}
