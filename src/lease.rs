//! Whether this replica may write. There is one replica, so it may.

/// The right to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lease;

impl Lease {
    /// Asked before every write to RAM.
    #[must_use]
    pub fn holds(self) -> bool {
        true
    }
}
