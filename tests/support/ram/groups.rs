//! Groups of users.

use jiff::Timestamp;

use super::state::{Account, Attachment, User, token};

/// A group of users, who know it by the key it has in [`Account::groups`].
#[derive(Clone, Debug)]
pub struct Group {
    pub id: String,
    pub name: String,
    pub comments: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub policies: Vec<Attachment>,
    /// When a call last detached a policy.
    pub detached: Option<Timestamp>,
    /// When a call last took a user out.
    pub left: Option<Timestamp>,
}

impl Account {
    /// The group of that name, which is made without checks unless it is there.
    pub fn add_group(&mut self, name: &str, now: Timestamp) -> &mut Group {
        self.groups.entry(self.fold(name)).or_insert_with(|| Group {
            id: format!("g-{}", token(16)),
            name: name.to_owned(),
            comments: String::new(),
            created: now,
            updated: now,
            policies: Vec::new(),
            detached: None,
            left: None,
        })
    }

    /// Gives a group another name without checks, and returns its new key. Its members stay.
    pub fn rename_group(&mut self, key: &str, name: &str) -> String {
        let new_key = self.fold(name);
        if let Some(mut group) = self.groups.remove(key) {
            name.clone_into(&mut group.name);
            self.groups.insert(new_key.clone(), group);
        }
        for (joined, _) in self.users.values_mut().flat_map(|user| &mut user.groups) {
            if *joined == *key {
                joined.clone_from(&new_key);
            }
        }
        new_key
    }

    /// Takes a group away; its members leave it.
    pub fn remove_group(&mut self, key: &str) {
        self.groups.remove(key);
        for user in self.users.values_mut() {
            user.groups.retain(|(joined, _)| *joined != *key);
        }
    }

    /// The users in the group of that key.
    pub fn members(&self, key: &str) -> Vec<&User> {
        self.users.values().filter(|user| user.groups.iter().any(|(joined, _)| *joined == *key)).collect()
    }
}
