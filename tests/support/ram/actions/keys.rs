//! AccessKeys, in the views of RAM and IMS.

use serde_json::{Value, json};

use super::super::clock::{before, iso};
use super::super::envelope::{Answer, Product, Refusal};
use super::super::network::KeyPolicy;
use super::super::options::NeverForm;
use super::super::state::{Account, Key};
use super::{Ask, user_or_caller};

/// CreateAccessKey: the one answer that holds the secret.
pub fn create_access_key(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_or_caller(account, ask)?;
    if user.keys.len() >= ask.options.keys_per_user {
        return Err(Refusal::limit("User.AccessKey"));
    }
    let id = user.id.clone();
    let key = account.add_key(&id, None, ask.now);
    let shown = json!({"AccessKeyId": key.id, "AccessKeySecret": key.secret, "Status": "Active", "CreateDate": iso(key.created)});
    Ok(json!({"AccessKey": shown}))
}

/// UpdateAccessKey: setting the status a key has succeeds.
pub fn update_access_key(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let id = user_key(account, ask)?.id.clone();
    let active = match ask.params.required("Status")? {
        "Active" => true,
        "Inactive" => false,
        _ => return Err(Refusal::invalid("Status", "The Status must be Active or Inactive.")),
    };
    if let Some(key) = account.keys.get_mut(&id).filter(|key| key.active != active) {
        key.active = active;
        key.updated = ask.now;
    }
    Ok(json!({}))
}

/// DeleteAccessKey.
pub fn delete_access_key(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let key = user_key(account, ask)?;
    if key.active && !ask.options.active_key_may_be_deleted {
        return Err(Refusal::new(409, "DeleteConflict.User.AccessKey", "The AccessKey is active; disable it first."));
    }
    let id = key.id.clone();
    account.remove_key(&id, ask.now);
    Ok(json!({}))
}

/// ListAccessKeys: never the secrets.
pub fn list_access_keys(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = user_or_caller(account, ask)?;
    let shown = |key: &Key| {
        let mut shown = json!({"AccessKeyId": key.id, "Status": status(key.active), "CreateDate": iso(key.created)});
        if let (Product::Ims, Value::Object(fields)) = (ask.product, &mut shown) {
            fields.insert("UpdateDate".to_owned(), json!(iso(key.updated)));
        }
        shown
    };
    let keys: Vec<Value> = user.keys.iter().filter_map(|id| account.keys.get(id)).map(shown).collect();
    Ok(json!({"AccessKeys": {"AccessKey": keys}}))
}

/// GetAccessKeyLastUsed.
pub fn get_access_key_last_used(account: &Account, ask: &Ask<'_>) -> Answer {
    let key = user_key(account, ask)?;
    let shown = before(ask.now, ask.options.last_used_lag);
    let last = match key.uses.iter().rev().find(|(time, _)| *time <= shown) {
        Some((time, service)) => Some((iso(*time), *service)),
        None => match ask.options.last_used_never {
            NeverForm::Absent => None,
            NeverForm::Empty => Some((String::new(), "")),
            NeverForm::Dash => Some(("-".to_owned(), "-")),
        },
    };
    let mut fields = serde_json::Map::new();
    if let Some((date, service)) = last {
        fields.insert("LastUsedDate".to_owned(), json!(date));
        if ask.product == Product::Ims {
            fields.insert("ServiceName".to_owned(), json!(service));
        }
    }
    Ok(json!({"AccessKeyLastUsed": fields}))
}

/// IMS SetAccessKeyPolicy.
pub fn set_access_key_policy(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let id = user_key(account, ask)?.id.clone();
    let policy = sent_policy(ask)?;
    let answer = json!({"AccessKeyId": id, "AccessKeyPolicy": policy.document});
    if let Some(key) = account.keys.get_mut(&id) {
        key.set_policy(policy, ask.now, ask.options.key_policy_lag);
    }
    Ok(answer)
}

/// IMS GetAccessKeyPolicy: `{}` for a key that never had one.
pub fn get_access_key_policy(account: &Account, ask: &Ask<'_>) -> Answer {
    let key = user_key(account, ask)?;
    let policy = key.shown_policy(ask.now, ask.options.key_policy_lag);
    Ok(json!({"AccessKeyId": key.id, "AccessKeyPolicy": policy.map_or("{}", |policy| policy.document.as_str())}))
}

/// The network policy of parameter AccessKeyPolicy, in the words in which it is kept.
pub fn sent_policy(ask: &Ask<'_>) -> Result<KeyPolicy, Refusal> {
    let policy = KeyPolicy::read(ask.params.required("AccessKeyPolicy")?)?;
    policy.within_quotas(ask.options)?;
    Ok(if ask.options.key_policy_rewritten { policy.rewritten() } else { policy })
}

/// The key of parameter UserAccessKeyId, which must be the user's.
fn user_key<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a Key, Refusal> {
    let id = ask.params.required("UserAccessKeyId")?;
    let user = user_or_caller(account, ask)?;
    account.keys.get(id).filter(|key| key.user_id == user.id).ok_or_else(|| Refusal::absent("User.AccessKey", id))
}

fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}
