//! Pure decisions: what to do next, given what is asked for and what was seen.
//!
//! Each kind has a function `next(seen, now) -> Next<Step>`. It reads plain data, takes the time as an argument and has no effect;
//! [`crate::controller`] looks, asks, carries out one step, and looks again until the answer is [`Next::Rest`].

pub mod adoption;
pub mod attachments;
pub mod document;
pub mod marker;
pub mod mfa_device;
pub mod names;
pub mod ownership;
pub mod preview;
pub mod ram_access_key;
pub mod ram_account;
pub mod ram_group;
pub mod ram_policy;
pub mod ram_revocation;
pub mod ram_user;
pub mod reason;
pub mod settings;
pub mod tenant;
pub mod timing;

use std::time::Duration;

use jiff::Timestamp;

pub use reason::Reason;

/// What a plan answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<S> {
    /// Carry out this one effect and look again.
    Do(S),
    /// There is nothing to do.
    Rest(Verdict),
}

impl<S> Next<S> {
    /// `Rest` for `reason`.
    #[must_use]
    pub fn rest(reason: Reason) -> Self {
        Self::Rest(Verdict::new(reason))
    }
}

/// What a plan says when no step is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why the object is as it is; decides `Ready` and `Stalled`.
    pub reason: Reason,
    /// What it is about, in words that do not change while the world does not.
    pub detail: Option<String>,
    /// When to look again, if sooner than the next look.
    pub recheck: Option<Duration>,
    /// Differences that are reported and left alone.
    pub drift: Option<String>,
}

impl Verdict {
    /// A verdict without detail.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self { reason, detail: None, recheck: None, drift: None }
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Asks for another look after `wait`, or sooner if that was asked for before.
    #[must_use]
    pub fn again_in(mut self, wait: Duration) -> Self {
        self.recheck = Some(self.recheck.map_or(wait, |before| before.min(wait)));
        self
    }

    /// Asks for another look at `time`, at the earliest in a second.
    #[must_use]
    pub fn again_at(self, time: Timestamp, now: Timestamp) -> Self {
        let wait = Duration::try_from(time.duration_since(now)).unwrap_or_default();
        self.again_in(wait.max(Duration::from_secs(1)))
    }

    /// What is only watched, with the differences from what is asked for.
    #[must_use]
    pub fn observed(drift: &[String]) -> Self {
        let drift = (!drift.is_empty()).then(|| drift.join("; "));
        Self { drift, ..Self::new(Reason::Observed) }
    }

    /// The condition's message: what is so, what it is about, what to do.
    #[must_use]
    pub fn message(&self) -> String {
        let (what, advice) = (self.reason.meaning(), self.reason.advice());
        match &self.detail {
            Some(detail) => format!("{what}: {detail}. {advice}"),
            None => format!("{what}. {advice}"),
        }
    }
}

/// Refuses grants and repairs of an object that is paused.
pub fn unpaused(paused: bool) -> Result<(), Verdict> {
    if paused { Err(Verdict::new(Reason::Paused)) } else { Ok(()) }
}

/// Type, reason and message of a condition beside `Ready` that is true.
pub type Extra = (&'static str, &'static str, String);

/// Type, reason and message of a condition beside `Ready` that is there whether it is true or not: its reason says which.
pub type Standing = (&'static str, Reason, String);

/// An account that can be used, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// The account's number.
    pub account_id: String,
    /// This installation's name in markers.
    pub owner_id: String,
    /// Put before generated user names.
    pub prefix: String,
    /// The part after `@` in user principal names, if it could be read.
    pub default_domain: Option<String>,
    /// Its RamAccount is being deleted: what exists is kept up, nothing new is granted.
    pub leaving: bool,
}

impl AccountView {
    /// Whether an object that was made in the account of this number, or in none yet, belongs here.
    #[must_use]
    pub fn has(&self, made_in: Option<&String>) -> bool {
        made_in.is_none_or(|id| *id == self.account_id)
    }

    /// An object keeps the account it was made in; another one under the same name is never written to.
    pub fn keeps(&self, made_in: Option<&String>) -> Result<(), Verdict> {
        match made_in {
            Some(id) if !self.has(made_in) => {
                Err(Verdict::new(Reason::WrongAccount).about(format!("it was made in account {id}")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses grants in an account that is being given up.
    pub fn open(&self) -> Result<(), Verdict> {
        if self.leaving { Err(Verdict::new(Reason::AccountLeaving)) } else { Ok(()) }
    }
}
