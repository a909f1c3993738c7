use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Requests, Span, pending, status};
use super::settings::{AccountSettings, SettingsStatus};

/// One Alibaba Cloud account: how the operator reaches it, and how much of its API it may use.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamAccount",
    plural = "ramaccounts",
    shortname = "ramacc",
    category = "ram",
    status = "RamAccountStatus",
    derive = "PartialEq",
    doc = "One Alibaba Cloud account: how the operator reaches it, and how much of its API it may use.",
    validation = Rule::new("!has(self.spec.accountId) || !has(self.status) || !has(self.status.accountId) || self.spec.accountId == self.status.accountId").message("`accountId` must be the account that the credentials belong to, which is in status.accountId"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".status.ownerId", priority = 1),
    printcolumn(name = "Caller", type_ = "string", json_path = ".status.callerArn", priority = 1),
    printcolumn(name = "Alias", type_ = "string", json_path = ".status.alias", priority = 1),
    printcolumn(
        name = "Settings",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"SettingsApplied\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(oldSelf.accountId) || has(self.accountId)", "`accountId` may not be removed once it is set"),
    validation = ("has(self.ownerId) == has(oldSelf.ownerId)", "`ownerId` may not be set or removed later: it is in the marker of every user. Create another RamAccount instead"),
    validation = ("has(self.userNamePrefix) == has(oldSelf.userNamePrefix)", "`userNamePrefix` may not be set or removed later: it is part of the users' names. Create another RamAccount instead")
)]
pub struct RamAccountSpec {
    /// The account's number. When absent, the first one that the credentials answer for is pinned in the status. Immutable once set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 10, max = 20), regex(pattern = r"^[0-9]+$"))]
    #[x_kube(validation = ("self == oldSelf", "`accountId` may not be changed"))]
    pub account_id: Option<String>,

    /// This installation's name in the marker on every user. Default: made from the uid of the namespace kube-system and shown in the status.
    /// A new cluster that goes on with a lost one's work is given the lost one's name. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[a-z0-9-]+$"))]
    #[x_kube(validation = ("self == oldSelf", "`ownerId` may not be changed"))]
    pub owner_id: Option<String>,

    /// How the operator signs its calls.
    pub credentials: Credentials,

    /// Where the APIs are. Default: the public hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,

    /// Put before generated user names. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    #[x_kube(validation = ("self == oldSelf", "`userNamePrefix` may not be changed"))]
    pub user_name_prefix: Option<String>,

    /// How many percent of RAM's published rates this cluster may use. Default: 50.
    #[serde(default = "half")]
    #[schemars(range(min = 1, max = 100))]
    pub quota_share: i32,

    /// Each object is looked at live once in this time, spread evenly. At least `1m`. Default: `1h`.
    #[serde(default = "hour")]
    #[x_kube(validation = ("self >= duration('1m')", "`lookInterval` must be at least '1m'"))]
    pub look_interval: Span,

    /// The account's own settings: its alias, rules for passwords, what users may do by themselves, from where keys may be used. Absent: not managed.
    /// Trouble with them shows in the condition `SettingsApplied` and never keeps the account from being used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<AccountSettings>,
}

fn half() -> i32 {
    50
}

fn hour() -> Span {
    Span("1h".to_owned())
}

/// Where the operator's own credentials come from.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.source == 'Secret' ? has(self.secret) : !has(self.secret)", "`secret` must be given when `source` is 'Secret', and only then"))]
pub struct Credentials {
    /// `Secret`: an AccessKey pair in a Secret. `Environment`: a pair in the operator's environment (`ALIBABA_CLOUD_ACCESS_KEY_ID`, `..._SECRET`).
    /// `Rrsa`: the ServiceAccount's token is exchanged for a role's credentials (ACK's RRSA). `EcsRole`: the role of the node.
    pub source: CredentialSource,

    /// The Secret, when `source` is `Secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<CredentialSecret>,

    /// A role to assume with whatever the source gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialSource {
    /// An AccessKey pair in a Secret.
    Secret,
    /// An AccessKey pair in the operator's environment.
    Environment,
    /// AssumeRoleWithOIDC with the ServiceAccount's token.
    Rrsa,
    /// The ECS metadata service.
    EcsRole,
}

