//! What a RamPolicy needs next.

mod adopt;
mod observe;
mod preview;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::adoption::{Adopting, placed, told};
use super::document::Document;
use super::marker::Marker;
use super::ownership::{Elsewhere, Known, Ownership, ownership_by_marker, retaken, surely_gone};
use super::tenant::{Grants, Thing};
use super::timing::{LATER, READ_LAG, SOON, after};
use super::{AccountView, Next, Reason, Verdict, unpaused};
use crate::api::{Adoption, Management, RamPolicySpec};
use crate::digest;

pub use adopt::pending;
pub use observe::sees;

/// One effect on a policy of RAM or on its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Take it off: nothing of ours is left in RAM.
    RemoveFinalizer,
    /// Note in the status that a policy of somebody else's making is taken over, before the first effect.
    RecordAdoption,
    /// RAM CreatePolicy: document and description.
    Create(String, String),
    /// RAM UpdatePolicyDescription.
    Describe(String),
    /// RAM CreatePolicyVersion, in force at once; the oldest of five versions gives way.
    CreateVersion(String),
    /// RAM DetachPolicyFromUser or DetachPolicyFromGroup.
    Detach(Holder),
    /// RAM DeletePolicy.
    Delete,
}

/// Who has a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A user.
    User(String),
    /// A group.
    Group(String),
    /// A role.
    Role(String),
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
    /// The policy's name in RAM.
    pub policy_name: String,
    /// What is asked for.
    pub spec: RamPolicySpec,
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
    /// RAM showed the policy before in this pass, so that its absence now is no lag.
    pub witnessed: bool,
    /// What other objects say of the policy, where this one does not know it.
    pub elsewhere: Elsewhere,
}

/// The lasting part of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The account the policy is in.
    pub account_id: Option<String>,
    /// When it was made: its identity, since RAM gives policies no id.
    pub create_time: Option<String>,
    /// The start of the uid in the marker that we wrote last.
    pub marker_uid: Option<String>,
    /// The document that was written last: hex SHA-256, and when.
    pub written: Option<(String, Timestamp)>,
    /// How far its adoption has come.
    pub adoption: Adopting,
}

/// What RAM shows of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InRam {
    /// GetPolicy by name.
    pub policy: Option<Policy>,
    /// Who has it, and whether that is a user or group of this installation; read when deleting.
    pub holders: Vec<(Holder, bool)>,
}

/// A custom policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// When it was made.
    pub create_time: String,
    /// Its description, with the marker.
    pub description: String,
    /// The document in force.
    pub document: String,
}

