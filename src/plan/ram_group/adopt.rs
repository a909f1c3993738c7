//! Taking over a group that nobody owns.

use super::super::adoption::{exceeding, marked};
use super::super::attachments::{resolve, unwanted};
use super::super::marker::{COMMENTS_LIMIT, Marker};
use super::super::tenant::Thing;
use super::super::{Verdict, unpaused};
use super::{InRam, Ownership, Seen, Step, whose, wish};
use crate::api::Attachments;
use crate::ram::{Group, PolicyRef};

/// What to do next about a group without a marker. Who joins it gets all that it holds, so that this must be what the tenant allows.
pub(super) fn next(seen: &Seen, ram: &InRam, group: &Group, marker: &Marker) -> Result<Step, Verdict> {
    unpaused(seen.paused)?;
    seen.account.as_ref().map_err(Clone::clone)?.open()?;
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.adopts(Thing::Group, seen.spec.group_name.as_deref())?;
    grants.limit()?;
    grants.policies(seen.spec.policies.iter().flatten())?;
    if let Some(policy) = exceeding(grants, &ram.policies, &seen.documents)? {
        return Ok(Step::LookAtPolicy(policy));
    }
    let comments = comments(seen, group, marker, true)?;
    // Noted first: afterwards its marker looks like that of a group that was made here.
    if !seen.memory.adoption.adopted() {
        return Ok(Step::RecordAdoption);
    }
    Ok(if seen.finalizer { Step::Comment(comments) } else { Step::AddFinalizer })
}

/// Whether an adopted group still has no more than the tenant allows, but for what goes.
pub(super) fn still_within(seen: &Seen, ram: &InRam) -> Result<Option<Step>, Verdict> {
    let adoption = seen.memory.adoption;
    let exclusive = seen.spec.policies.is_some() && seen.spec.attachments == Attachments::Exclusive;
    match &seen.tenant {
        Ok(grants) if adoption.adopted() => {
            let wanted: Vec<PolicyRef> =
                seen.spec.policies.iter().flatten().filter_map(|p| resolve(p, &seen.references).ok()).collect();
            let goes = exclusive && !adoption.holds();
            let stays = |has: &&PolicyRef| !goes || wanted.iter().any(|policy| policy.same_as(has));
            let policies: Vec<PolicyRef> = ram.policies.iter().filter(stays).cloned().collect();
            Ok(exceeding(grants, &policies, &seen.documents)?.map(Step::LookAtPolicy))
        }
        _ => Ok(None),
    }
}

/// The comments that are to be; an `adopted` group keeps the text that it has, unless there is another one.
pub(super) fn comments(seen: &Seen, group: &Group, marker: &Marker, adopted: bool) -> Result<String, Verdict> {
    let has = adopted.then_some(group.comments.as_str());
    marked(marker, seen.spec.comments.as_deref(), has, COMMENTS_LIMIT)
}

/// What would be taken from an adopted group, and waits until that is accepted.
#[must_use]
pub fn pending(seen: &Seen) -> Vec<String> {
    let (Some(ram), Some(marker), true) = (&seen.ram, &seen.marker, seen.memory.adoption.holds()) else {
        return Vec::new();
    };
    let ours = |group: &Group| !matches!(whose(seen, marker, group), Ownership::Not(_));
    if !ram.group.as_ref().is_some_and(ours) {
        return Vec::new();
    }
    let policies = wish(seen, ram).map(|wish| unwanted(&wish)).unwrap_or_default();
    policies.iter().map(|policy| format!("policy {policy}")).collect()
}
