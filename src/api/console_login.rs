use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Log-on to the console with a password.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.state != 'Enabled' || has(self.initialPassword)", "`initialPassword` must be given for the state 'Enabled'"))]
pub struct ConsoleLogin {
    /// `Enabled`; `Disabled`, with password and settings kept, unless RAM refuses that without a new password: then it is deleted, and made anew when it is enabled;
    /// or `Absent`, without any. Default: `Enabled`.
    #[serde(default)]
    pub state: LoginState,
    /// Where the first password comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_password: Option<InitialPassword>,
    /// Whether log-on needs an MFA device. `NotManaged` leaves what RAM has. Default: `NotManaged`.
    #[serde(default)]
    pub mfa: MfaDemand,
}

/// Whether a user may log on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LoginState {
    /// It may.
    #[default]
    Enabled,
    /// It may not, and keeps its password.
    Disabled,
    /// It has no password.
    Absent,
}

/// Whether log-on needs an MFA device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MfaDemand {
    /// What RAM has stays.
    #[default]
    NotManaged,
    /// It does.
    Required,
}

/// Where the first password comes from. It is given to RAM when log-on is set up, at each new value of the annotation ram-operator.dev/reset-password, and
/// when the text in `secretRef` changes; never because of anything else.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("(self.source == 'Generate') == has(self.secret)", "`secret` must be given for the source 'Generate', and only for it"),
    validation = ("(self.source == 'SecretRef') == has(self.secretRef)", "`secretRef` must be given for the source 'SecretRef', and only for it")
)]
pub struct InitialPassword {
    /// `Generate`: one that fits the account's password policy is made and written to `secret`. `SecretRef`: it is read from `secretRef`.
    pub source: PasswordSource,
    /// The Secret that a generated password is written to, with `userPrincipalName`, `loginUrl` and `password`. It may be deleted once the password is handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<NamedSecret>,
    /// Where the password is read from, in this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
    /// Whether the person has to choose another one at the next log-on. Default: `Required`.
    #[serde(default)]
    pub change_at_logon: ChangeAtLogon,
}

/// Where a password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PasswordSource {
    /// It is made here.
    Generate,
    /// It is in a Secret.
    SecretRef,
}

/// Whether a first password has to be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChangeAtLogon {
    /// At the next log-on.
    #[default]
    Required,
    /// It stays.
    NotRequired,
}

/// A Secret of this namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedSecret {
    /// Its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// One key of a Secret of this namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// What was carried out for the log-on.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginStatus {
    /// What was carried out last. What somebody else changes after that is noticed by it.
    pub state: LoginState,
    /// When a password was given to RAM last, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_time: Option<String>,
    /// The operator's seal over that password: it tells a new text from the old one, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_seal: Option<String>,
    /// The seal over a password that is being given to RAM, until RAM has answered; empty: of more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_seal: Option<String>,
}
