//! Which events deserve a pass: an echo of our own write does not, a change of something an object depends on does.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::drive::ObjectKey;

/// What is remembered of each object between passes. All of it may be lost: the next pass then simply looks.
#[derive(Debug, Default)]
pub struct Echoes(Mutex<HashMap<ObjectKey, Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// resourceVersions that the last pass saw or wrote.
    own: Vec<String>,
    /// When the next look is due.
    due: Option<Instant>,
    /// Something it depends on has changed.
    poked: bool,
    /// resourceVersion of the Secret that was written last.
    secret: Option<String>,
    /// Passes in a row that failed.
    failures: u32,
    /// Since when its deletion is tried.
    deleting: Option<Instant>,
}

impl Echoes {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If this trigger is only an echo: how long to go on waiting.
    pub fn still_resting(&self, key: &ObjectKey, resource_version: Option<&str>) -> Option<Duration> {
        let all = self.lock();
        let memory = all.get(key)?;
        let left = memory.due?.checked_duration_since(Instant::now())?;
        let own = resource_version.is_some_and(|version| memory.own.iter().any(|own| own == version));
        (own && !memory.poked && left > Duration::from_millis(100)).then_some(left)
    }

    /// A pass begins with the object at this resourceVersion.
    pub fn begin(&self, key: &ObjectKey, resource_version: Option<&str>) {
        let mut all = self.lock();
        let memory = all.entry(key.clone()).or_default();
        memory.own.clear();
        memory.own.extend(resource_version.map(str::to_owned));
        memory.poked = false;
        memory.due = None;
    }

    /// This pass wrote the object.
    pub fn wrote(&self, key: &ObjectKey, resource_version: Option<&str>) {
        self.lock().entry(key.clone()).or_default().own.extend(resource_version.map(str::to_owned));
    }

    /// This pass wrote the object's Secret.
    pub fn wrote_secret(&self, key: &ObjectKey, resource_version: Option<&str>) {
        self.lock().entry(key.clone()).or_default().secret = resource_version.map(str::to_owned);
    }

    /// Whether a Secret's event tells nothing new.
    pub fn knows_secret(&self, key: &ObjectKey, resource_version: Option<&str>) -> bool {
        self.lock()
            .get(key)
            .is_some_and(|memory| memory.secret.is_some() && memory.secret.as_deref() == resource_version)
    }

    /// A pass ended; the next look is due after `wait`. Returns false if something changed meanwhile.
    pub fn end(&self, key: &ObjectKey, wait: Duration) -> bool {
        let mut all = self.lock();
        let memory = all.entry(key.clone()).or_default();
        memory.due = Instant::now().checked_add(wait);
        !memory.poked
    }

    /// Something the object depends on has changed.
    pub fn poke(&self, key: &ObjectKey) {
        self.lock().entry(key.clone()).or_default().poked = true;
    }

    /// Something every object of `kind` depends on has changed.
    pub fn poke_all(&self, kind: &str) {
        let mut all = self.lock();
        all.iter_mut().filter(|(key, _)| key.kind == kind).for_each(|(_, memory)| memory.poked = true);
    }

    /// Counts a failure, or clears the count; returns how many came before in a row.
    pub fn count(&self, key: &ObjectKey, failed: bool) -> u32 {
        let mut all = self.lock();
        let memory = all.entry(key.clone()).or_default();
        let before = memory.failures;
        memory.failures = if failed { before.saturating_add(1) } else { 0 };
        before
    }

    /// How long the object's deletion has been tried by this process.
    pub fn deleting_for(&self, key: &ObjectKey) -> Duration {
        self.lock().entry(key.clone()).or_default().deleting.get_or_insert_with(Instant::now).elapsed()
    }

    /// Every object of `kind` that is remembered.
    pub fn keys(&self, kind: &str) -> Vec<ObjectKey> {
        self.lock().keys().filter(|key| key.kind == kind).cloned().collect()
    }

    /// The object is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }
}

/// Who looked at what, so that a change of the one wakes the other.
#[derive(Debug, Default)]
pub struct Interests(Mutex<HashMap<ObjectKey, Watchers>>);

/// Everybody who looked at one subject, and at which resourceVersion.
type Watchers = HashMap<ObjectKey, Option<String>>;

impl Interests {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Watchers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `watcher` is about to read `subject`. To be noted before the read, so that no change falls between.
    pub fn note(&self, subject: ObjectKey, watcher: &ObjectKey) {
        self.lock().entry(subject).or_default().insert(watcher.clone(), None);
    }

    /// `watcher` has read `subject` at this resourceVersion: the event of that version tells it nothing new.
    pub fn saw(&self, subject: ObjectKey, watcher: &ObjectKey, resource_version: Option<String>) {
        self.lock().entry(subject).or_default().insert(watcher.clone(), resource_version);
    }

    /// Everybody of `kind` who looked at `subject` and did not see this version of it.
    pub fn of(&self, subject: &ObjectKey, kind: &str, resource_version: Option<&str>) -> Vec<ObjectKey> {
        let all = self.lock();
        let watchers = all.get(subject).into_iter().flatten();
        let news = |seen: &Option<String>| seen.is_none() || seen.as_deref() != resource_version;
        watchers
            .filter(|(watcher, seen)| watcher.kind == kind && news(seen))
            .map(|(watcher, _)| watcher.clone())
            .collect()
    }

    /// `watcher` is gone.
    pub fn forget(&self, watcher: &ObjectKey) {
        self.lock().retain(|_, watchers| {
            watchers.remove(watcher);
            !watchers.is_empty()
        });
    }
}
