//! The settings of the account: its name, passwords, log-ons, and from where its keys may be used.
#![allow(clippy::unnecessary_wraps, reason = "every action has the same type")]

use serde_json::json;

use super::super::envelope::{Answer, Product, Refusal};
use super::super::rules::boolean;
use super::super::state::Account;
use super::{Ask, keys};

/// What stands behind the alias in the default domain.
const SUFFIX: &str = ".onaliyun.com";

/// RAM SetAccountAlias: it changes the UserPrincipalName of every user.
pub fn set_account_alias(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let alias = ask.params.required("AccountAlias")?;
    alias_allowed("AccountAlias", alias, ask)?;
    if ask.options.same_alias_refused && account.alias.as_deref() == Some(alias) {
        return Err(Refusal::exists("AccountAlias", alias));
    }
    account.alias = Some(alias.to_owned());
    Ok(json!({}))
}

/// RAM ClearAccountAlias, also if there is none.
pub fn clear_account_alias(account: &mut Account, _ask: &Ask<'_>) -> Answer {
    account.alias = None;
    Ok(json!({}))
}

/// IMS SetDefaultDomain: sets the alias that stands in it, or clears it for the domain of the account's number.
pub fn set_default_domain(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let domain = ask.params.required("DefaultDomainName")?;
    if domain.chars().count() > 64 {
        return Err(Refusal::invalid("DefaultDomainName.Length", "The DefaultDomainName has more than 64 characters."));
    }
    let alias = domain.strip_suffix(SUFFIX).ok_or_else(|| {
        Refusal::invalid("DefaultDomainName.Format", "The DefaultDomainName must have the form <alias>.onaliyun.com.")
    })?;
    if alias == account.id {
        account.alias = None;
    } else {
        alias_allowed("DefaultDomainName", alias, ask)?;
        account.alias = Some(alias.to_owned());
    }
    Ok(json!({"DefaultDomainName": account.domain()}))
}

/// SetPasswordPolicy. It holds for passwords that are set from now on.
pub fn set_password_policy(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let resets = ask.options.password_policy_resets;
    account.rules.passwords = account.rules.passwords.changed(ask.product, ask.params, resets)?;
    get_password_policy(account, ask)
}

/// GetPasswordPolicy.
pub fn get_password_policy(account: &Account, ask: &Ask<'_>) -> Answer {
    Ok(json!({"PasswordPolicy": account.rules.passwords.shown(ask.product)}))
}

/// SetSecurityPreference: what is not sent falls back to its default.
pub fn set_security_preference(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let enforced = ask.params.some("EnforceMFAForLogin").filter(|_| ask.product == Product::Ims);
    let enforced = enforced.map(|text| boolean("EnforceMFAForLogin", text)).transpose()?;
    account.rules.preference = account.rules.preference.changed(ask.product, ask.params, true)?;
    if let Some(enforced) = enforced.filter(|_| ask.params.some("MFAOperationForLogin").is_none()) {
        account.rules.enforce_mfa(enforced);
    }
    get_security_preference(account, ask)
}

/// GetSecurityPreference.
pub fn get_security_preference(account: &Account, ask: &Ask<'_>) -> Answer {
    Ok(json!({"SecurityPreference": account.rules.preference_shown(ask.product)}))
}

/// IMS SetAccessKeyPolicyForAccount.
pub fn set_access_key_policy_for_account(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let policy = keys::sent_policy(ask)?;
    let answer = json!({"AccessKeyPolicy": policy.document});
    account.rules.key_policy.set(policy, ask.now, ask.options.key_policy_lag);
    Ok(answer)
}

/// IMS GetAccessKeyPolicyForAccount: `{}` for an account that never had one.
pub fn get_access_key_policy_for_account(account: &Account, ask: &Ask<'_>) -> Answer {
    let policy = account.rules.key_policy.shown(ask.now, ask.options.key_policy_lag);
    Ok(json!({"AccessKeyPolicy": policy.map_or("{}", |policy| policy.document.as_str())}))
}

/// Whether this is an alias, and no other account's.
fn alias_allowed(param: &str, alias: &str, ask: &Ask<'_>) -> Result<(), Refusal> {
    if !(3..=32).contains(&alias.chars().count()) {
        return Err(Refusal::invalid(&format!("{param}.Length"), "An alias must have 3 to 32 characters."));
    }
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !alias.bytes().all(known) || alias.starts_with('-') || alias.ends_with('-') || alias.contains("--") {
        let message = "An alias must have lower-case letters, digits and single hyphens that do not stand at its ends.";
        return Err(Refusal::invalid(&format!("{param}.Format"), message));
    }
    if ask.options.taken_aliases.iter().any(|taken| taken == alias) {
        return Err(Refusal::exists("AccountAlias", alias));
    }
    Ok(())
}
