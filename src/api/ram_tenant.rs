use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AccountRef, Requests, Span, pending, status};
use super::ram_account::Labels;

/// Which namespaces may have what in an account. A namespace that no RamTenant selects gets nothing.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "ram-operator.dev",
    version = "v1alpha1",
    kind = "RamTenant",
    plural = "ramtenants",
    shortname = "ramtenant",
    category = "ram",
    status = "RamTenantStatus",
    derive = "PartialEq",
    doc = "Which namespaces may have what in an account. A namespace that no RamTenant selects gets nothing.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountRef.name"),
    printcolumn(name = "Namespaces", type_ = "integer", json_path = ".status.namespaces"),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.used.users"),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.used.accessKeys"),
    printcolumn(
        name = "Overlapping",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Overlapping\")].status",
        priority = 1
    ),
    printcolumn(
        name = "Limit reached",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"LimitReached\")].status",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RamTenantSpec {
    /// The account these rules are for. Immutable.
    #[serde(default)]
    #[x_kube(validation = ("self == oldSelf", "`accountRef` may not be changed"))]
    pub account_ref: AccountRef,

    /// Which namespaces: by their labels. `{}` means every namespace.
    pub namespace_selector: NamespaceSelector,

    /// Which explicit names they may give. Generated names are always allowed.
    #[serde(default)]
    pub names: Names,

    /// Which policies they may attach, and which groups their users may join. Default: none.
    #[serde(default)]
    pub attach: Attach,

    /// What exists in RAM that they may adopt or observe, by name. Default: nothing.
    #[serde(default)]
    pub adopt: Adopt,

    /// What their RamPolicies may allow, and what a policy that is not listed under `attach` may allow that reaches them by a group. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<DocumentBounds>,

    /// Whether their RamUsers may log on to the console. Default: `Deny`.
    #[serde(default)]
    pub console_login: Permission,

    /// Whether `deletionPolicy` may be other than `Delete`. Default: `Deny`.
    #[serde(default)]
    pub retain: Permission,

    /// How many objects they may have, all namespaces together. Absent: no limit.
    #[serde(default)]
    pub limits: Limits,

    /// Bounds on their AccessKeys.
    #[serde(default)]
    pub access_keys: KeyBounds,
}

/// Selects namespaces by label, as a label selector of Kubernetes does.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that a namespace must have, each with this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = ("self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "keys of `matchLabels` must be label keys of Kubernetes"))]
    pub match_labels: Option<Labels>,
    /// Further requirements, all of which must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub match_expressions: Option<Vec<Requirement>>,
}

/// One requirement of a selector.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)", "`values` must be given for 'In' and 'NotIn', and only for them"))]
pub struct Requirement {
    /// The label's key.
    #[schemars(
        length(min = 1, max = 317),
        regex(
            pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
        )
    )]
    pub key: String,
    /// How the label is compared with `values`.
    pub operator: SelectorOperator,
    /// The values to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        inner(length(max = 63), regex(pattern = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"))
    )]
    pub values: Option<Vec<String>>,
}

/// Operators of a label selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SelectorOperator {
    /// The value is one of `values`.
    In,
    /// The value is none of `values`, or the label is absent.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Explicit names that are allowed.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// Globs for `RamUser.spec.userName`; `*` stands for any characters, `?` for one. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._*?-]+$")))]
    pub users: Option<Vec<String>>,
    /// Globs for `RamPolicy.spec.policyName`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9*?-]+$")))]
    pub policies: Option<Vec<String>>,
    /// Globs for `RamGroup.spec.groupName`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._*?-]+$")))]
    pub groups: Option<Vec<String>>,
}

/// Bounds on policy documents. Each action and each resource of a statement that allows must lie inside one of these globs, whatever its own wildcards stand for.
/// `NotAction`, `NotResource` and variables in resources are refused; statements that deny are free.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentBounds {
    /// Globs for actions, such as `ots:*`; case is ignored.
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 1, max = 128), regex(pattern = r"^(\*|[A-Za-z0-9*?_-]+:[A-Za-z0-9*?_/-]+)$"))
    )]
    pub actions: Vec<String>,
    /// Globs for resources, such as `acs:ots:*:*:instance/team-a-*`; case counts.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 512), regex(pattern = r"^[^\x00-\x20\x7f]+$")))]
    pub resources: Vec<String>,
}

/// Policies that may be attached and groups that may be joined, by RAM name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attach {
    /// Globs for system policies. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9*?-]+$")))]
    pub system: Option<Vec<String>>,
    /// Globs for custom policies of the account. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9*?-]+$")))]
    pub custom: Option<Vec<String>>,
    /// Globs for groups of the account. What the group holds must be allowed too. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._*?-]+$")))]
    pub groups: Option<Vec<String>>,
}

/// What may be adopted or observed, by RAM name. To observe a thing is to see all that it holds; to adopt it needs what it holds under `attach` or inside `documents`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Globs for users. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._*?-]+$")))]
    pub users: Option<Vec<String>>,
    /// Globs for groups. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._*?-]+$")))]
    pub groups: Option<Vec<String>>,
    /// Globs for custom policies. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9*?-]+$")))]
    pub policies: Option<Vec<String>>,
}

/// Whether something may be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Permission {
    /// It may not.
    #[default]
    Deny,
    /// It may.
    Allow,
}

/// Upper bounds on objects.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// RamUsers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub users: Option<i32>,
    /// RamAccessKeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub access_keys: Option<i32>,
    /// RamPolicies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub policies: Option<i32>,
    /// RamGroups.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub groups: Option<i32>,
}

/// Bounds on AccessKeys.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyBounds {
    /// A pair that gets older is replaced, whether its object asks for rotation or not; at least 5d. Absent: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self >= duration('120h')", "`maxAge` must be at least 5d, so that an old key can go before the next one comes"))]
    pub max_age: Option<Span>,
    /// Whether each RamAccessKey must have `allowedSources`; public ranges wider than /8 (IPv6: /16) do not count. Default: `Optional`.
    #[serde(default)]
    pub allowed_sources: Necessity,
}

/// Whether something must be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Necessity {
    /// It may be left out.
    #[default]
    Optional,
    /// It must be given.
    Required,
}

/// What the tenant covers, counted at each look.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct RamTenantStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many namespaces are selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<i64>,
    /// Objects in those namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<TenantUse>,
    /// Requests by annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// `Ready`; `Overlapping` and `LimitReached` when they are true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
status!(RamTenantStatus);

/// Objects of a tenant.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantUse {
    /// RamUsers.
    pub users: i64,
    /// RamAccessKeys.
    pub access_keys: i64,
    /// RamPolicies.
    #[serde(default)]
    pub policies: i64,
    /// RamGroups.
    #[serde(default)]
    pub groups: i64,
}
