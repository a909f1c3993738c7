//! A RamPolicy that only observes: what is there is shown and compared, whoever made it.

use super::super::document::Document;
use super::super::marker::Marker;
use super::super::tenant::Thing;
use super::super::{Reason, Verdict};
use super::{Ownership, Policy, Seen, wanted, whose};
use crate::api::Management;

pub(super) fn next(seen: &Seen) -> Verdict {
    match look(seen) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

/// Whether somebody else's policy may be shown.
#[must_use]
pub fn sees(seen: &Seen) -> bool {
    seen.spec.management == Management::Observe && !seen.deleting && allowed(seen).is_ok()
}

fn allowed(seen: &Seen) -> Result<(), Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.adopts(Thing::Policy, seen.spec.policy_name.as_deref())
}

fn look(seen: &Seen) -> Result<Verdict, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let ours = |policy: &Policy| !matches!(whose(seen, marker, policy), Ownership::Not(_));
    // Before anything is told, be it that there is none.
    if !ram.policy.as_ref().is_some_and(ours) {
        allowed(seen)?;
    }
    let Some(policy) = &ram.policy else { return Err(Verdict::new(Reason::NotInRam).about(&seen.policy_name)) };
    let mut drift = Vec::new();
    if seen.spec.description.as_ref().is_some_and(|wanted| wanted != Marker::parse(&policy.description).0) {
        drift.push("description".to_owned());
    }
    let given = seen.spec.statements.is_some() || seen.spec.document_json.is_some();
    if given && !Document::parse(&policy.document).is_ok_and(|has| wanted(seen).is_ok_and(|asked| has.same_as(&asked)))
    {
        drift.push("the document".to_owned());
    }
    Ok(Verdict::observed(&drift))
}
