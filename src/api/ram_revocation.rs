use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AccountRef, Requests, pending, status};
use super::ram_access_key::Intent;
use super::ram_user::UserDeletionPolicy;

/// What is still to be taken away from RAM.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamRevocation",
    plural = "ramrevocations",
    shortname = "ramrev",
    category = "ram",
    status = "RamRevocationStatus",
    derive = "PartialEq",
    doc = "What is still to be taken away from RAM: an order that outlives the object that gave it, or one of a person, by key id. Annotations: ram-operator.dev/abandon (why: gives the order up, and what it is about stays in RAM), ram-operator.dev/reconcile (any new value: look now).",
    selectable = ".spec.accountRef.name",
    selectable = ".spec.order.user.userName",
    selectable = ".spec.leftOver.ramName",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Key ID", type_ = "string", json_path = ".spec.accessKeyId"),
    printcolumn(name = "User", type_ = "string", json_path = ".status.userName"),
    printcolumn(name = "Policy or group", type_ = "string", json_path = ".spec.leftOver.ramName", priority = 1),
    printcolumn(name = "From", type_ = "string", json_path = ".spec.order.from"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("[has(self.accessKeyId), has(self.order), has(self.leftOver)].filter(x, x).size() == 1", "exactly one of `accessKeyId` (yours), `order` and `leftOver` (the operator's) must be given"),
    validation = ("self == oldSelf", "a RamRevocation may not be changed: delete it and create another one")
)]
pub struct RamRevocationSpec {
    /// The account the key is in.
    #[serde(default)]
    pub account_ref: AccountRef,

    /// Id of a key to be disabled at once and deleted; only of a user that this installation made. If a RamAccessKey publishes it, that gets a new pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 16, max = 128), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub access_key_id: Option<String>,

    /// Why, for those who read it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub note: Option<String>,

    /// What an object of the operator left to be taken away when it went. Written by the operator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,

    /// A policy or group that its object left to be taken away when it went. Written by the operator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_over: Option<LeftOver>,
}

/// A policy or group that is still to be deleted, or to lose our marker.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOver {
    /// The kind of the object that it was made for.
    pub kind: LeftKind,
    /// That object's namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// That object's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// That object's uid; an object that came back in its place has another one in the marker, and keeps what it finds.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The account, if it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub account_id: Option<String>,
    /// Its name in RAM.
    #[schemars(length(max = 128))]
    pub ram_name: String,
    /// What tells it from another one of that name: RAM's `GroupId`, or when the policy was made. Absent when its creation had no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub identity: Option<String>,
    /// `Delete`: it is deleted. `Retain`: it stays, as it was there before it was adopted, and only our marker is taken off. Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: UserDeletionPolicy,
}

/// Kinds that may leave something over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LeftKind {
    /// A custom policy.
    RamPolicy,
    /// A group.
    RamGroup,
}

/// What an object left to be taken away.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The object: kind, namespace and name, joined by `/`.
    #[schemars(length(max = 600))]
    pub from: String,
    /// Its uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The account, if it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub account_id: Option<String>,
    /// The user.
    pub user: OrderedUser,
    /// Ids of keys to be disabled and deleted.
    #[schemars(length(max = 100), inner(length(max = 128)))]
    pub access_key_ids: Vec<String>,
    /// Ids of keys that are disabled and stay, as a policy asked for.
    #[serde(default)]
    #[schemars(length(max = 4), inner(length(max = 128)))]
    pub disabled_ids: Vec<String>,
    /// Disabled keys from mints without an answer; deleted three hours after they were disabled unless they are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub strays: Option<Vec<super::RetiringKey>>,
    /// Mints whose outcome was open: keys that they made go too.
    #[schemars(length(max = 64))]
    pub intents: Vec<Intent>,
    /// Whether deleted keys are deleted from RAM's recycle bin too.
    #[serde(default)]
    pub purge_from_recycle_bin: bool,
}

/// The user of an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderedUser {
    /// RAM's `UserName`.
    #[schemars(length(max = 64))]
    pub user_name: String,
    /// RAM's `UserId`; absent when its creation had no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub user_id: Option<String>,
    /// Namespace of its RamUser.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Name of its RamUser.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The start of its RamUser's uid, as in the marker, when the user itself is to be deleted, or to lose our marker; void if an object took the user back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub marker_uid: Option<String>,
    /// Its log-on to the console goes with it.
    #[serde(default)]
    pub console_login: bool,
    /// A virtual MFA device was made for it, which goes with it.
    #[serde(default)]
    pub virtual_mfa: bool,
    /// The user itself is deleted no sooner than this, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub not_before: Option<String>,
    /// `Delete`: it is deleted. `Retain`: it stays, as it was there before it was adopted, and only our marker is taken off. Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: UserDeletionPolicy,
}

/// How far the order has come.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamRevocationStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The account that the key was found in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// RAM's `UserId` of the key's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// RAM's `UserName` of the key's user, whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Keys found in the windows of the order's intents, with the time they were disabled; deleted three hours later unless they are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub strays: Option<Vec<super::RetiringKey>>,
    /// Requests by annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// `Ready`: whether it is done; `Stalled` when only a person can change that.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
status!(RamRevocationStatus);
