//! Settings of the whole account: its alias, the rules for passwords, what users may do by themselves, and from where
//! keys may be used.
//!
//! IMS is asked for all but the alias: it has every field that RAM has of these, but one for the Japanese site, and
//! more. **What is not sent may fall back to its default**, so read, change, and send the whole back.

use super::{
    client::{Client, present, there, truth},
    error::Error,
    model::{KeySources, PasswordPolicy, SecurityPreference},
    sign::Param,
    transport::{Api, Call, Repeat},
    wire,
};

/// A parameter that has a value, and owns it.
type Setting = (&'static str, String);

impl Client {
    /// The rules for passwords of RAM users (IMS GetPasswordPolicy).
    pub async fn get_password_policy(&self) -> Result<PasswordPolicy, Error> {
        self.call::<wire::OnePasswordPolicy>(Api::Ims, "GetPasswordPolicy", &[]).await
    }

    /// Sets the rules for passwords of RAM users (IMS SetPasswordPolicy). Sends what `policy` has; what happens to the
    /// rest is not documented.
    pub async fn set_password_policy(&self, policy: &PasswordPolicy) -> Result<(), Error> {
        self.set("SetPasswordPolicy", &password_settings(policy)).await
    }

    /// What RAM users may do by themselves, and how they log on (IMS GetSecurityPreference).
    pub async fn get_security_preference(&self) -> Result<SecurityPreference, Error> {
        self.call::<wire::OneSecurityPreference>(Api::Ims, "GetSecurityPreference", &[]).await
    }

    /// Sets what RAM users may do by themselves, and how they log on (IMS SetSecurityPreference). Sends what
    /// `preference` has; the rest falls back to its default.
    pub async fn set_security_preference(&self, preference: &SecurityPreference) -> Result<(), Error> {
        self.set("SetSecurityPreference", &preference_settings(preference)).await
    }

    async fn set(&self, action: &'static str, settings: &[Setting]) -> Result<(), Error> {
        let params: Vec<Param<'_>> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.call::<wire::Done>(Api::Ims, action, &params).await
    }

    /// The alias of the account, if it has one (RAM GetAccountAlias, as only RAM has it).
    pub async fn account_alias(&self) -> Result<Option<String>, Error> {
        there(self.call::<wire::AccountAlias>(Api::Ram, "GetAccountAlias", &[]).await).map(Option::flatten)
    }

    /// Sets the alias of the account (RAM SetAccountAlias, as only RAM has it): lower-case letters, digits and single
    /// `-` between them, 3 to 32. **It is part of the default domain, so that every UserPrincipalName changes with
    /// it.** One that another account has is [`Class::Exists`](super::Class::Exists), and so may be the one that is
    /// set already; when the answer is lost it is not sent again: look which one is set.
    pub async fn set_account_alias(&self, alias: &str) -> Result<(), Error> {
        self.call_carefully::<wire::Done>(Api::Ram, "SetAccountAlias", &[("AccountAlias", alias)]).await
    }

    /// From where the keys of the account may be used that have no restriction of their own (IMS
    /// GetAccessKeyPolicyForAccount); the default for an account that nobody restricted. For up to minutes after a
    /// change it may be what was there before.
    pub async fn account_access_key_sources(&self) -> Result<KeySources, Error> {
        let answer = self.call::<wire::KeyPolicy>(Api::Ims, "GetAccessKeyPolicyForAccount", &[]).await;
        present(answer, &["EntityNotExist.AccessKeyPolicy"]).map(Option::unwrap_or_default)
    }

    /// Says from where the keys of the account may be used that have no restriction of their own (IMS
    /// SetAccessKeyPolicyForAccount), in place of what was said before. [`KeySources::default`] lifts all restriction.
    /// **The operator's own key is one of them**, unless it has sources of its own: see [`Client::own_key_sources`].
    pub async fn set_account_access_key_sources(&self, sources: &KeySources) -> Result<(), Error> {
        let document = wire::key_policy(sources);
        let params = [("AccessKeyPolicy", document.as_str())];
        self.call::<wire::Done>(Api::Ims, "SetAccessKeyPolicyForAccount", &params).await
    }

    /// From where the key may be used that the operator itself begins with (IMS GetAccessKeyPolicy, signed with it). In
    /// force, they count in place of the account's. None if there is no such key: no restriction of keys holds for
    /// temporary credentials that are given, or obtained by a token or from the metadata service.
    pub async fn own_key_sources(&self) -> Result<Option<KeySources>, Error> {
        let Some(pair) = self.keyring.long_lived() else {
            return Ok(None);
        };
        // Without a UserPrincipalName it is about the caller's own key; with a role on top, the role has none.
        let params = [("UserAccessKeyId", pair.access_key_id.as_str())];
        let call = Call { api: Api::Ims, action: "GetAccessKeyPolicy", params: &params, repeat: Repeat::Always };
        let answer = self.transport.call::<wire::KeyPolicy>(&call, Some(pair), self.lane).await;
        present(answer, &["EntityNotExist.AccessKeyPolicy"]).map(|sources| Some(sources.unwrap_or_default()))
    }
}

fn password_settings(policy: &PasswordPolicy) -> Vec<Setting> {
    filled([
        ("MinimumPasswordLength", number(policy.minimum_password_length)),
        ("RequireLowercaseCharacters", flag(policy.require_lowercase_characters)),
        ("RequireUppercaseCharacters", flag(policy.require_uppercase_characters)),
        ("RequireNumbers", flag(policy.require_numbers)),
        ("RequireSymbols", flag(policy.require_symbols)),
        ("HardExpire", flag(policy.hard_expire)),
        ("MaxPasswordAge", number(policy.max_password_age)),
        ("PasswordReusePrevention", number(policy.password_reuse_prevention)),
        // Spelled so by IMS.
        ("MaxLoginAttemps", number(policy.max_login_attempts)),
        ("MinimumPasswordDifferentCharacter", number(policy.minimum_password_different_character)),
        ("PasswordNotContainUserName", flag(policy.password_not_contain_user_name)),
        ("InitialPasswordAge", number(policy.initial_password_age)),
        ("InterceptRiskPasswordOnApi", flag(policy.intercept_risk_password_on_api)),
    ])
}

fn preference_settings(preference: &SecurityPreference) -> Vec<Setting> {
    let types = preference.verification_types.as_ref().map(|types| serde_json::json!(types).to_string());
    filled([
        ("EnableSaveMFATicket", flag(preference.enable_save_mfa_ticket)),
        ("AllowUserToChangePassword", flag(preference.allow_user_to_change_password)),
        ("LoginSessionDuration", number(preference.login_session_duration)),
        ("LoginNetworkMasks", preference.login_network_masks.as_ref().map(|masks| masks.join(";"))),
        ("AllowUserToLoginWithPasskey", flag(preference.allow_user_to_login_with_passkey)),
        ("MFAOperationForLogin", preference.mfa_operation_for_login.clone()),
        ("OperationForRiskLogin", preference.operation_for_risk_login.clone()),
        ("AllowUserToManageAccessKeys", flag(preference.allow_user_to_manage_access_keys)),
        ("AllowUserToManageServiceCredentials", flag(preference.allow_user_to_manage_service_credentials)),
        ("AllowUserToManageMFADevices", flag(preference.allow_user_to_manage_mfa_devices)),
        ("AllowUserToManagePersonalDingTalk", flag(preference.allow_user_to_manage_personal_ding_talk)),
        ("VerificationTypes", types),
        ("MaxIdleDaysForUsers", number(preference.max_idle_days_for_users)),
        ("MaxIdleDaysForAccessKeys", number(preference.max_idle_days_for_access_keys)),
    ])
}

fn filled<const N: usize>(settings: [(&'static str, Option<String>); N]) -> Vec<Setting> {
    settings.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn number(value: Option<i64>) -> Option<String> {
    value.map(|number| number.to_string())
}

fn flag(value: Option<bool>) -> Option<String> {
    value.map(|value| truth(value).to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn value<'a>(settings: &'a [Setting], name: &str) -> Option<&'a str> {
        settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn only_the_settings_that_are_given_are_sent() {
        assert!(password_settings(&PasswordPolicy::default()).is_empty());
        assert!(preference_settings(&SecurityPreference::default()).is_empty());
        let policy =
            PasswordPolicy { require_numbers: Some(false), max_login_attempts: Some(0), ..PasswordPolicy::default() };
        let expected = [("RequireNumbers", "false".to_owned()), ("MaxLoginAttemps", "0".to_owned())];
        assert_eq!(password_settings(&policy), expected);
    }

    #[test]
    fn every_rule_for_passwords_is_sent_under_its_own_name() {
        let settings = password_settings(&PasswordPolicy {
            minimum_password_length: Some(8),
            require_lowercase_characters: Some(true),
            require_uppercase_characters: Some(true),
            require_numbers: Some(true),
            require_symbols: Some(true),
            hard_expire: Some(true),
            max_password_age: Some(90),
            password_reuse_prevention: Some(4),
            max_login_attempts: Some(5),
            minimum_password_different_character: Some(6),
            password_not_contain_user_name: Some(true),
            initial_password_age: Some(14),
            intercept_risk_password_on_api: Some(true),
        });
        assert_eq!(settings.iter().map(|(name, _)| *name).collect::<HashSet<_>>().len(), 13);
        assert_eq!(value(&settings, "MinimumPasswordLength"), Some("8"));
        assert_eq!(value(&settings, "MinimumPasswordDifferentCharacter"), Some("6"));
        assert_eq!(value(&settings, "HardExpire"), Some("true"));
    }

    #[test]
    fn lists_have_their_own_spellings() {
        let some = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let preference = SecurityPreference {
            login_network_masks: some(&["192.0.2.0/24", "198.51.100.7"]),
            verification_types: some(&["sms", "email"]),
            ..SecurityPreference::default()
        };
        let settings = preference_settings(&preference);
        assert_eq!(value(&settings, "LoginNetworkMasks"), Some("192.0.2.0/24;198.51.100.7"));
        assert_eq!(value(&settings, "VerificationTypes"), Some(r#"["sms","email"]"#));
        let none = SecurityPreference {
            login_network_masks: some(&[]),
            verification_types: some(&[]),
            ..SecurityPreference::default()
        };
        let settings = preference_settings(&none);
        assert_eq!(value(&settings, "LoginNetworkMasks"), Some(""));
        assert_eq!(value(&settings, "VerificationTypes"), Some("[]"));
    }
}
