//! How fast RAM may be asked: a token bucket for each action, shared by everything that uses one account.
//!
//! Alibaba Cloud publishes rates per action and account: reads 100/s, writes 20/s, attachments and memberships 10/s.
//! Other tools of the account take part in them, so only a share is used, and an action that RAM throttles all the
//! same is slowed down for a minute.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a call waits for a token; if it would take longer it does not wait at all.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an action takes to get back from a throttled rate to its full one.
const RECOVERY: Duration = Duration::from_mins(1);
/// The part of its rate that an action keeps however often it is throttled.
const SLOWEST: f64 = 1.0 / 16.0;

/// Which of the budget's two queues a call waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Deletions, revocations, disabling: served first.
    TakeAway,
    /// Everything else.
    Ordinary,
}

/// The budget of one account. Share it by `Arc` among all clients of the account.
#[derive(Debug)]
pub struct Budget {
    share: AtomicU8,
    tickets: AtomicU64,
    meters: Mutex<HashMap<&'static str, Meter>>,
}

impl Budget {
    /// A budget of `quota_share` percent of the published rates. Less than 1 counts as 1, more than 100 as 100.
    #[must_use]
    pub fn new(quota_share: u8) -> Self {
        Self {
            share: AtomicU8::new(quota_share.clamp(1, 100)),
            tickets: AtomicU64::new(0),
            meters: Mutex::new(HashMap::new()),
        }
    }

    /// Changes the share, from the next token on.
    pub fn set_quota_share(&self, quota_share: u8) {
        self.share.store(quota_share.clamp(1, 100), Ordering::Relaxed);
    }

    /// Takes a token for `action`, after waiting for it up to 2 s.
    ///
    /// Else the error is the wait to expect; nothing has been taken then.
    pub async fn acquire(&self, action: &'static str, lane: Lane) -> Result<(), Duration> {
        let deadline = Instant::now() + PATIENCE;
        let ticket = Ticket::draw(self, action, lane);
        loop {
            let now = Instant::now();
            let Some(wait) = ticket.ask(now) else {
                return Ok(());
            };
            if now + wait > deadline {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// RAM throttled `action`: halves its rate, which recovers within a minute.
    pub fn slow_down(&self, action: &'static str) {
        let now = Instant::now();
        self.with_meter(action, now, |meter, _| meter.bucket.slow_down(now));
    }

    fn with_meter<T>(&self, action: &'static str, now: Instant, act: impl FnOnce(&mut Meter, f64) -> T) -> T {
        let rate = published_rate(action) * f64::from(self.share.load(Ordering::Relaxed)) / 100.0;
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        act(meters.entry(action).or_insert_with(|| Meter::full(rate, now)), rate)
    }
}

/// The published rate of an action per second.
fn published_rate(action: &str) -> f64 {
    let starts_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| action.starts_with(prefix));
    if starts_with(&["AttachPolicy", "DetachPolicy", "AddUserToGroup", "RemoveUserFromGroup"]) {
        10.0
    } else if starts_with(&["Get", "List", "AssumeRole"]) {
        100.0
    } else {
        20.0
    }
}

/// A place in the queue of an action, given up when dropped.
struct Ticket<'a> {
    budget: &'a Budget,
    action: &'static str,
    lane: Lane,
    number: u64,
}

impl<'a> Ticket<'a> {
    fn draw(budget: &'a Budget, action: &'static str, lane: Lane) -> Self {
        let number = budget.tickets.fetch_add(1, Ordering::Relaxed);
        budget.with_meter(action, Instant::now(), |meter, _| meter.join(lane, number));
        Self { budget, action, lane, number }
    }

    fn ask(&self, now: Instant) -> Option<Duration> {
        self.budget.with_meter(self.action, now, |meter, rate| meter.ask(self.lane, self.number, rate, now))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.budget.with_meter(self.action, Instant::now(), |meter, _| meter.leave(self.lane, self.number));
    }
}

/// The bucket of one action and those who wait for its tokens. Knows the time only as told.
#[derive(Debug)]
struct Meter {
    bucket: Bucket,
    take_away: VecDeque<u64>,
    ordinary: VecDeque<u64>,
}

impl Meter {
    fn full(rate: f64, now: Instant) -> Self {
        Self { bucket: Bucket::full(rate, now), take_away: VecDeque::new(), ordinary: VecDeque::new() }
    }

