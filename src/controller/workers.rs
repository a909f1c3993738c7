//! How many passes run at a time. Two places are kept for deletions, so that a flood of new objects never delays a revocation.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Places for passes.
#[derive(Debug)]
pub struct Workers {
    ordinary: Semaphore,
    reserved: Semaphore,
}

impl Workers {
    /// `ordinary` places for everything, and two more for deletions.
    #[must_use]
    pub fn new(ordinary: usize) -> Self {
        Self { ordinary: Semaphore::new(ordinary), reserved: Semaphore::new(2) }
    }

    /// Waits for a place.
    pub async fn permit(&self, deleting: bool) -> Option<SemaphorePermit<'_>> {
        if deleting {
            tokio::select! {
                permit = self.reserved.acquire() => permit.ok(),
                permit = self.ordinary.acquire() => permit.ok(),
            }
        } else {
            self.ordinary.acquire().await.ok()
        }
    }
}
