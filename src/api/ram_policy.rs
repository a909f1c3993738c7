use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AccountRef, Requests, pending, status};
use super::management::{Adoption, AdoptionStatus, Management, Observed};
use super::ram_user::UserDeletionPolicy;

/// A custom policy of RAM.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamPolicy",
    plural = "rampolicies",
    namespaced,
    shortname = "rampol",
    category = "ram",
    status = "RamPolicyStatus",
    derive = "PartialEq",
    doc = "A custom policy of RAM, attached by RamUsers and RamGroups of its namespace. Annotations: ram-operator.dev/reconcile (any new value: look now), ram-operator.dev/paused (true: no grants and no repairs), ram-operator.dev/accept-adoption (any value: what was adopted may be made as the spec says).",
    validation = Rule::new("self.spec.adoption != 'IfUnowned' || self.spec.deletionPolicy == 'Retain' || (has(self.status) && has(self.status.adoption) && has(self.status.adoption.acceptedTime))").message("`deletionPolicy` must be 'Retain' with the adoption 'IfUnowned', until that is accepted by the annotation ram-operator.dev/accept-adoption"),
    selectable = ".status.policyName",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "RAM policy", type_ = "string", json_path = ".status.policyName"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Attached", type_ = "integer", json_path = ".status.attachmentCount", priority = 1),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.policyName) == has(oldSelf.policyName)", "`policyName` may not be set or removed later: a policy keeps its name. Create another RamPolicy instead"),
    validation = ("(self.management != 'Observe' && self.adoption != 'IfUnowned') || has(self.policyName)", "`policyName` must be given for the management 'Observe' and for the adoption 'IfUnowned'"),
    validation = ("!(has(self.statements) && has(self.documentJson)) && (self.management == 'Observe' || has(self.statements) || has(self.documentJson))", "exactly one of `statements` and `documentJson` must be given")
)]
pub struct RamPolicySpec {
    /// The account the policy is made in. Immutable.
    #[serde(default)]
    #[x_kube(validation = ("self == oldSelf", "`accountRef` may not be changed: create another RamPolicy instead"))]
    pub account_ref: AccountRef,

    /// Name of the policy in RAM; the tenant must allow it. Default: `<userNamePrefix><namespace>-<name>-<hash>`. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    #[x_kube(validation = ("self == oldSelf", "`policyName` may not be changed: create another RamPolicy instead"))]
    pub policy_name: Option<String>,

    /// Description in RAM, at most 900 bytes: the marker that shows whose policy it is follows in the same field. Absent: no text before the marker; what an adopted policy has stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 900), regex(pattern = r"^[^\x00-\x1f\x7f]*$"))]
    #[x_kube(
        validation = ("size(bytes(self)) <= 900", "`description` must have at most 900 bytes in UTF-8"),
        validation = ("!self.contains('[ram-operator:')", "`description` must not contain '[ram-operator:'")
    )]
    pub description: Option<String>,

    /// What the policy says. The tenant's `documents` must cover every statement that allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30))]
    pub statements: Option<Vec<PolicyStatement>>,

    /// What the policy says, as JSON in RAM's own grammar, such as the console shows it. RAM takes 6144 bytes without white space.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16384))]
    pub document_json: Option<String>,

    /// `Manage`: the policy is made and kept as declared. `Observe`: what exists under the name is read and shown, and never written to; the tenant
    /// must allow it (`adopt`). When this object is deleted, what it made or adopted before goes as `deletionPolicy` says. `Plan`: the steps that would be taken are listed in `status.plan`, and not taken. Default: `Manage`.
    #[serde(default)]
    pub management: Management,

    /// What becomes of a policy that has the name already and carries no marker of any object. `Never`: it is not touched. `IfUnowned`: it is taken over, where the
    /// tenant allows that (`adopt`) and all that it holds; its document stays until the annotation ram-operator.dev/accept-adoption is there. Default: `Never`.
    #[serde(default)]
    pub adoption: Adoption,

    /// What becomes of the policy in RAM when this object is deleted. `Delete`: it is detached from the users and groups of this installation, and deleted.
    /// `Retain`: it stays, without our marker; the tenant must allow that. Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: UserDeletionPolicy,
}

/// One statement of a policy.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatement {
    /// `Allow` or `Deny`; a denial wins over everything that allows.
    pub effect: Effect,
    /// Actions, such as `ots:GetRow` or `ots:Get*`.
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 1, max = 128), regex(pattern = r"^(\*|[A-Za-z0-9*?_-]+:[A-Za-z0-9*?_/-]+)$"))
    )]
    pub actions: Vec<String>,
    /// Resources, such as `acs:ots:*:*:instance/team-a-*`.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 512), regex(pattern = r"^[^\x00-\x20\x7f]+$")))]
    pub resources: Vec<String>,
    /// Conditions, all of which must hold: operator, key, alternatives. Numbers, dates and booleans are written as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 10))]
    pub conditions: Option<BTreeMap<String, BTreeMap<String, Vec<String>>>>,
}

/// RAM's `Effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies.
    Deny,
}

/// What the operator last saw of the policy.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamPolicyStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The account the policy is in; kept for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// RAM's `PolicyName`, computed once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_name: Option<String>,
    /// When the policy was made in RAM, RFC 3339. A policy of that name with another time is somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    /// The first eight characters of the uid in the marker that we wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker_uid: Option<String>,
    /// RAM's `VersionId` of the version in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The document that was written last, by SHA-256, and when: RAM may not show it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// How many users, groups and roles it is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_count: Option<i64>,
    /// Who it is attached to, at most 50 of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<AttachedTo>,
    /// How far the adoption of the policy has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption: Option<AdoptionStatus>,
    /// Identity of a policy that is only observed.
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
status!(RamPolicyStatus);

/// A document that was written.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Hex SHA-256 of its text.
    pub sha256: String,
    /// When, RFC 3339.
    pub time: String,
}

/// Names in RAM.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachedTo {
    /// Users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub users: Option<Vec<String>>,
    /// Groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub groups: Option<Vec<String>>,
    /// Roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub roles: Option<Vec<String>>,
}