/// What to do next.
#[must_use]
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    let answer = match seen.spec.management {
        _ if seen.deleting => delete(seen, now),
        Management::Manage | Management::Plan => live(seen, now),
        Management::Observe => Err(observe::next(seen)),
    };
    match answer {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

fn live(seen: &Seen, now: Timestamp) -> Result<Step, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let document = wanted(seen)?;
    let Some(policy) = &ram.policy else {
        tell(seen)?;
        unpaused(seen.paused)?;
        account.open()?;
        granted(seen, &document)?;
        let description = marker.append_to(seen.spec.description.as_deref().unwrap_or_default());
        let step = Step::Create(document.text(), description);
        return Ok(if seen.finalizer { step } else { Step::AddFinalizer });
    };
    match whose(seen, marker, policy) {
        Ownership::Not(reason) => {
            tell(seen)?;
            if reason == Reason::Foreign && seen.spec.adoption == Adoption::IfUnowned {
                return adopt::next(seen, &document, policy, marker);
            }
            return Err(Verdict::new(reason));
        }
        Ownership::MarkerMissing => retaken(seen.memory.create_time.is_some(), &seen.tenant)?,
        Ownership::Ours => {}
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    let description = adopt::description(seen, policy, marker, seen.memory.adoption.adopted())?;
    if policy.description != description {
        unpaused(seen.paused)?;
        return Ok(Step::Describe(description));
    }
    let (young, asked) = (lately_written(seen, now), digest::hex(&[&document.text()]));
    // By meaning: each version is one of five.
    if !Document::parse(&policy.document).is_ok_and(|has| has.same_as(&document)) {
        unpaused(seen.paused)?;
        granted(seen, &document)?;
        if seen.memory.adoption.holds() {
            return Err(Verdict::new(Reason::AdoptionPending).about("its document is another one"));
        }
        if young == Some(&asked) {
            return Err(Verdict::new(Reason::Unsettled).again_in(SOON));
        }
        return Ok(Step::CreateVersion(document.text()));
    }
    // What was written this moment may not show yet, and be another one.
    if young.is_some_and(|sha256| *sha256 != asked) {
        return Err(Verdict::new(Reason::Unsettled).again_in(SOON));
    }
    // What exists stays when the tenant is gone; the object says so.
    Err(match granted(seen, &document) {
        Ok(()) => Verdict::new(Reason::Available),
        Err(refused) => refused.again_in(LATER),
    })
}

/// What became of a policy that this object had is told in any case.
fn tell(seen: &Seen) -> Result<(), Verdict> {
    match &seen.memory.create_time {
        Some(_) => Ok(()),
        None => told(&seen.tenant, Thing::Policy, seen.spec.policy_name.as_deref(), seen.spec.adoption),
    }
}

/// The document, by its SHA-256, that was written so recently that RAM may not show it yet.
fn lately_written(seen: &Seen, now: Timestamp) -> Option<&String> {
    let (sha256, time) = seen.memory.written.as_ref()?;
    (now <= after(*time, READ_LAG)).then_some(sha256)
}

/// The document that is asked for.
fn wanted(seen: &Seen) -> Result<Document, Verdict> {
    let spec = &seen.spec;
    let read = match (&spec.statements, &spec.document_json) {
        (Some(statements), _) => Document::of(statements),
        (None, Some(text)) => Document::parse(text),
        (None, None) => Err("there is none".to_owned()),
    };
    read.map_err(|why| Verdict::new(Reason::DocumentInvalid).about(why))
}

fn granted(seen: &Seen, document: &Document) -> Result<(), Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    let spec = &seen.spec;
    let adopted = seen.memory.adoption.adopted() && seen.ram.as_ref().is_some_and(|ram| ram.policy.is_some());
    placed(grants, Thing::Policy, spec.policy_name.as_deref(), adopted, spec.deletion_policy)?;
    grants.limit()?;
    grants.document(Some(document), "it")
}

fn whose(seen: &Seen, marker: &Marker, policy: &Policy) -> Ownership {
    let Memory { create_time, marker_uid, .. } = &seen.memory;
    let known =
        Known { identity: create_time.as_deref(), marker_uid: marker_uid.as_deref(), elsewhere: seen.elsewhere };
    ownership_by_marker(known, marker, &policy.create_time, &policy.description)
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
    let Some(policy) = &ram.policy else { return gone(seen, now) };
    if matches!(whose(seen, marker, policy), Ownership::Not(_)) {
        return Ok(Step::RemoveFinalizer);
    }
    if seen.memory.adoption.stays(seen.spec.deletion_policy, seen.tenant.as_ref().ok()) {
        return Ok(unmark(policy).unwrap_or(Step::RemoveFinalizer));
    }
    take_away(ram)
}

/// Takes the marker off a policy that stays. `None`: it has none.
#[must_use]
pub fn unmark(policy: &Policy) -> Option<Step> {
    let (text, marker) = Marker::parse(&policy.description);
    // RAM takes no empty description.
    let left = if text.is_empty() { "left by ram-operator" } else { text };
    marker.map(|_| Step::Describe(left.to_owned()))
}

/// Without a remembered time, the finalizer says that it may have been made this moment.
fn gone(seen: &Seen, now: Timestamp) -> Result<Step, Verdict> {
    let made = seen.memory.create_time.as_deref().and_then(|text| text.parse().ok()).or(seen.deletion_time);
    surely_gone(made, seen.witnessed, now)?;
    Ok(Step::RemoveFinalizer)
}

/// Takes a policy from the users and groups of this installation and deletes it; whoever else has it is in the way.
///
/// # Errors
/// When somebody else has it.
pub fn take_away(ram: &InRam) -> Result<Step, Verdict> {
    if let Some((holder, _)) = ram.holders.iter().find(|(_, ours)| *ours) {
        return Ok(Step::Detach(holder.clone()));
    }
    if ram.holders.is_empty() {
        return Ok(Step::Delete);
    }
    let name = |(holder, _): &(Holder, bool)| match holder {
        Holder::User(name) => format!("user {name}"),
        Holder::Group(name) => format!("group {name}"),
        Holder::Role(name) => format!("role {name}"),
    };
    let names: Vec<String> = ram.holders.iter().map(name).collect();
    Err(Verdict::new(Reason::Blocked).about(format!("attached to {}", names.join(", "))).again_in(LATER))
}
