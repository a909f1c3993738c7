//! Faults that tests inject, and the hook that holds calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::envelope::Product;

/// A rule that makes calls fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The action it concerns; `None`: every action.
    pub action: Option<String>,
    /// The user it concerns, by UserName or the part of the UserPrincipalName before `@`; `None`: any or none.
    pub user: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// This many calls pass first.
    pub skip: u32,
    /// So many calls are struck; `None`: all.
    pub times: Option<u32>,
}

impl Fault {
    /// A rule that strikes every call of an action.
    pub fn on(action: impl Into<String>, kind: FaultKind) -> Self {
        Self { action: Some(action.into()), user: None, kind, skip: 0, times: None }
    }

    /// A rule that strikes every call.
    pub fn everywhere(kind: FaultKind) -> Self {
        Self { action: None, user: None, kind, skip: 0, times: None }
    }

    /// The same rule for one user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The same rule after `skip` calls.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// The same rule for `times` calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// What a fault does. All but `Latency` and `CutAfter` prevent the effect; the signature is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `Throttling.User`, with the header `x-acs-retry-after` if a value is given.
    Throttle { retry_after: Option<u64> },
    /// An error reply.
    Status { status: u16, code: String },
    /// The call waits before anything else happens. Other rules may strike it as well.
    Latency(Duration),
    /// The connection is cut instead of the effect.
    CutBefore,
    /// The connection is cut after the effect, before the reply.
    CutAfter,
    /// 200 with a web page, as from a proxy.
    Garbage,
}

/// Moment at which the hook is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The call has arrived; its signature and time are checked after this.
    Before,
    /// The effect has happened, the reply is not sent.
    After,
}

/// What the hook decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Go on.
    Go,
    /// Cut the connection.
    Cut,
    /// Send this error instead.
    Reply { status: u16, code: String },
}

/// What the hook is told of a call.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// Number of the call in order of arrival, from 1.
    pub seq: u64,
    /// API called, if its version is known.
    pub product: Option<Product>,
    /// Action called.
    pub action: String,
    /// Parameters without secrets.
    pub params: BTreeMap<String, String>,
    /// UserName, or UserPrincipalName before the `@`.
    pub user: Option<String>,
}

/// Asked before and after the effect of every call; a call waits for it as long as it takes.
pub type Hook = Arc<dyn Fn(CallInfo, Phase) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    next_id: usize,
    rules: Vec<(usize, Fault)>,
}

impl Faults {
    /// Adds a rule and returns its id.
    pub fn add(&mut self, fault: Fault) -> usize {
        self.next_id += 1;
        self.rules.push((self.next_id, fault));
        self.next_id
    }

    /// Takes one rule away.
    pub fn remove(&mut self, id: usize) {
        self.rules.retain(|(rule, _)| *rule != id);
    }

    /// Takes all rules away.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// What strikes this call: the sum of the latencies, and the first other fault.
    pub fn strike(&mut self, action: &str, user: Option<&str>) -> (Duration, Option<FaultKind>) {
        let mut latency = Duration::ZERO;
        let mut struck = None;
        for (_, rule) in &mut self.rules {
            let other_user =
                rule.user.as_deref().is_some_and(|name| user.is_none_or(|user| !name.eq_ignore_ascii_case(user)));
            if other_user || rule.action.as_deref().is_some_and(|name| name != action) || rule.times == Some(0) {
                continue;
            }
            let delays = matches!(rule.kind, FaultKind::Latency(_));
            if !delays && struck.is_some() {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            match &rule.kind {
                FaultKind::Latency(delay) => latency += *delay,
                other => struck = Some(other.clone()),
            }
        }
        (latency, struck)
    }
}
