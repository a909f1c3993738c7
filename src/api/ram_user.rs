use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AccountRef, Requests, Span, pending, status};
use super::console_login::{ConsoleLogin, LoginStatus};
use super::management::{Adoption, AdoptionStatus, Management, Observed};
use super::ram_access_key::KeyState;
use super::ram_account::Used;
use super::virtual_mfa::{VirtualMfa, VirtualMfaStatus};

/// A RAM user with its policies, groups, console log-on and MFA.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamUser",
    plural = "ramusers",
    namespaced,
    shortname = "ramu",
    category = "ram",
    status = "RamUserStatus",
    derive = "PartialEq",
    doc = "A RAM user with its policies, groups, console log-on and MFA. Annotations: ram-operator.dev/reconcile (any new value: look now), ram-operator.dev/paused (true: no grants and no repairs), ram-operator.dev/reset-password (any new value: another password now), ram-operator.dev/accept-adoption (any value: what was adopted may be made as the spec says), ram-operator.dev/reset-mfa (any new value: another MFA device now).",
    validation = Rule::new("self.spec.adoption != 'IfUnowned' || self.spec.deletionPolicy == 'Retain' || (has(self.status) && has(self.status.adoption) && has(self.status.adoption.acceptedTime))").message("`deletionPolicy` must be 'Retain' with the adoption 'IfUnowned', until that is accepted by the annotation ram-operator.dev/accept-adoption"),
    selectable = ".status.userName",
    selectable = ".status.userId",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "RAM user", type_ = "string", json_path = ".status.userName"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state", priority = 1),
    printcolumn(name = "User ID", type_ = "string", json_path = ".status.userId", priority = 1),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.userName) == has(oldSelf.userName)", "`userName` may not be set or removed later: a RAM user keeps its name. Create another RamUser instead"),
    validation = ("(self.management != 'Observe' && self.adoption != 'IfUnowned') || has(self.userName)", "`userName` must be given for the management 'Observe' and for the adoption 'IfUnowned'"),
    validation = ("!has(self.consoleLogin) || !has(self.consoleLogin.initialPassword) || !has(self.consoleLogin.initialPassword.secret) || !has(self.virtualMfa) || !has(self.virtualMfa.secret) || self.consoleLogin.initialPassword.secret.name != self.virtualMfa.secret.name", "`virtualMfa.secret` must be another Secret than `consoleLogin.initialPassword.secret`")
)]
pub struct RamUserSpec {
    /// The account the user is made in. Immutable.
    #[serde(default)]
    #[x_kube(validation = ("self == oldSelf", "`accountRef` may not be changed: create another RamUser instead"))]
    pub account_ref: AccountRef,

    /// Name of the user in RAM; the tenant must allow it. Default: `<userNamePrefix><namespace>.<name>`, cut with a hash when longer than 64. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._][A-Za-z0-9._-]*$"))]
    #[x_kube(validation = ("self == oldSelf", "`userName` may not be changed: create another RamUser instead"))]
    pub user_name: Option<String>,

    /// Display name in RAM. Absent: not managed; RAM shows what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[^\x00-\x1f\x7f]+$"))]
    pub display_name: Option<String>,

    /// Comment in RAM, at most 56 bytes: the marker that shows whose user it is follows in the same field. Absent: no text before the marker; what an adopted user has stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 56), regex(pattern = r"^[^\x00-\x1f\x7f]*$"))]
    #[x_kube(
        validation = ("size(bytes(self)) <= 56", "`comments` must have at most 56 bytes in UTF-8"),
        validation = ("!self.contains('[ram-operator:')", "`comments` must not contain '[ram-operator:'")
    )]
    pub comments: Option<String>,

    /// E-mail address in RAM; the China site only. Absent: not managed. Empty: cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = r"^([^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+)?$"))]
    pub email: Option<String>,

    /// Mobile phone in RAM as `<country code>-<number>`; the China site only. Absent: not managed. Empty: cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^([0-9]{1,4}-[0-9]{4,20})?$"))]
    pub mobile_phone: Option<String>,

    /// Policies attached to the user directly; the tenant must allow each. Absent: not managed. Empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 30))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y.type == x.type && y.name == x.name))", "`policies` must not name a policy twice"),
        validation = ("self.filter(x, x.type == 'System').size() <= 20", "`policies` must not hold more than 20 of type 'System', which is RAM's quota"),
        validation = ("self.filter(x, x.type != 'System').size() <= 10", "`policies` must not hold more than 10 of the types 'Custom' and 'RamPolicy', which is RAM's quota")
    )]
    pub policies: Option<Vec<PolicyAttachment>>,

    /// Groups the user is in; the tenant must allow each, and what it holds. Absent: not managed. Empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y.type == x.type && y.name == x.name))", "`groups` must not name a group twice")
    )]
    pub groups: Option<Vec<GroupMembership>>,

    /// What becomes of policies that somebody else attached, when `policies` is given, and of groups that somebody else put the user in, when `groups` is given.
    /// `Exclusive`: they are taken away, but a policy that only denies stays and is reported. `Report`: they stay and are reported. `Additive`: they stay. Default: `Exclusive`.
    #[serde(default)]
    pub attachments: Attachments,

    /// Log-on to the console; the tenant must allow it. Absent: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_login: Option<ConsoleLogin>,

    /// The MFA device that the user logs on with. Absent: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_mfa: Option<VirtualMfa>,

    /// `Suspended` disables every key of the user's RamAccessKeys, and its log-on if that is managed here, and deletes nothing but a log-on that RAM refuses to disable without a new password; `Active` enables what was disabled this way. Default: `Active`.
    #[serde(default)]
    pub state: UserState,

    /// How long the user stays in RAM, disarmed, after this object was deleted. An object applied again meanwhile takes it back. Default: `0s`.
    #[serde(default = "no_time")]
    #[x_kube(validation = ("self <= duration('2160h')", "`deletionGracePeriod` must not be longer than 90d"))]
    pub deletion_grace_period: Span,

    /// `Manage`: the user is made and kept as declared. `Observe`: what exists under the name is read and shown, and never written to; the tenant
    /// must allow it (`adopt`). When this object is deleted, what it made or adopted before goes as `deletionPolicy` says. `Plan`: the steps that would be taken are listed in `status.plan`, and not taken. Default: `Manage`.
    #[serde(default)]
    pub management: Management,

    /// What becomes of a user that has the name already and carries no marker of any object. `Never`: it is not touched. `IfUnowned`: it is taken over, where the
    /// tenant allows that (`adopt`) and all that it holds; nothing is taken from it until the annotation ram-operator.dev/accept-adoption is there. Default: `Never`.
    #[serde(default)]
    pub adoption: Adoption,

    /// What becomes of the user in RAM when this object is deleted. `Delete`: it is deleted with all that hangs on it. `Retain`: it stays, without our marker;
    /// the tenant must allow that. Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: UserDeletionPolicy,
}

