//! The groups that a user is in: joining one is a grant of all that it holds.

use super::super::attachments::named;
use super::super::tenant::Grants;
use super::super::{Reason, Verdict, unpaused};
use super::live::granted;
use super::{InRam, Seen, Step, login};
use crate::api::{Attachments, GroupKind, GroupMembership};

/// What to do next about the groups; `drift` is what is reported besides.
pub(super) fn next(seen: &Seen, ram: &InRam, mut drift: Vec<String>) -> Result<Step, Verdict> {
    let Some(wanted) = &seen.spec.groups else { return login::next(seen, ram, &drift) };
    let resolved: Result<Vec<String>, Verdict> = wanted.iter().map(|group| resolve(seen, group)).collect();
    // What is too much stays until it is known what there is to be.
    let names = resolved?;
    let is_in = |name: &String| ram.groups.iter().any(|has| has.eq_ignore_ascii_case(name));
    let missing: Vec<&String> = names.iter().filter(|name| !is_in(name)).collect();
    if !missing.is_empty() {
        unpaused(seen.paused)?;
        let grants = granted(seen)?;
        allowed(seen, grants)?;
        // All of them are asked for before the first is joined: nothing is left half done.
        for name in &missing {
            if let Some(step) = contents(seen, grants, name)? {
                return Ok(step);
            }
        }
    }
    match missing.first() {
        // At the quota an unwanted group has to go first.
        Some(first) if !seen.groups_full => return Ok(Step::JoinGroup((*first).clone())),
        _ => {}
    }
    let extra: Vec<&String> =
        ram.groups.iter().filter(|has| !names.iter().any(|name| name.eq_ignore_ascii_case(has))).collect();
    match (seen.spec.attachments, extra.first()) {
        // Listed in AdoptionPending until that is accepted.
        (Attachments::Exclusive, Some(_)) if seen.memory.adoption.holds() => {}
        (Attachments::Exclusive, Some(group)) => {
            unpaused(seen.paused)?;
            return Ok(Step::LeaveGroup((*group).clone()));
        }
        (Attachments::Report, Some(_)) => {
            let extra: Vec<&str> = extra.iter().map(|group| group.as_str()).collect();
            drift.push(format!("groups that somebody else put the user in: {}", extra.join(", ")));
        }
        _ => {}
    }
    match missing.first() {
        Some(first) => {
            Err(Verdict::new(Reason::QuotaReached).about(format!("RAM answered LimitExceeded.User.Group for {first}")))
        }
        None => login::next(seen, ram, &drift),
    }
}

/// Refuses groups of the account that the tenant does not list.
pub(super) fn allowed(seen: &Seen, grants: &Grants) -> Result<(), Verdict> {
    let mut groups = seen.spec.groups.iter().flatten().filter(|group| group.kind == GroupKind::Ram);
    groups.try_for_each(|group| grants.group(&group.name))
}

/// Whether all that the user would get by joining may be had, before it is made. What is not there yet is waited for afterwards.
pub(super) fn judged(seen: &Seen, grants: &Grants) -> Result<Option<Step>, Verdict> {
    for name in seen.spec.groups.iter().flatten().filter_map(|group| resolve(seen, group).ok()) {
        match contents(seen, grants, &name) {
            Ok(None) => {}
            Err(refused) if refused.reason == Reason::GroupNotFound => {}
            other => return other,
        }
    }
    Ok(None)
}

/// Groups that `Exclusive` makes the user leave.
pub(super) fn unwanted<'a>(seen: &Seen, ram: &'a InRam) -> Vec<&'a String> {
    let wanted = seen.spec.groups.iter().flatten().map(|group| resolve(seen, group));
    let names: Result<Vec<String>, Verdict> = wanted.collect();
    let (Ok(names), Attachments::Exclusive, true) = (names, seen.spec.attachments, seen.spec.groups.is_some()) else {
        return Vec::new();
    };
    ram.groups.iter().filter(|has| !names.iter().any(|name| name.eq_ignore_ascii_case(has))).collect()
}

fn resolve(seen: &Seen, group: &GroupMembership) -> Result<String, Verdict> {
    match group.kind {
        GroupKind::Ram => Ok(group.name.clone()),
        GroupKind::RamGroup => named(&group.name, &seen.group_references)
            .map(str::to_owned)
            .ok_or_else(|| Verdict::new(Reason::GroupNotReady).about(&group.name)),
    }
}

/// Whether all that a group holds may be had: by name, or by what it says.
pub(super) fn contents(seen: &Seen, grants: &Grants, name: &str) -> Result<Option<Step>, Verdict> {
    let policies = match seen.contents.get(name) {
        None => return Ok(Some(Step::LookAtGroup(name.to_owned()))),
        Some(None) => return Err(Verdict::new(Reason::GroupNotFound).about(name)),
        Some(Some(policies)) => policies,
    };
    for policy in policies.iter().filter(|policy| !grants.lists(policy)) {
        match seen.documents.get(policy) {
            None => return Ok(Some(Step::LookAtPolicy(policy.clone()))),
            Some(document) if grants.harmless(document.as_ref(), policy) => {}
            Some(_) => {
                return Err(Verdict::new(Reason::GroupExceedsTenant).about(format!("{name} has {policy}")));
            }
        }
    }
    Ok(None)
}
