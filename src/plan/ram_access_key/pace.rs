//! The lengths of time that a key's spec asks for.

use std::time::Duration;

use super::Seen;
use crate::api::Rotation;
use crate::plan::timing::{OVERLAP, QUARANTINE};

/// How a key is rotated and retired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Age at which a pair is replaced.
    pub interval: Option<Duration>,
    /// How long old and new key work side by side, and how long a key must show no use.
    pub overlap: Duration,
    /// When an old key is disabled even if it is used.
    pub max_overlap: Option<Duration>,
    /// How long an old key stays disabled before it is deleted.
    pub quarantine: Duration,
    /// Whether a deleted key goes from the recycle bin too.
    pub purge: bool,
}

impl Pace {
    /// The pace of a spec. Text that the schema would have refused counts as the default.
    #[must_use]
    pub fn of(rotation: &Rotation) -> Self {
        Self {
            interval: rotation.interval.as_ref().and_then(crate::api::Span::duration),
            overlap: rotation.overlap.duration().unwrap_or(OVERLAP),
            max_overlap: rotation.max_overlap.as_ref().and_then(crate::api::Span::duration),
            quarantine: rotation.quarantine.duration().unwrap_or(QUARANTINE),
            purge: rotation.purge_from_recycle_bin,
        }
    }
}

impl Seen {
    /// The pace of this key's spec. Where the tenant bounds the age of keys, an old one has to be out of the way before the next comes.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let mut pace = Pace::of(&self.spec.rotation);
        if let Some(most) = self.max_age {
            pace.overlap = pace.overlap.min(most / 2);
            pace.quarantine = pace.quarantine.min(most / 4);
        }
        pace
    }
}
