//! The emulator's clock, and the one date form RAM writes and accepts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The clock by which the emulator dates, checks and expires everything.
///
/// It runs with the system's clock, can be moved forward and can be set apart from the system's clock. Clones share one clock.
#[derive(Clone, Debug, Default)]
pub struct EmuClock(Arc<Offsets>);

/// Both in milliseconds.
#[derive(Debug, Default)]
struct Offsets {
    advanced: AtomicI64,
    skew: AtomicI64,
}

impl EmuClock {
    /// A clock that agrees with the system's.
    pub fn system() -> Self {
        Self::default()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let offset = self.0.advanced.load(Ordering::SeqCst) + self.0.skew.load(Ordering::SeqCst);
        Timestamp::now() + SignedDuration::from_millis(offset)
    }

    /// Moves the clock forward, in steps of a millisecond.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("an advance of less than a million years");
        self.0.advanced.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets how far this clock is ahead of (or, negative, behind) the system's, on top of what it was advanced.
    pub fn set_skew(&self, skew: SignedDuration) {
        let millis = i64::try_from(skew.as_millis()).expect("a skew of less than a million years");
        self.0.skew.store(millis, Ordering::SeqCst);
    }
}

/// `YYYY-MM-DDThh:mm:ssZ`.
pub fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The form of the HTTP `Date` header.
pub fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads `YYYY-MM-DDThh:mm:ssZ` and no other form.
pub fn parse_iso(text: &str) -> Option<Timestamp> {
    let shaped = text.len() == 20
        && text
            .bytes()
            .zip("0000-00-00T00:00:00Z".bytes())
            .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form });
    if shaped { text.parse().ok() } else { None }
}

/// Whether less than `span` has passed since `then`; never, if `span` is zero.
pub fn within(now: Timestamp, then: Timestamp, span: Duration) -> bool {
    !span.is_zero() && SignedDuration::try_from(span).is_ok_and(|span| now.duration_since(then) < span)
}

/// `now` less `span`; the earliest time there is if that cannot be told.
pub fn before(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| now.checked_sub(span).ok()).unwrap_or(Timestamp::MIN)
}