fn no_time() -> Span {
    Span("0s".to_owned())
}

/// Whether the keys of a user may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserState {
    /// They may.
    #[default]
    Active,
    /// They are disabled.
    Suspended,
}

/// A group.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.type != 'RamGroup' || self.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')", "`name` of type 'RamGroup' must be the name of a RamGroup"))]
pub struct GroupMembership {
    /// `Ram` (a group of the account, by RAM name) or `RamGroup` (of this namespace).
    #[serde(rename = "type")]
    pub kind: GroupKind,
    /// The group's name.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._][A-Za-z0-9._-]*$"))]
    pub name: String,
}

/// Where a group is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum GroupKind {
    /// In RAM.
    Ram,
    /// A RamGroup of this namespace.
    RamGroup,
}

/// A policy.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.type == 'RamPolicy' ? self.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$') : !self.name.contains('.')", "`name` must be that of a RamPolicy for the type 'RamPolicy', and of letters, digits and '-' else"))]
pub struct PolicyAttachment {
    /// `System` (Alibaba Cloud's) or `Custom` (the account's), both by RAM name, or `RamPolicy` (of this namespace).
    #[serde(rename = "type")]
    pub kind: PolicyKind,
    /// The policy's name.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9.-]*)$"))]
    pub name: String,
}

/// RAM's `PolicyType`, and our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// Made and kept by Alibaba Cloud.
    System,
    /// Made in the account.
    Custom,
    /// A RamPolicy of this namespace.
    RamPolicy,
}

/// What becomes of attachments made by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Attachments {
    /// They are drift and are detached.
    #[default]
    Exclusive,
    /// They stay and are reported.
    Report,
    /// They stay.
    Additive,
}

/// What becomes of a RAM user when its object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserDeletionPolicy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays, without our marker.
    Retain,
}

/// What the operator last saw of the user.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamUserStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The account the user is in; kept for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// RAM's `UserId`: the user's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// RAM's `UserName`, computed once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Name for log-on: `<UserName>@<default domain>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    /// Where the user logs on to the console; known when `spec.consoleLogin` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_url: Option<String>,
    /// What was carried out for the log-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_login: Option<LoginStatus>,
    /// What was carried out for the MFA device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_mfa: Option<VirtualMfaStatus>,
    /// When the user was made in RAM, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    /// The first eight characters of the uid in the marker that we wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker_uid: Option<String>,
    /// Policies attached to the user directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub policies: Option<Vec<PolicyAttachment>>,
    /// Groups the user is in, by RAM name; known when `spec.groups` is given, and of a user that is observed or was adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub groups: Option<Vec<String>>,
    /// Every AccessKey of the user, whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub access_keys: Option<Vec<InventoryKey>>,
    /// How much of RAM's quotas for one user is used, as far as RAM told it for the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UserUsage>,
    /// How far the adoption of the user has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption: Option<AdoptionStatus>,
    /// Policies and groups of an adopted user, by SHA-256, that were judged last and are all within the tenant's bounds: a key is made only while it has just these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged_rights: Option<String>,
    /// Identity of a user that is only observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// With the management `Plan`: the steps that would be taken next, at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 200)))]
    pub plan: Option<Vec<String>>,
    /// Requests by annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// `Ready`; `Stalled`, `Paused`, `DriftFound` and `AdoptionPending` when they are true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
status!(RamUserStatus);

/// Used part and size of the quotas of one user.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUsage {
    /// AccessKeys, whoever made them, disabled ones included. A rotation needs a free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_keys: Option<Used>,
    /// Groups the user is in; known where `status.groups` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Used>,
    /// System policies attached directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_policies: Option<Used>,
    /// Custom policies attached directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_policies: Option<Used>,
}

/// An AccessKey in the inventory of a user.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryKey {
    /// Its id.
    pub id: String,
    /// `Active` or `Inactive` in RAM.
    pub state: KeyState,
    /// When it was made, RFC 3339.
    pub create_time: String,
    /// Who has it.
    pub owner: KeyOwner,
    /// The RamAccessKey that has it, when one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
}

/// Who has an AccessKey of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyOwner {
    /// A RamAccessKey of this namespace.
    RamAccessKey,
    /// Perhaps made by a mint whose outcome is still open.
    Undecided,
    /// Somebody else.
    Foreign,
}
