use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Requests, Span, pending, status};
use super::ram_account::{id_key, secret_key};

/// An AccessKey pair of a RamUser, published in a Secret.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamAccessKey",
    plural = "ramaccesskeys",
    namespaced,
    shortname = "ramak",
    category = "ram",
    status = "RamAccessKeyStatus",
    derive = "PartialEq",
    doc = "An AccessKey pair of a RamUser, published in a Secret. Annotations: ram-operator.dev/rotate (any new value: a new pair now), ram-operator.dev/revoke (id of a key: disable it now, replace and delete it), ram-operator.dev/restore (id of a disabled key: enable it again), ram-operator.dev/reconcile (any new value: look now), ram-operator.dev/paused (true: no grants and no repairs).",
    validation = Rule::new("self.metadata.name.size() <= 63").message("`metadata.name` must have at most 63 characters, since it becomes a label's value"),
    selectable = ".status.accessKeyId",
    selectable = ".spec.userRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "User", type_ = "string", json_path = ".spec.userRef.name"),
    printcolumn(name = "Key ID", type_ = "string", json_path = ".status.accessKeyId"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secret.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", priority = 1),
    printcolumn(name = "Published", type_ = "date", json_path = ".status.publishedTime"),
    printcolumn(name = "Next rotation", type_ = "string", json_path = ".status.nextRotationTime"),
    printcolumn(name = "Retiring", type_ = "string", json_path = ".status.retiring[*].id"),
    printcolumn(
        name = "Blocked",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"RotationBlocked\")].reason"
    ),
    printcolumn(name = "Retires", type_ = "string", json_path = ".status.retiring[*].nextTime"),
    printcolumn(name = "Used by", type_ = "string", json_path = ".status.retiring[*].usedBy"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RamAccessKeySpec {
    /// The RamUser of this namespace whose key it is. Immutable.
    #[x_kube(validation = ("self == oldSelf", "`userRef` may not be changed: create another RamAccessKey instead"))]
    pub user_ref: UserRef,

    /// `Inactive` disables every key of this object in RAM and keeps them; `Active` enables what was disabled this way. Default: `Active`.
    #[serde(default)]
    pub state: KeyState,

    /// Where and how the pair is published.
    #[serde(default)]
    pub secret: SecretOutput,

    /// When the pair is replaced, and how the old key goes. Default: on request only, by the annotation `ram-operator.dev/rotate`.
    #[serde(default)]
    pub rotation: Rotation,

    /// From where the key may be used. Absent: not managed. RAM needs up to minutes to apply it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_sources: Option<AllowedSources>,

    /// Workloads of this namespace that are restarted once for each new pair, by an annotation on their pod template. The chart's
    /// `restartTargets.enabled` gives the operator the right to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y.kind == x.kind && y.name == x.name))", "`restartTargets` must not name a workload twice")
    )]
    pub restart_targets: Option<Vec<RestartTarget>>,

    /// What becomes of the keys when this object is deleted. `Delete`: they are disabled and deleted. `Disable`: the published one is disabled and stays.
    /// `Retain`: it stays in use, and the Secret too. Other than `Delete` must be allowed by the tenant. Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: KeyDeletionPolicy,
}

/// When a pair is replaced, and how the old key goes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.interval) || self.overlap + self.quarantine < self.interval", "`rotation.overlap` and `rotation.quarantine` together must be shorter than `rotation.interval`: a RAM user has two keys"),
    validation = ("!has(self.maxOverlap) || self.maxOverlap >= self.overlap", "`rotation.maxOverlap` must not be shorter than `rotation.overlap`")
)]
pub struct Rotation {
    /// Age at which a pair is replaced, at least 4h; spread by up to a tenth, so that keys made together are not replaced together. Absent: on request only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self >= duration('4h')", "`rotation.interval` must be at least 4h"))]
    pub interval: Option<Span>,

