//! Policies that a user or a group is to have: what is missing is attached, what is too much goes or is reported.

use std::collections::BTreeMap;

use super::document::Document;
use super::tenant::Grants;
use super::{Reason, Verdict, unpaused};
use crate::api::{Attachments, PolicyAttachment, PolicyKind};
use crate::ram::{PolicyRef, PolicyType};

/// Documents of policies that were looked at in this pass; `None`: nobody understands it.
pub type Documents = BTreeMap<PolicyRef, Option<Document>>;

/// What a reference to an object of the namespace leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// There is no such object.
    Missing,
    /// It has no name in RAM yet, or is going.
    Pending,
    /// Its name in RAM.
    Named(String),
}

/// References by the object's name.
pub type References = BTreeMap<String, Reference>;

/// Everything that decides about the policies of one user or group.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// What is asked for.
    pub wanted: &'a [PolicyAttachment],
    /// What becomes of the rest.
    pub rest: Attachments,
    /// What is attached.
    pub has: &'a [PolicyRef],
    /// RamPolicies that are asked for.
    pub references: &'a References,
    /// Documents looked at.
    pub documents: &'a Documents,
    /// Nothing is granted or repaired.
    pub paused: bool,
    /// RAM refused to attach one more.
    pub quota_reached: bool,
    /// Nothing is detached, since an adoption is not accepted yet.
    pub held: bool,
    /// The tenant's word.
    pub grants: Result<&'a Grants, Verdict>,
}

/// What to do about the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// Attach it.
    Attach(PolicyRef),
    /// Detach it.
    Detach(PolicyRef),
    /// Read its document: what it says decides.
    Look(PolicyRef),
    /// All are as asked for, but for these, which are left alone.
    Settled(Vec<PolicyRef>),
}

/// What to do next about the policies.
///
/// # Errors
/// When somebody has to move first.
pub fn next(wish: &Wish<'_>) -> Result<Attachment, Verdict> {
    // What is too much stays until it is known what there is to be.
    let wanted = resolved(wish.wanted, wish.references)?;
    let missing: Vec<(&PolicyAttachment, &PolicyRef)> =
        wish.wanted.iter().zip(&wanted).filter(|(_, policy)| !wish.has.iter().any(|has| has.same_as(policy))).collect();
    if let Some((_, first)) = missing.first() {
        unpaused(wish.paused)?;
        // All of them are asked for before the first is attached: nothing is left half done.
        let grants = wish.grants.clone()?;
        grants.policies(missing.iter().map(|(attachment, _)| *attachment))?;
        for (_, policy) in missing.iter().filter(|(attachment, _)| attachment.kind == PolicyKind::RamPolicy) {
            match wish.documents.get(*policy) {
                None => return Ok(Attachment::Look((*policy).clone())),
                Some(document) => grants.document(document.as_ref(), &policy.name)?,
            }
        }
        // At the quota an unwanted policy has to go first.
        if !wish.quota_reached {
            return Ok(Attachment::Attach((*first).clone()));
        }
    }
    let mut drift = Vec::new();
    for policy in besides(&wanted, wish.has) {
        let document = wish.documents.get(policy);
        match (wish.rest, document.map(|document| document.as_ref().is_some_and(Document::only_denies))) {
            (Attachments::Additive, _) => {}
            (Attachments::Report, _) | (Attachments::Exclusive, Some(true)) => drift.push(policy.clone()),
            (Attachments::Exclusive, None) => return Ok(Attachment::Look(policy.clone())),
            (Attachments::Exclusive, Some(false)) if wish.held => {}
            (Attachments::Exclusive, Some(false)) => {
                unpaused(wish.paused)?;
                return Ok(Attachment::Detach(policy.clone()));
            }
        }
    }
    match missing.first() {
        Some((_, first)) => {
            Err(Verdict::new(Reason::QuotaReached).about(format!("RAM answered LimitExceeded for {}", first.name)))
        }
        None => Ok(Attachment::Settled(drift)),
    }
}

