//! Versions of policies, of which one is in force. Those of system policies can only be read.

use serde_json::{Value, json};

use super::super::clock::iso;
use super::super::document;
use super::super::envelope::{Answer, Refusal};
use super::super::policies::{Policy, VERSIONS, Version};
use super::super::state::Account;
use super::Ask;
use super::policies::{custom, custom_name, flag, found};

/// RAM CreatePolicyVersion: each call makes a version, also of a document that is there already.
pub fn create_policy_version(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = custom_name(ask)?;
    let document = document::given(ask.params, ask.options)?;
    let (in_force, rotates) = (flag(ask, "SetAsDefault")?, rotates(ask)?);
    let policy = account.custom_policy_mut(name).ok_or_else(|| Refusal::absent("Policy", name))?;
    if policy.versions().len() >= VERSIONS {
        let oldest = policy.oldest_spare().filter(|_| rotates).ok_or_else(|| Refusal::limit("Policy.Version"))?;
        policy.remove_version(oldest, ask.now);
    }
    let number = policy.add_version(document, ask.options.version_numbers_reused, ask.now);
    if in_force {
        policy.set_default(number, ask.now);
    }
    shown(policy, number)
}

/// RAM GetPolicyVersion.
pub fn get_policy_version(account: &Account, ask: &Ask<'_>) -> Answer {
    let number = number(ask)?;
    shown(found(account, ask)?, number)
}

/// RAM ListPolicyVersions.
pub fn list_policy_versions(account: &Account, ask: &Ask<'_>) -> Answer {
    let policy = found(account, ask)?;
    let versions: Vec<Value> = policy.versions().iter().map(|version| object(policy, version)).collect();
    Ok(json!({"PolicyVersions": {"PolicyVersion": versions}}))
}

/// RAM DeletePolicyVersion: any but the one in force.
pub fn delete_policy_version(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (policy, number) = custom_version(account, ask)?;
    if policy.is_default(number) {
        return Err(Refusal::conflict("Policy.Version.Default"));
    }
    policy.remove_version(number, ask.now);
    Ok(json!({}))
}

/// RAM SetDefaultPolicyVersion.
pub fn set_default_policy_version(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (policy, number) = custom_version(account, ask)?;
    policy.set_default(number, ask.now);
    Ok(json!({}))
}

/// The version object.
pub fn object(policy: &Policy, version: &Version) -> Value {
    json!({
        "VersionId": version.id(),
        "IsDefaultVersion": policy.is_default(version.number),
        "PolicyDocument": version.document,
        "CreateDate": iso(version.created),
    })
}

fn shown(policy: &Policy, number: u32) -> Answer {
    let version = policy.version(number).ok_or_else(|| absent(number))?;
    Ok(json!({"PolicyVersion": object(policy, version)}))
}

/// The custom policy of PolicyName, and the number of its version of VersionId.
fn custom_version<'a>(account: &'a mut Account, ask: &Ask<'_>) -> Result<(&'a mut Policy, u32), Refusal> {
    let (name, number) = (custom_name(ask)?, number(ask)?);
    custom(account, name)?.version(number).ok_or_else(|| absent(number))?;
    let policy = account.custom_policy_mut(name).ok_or_else(|| Refusal::absent("Policy", name))?;
    Ok((policy, number))
}

fn absent(number: u32) -> Refusal {
    Refusal::absent("Policy.Version", &format!("v{number}"))
}

/// The number in VersionId.
fn number(ask: &Ask<'_>) -> Result<u32, Refusal> {
    let digits = ask.params.required("VersionId")?.strip_prefix('v').unwrap_or_default();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain).ok_or_else(|| {
        Refusal::invalid("VersionId.Format", "The VersionId must be v and a number without leading zeros.")
    })
}

/// Whether RotateStrategy makes room for a further version.
fn rotates(ask: &Ask<'_>) -> Result<bool, Refusal> {
    match ask.params.some("RotateStrategy") {
        None | Some("None") => Ok(false),
        Some("DeleteOldestNonDefaultVersionWhenLimitExceeded") => Ok(true),
        Some(_) => {
            let message = "The RotateStrategy must be None or DeleteOldestNonDefaultVersionWhenLimitExceeded.";
            Err(Refusal::invalid("RotateStrategy", message))
        }
    }
}
