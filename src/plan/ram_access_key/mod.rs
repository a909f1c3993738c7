//! What a RamAccessKey needs next.
//!
//! The Secret is the commit point: what is published is what the Secret says, if that can be explained. The journal in the status
//! holds what cannot be seen again: mints without an answer, and keys on their way out.

mod adopt;
mod delete;
mod journal;
mod live;
mod mint;
mod notes;
mod order;
mod pace;
mod requests;
mod restart;
mod retire;
mod rights;
mod rotate;
mod sources;
mod standing;
mod strays;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::timing::after;
use super::{AccountView, Next, Reason, Verdict};
use crate::api::{KeyState, RamAccessKeySpec, RestartTarget, Why};
use crate::ram::{AccessKey, KeySources, KeyStatus, LastUsed, Proof};

pub use delete::{allowed, released, retain_refused};
pub use journal::{Intent, Journal, LastUse, Retiring, settle};
pub use notes::notes;
pub use order::order;
pub use pace::Pace;
pub use requests::{Asked, KeyRequests, Progress};
pub use rights::Rights;
pub use sources::{noted as noted_sources, wanted as wanted_sources};
pub use standing::{Standing, standing};
pub use strays::{in_window, suspects, window_end};

/// One effect on a key, its Secret or its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Take it off: nothing of ours is left in RAM.
    RemoveFinalizer,
    /// Dry run, intent, CreateAccessKey, proof and publish: the mint protocol.
    Mint {
        /// The key that the new one takes the place of.
        replaces: Option<String>,
    },
    /// STS GetCallerIdentity, signed with the pair that is to be adopted.
    ProvePair,
    /// Publish the pair that is to be adopted; its key is in RAM already.
    AdoptKey(String),
    /// Write the Secret again with the pair it holds.
    Republish,
    /// STS GetCallerIdentity, signed with the published pair.
    Prove(String),
    /// RAM GetAccessKeyLastUsed.
    LookAtUse(String),
    /// RAM ListPoliciesForUser and ListGroupsForUser; the RamUser looks at once if it judged others.
    LookAtRights,
    /// Note in the status which `spec.state` is being carried out.
    RecordState(KeyState),
    /// Note in the status which requests were taken up, before the first effect of any.
    Record,
    /// Delete a key from IMS' recycle bin, if it is there.
    Purge(String),
    /// IMS SetAccessKeyPolicy: from where this key may be used.
    SetSources(String),
    /// Restart a workload for the published key.
    Restart(RestartTarget),
    /// RAM UpdateAccessKey, to `Active`.
    Enable(String),
    /// RAM UpdateAccessKey, to `Inactive`.
    Disable(String),
    /// RAM DeleteAccessKey.
    Delete(String),
    /// Refuse late publishers, then note a suspect as a key of ours on its way out.
    AdoptStray {
        /// The suspect.
        id: String,
        /// RamAccessKeys whose Secrets are moved on, so that a late writer finds another resourceVersion.
        fence: Vec<String>,
    },
    /// Take the owner reference off the Secret, and our marks too when the pair stays in use.
    Release {
        /// Whether label and annotations go as well.
        marks: bool,
    },
}

/// Everything one pass knows.
#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
#[derive(Clone, Debug)]
pub struct Seen {
    /// The object's name.
    pub name: String,
    /// The object is being deleted.
    pub deleting: bool,
    /// Its namespace is being deleted.
    pub namespace_terminating: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// Grants and repairs are stopped.
    pub paused: bool,
    /// What is asked for.
    pub spec: RamAccessKeySpec,
    /// Requests by annotation.
    pub asked: Asked,
    /// What the status remembers.
    pub journal: Journal,
    /// The account, or why it cannot be used.
    pub account: Result<AccountView, Verdict>,
    /// What the tenant says to this key.
    pub grant: Result<(), Verdict>,
    /// Whether the tenant denies to leave keys behind.
    pub retain_denied: bool,
    /// The age at which the tenant wants a pair replaced.
    pub max_age: Option<Duration>,
    /// The RamUser.
    pub user: UserSeen,
    /// Whether the user has the rights that the RamUser judged.
    pub rights: Rights,
    /// What RAM shows; absent when it could not be asked.
    pub ram: Option<InRam>,
    /// When the list of keys was asked for: it says nothing of what came after.
    pub listed: Option<Timestamp>,
    /// Keys that this pass deleted itself.
    pub deleted: BTreeSet<String>,
    /// Keys that this pass enabled itself.
    pub enabled: BTreeSet<String>,
    /// The Secret.
    pub secret: SecretSeen,
    /// The pair that `spec.secret.adoptFrom` names; read as long as nothing is published.
    pub to_adopt: Option<PairSeen>,
    /// Other RamAccessKeys of the same user.
    pub siblings: Vec<Sibling>,
    /// Pairs tried in this pass, by id.
    pub proofs: BTreeMap<String, Proof>,
    /// Last uses read in this pass, by id.
    pub uses: BTreeMap<String, LastUsed>,
    /// From where RAM lets the published key be used; read when `spec.allowedSources` asks for something.
    pub sources: Option<KeySources>,
    /// Keys that were looked for in the recycle bin in this pass and are not in it any more.
    pub purged: BTreeSet<String>,
    /// What the restart targets show.
    pub workloads: BTreeMap<RestartTarget, Workload>,
}

