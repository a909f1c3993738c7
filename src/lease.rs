//! Leader election: which of several replicas may write to RAM.
//!
//! One `Lease` object names the holder. It is written by compare-and-swap only: `replace` with the resourceVersion that was seen, `create`
//! where there was none; so two never hold it. Its times are for people. No replica compares them with its own clock: a standby counts, on
//! its monotonic clock, how long the record has not changed before its eyes, and takes it when that is as long as the holder promised.
//! The holder counts from before it sent the renewal, so its own count always ends first.
//!
//! | | of the duration | with 30 s |
//! |---|---|---|
//! | looked at by a standby, tried again by the holder | every 1/15 | 2 s |
//! | renewed, and the longest wait for one answer | 1/6 | 5 s |
//! | no write to RAM is begun any more | what is left after one request to RAM; at least 1/2 | 15 s |
//! | given up by the holder, whose process then ends | 2/3 | 20 s |
//! | taken by a standby | all of it | 30 s |
//!
//! All counted from the last renewal. With less than 30 s a slow request to RAM may come to an end after another replica has begun.
//!
//! A process that was frozen (SIGSTOP, a paused VM) finds its time run out on the first look at its clock. It may freeze between that look
//! and the request, and where a machine sleeps with its monotonic clock the look itself is wrong. No lease helps against either; the
//! protocols of minting, publishing and retiring do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Record, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

/// The longest that one request to RAM takes, from connecting to the end of its reply.
pub const RAM_REQUEST: Duration = Duration::from_secs(15);
/// The longest that a Lease lasts without being renewed.
pub const LONGEST: Duration = Duration::from_mins(10);
/// How often a write is tried that somebody else's write came before, as when a person annotates the Lease.
const TRIES: usize = 2;

/// The right to write to RAM. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Lease(Right);

#[derive(Clone, Debug)]
enum Right {
    /// There is no other replica.
    Always,
    /// Until this time; `None`: not any more.
    Until(Arc<Mutex<Option<Instant>>>),
}

impl Lease {
    /// For one replica: it may always.
    #[must_use]
    pub fn always() -> Self {
        Self(Right::Always)
    }

    /// Asked before every write to RAM: whether this replica is the leader, and stays it for as long as one request takes.
    #[must_use]
    pub fn holds(&self) -> bool {
        match &self.0 {
            Right::Always => true,
            Right::Until(until) => {
                let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
                until.is_some_and(|until| Instant::now() < until)
            }
        }
    }

    fn begin(until: Instant) -> Self {
        Self(Right::Until(Arc::new(Mutex::new(Some(until)))))
    }

    fn set(&self, end: Option<Instant>) {
        if let Right::Until(until) = &self.0 {
            *until.lock().unwrap_or_else(PoisonError::into_inner) = end;
        }
    }
}

/// How a leader lost the lease.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another one is in the record.
    #[error("{0} holds it now")]
    Taken(String),
    /// The record could not be written for too long.
    #[error("it was not renewed in time ({0})")]
    NotRenewed(String),
    /// The task that renews it is gone.
    #[error("renewing it ended unexpectedly")]
    Ended,
}

/// Why the record was not written.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{}", why(.0))]
    Refused(Box<kube::Error>),
    #[error("the cluster's API does not answer in time")]
    Late,
    #[error("this process stood still")]
    Frozen,
    #[error("others keep writing it")]
    Contended,
    #[error("{0} holds it")]
    Taken(String),
}

fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the cluster's API: {}", status.message),
        other => other.to_string(),
    }
}

/// Whether somebody else's write came first. `there`: there was a record to be replaced.
fn overtaken(error: &kube::Error, there: bool) -> bool {
    match error {
        kube::Error::Api(status) => {
            status.is_conflict() || status.is_already_exists() || (there && status.is_not_found())
        }
        _ => false,
    }
}

/// When what is due, all since the last renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timing {
    /// How long the lease lasts.
    duration: Duration,
    /// When it is renewed; no answer is waited for longer.
    renew: Duration,
    /// The pause between looks, and between tries.
    retry: Duration,
    /// For how long RAM may be written to.
    write: Duration,
    /// When its holder gives up.
    deadline: Duration,
}

impl Timing {
    fn of(duration: Duration) -> Self {
        Self {
            duration,
            renew: duration / 6,
            retry: duration / 15,
            write: duration.saturating_sub(RAM_REQUEST).max(duration / 2),
            deadline: duration * 2 / 3,
        }
    }
}

