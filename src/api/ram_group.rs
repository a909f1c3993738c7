use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{AccountRef, Requests, pending, status};
use super::management::{Adoption, AdoptionStatus, Management, Observed};
use super::ram_user::{Attachments, PolicyAttachment, UserDeletionPolicy};

/// A RAM group with its policies.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamGroup",
    plural = "ramgroups",
    namespaced,
    shortname = "ramgrp",
    category = "ram",
    status = "RamGroupStatus",
    derive = "PartialEq",
    doc = "A RAM group with its policies; RamUsers join it by spec.groups. Annotations: ram-operator.dev/reconcile (any new value: look now), ram-operator.dev/paused (true: no grants and no repairs), ram-operator.dev/accept-adoption (any value: what was adopted may be made as the spec says).",
    validation = Rule::new("self.spec.adoption != 'IfUnowned' || self.spec.deletionPolicy == 'Retain' || (has(self.status) && has(self.status.adoption) && has(self.status.adoption.acceptedTime))").message("`deletionPolicy` must be 'Retain' with the adoption 'IfUnowned', until that is accepted by the annotation ram-operator.dev/accept-adoption"),
    selectable = ".status.groupName",
    selectable = ".status.groupId",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "RAM group", type_ = "string", json_path = ".status.groupName"),
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.memberCount"),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.groupName) == has(oldSelf.groupName)", "`groupName` may not be set or removed later: a RAM group keeps its name. Create another RamGroup instead"),
    validation = ("(self.management != 'Observe' && self.adoption != 'IfUnowned') || has(self.groupName)", "`groupName` must be given for the management 'Observe' and for the adoption 'IfUnowned'")
)]
pub struct RamGroupSpec {
    /// The account the group is made in. Immutable.
    #[serde(default)]
    #[x_kube(validation = ("self == oldSelf", "`accountRef` may not be changed: create another RamGroup instead"))]
    pub account_ref: AccountRef,

    /// Name of the group in RAM; the tenant must allow it. Default: `<userNamePrefix><namespace>.<name>`, cut with a hash when longer than 64. That has a dot: where RAM refuses one, the group says `NameRefused`. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._][A-Za-z0-9._-]*$"))]
    #[x_kube(validation = ("self == oldSelf", "`groupName` may not be changed: create another RamGroup instead"))]
    pub group_name: Option<String>,

    /// Comment in RAM, at most 56 bytes: the marker that shows whose group it is follows in the same field. Absent: no text before the marker; what an adopted group has stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 56), regex(pattern = r"^[^\x00-\x1f\x7f]*$"))]
    #[x_kube(
        validation = ("size(bytes(self)) <= 56", "`comments` must have at most 56 bytes in UTF-8"),
        validation = ("!self.contains('[ram-operator:')", "`comments` must not contain '[ram-operator:'")
    )]
    pub comments: Option<String>,

    /// Policies attached to the group; the tenant must allow each. Absent: not managed. Empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 30))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y.type == x.type && y.name == x.name))", "`policies` must not name a policy twice"),
        validation = ("self.filter(x, x.type == 'System').size() <= 20", "`policies` must not hold more than 20 of type 'System', which is RAM's quota"),
        validation = ("self.filter(x, x.type != 'System').size() <= 10", "`policies` must not hold more than 10 of the types 'Custom' and 'RamPolicy', which is RAM's quota")
    )]
    pub policies: Option<Vec<PolicyAttachment>>,

    /// What becomes of policies that somebody else attached, when `policies` is given. `Exclusive`: they are detached, but a policy that only denies stays and is reported.
    /// `Report`: they stay and are reported. `Additive`: they stay. Default: `Exclusive`.
    #[serde(default)]
    pub attachments: Attachments,

    /// `Manage`: the group is made and kept as declared. `Observe`: what exists under the name is read and shown, and never written to; the tenant
    /// must allow it (`adopt`). When this object is deleted, what it made or adopted before goes as `deletionPolicy` says. `Plan`: the steps that would be taken are listed in `status.plan`, and not taken. Default: `Manage`.
    #[serde(default)]
    pub management: Management,

    /// What becomes of a group that has the name already and carries no marker of any object. `Never`: it is not touched. `IfUnowned`: it is taken over, where the
    /// tenant allows that (`adopt`) and all that it holds; nothing is taken from it until the annotation ram-operator.dev/accept-adoption is there. Default: `Never`.
    #[serde(default)]
    pub adoption: Adoption,

    /// What becomes of the group in RAM when this object is deleted. `Delete`: its policies are detached, users of this installation leave it, and it is deleted.
    /// `Retain`: it stays, without our marker; the tenant must allow that. Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: UserDeletionPolicy,
}

/// What the operator last saw of the group.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamGroupStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The account the group is in; kept for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// RAM's `GroupName`, computed once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// RAM's `GroupId`: the group's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// When the group was made in RAM, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    /// The first eight characters of the uid in the marker that we wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker_uid: Option<String>,
    /// Policies attached to the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub policies: Option<Vec<PolicyAttachment>>,
    /// How many users are in the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_count: Option<i64>,
    /// Users in the group by RAM name, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub members: Option<Vec<String>>,
    /// How far the adoption of the group has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption: Option<AdoptionStatus>,
    /// Identity of a group that is only observed.
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
status!(RamGroupStatus);
