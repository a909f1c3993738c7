use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done for an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Management {
    /// Whatever it takes.
    #[default]
    Manage,
    /// RAM is read and shown, and never written to.
    Observe,
    /// What would be done is listed, and not done.
    Plan,
}

/// What becomes of a thing in RAM that has the name already and belongs to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Adoption {
    /// It is not touched.
    #[default]
    Never,
    /// It is taken over.
    IfUnowned,
}

/// How far an adoption has come.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptionStatus {
    /// When it was taken over, RFC 3339; written before the first effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// When the annotation ram-operator.dev/accept-adoption was taken up, RFC 3339. Nothing is taken away before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_time: Option<String>,
}

/// What tells an observed thing from another one of its name. It belongs to somebody else: this object's own is told by other fields.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// RAM's `UserId` or `GroupId`; policies have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was made, RFC 3339, where RAM tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
}