/// A Secret with the operator's own AccessKey pair.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialSecret {
    /// Name of the Secret.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,

    /// Its namespace. Default: the operator's own; another one must be allowed by the operator's flag `--credentials-namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,

    /// Key of the AccessKey id in the Secret. Default: `ALIBABA_CLOUD_ACCESS_KEY_ID`.
    #[serde(default = "id_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub access_key_id_key: String,

    /// Key of the AccessKey secret in the Secret. Default: `ALIBABA_CLOUD_ACCESS_KEY_SECRET`.
    #[serde(default = "secret_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub access_key_secret_key: String,

    /// Key of the STS token in the Secret, read when it is there. Default: `ALIBABA_CLOUD_SECURITY_TOKEN`.
    #[serde(default = "token_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub security_token_key: String,
}

pub(super) fn id_key() -> String {
    "ALIBABA_CLOUD_ACCESS_KEY_ID".to_owned()
}

pub(super) fn secret_key() -> String {
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET".to_owned()
}

fn token_key() -> String {
    "ALIBABA_CLOUD_SECURITY_TOKEN".to_owned()
}

/// STS AssumeRole on top of a source.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// ARN of the role, `acs:ram::<account>:role/<name>`.
    #[schemars(length(min = 20, max = 256), regex(pattern = r"^acs:ram::[0-9]+:role/[A-Za-z0-9.-]+$"))]
    pub role_arn: String,

    /// The external id that the role's trust policy asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), regex(pattern = r"^[A-Za-z0-9=,.@:/_+-]+$"))]
    pub external_id: Option<String>,
}

/// Base URLs of the APIs. Hosts outside aliyuncs.com and plain http need the operator's flag `--allow-custom-endpoints`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// RAM. Default: `https://ram.aliyuncs.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 256), regex(pattern = r"^https?://[A-Za-z0-9.:-]+/?$"))]
    pub ram: Option<String>,
    /// IMS. Default: `https://ims.aliyuncs.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 256), regex(pattern = r"^https?://[A-Za-z0-9.:-]+/?$"))]
    pub ims: Option<String>,
    /// STS. Default: `https://sts.aliyuncs.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 256), regex(pattern = r"^https?://[A-Za-z0-9.:-]+/?$"))]
    pub sts: Option<String>,
    /// The ECS metadata service, for `source: EcsRole`. Default: `http://100.100.100.200`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 256), regex(pattern = r"^https?://[A-Za-z0-9.:-]+/?$"))]
    pub metadata: Option<String>,
}

/// What the operator last saw of the account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamAccountStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The account's number: an account is its number, and another one is never used under this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// This installation's name in the marker on every user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Who the operator is in RAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_arn: Option<String>,
    /// The account's alias, if it has one: what stands before `.onaliyun.com` in the default domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The part after `@` in user principal names (IMS GetDefaultDomain).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_domain: Option<String>,
    /// Where RAM users log on to the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_url: Option<String>,
    /// How much of the account's quotas is used (IMS GetAccountSummary), read once a `lookInterval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the operator remembers of the settings that it manages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsStatus>,
    /// Requests by annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// `Ready`; `SettingsApplied`, true or false, where `spec.settings` is given; `Stalled` and `QuotaLow` when they are true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
status!(RamAccountStatus);

/// Used part and size of quotas.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// RAM users of the account.
    pub users: Used,
    /// Groups of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Used>,
    /// Custom policies of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Used>,
    /// Virtual MFA devices of the account, bound or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_mfa_devices: Option<Used>,
    /// What one RAM user may have; how much of it is used is in the status of each RamUser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_user: Option<UserQuotas>,
}

/// What one RAM user may have.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserQuotas {
    /// AccessKeys, disabled ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_keys: Option<i64>,
    /// Groups the user may be in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<i64>,
    /// System policies attached to the user directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_policies: Option<i64>,
    /// Custom policies attached to the user directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_policies: Option<i64>,
}

/// Used part and size of one quota.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// How many there are.
    pub used: i64,
    /// How many there may be.
    pub quota: i64,
}

/// Labels by key.
pub(super) type Labels = BTreeMap<String, super::LabelValue>;