    /// How long old and new key work side by side, at least 3h, which is the lag of RAM's last-used data. The old key is disabled after it
    /// once RAM reports no use for this long. Default: `1d`.
    #[serde(default = "day")]
    #[x_kube(validation = ("self >= duration('3h')", "`rotation.overlap` must be at least 3h, the lag of RAM's last-used data"))]
    pub overlap: Span,

    /// When the old key is disabled even if it is still used. Absent: never while it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_overlap: Option<Span>,

    /// How long the old key stays disabled, so that it can be restored, before it is deleted. Default: `3d`.
    #[serde(default = "three_days")]
    pub quarantine: Span,

    /// Whether a deleted key is deleted from RAM's recycle bin too, where an administrator could bring it back. Revoked keys always are. Default: `false`.
    #[serde(default)]
    pub purge_from_recycle_bin: bool,
}

fn day() -> Span {
    Span("1d".to_owned())
}

fn three_days() -> Span {
    Span("3d".to_owned())
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            interval: None,
            overlap: day(),
            max_overlap: None,
            quarantine: three_days(),
            purge_from_recycle_bin: false,
        }
    }
}

/// From where a key may be used. At least one source.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("size(self.publicCidrs) + size(self.vpcs) > 0", "`allowedSources` must name at least one source: with none a key could not be used at all, which is what `state: Inactive` of a RamAccessKey is for"))]
pub struct AllowedSources {
    /// Public addresses, or ranges in CIDR notation.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 2, max = 43)))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, isIP(x) || isCIDR(x))", "`publicCidrs` must hold IP addresses or CIDR ranges, such as 203.0.113.7 or 198.51.100.0/24")
    )]
    pub public_cidrs: Vec<String>,
    /// Networks inside VPCs.
    #[serde(default)]
    #[schemars(length(max = 20))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y.id == x.id))", "`vpcs` must not name a VPC twice")
    )]
    pub vpcs: Vec<VpcSource>,
}

/// Addresses inside one VPC.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcSource {
    /// Id of the VPC.
    #[schemars(length(min = 5, max = 64), regex(pattern = r"^vpc-[a-z0-9]+$"))]
    pub id: String,
    /// Addresses or ranges inside it.
    #[schemars(length(min = 1, max = 50), inner(length(min = 2, max = 43)))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, isIP(x) || isCIDR(x))", "`cidrs` must hold IP addresses or CIDR ranges, such as 10.0.0.0/8")
    )]
    pub cidrs: Vec<String>,
}

/// A workload of the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartTarget {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// Kinds of workloads that can be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
}

/// Names a RamUser of the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRef {
    /// Name of the RamUser.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// RAM's `Status` of an AccessKey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// It signs.
    #[default]
    Active,
    /// It is refused.
    Inactive,
}

/// What becomes of the keys when the object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyDeletionPolicy {
    /// They are disabled and deleted.
    #[default]
    Delete,
    /// The published one is disabled and stays in RAM.
    Disable,
    /// The published one stays in use, and its Secret too.
    Retain,
}

/// Where and how a pair is published.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.name) == has(oldSelf.name)", "`secret.name` may not be set or removed later: create another RamAccessKey instead"))]
pub struct SecretOutput {
    /// Name of the Secret. Default: the object's name. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[x_kube(validation = ("self == oldSelf", "`secret.name` may not be changed: create another RamAccessKey instead"))]
    pub name: Option<String>,

