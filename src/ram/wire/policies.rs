//! Replies about policies, their versions and their attachments.

use serde::Deserialize;

use super::{
    List, Reply, Text,
    groups::{GroupRow, MemberRow},
};
use crate::ram::model::{AttachedPolicy, PolicyDetail, PolicyEntities, PolicyRef, PolicyType, PolicyVersion};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PolicyRow {
    policy_name: Text,
    policy_type: Option<PolicyType>,
    description: Text,
    default_version: Text,
    attachment_count: Text,
    attach_date: Text,
    create_date: Text,
}

fn which(kind: Option<PolicyType>, name: Text) -> Option<PolicyRef> {
    Some(PolicyRef { kind: kind?, name: name.filled()? })
}

/// RAM ListPoliciesForUser and ListPoliciesForGroup.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct AttachedPolicies {
    policies: List<PolicyRow>,
}

impl Reply for AttachedPolicies {
    type Meaning = Vec<AttachedPolicy>;

    fn meaning(self) -> Option<Vec<AttachedPolicy>> {
        let read = |row: PolicyRow| {
            let policy = which(row.policy_type, row.policy_name)?;
            Some(AttachedPolicy { policy, attach_time: row.attach_date.time() })
        };
        self.policies.0.into_iter().map(read).collect()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct VersionRow {
    version_id: Text,
    is_default_version: Text,
    policy_document: Text,
    create_date: Text,
}

/// RAM GetPolicy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct OnePolicy {
    policy: PolicyRow,
    default_policy_version: VersionRow,
}

impl Reply for OnePolicy {
    type Meaning = PolicyDetail;

    /// The version's own id counts before what the policy says: it belongs to the document.
    fn meaning(self) -> Option<PolicyDetail> {
        let (row, version) = (self.policy, self.default_policy_version);
        Some(PolicyDetail {
            policy: which(row.policy_type, row.policy_name)?,
            description: row.description.0,
            create_time: row.create_date.time(),
            default_version: version.version_id.filled().or_else(|| row.default_version.filled())?,
            document: version.policy_document.filled()?,
            attachment_count: row.attachment_count.number(),
        })
    }
}

/// RAM CreatePolicyVersion: the id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct CreatedVersion {
    policy_version: VersionRow,
}

impl Reply for CreatedVersion {
    type Meaning = String;

    fn meaning(self) -> Option<String> {
        self.policy_version.version_id.filled()
    }
}

/// RAM GetPolicyVersion: the document.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct OneVersion {
    policy_version: VersionRow,
}

impl Reply for OneVersion {
    type Meaning = String;

    fn meaning(self) -> Option<String> {
        self.policy_version.policy_document.filled()
    }
}

/// RAM ListPolicyVersions.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct PolicyVersions {
    policy_versions: List<VersionRow>,
}

impl Reply for PolicyVersions {
    type Meaning = Vec<PolicyVersion>;

    fn meaning(self) -> Option<Vec<PolicyVersion>> {
        let read = |row: VersionRow| {
            Some(PolicyVersion {
                id: row.version_id.filled()?,
                is_default: row.is_default_version.optional::<bool>().ok()?.unwrap_or(false),
                create_time: row.create_date.time(),
            })
        };
        self.policy_versions.0.into_iter().map(read).collect()
    }
}

/// RAM ListEntitiesForPolicy.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct Entities {
    users: List<MemberRow>,
    groups: List<GroupRow>,
    roles: List<RoleRow>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RoleRow {
    role_name: Text,
}

impl Reply for Entities {
    type Meaning = PolicyEntities;

