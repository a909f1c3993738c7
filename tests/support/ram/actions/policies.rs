//! Policies and their attachments; only RAM has them.

use serde_json::{Value, json};

use super::super::clock::iso;
use super::super::envelope::{Answer, Refusal};
use super::super::limits;
use super::super::state::{Account, Attachment, Policy, PolicyType};
use super::{Ask, page, user_named};

/// RAM AttachPolicyToUser.
pub fn attach_policy_to_user(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (kind, name) = named(ask)?;
    let user = user_named(account, ask)?;
    let policy = account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))?;
    if user.policies.iter().any(|attached| attached.is(kind, name)) {
        return Err(Refusal::exists("User.Policy", name));
    }
    let quota = match kind {
        PolicyType::System => ask.options.system_policies_per_user,
        PolicyType::Custom => ask.options.custom_policies_per_user,
    };
    if user.policies.iter().filter(|attached| attached.kind == kind).count() >= quota {
        return Err(Refusal::limit("User.Policy"));
    }
    let attachment = Attachment { kind, name: policy.name.clone(), date: ask.now };
    let id = user.id.clone();
    if let Some(user) = account.users.get_mut(&id) {
        user.policies.push(attachment);
    }
    Ok(json!({}))
}

/// RAM DetachPolicyFromUser.
pub fn detach_policy_from_user(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (kind, name) = named(ask)?;
    let user = user_named(account, ask)?;
    if account.policy(kind, name).is_none() {
        return Err(Refusal::absent("Policy", name));
    }
    if !user.policies.iter().any(|attached| attached.is(kind, name)) {
        return Err(Refusal::absent("User.Policy", name));
    }
    let id = user.id.clone();
    if let Some(user) = account.users.get_mut(&id) {
        user.policies.retain(|attached| !attached.is(kind, name));
        user.detached = Some(ask.now);
    }
    Ok(json!({}))
}

/// RAM ListPoliciesForUser: direct attachments only.
pub fn list_policies_for_user(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    Ok(attached(account, &user.policies))
}

/// RAM ListPoliciesForGroup.
pub fn list_policies_for_group(account: &Account, ask: &Ask<'_>) -> Answer {
    let group = super::groups::group_named(account, ask)?;
    Ok(attached(account, &group.policies))
}

/// RAM GetPolicy.
pub fn get_policy(account: &Account, ask: &Ask<'_>) -> Answer {
    let policy = found(account, ask)?;
    let mut shown = object(account, policy);
    if let Value::Object(fields) = &mut shown {
        fields.insert("PolicyDocument".to_owned(), json!(policy.document));
    }
    let version = json!({"VersionId": "v1", "IsDefaultVersion": true, "PolicyDocument": policy.document, "CreateDate": iso(policy.created)});
    Ok(json!({"Policy": shown, "DefaultPolicyVersion": version}))
}

/// RAM ListPolicies, system policies first.
pub fn list_policies(account: &Account, ask: &Ask<'_>) -> Answer {
    let kind = ask.params.some("PolicyType").map(PolicyType::read).transpose()?;
    let key = |kind: PolicyType, name: &str| format!("{}/{name}", u8::from(kind == PolicyType::Custom));
    let policies = account.policies.iter().filter(|((of, _), _)| kind.is_none_or(|kind| kind == *of));
    let items = policies.map(|((of, name), policy)| (key(*of, name), object(account, policy)));
    Ok(page(ask, 100, 1000, items)?.answer("Policies", "Policy"))
}

/// RAM ListEntitiesForPolicy.
pub fn list_entities_for_policy(account: &Account, ask: &Ask<'_>) -> Answer {
    let policy = found(account, ask)?;
    let date = |policies: &[Attachment]| {
        policies.iter().find(|attached| attached.is(policy.kind, &policy.name)).map(|attached| iso(attached.date))
    };
    let users = account.users_by_name().filter_map(|(_, user)| {
        Some(json!({"UserId": user.id, "UserName": user.name, "DisplayName": user.display_name, "AttachDate": date(&user.policies)?}))
    });
    let groups = account.groups.values().filter_map(|group| {
        Some(json!({"GroupName": group.name, "Comments": group.comments, "AttachDate": date(&group.policies)?}))
    });
    let roles = account.roles.values().filter_map(|role| {
        let arn = format!("acs:ram::{}:role/{}", account.id, role.name);
        Some(json!({"RoleId": role.id, "RoleName": role.name, "Arn": arn, "Description": "", "AttachDate": date(&role.policies)?}))
    });
    let (users, groups, roles): (Vec<_>, Vec<_>, Vec<_>) = (users.collect(), groups.collect(), roles.collect());
    Ok(json!({"Users": {"User": users}, "Groups": {"Group": groups}, "Roles": {"Role": roles}}))
}

fn named<'a>(ask: &Ask<'a>) -> Result<(PolicyType, &'a str), Refusal> {
    let kind = PolicyType::read(ask.params.required("PolicyType")?)?;
    let name = ask.params.required("PolicyName")?;
    limits::policy_name(name)?;
    Ok((kind, name))
}

fn found<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a Policy, Refusal> {
    let (kind, name) = named(ask)?;
    account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))
}

fn attached(account: &Account, attachments: &[Attachment]) -> Value {
    let shown = |attached: &Attachment| {
        let description =
            account.policy(attached.kind, &attached.name).map_or("", |policy| policy.description.as_str());
        json!({
            "PolicyName": attached.name,
            "PolicyType": attached.kind.name(),
            "Description": description,
            "DefaultVersion": "v1",
            "AttachDate": iso(attached.date),
        })
    };
    let policies: Vec<Value> = attachments.iter().map(shown).collect();
    json!({"Policies": {"Policy": policies}})
}

fn object(account: &Account, policy: &Policy) -> Value {
    let holders = account.users.values().map(|user| &user.policies);
    let holders = holders
        .chain(account.groups.values().map(|group| &group.policies))
        .chain(account.roles.values().map(|role| &role.policies));
    let count =
        holders.filter(|policies| policies.iter().any(|attached| attached.is(policy.kind, &policy.name))).count();
    json!({
        "PolicyName": policy.name,
        "PolicyType": policy.kind.name(),
        "Description": policy.description,
        "DefaultVersion": "v1",
        "AttachmentCount": count,
        "CreateDate": iso(policy.created),
        "UpdateDate": iso(policy.created),
    })
}
