//! Settings of the account. `None` in a reply is what IMS did not say; `None` in a request is not sent.

/// The rules for passwords of RAM users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Characters a password has at least, 8 to 32.
    pub minimum_password_length: Option<i64>,
    /// Whether it needs a lower-case letter.
    pub require_lowercase_characters: Option<bool>,
    /// Whether it needs an upper-case letter.
    pub require_uppercase_characters: Option<bool>,
    /// Whether it needs a digit.
    pub require_numbers: Option<bool>,
    /// Whether it needs a symbol.
    pub require_symbols: Option<bool>,
    /// Whether only an administrator can replace an expired one.
    pub hard_expire: Option<bool>,
    /// Days until it expires, 0 to 1095; 0 is never.
    pub max_password_age: Option<i64>,
    /// How many former ones may not be used again, 0 to 24.
    pub password_reuse_prevention: Option<i64>,
    /// Failed log-ons until the user is locked out for an hour, 0 to 32; 0 is never.
    pub max_login_attempts: Option<i64>,
    /// Different characters it has at least, 0 to 8.
    pub minimum_password_different_character: Option<i64>,
    /// Whether the user's name may not be in it.
    pub password_not_contain_user_name: Option<bool>,
    /// Days in which a first password has to be changed, 0 to 90; 0 is no limit.
    pub initial_password_age: Option<i64>,
    /// Whether passwords that are known to have leaked are refused from the API, too.
    pub intercept_risk_password_on_api: Option<bool>,
}

/// What RAM users may do by themselves, and how they log on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityPreference {
    /// Whether a log-on may remember that MFA was passed.
    pub enable_save_mfa_ticket: Option<bool>,
    /// Whether users may change their own passwords.
    pub allow_user_to_change_password: Option<bool>,
    /// Hours a log-on lasts, 1 to 24.
    pub login_session_duration: Option<i64>,
    /// From which addresses and ranges users may log on to the console; none is everywhere. Up to 40.
    pub login_network_masks: Option<Vec<String>>,
    /// Whether users may log on with a passkey.
    pub allow_user_to_login_with_passkey: Option<bool>,
    /// When a log-on needs MFA: `mandatory`, `independent` (as each user's profile says) or `adaptive`.
    pub mfa_operation_for_login: Option<String>,
    /// What an unusual log-on needs: `autonomous` or `enforceVerify`. Deprecated by IMS.
    pub operation_for_risk_login: Option<String>,
    /// Whether users may manage their own AccessKeys.
    pub allow_user_to_manage_access_keys: Option<bool>,
    /// Whether users may manage their own credentials for single services.
    pub allow_user_to_manage_service_credentials: Option<bool>,
    /// Whether users may manage their own MFA devices.
    pub allow_user_to_manage_mfa_devices: Option<bool>,
    /// Whether users may bind their own DingTalk accounts.
    pub allow_user_to_manage_personal_ding_talk: Option<bool>,
    /// By which ways a user can be verified: `sms`, `email`.
    pub verification_types: Option<Vec<String>>,
    /// Days without log-on after which log-on is disabled: 90, 180, 365 or 730.
    pub max_idle_days_for_users: Option<i64>,
    /// Days without use after which an AccessKey is disabled: 90, 180, 365 or 730.
    pub max_idle_days_for_access_keys: Option<i64>,
}
