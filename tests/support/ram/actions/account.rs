//! The account itself: domain, alias, quotas.
#![allow(clippy::unnecessary_wraps, reason = "every action has the same type")]

use serde_json::json;

use super::super::document;
use super::super::envelope::{Answer, Refusal};
use super::super::policies::VERSIONS;
use super::super::state::Account;
use super::Ask;

/// IMS GetDefaultDomain.
pub fn get_default_domain(account: &Account, _ask: &Ask<'_>) -> Answer {
    Ok(json!({"DefaultDomainName": account.domain()}))
}

/// RAM GetAccountAlias.
pub fn get_account_alias(account: &Account, ask: &Ask<'_>) -> Answer {
    match account.alias.as_deref() {
        None if ask.options.no_alias_refused => Err(Refusal::absent("AccountAlias", &account.id)),
        alias => Ok(json!({"AccountAlias": alias.unwrap_or_default()})),
    }
}

/// IMS GetAccountSummary: counts and quotas.
pub fn get_account_summary(account: &Account, ask: &Ask<'_>) -> Answer {
    let options = ask.options;
    let bound = account.devices.values().filter(|device| device.bound.is_some()).count();
    Ok(json!({"SummaryMap": {
        "Users": account.users.len(),
        "UsersQuota": options.users_quota,
        "Groups": account.groups.len(),
        "GroupsQuota": options.groups_quota,
        "Roles": account.roles.len(),
        "RolesQuota": 1000,
        "Policies": account.custom_policies().count(),
        "PoliciesQuota": options.policies_quota,
        "PolicySizeQuota": document::SIZE,
        "VersionsPerPolicyQuota": VERSIONS,
        "MFADevices": account.devices.len(),
        "MFADevicesInUse": bound,
        "VirtualMFADevicesQuota": options.virtual_mfa_devices_quota,
        "AccessKeysPerUserQuota": options.keys_per_user,
        "AccountAccessKeysPerAccountQuota": 2,
        "GroupsPerUserQuota": options.groups_per_user,
        "AttachedSystemPoliciesPerUserQuota": options.system_policies_per_user,
        "AttachedSystemPoliciesPerGroupQuota": options.system_policies_per_group,
        "AttachedSystemPoliciesPerRoleQuota": 20,
        "AttachedPoliciesPerUserQuota": options.custom_policies_per_user,
        "AttachedPoliciesPerGroupQuota": options.custom_policies_per_group,
        "AttachedPoliciesPerRoleQuota": 10,
        "ConditionsPerAKPolicyQuota": options.key_policy_statements,
        "IPItemsPerAKPolicyQuota": options.key_policy_addresses,
    }}))
}
