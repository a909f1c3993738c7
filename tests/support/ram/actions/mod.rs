//! The actions: functions from the account and a call to an answer.

mod account;
mod bin;
mod group_policies;
mod groups;
mod keys;
mod login;
mod mfa;
mod policies;
mod policy_versions;
mod settings;
mod sts;
mod users;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::envelope::{Answer, Product, Refusal};
use super::limits;
use super::options::Options;
use super::params::Params;
use super::state::{Account, Caller, User};

/// A call whose caller is known.
pub struct Ask<'a> {
    pub product: Product,
    pub action: &'a str,
    pub params: &'a Params,
    pub caller: &'a Caller,
    pub now: Timestamp,
    pub options: &'a Options,
    /// DeleteUser conflicts with what was taken from the user less than this ago.
    pub conflict_for: Duration,
}

/// How an action runs.
pub enum Run {
    /// It shows the account, perhaps as it was a while ago.
    Read(fn(&Account, &Ask<'_>) -> Answer),
    /// It changes the account.
    Write(fn(&mut Account, &Ask<'_>) -> Answer),
    /// It looks at the account as it is, and at most makes a session.
    Session(fn(&mut Account, &Ask<'_>) -> Answer),
}

/// The action of that name in that API.
pub fn find(product: Product, action: &str) -> Option<Run> {
    match product {
        Product::Ram => ram(action).or_else(|| logon(product, action)),
        Product::Ims => ims(action).or_else(|| logon(product, action)),
        Product::Sts => sts_action(action),
    }
}

fn ram(action: &str) -> Option<Run> {
    Some(match action {
        "CreateUser" => Run::Write(users::create_user),
        "GetUser" => Run::Read(users::get_user),
        "UpdateUser" => Run::Write(users::update_user),
        "ListPoliciesForUser" => Run::Read(policies::list_policies_for_user),
        "AttachPolicyToUser" => Run::Write(policies::attach_policy_to_user),
        "DetachPolicyFromUser" => Run::Write(policies::detach_policy_from_user),
        "CreatePolicy" => Run::Write(policies::create_policy),
        "UpdatePolicyDescription" => Run::Write(policies::update_policy_description),
        "DeletePolicy" => Run::Write(policies::delete_policy),
        "GetPolicy" => Run::Read(policies::get_policy),
        "ListPolicies" => Run::Read(policies::list_policies),
        "ListEntitiesForPolicy" => Run::Read(policies::list_entities_for_policy),
        "CreatePolicyVersion" => Run::Write(policy_versions::create_policy_version),
        "GetPolicyVersion" => Run::Read(policy_versions::get_policy_version),
        "ListPolicyVersions" => Run::Read(policy_versions::list_policy_versions),
        "DeletePolicyVersion" => Run::Write(policy_versions::delete_policy_version),
        "SetDefaultPolicyVersion" => Run::Write(policy_versions::set_default_policy_version),
        "ListPoliciesForGroup" => Run::Read(group_policies::list_policies_for_group),
        "AttachPolicyToGroup" => Run::Write(group_policies::attach_policy_to_group),
        "DetachPolicyFromGroup" => Run::Write(group_policies::detach_policy_from_group),
        "CreateGroup" => Run::Write(groups::create_group),
        "UpdateGroup" => Run::Write(groups::update_group),
        "DeleteGroup" => Run::Write(groups::delete_group),
        "GetGroup" => Run::Read(groups::get_group),
        "ListGroups" => Run::Read(groups::list_groups),
        "ListGroupsForUser" => Run::Read(groups::list_groups_for_user),
        "ListUsersForGroup" => Run::Read(groups::list_users_for_group),
        "AddUserToGroup" => Run::Write(groups::add_user_to_group),
        "RemoveUserFromGroup" => Run::Write(groups::remove_user_from_group),
        "GetAccountAlias" => Run::Read(account::get_account_alias),
        other => return both(other),
    })
}

fn ims(action: &str) -> Option<Run> {
    Some(match action {
        "GetUser" => Run::Read(users::get_user_ims),
        "GetDefaultDomain" => Run::Read(account::get_default_domain),
        "GetAccountSummary" => Run::Read(account::get_account_summary),
        "SetAccessKeyPolicy" => Run::Write(keys::set_access_key_policy),
        "GetAccessKeyPolicy" => Run::Read(keys::get_access_key_policy),
        "ListAccessKeysInRecycleBin" => Run::Read(bin::list_access_keys_in_recycle_bin),
        "GetAccessKeyInfoInRecycleBin" => Run::Read(bin::get_access_key_info_in_recycle_bin),
        "DeleteAccessKeyInRecycleBin" => Run::Write(bin::delete_access_key_in_recycle_bin),
        "RestoreAccessKeyFromRecycleBin" => Run::Write(bin::restore_access_key_from_recycle_bin),
        "ListUsersInRecycleBin" => Run::Read(bin::list_users_in_recycle_bin),
        "GetUserInRecycleBin" => Run::Read(bin::get_user_in_recycle_bin),
        "DeleteUserInRecycleBin" => Run::Write(bin::delete_user_in_recycle_bin),
        other => return both(other),
    })
}

/// Actions that RAM and IMS have alike.
fn both(action: &str) -> Option<Run> {
    Some(match action {
        "DeleteUser" => Run::Write(users::delete_user),
        "ListUsers" => Run::Read(users::list_users),
        "CreateAccessKey" => Run::Write(keys::create_access_key),
        "UpdateAccessKey" => Run::Write(keys::update_access_key),
        "DeleteAccessKey" => Run::Write(keys::delete_access_key),
        "ListAccessKeys" => Run::Read(keys::list_access_keys),
        "GetAccessKeyLastUsed" => Run::Read(keys::get_access_key_last_used),
        _ => return None,
    })
}

/// Console log-on, MFA and the account's settings.
fn logon(product: Product, action: &str) -> Option<Run> {
    let ims = product == Product::Ims;
    Some(match action {
        "CreateLoginProfile" => Run::Write(login::create_login_profile),
        "GetLoginProfile" => Run::Read(login::get_login_profile),
        "UpdateLoginProfile" => Run::Write(login::update_login_profile),
        "DeleteLoginProfile" => Run::Write(login::delete_login_profile),
        "ChangePassword" => Run::Write(login::change_password),
        "CreateVirtualMFADevice" => Run::Write(mfa::create_virtual_mfa_device),
        "ListVirtualMFADevices" => Run::Read(mfa::list_virtual_mfa_devices),
        "DeleteVirtualMFADevice" => Run::Write(mfa::delete_virtual_mfa_device),
        "BindMFADevice" => Run::Write(mfa::bind_mfa_device),
        "UnbindMFADevice" => Run::Write(mfa::unbind_mfa_device),
        "DisableVirtualMFA" if ims => Run::Write(mfa::disable_virtual_mfa),
        "GetUserMFAInfo" => Run::Read(mfa::get_user_mfa_info),
        "SetAccountAlias" if !ims => Run::Write(settings::set_account_alias),
        "ClearAccountAlias" if !ims => Run::Write(settings::clear_account_alias),
        "SetDefaultDomain" if ims => Run::Write(settings::set_default_domain),
        "SetPasswordPolicy" => Run::Write(settings::set_password_policy),
        "GetPasswordPolicy" => Run::Read(settings::get_password_policy),
        "SetSecurityPreference" => Run::Write(settings::set_security_preference),
        "GetSecurityPreference" => Run::Read(settings::get_security_preference),
        "SetAccessKeyPolicyForAccount" if ims => Run::Write(settings::set_access_key_policy_for_account),
        "GetAccessKeyPolicyForAccount" if ims => Run::Read(settings::get_access_key_policy_for_account),
        _ => return None,
    })
}

fn sts_action(action: &str) -> Option<Run> {
    Some(match action {
        "GetCallerIdentity" => Run::Session(sts::get_caller_identity),
        "AssumeRole" => Run::Session(sts::assume_role),
        "AssumeRoleWithOIDC" => Run::Session(sts::assume_role_with_oidc),
        _ => return None,
    })
}

/// The RAM user of parameter UserName.
fn user_named<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a User, Refusal> {
    let name = ask.params.required("UserName")?;
    limits::user_name("UserName", name, true)?;
    account.user_named(name).ok_or_else(|| Refusal::absent("User", name))
}

/// The RAM user of a UserPrincipalName in the current default domain.
fn user_principal<'a>(account: &'a Account, upn: &str) -> Result<&'a User, Refusal> {
    let absent = || Refusal::absent("User", upn);
    let (name, domain) = upn
        .split_once('@')
        .ok_or_else(|| Refusal::invalid("UserPrincipalName.InvalidChars", "The UserPrincipalName has no domain."))?;
    limits::user_name("UserPrincipalName", name, true)?;
    if !domain.eq_ignore_ascii_case(&account.domain()) {
        return Err(absent());
    }
    account.user_named(name).ok_or_else(absent)
}

/// The user whose keys a call is about; without a user parameter, the caller.
fn user_or_caller<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a User, Refusal> {
    let given = match ask.product {
        Product::Ims => ask.params.some("UserPrincipalName").map(|upn| user_principal(account, upn)),
        Product::Ram | Product::Sts => ask.params.some("UserName").map(|_| user_named(account, ask)),
    };
    if let Some(user) = given {
        return user;
    }
    match ask.caller {
        Caller::User { user_id, .. } => account.users.get(user_id).ok_or_else(|| Refusal::absent("User", user_id)),
        Caller::Anonymous | Caller::Role(_) => {
            Err(Refusal::new(400, "MissingUserName", "UserName is mandatory for a caller that is no RAM user."))
        }
    }
}

/// The object without that text if it is empty and empty texts are not shown.
fn without_empty(ask: &Ask<'_>, name: &str, mut object: Value) -> Value {
    if let (Value::Object(fields), false) = (&mut object, ask.options.empty_fields) {
        fields.retain(|field, text| field != name || *text != json!(""));
    }
    object
}

/// The user a call names: by UserPrincipalName in IMS, else by UserName.
fn user_of<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a User, Refusal> {
    match ask.product {
        Product::Ims => user_principal(account, ask.params.required("UserPrincipalName")?),
        Product::Ram | Product::Sts => user_named(account, ask),
    }
}

/// A page of a list, and what to say about its continuation.
struct Page<T> {
    items: Vec<T>,
    marker: Option<String>,
}

impl<T> Page<T> {
    /// The answer `{<outer>: {<inner>: items}, IsTruncated, Marker}`.
    fn answer(self, outer: &str, inner: &str) -> Value
    where
        Value: From<T>,
    {
        let items: Vec<Value> = self.items.into_iter().map(Value::from).collect();
        let mut answer = json!({outer: {inner: items}, "IsTruncated": self.marker.is_some()});
        if let (Some(marker), Value::Object(fields)) = (self.marker, &mut answer) {
            fields.insert("Marker".to_owned(), json!(marker));
        }
        answer
    }
}

/// Cuts the page that `Marker` and `MaxItems` ask for out of items in ascending order of their keys.
fn page<T>(
    ask: &Ask<'_>,
    default: usize,
    max: usize,
    items: impl Iterator<Item = (String, T)>,
) -> Result<Page<T>, Refusal> {
    let wanted = match ask.params.some("MaxItems") {
        None => default,
        Some(text) => text.parse().ok().filter(|count| (1..=max).contains(count)).ok_or_else(|| out_of_range(max))?,
    };
    let size = wanted.min(ask.options.page_size_limit.max(1));
    let after = ask.params.some("Marker").map(|marker| unmark(ask.action, marker)).transpose()?;
    let mut rest = items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after)).peekable();
    let mut page = Page { items: Vec::new(), marker: None };
    while let Some((key, item)) = rest.next() {
        page.items.push(item);
        if page.items.len() == size {
            page.marker = rest.peek().map(|_| URL_SAFE_NO_PAD.encode(format!("{}\n{key}", ask.action)));
            break;
        }
    }
    Ok(page)
}

fn out_of_range(max: usize) -> Refusal {
    Refusal::invalid("MaxItems", &format!("The MaxItems must be from 1 to {max}."))
}

/// The key a marker of this action stands for.
fn unmark(action: &str, marker: &str) -> Result<String, Refusal> {
    let text = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.strip_prefix(&format!("{action}\n")).map(str::to_owned))
        .ok_or_else(|| Refusal::invalid("Marker", "The Marker is not one that this action returned."))
}
