//! The objects of RAM as the rest of the operator sees them. Times are UTC in whole seconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

mod login;
mod settings;

pub use login::{
    LoginChanges, LoginProfile, MfaInfo, MfaKind, MfaUser, NewMfaDevice, PasswordStatus, VirtualMfaDevice,
};
pub use settings::{PasswordPolicy, SecurityPreference};

/// Who a credential belongs to (STS GetCallerIdentity).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account_id: String,
    /// ARN of the RAM user, role session or account root.
    pub arn: String,
    /// Id of the RAM user; absent for a role session and for the account root.
    pub user_id: Option<String>,
}

/// What asking with a new key pair showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// RAM knows the pair and its secret. Both ids are absent when RAM knew it and refused the question itself.
    Authentic {
        /// The account of the pair.
        account_id: Option<String>,
        /// The RAM user of the pair.
        user_id: Option<String>,
    },
    /// The key exists and is disabled.
    Inactive,
    /// The key is not visible, or not with this secret. A new key may need up to a minute.
    NotYet,
}

/// Counts and quotas of the account (IMS GetAccountSummary).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// RAM users there are.
    pub users: i64,
    /// RAM users there may be.
    pub users_quota: i64,
    /// Groups there are.
    pub groups: Option<i64>,
    /// Groups there may be.
    pub groups_quota: Option<i64>,
    /// Custom policies there are.
    pub policies: Option<i64>,
    /// Custom policies there may be.
    pub policies_quota: Option<i64>,
    /// Virtual MFA devices there are, bound or not.
    pub mfa_devices: Option<i64>,
    /// Virtual MFA devices there may be.
    pub virtual_mfa_devices_quota: Option<i64>,
    /// Groups a RAM user may be in.
    pub groups_per_user_quota: Option<i64>,
    /// AccessKeys a RAM user may have.
    pub access_keys_per_user_quota: Option<i64>,
    /// Custom policies that may be attached to a RAM user.
    pub attached_policies_per_user_quota: Option<i64>,
    /// System policies that may be attached to a RAM user.
    pub attached_system_policies_per_user_quota: Option<i64>,
}

/// A RAM user (RAM GetUser). Text that RAM leaves out is empty here.
#[allow(clippy::struct_field_names, reason = "RAM's own field names")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The only stable identity: it survives renames and is not reused.
    pub user_id: String,
    /// The name, 1 to 64 characters.
    pub user_name: String,
    /// The display name, up to 128 characters.
    pub display_name: String,
    /// The comment, up to 128 characters.
    pub comments: String,
    /// E-mail address; China site only.
    pub email: String,
    /// `<country>-<number>`; China site only.
    pub mobile_phone: String,
    /// When the user was made.
    pub create_time: Option<Timestamp>,
}

/// A RAM user as IMS shows it (IMS GetUser).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImsUser {
    /// The same id as in RAM.
    pub user_id: String,
    /// `<UserName>@<default domain>`.
    pub user_principal_name: String,
    /// The display name.
    pub display_name: String,
    /// The comment.
    pub comments: String,
    /// When the user was made.
    pub create_time: Option<Timestamp>,
}

impl ImsUser {
    /// The user's name in RAM: what stands before the `@`.
    #[must_use]
    pub fn user_name(&self) -> &str {
        name_in(&self.user_principal_name)
    }
}

/// The user's name in a UserPrincipalName: what stands before the `@`.
pub(super) fn name_in(user_principal_name: &str) -> &str {
    user_principal_name.split_once('@').map_or(user_principal_name, |(name, _)| name)
}

/// A RAM user to be made (RAM CreateUser). What is `None` is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUser {
    /// Letters, digits, `.`, `-`, `_`; 1 to 64.
    pub user_name: String,
    /// Up to 128 characters.
    pub display_name: Option<String>,
    /// Up to 128 characters.
    pub comments: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// `<country>-<number>`.
    pub mobile_phone: Option<String>,
}

/// Changes to a RAM user (RAM UpdateUser). `None` leaves a field as it is, an empty text clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// The new name.
    pub user_name: Option<String>,
    /// The new display name.
    pub display_name: Option<String>,
    /// The new comment.
    pub comments: Option<String>,
    /// The new e-mail address.
    pub email: Option<String>,
    /// The new phone number.
    pub mobile_phone: Option<String>,
}

