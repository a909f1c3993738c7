//! How many passes run at a time. Two places are kept for deletions, so that a flood of new objects never delays a revocation.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Places that only deletions take.
const RESERVED: u32 = 2;

/// Places for passes.
#[derive(Debug)]
pub struct Workers {
    places: u32,
    ordinary: Semaphore,
    reserved: Semaphore,
}

impl Workers {
    /// `ordinary` places for everything, and two more for deletions.
    #[must_use]
    pub fn new(ordinary: u16) -> Self {
        let places = u32::from(ordinary);
        Self { places, ordinary: Semaphore::new(usize::from(ordinary)), reserved: Semaphore::new(RESERVED as usize) }
    }

    /// Waits until every running pass has ended; none begins afterwards.
    pub async fn drained(&self) {
        let ordinary = self.ordinary.acquire_many(self.places).await;
        let reserved = self.reserved.acquire_many(RESERVED).await;
        for permits in [ordinary, reserved].into_iter().flatten() {
            permits.forget();
        }
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
