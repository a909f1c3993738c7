//! What several kinds share.

use std::borrow::Cow;

use jiff::{Span as JiffSpan, SpanRelativeTo};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Names the RamAccount an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountRef {
    /// Name of the RamAccount. Default: `default`.
    #[serde(default = "default_account")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

fn default_account() -> String {
    "default".to_owned()
}

impl Default for AccountRef {
    fn default() -> Self {
        Self { name: default_account() }
    }
}

/// A duration such as `30d`, `12h` or `1d12h30m`. Units: `d` (24 hours), `h`, `m`, `s`, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub String);

impl Span {
    /// Its length; `None` for text that the schema would have refused.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let span: JiffSpan = self.0.parse().ok()?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(length).ok()
    }
}

// `format: duration` alone accepts units and signs that nobody means, and wraps silently; the pattern bounds the digits.
impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "duration",
            "minLength": 2,
            "maxLength": 24,
            "pattern": "^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?$",
        })
    }
}

/// How far a request by annotation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The annotation's value that was taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The annotation's value whose work is complete; wait for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// The key that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The annotation's value that was refused: it does nothing later either, ask with another value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Requests made by annotations under `ram-operator.dev/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// `ram-operator.dev/reconcile`: look at this object now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Request>,
    /// `ram-operator.dev/rotate`, of a RamAccessKey: replace the pair now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Request>,
    /// `ram-operator.dev/revoke`, of a RamAccessKey: take the key of this id out of use now, whoever uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Request>,
    /// `ram-operator.dev/restore`, of a RamAccessKey: enable the key of this id again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<Request>,
    /// `ram-operator.dev/reset-password`, of a RamUser: give it another password now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_password: Option<Request>,
    /// `ram-operator.dev/reset-mfa`, of a RamUser: take its MFA device away and give it another one now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_mfa: Option<Request>,
}

/// What every status has.
pub trait Status: Clone + Default + PartialEq {
    /// The conditions, one for each type.
    fn conditions(&self) -> &[Condition];
    /// Replaces the conditions and says which generation they speak of.
    fn set_conditions(&mut self, conditions: Vec<Condition>, observed_generation: Option<i64>);
    /// Requests by annotation.
    fn requests(&self) -> Option<&Requests>;
    /// Replaces the requests.
    fn set_requests(&mut self, requests: Option<Requests>);
}

macro_rules! status {
    ($kind:ty) => {
        impl $crate::api::Status for $kind {
            fn conditions(&self) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
                &self.conditions
            }
            fn set_conditions(
                &mut self,
                conditions: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
                observed_generation: Option<i64>,
            ) {
                self.conditions = conditions;
                self.observed_generation = observed_generation;
            }
            fn requests(&self) -> Option<&$crate::api::Requests> {
                self.requests.as_ref()
            }
            fn set_requests(&mut self, requests: Option<$crate::api::Requests>) {
                self.requests = requests;
            }
        }
    };
}
pub(super) use status;

/// Schema default of every status. Without it `kubectl wait` and `helm --wait` take a new object for a ready one.
pub(super) fn pending() -> Value {
    json!({
        "conditions": [{
            "type": "Ready",
            "status": "Unknown",
            "reason": "Pending",
            "message": "Not looked at yet. Wait; if this stays, see whether ram-operator runs.",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}
