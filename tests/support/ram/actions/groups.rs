//! Groups and their members.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::clock::{iso, within};
use super::super::envelope::{Answer, Refusal};
use super::super::groups::Group;
use super::super::limits;
use super::super::state::Account;
use super::{Ask, page, user_named, without_empty};

/// RAM CreateGroup.
pub fn create_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = ask.params.required("GroupName")?;
    limits::group_name("GroupName", name, ask.options.dotted_group_names)?;
    let comments = ask.params.get("Comments").unwrap_or_default();
    limits::optional_length("Comments", comments, 128)?;
    if account.groups.contains_key(&account.fold(name)) {
        return Err(Refusal::exists("Group", name));
    }
    if account.groups.len() >= ask.options.groups_quota {
        return Err(Refusal::limit("Group"));
    }
    let group = account.add_group(name, ask.now);
    comments.clone_into(&mut group.comments);
    let mut shown = object(ask, group);
    if let Value::Object(fields) = &mut shown {
        fields.remove("UpdateDate");
    }
    Ok(json!({"Group": shown}))
}

/// RAM GetGroup.
pub fn get_group(account: &Account, ask: &Ask<'_>) -> Answer {
    Ok(json!({"Group": object(ask, group_named(account, ask)?)}))
}

/// RAM UpdateGroup: parameters that are not sent change nothing, empty comments clear.
pub fn update_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let mut key = account.fold(&group_named(account, ask)?.name);
    let comments = ask.params.get("NewComments");
    limits::optional_length("NewComments", comments.unwrap_or_default(), 128)?;
    if let Some(name) = ask.params.some("NewGroupName") {
        limits::group_name("NewGroupName", name, ask.options.dotted_group_names)?;
        let taken = account.fold(name);
        if taken != key && account.groups.contains_key(&taken) {
            return Err(Refusal::exists("Group", name));
        }
        key = account.rename_group(&key, name);
    }
    let group = account.groups.get_mut(&key).ok_or_else(|| Refusal::absent("Group", &key))?;
    if let Some(comments) = comments {
        comments.clone_into(&mut group.comments);
    }
    group.updated = ask.now;
    Ok(json!({"Group": object(ask, group)}))
}

/// RAM DeleteGroup: its members and policies have to be removed before.
pub fn delete_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let group = group_named(account, ask)?;
    let key = account.fold(&group.name);
    let lag = ask.options.delete_conflict_lag;
    let lingers = |since: Option<Timestamp>| since.is_some_and(|since| within(ask.now, since, lag));
    if !account.members(&key).is_empty() || lingers(group.left) {
        return Err(Refusal::conflict("Group.User"));
    }
    if !group.policies.is_empty() || lingers(group.detached) {
        return Err(Refusal::conflict("Group.Policy"));
    }
    account.remove_group(&key);
    Ok(json!({}))
}

/// RAM ListGroups, by name.
pub fn list_groups(account: &Account, ask: &Ask<'_>) -> Answer {
    let groups = account.groups.iter().map(|(key, group)| (key.clone(), object(ask, group)));
    Ok(page(ask, 100, 100, groups)?.answer("Groups", "Group"))
}

/// RAM ListGroupsForUser.
pub fn list_groups_for_user(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    let joined = user.groups.iter().filter_map(|(key, joined)| {
        let group = account.groups.get(key)?;
        let fields =
            json!({"GroupId": group.id, "GroupName": group.name, "Comments": group.comments, "JoinDate": iso(*joined)});
        Some(without_empty(ask, "Comments", fields))
    });
    let groups: Vec<Value> = joined.collect();
    Ok(json!({"Groups": {"Group": groups}}))
}

/// RAM ListUsersForGroup, by name.
pub fn list_users_for_group(account: &Account, ask: &Ask<'_>) -> Answer {
    let key = account.fold(&group_named(account, ask)?.name);
    let members = account.users_by_name().filter_map(|(name, user)| {
        let (_, joined) = user.groups.iter().find(|(group, _)| *group == key)?;
        Some((name.clone(), json!({"UserName": user.name, "DisplayName": user.display_name, "JoinDate": iso(*joined)})))
    });
    Ok(page(ask, 100, 1000, members)?.answer("Users", "User"))
}

/// RAM AddUserToGroup.
pub fn add_user_to_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    let group = group_named(account, ask)?;
    let key = account.fold(&group.name);
    if user.groups.iter().any(|(joined, _)| *joined == key) {
        return Err(Refusal::exists("User.Group", &group.name));
    }
    if user.groups.len() >= ask.options.groups_per_user {
        return Err(Refusal::limit("User.Group"));
    }
    let id = user.id.clone();
    if let Some(user) = account.users.get_mut(&id) {
        user.groups.push((key, ask.now));
    }
    Ok(json!({}))
}

/// RAM RemoveUserFromGroup.
pub fn remove_user_from_group(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    let group = group_named(account, ask)?;
    let key = account.fold(&group.name);
    if !user.groups.iter().any(|(joined, _)| *joined == key) {
        return Err(Refusal::absent("User.Group", &group.name));
    }
    let id = user.id.clone();
    if let Some(user) = account.users.get_mut(&id) {
        user.groups.retain(|(joined, _)| *joined != key);
        user.left = Some(ask.now);
    }
    if let Some(group) = account.groups.get_mut(&key) {
        group.left = Some(ask.now);
    }
    Ok(json!({}))
}

/// The group of parameter GroupName.
pub fn group_named<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a Group, Refusal> {
    let name = ask.params.required("GroupName")?;
    limits::group_name("GroupName", name, true)?;
    account.groups.get(&account.fold(name)).ok_or_else(|| Refusal::absent("Group", name))
}

fn object(ask: &Ask<'_>, group: &Group) -> Value {
    let fields = json!({
        "GroupId": group.id,
        "GroupName": group.name,
        "Comments": group.comments,
        "CreateDate": iso(group.created),
        "UpdateDate": iso(group.updated),
    });
    without_empty(ask, "Comments", fields)
}
