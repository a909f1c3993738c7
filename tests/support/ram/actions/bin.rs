//! The recycle bin; only IMS shows it. Its error codes are not documented: they are those of users and keys here.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::bin::Binned;
use super::super::clock::iso;
use super::super::envelope::{Answer, Refusal};
use super::super::state::{Account, Key, User};
use super::{Ask, Page, page};

/// IMS ListAccessKeysInRecycleBin.
pub fn list_access_keys_in_recycle_bin(account: &Account, ask: &Ask<'_>) -> Answer {
    let user_id = ask.params.required("UserId")?;
    let keys: Vec<Value> =
        account.bin.keys(ask.now).filter(|key| key.what.user_id == user_id).map(|key| key_object(key).into()).collect();
    Ok(json!({"AccessKeys": {"AccessKey": keys}}))
}

/// IMS GetAccessKeyInfoInRecycleBin: the key and whose it is.
pub fn get_access_key_info_in_recycle_bin(account: &Account, ask: &Ask<'_>) -> Answer {
    let key = binned_key(account, ask)?;
    let owner = &key.what.user_id;
    let binned = account.bin.user(owner, ask.now);
    let user = account.users.get(owner).or(binned.map(|user| &user.what));
    let mut shown = key_object(key);
    shown.insert("UserId".to_owned(), json!(owner));
    shown.insert("UserPrincipalName".to_owned(), json!(user.map(|user| account.upn(user)).unwrap_or_default()));
    shown.insert("UserRecycled".to_owned(), json!(binned.is_some()));
    Ok(json!({"AccessKey": shown}))
}

/// IMS DeleteAccessKeyInRecycleBin: it cannot be brought back after that.
pub fn delete_access_key_in_recycle_bin(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let id = users_binned_key(account, ask)?;
    account.bin.take_key(&id);
    Ok(json!({}))
}

/// IMS RestoreAccessKeyFromRecycleBin: the key comes back disabled, and needs a free slot.
pub fn restore_access_key_from_recycle_bin(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let id = users_binned_key(account, ask)?;
    let user_id = ask.params.required("UserId")?;
    let user = account.users.get(user_id).ok_or_else(|| Refusal::absent("User", user_id))?;
    if user.keys.len() >= ask.options.keys_per_user {
        return Err(Refusal::limit("User.AccessKey"));
    }
    account.restore_key(&id, ask.now);
    Ok(json!({}))
}

/// IMS ListUsersInRecycleBin, by UserId.
pub fn list_users_in_recycle_bin(account: &Account, ask: &Ask<'_>) -> Answer {
    let wanted =
        match ask.params.some("Filter") {
            None => None,
            Some(filter) => Some(filter.strip_prefix("UserPrincipalName eq ").ok_or_else(|| {
                Refusal::invalid("Filter", "The Filter must have the form UserPrincipalName eq <name>.")
            })?),
        };
    let fits = |user: &User| wanted.is_none_or(|upn| upn.trim().eq_ignore_ascii_case(&account.upn(user)));
    let users = account.bin.users(ask.now).filter(|(_, user)| fits(&user.what)).map(|(id, user)| (id.clone(), user));
    let page = page(ask, 100, 100, users)?;
    let items: Vec<Value> = page.items.into_iter().map(|user| user_object(account, user)).collect();
    Ok(Page { items, marker: page.marker }.answer("Users", "User"))
}

/// IMS GetUserInRecycleBin, by exactly one of UserId and UserAccessKeyId.
pub fn get_user_in_recycle_bin(account: &Account, ask: &Ask<'_>) -> Answer {
    let id = match (ask.params.some("UserId"), ask.params.some("UserAccessKeyId")) {
        (Some(id), None) => id,
        (None, Some(_)) => binned_key(account, ask)?.what.user_id.as_str(),
        (None, None) => {
            let message = "One of UserId, UserAccessKeyId is mandatory for this action.";
            return Err(Refusal::new(400, "MissingParameter", message));
        }
        (Some(_), Some(_)) => {
            return Err(Refusal::new(400, "InvalidParameter", "Only one of UserId, UserAccessKeyId may be given."));
        }
    };
    let user = account.bin.user(id, ask.now).ok_or_else(|| Refusal::absent("User", id))?;
    Ok(json!({"User": user_object(account, user)}))
}

/// IMS DeleteUserInRecycleBin: its keys go with it.
pub fn delete_user_in_recycle_bin(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let id = ask.params.required("UserId")?;
    account.bin.user(id, ask.now).ok_or_else(|| Refusal::absent("User", id))?;
    account.bin.purge_user(id);
    Ok(json!({}))
}

/// The key of parameter UserAccessKeyId.
fn binned_key<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a Binned<Key>, Refusal> {
    let id = ask.params.required("UserAccessKeyId")?;
    account.bin.key(id, ask.now).ok_or_else(|| Refusal::absent("User.AccessKey", id))
}

/// Id of the key of parameter UserAccessKeyId, which must be that of the user of parameter UserId.
fn users_binned_key(account: &Account, ask: &Ask<'_>) -> Result<String, Refusal> {
    let user_id = ask.params.required("UserId")?;
    let key = &binned_key(account, ask)?.what;
    if key.user_id == user_id { Ok(key.id.clone()) } else { Err(Refusal::absent("User.AccessKey", &key.id)) }
}

fn key_object(key: &Binned<Key>) -> Map<String, Value> {
    let mut fields = dates(key.what.created, key);
    fields.insert("AccessKeyId".to_owned(), json!(key.what.id));
    fields
}

fn user_object(account: &Account, user: &Binned<User>) -> Value {
    let mut fields = dates(user.what.created, user);
    fields.insert("UserId".to_owned(), json!(user.what.id));
    fields.insert("UserPrincipalName".to_owned(), json!(account.upn(&user.what)));
    fields.insert("DisplayName".to_owned(), json!(user.what.display_name));
    Value::Object(fields)
}

fn dates<T>(created: Timestamp, binned: &Binned<T>) -> Map<String, Value> {
    let dates = [("CreateDate", created), ("RecycleDate", binned.recycled), ("DeleteDate", binned.purged())];
    dates.into_iter().map(|(name, time)| (name.to_owned(), json!(iso(time)))).collect()
}
