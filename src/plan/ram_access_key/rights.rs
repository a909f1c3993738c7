//! What an adopted user may do was given by somebody else, and may be more now than when its RamUser looked: who gets a new key gets that too.

use super::{Seen, Stage, Step, reason};
use crate::plan::Reason;
use crate::plan::timing::LATER;

/// Whether a user has the rights that its RamUser judged last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// The user was made here, so that nobody asks.
    #[default]
    Own,
    /// It was adopted, and nobody asked yet in this pass.
    Unread,
    /// It was adopted, and has just these.
    Judged,
    /// It was adopted, and has others.
    Changed,
}

/// Asked last before a mint, so that nothing is read where none is due.
pub(super) fn judged(seen: &Seen) -> Stage {
    match seen.rights {
        Rights::Own | Rights::Judged => Ok(None),
        Rights::Unread => Ok(Some(Step::LookAtRights)),
        Rights::Changed => {
            let what =
                format!("the policies and groups of {} are not those that it judged last", seen.spec.user_ref.name);
            // It looks now, and its status tells when it has judged them.
            Err(reason(Reason::UserNotReady).about(what).again_in(LATER))
        }
    }
}