/// What a restart target shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workload {
    /// There is none.
    Missing,
    /// It may not be read or patched.
    Denied,
    /// Its pod template names this key.
    For(Option<String>),
}

/// The RamUser that a key refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSeen {
    /// There is none.
    Missing,
    /// It has no user in RAM yet.
    Unmade,
    /// It has.
    Made {
        /// RAM's `UserId`.
        user_id: String,
        /// Its `Ready` is true.
        ready: bool,
        /// It is being deleted.
        deleting: bool,
        /// Its `spec.state` is `Suspended`.
        suspended: bool,
        /// It stays in RAM, in use, when its object goes.
        stays: bool,
    },
}

/// What RAM shows of the user and its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InRam {
    /// Whose user it is.
    pub user: Ownership,
    /// Its keys, listed live.
    pub keys: Vec<AccessKey>,
}

/// Whose the RAM user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// There is no such user, by name and by id.
    #[default]
    Gone,
    /// Ours: the id is the one we know, and the marker is not somebody else's.
    Ours,
    /// Somebody else's.
    NotOurs,
}

/// The Secret of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSeen {
    /// There is none.
    Absent,
    /// There is one that is not ours.
    Foreign,
    /// There is ours.
    Ours(Published),
}

/// The pair in the Secret of `spec.secret.adoptFrom`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairSeen {
    /// There is no such Secret.
    Missing,
    /// It has nothing under this key.
    Lacks(String),
    /// What it has as the id is none of an AccessKey.
    NoId,
    /// It is the output too and cannot be: another controller or object has it, or nobody may change it.
    Taken,
    /// It is there.
    There {
        /// What is to be the id.
        id: String,
        /// What RAM said when it was asked whose it is.
        proof: Option<Proof>,
    },
}

/// What our Secret says.
#[allow(clippy::struct_excessive_bools, reason = "four facts about one Secret, each read by name")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Id of the published key.
    pub id: Option<String>,
    /// The pair is there and fits its hash.
    pub intact: bool,
    /// The account it was published in.
    pub account_id: Option<String>,
    /// When.
    pub time: Option<Timestamp>,
    /// The intent whose mint it was.
    pub intent: Option<String>,
    /// Keys on their way out when it was published: id, since when, why.
    pub retiring: Vec<(String, Timestamp, Why)>,
    /// Its contents are what would be written now.
    pub up_to_date: bool,
    /// An owner reference would let garbage collection take it.
    pub owned: bool,
}

/// Another RamAccessKey of the same user, or a RamRevocation that has what one left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sibling {
    /// Its name.
    pub name: String,
    /// It is a RamRevocation.
    pub order: bool,
    /// Ids that it has: in its Secret, its status, or on their way out.
    pub ids: Vec<String>,
    /// Its open intents.
    pub intents: Vec<Intent>,
    /// It has a rotation interval.
    pub interval: bool,
}

impl Seen {
    fn keys(&self) -> &[AccessKey] {
        self.ram.as_ref().map_or(&[], |ram| &ram.keys)
    }

    fn key(&self, id: &str) -> Option<&AccessKey> {
        self.keys().iter().find(|key| key.id == id)
    }

    fn is(&self, id: &str, status: KeyStatus) -> bool {
        self.key(id).is_some_and(|key| key.status == status)
    }

    /// Whether anything may be granted to this key, or why not.
    fn granted(&self) -> Result<(), Verdict> {
        if self.paused { Err(reason(Reason::Paused)) } else { self.grant.clone() }
    }

    /// Whether a disabled key is to be enabled because somebody asked for it.
    fn to_restore(&self, journal: &Journal, id: &str) -> bool {
        journal.requests.restore.open() == Some(id) && self.granted().is_ok()
    }

    /// The last use of a key but for a proof of ours, which STS answers.
    fn use_by_others(&self, id: &str) -> Option<Timestamp> {
        let used = self.uses.get(id)?;
        used.time.filter(|_| !used.service.as_ref().is_some_and(|service| service.eq_ignore_ascii_case("sts")))
    }

    /// Whether a key that is deleted has still to go from the recycle bin. A revoked one always has.
    fn to_purge(&self, id: &str, revoked: bool) -> bool {
        (revoked || self.pace().purge) && !self.purged.contains(id)
    }

    fn sibling_has(&self, id: &str) -> bool {
        self.siblings.iter().any(|sibling| sibling.ids.iter().any(|known| known == id))
    }
}

/// What to do next.
#[must_use]
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    let journal = settle(seen, now);
    let answer = if seen.deleting { delete::next(seen, &journal, now) } else { live::next(seen, &journal, now) };
    match answer {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

/// `Ok(None)`: this stage wants nothing.
type Stage = Result<Option<Step>, Verdict>;

fn before(time: Timestamp, wait: std::time::Duration) -> Timestamp {
    time.saturating_sub(wait).unwrap_or(Timestamp::MIN)
}

fn reason(reason: Reason) -> Verdict {
    Verdict::new(reason)
}
