//! Policies and their attachments to users; only RAM has them.

use serde_json::{Value, json};

use super::super::clock::{iso, within};
use super::super::document;
use super::super::envelope::{Answer, Refusal};
use super::super::limits;
use super::super::policies::{Holder, Policy};
use super::super::state::{Account, Attachment, PolicyType};
use super::{Ask, page, user_named, without_empty};

/// RAM CreatePolicy: the document becomes version `v1`.
pub fn create_policy(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = custom_name(ask)?;
    let description = ask.params.get("Description").unwrap_or_default();
    limits::optional_length("Description", description, 1024)?;
    let document = document::given(ask.params, ask.options)?;
    if account.policy(PolicyType::Custom, name).is_some() {
        return Err(Refusal::exists("Policy", name));
    }
    if account.custom_policies().count() >= ask.options.policies_quota {
        return Err(Refusal::limit("Policy"));
    }
    let policy = Policy::new(PolicyType::Custom, name, description, document, ask.now);
    let shown = object(account, ask, &policy, &["AttachmentCount", "UpdateDate"]);
    account.policies.insert(policy.key(), policy);
    Ok(json!({"Policy": shown}))
}

/// RAM UpdatePolicyDescription.
pub fn update_policy_description(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = custom_name(ask)?;
    let description = ask.params.required("NewDescription")?;
    limits::length("NewDescription", description, 1024)?;
    let policy = account.custom_policy_mut(name).ok_or_else(|| Refusal::absent("Policy", name))?;
    description.clone_into(&mut policy.description);
    policy.updated = ask.now;
    Ok(json!({"Policy": object(account, ask, custom(account, name)?, &["AttachmentCount"])}))
}

/// RAM DeletePolicy: with CascadingDelete its versions go with it, attachments never do.
pub fn delete_policy(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = custom_name(ask)?;
    let cascading = flag(ask, "CascadingDelete")?;
    let policy = custom(account, name)?;
    deletable(account, ask, policy)?;
    if policy.versions().len() > 1 && !cascading {
        return Err(Refusal::conflict("Policy.Version"));
    }
    let key = policy.key();
    account.policies.remove(&key);
    Ok(json!({}))
}

/// Nothing has the policy, nor had it a moment ago.
fn deletable(account: &Account, ask: &Ask<'_>, policy: &Policy) -> Result<(), Refusal> {
    let holders = account.holders(policy);
    let lingers = |holder: Holder| {
        let detached = policy.detached.get(&holder);
        detached.is_some_and(|time| within(ask.now, *time, ask.options.delete_conflict_lag))
    };
    let has = |kind: Holder| holders.iter().any(|(holder, _)| *holder == kind) || lingers(kind);
    if let Some(holder) = [Holder::User, Holder::Group].into_iter().find(|holder| has(*holder)) {
        return Err(Refusal::conflict(&format!("Policy.{}", holder.name())));
    }
    if has(Holder::Role) {
        let code = ask.options.role_conflict_code.clone();
        return Err(Refusal::new(409, code, "A role still has the policy, which must be detached first."));
    }
    Ok(())
}

/// RAM AttachPolicyToUser.
pub fn attach_policy_to_user(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let (kind, name) = named(ask)?;
    let user = user_named(account, ask)?;
    let policy = account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))?;
    let quotas = (ask.options.system_policies_per_user, ask.options.custom_policies_per_user);
    attachable(policy, Holder::User, &user.policies, quotas)?;
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
    let policy = account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))?;
    detachable(policy, Holder::User, &user.policies)?;
    let id = user.id.clone();
    if let Some(user) = account.users.get_mut(&id) {
        user.policies.retain(|attached| !attached.is(kind, name));
        user.detached = Some(ask.now);
    }
    account.note_detached(kind, name, Holder::User, ask.now);
    Ok(json!({}))
}

/// RAM ListPoliciesForUser: direct attachments only.
pub fn list_policies_for_user(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    Ok(attached(account, ask, &user.policies))
}

/// RAM GetPolicy.
pub fn get_policy(account: &Account, ask: &Ask<'_>) -> Answer {
    let policy = found(account, ask)?;
    let version = super::policy_versions::object(policy, policy.default_version());
    let mut shown = object(account, ask, policy, &[]);
    if let Value::Object(fields) = &mut shown {
        fields.insert("PolicyDocument".to_owned(), version["PolicyDocument"].clone());
    }
    Ok(json!({"Policy": shown, "DefaultPolicyVersion": version}))
}

