//! Groups and their members.

use serde_json::{Value, json};

use super::super::clock::iso;
use super::super::envelope::{Answer, Refusal};
use super::super::limits;
use super::super::state::{Account, Group};
use super::{Ask, page, user_named};

/// RAM GetGroup.
pub fn get_group(account: &Account, ask: &Ask<'_>) -> Answer {
    Ok(json!({"Group": object(group_named(account, ask)?)}))
}

/// RAM ListGroups, by name.
pub fn list_groups(account: &Account, ask: &Ask<'_>) -> Answer {
    let groups = account.groups.iter().map(|(key, group)| (key.clone(), object(group)));
    Ok(page(ask, 100, 100, groups)?.answer("Groups", "Group"))
}

/// RAM ListGroupsForUser.
pub fn list_groups_for_user(account: &Account, ask: &Ask<'_>) -> Answer {
    let user = user_named(account, ask)?;
    let joined = user.groups.iter().filter_map(|(key, joined)| {
        let group = account.groups.get(key)?;
        Some(
            json!({"GroupId": group.id, "GroupName": group.name, "Comments": group.comments, "JoinDate": iso(*joined)}),
        )
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
    Ok(json!({}))
}

/// The group of parameter GroupName.
pub fn group_named<'a>(account: &'a Account, ask: &Ask<'_>) -> Result<&'a Group, Refusal> {
    let name = ask.params.required("GroupName")?;
    limits::group_name(name)?;
    account.groups.get(&account.fold(name)).ok_or_else(|| Refusal::absent("Group", name))
}

fn object(group: &Group) -> Value {
    json!({
        "GroupId": group.id,
        "GroupName": group.name,
        "Comments": group.comments,
        "CreateDate": iso(group.created),
        "UpdateDate": iso(group.updated),
    })
}
