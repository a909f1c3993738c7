//! Groups of users, and who is in them. RAM is asked, not IMS: it names users without the domain, and IMS adds only a
//! display name.

use super::{
    client::{Client, already, given, present},
    error::Error,
    model::Group,
    transport::Api,
    wire,
};

/// What RAM says when there is no such group.
const NO_GROUP: &[&str] = &["EntityNotExist.Group"];

impl Client {
    /// Makes a group (RAM CreateGroup); no comment if `comments` is empty. A name that is taken is
    /// [`Class::Exists`](super::Class::Exists). When the answer is lost it is not sent again: look whether the group
    /// is there.
    pub async fn create_group(&self, group_name: &str, comments: &str) -> Result<Group, Error> {
        let comments = Some(comments).filter(|comments| !comments.is_empty());
        let params: Vec<_> = given([("GroupName", Some(group_name)), ("Comments", comments)]).collect();
        self.call_carefully::<wire::OneGroup>(Api::Ram, "CreateGroup", &params).await
    }

    /// The group of that name, if there is one (RAM GetGroup).
    pub async fn group(&self, group_name: &str) -> Result<Option<Group>, Error> {
        present(self.call::<wire::OneGroup>(Api::Ram, "GetGroup", &[("GroupName", group_name)]).await, NO_GROUP)
    }

    /// Gives a group another comment, an empty one included (RAM UpdateGroup).
    pub async fn update_group(&self, group_name: &str, comments: &str) -> Result<(), Error> {
        let params = [("GroupName", group_name), ("NewComments", comments)];
        self.call::<wire::Done>(Api::Ram, "UpdateGroup", &params).await
    }

    /// Deletes a group (RAM DeleteGroup); one that is not there is deleted. Nothing cascades: with users or policies
    /// it is [`Class::InUse`](super::Class::InUse), for a while also with those that were just taken away.
    pub async fn delete_group(&self, group_name: &str) -> Result<(), Error> {
        let answer = self.call::<wire::Done>(Api::Ram, "DeleteGroup", &[("GroupName", group_name)]).await;
        present(answer, NO_GROUP).map(drop)
    }

    /// The names of the users in a group (RAM ListUsersForGroup, page by page). No such group is
    /// [`Class::Missing`](super::Class::Missing).
    pub async fn list_users_for_group(&self, group_name: &str) -> Result<Vec<String>, Error> {
        let params = [("GroupName", group_name)];
        self.list::<wire::GroupMembers, String>(Api::Ram, "ListUsersForGroup", &params).await
    }

    /// The names of the groups a user is in (RAM ListGroupsForUser).
    pub async fn list_groups_for_user(&self, user_name: &str) -> Result<Vec<String>, Error> {
        self.call::<wire::Groups>(Api::Ram, "ListGroupsForUser", &[("UserName", user_name)]).await
    }

    /// Puts a user into a group (RAM AddUserToGroup); one that is in it already is done.
    pub async fn add_user_to_group(&self, user_name: &str, group_name: &str) -> Result<(), Error> {
        let params = [("UserName", user_name), ("GroupName", group_name)];
        let answer = self.call::<wire::Done>(Api::Ram, "AddUserToGroup", &params).await;
        already(answer, "EntityAlreadyExists.User.Group")
    }

    /// Takes a user out of a group (RAM RemoveUserFromGroup); one that is not in it, or no such group, is done.
    pub async fn remove_user_from_group(&self, user_name: &str, group_name: &str) -> Result<(), Error> {
        let params = [("UserName", user_name), ("GroupName", group_name)];
        let answer = self.call::<wire::Done>(Api::Ram, "RemoveUserFromGroup", &params).await;
        present(answer, &["EntityNotExist.User.Group", "EntityNotExist.Group"]).map(drop)
    }
}
