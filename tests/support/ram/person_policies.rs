//! What a person does by hand to groups and policies.

use jiff::Timestamp;

use super::groups::Group;
use super::person::Person;
use super::policies::Policy;
use super::state::{Account, Role};

impl Person {
    /// Sets the comments of a group.
    pub fn set_group_comments(&self, group: &str, comments: &str) {
        self.edit_group(group, |group, now| {
            comments.clone_into(&mut group.comments);
            group.updated = now;
        });
    }

    /// Gives a group another name.
    pub fn rename_group(&self, group: &str, new_name: &str) {
        self.edit(|account, _| {
            let key = group_key(account, group);
            account.rename_group(&key, new_name);
        });
    }

    /// Deletes a group; its members leave it.
    pub fn delete_group(&self, group: &str) {
        self.edit(|account, _| {
            let key = group_key(account, group);
            account.remove_group(&key);
        });
    }

    /// Detaches a policy from a group.
    pub fn detach_from_group(&self, group: &str, kind: &str, name: &str) {
        let attachment = self.attachment(kind, name);
        self.edit_group(group, |group, _| group.policies.retain(|attached| !attached.is(attachment.kind, name)));
    }

    /// Attaches a policy (`System` or `Custom`) to a role.
    pub fn attach_to_role(&self, role: &str, kind: &str, name: &str) {
        let attachment = self.attachment(kind, name);
        self.edit_role(role, |role| {
            role.policies.retain(|attached| !attached.is(attachment.kind, name));
            role.policies.push(attachment);
        });
    }

    /// Detaches a policy from a role.
    pub fn detach_from_role(&self, role: &str, kind: &str, name: &str) {
        let attachment = self.attachment(kind, name);
        self.edit_role(role, |role| role.policies.retain(|attached| !attached.is(attachment.kind, name)));
    }

    /// Sets the description of a custom policy.
    pub fn set_policy_description(&self, policy: &str, description: &str) {
        self.edit_policy(policy, |policy, now| {
            description.clone_into(&mut policy.description);
            policy.updated = now;
        });
    }

    /// Deletes a custom policy with its versions, and detaches it from everything.
    pub fn delete_custom_policy(&self, policy: &str) {
        self.edit(|account, _| {
            assert!(account.custom_policy_mut(policy).is_some(), "there is no custom policy {policy}");
            account.remove_custom_policy(policy);
        });
    }

    /// Adds a version to a custom policy, beyond the quota if need be, and returns its VersionId. It is not put in force.
    pub fn add_policy_version(&self, policy: &str, document: &str) -> String {
        let reused = self.0.options.version_numbers_reused;
        let number = self.edit_policy(policy, |policy, now| policy.add_version(document, reused, now));
        format!("v{number}")
    }

    /// Puts another version of a custom policy in force.
    pub fn set_default_policy_version(&self, policy: &str, version_id: &str) {
        self.edit_policy(policy, |policy, now| policy.set_default(number(policy, version_id), now));
    }

    /// Deletes a version of a custom policy. Panics if it is in force.
    pub fn delete_policy_version(&self, policy: &str, version_id: &str) {
        self.edit_policy(policy, |policy, now| policy.remove_version(number(policy, version_id), now));
    }

    fn edit_group<T>(&self, name: &str, edit: impl FnOnce(&mut Group, Timestamp) -> T) -> T {
        self.edit(|account, now| {
            let key = group_key(account, name);
            edit(account.groups.get_mut(&key).expect("a group has an entry by its key"), now)
        })
    }

    fn edit_role<T>(&self, name: &str, edit: impl FnOnce(&mut Role) -> T) -> T {
        self.edit(|account, _| edit(account.roles.get_mut(&name.to_lowercase()).expect("the role exists")))
    }

    fn edit_policy<T>(&self, name: &str, edit: impl FnOnce(&mut Policy, Timestamp) -> T) -> T {
        self.edit(|account, now| edit(account.custom_policy_mut(name).expect("the custom policy exists"), now))
    }
}

fn group_key(account: &Account, name: &str) -> String {
    let key = account.fold(name);
    assert!(account.groups.contains_key(&key), "there is no group {name}");
    key
}

fn number(policy: &Policy, version_id: &str) -> u32 {
    let version = policy.versions().iter().find(|version| version.id() == version_id);
    version.unwrap_or_else(|| panic!("there is no version {version_id} of {}", policy.name)).number
}
