//! Counts for Prometheus. Every label has few values.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::clock::Clock;
use crate::controller::drive::ObjectKey;
use crate::ram::Observer;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Upper bounds of the classes of key age, in days.
const AGES: [(i64, &str); 5] = [(1, "1d"), (7, "7d"), (30, "30d"), (90, "90d"), (365, "365d")];

/// The operator's counts.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    clock: Clock,
    calls: Family<Labels<2>, Counter>,
    passes: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    watches: Family<Labels<1>, Counter>,
    objects: Family<Labels<2>, Gauge>,
    ages: Family<Labels<1>, Gauge>,
    oldest: Gauge,
    pending: Gauge,
    oldest_pending: Gauge,
    leader: Gauge,
    /// What each object was last: ready or not, and when its key was made.
    known: Mutex<HashMap<ObjectKey, Known>>,
}

fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 4.0, 8))
}

#[derive(Default)]
struct Known {
    ready: bool,
    key_made: Option<Timestamp>,
    ordered: Option<Timestamp>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let mut registry = Registry::with_prefix("ram_operator");
        let calls = Family::default();
        let passes = Family::default();
        let seconds = Family::new_with_constructor(durations as fn() -> Histogram);
        let watches = Family::default();
        let objects = Family::default();
        let ages = Family::default();
        let oldest = Gauge::default();
        let pending = Gauge::default();
        let oldest_pending = Gauge::default();
        let leader = Gauge::default();
        registry.register("ram_calls", "Calls to RAM, IMS and STS by action and outcome", Family::clone(&calls));
        registry.register("reconciles", "Passes by kind and outcome", Family::clone(&passes));
        registry.register("reconcile_duration_seconds", "Length of passes by kind", Family::clone(&seconds));
        registry.register("watch_failures", "Watches that failed, by kind", Family::clone(&watches));
        registry.register("objects", "Objects by kind and readiness", Family::clone(&objects));
        registry.register(
            "access_keys_by_age",
            "Published AccessKeys by age: each class holds those up to it",
            Family::clone(&ages),
        );
        registry.register(
            "oldest_access_key_age_seconds",
            "Age of the oldest published AccessKey",
            Gauge::clone(&oldest),
        );
        registry.register("pending_revocations", "RamRevocations that are not done", Gauge::clone(&pending));
        registry.register(
            "oldest_pending_revocation_age_seconds",
            "Age of the oldest RamRevocation that is not done",
            Gauge::clone(&oldest_pending),
        );
        registry.register("leader", "Whether this replica works (1) or stands by (0)", Gauge::clone(&leader));
        let known = Mutex::default();
        Self(Arc::new(Inner {
            registry,
            clock,
            calls,
            passes,
            seconds,
            watches,
            objects,
            ages,
            oldest,
            pending,
            oldest_pending,
            leader,
            known,
        }))
    }

    /// Counts calls of a RAM client.
    #[must_use]
    pub fn observer(&self) -> Observer {
        let inner = Arc::clone(&self.0);
        Arc::new(move |action, outcome| {
            inner.calls.get_or_create(&[("action", action), ("outcome", outcome)]).inc();
        })
    }

    /// A pass ended.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.0.passes.get_or_create(&[("kind", kind), ("outcome", outcome)]).inc();
        self.0.seconds.get_or_create(&[("kind", kind)]).observe(took.as_secs_f64());
    }

    /// A watch failed.
    pub fn watch_failed(&self, kind: &'static str) {
        self.0.watches.get_or_create(&[("kind", kind)]).inc();
    }

    /// An object is ready or not.
    pub fn object(&self, key: &ObjectKey, ready: bool) {
        self.with(|known| known.entry(key.clone()).or_default().ready = ready);
    }

    /// When the published key of an object was made, RFC 3339.
    pub fn key_age(&self, key: &ObjectKey, made: Option<&str>) {
        let made = made.and_then(|text| text.parse().ok());
        self.with(|known| known.entry(key.clone()).or_default().key_made = made);
    }

    /// A revocation that is still to be carried out, and since when; `None`: it is done.
    pub fn revocation(&self, key: &ObjectKey, since: Option<Timestamp>) {
        self.with(|known| known.entry(key.clone()).or_default().ordered = since);
    }

    /// Whether this replica is the one that works.
    pub fn lead(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// An object is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.with(|known| {
            known.remove(key);
        });
    }

    fn with(&self, act: impl FnOnce(&mut HashMap<ObjectKey, Known>)) {
        act(&mut self.0.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Everything in the text format of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        self.refresh();
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    fn refresh(&self) {
        let inner = &self.0;
        let now = inner.clock.now();
        let (mut objects, mut ages, mut oldest) = (HashMap::new(), HashMap::new(), 0);
        let (mut pending, mut oldest_pending) = (0_i64, 0);
        self.with(|known| {
            for (key, known) in known.iter() {
                *objects.entry((key.kind, if known.ready { "true" } else { "false" })).or_insert(0_i64) += 1;
                if let Some(since) = known.ordered {
                    pending += 1;
                    oldest_pending = oldest_pending.max(now.as_second().saturating_sub(since.as_second()));
                }
                let Some(made) = known.key_made else { continue };
                let age = now.as_second().saturating_sub(made.as_second());
                oldest = oldest.max(age);
                for (_, class) in AGES.iter().filter(|(days, _)| age <= days * 86_400) {
                    *ages.entry(*class).or_insert(0_i64) += 1;
                }
                *ages.entry("inf").or_insert(0_i64) += 1;
            }
        });
        inner.objects.clear();
        for ((kind, ready), count) in objects {
            inner.objects.get_or_create(&[("kind", kind), ("ready", ready)]).set(count);
        }
        inner.ages.clear();
        for (class, count) in ages {
            inner.ages.get_or_create(&[("up_to", class)]).set(count);
        }
        inner.oldest.set(oldest);
        inner.pending.set(pending);
        inner.oldest_pending.set(oldest_pending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_ages_are_counted_by_class() {
        let metrics = Metrics::new(Clock::from_fn(|| Timestamp::from_second(10 * 86_400).expect("a time")));
        let key = ObjectKey::new("RamAccessKey", Some("a"), "k");
        metrics.object(&key, true);
        metrics.key_age(&key, Some("1970-01-01T00:00:00Z"));
        metrics.object(&ObjectKey::new("RamUser", Some("a"), "u"), false);
        metrics.revocation(&ObjectKey::new("RamRevocation", None, "r"), Some(Timestamp::UNIX_EPOCH));
        (metrics.observer())("GetUser", "ok");
        let text = metrics.text();
        for line in [
            r#"ram_operator_objects{kind="RamAccessKey",ready="true"} 1"#,
            r#"ram_operator_objects{kind="RamUser",ready="false"} 1"#,
            r#"ram_operator_access_keys_by_age{up_to="30d"} 1"#,
            "ram_operator_oldest_access_key_age_seconds 864000",
            "ram_operator_pending_revocations 1",
            "ram_operator_oldest_pending_revocation_age_seconds 864000",
            r#"ram_operator_ram_calls_total{action="GetUser",outcome="ok"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(!text.contains(r#"up_to="7d""#), "{text}");
        metrics.forget(&key);
        assert!(!metrics.text().contains("RamAccessKey"));
    }
}
