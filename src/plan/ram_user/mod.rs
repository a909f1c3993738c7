//! What a RamUser needs next.

mod adopt;
mod delete;
mod groups;
mod live;
mod login;
mod mfa;
#[cfg(test)]
mod mfa_tests;
mod observe;
mod preview;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::adoption::Adopting;
use super::attachments::{Documents, References};
use super::marker::Marker;
use super::ownership::{Elsewhere, Known, Ownership, ownership};
use super::ram_access_key::{Intent, window_end};
use super::tenant::Grants;
use super::{AccountView, Next, Verdict};
use crate::api::{LoginState, Management, MfaPhase, RamUserSpec};
use crate::ram::{AccessKey, KeyStatus, LoginProfile, MfaInfo, NewUser, PolicyRef, User, UserChanges};

pub use adopt::{judged, pending};
pub use delete::grace_ends;
pub use login::{LoginChange, LoginMemory, PasswordSeen, Reset, managed};
pub use mfa::{MfaFacts, MfaMemory, SeedSeen, complete, has_device, may_be_gone, replaced};
pub use observe::sees;

/// One effect on a RAM user or on its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Take it off: nothing of ours is left in RAM.
    RemoveFinalizer,
    /// Note in the status that a user of somebody else's making is taken over, before the first effect.
    RecordAdoption,
    /// Note in the status that the user it had is gone, before another one is made.
    RecordGone,
    /// RAM CreateUser.
    CreateUser(NewUser),
    /// RAM UpdateUser.
    UpdateUser(UserChanges),
    /// RAM AttachPolicyToUser.
    AttachPolicy(PolicyRef),
    /// RAM DetachPolicyFromUser.
    DetachPolicy(PolicyRef),
    /// Read a policy's document: what it says decides whether it is attached or left in place.
    LookAtPolicy(PolicyRef),
    /// Read what a group holds before the user joins it.
    LookAtGroup(String),
    /// RAM AddUserToGroup.
    JoinGroup(String),
    /// Note in the status of this RamAccessKey that its keys are disabled by us, so that it enables them again.
    Disarm(String),
    /// RAM UpdateAccessKey, to `Inactive`.
    DisableKey(String),
    /// RAM DeleteAccessKey.
    DeleteKey(String),
    /// RAM RemoveUserFromGroup.
    LeaveGroup(String),
    /// Note in the status which log-on is being carried out.
    RecordLogin(LoginState),
    /// Note in the status that the password under this seal is given next; the empty one stands for more than one whose outcome is open.
    RecordPassword(String),
    /// Note in the status that the annotation `reset-password` was taken up.
    RecordReset,
    /// Make a password that fits the account's policy and write it to its Secret.
    WritePassword,
    /// IMS CreateLoginProfile.
    CreateLogin(LoginChange),
    /// IMS UpdateLoginProfile.
    ChangeLogin(LoginChange),
    /// RAM DeleteLoginProfile.
    DeleteLogin,
    /// Note in the status how far the MFA device has come.
    RecordMfa(MfaPhase),
    /// Note in the status that the annotation `reset-mfa` was taken up, and that what there is of devices goes.
    RecordMfaReset,
    /// Write the Secret for the seed without one, so that it is known to be ours and no older seed can get there any more.
    ClaimSeedSecret,
    /// RAM CreateVirtualMFADevice, and its seed into the Secret.
    MakeMfaDevice,
    /// RAM BindMFADevice with codes of the seed.
    BindMfa,
    /// RAM UnbindMFADevice.
    UnbindMfa,
    /// RAM DeleteVirtualMFADevice of this serial number, unless somebody has it.
    DeleteMfaDevice(String),
    /// IMS DeleteUser by UserId, or RAM DeleteUser.
    DeleteUser,
    /// Leave the rest to a RamRevocation, which deletes the user no sooner than this, and take the finalizer off.
    HandOver(Timestamp),
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
    /// What is asked for.
    pub spec: RamUserSpec,
    /// What the status remembers.
    pub memory: Memory,
    /// The user's name in RAM.
    pub user_name: String,
    /// Our marker; absent when the account cannot be used.
    pub marker: Option<Marker>,
    /// The account, or why it cannot be used.
    pub account: Result<AccountView, Verdict>,
    /// What the tenant grants, or why there is none.
    pub tenant: Result<Grants, Verdict>,
    /// What RAM shows; absent when the account cannot be used.
    pub ram: Option<InRam>,
    /// RAM showed the user before in this pass, so that its absence now is no lag.
    pub witnessed: bool,
    /// What other objects say of the user, where this one does not know it.
    pub elsewhere: Elsewhere,
    /// RamAccessKeys of this user in the namespace; read when there are keys, or when deleting.
    pub key_objects: Vec<KeyObject>,
    /// RAM refused to attach a policy because its quota for this user is used up.
    pub quota_reached: bool,
    /// RamPolicies that are asked for.
    pub references: References,
    /// RamGroups that are asked for.
    pub group_references: References,
    /// Documents of policies, as far as looked at.
    pub documents: Documents,
    /// What groups that the user is to join hold, as far as looked at; `None`: there is no such group.
    pub contents: BTreeMap<String, Option<Vec<PolicyRef>>>,
    /// RAM refused to put the user into one more group.
    pub groups_full: bool,
    /// The password that is to be given to RAM next.
    pub password: PasswordSeen,
    /// The annotation `reset-password`.
    pub reset: Reset,
    /// A log-on was given so recently that RAM may not show it yet.
    pub login_fresh: bool,
    /// RAM refused in this pass to disable the log-on without a new password.
    pub disable_refused: bool,
    /// What is known of MFA devices beside what RAM shows.
    pub mfa: MfaFacts,
}

