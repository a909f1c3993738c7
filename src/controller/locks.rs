//! One lock for each RAM user, held by every pass of every kind that may write to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Account id and lower-case user name: RAM compares names without regard to case.
type UserKey = (String, String);

/// Locks by RAM user; those that nobody holds are dropped in time.
#[derive(Debug, Default)]
pub struct UserLocks(Mutex<HashMap<UserKey, Weak<AsyncMutex<()>>>>);

impl UserLocks {
    /// Takes the lock. The flag says whether somebody else held it: what was read before may be old.
    pub async fn take(&self, account_id: &str, user_name: &str) -> (OwnedMutexGuard<()>, bool) {
        let lock = self.find(account_id, user_name);
        match Arc::clone(&lock).try_lock_owned() {
            Ok(guard) => (guard, false),
            Err(_) => (lock.lock_owned().await, true),
        }
    }

    fn find(&self, account_id: &str, user_name: &str) -> Arc<AsyncMutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > 1024 && all.len().is_multiple_of(1024) {
            all.retain(|_, lock| lock.strong_count() > 0);
        }
        let entry = all.entry((account_id.to_owned(), user_name.to_ascii_lowercase())).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let lock = Arc::default();
            *entry = Arc::downgrade(&lock);
            lock
        })
    }
}