    /// Labels put on the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(
        validation = ("self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "keys of `secret.labels` must be label keys of Kubernetes"),
        validation = ("self.all(k, !k.startsWith('ram-operator.dev/') && k != 'app.kubernetes.io/instance' && !k.startsWith('argocd.argoproj.io/'))", "`secret.labels` must not use 'ram-operator.dev/', 'app.kubernetes.io/instance' or 'argocd.argoproj.io/': those make another tool take the Secret for its own")
    )]
    pub labels: Option<BTreeMap<String, LabelValue>>,

    /// Annotations put on the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(
        validation = ("self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "keys of `secret.annotations` must be annotation keys of Kubernetes"),
        validation = ("self.all(k, !k.startsWith('ram-operator.dev/') && k != 'app.kubernetes.io/instance' && !k.startsWith('argocd.argoproj.io/'))", "`secret.annotations` must not use 'ram-operator.dev/', 'app.kubernetes.io/instance' or 'argocd.argoproj.io/': those make another tool take the Secret for its own")
    )]
    pub annotations: Option<BTreeMap<String, AnnotationValue>>,

    /// In which forms the pair is written. `Env`: `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, for `envFrom`.
    /// `Ini`: `credentials`, the file of the SDKs. `CliJson`: `config.json`, the file of the command line tool. `Csv`: `AccessKey.csv`, the console's download. Default: `[Env]`.
    #[serde(default = "env_format")]
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y == x))", "`secret.formats` must not name a format twice")
    )]
    pub formats: Vec<Format>,

    /// Further keys of the Secret, each a text in which `$(accessKeyId)`, `$(accessKeySecret)`, `$(userName)`, `$(userPrincipalName)` and `$(accountId)` are replaced; `$$(` stands for `$(`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(
        validation = ("self.all(k, size(k) <= 253 && k.matches('^[-._a-zA-Z0-9]+$') && k != '.' && !k.startsWith('..'))", "keys of `secret.data` must consist of letters, digits, '-', '_' and '.', and must not be '.' nor begin with '..'"),
        validation = ("self.all(k, !(k in ['ALIBABA_CLOUD_ACCESS_KEY_ID', 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'credentials', 'config.json', 'AccessKey.csv']))", "`secret.data` must not use a key that `secret.formats` writes: 'ALIBABA_CLOUD_ACCESS_KEY_ID', 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'credentials', 'config.json', 'AccessKey.csv'")
    )]
    pub data: Option<BTreeMap<String, Template>>,

    /// A pair of the user that exists already and is to be taken over as it is, in place of a new one. It must be proved: a call that is signed with it
    /// has to name this account and the RamUser's user. From then on the key is this object's own: rotated, revoked and deleted as any other.
    /// Nothing is made while it cannot be had. Read only until a pair is published; after that it does nothing, and may be changed or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt_from: Option<AdoptFrom>,
}

/// A Secret of the same namespace with a pair that exists already.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.accessKeyIdKey != self.accessKeySecretKey", "`adoptFrom.accessKeyIdKey` and `adoptFrom.accessKeySecretKey` must be two keys of the Secret"))]
pub struct AdoptFrom {
    /// Name of the Secret. Another one than the output is read and never written. If it is the output itself, naming it is the consent to take it over:
    /// its labels and annotations stay, its data becomes what `formats` and `data` say, and it is deleted together with this object
    /// as long as `deletionPolicy` is `Delete`.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,

    /// Key of the AccessKey id in the Secret. Default: `ALIBABA_CLOUD_ACCESS_KEY_ID`.
    #[serde(default = "id_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub access_key_id_key: String,

    /// Key of the AccessKey secret in the Secret. Default: `ALIBABA_CLOUD_ACCESS_KEY_SECRET`.
    #[serde(default = "secret_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub access_key_secret_key: String,
}

fn env_format() -> Vec<Format> {
    vec![Format::Env]
}

impl Default for SecretOutput {
    fn default() -> Self {
        Self { name: None, labels: None, annotations: None, formats: env_format(), data: None, adopt_from: None }
    }
}

/// A label's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct LabelValue(
    #[schemars(length(max = 63), regex(pattern = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"))] pub String,
);

/// An annotation's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct AnnotationValue(#[schemars(length(max = 4096))] pub String);

/// A text with `$(...)` in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Template(
    #[schemars(
        length(max = 8192),
        regex(
            pattern = r"^([^$]|\$[^(]|\$\$\(|\$\((accessKeyId|accessKeySecret|userName|userPrincipalName|accountId)\))*\$?$"
        )
    )]
    pub String,
);