/// The lasting part of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The account the user is in.
    pub account_id: Option<String>,
    /// RAM's `UserId`.
    pub user_id: Option<String>,
    /// The start of the uid in the marker that we wrote last.
    pub marker_uid: Option<String>,
    /// When the user was made.
    pub create_time: Option<Timestamp>,
    /// The log-on, if it was ever managed.
    pub login: Option<LoginMemory>,
    /// How far its adoption has come.
    pub adoption: Adopting,
    /// The MFA device, if it was ever managed.
    pub mfa: Option<MfaMemory>,
}

/// What RAM shows of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InRam {
    /// GetUser by name.
    pub user: Option<User>,
    /// Where the user with the remembered id is now, when it is not under its name: its present name.
    pub renamed_to: Option<String>,
    /// Policies attached directly.
    pub policies: Vec<PolicyRef>,
    /// Its keys.
    pub keys: Vec<AccessKey>,
    /// Its log-on; read when it is managed.
    pub login: Option<LoginProfile>,
    /// Its groups; read when `spec.groups` is given, when deleting, and of a user that was not made here.
    pub groups: Vec<String>,
    /// Its MFA device; read when that is managed, and when deleting.
    pub mfa: Option<MfaInfo>,
}

/// A RamAccessKey of this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyObject {
    /// Its name.
    pub name: String,
    /// It is being deleted itself.
    pub deleting: bool,
    /// Ids it has: published and on their way out.
    pub ids: Vec<String>,
    /// Those of them that may be a person's.
    pub strays: Vec<String>,
    /// Mints of it whose outcome is open.
    pub intents: Vec<Intent>,
    /// It has noted that its keys are to be disabled, so that it enables them again.
    pub disarmed: bool,
}

impl KeyObject {
    /// Ids it has that nobody else can have made.
    pub fn own_ids(&self) -> impl Iterator<Item = &String> {
        self.ids.iter().filter(|id| !self.strays.contains(id))
    }

    /// Until when a mint of it may still make a key.
    #[must_use]
    pub fn open_until(&self) -> Option<Timestamp> {
        window_end(self.intents.iter())
    }
}

impl Seen {
    pub(super) fn key_is_ours(&self, id: &str) -> bool {
        self.key_objects.iter().any(|object| object.ids.iter().any(|known| known == id)) && !self.is_stray(id)
    }

    /// Its RamAccessKey disables and deletes it, unless it turns out to be in use.
    pub(super) fn is_stray(&self, id: &str) -> bool {
        self.key_objects.iter().any(|object| object.strays.iter().any(|known| known == id))
    }
}

/// What to do next.
#[must_use]
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    let answer = match seen.spec.management {
        _ if seen.deleting => delete::next(seen, now),
        Management::Manage | Management::Plan => live::next(seen),
        Management::Observe => Err(observe::next(seen)),
    };
    match answer {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

/// Identity is the `UserId`; the marker says whose it is.
pub(super) fn whose(seen: &Seen, ours: &Marker, user: &User) -> Ownership {
    let Memory { user_id, marker_uid, .. } = &seen.memory;
    let known = Known { identity: user_id.as_deref(), marker_uid: marker_uid.as_deref(), elsewhere: seen.elsewhere };
    ownership(known, ours, &user.user_id, &user.comments)
}

pub(super) fn first_active(keys: &[AccessKey], ours: impl Fn(&str) -> bool) -> Option<&AccessKey> {
    keys.iter().find(|key| key.status == KeyStatus::Active && ours(&key.id))
}
