//! What a person does by hand, in the console or elsewhere.

use std::sync::Arc;

use jiff::Timestamp;

use super::gateway::Gateway;
use super::network::KeyPolicy;
use super::options::RolePreset;
use super::policies::Policy;
use super::state::{Account, Attachment, PolicyType, User};

/// Edits the account without calls: nothing is signed, checked against quotas or journalled.
///
/// Every method panics if the user, group, policy, version, role or key it names does not exist, since then the test is wrong.
#[derive(Clone)]
pub struct Person(pub(super) Arc<Gateway>);

impl Person {
    /// Changes the account.
    pub(super) fn edit<T>(&self, edit: impl FnOnce(&mut Account, Timestamp) -> T) -> T {
        let mut state = self.0.state();
        let now = self.0.options.clock.now();
        let result = edit(&mut state.account, now);
        state.changed(now);
        result
    }

    fn edit_user<T>(&self, name: &str, edit: impl FnOnce(&mut User, Timestamp) -> T) -> T {
        self.edit(|account, now| {
            let id = id_of(account, name);
            edit(account.users.get_mut(&id).expect("a user has an entry by id"), now)
        })
    }

    /// Makes a user and returns its UserId.
    pub fn create_user(&self, name: &str, comments: &str) -> String {
        self.edit(|account, now| {
            assert!(account.user_named(name).is_none(), "there is a user {name} already");
            let user = account.add_user(name, now);
            comments.clone_into(&mut user.comments);
            user.id.clone()
        })
    }

    /// Gives a user another name.
    pub fn rename_user(&self, name: &str, new_name: &str) {
        self.edit(|account, _| {
            let id = id_of(account, name);
            account.rename_user(&id, new_name);
        });
    }

    /// Deletes a user with everything of it, into the recycle bin if there is one.
    pub fn delete_user_by_force(&self, name: &str) {
        self.edit(|account, now| {
            let id = id_of(account, name);
            account.remove_user(&id, now);
        });
    }

    /// Sets the comments of a user.
    pub fn set_comments(&self, name: &str, comments: &str) {
        self.edit_user(name, |user, now| {
            comments.clone_into(&mut user.comments);
            user.updated = now;
        });
    }

    /// Sets the display name of a user.
    pub fn set_display_name(&self, name: &str, display_name: &str) {
        self.edit_user(name, |user, now| {
            display_name.clone_into(&mut user.display_name);
            user.updated = now;
        });
    }

    /// Makes a key for a user, beyond the quota if need be, and returns its id and secret.
    pub fn create_key(&self, user: &str) -> (String, String) {
        self.edit(|account, now| {
            let id = id_of(account, user);
            let key = account.add_key(&id, None, now);
            (key.id, key.secret)
        })
    }

    /// Enables or disables a key.
    pub fn set_key_status(&self, id: &str, active: bool) {
        self.edit(|account, now| {
            let key = account.keys.get_mut(id).expect("the key exists");
            key.active = active;
            key.updated = now;
        });
    }

    /// Deletes a key, into the recycle bin if there is one.
    pub fn delete_key(&self, id: &str) {
        self.edit(|account, now| {
            assert!(account.keys.contains_key(id), "there is no key {id}");
            account.remove_key(id, now);
        });
    }

    /// Disables a key as RAM itself does, the day after it was not used for as long as the account's MaxIdleDaysForAccessKeys.
    pub fn idle_out(&self, id: &str) {
        self.set_key_status(id, false);
    }

    /// The network policy in force on a key, as IMS would show it; `None`: there never was one.
    pub fn key_policy(&self, id: &str) -> Option<String> {
        let state = self.0.state();
        state.account.keys.get(id).expect("the key exists").policy().map(|policy| policy.document.clone())
    }

    /// Sets the network policy of a key. Panics if IMS would refuse the document for its form.
    pub fn set_key_policy(&self, id: &str, document: &str) {
        let policy = KeyPolicy::read(document).expect("a network policy");
        let lag = self.0.options.key_policy_lag;
        self.edit(|account, now| account.keys.get_mut(id).expect("the key exists").set_policy(policy, now, lag));
    }

    /// Ids of the keys in the recycle bin, in the order in which they were deleted.
    pub fn in_recycle_bin(&self) -> Vec<String> {
        let now = self.0.options.clock.now();
        self.0.state().account.bin.keys(now).map(|key| key.what.id.clone()).collect()
    }

    /// UserIds of the users in the recycle bin, in order.
    pub fn users_in_recycle_bin(&self) -> Vec<String> {
        let now = self.0.options.clock.now();
        self.0.state().account.bin.users(now).map(|(id, _)| id.clone()).collect()
    }

