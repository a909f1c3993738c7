use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ram_access_key::AllowedSources;
use super::ram_tenant::Permission;

/// Settings of the whole account. Only what is given is managed; everything else stays as it is in RAM. They stay when the RamAccount is deleted.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSettings {
    /// The account's alias, which is the suffix of every log-on name: lower-case letters, digits and single hyphens between them. It is set where there
    /// is none; another one is replaced only with `aliasChange: Allow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 32), regex(pattern = r"^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub alias: Option<String>,

    /// Whether `alias` may take the place of another alias, which renames the log-on of every user. Default: `Deny`.
    #[serde(default)]
    pub alias_change: Permission,

    /// Rules for the passwords of RAM users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_policy: Option<PasswordPolicy>,

    /// What RAM users may do by themselves, how they log on, and how long they may be idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_preference: Option<SecurityPreference>,

    /// From where the AccessKeys of the account may be used that have no sources of their own (IMS SetAccessKeyPolicyForAccount). They hold for keys made by
    /// hand, too. It is written only when it cannot shut out the operator: when the operator signs with a role or a token, or when its own AccessKey has
    /// sources of its own in RAM. RAM needs up to minutes to apply it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_allowed_sources: Option<AllowedSources>,
}

/// Rules for the passwords of RAM users. They hold for passwords that are set from then on. What is left out stays as it is in RAM.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordPolicy {
    /// How many characters a password has at least, 8 to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 32))]
    pub minimum_password_length: Option<i64>,
    /// Whether a password needs a lower-case letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_lowercase_characters: Option<bool>,
    /// Whether a password needs an upper-case letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_uppercase_characters: Option<bool>,
    /// Whether a password needs a digit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_numbers: Option<bool>,
    /// Whether a password needs a symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_symbols: Option<bool>,
    /// Whether only an administrator can replace a password that has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_expire: Option<bool>,
    /// After how many days a password expires, up to 1095; 0 is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1095))]
    pub max_password_age: Option<i64>,
    /// How many former passwords may not be used again, up to 24.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 24))]
    pub password_reuse_prevention: Option<i64>,
    /// How many failed log-ons lock a user out for an hour, up to 32; 0 is never. RAM calls it `MaxLoginAttemps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub max_login_attempts: Option<i64>,
    /// How many different characters a password has at least, up to 8; 0 is any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub minimum_password_different_character: Option<i64>,
    /// Whether the user's name may not be in a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_not_contain_user_name: Option<bool>,
    /// In how many days a first password has to be changed, up to 90; 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 90))]
    pub initial_password_age: Option<i64>,
    /// Whether passwords that are known to have leaked are refused when they are set by the API, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intercept_risk_password_on_api: Option<bool>,
}

/// What RAM users may do by themselves, how they log on, and how long they may be idle. What is left out stays as it is in RAM.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityPreference {
    /// Whether a log-on may remember for some days that MFA was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_save_mfa_ticket: Option<bool>,
    /// Whether users may change their own passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_to_change_password: Option<bool>,
    /// How many hours a log-on lasts, 1 to 24.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 24))]
    pub login_session_duration: Option<i64>,
    /// From which addresses and ranges users may log on to the console. Empty: from everywhere. RAM takes 512 characters together, separators included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), inner(length(min = 2, max = 43)))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, isIP(x) || isCIDR(x))", "`loginNetworkMasks` must hold IP addresses or CIDR ranges, such as 203.0.113.7 or 198.51.100.0/24")
    )]
    pub login_network_masks: Option<Vec<String>>,
    /// Whether users may log on with a passkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_to_login_with_passkey: Option<bool>,
    /// When a log-on needs MFA: `Mandatory` always, `Independent` as each user's log-on says, `Adaptive` when it is unusual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_operation_for_login: Option<MfaOperation>,
    /// Whether users may manage their own AccessKeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_to_manage_access_keys: Option<bool>,
    /// Whether users may manage their own credentials for single services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_to_manage_service_credentials: Option<bool>,
    /// Whether users may manage their own MFA devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_to_manage_mfa_devices: Option<bool>,
    /// Whether users may bind their own DingTalk accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_to_manage_personal_ding_talk: Option<bool>,
    /// By which ways, beside MFA devices, users can be verified. Empty: by none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = ("self.all(x, self.exists_one(y, y == x))", "`verificationTypes` must not name a way twice")
    )]
    pub verification_types: Option<Vec<VerificationType>>,
    /// After how many days without log-on a user's log-on is disabled: 90, 180, 365 or 730.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self in [90, 180, 365, 730]", "`maxIdleDaysForUsers` must be 90, 180, 365 or 730"))]
    pub max_idle_days_for_users: Option<i64>,
    /// After how many days without use an AccessKey is disabled: 90, 180, 365 or 730. Keys made here are no exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self in [90, 180, 365, 730]", "`maxIdleDaysForAccessKeys` must be 90, 180, 365 or 730"))]
    pub max_idle_days_for_access_keys: Option<i64>,
}

/// When a log-on needs MFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MfaOperation {
    /// Always.
    Mandatory,
    /// As each user's log-on says.
    Independent,
    /// When it is unusual.
    Adaptive,
}

/// A way in which a user can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VerificationType {
    /// A text message.
    Sms,
    /// An e-mail.
    Email,
}

/// What the operator remembers of each part of the settings that it manages.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsStatus {
    /// Of the alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<SettingStatus>,
    /// Of the rules for passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_policy: Option<SettingStatus>,
    /// Of what users may do by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_preference: Option<SettingStatus>,
    /// Of the sources of AccessKeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_allowed_sources: Option<SettingStatus>,
}

/// What the operator remembers of one part.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingStatus {
    /// The generation of the spec under which the part was as asked for.
    pub generation: i64,
    /// How often in a row, under this generation, what somebody else had changed was written again. After two, the next change stays: `SettingsContested`.
    pub repairs: i32,
    /// When it was written last, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// A hash of what was written then: it tells whether RAM shows that already, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}
