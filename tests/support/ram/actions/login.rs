//! Console log-ons and their passwords, in the views of RAM and IMS. No answer holds a password.

use serde_json::json;

use super::super::clock::iso;
use super::super::envelope::{Answer, Product, Refusal};
use super::super::logon::{LoginProfile, strong};
use super::super::rules::boolean;
use super::super::state::{Account, Caller, User};
use super::{Ask, user_of};

/// CreateLoginProfile: its password is an initial one.
pub fn create_login_profile(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_of(account, ask)?;
    let optional = ask.product == Product::Ims && !ask.options.ims_password_required;
    let password = if optional { ask.params.some("Password") } else { Some(ask.params.required("Password")?) };
    let wishes = Wishes::of(ask)?;
    if user.login_profile.is_some() {
        return Err(Refusal::exists("User.LoginProfile", &user.name));
    }
    let mut profile = LoginProfile::new(ask.now);
    if let Some(password) = password {
        acceptable(account, user, "Password", password, true)?;
        profile.set_password(password, true, ask.now);
    }
    profile.active = wishes.active.unwrap_or(true);
    profile.reset_required = wishes.reset_required.unwrap_or(false);
    profile.mfa_required = wishes.mfa_required.unwrap_or(account.rules.mfa_for_all());
    let id = user.id.clone();
    if let Some(password) = password {
        account.keep_secret(password);
    }
    if let Some(user) = account.users.get_mut(&id) {
        user.login_profile = Some(profile);
    }
    shown(account, ask, &id)
}

/// GetLoginProfile.
pub fn get_login_profile(account: &Account, ask: &Ask<'_>) -> Answer {
    shown(account, ask, &user_of(account, ask)?.id)
}

/// UpdateLoginProfile: parameters that are not sent change nothing. RAM's answer shows nothing.
pub fn update_login_profile(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_of(account, ask)?;
    profile_of(user)?;
    let wishes = Wishes::of(ask)?;
    let password = ask.params.some("Password");
    match password {
        Some(password) => acceptable(account, user, "Password", password, ask.options.same_password_refused)?,
        None if ask.options.login_profile_update_needs_password => return Err(too_weak("Password")),
        None => {}
    }
    let id = user.id.clone();
    if let Some(password) = password {
        account.keep_secret(password);
    }
    if let Some(profile) = account.users.get_mut(&id).and_then(|user| user.login_profile.as_mut()) {
        wishes.apply(profile, ask);
        if let Some(password) = password {
            let initial = profile.initial.is_some() || ask.options.updated_password_is_initial;
            profile.set_password(password, initial, ask.now);
        }
    }
    match ask.product {
        Product::Ims => shown(account, ask, &id),
        Product::Ram | Product::Sts => Ok(json!({})),
    }
}

/// DeleteLoginProfile.
pub fn delete_login_profile(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_of(account, ask)?;
    profile_of(user)?;
    let id = user.id.clone();
    if let Some(user) = account.users.get_mut(&id) {
        user.login_profile = None;
    }
    Ok(json!({}))
}

/// ChangePassword of the calling RAM user, if the security preference lets users do so.
pub fn change_password(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let Caller::User { user_id, .. } = ask.caller else {
        return Err(Refusal::new(400, "NotSupport.Account", "Only a RAM user may call this action."));
    };
    if !account.rules.preference.flag("AllowUserToChangePassword") {
        return Err(Refusal::new(403, "NoPermission", "RAM users may not change their passwords."));
    }
    let user = account.users.get(user_id).ok_or_else(|| Refusal::absent("User", user_id))?;
    let profile = profile_of(user)?;
    let (old, new) = (ask.params.required("OldPassword")?, ask.params.required("NewPassword")?);
    if !profile.has_password(old) {
        return Err(Refusal::invalid("OldPassword.Incorrect", "The OldPassword is not the password in force."));
    }
    acceptable(account, user, "NewPassword", new, true)?;
    account.keep_secret(new);
    if let Some(profile) = account.users.get_mut(user_id).and_then(|user| user.login_profile.as_mut()) {
        profile.set_password(new, false, ask.now);
        profile.reset_required = false;
    }
    Ok(json!({}))
}

/// What a call says about a login profile beside its password.
struct Wishes {
    reset_required: Option<bool>,
    mfa_required: Option<bool>,
    active: Option<bool>,
}

impl Wishes {
    fn of(ask: &Ask<'_>) -> Result<Self, Refusal> {
        let flag = |param: &str| ask.params.some(param).map(|text| boolean(param, text)).transpose();
        let active = match ask.params.some("Status").filter(|_| ask.product == Product::Ims) {
            None => None,
            Some("Active") => Some(true),
            Some("Inactive") => Some(false),
            Some(_) => return Err(Refusal::invalid("Status", "The Status must be Active or Inactive.")),
        };
        Ok(Self { reset_required: flag("PasswordResetRequired")?, mfa_required: flag("MFABindRequired")?, active })
    }

    fn apply(&self, profile: &mut LoginProfile, ask: &Ask<'_>) {
        profile.reset_required = self.reset_required.unwrap_or(profile.reset_required);
        profile.mfa_required = self.mfa_required.unwrap_or(profile.mfa_required);
        profile.set_active(self.active.unwrap_or(profile.active), ask.now);
    }
}

/// Whether the account lets a user have this password; `in_force_counts`: the one the user has is a used one as well.
fn acceptable(
    account: &Account,
    user: &User,
    param: &str,
    password: &str,
    in_force_counts: bool,
) -> Result<(), Refusal> {
    let policy = &account.rules.passwords;
    if !strong(policy, &user.name, password) {
        return Err(too_weak(param));
    }
    if user.login_profile.as_ref().is_some_and(|profile| profile.used_lately(password, policy, in_force_counts)) {
        let message = format!("The {param} was used before.");
        return Err(Refusal::invalid(&format!("{param}.ReusePrevention"), &message));
    }
    Ok(())
}

fn too_weak(param: &str) -> Refusal {
    Refusal::invalid(&format!("{param}.TooWeak"), &format!("The {param} does not satisfy the password policy."))
}

fn profile_of(user: &User) -> Result<&LoginProfile, Refusal> {
    user.login_profile.as_ref().ok_or_else(|| Refusal::absent("User.LoginProfile", &user.name))
}

/// The login profile of a user as the called action shows it.
fn shown(account: &Account, ask: &Ask<'_>, id: &str) -> Answer {
    let user = account.users.get(id).ok_or_else(|| Refusal::absent("User", id))?;
    let profile = profile_of(user)?;
    let mut shown = json!({
        "PasswordResetRequired": profile.reset_required,
        "MFABindRequired": profile.mfa_required,
    });
    if ask.product != Product::Ims {
        shown["UserName"] = json!(user.name);
        shown["CreateDate"] = json!(iso(profile.created));
        return Ok(json!({"LoginProfile": shown}));
    }
    shown["UserPrincipalName"] = json!(account.upn(user));
    shown["Status"] = json!(if profile.active { "Active" } else { "Inactive" });
    shown["PasswordStatus"] = json!(profile.password_status(&account.rules.passwords, ask.now));
    shown["UpdateDate"] = json!(iso(profile.updated));
    if ask.action != "CreateLoginProfile" {
        // It cannot be switched off.
        shown["AutoDisableLoginStatus"] = json!("true");
    }
    let last_login = profile.last_login.map(iso);
    if ask.action == "GetLoginProfile" && (last_login.is_some() || ask.options.empty_fields) {
        shown["LastLoginTime"] = json!(last_login.unwrap_or_default());
    }
    Ok(json!({"LoginProfile": shown}))
}