    /// Brings a key back from the recycle bin, disabled, beyond the quota if need be. Panics if it is not there or its user is gone.
    pub fn restore_key(&self, id: &str) {
        assert!(self.edit(|account, now| account.restore_key(id, now)), "{id} cannot be brought back");
    }

    /// Takes a key out of the recycle bin for good.
    pub fn purge_key(&self, id: &str) {
        let purged = self.edit(|account, _| account.bin.take_key(id));
        assert!(purged.is_some(), "{id} is not in the recycle bin");
    }

    /// Uses a key for Tablestore, now.
    pub fn use_key(&self, id: &str) {
        let now = self.0.options.clock.now();
        self.set_last_used(id, Some(now));
    }

    /// Sets when a key was last used; `None`: never.
    pub fn set_last_used(&self, id: &str, time: Option<Timestamp>) {
        self.edit(|account, _| {
            let key = account.keys.get_mut(id).expect("the key exists");
            key.uses = time.map(|time| (time, "Ots")).into_iter().collect();
        });
    }

    /// Attaches a policy (`System` or `Custom`) to a user.
    pub fn attach(&self, user: &str, kind: &str, name: &str) {
        let attachment = self.attachment(kind, name);
        self.edit_user(user, |user, _| {
            user.policies.retain(|attached| !attached.is(attachment.kind, name));
            user.policies.push(attachment);
        });
    }

    /// Detaches a policy from a user.
    pub fn detach(&self, user: &str, kind: &str, name: &str) {
        let attachment = self.attachment(kind, name);
        self.edit_user(user, |user, _| user.policies.retain(|attached| !attached.is(attachment.kind, name)));
    }

    /// Attaches a policy (`System` or `Custom`) to a group.
    pub fn attach_to_group(&self, group: &str, kind: &str, name: &str) {
        let attachment = self.attachment(kind, name);
        self.edit(|account, _| {
            let key = account.fold(group);
            let group = account.groups.get_mut(&key).expect("the group exists");
            group.policies.retain(|attached| !attached.is(attachment.kind, name));
            group.policies.push(attachment);
        });
    }

    pub(super) fn attachment(&self, kind: &str, name: &str) -> Attachment {
        let kind = PolicyType::read(kind).expect("System or Custom");
        self.edit(|account, now| {
            let policy = account.policy(kind, name).expect("the policy exists");
            Attachment { kind, name: policy.name.clone(), date: now }
        })
    }

    /// Makes or replaces a custom policy.
    pub fn create_custom_policy(&self, name: &str, document: &str) {
        self.edit(|account, now| {
            let policy = Policy::new(PolicyType::Custom, name, "", document, now);
            account.policies.insert(policy.key(), policy);
        });
    }

    /// Makes a group unless there is one of that name.
    pub fn create_group(&self, name: &str) {
        self.edit(|account, now| {
            account.add_group(name, now);
        });
    }

    /// Adds a user to a group, which is made if need be.
    pub fn add_to_group(&self, user: &str, group: &str) {
        self.create_group(group);
        let key = self.edit(|account, _| account.fold(group));
        self.edit_user(user, |user, now| {
            user.groups.retain(|(joined, _)| *joined != key);
            user.groups.push((key, now));
        });
    }

    /// Takes a user out of a group.
    pub fn remove_from_group(&self, user: &str, group: &str) {
        let key = self.edit(|account, _| account.fold(group));
        self.edit_user(user, |user, _| user.groups.retain(|(joined, _)| *joined != key));
    }

    /// Sets the account alias, and with it the domain of every UserPrincipalName.
    pub fn set_alias(&self, alias: Option<&str>) {
        self.edit(|account, _| account.alias = alias.map(str::to_owned));
    }

    /// Makes or replaces a role.
    pub fn add_role(&self, role: &RolePreset) {
        self.edit(|account, now| account.add_role(role, now));
    }

    /// Refuses an action (`CreateUser` or `ram:CreateUser`) to every caller, in RAM and IMS.
    pub fn deny(&self, action: &str) {
        self.0.state().denied.insert(bare(action));
    }

    /// Ends what [`Person::deny`] began.
    pub fn allow(&self, action: &str) {
        self.0.state().denied.remove(&bare(action));
    }

    /// Disables the account's first key.
    pub fn disable_caller_key(&self) {
        self.set_key_status(&self.0.first_key.0, false);
    }

    /// Enables the account's first key.
    pub fn enable_caller_key(&self) {
        self.set_key_status(&self.0.first_key.0, true);
    }
}

fn bare(action: &str) -> String {
    action.rsplit(':').next().unwrap_or(action).to_owned()
}

/// UserId of the user of that name.
pub(super) fn id_of(account: &Account, name: &str) -> String {
    account.user_named(name).unwrap_or_else(|| panic!("there is no user {name}")).id.clone()
}
