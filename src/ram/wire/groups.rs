//! Replies about groups.

use serde::Deserialize;

use super::{List, Page, Reply, Text};
use crate::ram::model::Group;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct GroupRow {
    group_id: Text,
    pub(super) group_name: Text,
    comments: Text,
}

/// RAM CreateGroup and GetGroup.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct OneGroup {
    group: GroupRow,
}

impl Reply for OneGroup {
    type Meaning = Group;

    fn meaning(self) -> Option<Group> {
        let row = self.group;
        Some(Group { id: row.group_id.filled()?, name: row.group_name.filled()?, comments: row.comments.0 })
    }
}

/// RAM ListGroupsForUser: the names.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct Groups {
    groups: List<GroupRow>,
}

impl Reply for Groups {
    type Meaning = Vec<String>;

    fn meaning(self) -> Option<Vec<String>> {
        self.groups.0.into_iter().map(|row| row.group_name.filled()).collect()
    }
}

/// RAM ListUsersForGroup, one page: the names. It gives no UserIds.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct GroupMembers {
    users: List<MemberRow>,
    is_truncated: Text,
    marker: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct MemberRow {
    pub(super) user_name: Text,
}

impl Reply for GroupMembers {
    type Meaning = Page<String>;

    fn meaning(self) -> Option<Page<String>> {
        let names = self.users.0.into_iter().map(|row| row.user_name.filled()).collect::<Option<_>>()?;
        Page::new(names, &self.is_truncated, self.marker)
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_group_is_read_and_needs_id_and_name() {
        let read = |body: &str| read::<OneGroup>("GetGroup", body.as_bytes());
        let body =
            r#"{"Group":{"GroupId":"g-1x","GroupName":"readers","Comments":null,"CreateDate":"","Novel":[1.5]}}"#;
        let group = Group { id: "g-1x".to_owned(), name: "readers".to_owned(), comments: String::new() };
        assert_eq!(read(body).unwrap(), group);
        for body in [
            "{}",
            r#"{"Group":null}"#,
            r#"{"Group":{}}"#,
            r#"{"Group":{"GroupName":"readers"}}"#,
            r#"{"Group":{"GroupId":"g-1x","GroupName":""}}"#,
            r#"{"Group":{"GroupId":"g-1x","GroupName":["readers"]}}"#,
            r#"{"Group":{"GroupId":"g-1x","GroupName":"readers","GroupName":"writers"}}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn groups_of_a_user_have_names() {
        let read = |body: &str| read::<Groups>("ListGroupsForUser", body.as_bytes());
        let body = r#"{"Groups":{"Group":[{"GroupId":"g-1x","GroupName":"readers","JoinDate":""}]}}"#;
        assert_eq!(read(body).unwrap(), ["readers"]);
        assert!(read("{}").unwrap().is_empty());
        assert!(read(r#"{"Groups":{"Group":[{"GroupId":"g-1x"}]}}"#).is_err());
    }

    #[test]
    fn members_come_in_pages_and_have_names() {
        let page = |body: &str| read::<GroupMembers>("ListUsersForGroup", body.as_bytes());
        let first =
            page(r#"{"Users":{"User":[{"UserName":"svc"},{"UserName":7}]},"IsTruncated":true,"Marker":"m"}"#).unwrap();
        assert_eq!((first.items, first.next.as_deref()), (vec!["svc".to_owned(), "7".to_owned()], Some("m")));
        let last = page(r#"{"Users":{"User":[]},"IsTruncated":false}"#).unwrap();
        assert_eq!((last.items.len(), last.next), (0, None));
        for body in [
            r#"{"IsTruncated":true}"#,
            r#"{"Users":{"User":[{"DisplayName":"svc"}]}}"#,
            r#"{"Users":{"User":[null]}}"#,
            r#"{"Users":{"User":{"UserName":"svc"}}}"#,
        ] {
            assert!(page(body).is_err(), "{body}");
        }
    }
}