    fn meaning(self) -> Option<PolicyEntities> {
        Some(PolicyEntities {
            users: self.users.0.into_iter().map(|row| row.user_name.filled()).collect::<Option<_>>()?,
            groups: self.groups.0.into_iter().map(|row| row.group_name.filled()).collect::<Option<_>>()?,
            roles: self.roles.0.into_iter().map(|row| row.role_name.filled()).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn attached_policies_are_read() {
        let read = |body: &str| read::<AttachedPolicies>("ListPoliciesForUser", body.as_bytes());
        let body =
            r#"{"Policies":{"Policy":[{"PolicyName":"P","PolicyType":"System","AttachDate":"2024-05-06T07:08:09Z"}]}}"#;
        let policies = read(body).unwrap();
        assert_eq!(policies[0].policy, PolicyRef { kind: PolicyType::System, name: "P".to_owned() });
        assert_eq!(policies[0].attach_time, Some("2024-05-06T07:08:09Z".parse().unwrap()));
        assert!(read(r#"{"Policies":{"Policy":[{"PolicyName":"P","PolicyType":"Odd"}]}}"#).is_err());
        assert!(read(r#"{"Policies":{"Policy":[{"PolicyName":"","PolicyType":"System"}]}}"#).is_err());
        assert!(read(r#"{"Policies":{"Policy":[{"PolicyName":"P"}]}}"#).is_err());
    }

    fn detail(policy: &str, version: &str) -> Option<PolicyDetail> {
        let body = format!(r#"{{"Policy":{policy},"DefaultPolicyVersion":{version}}}"#);
        read::<OnePolicy>("GetPolicy", body.as_bytes()).ok()
    }

    const POLICY: &str = r#"{"PolicyName":"P","PolicyType":"Custom","DefaultVersion":"v2","AttachmentCount":3}"#;

    #[test]
    fn a_policy_comes_with_the_document_in_force() {
        let version = r#"{"VersionId":"v3","IsDefaultVersion":true,"PolicyDocument":"{\"Version\":\"1\"}"}"#;
        let expected = PolicyDetail {
            policy: PolicyRef { kind: PolicyType::Custom, name: "P".to_owned() },
            description: String::new(),
            create_time: None,
            default_version: "v3".to_owned(),
            document: r#"{"Version":"1"}"#.to_owned(),
            attachment_count: Some(3),
        };
        assert_eq!(detail(POLICY, version), Some(expected));
        let other = detail(
            r#"{"PolicyName":"P","PolicyType":"System","DefaultVersion":"v2","Description":"d","AttachmentCount":"many"}"#,
            r#"{"PolicyDocument":"{}"}"#,
        )
        .unwrap();
        assert_eq!((other.default_version.as_str(), other.description.as_str()), ("v2", "d"));
        assert_eq!(other.attachment_count, None);
    }

    #[test]
    fn hostile_policies_are_unreadable() {
        let version = r#"{"VersionId":"v3","PolicyDocument":"{}"}"#;
        for policy in ["null", "{}", "[]", r#"{"PolicyName":"P"}"#, r#"{"PolicyName":"P","PolicyType":"custom"}"#] {
            assert_eq!(detail(policy, version), None, "{policy}");
        }
        for version in [
            "null",
            "{}",
            r#"{"VersionId":"v3"}"#,
            r#"{"VersionId":"v3","PolicyDocument":""}"#,
            r#"{"VersionId":"v3","PolicyDocument":{"Version":"1"}}"#,
            r#"{"VersionId":"v3","PolicyDocument":"{}","PolicyDocument":"[]"}"#,
        ] {
            assert_eq!(detail(POLICY, version), None, "{version}");
        }
        let unversioned = r#"{"PolicyName":"P","PolicyType":"Custom"}"#;
        assert_eq!(detail(unversioned, r#"{"PolicyDocument":"{}"}"#), None);
    }

    #[test]
    fn versions_are_read_and_need_their_ids() {
        let read = |body: &str| read::<PolicyVersions>("ListPolicyVersions", body.as_bytes());
        let body = r#"{"PolicyVersions":{"PolicyVersion":[
            {"VersionId":"v2","IsDefaultVersion":true,"CreateDate":"2024-05-06T07:08:09Z"},
            {"VersionId":"v1","IsDefaultVersion":"false","CreateDate":"yesterday"}]}}"#;
        let version = |id: &str, is_default, create_time| PolicyVersion { id: id.to_owned(), is_default, create_time };
        let time = "2024-05-06T07:08:09Z".parse().ok();
        assert_eq!(read(body).unwrap(), [version("v2", true, time), version("v1", false, None)]);
        assert!(read("{}").unwrap().is_empty());
        for row in ["{}", "null", r#"{"VersionId":""}"#, r#"{"VersionId":"v1","IsDefaultVersion":"perhaps"}"#] {
            assert!(read(&format!(r#"{{"PolicyVersions":{{"PolicyVersion":[{row}]}}}}"#)).is_err(), "{row}");
        }
    }

    #[test]
    fn a_new_version_has_an_id_and_an_old_one_a_document() {
        let body = br#"{"PolicyVersion":{"VersionId":"v4","IsDefaultVersion":true,"PolicyDocument":"{}"}}"#;
        assert_eq!(read::<CreatedVersion>("CreatePolicyVersion", body).unwrap(), "v4");
        assert_eq!(read::<OneVersion>("GetPolicyVersion", body).unwrap(), "{}");
        for body in ["{}", r#"{"PolicyVersion":{}}"#, r#"{"PolicyVersion":"v4"}"#] {
            assert!(read::<CreatedVersion>("CreatePolicyVersion", body.as_bytes()).is_err(), "{body}");
            assert!(read::<OneVersion>("GetPolicyVersion", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn entities_are_told_by_name() {
        let read = |body: &str| read::<Entities>("ListEntitiesForPolicy", body.as_bytes());
        let body = r#"{"Users":{"User":[{"UserId":"1","UserName":"svc"}]},"Groups":{"Group":[{"GroupName":"readers"}]},
            "Roles":{"Role":[{"RoleId":"2","RoleName":"robot","Arn":"acs:ram::1:role/robot"}]}}"#;
        let name = |name: &str| vec![name.to_owned()];
        let expected = PolicyEntities { users: name("svc"), groups: name("readers"), roles: name("robot") };
        assert_eq!(read(body).unwrap(), expected);
        assert_eq!(read("{}").unwrap(), PolicyEntities::default());
        for body in [
            r#"{"Users":{"User":[{"UserId":"1"}]}}"#,
            r#"{"Groups":{"Group":[{}]}}"#,
            r#"{"Roles":{"Role":[{"RoleName":""}]}}"#,
            r#"{"Roles":[]}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
