//! What a RamGroup needs next.

mod adopt;
mod observe;
mod preview;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::adoption::{Adopting, placed, told};
use super::attachments::{self, Attachment, Documents, References, Wish};
use super::marker::Marker;
use super::ownership::{Elsewhere, Known, Ownership, ownership_by_marker, retaken, surely_gone};
use super::tenant::{Grants, Thing};
use super::timing::LATER;
use super::{AccountView, Next, Reason, Verdict, unpaused};
use crate::api::{Adoption, Management, RamGroupSpec};
use crate::ram::{Group, PolicyRef};

pub use adopt::pending;
pub use observe::sees;

/// One effect on a group of RAM or on its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Take it off: nothing of ours is left in RAM.
    RemoveFinalizer,
    /// Note in the status that a group of somebody else's making is taken over, before the first effect.
    RecordAdoption,
    /// RAM CreateGroup, with these comments.
    Create(String),
    /// RAM UpdateGroup: other comments.
    Comment(String),
    /// RAM AttachPolicyToGroup.
    AttachPolicy(PolicyRef),
    /// RAM DetachPolicyFromGroup.
    DetachPolicy(PolicyRef),
    /// Read a policy's document: what it says decides.
    LookAtPolicy(PolicyRef),
    /// RAM RemoveUserFromGroup.
    RemoveMember(String),
    /// RAM DeleteGroup.
    Delete,
}

/// Everything one pass knows.
#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
#[derive(Clone, Debug)]
pub struct Seen {
    /// The object is being deleted.
    pub deleting: bool,
    /// Since when.
    pub deletion_time: Option<Timestamp>,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// Grants and drift repair are stopped.
    pub paused: bool,
    /// The group's name in RAM.
    pub group_name: String,
    /// What is asked for.
    pub spec: RamGroupSpec,
    /// What the status remembers.
    pub memory: Memory,
    /// Our marker; absent when the account cannot be used.
    pub marker: Option<Marker>,
    /// The account, or why it cannot be used.
    pub account: Result<AccountView, Verdict>,
    /// What the tenant grants, or why there is none.
    pub tenant: Result<Grants, Verdict>,
    /// What RAM shows; absent when it could not be asked.
    pub ram: Option<InRam>,
    /// RAM showed the group before in this pass, so that its absence now is no lag.
    pub witnessed: bool,
    /// What other objects say of the group, where this one does not know it.
    pub elsewhere: Elsewhere,
    /// RamPolicies that are asked for.
    pub references: References,
    /// Documents of policies, as far as looked at.
    pub documents: Documents,
    /// RAM refused to attach a policy because its quota for this group is used up.
    pub quota_reached: bool,
}

/// The lasting part of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The account the group is in.
    pub account_id: Option<String>,
    /// RAM's `GroupId`.
    pub group_id: Option<String>,
    /// The start of the uid in the marker that we wrote last.
    pub marker_uid: Option<String>,
    /// When the group was made.
    pub create_time: Option<Timestamp>,
    /// How far its adoption has come.
    pub adoption: Adopting,
}

/// What RAM shows of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InRam {
    /// GetGroup by name.
    pub group: Option<Group>,
    /// Policies attached to it.
    pub policies: Vec<PolicyRef>,
    /// Users in it, and whether each is of this installation; the latter is read when deleting.
    pub members: Vec<(String, bool)>,
}

