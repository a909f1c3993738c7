//! The recycle bin: deleted users and keys, from where they can be brought back for a while.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::state::{Key, User};

/// What is in the bin is purged after this time.
const STAYS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Of the keys of one user so many stay; the oldest goes for a further one.
const KEYS_PER_USER: usize = 3;
/// So many users stay; the oldest goes for a further one.
const USERS: usize = 1000;

/// What was deleted.
#[derive(Clone, Debug)]
pub struct Binned<T> {
    pub what: T,
    /// When it was deleted.
    pub recycled: Timestamp,
}

impl<T> Binned<T> {
    /// When it is purged.
    pub fn purged(&self) -> Timestamp {
        self.recycled + STAYS
    }
}

/// The bin of an account. A user's keys are in it beside the user.
#[derive(Clone, Debug, Default)]
pub struct RecycleBin {
    /// In the order in which they were deleted.
    keys: Vec<Binned<Key>>,
    /// By UserId.
    users: BTreeMap<String, Binned<User>>,
}

impl RecycleBin {
    /// The keys in it, in the order in which they were deleted.
    pub fn keys(&self, now: Timestamp) -> impl Iterator<Item = &Binned<Key>> {
        self.keys.iter().filter(move |key| key.purged() > now)
    }

    /// The key of that id, if it is in it.
    pub fn key(&self, id: &str, now: Timestamp) -> Option<&Binned<Key>> {
        self.keys(now).find(|key| key.what.id == id)
    }

    /// The users in it, by UserId.
    pub fn users(&self, now: Timestamp) -> impl Iterator<Item = (&String, &Binned<User>)> {
        self.users.iter().filter(move |(_, user)| user.purged() > now)
    }

    /// The user of that UserId, if it is in it.
    pub fn user(&self, id: &str, now: Timestamp) -> Option<&Binned<User>> {
        self.users.get(id).filter(|user| user.purged() > now)
    }

    /// As [`RecycleBin::user`], or one that is to be purged.
    pub fn user_even_late(&self, id: &str) -> Option<&User> {
        self.users.get(id).map(|user| &user.what)
    }

    /// Puts a key in.
    pub fn add_key(&mut self, key: Key, now: Timestamp) {
        self.expire(now);
        let user_id = key.user_id.clone();
        self.keys.push(Binned { what: key, recycled: now });
        let mut of_user = self.keys.iter().enumerate().filter(|(_, key)| key.what.user_id == user_id);
        let oldest = of_user.next().map(|(index, _)| index);
        let others = of_user.count();
        if let Some(index) = oldest.filter(|_| others >= KEYS_PER_USER) {
            self.keys.remove(index);
        }
    }

    /// Puts a user in, whose keys were put in before.
    pub fn add_user(&mut self, user: User, now: Timestamp) {
        self.expire(now);
        self.users.insert(user.id.clone(), Binned { what: user, recycled: now });
        if self.users.len() > USERS {
            let oldest = self.users.iter().min_by_key(|(_, user)| user.recycled).map(|(id, _)| id.clone());
            if let Some(id) = oldest {
                self.purge_user(&id);
            }
        }
    }

    /// Takes a key out, or away for good.
    pub fn take_key(&mut self, id: &str) -> Option<Key> {
        let index = self.keys.iter().position(|key| key.what.id == id)?;
        Some(self.keys.remove(index).what)
    }

    /// Takes a user away for good with its keys.
    pub fn purge_user(&mut self, id: &str) {
        self.users.remove(id);
        self.keys.retain(|key| key.what.user_id != id);
    }

    fn expire(&mut self, now: Timestamp) {
        self.keys.retain(|key| key.purged() > now);
        self.users.retain(|_, user| user.purged() > now);
    }
}
