//! Every length of time that a decision rests on.

use std::time::Duration;

use jiff::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// RAM refuses a signed request this long after its `Timestamp`.
pub const MINT_WINDOW: Duration = Duration::from_secs(15 * MINUTE);
/// RAM's clock has whole seconds, and ours follows it by the `Date` of replies.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(2 * MINUTE);
/// A list read live may lack what was written this shortly before.
pub const READ_LAG: Duration = Duration::from_secs(MINUTE);
/// How long a new pair may be refused before it is published unproven.
pub const PROOF_PATIENCE: Duration = Duration::from_secs(MINUTE);
/// From a mint's reply to the end of its publish at the latest: proof, retried write and the reads between.
pub const PUBLISH_BOUND: Duration = Duration::from_secs(5 * MINUTE);
/// GetAccessKeyLastUsed lags by about two hours; one more for safety.
pub const USE_LAG: Duration = Duration::from_secs(3 * HOUR);
/// A stray stays disabled this long before it is deleted.
pub const STRAY_QUIET: Duration = USE_LAG;
/// Old and new key work side by side for this long after a lost pair was replaced.
pub const OVERLAP: Duration = Duration::from_secs(24 * HOUR);
/// A replaced key stays disabled this long before it is deleted.
pub const QUARANTINE: Duration = Duration::from_secs(72 * HOUR);
/// GetAccessKeyPolicy may show what was before for this long after a SetAccessKeyPolicy.
pub const SOURCES_LAG: Duration = Duration::from_secs(5 * MINUTE);
/// A setting of the account that stayed as it was written for this long is no longer contested by whoever changed it before.
pub const PEACE: Duration = Duration::from_secs(7 * 24 * HOUR);
/// Look again after this when the world is expected to move by itself.
pub const SOON: Duration = Duration::from_secs(5);
/// Look again after this when somebody else has to move.
pub const LATER: Duration = Duration::from_secs(5 * MINUTE);
/// Open intents that one RamAccessKey may have; a further mint waits.
pub const MAX_INTENTS: usize = 4;
/// RAM's quota of AccessKeys for each user, disabled ones included.
pub const KEYS_PER_USER: usize = 2;

/// This long after a time; the last time there is, where that would be later.
#[must_use]
pub fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
