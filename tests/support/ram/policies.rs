//! Policies and their versions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::permissions::Statement;
use super::state::{Account, Attachment, PolicyType};

/// A policy has at most so many versions.
pub const VERSIONS: usize = 5;

/// One version of a policy.
#[derive(Clone, Debug)]
pub struct Version {
    /// From 1.
    pub number: u32,
    pub document: String,
    pub created: Timestamp,
    statements: Vec<Statement>,
}

impl Version {
    fn new(number: u32, document: &str, now: Timestamp) -> Self {
        Self { number, document: document.to_owned(), created: now, statements: Statement::all(document) }
    }

    /// `v` and the number.
    pub fn id(&self) -> String {
        format!("v{}", self.number)
    }
}

/// What a policy can be attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A RAM user.
    User,
    /// A group.
    Group,
    /// A role.
    Role,
}

impl Holder {
    /// The word for it in error codes.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Role => "Role",
        }
    }
}

/// A policy. One of its versions, the default version, is in force.
#[derive(Clone, Debug)]
pub struct Policy {
    pub kind: PolicyType,
    pub name: String,
    pub description: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// In order of creation; the default version is always among them.
    versions: Vec<Version>,
    default_number: u32,
    /// The highest number that a version ever had.
    highest: u32,
    /// When a call last detached it.
    pub detached: BTreeMap<Holder, Timestamp>,
}

impl Policy {
    /// A policy with a first version, `v1`.
    pub fn new(kind: PolicyType, name: &str, description: &str, document: &str, now: Timestamp) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            description: description.to_owned(),
            created: now,
            updated: now,
            versions: vec![Version::new(1, document, now)],
            default_number: 1,
            highest: 1,
            detached: BTreeMap::new(),
        }
    }

    /// Its key in [`Account::policies`].
    pub fn key(&self) -> (PolicyType, String) {
        (self.kind, self.name.to_lowercase())
    }

    /// All versions, in order of creation.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The version of that number.
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version in force.
    pub fn default_version(&self) -> &Version {
        self.version(self.default_number).expect("the default version is never removed")
    }

    /// What the version in force says.
    pub fn statements(&self) -> &[Statement] {
        &self.default_version().statements
    }

    /// Whether the version of that number is in force.
    pub fn is_default(&self, number: u32) -> bool {
        self.default_number == number
    }

    /// Adds a version without a look at quotas and returns its number: the lowest free one if numbers are `reused`, else a new one.
    pub fn add_version(&mut self, document: &str, reused: bool, now: Timestamp) -> u32 {
        let free = (1..=self.highest).find(|number| reused && self.version(*number).is_none());
        let number = free.unwrap_or(self.highest + 1);
        self.highest = self.highest.max(number);
        self.versions.push(Version::new(number, document, now));
        self.updated = now;
        number
    }

    /// Puts the version of that number, which must be there, in force.
    pub fn set_default(&mut self, number: u32, now: Timestamp) {
        assert!(self.version(number).is_some(), "there is no version v{number} of {}", self.name);
        self.default_number = number;
        self.updated = now;
    }

    /// Takes a version away, which must not be the one in force.
    pub fn remove_version(&mut self, number: u32, now: Timestamp) {
        assert!(!self.is_default(number), "v{number} of {} is the default version", self.name);
        self.versions.retain(|version| version.number != number);
        self.updated = now;
    }

    /// The oldest version that is not in force.
    pub fn oldest_spare(&self) -> Option<u32> {
        self.versions.iter().map(|version| version.number).find(|number| !self.is_default(*number))
    }
}

impl Account {
    /// The custom policies, by name.
    pub fn custom_policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values().filter(|policy| policy.kind == PolicyType::Custom)
    }

    /// The custom policy of that name, in any case.
    pub fn custom_policy_mut(&mut self, name: &str) -> Option<&mut Policy> {
        self.policies.get_mut(&(PolicyType::Custom, name.to_lowercase()))
    }

    /// What a policy is attached to, and the names.
    pub fn holders(&self, policy: &Policy) -> Vec<(Holder, &str)> {
        let has = |policies: &[Attachment]| policies.iter().any(|attached| attached.is(policy.kind, &policy.name));
        let users = self.users.values().filter(|user| has(&user.policies));
        let groups = self.groups.values().filter(|group| has(&group.policies));
        let roles = self.roles.values().filter(|role| has(&role.policies));
        let users = users.map(|user| (Holder::User, user.name.as_str()));
        let groups = groups.map(|group| (Holder::Group, group.name.as_str()));
        let roles = roles.map(|role| (Holder::Role, role.name.as_str()));
        users.chain(groups).chain(roles).collect()
    }

    /// Notes that a call detached a policy.
    pub fn note_detached(&mut self, kind: PolicyType, name: &str, from: Holder, now: Timestamp) {
        if let Some(policy) = self.policies.get_mut(&(kind, name.to_lowercase())) {
            policy.detached.insert(from, now);
        }
    }

    /// Takes a custom policy away, also from everything it is attached to.
    pub fn remove_custom_policy(&mut self, name: &str) {
        self.policies.remove(&(PolicyType::Custom, name.to_lowercase()));
        let users = self.users.values_mut().map(|user| &mut user.policies);
        let groups = self.groups.values_mut().map(|group| &mut group.policies);
        let roles = self.roles.values_mut().map(|role| &mut role.policies);
        for policies in users.chain(groups).chain(roles) {
            policies.retain(|attached| !attached.is(PolicyType::Custom, name));
        }
    }
}
