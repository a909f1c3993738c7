//! A person's order by key id: disable first, let its RamAccessKey publish another one, then delete and purge.

use super::{Owner, Seen, Step, reason};
use crate::plan::{Reason, Verdict};

pub(super) fn next(seen: &Seen) -> Result<Step, Verdict> {
    let Some(id) = seen.spec.access_key_id.as_deref() else { return Err(reason(Reason::InvalidSpec)) };
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    let ram = seen.ram.as_ref().ok_or_else(|| reason(Reason::AccountNotReady))?;
    match &ram.user {
        Owner::Gone => return over(seen, id),
        Owner::Marked(marker) if marker.owner_id == account.owner_id => {}
        Owner::Marked(_) | Owner::NotOurs => {
            let user = seen.user_name.as_deref().unwrap_or("unknown");
            return Err(reason(Reason::RevokeRefused).about(format!("{id} of RAM user {user}")));
        }
    }
    let there = seen.key(id).is_some() || seen.publisher.is_some();
    if there && !seen.finalizer && !seen.deleting {
        return Ok(Step::AddFinalizer);
    }
    if seen.is_active(id) {
        return Ok(Step::Disable(id.to_owned()));
    }
    match &seen.publisher {
        Some(publisher) if !publisher.told => return Ok(Step::Tell(publisher.clone())),
        Some(publisher) => {
            let name = format!("{}/{}", publisher.namespace, publisher.name);
            return Err(reason(Reason::AwaitingReplacement).about(name).again_in(crate::plan::timing::LATER));
        }
        None => {}
    }
    if seen.key(id).is_some() {
        return Ok(Step::Delete(id.to_owned()));
    }
    over(seen, id)
}

/// The key is gone. Whether it ever was there decides what that means.
fn over(seen: &Seen, id: &str) -> Result<Step, Verdict> {
    if !seen.found_before {
        return Err(reason(Reason::KeyNotFound).about(id));
    }
    match seen.finalizer {
        true if !seen.purged.contains(id) => Ok(Step::Purge(id.to_owned())),
        true => Ok(Step::Finish),
        false => Err(reason(Reason::Revoked).about(id)),
    }
}