/// Whether a key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It may.
    Active,
    /// It may not; it still takes one of the user's slots.
    Inactive,
}

impl KeyStatus {
    /// RAM's own word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An AccessKey of a user, without its secret (RAM ListAccessKeys).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// The AccessKeyId.
    pub id: String,
    /// Whether it may be used.
    pub status: KeyStatus,
    /// When it was made, by RAM's clock.
    pub create_time: Timestamp,
}

/// A new AccessKey with its secret, which RAM shows this once (RAM CreateAccessKey).
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The AccessKeyId.
    pub id: String,
    /// The AccessKeySecret.
    pub secret: SecretString,
    /// When it was made, by RAM's clock.
    pub create_time: Option<Timestamp>,
}

/// The last use of a key as far as RAM has noticed; its reports lag by about two hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastUsed {
    /// When; absent for a key that was never seen in use.
    pub time: Option<Timestamp>,
    /// The service it was used with, where the reply names one.
    pub service: Option<String>,
}

/// From where a key may be used (IMS SetAccessKeyPolicy). The default, inactive and empty, is no restriction.
///
/// Two that mean the same are equal: neither order nor repetition counts, nor how an address is spelled
/// (`2001:DB8::1/128` is `2001:db8::1`, `10.1.2.3/8` is `10.0.0.0/8`).
#[derive(Clone, Debug, Default)]
pub struct KeySources {
    /// Whether the restriction is in force. In force and empty, it lets nobody use the key.
    pub active: bool,
    /// Public addresses, and ranges in CIDR notation.
    pub public: Vec<String>,
    /// Ids of VPCs with the addresses and ranges inside each; `AllowAllVPC` stands for every VPC.
    pub vpcs: Vec<(String, Vec<String>)>,
}

impl KeySources {
    /// The same for all that mean the same.
    #[must_use]
    pub fn meaning(&self) -> (bool, BTreeSet<String>, BTreeMap<&str, BTreeSet<String>>) {
        let mut vpcs = BTreeMap::<&str, BTreeSet<String>>::new();
        for (id, ranges) in &self.vpcs {
            vpcs.entry(id).or_default().extend(ranges.iter().map(|range| plain_range(range)));
        }
        (self.active, self.public.iter().map(|range| plain_range(range)).collect(), vpcs)
    }
}

impl PartialEq for KeySources {
    fn eq(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }
}

impl Eq for KeySources {}

/// The one spelling of an address or range; what is neither stays as it is.
fn plain_range(text: &str) -> String {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let Ok(address) = address.parse::<IpAddr>() else {
        return text.to_owned();
    };
    let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok());
    let Some((prefix, rest)) = prefix.and_then(|prefix| Some((prefix, bits.checked_sub(prefix)?))) else {
        return text.to_owned();
    };
    let first: IpAddr = match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(rest).unwrap_or(0)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(rest).unwrap_or(0)).into(),
    };
    if rest == 0 { first.to_string() } else { format!("{first}/{prefix}") }
}

/// Who maintains a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PolicyType {
    /// Alibaba Cloud.
    System,
    /// The account.
    Custom,
}

impl PolicyType {
    /// RAM's own word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Custom => "Custom",
        }
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The two things that name a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyRef {
    /// RAM's `PolicyType`.
    pub kind: PolicyType,
    /// RAM's `PolicyName`.
    pub name: String,
}

impl PolicyRef {
    /// Whether both name the same policy: RAM answers with its own spelling, so ASCII case does not count.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A policy attached to a user or a group directly (RAM ListPoliciesForUser, ListPoliciesForGroup).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Which one, in RAM's spelling.
    pub policy: PolicyRef,
    /// Since when.
    pub attach_time: Option<Timestamp>,
}

/// A policy with the document that is in force (RAM GetPolicy).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDetail {
    /// Which one, in RAM's spelling.
    pub policy: PolicyRef,
    /// Up to 1024 characters; empty if there is none.
    pub description: String,
    /// When it was made.
    pub create_time: Option<Timestamp>,
    /// Id of the version in force: `v1`, `v2`, and so on.
    pub default_version: String,
    /// The document of that version: JSON text, as it was sent.
    pub document: String,
    /// How many users, groups and roles have it.
    pub attachment_count: Option<i64>,
}