/// The record as this replica sees it.
#[derive(Debug, Default)]
struct Sight {
    /// As the server has it; `None`: there is none.
    record: Option<Record>,
    /// What it says. One that vanished still binds those who knew it: its holder may not have noticed yet.
    spec: LeaseSpec,
    /// When it was first seen to say so.
    since: Option<Instant>,
}

impl Sight {
    fn note(&mut self, record: Option<Record>, now: Instant) {
        let spec = record.as_ref().map(|record| record.spec.clone().unwrap_or_default());
        if let Some(spec) = spec
            && (self.since.is_none() || spec != self.spec)
        {
            self.spec = spec;
            self.since = Some(now);
        }
        self.record = record;
    }

    fn unchanged(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

/// Who holds a record; empty: nobody.
fn holder(spec: &LeaseSpec) -> &str {
    spec.holder_identity.as_deref().unwrap_or_default()
}

/// Whether `me` may take a record that has not changed for `unchanged`. The holder's own promise counts; `duration` stands in where there is
/// none.
fn free(seen: &LeaseSpec, unchanged: Duration, me: &str, duration: Duration) -> bool {
    let seconds = seen.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    // No replica of ours promises more: a longer one was written by hand, or comes from a backup.
    let promised = seconds.filter(|seconds| *seconds > 0).map_or(duration, Duration::from_secs).min(LONGEST);
    holder(seen).is_empty() || holder(seen) == me || unchanged >= promised
}

/// What `me` writes to take the record, or to renew it.
fn claim(seen: &LeaseSpec, me: &str, duration: Duration, now: Timestamp) -> LeaseSpec {
    let mine = holder(seen) == me;
    let seconds = duration.as_millis().div_ceil(1000);
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
        acquire_time: if mine { seen.acquire_time.clone() } else { Some(MicroTime(now)) },
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(match seen.lease_transitions {
            Some(count) if mine => count,
            Some(count) => count.saturating_add(1),
            None => 0,
        }),
        ..seen.clone()
    }
}

async fn bounded<T>(limit: Duration, call: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(|error| Failed::Refused(Box::new(error))),
        Err(_) => Err(Failed::Late),
    }
}

/// A replica that stands for election.
pub struct Candidate {
    api: Api<Record>,
    name: String,
    identity: String,
    timing: Timing,
    sight: Sight,
}

