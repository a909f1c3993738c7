//! Groups and custom policies as plain data, for assertions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::policies::{Policy, Version};
use super::state::{Account, Attachment};

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    pub group_id: String,
    pub comments: String,
    pub create_time: Timestamp,
    /// `<PolicyType>/<PolicyName>`, sorted.
    pub policies: Vec<String>,
    /// UserNames, sorted.
    pub members: Vec<String>,
}

/// A custom policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyView {
    pub description: String,
    pub create_time: Timestamp,
    /// VersionId of the version in force.
    pub default_version: String,
    /// Document of the version in force.
    pub document: String,
    /// In order of creation.
    pub versions: Vec<VersionView>,
    /// `User/<UserName>`, `Group/<GroupName>`, `Role/<RoleName>`, sorted.
    pub attached_to: Vec<String>,
}

/// A version of a custom policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionView {
    pub id: String,
    pub document: String,
    pub create_time: Timestamp,
}

/// All groups, by name.
pub fn groups(account: &Account) -> BTreeMap<String, GroupView> {
    let view = |key: &String| {
        let group = account.groups.get(key)?;
        let members = account.members(key).into_iter().map(|user| user.name.clone());
        let view = GroupView {
            group_id: group.id.clone(),
            comments: group.comments.clone(),
            create_time: group.created,
            policies: attached(&group.policies),
            members: sorted(members),
        };
        Some((group.name.clone(), view))
    };
    account.groups.keys().filter_map(view).collect()
}

/// All custom policies, by name.
pub fn policies(account: &Account) -> BTreeMap<String, PolicyView> {
    account.custom_policies().map(|policy| (policy.name.clone(), policy_view(account, policy))).collect()
}

/// `<PolicyType>/<PolicyName>` of attachments, sorted.
pub fn attached(policies: &[Attachment]) -> Vec<String> {
    sorted(policies.iter().map(|attached| format!("{}/{}", attached.kind.name(), attached.name)))
}

fn policy_view(account: &Account, policy: &Policy) -> PolicyView {
    let holders = account.holders(policy).into_iter().map(|(holder, name)| format!("{}/{name}", holder.name()));
    let in_force = policy.default_version();
    PolicyView {
        description: policy.description.clone(),
        create_time: policy.created,
        default_version: in_force.id(),
        document: in_force.document.clone(),
        versions: policy.versions().iter().map(version_view).collect(),
        attached_to: sorted(holders),
    }
}

fn version_view(version: &Version) -> VersionView {
    VersionView { id: version.id(), document: version.document.clone(), create_time: version.created }
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts
}