/// A version of a policy, without its document (RAM ListPolicyVersions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// `v1`, `v2`, and so on.
    pub id: String,
    /// Whether it is the one in force.
    pub is_default: bool,
    /// When it was made.
    pub create_time: Option<Timestamp>,
}

/// The names of all that have a policy (RAM ListEntitiesForPolicy).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyEntities {
    /// Users that have it directly.
    pub users: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
}

/// A group of RAM users (RAM GetGroup).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The GroupId, `g-` and letters and digits.
    pub id: String,
    /// The name, 1 to 64 characters.
    pub name: String,
    /// The comment, up to 128 characters; empty if there is none.
    pub comments: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_the_same_in_any_case() {
        let policy = |kind, name: &str| PolicyRef { kind, name: name.to_owned() };
        let system = policy(PolicyType::System, "AliyunOTSReadOnlyAccess");
        assert!(system.same_as(&policy(PolicyType::System, "aliyunotsreadonlyaccess")));
        assert!(!system.same_as(&policy(PolicyType::Custom, "AliyunOTSReadOnlyAccess")));
        assert_eq!(system.to_string(), "System/AliyunOTSReadOnlyAccess");
    }

    #[test]
    fn user_name_stands_before_the_at() {
        let mut user = ImsUser {
            user_id: "2".to_owned(),
            user_principal_name: "svc@acme.onaliyun.com".to_owned(),
            display_name: String::new(),
            comments: String::new(),
            create_time: None,
        };
        assert_eq!(user.user_name(), "svc");
        "svc".clone_into(&mut user.user_principal_name);
        assert_eq!(user.user_name(), "svc");
    }

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn sources(public: &[&str], vpcs: &[(&str, &[&str])]) -> KeySources {
        let vpcs = vpcs.iter().map(|(id, ranges)| ((*id).to_owned(), list(ranges))).collect();
        KeySources { active: true, public: list(public), vpcs }
    }

    #[test]
    fn sources_are_equal_that_mean_the_same() {
        let some = sources(&["2001:db8::1", "198.51.100.0/24"], &[("vpc-a", &["10.0.0.0/8"]), ("vpc-b", &["::/0"])]);
        for same in [
            sources(&["198.51.100.0/24", "2001:DB8:0::1/128"], &[("vpc-b", &["::/0"]), ("vpc-a", &["10.1.2.3/8"])]),
            sources(
                &["2001:db8::1", "198.51.100.7/24", "2001:db8::1/128"],
                &[("vpc-a", &["10.0.0.0/8"]), ("vpc-b", &["::1/0"]), ("vpc-a", &["10.0.0.0/8", "10.0.0.0/8"])],
            ),
        ] {
            assert_eq!(same, some);
        }
        for other in [
            KeySources { active: false, ..some.clone() },
            KeySources { public: list(&["198.51.100.0/24"]), ..some.clone() },
            KeySources { public: list(&["2001:db8::1", "198.51.100.0/25"]), ..some.clone() },
            KeySources { public: list(&["2001:db8::1", "0.0.0.0/0", "198.51.100.0/24"]), ..some.clone() },
            KeySources { vpcs: vec![("vpc-a".to_owned(), list(&["10.0.0.0/8", "::/0"]))], ..some.clone() },
            KeySources { vpcs: Vec::new(), ..some.clone() },
        ] {
            assert_ne!(other, some);
        }
        assert_ne!(sources(&[], &[]), KeySources::default());
    }

    #[test]
    fn what_is_no_range_is_compared_as_it_is() {
        for text in ["", "everywhere", "192.0.2.10/33", "::/129", "192.0.2.10/", "192.0.2.10/-1", "192.0.2.10/24/24"] {
            assert_eq!(plain_range(text), text);
        }
    }

    #[test]
    fn a_pair_does_not_show_its_secret() {
        let pair = KeyPair { id: "LTAIx".to_owned(), secret: "hush-hush".into(), create_time: None };
        assert!(!format!("{pair:?}").contains("hush"));
    }
}
