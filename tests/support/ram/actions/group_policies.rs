//! Policies of groups; only RAM has them.

use serde_json::json;

use super::super::envelope::{Answer, Refusal};
use super::super::policies::Holder;
use super::super::state::{Account, Attachment};
use super::Ask;
use super::groups::group_named;
use super::policies::{attachable, attached, detachable, named};

/// RAM AttachPolicyToGroup.
pub fn attach_policy_to_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (kind, name) = named(ask)?;
    let group = group_named(account, ask)?;
    let policy = account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))?;
    let quotas = (ask.options.system_policies_per_group, ask.options.custom_policies_per_group);
    attachable(policy, Holder::Group, &group.policies, quotas)?;
    let attachment = Attachment { kind, name: policy.name.clone(), date: ask.now };
    let key = account.fold(&group.name);
    if let Some(group) = account.groups.get_mut(&key) {
        group.policies.push(attachment);
    }
    Ok(json!({}))
}

/// RAM DetachPolicyFromGroup.
pub fn detach_policy_from_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (kind, name) = named(ask)?;
    let group = group_named(account, ask)?;
    let policy = account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))?;
    detachable(policy, Holder::Group, &group.policies)?;
    let key = account.fold(&group.name);
    if let Some(group) = account.groups.get_mut(&key) {
        group.policies.retain(|attached| !attached.is(kind, name));
        group.detached = Some(ask.now);
    }
    account.note_detached(kind, name, Holder::Group, ask.now);
    Ok(json!({}))
}

/// RAM ListPoliciesForGroup.
pub fn list_policies_for_group(account: &Account, ask: &Ask<'_>) -> Answer {
    let group = group_named(account, ask)?;
    Ok(attached(account, ask, &group.policies))
}
