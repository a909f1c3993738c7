//! Taking over a policy that nobody owns.

use super::super::adoption::{exceeds, marked};
use super::super::document::Document;
use super::super::marker::{DESCRIPTION_LIMIT, Marker};
use super::super::tenant::Thing;
use super::super::{Verdict, unpaused};
use super::{Ownership, Policy, Seen, Step, wanted, whose};

/// What to do next about a policy without a marker. What it allows now, and what it is to allow, must be what the tenant allows.
pub(super) fn next(seen: &Seen, document: &Document, policy: &Policy, marker: &Marker) -> Result<Step, Verdict> {
    unpaused(seen.paused)?;
    seen.account.as_ref().map_err(Clone::clone)?.open()?;
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.adopts(Thing::Policy, seen.spec.policy_name.as_deref())?;
    grants.limit()?;
    grants.document(Some(document), "it")?;
    let present = Document::parse(&policy.document).ok();
    if let Err(refused) = grants.document(present.as_ref(), "what RAM has") {
        return Err(exceeds(refused.detail.unwrap_or_default()));
    }
    let description = description(seen, policy, marker, true)?;
    // Noted first: afterwards its marker looks like that of a policy that was made here.
    if !seen.memory.adoption.adopted() {
        return Ok(Step::RecordAdoption);
    }
    Ok(if seen.finalizer { Step::Describe(description) } else { Step::AddFinalizer })
}

/// The description that is to be; an `adopted` policy keeps the text that it has, unless there is another one.
pub(super) fn description(seen: &Seen, policy: &Policy, marker: &Marker, adopted: bool) -> Result<String, Verdict> {
    let has = adopted.then_some(policy.description.as_str());
    marked(marker, seen.spec.description.as_deref(), has, DESCRIPTION_LIMIT)
}

/// What would be taken from an adopted policy, and waits until that is accepted.
#[must_use]
pub fn pending(seen: &Seen) -> Vec<String> {
    let (Some(ram), Some(marker), true) = (&seen.ram, &seen.marker, seen.memory.adoption.holds()) else {
        return Vec::new();
    };
    let ours = |policy: &&Policy| !matches!(whose(seen, marker, policy), Ownership::Not(_));
    let (Some(policy), Ok(asked)) = (ram.policy.as_ref().filter(ours), wanted(seen)) else { return Vec::new() };
    let same = Document::parse(&policy.document).is_ok_and(|has| has.same_as(&asked));
    if same { Vec::new() } else { vec!["the document that it has".to_owned()] }
}