/// RAM ListPolicies, system policies first.
pub fn list_policies(account: &Account, ask: &Ask<'_>) -> Answer {
    let kind = ask.params.some("PolicyType").map(PolicyType::read).transpose()?;
    let key = |kind: PolicyType, name: &str| format!("{}/{name}", u8::from(kind == PolicyType::Custom));
    let policies = account.policies.iter().filter(|((of, _), _)| kind.is_none_or(|kind| kind == *of));
    let page = page(ask, 100, 1000, policies.map(|((of, name), policy)| (key(*of, name), policy)))?;
    let items: Vec<Value> = page.items.into_iter().map(|policy| object(account, ask, policy, &[])).collect();
    Ok(super::Page { items, marker: page.marker }.answer("Policies", "Policy"))
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

/// PolicyType and PolicyName.
pub fn named<'a>(ask: &Ask<'a>) -> Result<(PolicyType, &'a str), Refusal> {
    let kind = PolicyType::read(ask.params.required("PolicyType")?)?;
    Ok((kind, custom_name(ask)?))
}

/// PolicyName in a call that has no PolicyType, since it is about custom policies only.
pub fn custom_name<'a>(ask: &Ask<'a>) -> Result<&'a str, Refusal> {
    let name = ask.params.required("PolicyName")?;
    limits::policy_name(name)?;
    Ok(name)
}

/// The policy of PolicyType and PolicyName.
pub fn found<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a Policy, Refusal> {
    let (kind, name) = named(ask)?;
    account.policy(kind, name).ok_or_else(|| Refusal::absent("Policy", name))
}

/// The custom policy of that name.
pub fn custom<'a>(account: &'a Account, name: &str) -> Result<&'a Policy, Refusal> {
    account.policy(PolicyType::Custom, name).ok_or_else(|| Refusal::absent("Policy", name))
}

/// A parameter that is `true`, `false` or absent.
pub fn flag(ask: &Ask<'_>, param: &str) -> Result<bool, Refusal> {
    match ask.params.some(param) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refusal::invalid(param, &format!("The {param} must be true or false."))),
    }
}

/// Whether a policy may be added to what is `held` already; `quotas` are those of system and custom policies.
pub fn attachable(policy: &Policy, to: Holder, held: &[Attachment], quotas: (usize, usize)) -> Result<(), Refusal> {
    let what = format!("{}.Policy", to.name());
    if held.iter().any(|attached| attached.is(policy.kind, &policy.name)) {
        return Err(Refusal::exists(&what, &policy.name));
    }
    let quota = match policy.kind {
        PolicyType::System => quotas.0,
        PolicyType::Custom => quotas.1,
    };
    if held.iter().filter(|attached| attached.kind == policy.kind).count() >= quota {
        return Err(Refusal::limit(&what));
    }
    Ok(())
}

/// Whether a policy is among what is `held`.
pub fn detachable(policy: &Policy, from: Holder, held: &[Attachment]) -> Result<(), Refusal> {
    if held.iter().any(|attached| attached.is(policy.kind, &policy.name)) {
        return Ok(());
    }
    Err(Refusal::absent(&format!("{}.Policy", from.name()), &policy.name))
}

/// The answer that lists what is attached to a user or group.
pub fn attached(account: &Account, ask: &Ask<'_>, attachments: &[Attachment]) -> Value {
    let shown = |attached: &Attachment| {
        let policy = account.policy(attached.kind, &attached.name);
        let fields = json!({
            "PolicyName": attached.name,
            "PolicyType": attached.kind.name(),
            "Description": policy.map_or("", |policy| policy.description.as_str()),
            "DefaultVersion": policy.map(|policy| policy.default_version().id()).unwrap_or_default(),
            "AttachDate": iso(attached.date),
        });
        without_empty(ask, "Description", fields)
    };
    let policies: Vec<Value> = attachments.iter().map(shown).collect();
    json!({"Policies": {"Policy": policies}})
}

/// The policy object, without the fields the action does not show.
fn object(account: &Account, ask: &Ask<'_>, policy: &Policy, left_out: &[&str]) -> Value {
    let mut shown = json!({
        "PolicyName": policy.name,
        "PolicyType": policy.kind.name(),
        "Description": policy.description,
        "DefaultVersion": policy.default_version().id(),
        "AttachmentCount": account.holders(policy).len(),
        "CreateDate": iso(policy.created),
        "UpdateDate": iso(policy.updated),
    });
    if let Value::Object(fields) = &mut shown {
        fields.retain(|name, _| !left_out.contains(&name.as_str()));
    }
    without_empty(ask, "Description", shown)
}
