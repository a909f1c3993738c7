//! RAM users, by name (RAM) and by UserId (IMS).

use super::{
    client::{Client, given, present},
    error::Error,
    model::{ImsUser, NewUser, User, UserChanges},
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
            ("DisplayName", user.display_name.as_deref()),
            ("Comments", user.comments.as_deref()),
            ("Email", user.email.as_deref()),
            ("MobilePhone", user.mobile_phone.as_deref()),
        ]));
        self.call_carefully::<wire::OneUser>(Api::Ram, "CreateUser", &params).await
    }

    /// Changes a user (RAM UpdateUser), whose name may be one of the changes.
    pub async fn update_user(&self, user_name: &str, changes: &UserChanges) -> Result<User, Error> {
        let mut params = vec![("UserName", user_name)];
        params.extend(given([
            ("NewUserName", changes.user_name.as_deref()),
            ("NewDisplayName", changes.display_name.as_deref()),
            ("NewComments", changes.comments.as_deref()),
            ("NewEmail", changes.email.as_deref()),
            ("NewMobilePhone", changes.mobile_phone.as_deref()),
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
        let named =
            |users: Vec<User>| users.into_iter().find(|user| user.user_id == user_id).map(|user| user.user_name);
        self.search::<wire::UserPage, User, String>(Api::Ram, "ListUsers", &[], named).await
    }

    /// Every user of the account (RAM ListUsers, page by page).
    pub async fn list_users(&self) -> Result<Vec<User>, Error> {
        self.list::<wire::UserPage, User>(Api::Ram, "ListUsers", &[]).await
    }
}
