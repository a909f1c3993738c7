//! Why a pass ended without a verdict of the plan, and what that means for the object.

use std::time::Duration;

use crate::plan::timing::{LATER, SOON};
use crate::plan::{Reason, Verdict};
use crate::ram::{self, Class};

/// What ends a pass early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An act found out something that is itself a verdict.
    #[error("{}", .0.message())]
    Verdict(Verdict),
    /// RAM, IMS or STS refused or did not answer.
    #[error(transparent)]
    Ram(#[from] ram::Error),
    /// The cluster's API refused or did not answer.
    #[error("the cluster's API: {}", summary(.0))]
    Kube(#[source] Box<kube::Error>),
    /// Somebody else wrote the object first; the next pass sees what.
    #[error("the object changed meanwhile")]
    Conflict,
    /// The same step was asked for twice in a row: the world lags behind.
    #[error("what was just written does not show yet")]
    Unsettled,
    /// The account was not looked at yet, as after a start, or RAM does not answer: nobody knows whether it is usable.
    #[error("RamAccount {0} is not known to be usable yet")]
    AccountPending(String),
    /// Many steps were taken; go on in the next pass.
    #[error("there is more to do")]
    Unfinished,
    /// The process is shutting down.
    #[error("the operator is shutting down")]
    Stopping,
    /// This replica may not write.
    #[error("this replica is not the leader")]
    NotLeader,
    /// The object is gone.
    #[error("the object is gone")]
    Gone,
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.is_conflict() && !status.is_already_exists() => Self::Conflict,
            _ => Self::Kube(Box::new(error)),
        }
    }
}

impl From<Verdict> for Error {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

/// The server's code and reason. Its message stays out: an admission webhook may put a Secret's data there.
fn summary(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => "no answer".to_owned(),
        kube::Error::SerdeError(_) => "a reply that does not fit the schema".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

impl Error {
    /// The metric's `outcome`: bounded.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Verdict(_) => "refused",
            Self::Ram(error) => error.class().label(),
            Self::Kube(_) => "cluster",
            Self::Conflict => "conflict",
            Self::Unsettled => "unsettled",
            Self::AccountPending(_) => "account_pending",
            Self::Unfinished => "unfinished",
            Self::Stopping | Self::NotLeader => "stopping",
            Self::Gone => "gone",
        }
    }

    /// Whether waiting alone may help, so that a ready object stays ready meanwhile.
    #[must_use]
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Verdict(_) => false,
            Self::Ram(error) => matches!(error.class(), Class::Throttled | Class::Busy | Class::Transient),
            Self::Kube(error) => {
                !matches!(&**error, kube::Error::Api(status) if status.code < 500 && status.code != 429)
            }
            _ => true,
        }
    }

    /// What the object's conditions say of it; `None`: nothing, the next pass will know.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Verdict(verdict) => Some(verdict.clone()),
            Self::Ram(error) => Some(of_ram(error)),
            Self::Kube(error) => Some(of_kube(error)),
            Self::Unsettled => Some(Verdict::new(Reason::Unsettled)),
            Self::AccountPending(name) => {
                Some(Verdict::new(Reason::AccountNotReady).about(format!("RamAccount {name}")))
            }
            Self::Conflict | Self::Unfinished | Self::Stopping | Self::NotLeader | Self::Gone => None,
        }
    }

    /// How long to wait after `failures` failures in a row: full jitter is the caller's.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        let growing = |first: Duration, cap: Duration| first.saturating_mul(1 << failures.min(12)).min(cap);
        match self {
            Self::Unfinished | Self::Stopping | Self::NotLeader | Self::Gone => Duration::ZERO,
            Self::Conflict => growing(Duration::from_millis(50), SOON),
            Self::Verdict(verdict) => verdict.recheck.unwrap_or(LATER),
            Self::Ram(error) => match error.class() {
                Class::Busy => error.retry_after().unwrap_or(SOON),
                Class::Throttled | Class::Transient => {
                    growing(Duration::from_secs(1), LATER).max(error.retry_after().unwrap_or_default())
                }
                Class::Exists | Class::InUse | Class::Missing => growing(SOON, LATER),
                Class::Clock | Class::Credentials | Class::Denied => growing(6 * SOON, LATER),
                Class::WrongAccount | Class::Quota | Class::Invalid => LATER,
            },
            Self::Unsettled | Self::AccountPending(_) | Self::Kube(_) => growing(Duration::from_secs(1), LATER),
        }
    }
}

fn of_ram(error: &ram::Error) -> Verdict {
    let reason = match error.class() {
        Class::Throttled | Class::Busy => Reason::Throttled,
        Class::Transient => Reason::RamUnavailable,
        Class::Clock => Reason::ClockSkew,
        Class::Credentials => Reason::CredentialsInvalid,
        Class::WrongAccount => Reason::WrongAccount,
        Class::Denied => Reason::AccessDenied,
        Class::Quota => Reason::QuotaReached,
        Class::InUse => Reason::Blocked,
        Class::Missing | Class::Exists => Reason::Unsettled,
        Class::Invalid => Reason::RequestRefused,
    };
    let verdict = Verdict::new(reason);
    match (error.code(), error.denied_action()) {
        (_, Some(action)) => verdict.about(action),
        (Some(code), None) => verdict.about(format!("{} answered {code}", error.action())),
        (None, None) => match error.note() {
            Some(note) => verdict.about(note),
            None => verdict,
        },
    }
}

fn of_kube(error: &kube::Error) -> Verdict {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            let verdict = Verdict::new(Reason::ClusterDenied);
            // Resource and name are the server's own words; its message may be a webhook's.
            match status.details.as_ref().filter(|details| !details.kind.is_empty()) {
                Some(details) => verdict.about([&*details.kind, &*details.name].join(" ").trim_end()),
                None => verdict,
            }
        }
        kube::Error::Api(status) if status.code < 500 && status.code != 429 => {
            Verdict::new(Reason::InternalError).about(format!("{} {}", status.code, status.reason))
        }
        _ => Verdict::new(Reason::ClusterUnavailable),
    }
}
