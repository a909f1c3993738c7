//! Replies about settings of the account.

use serde::Deserialize;

use super::{Reply, Text};
use crate::ram::model::{PasswordPolicy, SecurityPreference};

/// IMS GetPasswordPolicy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct OnePasswordPolicy {
    password_policy: PasswordRow,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PasswordRow {
    minimum_password_length: Text,
    require_lowercase_characters: Text,
    require_uppercase_characters: Text,
    require_numbers: Text,
    require_symbols: Text,
    hard_expire: Text,
    max_password_age: Text,
    password_reuse_prevention: Text,
    /// Spelled so by IMS.
    #[serde(rename = "MaxLoginAttemps")]
    max_login_attempts: Text,
    minimum_password_different_character: Text,
    password_not_contain_user_name: Text,
    initial_password_age: Text,
    intercept_risk_password_on_api: Text,
}

impl Reply for OnePasswordPolicy {
    type Meaning = PasswordPolicy;

    fn meaning(self) -> Option<PasswordPolicy> {
        let row = self.password_policy;
        Some(PasswordPolicy {
            minimum_password_length: row.minimum_password_length.optional().ok()?,
            require_lowercase_characters: row.require_lowercase_characters.optional().ok()?,
            require_uppercase_characters: row.require_uppercase_characters.optional().ok()?,
            require_numbers: row.require_numbers.optional().ok()?,
            require_symbols: row.require_symbols.optional().ok()?,
            hard_expire: row.hard_expire.optional().ok()?,
            max_password_age: row.max_password_age.optional().ok()?,
            password_reuse_prevention: row.password_reuse_prevention.optional().ok()?,
            max_login_attempts: row.max_login_attempts.optional().ok()?,
            minimum_password_different_character: row.minimum_password_different_character.optional().ok()?,
            password_not_contain_user_name: row.password_not_contain_user_name.optional().ok()?,
            initial_password_age: row.initial_password_age.optional().ok()?,
            intercept_risk_password_on_api: row.intercept_risk_password_on_api.optional().ok()?,
        })
    }
}