/// Forms in which a pair is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Two keys named as the environment variables of the official SDKs.
    Env,
    /// The SDKs' `credentials` file.
    Ini,
    /// The command line tool's `config.json`.
    CliJson,
    /// The console's `AccessKey.csv`.
    Csv,
}

/// What the operator last saw of the key. `intents` and `retiring` are a journal: they cannot be rebuilt by looking.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamAccessKeyStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The account the key is in; kept for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// RAM's `UserId` of the key's user; kept for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// RAM's `UserName` of the key's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Id of the published key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// What `spec.state` was carried out last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<KeyState>,
    /// When the published key was made in RAM, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    /// When the published key was written into its Secret, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_time: Option<String>,
    /// When the published pair was proved by a signed call, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proved_time: Option<String>,
    /// When the published key was first missing from RAM's list, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_time: Option<String>,
    /// The Secret with the pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Binding>,
    /// The Secret again, as servicebinding.io's Provisioned Service asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// When the published pair is replaced next, RFC 3339; absent without an interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation_time: Option<String>,
    /// Keys that were ordered to be revoked, the latest ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub revoked: Option<Vec<RevokedKey>>,
    /// What was asked of RAM last for `allowedSources`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_sources: Option<SourcesSet>,
    /// For which key each of `restartTargets` was restarted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub restarts: Option<Vec<Restart>>,
    /// Keys that are no longer published and on their way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub retiring: Option<Vec<RetiringKey>>,
    /// Mints whose outcome is still open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4))]
    pub intents: Option<Vec<Intent>>,
    /// Requests by annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// `Ready`; `Stalled`, `Paused`, `RotationBlocked`, `RestartFailed`, `RevokeRefused` and `RestoreRefused` when they are true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
status!(RamAccessKeyStatus);

/// Names a Secret.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Its name, in the object's namespace.
    pub name: String,
}

/// A key on its way out.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetiringKey {
    /// Its id.
    pub id: String,
    /// `Replaced`: it was published once. `Stray`: it never was. `Revoked`: somebody ordered it.
    pub why: Why,
    /// Since when, RFC 3339.
    pub time: String,
    /// When it was found disabled, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_time: Option<String>,
    /// It is disabled together with all keys of the object, and is enabled with them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disarmed: bool,
    /// When it is disabled or deleted at the earliest, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_time: Option<String>,
    /// The day of its last use, as far as RAM reports, `YYYY-MM-DD`; `Never` when RAM has no record of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// The service that it was used with last, where RAM names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<String>,
}

/// A key that was ordered to be revoked.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokedKey {
    /// Its id.
    pub id: String,
    /// When the order was taken up, RFC 3339.
    pub time: String,
}

/// Allowed sources as they were set last.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourcesSet {
    /// The key that they were set for.
    pub access_key_id: String,
    /// Hex SHA-256 of what was set.
    pub sha256: String,
    /// When, RFC 3339.
    pub time: String,
}

/// A workload that was restarted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restart {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// The key that its pods use, as far as restarts decide that.
    pub access_key_id: String,
    /// When it was restarted for that, RFC 3339; absent when it was found that way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// Why a key is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Why {
    /// A newer key was published in its place.
    #[default]
    Replaced,
    /// A mint of ours made it and its secret was lost.
    Stray,
    /// Somebody ordered it to be revoked.
    Revoked,
}

/// The note written before a mint, with the window in which that mint can have made a key.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Its name; the Secret that the mint published carries it too.
    #[schemars(length(max = 64))]
    pub id: String,
    /// When the request was signed, by RAM's clock, RFC 3339.
    #[schemars(length(max = 40))]
    pub time: String,
    /// After this RAM refuses the request, RFC 3339.
    #[schemars(length(max = 40))]
    pub not_after: String,
    /// Keys that the user had before.
    #[schemars(length(max = 20), inner(length(max = 128)))]
    pub known_ids: Vec<String>,
    /// The key that the new one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub replaces: Option<String>,
}
