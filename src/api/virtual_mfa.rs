use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ram_access_key::{AnnotationValue, LabelValue};

/// The MFA device that a user logs on with, beside the password.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.state != 'Present' || has(self.secret)", "`secret` must be given for the state 'Present'"))]
pub struct VirtualMfa {
    /// `Present`: the user has an MFA device; one that it bound by itself will do, else a virtual one is made. `Absent`: it has none; whatever it has
    /// is unbound, and the one that was made here is deleted. Default: `Present`.
    #[serde(default)]
    pub state: MfaState,
    /// Where the seed of a new device goes. RAM shows it once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SeedSecret>,
    /// Who binds the device to the user. `Operator`: it is bound at once, and whoever has the seed has the codes. `User`: the person binds it at log-on,
    /// with the seed that was handed over. Default: `Operator`.
    #[serde(default)]
    pub bind: MfaBinder,
}

/// Whether a user has an MFA device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MfaState {
    /// It has one.
    #[default]
    Present,
    /// It has none.
    Absent,
}

/// Who binds an MFA device to its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MfaBinder {
    /// The operator, with two codes of the seed.
    #[default]
    Operator,
    /// The person, at log-on.
    User,
}

/// The Secret of a seed, in this namespace: `seed`, `otpauthUri`, `qr.png`, `serialNumber` and `userPrincipalName`. It may be deleted once it is handed over.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedSecret {
    /// Its name. A new one counts from the next device on.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,

    /// Labels put on the Secret when it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(
        validation = ("self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "keys of `secret.labels` must be label keys of Kubernetes"),
        validation = ("self.all(k, !k.startsWith('ram-operator.dev/') && k != 'app.kubernetes.io/instance' && !k.startsWith('argocd.argoproj.io/'))", "`secret.labels` must not use 'ram-operator.dev/', 'app.kubernetes.io/instance' or 'argocd.argoproj.io/': those make another tool take the Secret for its own")
    )]
    pub labels: Option<BTreeMap<String, LabelValue>>,

    /// Annotations put on the Secret when it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(
        validation = ("self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "keys of `secret.annotations` must be annotation keys of Kubernetes"),
        validation = ("self.all(k, !k.startsWith('ram-operator.dev/') && k != 'app.kubernetes.io/instance' && !k.startsWith('argocd.argoproj.io/'))", "`secret.annotations` must not use 'ram-operator.dev/', 'app.kubernetes.io/instance' or 'argocd.argoproj.io/': those make another tool take the Secret for its own")
    )]
    pub annotations: Option<BTreeMap<String, AnnotationValue>>,
}

/// How far a user's MFA device has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MfaPhase {
    /// What there is of devices is being taken away; another one may follow.
    #[default]
    Leaving,
    /// The seed of a new device is in its Secret, and nobody has bound the device yet.
    Issued,
    /// The user has a device.
    Bound,
    /// It has none, as the spec asks.
    Absent,
}

/// What was carried out for the MFA device.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMfaStatus {
    /// How far it has come.
    pub state: MfaPhase,
    /// RAM's `SerialNumber` of the device. The name of one that was made here begins with `ram-operator-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Since when it is so, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_time: Option<String>,
}