impl Candidate {
    /// Stands for the Lease `name` in `namespace`, which lasts for `duration` unless it is renewed. Its identity is the name of the host (in a
    /// pod: of the pod) and something random, so that a restarted process is another one.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, duration: Duration) -> Self {
        let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| "ram-operator".to_owned());
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: format!("{host}_{}", Uuid::new_v4()),
            timing: Timing::of(duration),
            sight: Sight::default(),
        }
    }

    /// Waits until the lease is ours. `None`: `stop` came first.
    pub async fn elected(mut self, stop: &CancellationToken) -> Option<Term> {
        let mut said = String::new();
        loop {
            let looked = tokio::select! {
                () = stop.cancelled() => return None,
                looked = self.look() => looked,
            };
            // Not given up half way: a record taken without anybody knowing keeps all others out until it has run out.
            let taken = match looked {
                Ok(()) => self.take().await,
                Err(error) => Err(error),
            };
            let news = match taken {
                Ok(Some(sent)) => return Some(Term::begin(self, sent)),
                Ok(None) => match holder(&self.sight.spec) {
                    "" => "another one was first".to_owned(),
                    leader => format!("{leader} leads"),
                },
                Err(error) => error.to_string(),
            };
            if news != said {
                info!(lease = self.name, news, "standing by");
                said = news;
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(self.timing.retry) => {}
            }
        }
    }

    /// Takes the record if it is free or has run out. `Some`: taken, by a request sent at this time.
    async fn take(&mut self) -> Result<Option<Instant>, Failed> {
        let unchanged = self.sight.unchanged(Instant::now());
        if !free(&self.sight.spec, unchanged, &self.identity, self.timing.duration) {
            return Ok(None);
        }
        self.write(self.claim()).await
    }

    fn claim(&self) -> LeaseSpec {
        claim(&self.sight.spec, &self.identity, self.timing.duration, Timestamp::now())
    }

    async fn look(&mut self) -> Result<(), Failed> {
        let record = bounded(self.timing.renew, self.api.get_opt(&self.name)).await?;
        self.sight.note(record, Instant::now());
        Ok(())
    }

    /// Writes the record if it still is as seen. `Some`: written, by a request sent at this time. `None`: somebody else was first.
    async fn write(&mut self, spec: LeaseSpec) -> Result<Option<Instant>, Failed> {
        let params = PostParams::default();
        let sent = Instant::now();
        let there = self.sight.record.is_some();
        let written = if let Some(record) = &self.sight.record {
            let record = Record { spec: Some(spec), ..record.clone() };
            bounded(self.timing.renew, self.api.replace(&self.name, &params, &record)).await
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let record = Record { metadata, spec: Some(spec) };
            bounded(self.timing.renew, self.api.create(&params, &record)).await
        };
        match written {
            Ok(record) => {
                self.sight.note(Some(record), Instant::now());
                Ok(Some(sent))
            }
            Err(Failed::Refused(error)) if overtaken(&error, there) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renews the lease until it is lost, or given back for good.
    async fn keep(mut self, lease: Lease, mut renewed: Instant, resign: CancellationToken) -> Option<Lost> {
        let mut next = renewed + self.timing.renew;
        let mut trouble = None;
        loop {
            tokio::select! {
                () = resign.cancelled() => {
                    lease.set(None);
                    self.release().await;
                    return None;
                }
                () = tokio::time::sleep_until(next) => {}
            }
            let deadline = renewed + self.timing.deadline;
            // Without this look at the clock a process that thaws would send a request before it notices.
            let renewal = if Instant::now() < deadline {
                tokio::time::timeout_at(deadline, self.renew()).await.unwrap_or(Err(Failed::Late))
            } else {
                Err(trouble.take().unwrap_or(Failed::Frozen))
            };
            let lost = match renewal {
                Ok(sent) => {
                    renewed = sent;
                    next = sent + self.timing.renew;
                    trouble = None;
                    lease.set(Some(sent + self.timing.write));
                    continue;
                }
                Err(Failed::Taken(by)) => Lost::Taken(by),
                Err(error) if Instant::now() < deadline => {
                    warn!(lease = self.name, %error, "the lease was not renewed");
                    next = Instant::now() + self.timing.retry;
                    trouble = Some(error);
                    continue;
                }
                Err(error) => Lost::NotRenewed(error.to_string()),
            };
            lease.set(None);
            return Some(lost);
        }
    }

    /// Renews the lease, by a request sent at the time returned. A record that was deleted is made again.
    async fn renew(&mut self) -> Result<Instant, Failed> {
        for _ in 0..TRIES {
            if let Some(sent) = self.write(self.claim()).await? {
                return Ok(sent);
            }
            self.look().await?;
            match holder(&self.sight.spec) {
                me if me == self.identity => {}
                "" => return Err(Failed::Taken("nobody".to_owned())),
                other => return Err(Failed::Taken(other.to_owned())),
            }
        }
        Err(Failed::Contended)
    }

    async fn release(&mut self) {
        match self.give_back().await {
            Ok(()) => info!(lease = self.name, "the lease is given back"),
            Err(error) => {
                warn!(lease = self.name, %error, "the lease is not given back, and lasts until it has run out");
            }
        }
    }

    async fn give_back(&mut self) -> Result<(), Failed> {
        for _ in 0..TRIES {
            if self.sight.record.is_none() || holder(&self.sight.spec) != self.identity {
                return Ok(());
            }
            let nobody = LeaseSpec {
                holder_identity: Some(String::new()),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..self.sight.spec.clone()
            };
            if self.write(nobody).await?.is_some() {
                return Ok(());
            }
            self.look().await?;
        }
        Err(Failed::Contended)
    }
}

/// A leader's time in office, renewed by a task of its own.
pub struct Term {
    lease: Lease,
    resign: CancellationToken,
    keeping: JoinHandle<Option<Lost>>,
}

impl Term {
    fn begin(candidate: Candidate, sent: Instant) -> Self {
        info!(lease = candidate.name, identity = candidate.identity, "leading");
        let lease = Lease::begin(sent + candidate.timing.write);
        let resign = CancellationToken::new();
        let keeping = tokio::spawn(candidate.keep(lease.clone(), sent, resign.clone()));
        Self { lease, resign, keeping }
    }

    /// The right to write to RAM during this term.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Waits until the lease is lost. It may not be awaited again after that.
    pub async fn lost(&mut self) -> Lost {
        let ended = (&mut self.keeping).await;
        self.lease.set(None);
        ended.ok().flatten().unwrap_or(Lost::Ended)
    }

    /// Gives the lease back, so that a standby takes over at once. For when nothing writes to RAM any more.
    pub async fn resign(self) {
        self.resign.cancel();
        // What there is to say about it is in the log.
        let _ = self.keeping.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn spec(holder: &str, seconds: Option<i32>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: seconds,
            lease_transitions: Some(3),
            acquire_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            renew_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            ..LeaseSpec::default()
        }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_free() {
        assert!(free(&LeaseSpec::default(), Duration::ZERO, "me", LONG), "never held");
        assert!(free(&spec("", Some(30)), Duration::ZERO, "me", LONG), "given back");
        assert!(free(&spec("me", Some(30)), Duration::ZERO, "me", LONG), "taken by a request without an answer");
        assert!(!free(&spec("other", Some(30)), secs(29), "me", LONG));
        assert!(free(&spec("other", Some(30)), secs(30), "me", LONG));
    }

    #[test]
    fn the_holders_promise_counts() {
        assert!(!free(&spec("other", Some(60)), secs(59), "me", LONG));
        assert!(free(&spec("other", Some(6)), secs(6), "me", LONG));
        for none in [None, Some(0), Some(-1)] {
            assert!(!free(&spec("other", none), secs(29), "me", LONG), "{none:?}");
            assert!(free(&spec("other", none), secs(30), "me", LONG), "{none:?}");
        }
    }

    #[test]
    fn a_claim_counts_transitions_and_keeps_what_is_not_ours() {
        let now = Timestamp::from_second(1_000).unwrap();
        let renewed = claim(&spec("me", Some(30)), "me", LONG, now);
        assert_eq!(renewed, LeaseSpec { renew_time: Some(MicroTime(now)), ..spec("me", Some(30)) });

        let other = LeaseSpec { strategy: Some("OldestEmulationVersion".to_owned()), ..spec("other", Some(30)) };
        let taken = claim(&other, "me", Duration::from_millis(6_500), now);
        assert_eq!((taken.holder_identity.as_deref(), taken.lease_transitions), (Some("me"), Some(4)));
        assert_eq!(taken.acquire_time, Some(MicroTime(now)));
        assert_eq!(taken.lease_duration_seconds, Some(7), "never less than what is kept to");
        assert_eq!(taken.strategy, other.strategy);

        let first = claim(&LeaseSpec::default(), "me", LONG, now);
        assert_eq!((first.lease_transitions, first.acquire_time), (Some(0), Some(MicroTime(now))));
    }

    #[test]
    fn a_record_ages_from_when_it_was_seen_to_change() {
        let begin = Instant::now();
        let seen = |spec: LeaseSpec| Some(Record { metadata: ObjectMeta::default(), spec: Some(spec) });
        let mut sight = Sight::default();
        sight.note(None, begin);
        assert_eq!(sight.unchanged(begin + secs(100)), Duration::ZERO, "nothing was seen yet");
        sight.note(seen(spec("other", Some(30))), begin);
        sight.note(seen(spec("other", Some(30))), begin + secs(10));
        assert_eq!(sight.unchanged(begin + secs(20)), secs(20));

        let renewed = LeaseSpec { renew_time: Some(MicroTime(Timestamp::MIN)), ..spec("other", Some(30)) };
        sight.note(seen(renewed), begin + secs(20));
        assert_eq!(sight.unchanged(begin + secs(25)), secs(5), "any other time is a renewal, also an earlier one");

        sight.note(None, begin + secs(30));
        assert!(sight.record.is_none());
        assert_eq!((holder(&sight.spec), sight.unchanged(begin + secs(30))), ("other", secs(10)), "it still binds");
    }

    #[test]
    fn times_follow_one_another() {
        for duration in [secs(6), secs(20), LONG, secs(600)] {
            let timing = Timing::of(duration);
            // One renewal may fail after its longest wait, and the next one is in time.
            assert!(timing.renew * 2 + timing.retry < timing.write, "{timing:?}");
            assert!(timing.deadline < timing.duration, "{timing:?}");
        }
        assert_eq!(Timing::of(LONG).write + RAM_REQUEST, LONG);
        assert_eq!(Timing::of(secs(60)).write + RAM_REQUEST, secs(60));
        let transport = include_str!("ram/transport.rs");
        assert!(transport.contains(&format!(".timeout(Duration::from_secs({}))", RAM_REQUEST.as_secs())));
    }

    #[test]
    fn it_holds_until_its_end() {
        assert!(Lease::always().holds());
        let lease = Lease::begin(Instant::now() + LONG);
        let clone = lease.clone();
        assert!(clone.holds());
        lease.set(Some(Instant::now()));
        assert!(!clone.holds());
        lease.set(Some(Instant::now() + LONG));
        assert!(clone.holds());
        lease.set(None);
        assert!(!clone.holds());
    }
}
