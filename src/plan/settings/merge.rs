//! What the spec says of a group of settings, over what RAM has. What the spec leaves out stays as it was read.

use std::collections::BTreeSet;

use crate::api::{self, MfaOperation, VerificationType};
use crate::ram::{KeySources, PasswordPolicy, SecurityPreference};

/// Names of the fields in which the spec and RAM differ.
type Fields = Vec<&'static str>;

/// Takes over each field that the spec gives, and notes those that differ.
macro_rules! take {
    ($whole:ident, $fields:ident, $wanted:ident: $($field:ident $name:literal),* $(,)?) => {$(
        if $wanted.$field.is_some() && $wanted.$field != $whole.$field {
            $whole.$field = $wanted.$field;
            $fields.push($name);
        }
    )*};
}

/// The whole password policy, and in which fields it differs from RAM's.
pub(super) fn password_policy(wanted: &api::PasswordPolicy, has: &PasswordPolicy) -> (PasswordPolicy, Fields) {
    let (mut whole, mut fields) = (has.clone(), Fields::new());
    take!(whole, fields, wanted:
        minimum_password_length "minimumPasswordLength",
        require_lowercase_characters "requireLowercaseCharacters",
        require_uppercase_characters "requireUppercaseCharacters",
        require_numbers "requireNumbers",
        require_symbols "requireSymbols",
        hard_expire "hardExpire",
        max_password_age "maxPasswordAge",
        password_reuse_prevention "passwordReusePrevention",
        max_login_attempts "maxLoginAttempts",
        minimum_password_different_character "minimumPasswordDifferentCharacter",
        password_not_contain_user_name "passwordNotContainUserName",
        initial_password_age "initialPasswordAge",
        intercept_risk_password_on_api "interceptRiskPasswordOnApi",
    );
    (whole, fields)
}

/// The whole security preference, and in which fields it differs from RAM's.
pub(super) fn security_preference(
    wanted: &api::SecurityPreference,
    has: &SecurityPreference,
) -> (SecurityPreference, Fields) {
    let (mut whole, mut fields) = (has.clone(), Fields::new());
    take!(whole, fields, wanted:
        enable_save_mfa_ticket "enableSaveMfaTicket",
        allow_user_to_change_password "allowUserToChangePassword",
        login_session_duration "loginSessionDuration",
        allow_user_to_login_with_passkey "allowUserToLoginWithPasskey",
        allow_user_to_manage_access_keys "allowUserToManageAccessKeys",
        allow_user_to_manage_service_credentials "allowUserToManageServiceCredentials",
        allow_user_to_manage_mfa_devices "allowUserToManageMfaDevices",
        allow_user_to_manage_personal_ding_talk "allowUserToManagePersonalDingTalk",
        max_idle_days_for_users "maxIdleDaysForUsers",
        max_idle_days_for_access_keys "maxIdleDaysForAccessKeys",
    );
    let operation = wanted.mfa_operation_for_login.map(operation);
    if let Some(operation) = operation.filter(|wanted| whole.mfa_operation_for_login.as_deref() != Some(*wanted)) {
        whole.mfa_operation_for_login = Some(operation.to_owned());
        fields.push("mfaOperationForLogin");
    }
    let known = whole.login_network_masks.as_deref().unwrap_or_default();
    if let Some(masks) = wanted.login_network_masks.as_ref().filter(|masks| !same_networks(masks, known)) {
        whole.login_network_masks = Some(masks.clone());
        fields.push("loginNetworkMasks");
    }
    let known = whole.verification_types.as_deref().unwrap_or_default();
    let types = wanted.verification_types.as_ref().map(|types| types.iter().copied().map(word).collect::<Vec<_>>());
    if let Some(types) = types.filter(|types| !same_words(types, known)) {
        whole.verification_types = Some(types.into_iter().map(str::to_owned).collect());
        fields.push("verificationTypes");
    }
    (whole, fields)
}

/// RAM's word.
const fn operation(operation: MfaOperation) -> &'static str {
    match operation {
        MfaOperation::Mandatory => "mandatory",
        MfaOperation::Independent => "independent",
        MfaOperation::Adaptive => "adaptive",
    }
}

/// RAM's word.
const fn word(type_: VerificationType) -> &'static str {
    match type_ {
        VerificationType::Sms => "sms",
        VerificationType::Email => "email",
    }
}

/// Whether two lists of networks mean the same, as lists of sources of keys do.
fn same_networks(one: &[String], other: &[String]) -> bool {
    let sources = |list: &[String]| KeySources { active: true, public: list.to_vec(), vpcs: Vec::new() };
    sources(one) == sources(other)
}

fn same_words(one: &[&str], other: &[String]) -> bool {
    let one: BTreeSet<&str> = one.iter().copied().collect();
    one == other.iter().map(String::as_str).collect::<BTreeSet<&str>>()
}
