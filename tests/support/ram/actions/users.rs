//! Users, in the views of RAM and IMS.

use serde_json::{Map, Value, json};

use super::super::clock::{iso, within};
use super::super::envelope::{Answer, Product, Refusal};
use super::super::limits;
use super::super::params::Params;
use super::super::state::{Account, User};
use super::{Ask, page, user_named, user_principal};

/// RAM CreateUser.
pub fn create_user(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = ask.params.required("UserName")?;
    limits::user_name("UserName", name, ask.options.leading_hyphen_allowed)?;
    texts(ask.params, "")?;
    if account.user_named(name).is_some() {
        return Err(Refusal::exists("User", name));
    }
    if i64::try_from(account.users.len()).is_ok_and(|users| users >= ask.options.users_quota) {
        return Err(Refusal::limit("User"));
    }
    let user = account.add_user(name, ask.now);
    write_texts(user, ask.params, "");
    let id = user.id.clone();
    shown(account, ask, &id, &["UpdateDate", "LastLoginDate"])
}

/// RAM GetUser.
pub fn get_user(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    shown(account, ask, &user.id, &[])
}

/// IMS GetUser, by exactly one of UserPrincipalName, UserId and UserAccessKeyId.
pub fn get_user_ims(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = one_of(account, ask, &["UserPrincipalName", "UserId", "UserAccessKeyId"])?;
    shown(account, ask, &user.id, &["Status"])
}

/// RAM UpdateUser: parameters that are not sent change nothing, empty ones clear.
pub fn update_user(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let id = user_named(account, ask)?.id.clone();
    texts(ask.params, "New")?;
    if let Some(name) = ask.params.some("NewUserName") {
        limits::user_name("NewUserName", name, ask.options.leading_hyphen_allowed)?;
        if account.user_named(name).is_some_and(|other| other.id != id) {
            return Err(Refusal::exists("User", name));
        }
        account.rename_user(&id, name);
    }
    if let Some(user) = account.users.get_mut(&id) {
        write_texts(user, ask.params, "New");
        user.updated = ask.now;
    }
    shown(account, ask, &id, &["LastLoginDate"])
}

/// DeleteUser of both APIs. RAM's never cascades.
pub fn delete_user(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = match ask.product {
        Product::Ims => one_of(account, ask, &["UserPrincipalName", "UserId"])?,
        Product::Ram | Product::Sts => user_named(account, ask)?,
    };
    if ask.product != Product::Ims || !ask.options.ims_delete_cascades {
        deletable(user, ask)?;
    }
    let id = user.id.clone();
    account.remove_user(&id, ask.now);
    Ok(json!({}))
}

/// ListUsers of both APIs, by name.
pub fn list_users(account: &Account, ask: &Ask<'_>) -> Answer {
    let (default, left_out): (usize, &[&str]) = match ask.product {
        Product::Ims => (1000, &["UserName"]),
        Product::Ram | Product::Sts => (100, &["LastLoginDate"]),
    };
    let users = account.users_by_name().map(|(key, user)| (key.clone(), user));
    let page = page(ask, default, 1000, users)?;
    let items: Vec<Value> = page.items.into_iter().map(|user| object(account, ask, user, left_out)).collect();
    Ok(super::Page { items, marker: page.marker }.answer("Users", "User"))
}

/// In the order in which RAM reports what keeps a user.
fn deletable(user: &User, ask: &Ask<'_>) -> Result<(), Refusal> {
    let lingers = |since: Option<jiff::Timestamp>| since.is_some_and(|since| within(ask.now, since, ask.conflict_for));
    let kept = [
        ("User.Group", !user.groups.is_empty() || lingers(user.left)),
        ("User.AccessKey", !user.keys.is_empty()),
        ("User.LoginProfile", user.login_profile.is_some()),
        ("User.MFADevice", user.mfa_device.is_some()),
        ("User.Policy", !user.policies.is_empty() || lingers(user.detached)),
    ];
    kept.into_iter().find(|(_, there)| *there).map_or(Ok(()), |(what, _)| Err(Refusal::conflict(what)))
}

fn one_of<'a>(account: &'a Account, ask: &Ask<'_>, names: &[&str]) -> Result<&'a User, Refusal> {
    let given: Vec<_> = names.iter().filter_map(|name| Some((*name, ask.params.some(name)?))).collect();
    match given.as_slice() {
        [("UserPrincipalName", upn)] => user_principal(account, upn),
        [("UserId", id)] => account.users.get(*id).ok_or_else(|| Refusal::absent("User", id)),
        [(_, id)] => {
            let key = account.keys.get(*id).ok_or_else(|| Refusal::absent("User.AccessKey", id))?;
            account.users.get(&key.user_id).ok_or_else(|| Refusal::absent("User", id))
        }
        [] => Err(Refusal::new(
            400,
            "MissingParameter",
            format!("One of {} is mandatory for this action.", names.join(", ")),
        )),
        _ => Err(Refusal::new(400, "InvalidParameter", format!("Only one of {} may be given.", names.join(", ")))),
    }
}

/// Checks the texts of CreateUser (prefix empty) or UpdateUser (`New`).
fn texts(params: &Params, prefix: &str) -> Result<(), Refusal> {
    let with = |name: &str, check: &dyn Fn(&str, &str) -> Result<(), Refusal>| {
        let name = format!("{prefix}{name}");
        params.get(&name).map_or(Ok(()), |text| check(&name, text))
    };
    with("DisplayName", &|name, text| limits::optional_length(name, text, 128))?;
    with("Comments", &|name, text| limits::optional_length(name, text, 128))?;
    with("MobilePhone", &limits::mobile_phone)?;
    with("Email", &limits::email)
}

fn write_texts(user: &mut User, params: &Params, prefix: &str) {
    let fields = [
        ("DisplayName", &mut user.display_name),
        ("Comments", &mut user.comments),
        ("MobilePhone", &mut user.mobile_phone),
        ("Email", &mut user.email),
    ];
    for (name, field) in fields {
        if let Some(text) = params.get(&format!("{prefix}{name}")) {
            text.clone_into(field);
        }
    }
}

fn shown(account: &Account, ask: &Ask<'_>, id: &str, left_out: &[&str]) -> Answer {
    let user = account.users.get(id).ok_or_else(|| Refusal::absent("User", id))?;
    Ok(json!({"User": object(account, ask, user, left_out)}))
}

/// The user object of the called API, without the fields the action does not show.
fn object(account: &Account, ask: &Ask<'_>, user: &User, left_out: &[&str]) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, text: String| {
        if !left_out.contains(&name) {
            fields.insert(name.to_owned(), json!(text));
        }
    };
    put("UserId", user.id.clone());
    put("UserName", user.name.clone());
    if ask.product == Product::Ims {
        put("UserPrincipalName", account.upn(user));
        put("ProvisionType", "Manual".to_owned());
        put("Status", "active".to_owned());
    }
    put("CreateDate", iso(user.created));
    put("UpdateDate", iso(user.updated));
    let last_login = user.login_profile.as_ref().and_then(|profile| profile.last_login);
    let last_login = last_login.map(iso).unwrap_or_default();
    let optional = [
        ("DisplayName", &user.display_name),
        ("MobilePhone", &user.mobile_phone),
        ("Email", &user.email),
        ("Comments", &user.comments),
        ("LastLoginDate", &last_login),
    ];
    for (name, text) in optional {
        if ask.options.empty_fields || !text.is_empty() {
            put(name, text.clone());
        }
    }
    Value::Object(fields)
}
