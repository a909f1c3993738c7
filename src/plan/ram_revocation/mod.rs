//! What a RamRevocation needs next: an order of the operator's own, or one of a person by key id.

mod left;
mod order;
mod person;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::marker::Marker;
use super::ram_access_key::{Intent, Retiring};
use super::{AccountView, Next, Reason, Verdict};
use crate::api::{Order, RamRevocationSpec, UserDeletionPolicy};
use crate::ram::{AccessKey, KeyStatus, LastUsed, LoginProfile, MfaInfo, PolicyRef};

/// One effect on RAM or on the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Everything is taken away, or the order was given up: take the finalizer off; an order of the operator goes with it.
    Finish,
    /// Note in the status of this RamAccessKey that its keys are disabled by us, so that it enables them again.
    Disarm(String),
    /// RAM UpdateAccessKey, to `Inactive`.
    Disable(String),
    /// RAM DeleteAccessKey.
    Delete(String),
    /// Delete a key from IMS' recycle bin, if it is there.
    Purge(String),
    /// RAM GetAccessKeyLastUsed.
    LookAtUse(String),
    /// Note a key that a mint of the order's intents may have made.
    NoteStray(String),
    /// Ask the RamAccessKey that publishes the key to replace it.
    Tell(Publisher),
    /// RAM UpdateUser: the comments without our marker.
    Unmark,
    /// RAM DetachPolicyFromUser.
    DetachPolicy(PolicyRef),
    /// IMS UpdateLoginProfile, to `Inactive`.
    DisableLogin,
    /// RAM DeleteLoginProfile.
    DeleteLogin,
    /// RAM RemoveUserFromGroup.
    LeaveGroup(String),
    /// RAM UnbindMFADevice.
    UnbindMfa,
    /// RAM DeleteVirtualMFADevice of this serial number, unless somebody has it.
    DeleteMfaDevice(String),
    /// IMS DeleteUser by UserId, or RAM DeleteUser.
    DeleteUser,
}

/// Everything one pass knows.
#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
#[derive(Clone, Debug)]
pub struct Seen {
    /// Our finalizer is on the object.
    pub finalizer: bool,
    /// The object is being deleted.
    pub deleting: bool,
    /// It was given up by annotation.
    pub abandoned: bool,
    /// What is ordered.
    pub spec: RamRevocationSpec,
    /// The account, or why it cannot be used.
    pub account: Result<AccountView, Verdict>,
    /// RAM's `UserName` of the key's user, as far as it is known.
    pub user_name: Option<String>,
    /// The key's user was found before.
    pub found_before: bool,
    /// What RAM shows; absent when it could not be asked.
    pub ram: Option<InRam>,
    /// When RAM was asked: the answer says nothing of what came after.
    pub listed: Option<Timestamp>,
    /// A RamUser of that namespace and name exists and is not being deleted.
    pub live_user: bool,
    /// RamAccessKeys of that user that exist.
    pub claims: Vec<Claim>,
    /// Keys from the windows of the order's intents.
    pub strays: Vec<Retiring>,
    /// When the order was given.
    pub created: Option<Timestamp>,
    /// Keys that this pass deleted itself.
    pub deleted: BTreeSet<String>,
    /// Last uses read in this pass, by id.
    pub uses: BTreeMap<String, LastUsed>,
    /// Keys that were looked for in the recycle bin in this pass and are not in it any more.
    pub purged: BTreeSet<String>,
    /// The RamAccessKey that publishes the key that a person named.
    pub publisher: Option<Publisher>,
    /// RAM refused in this pass to disable the log-on without a new password.
    pub disable_refused: bool,
    /// The MFA device that was made for the user and is still to be deleted, if there may be one.
    pub mfa_ours: Option<String>,
    /// A virtual MFA device that this pass took from the user.
    pub mfa_loose: Option<String>,
}

/// What RAM shows of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InRam {
    /// Whose the user is.
    pub user: Owner,
    /// Its keys, listed live.
    pub keys: Vec<AccessKey>,
    /// Policies attached directly; read when the user itself is to go.
    pub policies: Vec<PolicyRef>,
    /// Its log-on; read when that is to go with the user.
    pub login: Option<LoginProfile>,
    /// Its groups; read when the user itself is to go.
    pub groups: Vec<String>,
    /// Its MFA device; read when the user itself is to go.
    pub mfa: Option<MfaInfo>,
}

/// Whose the RAM user is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// There is no such user, by name and by id.
    #[default]
    Gone,
    /// It carries a marker of this installation.
    Marked(Marker),
    /// It carries none.
    NotOurs,
}

/// A RamAccessKey of the user, or another RamRevocation for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// It is being deleted, or is a RamRevocation.
    pub deleting: bool,
    /// It has noted that its keys are disabled by us.
    pub disarmed: bool,
    /// Ids that it has.
    pub ids: Vec<String>,
    /// Those of them that may be a person's.
    pub strays: Vec<Retiring>,
    /// Its open intents.
    pub intents: Vec<Intent>,
}

/// A RamAccessKey that publishes a key which is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// It was asked already.
    pub told: bool,
}

impl Seen {
    fn key(&self, id: &str) -> Option<&AccessKey> {
        self.ram.as_ref()?.keys.iter().find(|key| key.id == id)
    }

    fn is_active(&self, id: &str) -> bool {
        self.key(id).is_some_and(|key| key.status == KeyStatus::Active)
    }
}

/// What to do next.
#[must_use]
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    let answer = match &seen.spec.order {
        _ if seen.abandoned => Ok(Step::Finish),
        Some(order) => order::next(seen, order, now),
        None => person::next(seen),
    };
    match answer {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

pub use left::{LeftInRam, LeftSeen, LeftStep, left};
pub use order::settled;

/// Whether the user itself is to go, as far as the order says.
#[must_use]
pub fn wants_user(order: &Order) -> bool {
    order.user.marker_uid.is_some() && !leaves_user(order)
}

/// Whether the user stays in RAM, and only our marker goes.
#[must_use]
pub fn leaves_user(order: &Order) -> bool {
    order.user.deletion_policy == UserDeletionPolicy::Retain
}

fn reason(reason: Reason) -> Verdict {
    Verdict::new(reason)
}