    fn queue(&mut self, lane: Lane) -> &mut VecDeque<u64> {
        match lane {
            Lane::TakeAway => &mut self.take_away,
            Lane::Ordinary => &mut self.ordinary,
        }
    }

    fn join(&mut self, lane: Lane, number: u64) {
        self.queue(lane).push_back(number);
    }

    fn leave(&mut self, lane: Lane, number: u64) {
        self.queue(lane).retain(|other| *other != number);
    }

    /// How many are served before this one.
    fn ahead(&self, lane: Lane, number: u64) -> usize {
        let before = |queue: &VecDeque<u64>| queue.iter().take_while(|other| **other != number).count();
        match lane {
            Lane::TakeAway => before(&self.take_away),
            Lane::Ordinary => self.take_away.len() + before(&self.ordinary),
        }
    }

    /// Takes a token if there is one that nobody ahead needs, else tells the wait. The ticket stays in the queue
    /// until it leaves, which it does at once after a token.
    fn ask(&mut self, lane: Lane, number: u64, rate: f64, now: Instant) -> Option<Duration> {
        let ahead = u32::try_from(self.ahead(lane, number)).unwrap_or(u32::MAX);
        let wait = self.bucket.take(1.0 + f64::from(ahead), rate, now);
        if wait.is_none() {
            self.leave(lane, number);
        }
        wait
    }
}

/// A token bucket that holds a second's worth of its rate, and at least one token.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    /// When the rate was cut last, and to which part of the full one.
    slowed: Option<(Instant, f64)>,
}

impl Bucket {
    fn full(rate: f64, now: Instant) -> Self {
        Self { tokens: rate.max(1.0), filled: now, slowed: None }
    }

    /// The part of the full rate that is allowed now; grows linearly back to 1.
    fn part(&self, now: Instant) -> f64 {
        self.slowed.map_or(1.0, |(at, part)| {
            let recovered = now.saturating_duration_since(at).as_secs_f64() / RECOVERY.as_secs_f64();
            (part + (1.0 - part) * recovered).min(1.0)
        })
    }

    fn slow_down(&mut self, now: Instant) {
        self.slowed = Some((now, (self.part(now) / 2.0).max(SLOWEST)));
        // What was saved up would only be refused.
        self.tokens = self.tokens.min(1.0);
    }

    /// Takes one token if there are `wanted` of them, else tells when there will be. `rate` is the full one per second.
    fn take(&mut self, wanted: f64, rate: f64, now: Instant) -> Option<Duration> {
        let rate = rate * self.part(now);
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * rate).min(rate.max(1.0));
        self.filled = self.filled.max(now);
        let lacking = wanted - self.tokens;
        // Sums of parts of a second come out a hair too small.
        if lacking <= 1e-6 {
            self.tokens -= 1.0;
            return None;
        }
        Some(Duration::try_from_secs_f64(lacking / rate).unwrap_or(Duration::MAX).min(Duration::from_hours(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: f64 = 1.0;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-6
    }

    fn millis(wait: Option<Duration>) -> u128 {
        wait.map_or(0, |wait| (wait + Duration::from_micros(500)).as_millis())
    }

    #[test]
    fn a_second_of_tokens_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(10.0, start);
        for _ in 0..10 {
            assert_eq!(bucket.take(ONE, 10.0, start), None);
        }
        assert_eq!(millis(bucket.take(ONE, 10.0, start)), 100);
        assert_eq!(millis(bucket.take(ONE, 10.0, after(start, 40))), 60);
        assert_eq!(bucket.take(ONE, 10.0, after(start, 100)), None);
        assert_eq!(millis(bucket.take(ONE, 10.0, after(start, 100))), 100);
        // A long rest saves up no more than a second's worth.
        let later = after(start, 3_600_000);
        assert_eq!((0..20).filter(|_| bucket.take(ONE, 10.0, later).is_none()).count(), 10);
    }

    #[test]
    fn a_rate_below_one_a_second_still_gives_one() {
        let start = Instant::now();
        let mut bucket = Bucket::full(0.1, start);
        assert_eq!(bucket.take(ONE, 0.1, start), None);
        assert_eq!(millis(bucket.take(ONE, 0.1, start)), 10_000);
        assert_eq!(bucket.take(ONE, 0.1, after(start, 10_000)), None);
    }

    #[test]
    fn time_that_stands_still_or_runs_back_gives_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::full(1.0, after(start, 1_000));
        assert_eq!(bucket.take(ONE, 1.0, start), None);
        assert_eq!(millis(bucket.take(ONE, 1.0, start)), 1_000);
        assert_eq!(millis(bucket.take(ONE, 1.0, after(start, 1_000))), 1_000);
    }