/// IMS GetSecurityPreference. What is flat in the request is in groups here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct OneSecurityPreference {
    security_preference: PreferenceRow,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PreferenceRow {
    login_profile_preference: Option<LoginPreference>,
    access_key_preference: Option<KeyPreference>,
    #[serde(rename = "MFAPreference")]
    mfa_preference: Option<MfaPreference>,
    personal_info_preference: Option<PersonalPreference>,
    verification_preference: Option<VerificationPreference>,
    max_idle_days: Option<IdleDays>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LoginPreference {
    #[serde(rename = "EnableSaveMFATicket")]
    enable_save_mfa_ticket: Text,
    allow_user_to_change_password: Text,
    login_session_duration: Text,
    login_network_masks: Option<Text>,
    allow_user_to_login_with_passkey: Text,
    #[serde(rename = "MFAOperationForLogin")]
    mfa_operation_for_login: Text,
    #[serde(rename = "EnforceMFAForLogin")]
    enforce_mfa_for_login: Text,
    operation_for_risk_login: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct KeyPreference {
    allow_user_to_manage_access_keys: Text,
    allow_user_to_manage_service_credentials: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MfaPreference {
    #[serde(rename = "AllowUserToManageMFADevices")]
    allow_user_to_manage_mfa_devices: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PersonalPreference {
    allow_user_to_manage_personal_ding_talk: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct VerificationPreference {
    verification_types: Option<Vec<Text>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct IdleDays {
    max_idle_days_for_users: Text,
    max_idle_days_for_access_keys: Text,
}

impl Reply for OneSecurityPreference {
    type Meaning = SecurityPreference;

    fn meaning(self) -> Option<SecurityPreference> {
        let row = self.security_preference;
        let login = row.login_profile_preference.unwrap_or_default();
        let keys = row.access_key_preference.unwrap_or_default();
        let mfa = row.mfa_preference.unwrap_or_default();
        let own = row.personal_info_preference.unwrap_or_default();
        let verification = row.verification_preference.unwrap_or_default();
        let idle = row.max_idle_days.unwrap_or_default();
        let enforced = login.enforce_mfa_for_login.optional::<bool>().ok()?;
        Some(SecurityPreference {
            enable_save_mfa_ticket: login.enable_save_mfa_ticket.optional().ok()?,
            allow_user_to_change_password: login.allow_user_to_change_password.optional().ok()?,
            login_session_duration: login.login_session_duration.optional().ok()?,
            login_network_masks: login.login_network_masks.map(|masks| networks(&masks.0)),
            allow_user_to_login_with_passkey: login.allow_user_to_login_with_passkey.optional().ok()?,
            mfa_operation_for_login: login.mfa_operation_for_login.filled().or_else(|| enforced.map(operation)),
            operation_for_risk_login: login.operation_for_risk_login.filled(),
            allow_user_to_manage_access_keys: keys.allow_user_to_manage_access_keys.optional().ok()?,
            allow_user_to_manage_service_credentials: keys.allow_user_to_manage_service_credentials.optional().ok()?,
            allow_user_to_manage_mfa_devices: mfa.allow_user_to_manage_mfa_devices.optional().ok()?,
            allow_user_to_manage_personal_ding_talk: own.allow_user_to_manage_personal_ding_talk.optional().ok()?,
            verification_types: verification.verification_types.map(words),
            max_idle_days_for_users: idle.max_idle_days_for_users.optional().ok()?,
            max_idle_days_for_access_keys: idle.max_idle_days_for_access_keys.optional().ok()?,
        })
    }
}

fn networks(masks: &str) -> Vec<String> {
    masks.split(';').map(str::trim).filter(|mask| !mask.is_empty()).map(str::to_owned).collect()
}

fn words(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().filter_map(Text::filled).collect()
}

/// What older accounts say with `EnforceMFAForLogin`, in the words of `MFAOperationForLogin`.
fn operation(enforced: bool) -> String {
    if enforced { "mandatory" } else { "independent" }.to_owned()
}

/// RAM GetAccountAlias; None when none is set.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct AccountAlias {
    account_alias: Text,
}

impl Reply for AccountAlias {
    type Meaning = Option<String>;

    fn meaning(self) -> Option<Self::Meaning> {
        Some(self.account_alias.filled())
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn passwords(row: &str) -> Option<PasswordPolicy> {
        read::<OnePasswordPolicy>("GetPasswordPolicy", format!(r#"{{"PasswordPolicy":{row}}}"#).as_bytes()).ok()
    }

    fn preference(row: &str) -> Option<SecurityPreference> {
        let body = format!(r#"{{"SecurityPreference":{row}}}"#);
        read::<OneSecurityPreference>("GetSecurityPreference", body.as_bytes()).ok()
    }

    #[test]
    fn a_password_policy_is_read_whole() {
        let row = r#"{"MinimumPasswordLength":12,"RequireLowercaseCharacters":true,"RequireUppercaseCharacters":false,
            "RequireNumbers":"true","RequireSymbols":true,"HardExpire":false,"MaxPasswordAge":"90",
            "PasswordReusePrevention":4,"MaxLoginAttemps":5,"MinimumPasswordDifferentCharacter":6,
            "PasswordNotContainUserName":true,"InitialPasswordAge":14,"InterceptRiskPasswordOnApi":false,"Novel":{}}"#;
        let expected = PasswordPolicy {
            minimum_password_length: Some(12),
            require_lowercase_characters: Some(true),
            require_uppercase_characters: Some(false),
            require_numbers: Some(true),
            require_symbols: Some(true),
            hard_expire: Some(false),
            max_password_age: Some(90),
            password_reuse_prevention: Some(4),
            max_login_attempts: Some(5),
            minimum_password_different_character: Some(6),
            password_not_contain_user_name: Some(true),
            initial_password_age: Some(14),
            intercept_risk_password_on_api: Some(false),
        };
        assert_eq!(passwords(row), Some(expected));
        assert_eq!(passwords(r#"{"HardExpire":null,"MaxPasswordAge":""}"#), Some(PasswordPolicy::default()));
    }

    #[test]
    fn hostile_password_policies_are_unreadable() {
        for row in [
            "null",
            "7",
            r#"{"MinimumPasswordLength":"long"}"#,
            r#"{"MinimumPasswordLength":8.5}"#,
            r#"{"MaxLoginAttemps":true}"#,
            r#"{"RequireNumbers":1}"#,
            r#"{"HardExpire":[]}"#,
            r#"{"HardExpire":true,"HardExpire":false}"#,
        ] {
            assert_eq!(passwords(row), None, "{row}");
        }
        assert!(read::<OnePasswordPolicy>("GetPasswordPolicy", b"{}").is_err());
    }

    #[test]
    fn a_security_preference_is_read_whole() {
        let row = r#"{"LoginProfilePreference":{"EnableSaveMFATicket":false,"AllowUserToChangePassword":true,
                "LoginSessionDuration":6,"LoginNetworkMasks":"192.0.2.0/24; 198.51.100.7;",
                "AllowUserToLoginWithPasskey":true,"MFAOperationForLogin":"adaptive","EnforceMFAForLogin":false,
                "OperationForRiskLogin":"autonomous"},
            "AccessKeyPreference":{"AllowUserToManageAccessKeys":false,"AllowUserToManageServiceCredentials":true},
            "MFAPreference":{"AllowUserToManageMFADevices":true},"PublicKeyPreference":{"Novel":[]},
            "PersonalInfoPreference":{"AllowUserToManagePersonalDingTalk":false},
            "VerificationPreference":{"VerificationTypes":["sms","email",""]},
            "MaxIdleDays":{"MaxIdleDaysForUsers":365,"MaxIdleDaysForAccessKeys":"730"}}"#;
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let expected = SecurityPreference {
            enable_save_mfa_ticket: Some(false),
            allow_user_to_change_password: Some(true),
            login_session_duration: Some(6),
            login_network_masks: texts(&["192.0.2.0/24", "198.51.100.7"]),
            allow_user_to_login_with_passkey: Some(true),
            mfa_operation_for_login: Some("adaptive".to_owned()),
            operation_for_risk_login: Some("autonomous".to_owned()),
            allow_user_to_manage_access_keys: Some(false),
            allow_user_to_manage_service_credentials: Some(true),
            allow_user_to_manage_mfa_devices: Some(true),
            allow_user_to_manage_personal_ding_talk: Some(false),
            verification_types: texts(&["sms", "email"]),
            max_idle_days_for_users: Some(365),
            max_idle_days_for_access_keys: Some(730),
        };
        assert_eq!(preference(row), Some(expected));
    }

    #[test]
    fn a_security_preference_may_lack_anything() {
        for row in ["{}", r#"{"MFAPreference":null,"MaxIdleDays":{},"VerificationPreference":{}}"#] {
            assert_eq!(preference(row), Some(SecurityPreference::default()), "{row}");
        }
        let everywhere = preference(r#"{"LoginProfilePreference":{"LoginNetworkMasks":""}}"#).unwrap();
        assert_eq!(everywhere.login_network_masks, Some(Vec::new()));
        for (enforced, word) in [("true", "mandatory"), ("false", "independent")] {
            let row = format!(r#"{{"LoginProfilePreference":{{"EnforceMFAForLogin":{enforced}}}}}"#);
            assert_eq!(preference(&row).unwrap().mfa_operation_for_login.as_deref(), Some(word));
        }
    }

    #[test]
    fn hostile_security_preferences_are_unreadable() {
        for row in [
            "null",
            "7",
            r#"{"LoginProfilePreference":7}"#,
            r#"{"LoginProfilePreference":{"LoginSessionDuration":"a day"}}"#,
            r#"{"LoginProfilePreference":{"LoginNetworkMasks":["192.0.2.0/24"]}}"#,
            r#"{"LoginProfilePreference":{"EnforceMFAForLogin":"perhaps"}}"#,
            r#"{"AccessKeyPreference":{"AllowUserToManageAccessKeys":0}}"#,
            r#"{"VerificationPreference":{"VerificationTypes":"sms"}}"#,
            r#"{"MaxIdleDays":{"MaxIdleDaysForUsers":1,"MaxIdleDaysForUsers":2}}"#,
            r#"{"MFAPreference":{},"MFAPreference":{}}"#,
        ] {
            assert_eq!(preference(row), None, "{row}");
        }
        assert!(read::<OneSecurityPreference>("GetSecurityPreference", b"{}").is_err());
    }

    #[test]
    fn no_alias_has_several_spellings() {
        let read = |body: &str| read::<AccountAlias>("GetAccountAlias", body.as_bytes());
        assert_eq!(read(r#"{"AccountAlias":"acme"}"#).unwrap().as_deref(), Some("acme"));
        for body in ["{}", r#"{"AccountAlias":""}"#, r#"{"AccountAlias":null}"#] {
            assert_eq!(read(body).unwrap(), None, "{body}");
        }
        assert!(read(r#"{"AccountAlias":{}}"#).is_err());
    }
}