/// Refuses RamPolicies that say more than the tenant allows, before who is to have them is made. `Some`: this one has to be looked at first. One that is
/// not there yet, or that nobody understands, is judged when it is attached.
///
/// # Errors
/// The first that is too much.
pub fn judged(
    wanted: &[PolicyAttachment],
    references: &References,
    documents: &Documents,
    grants: &Grants,
) -> Result<Option<PolicyRef>, Verdict> {
    let of_the_namespace = wanted.iter().filter(|policy| policy.kind == PolicyKind::RamPolicy);
    for policy in of_the_namespace.filter_map(|policy| resolve(policy, references).ok()) {
        match documents.get(&policy) {
            None => return Ok(Some(policy)),
            Some(None) => {}
            Some(document) => grants.document(document.as_ref(), &policy.name)?,
        }
    }
    Ok(None)
}

/// What `Exclusive` takes away, as far as that was looked at.
#[must_use]
pub fn unwanted(wish: &Wish<'_>) -> Vec<PolicyRef> {
    let (Ok(wanted), Attachments::Exclusive) = (resolved(wish.wanted, wish.references), wish.rest) else {
        return Vec::new();
    };
    let goes = |document: &Option<Document>| !document.as_ref().is_some_and(Document::only_denies);
    besides(&wanted, wish.has).filter(|policy| wish.documents.get(*policy).is_some_and(goes)).cloned().collect()
}

/// How the policies that are attached differ from those that are asked for, in words.
#[must_use]
pub fn differences(
    wanted: &[PolicyAttachment],
    rest: Attachments,
    has: &[PolicyRef],
    references: &References,
) -> Vec<String> {
    let attached = |policy: &PolicyAttachment| {
        resolve(policy, references).is_ok_and(|policy| has.iter().any(|has| has.same_as(&policy)))
    };
    let missing: Vec<String> = wanted
        .iter()
        .filter(|policy| !attached(policy))
        .map(|policy| format!("{:?} {}", policy.kind, policy.name))
        .collect();
    let asked: Vec<PolicyRef> = wanted.iter().filter_map(|policy| resolve(policy, references).ok()).collect();
    let extra: Vec<PolicyRef> = besides(&asked, has).filter(|_| rest != Attachments::Additive).cloned().collect();
    let mut all = Vec::new();
    if !missing.is_empty() {
        all.push(format!("policies that are not attached: {}", missing.join(", ")));
    }
    if !extra.is_empty() {
        all.push(format!("policies that are attached besides: {}", listed(&extra)));
    }
    all
}

/// The policies of a spec as RAM names them.
///
/// # Errors
/// When a RamPolicy has no name in RAM.
pub fn resolved(wanted: &[PolicyAttachment], references: &References) -> Result<Vec<PolicyRef>, Verdict> {
    wanted.iter().map(|policy| resolve(policy, references)).collect()
}

/// What there is besides what is wanted.
pub fn besides<'a>(wanted: &'a [PolicyRef], has: &'a [PolicyRef]) -> impl Iterator<Item = &'a PolicyRef> {
    has.iter().filter(|has| !wanted.iter().any(|policy| policy.same_as(has)))
}

/// A policy of a spec as RAM names it.
///
/// # Errors
/// When its RamPolicy has no name in RAM.
pub fn resolve(policy: &PolicyAttachment, references: &References) -> Result<PolicyRef, Verdict> {
    let custom = |name: &str| PolicyRef { kind: PolicyType::Custom, name: name.to_owned() };
    match policy.kind {
        PolicyKind::System => Ok(PolicyRef { kind: PolicyType::System, name: policy.name.clone() }),
        PolicyKind::Custom => Ok(custom(&policy.name)),
        PolicyKind::RamPolicy => named(&policy.name, references)
            .map(custom)
            .ok_or_else(|| Verdict::new(Reason::PolicyNotReady).about(&policy.name)),
    }
}

/// The name in RAM that a reference leads to.
#[must_use]
pub fn named<'a>(name: &str, references: &'a References) -> Option<&'a str> {
    match references.get(name) {
        Some(Reference::Named(found)) => Some(found),
        _ => None,
    }
}

/// A policy of RAM as a status shows it.
#[must_use]
pub fn shown(policy: &PolicyRef) -> PolicyAttachment {
    let kind = match policy.kind {
        PolicyType::System => PolicyKind::System,
        PolicyType::Custom => PolicyKind::Custom,
    };
    PolicyAttachment { kind, name: policy.name.clone() }
}

/// Policies of RAM in words.
#[must_use]
pub fn listed(policies: &[PolicyRef]) -> String {
    let name = |policy: &PolicyRef| format!("{:?} {}", shown(policy).kind, policy.name);
    policies.iter().map(name).collect::<Vec<_>>().join(", ")
}