    #[test]
    fn throttling_halves_and_a_minute_heals() {
        let start = Instant::now();
        let mut bucket = Bucket::full(10.0, start);
        bucket.slow_down(start);
        assert!(close(bucket.part(start), 0.5));
        assert!(close(bucket.part(after(start, 30_000)), 0.75));
        assert!(close(bucket.part(after(start, 60_000)), 1.0));
        assert!(close(bucket.part(after(start, 600_000)), 1.0));
        assert_eq!(bucket.take(ONE, 10.0, start), None);
        assert_eq!(millis(bucket.take(ONE, 10.0, start)), 200);
        for _ in 0..20 {
            bucket.slow_down(start);
        }
        assert!(close(bucket.part(start), SLOWEST));
    }

    #[test]
    fn what_takes_away_is_served_first() {
        let start = Instant::now();
        let mut meter = Meter::full(1.0, start);
        meter.join(Lane::Ordinary, 0);
        assert_eq!(meter.ask(Lane::Ordinary, 0, 1.0, start), None);
        meter.join(Lane::Ordinary, 1);
        meter.join(Lane::Ordinary, 2);
        meter.join(Lane::TakeAway, 3);
        assert_eq!(millis(meter.ask(Lane::TakeAway, 3, 1.0, start)), 1_000);
        assert_eq!(millis(meter.ask(Lane::Ordinary, 1, 1.0, start)), 2_000);
        assert_eq!(millis(meter.ask(Lane::Ordinary, 2, 1.0, start)), 3_000);
        let later = after(start, 1_000);
        assert_eq!(millis(meter.ask(Lane::Ordinary, 1, 1.0, later)), 1_000);
        assert_eq!(meter.ask(Lane::TakeAway, 3, 1.0, later), None);
        meter.leave(Lane::Ordinary, 1);
        assert_eq!(millis(meter.ask(Lane::Ordinary, 2, 1.0, later)), 1_000);
    }

    #[test]
    fn rates_are_the_published_ones() {
        for (action, rate) in [
            ("GetUser", 100.0),
            ("ListAccessKeys", 100.0),
            ("GetCallerIdentity", 100.0),
            ("AssumeRoleWithOIDC", 100.0),
            ("CreateAccessKey", 20.0),
            ("DeleteUser", 20.0),
            ("AttachPolicyToUser", 10.0),
            ("DetachPolicyFromUser", 10.0),
            ("AttachPolicyToGroup", 10.0),
            ("DetachPolicyFromGroup", 10.0),
            ("AddUserToGroup", 10.0),
            ("RemoveUserFromGroup", 10.0),
            ("GetLoginProfile", 100.0),
            ("GetUserMFAInfo", 100.0),
            ("GetAccessKeyPolicyForAccount", 100.0),
            ("ListVirtualMFADevices", 100.0),
            ("ListUsersForGroup", 100.0),
            ("ListEntitiesForPolicy", 100.0),
            ("UpdateLoginProfile", 20.0),
            ("CreateVirtualMFADevice", 20.0),
            ("BindMFADevice", 20.0),
            ("UnbindMFADevice", 20.0),
            ("CreateGroup", 20.0),
            ("CreatePolicyVersion", 20.0),
            ("SetDefaultPolicyVersion", 20.0),
            ("SetSecurityPreference", 20.0),
        ] {
            assert!(close(published_rate(action), rate), "{action}");
        }
    }

    #[tokio::test]
    async fn an_empty_budget_says_how_long() {
        let budget = Budget::new(1);
        assert_eq!(budget.acquire("AttachPolicyToUser", Lane::Ordinary).await, Ok(()));
        let wait = budget.acquire("AttachPolicyToUser", Lane::Ordinary).await.unwrap_err();
        assert!(wait > Duration::from_secs(8), "{wait:?}");
        // Who gave up is not in the queue any more, and other actions have their own tokens.
        let again = budget.acquire("AttachPolicyToUser", Lane::Ordinary).await.unwrap_err();
        assert!(again <= wait, "{again:?} {wait:?}");
        assert_eq!(budget.acquire("GetUser", Lane::Ordinary).await, Ok(()));
        budget.set_quota_share(100);
        assert_eq!(budget.acquire("AttachPolicyToUser", Lane::TakeAway).await, Ok(()));
    }
}