/// What to do next.
#[must_use]
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    let answer = match seen.spec.management {
        _ if seen.deleting => delete(seen, now),
        Management::Manage | Management::Plan => live(seen),
        Management::Observe => Err(observe::next(seen)),
    };
    match answer {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

fn live(seen: &Seen) -> Result<Step, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let Some(group) = &ram.group else {
        tell(seen)?;
        unpaused(seen.paused)?;
        account.open()?;
        let grants = granted(seen)?;
        let policies = seen.spec.policies.as_deref().unwrap_or_default();
        grants.policies(policies)?;
        if let Some(policy) = attachments::judged(policies, &seen.references, &seen.documents, grants)? {
            return Ok(Step::LookAtPolicy(policy));
        }
        let comments = marker.append_to(seen.spec.comments.as_deref().unwrap_or_default());
        return Ok(if seen.finalizer { Step::Create(comments) } else { Step::AddFinalizer });
    };
    match whose(seen, marker, group) {
        Ownership::Not(reason) => {
            tell(seen)?;
            if reason == Reason::Foreign && seen.spec.adoption == Adoption::IfUnowned {
                return adopt::next(seen, ram, group, marker);
            }
            return Err(Verdict::new(reason).about(&group.name));
        }
        Ownership::MarkerMissing => retaken(seen.memory.group_id.is_some(), &seen.tenant)?,
        Ownership::Ours => {}
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    if let Some(step) = adopt::still_within(seen, ram)? {
        return Ok(step);
    }
    let comments = adopt::comments(seen, group, marker, seen.memory.adoption.adopted())?;
    if group.comments != comments {
        unpaused(seen.paused)?;
        return Ok(Step::Comment(comments));
    }
    policies(seen, ram)
}

/// What became of a group that this object had is told in any case.
fn tell(seen: &Seen) -> Result<(), Verdict> {
    match &seen.memory.group_id {
        Some(_) => Ok(()),
        None => told(&seen.tenant, Thing::Group, seen.spec.group_name.as_deref(), seen.spec.adoption),
    }
}

/// What is to become of the policies, if they are managed.
fn wish<'a>(seen: &'a Seen, ram: &'a InRam) -> Option<Wish<'a>> {
    Some(Wish {
        wanted: seen.spec.policies.as_ref()?,
        rest: seen.spec.attachments,
        has: &ram.policies,
        references: &seen.references,
        documents: &seen.documents,
        paused: seen.paused,
        quota_reached: seen.quota_reached,
        held: seen.memory.adoption.holds(),
        grants: granted(seen),
    })
}

fn policies(seen: &Seen, ram: &InRam) -> Result<Step, Verdict> {
    let Some(wish) = wish(seen, ram) else { return Err(rest(seen, &[])) };
    match attachments::next(&wish)? {
        Attachment::Attach(policy) => Ok(Step::AttachPolicy(policy)),
        Attachment::Detach(policy) => Ok(Step::DetachPolicy(policy)),
        Attachment::Look(policy) => Ok(Step::LookAtPolicy(policy)),
        Attachment::Settled(drift) => Err(rest(seen, &drift)),
    }
}

/// What exists stays when the tenant is gone; the object says so.
fn rest(seen: &Seen, drift: &[PolicyRef]) -> Verdict {
    let allowed = granted(seen).and_then(|grants| grants.policies(seen.spec.policies.iter().flatten()));
    let mut verdict = match allowed {
        Ok(()) => Verdict::new(Reason::Available),
        Err(refused) => refused.again_in(LATER),
    };
    if !drift.is_empty() {
        verdict.drift = Some(format!("policies attached by somebody else: {}", attachments::listed(drift)));
    }
    verdict
}

/// The tenant's word on everything but policies.
fn granted(seen: &Seen) -> Result<&Grants, Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    let spec = &seen.spec;
    let adopted = seen.memory.adoption.adopted() && seen.ram.as_ref().is_some_and(|ram| ram.group.is_some());
    placed(grants, Thing::Group, spec.group_name.as_deref(), adopted, spec.deletion_policy)?;
    grants.limit()?;
    Ok(grants)
}

fn whose(seen: &Seen, marker: &Marker, group: &Group) -> Ownership {
    let Memory { group_id, marker_uid, .. } = &seen.memory;
    let known = Known { identity: group_id.as_deref(), marker_uid: marker_uid.as_deref(), elsewhere: seen.elsewhere };
    ownership_by_marker(known, marker, &group.id, &group.comments)
}

fn delete(seen: &Seen, now: Timestamp) -> Result<Step, Verdict> {
    if !seen.finalizer {
        return Err(Verdict::new(Reason::Deleting));
    }
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let Some(group) = &ram.group else { return gone(seen, now) };
    if matches!(whose(seen, marker, group), Ownership::Not(_)) {
        return Ok(Step::RemoveFinalizer);
    }
    if seen.memory.adoption.stays(seen.spec.deletion_policy, seen.tenant.as_ref().ok()) {
        return Ok(unmark(group).unwrap_or(Step::RemoveFinalizer));
    }
    take_away(ram)
}

/// Takes the marker off a group that stays. `None`: it has none.
#[must_use]
pub fn unmark(group: &Group) -> Option<Step> {
    let (text, marker) = Marker::parse(&group.comments);
    marker.map(|_| Step::Comment(text.to_owned()))
}

/// Without a remembered time, the finalizer says that it may have been made this moment.
fn gone(seen: &Seen, now: Timestamp) -> Result<Step, Verdict> {
    let made = seen.memory.create_time.or(seen.deletion_time);
    surely_gone(made, seen.witnessed, now)?;
    Ok(Step::RemoveFinalizer)
}

/// Takes a group's rights first, then its members of this installation, and deletes it; other members are in the way.
///
/// # Errors
/// When somebody else is in it.
pub fn take_away(ram: &InRam) -> Result<Step, Verdict> {
    if let Some(policy) = ram.policies.first() {
        return Ok(Step::DetachPolicy(policy.clone()));
    }
    if let Some((member, _)) = ram.members.iter().find(|(_, ours)| *ours) {
        return Ok(Step::RemoveMember(member.clone()));
    }
    if ram.members.is_empty() {
        return Ok(Step::Delete);
    }
    let names: Vec<&str> = ram.members.iter().map(|(name, _)| name.as_str()).collect();
    Err(Verdict::new(Reason::Blocked).about(format!("users {} are in it", names.join(", "))).again_in(LATER))
}
