//! A RamGroup that only observes: what is there is shown and compared, whoever made it.

use super::super::attachments::differences;
use super::super::marker::Marker;
use super::super::tenant::Thing;
use super::super::{Reason, Verdict};
use super::{Ownership, Seen, whose};
use crate::api::Management;
use crate::ram::Group;

pub(super) fn next(seen: &Seen) -> Verdict {
    match look(seen) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

/// Whether somebody else's group may be shown.
#[must_use]
pub fn sees(seen: &Seen) -> bool {
    seen.spec.management == Management::Observe && !seen.deleting && allowed(seen).is_ok()
}

fn allowed(seen: &Seen) -> Result<(), Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.adopts(Thing::Group, seen.spec.group_name.as_deref())
}

fn look(seen: &Seen) -> Result<Verdict, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let ours = |group: &Group| !matches!(whose(seen, marker, group), Ownership::Not(_));
    // Before anything is told, be it that there is none.
    if !ram.group.as_ref().is_some_and(ours) {
        allowed(seen)?;
    }
    let Some(group) = &ram.group else { return Err(Verdict::new(Reason::NotInRam).about(&seen.group_name)) };
    let mut drift = Vec::new();
    let text = Marker::parse(&group.comments).0;
    if seen.spec.comments.as_ref().is_some_and(|wanted| wanted != text) {
        drift.push("comments".to_owned());
    }
    if let Some(wanted) = &seen.spec.policies {
        drift.extend(differences(wanted, seen.spec.attachments, &ram.policies, &seen.references));
    }
    Ok(Verdict::observed(&drift))
}
