//! RAM users, by name (RAM) and by UserId (IMS), and the groups they are in.

use std::collections::HashSet;

use super::{
    client::{Client, present},
    error::Error,
    model::{ImsUser, NewUser, User, UserChanges},
    sign::Param,
    transport::Api,
    wire,
};

/// What RAM says when there is no such user.
pub(super) const NO_USER: &[&str] = &["EntityNotExist.User"];

impl Client {
    /// The user of that name, if there is one (RAM GetUser).
    pub async fn get_user(&self, user_name: &str) -> Result<Option<User>, Error> {
        present(self.call::<wire::OneUser>(Api::Ram, "GetUser", &[("UserName", user_name)]).await, NO_USER)
    }

    /// Makes a user (RAM CreateUser). A name that is taken is [`Class::Exists`](super::Class::Exists). When the answer
    /// is lost it is not sent again: look whether the user is there.
    pub async fn create_user(&self, user: &NewUser) -> Result<User, Error> {
        let mut params = vec![("UserName", user.user_name.as_str())];
        params.extend(given([
            ("DisplayName", &user.display_name),
            ("Comments", &user.comments),
            ("Email", &user.email),
            ("MobilePhone", &user.mobile_phone),
        ]));
        self.call_carefully::<wire::OneUser>(Api::Ram, "CreateUser", &params).await
    }

    /// Changes a user (RAM UpdateUser), whose name may be one of the changes.
    pub async fn update_user(&self, user_name: &str, changes: &UserChanges) -> Result<User, Error> {
        let mut params = vec![("UserName", user_name)];
        params.extend(given([
            ("NewUserName", &changes.user_name),
            ("NewDisplayName", &changes.display_name),
            ("NewComments", &changes.comments),
            ("NewEmail", &changes.email),
            ("NewMobilePhone", &changes.mobile_phone),
        ]));
        self.call_carefully::<wire::OneUser>(Api::Ram, "UpdateUser", &params).await
    }

    /// Deletes a user (RAM DeleteUser); one that is not there is deleted. Nothing cascades: what the user still has is
    /// [`Class::InUse`](super::Class::InUse).
    pub async fn delete_user(&self, user_name: &str) -> Result<(), Error> {
        let answer = self.call::<wire::Done>(Api::Ram, "DeleteUser", &[("UserName", user_name)]).await;
        present(answer, NO_USER).map(drop)
    }

    /// The user with that id, whatever its name (IMS GetUser).
    pub async fn user_by_id(&self, user_id: &str) -> Result<Option<ImsUser>, Error> {
        present(self.call::<wire::OneImsUser>(Api::Ims, "GetUser", &[("UserId", user_id)]).await, NO_USER)
    }

    /// Deletes the user with that id, whatever its name (IMS DeleteUser); one that is not there is deleted.
    pub async fn delete_user_by_id(&self, user_id: &str) -> Result<(), Error> {
        let answer = self.call::<wire::Done>(Api::Ims, "DeleteUser", &[("UserId", user_id)]).await;
        present(answer, NO_USER).map(drop)
    }

    /// The name of the user with that id in the list of all users (RAM ListUsers, page by page). Needs no IMS. A list
    /// whose pages come to no end is an error, never a "no".
    pub async fn user_name_by_listing(&self, user_id: &str) -> Result<Option<String>, Error> {
        let action = "ListUsers";
        let mut seen = HashSet::new();
        let mut marker: Option<String> = None;
        loop {
            let mut params = vec![("MaxItems", "100")];
            params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let page = self.call::<wire::UserPage>(Api::Ram, action, &params).await?;
            if let Some((_, name)) = page.users.into_iter().find(|(id, _)| id == user_id) {
                return Ok(Some(name));
            }
            let Some(next) = page.next else {
                return Ok(None);
            };
            if !seen.insert(next.clone()) {
                return Err(Error::unreadable(action, 200));
            }
            marker = Some(next);
        }
    }

    /// The names of the groups a user is in (RAM ListGroupsForUser).
    pub async fn list_groups_for_user(&self, user_name: &str) -> Result<Vec<String>, Error> {
        self.call::<wire::Groups>(Api::Ram, "ListGroupsForUser", &[("UserName", user_name)]).await
    }

    /// Takes a user out of a group (RAM RemoveUserFromGroup); one that is not in it, or no such group, is done.
    pub async fn remove_user_from_group(&self, user_name: &str, group_name: &str) -> Result<(), Error> {
        let params = [("UserName", user_name), ("GroupName", group_name)];
        let answer = self.call::<wire::Done>(Api::Ram, "RemoveUserFromGroup", &params).await;
        present(answer, &["EntityNotExist.User.Group", "EntityNotExist.Group"]).map(drop)
    }
}

/// The parameters that have a value, an empty one included.
fn given<'a, const N: usize>(params: [(&'static str, &'a Option<String>); N]) -> impl Iterator<Item = Param<'a>> {
    params.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_sent_and_an_absent_one_is_not() {
        let (absent, empty, full) = (None, Some(String::new()), Some("x".to_owned()));
        let params: Vec<Param<'_>> = given([("A", &absent), ("B", &empty), ("C", &full)]).collect();
        assert_eq!(params, [("B", ""), ("C", "x")]);
    }
}
