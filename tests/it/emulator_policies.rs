//! Policies with versions and groups in the RAM emulator keep to what is known of RAM.
#![allow(clippy::too_many_lines, reason = "a scenario is read from top to bottom")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::emulator::{Answer, Client, Pairs, start, start_with, user};
use crate::support::ram::{Emulator, Options, RolePreset, Trust};

const GET: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Get*","Resource":"*"}]}"#;
const PUT: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["ots:Put*"],"Resource":["*"]}]}"#;
const ROTATE: (&str, &str) = ("RotateStrategy", "DeleteOldestNonDefaultVersionWhenLimitExceeded");

fn group(name: &str) -> [(&str, &str); 1] {
    [("GroupName", name)]
}

fn named(name: &str) -> [(&str, &str); 1] {
    [("PolicyName", name)]
}

fn custom(name: &str) -> [(&str, &str); 2] {
    [("PolicyType", "Custom"), ("PolicyName", name)]
}

fn version<'a>(name: &'a str, id: &'a str) -> [(&'a str, &'a str); 2] {
    [("PolicyName", name), ("VersionId", id)]
}

async fn create(client: &Client, name: &str, document: &str) -> Answer {
    client.ram("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", document)]).await
}

async fn add_version(client: &Client, name: &str, document: &str, more: Pairs<'_>) -> Answer {
    let mut params = vec![("PolicyName", name), ("PolicyDocument", document)];
    params.extend_from_slice(more);
    client.ram("CreatePolicyVersion", &params).await
}

/// VersionIds of a custom policy in the order in which they were made, the default one with a star.
fn versions(emulator: &Emulator, name: &str) -> String {
    let policy = emulator.snapshot().policies[name].clone();
    let star = |id: &str| if id == policy.default_version { "*" } else { "" };
    policy.versions.iter().map(|version| format!("{}{}", version.id, star(&version.id))).collect::<Vec<_>>().join(" ")
}

/// The values of a field in a list.
fn field<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

// ---- groups ----

#[tokio::test]
async fn groups_live() {
    let (emulator, client) = start().await;
    let made = client.ram("CreateGroup", &[("GroupName", "Team_a.readers"), ("Comments", "c")]).await.ok();
    assert_eq!(keys(&made["Group"]), ["Comments", "CreateDate", "GroupId", "GroupName"]);
    let id = made["Group"]["GroupId"].clone();
    assert!(id.as_str().unwrap().starts_with("g-"));
    client.ram("CreateGroup", &group("team_A.readers")).await.is(409, "EntityAlreadyExists.Group");
    client.ram("CreateGroup", &group("other")).await.ok();
    client
        .ram("UpdateGroup", &[("GroupName", "other"), ("NewGroupName", "TEAM_a.readers")])
        .await
        .is(409, "EntityAlreadyExists.Group");
    client.ram("UpdateGroup", &[("GroupName", "none"), ("NewComments", "x")]).await.is(404, "EntityNotExist.Group");

    // A renamed group keeps its id, its members and its policies.
    client.ram("CreateUser", &user("a")).await.ok();
    client.ram("AddUserToGroup", &[("UserName", "a"), ("GroupName", "team_a.readers")]).await.ok();
    emulator.person().attach_to_group("team_a.readers", "System", "AliyunOTSReadOnlyAccess");
    let renamed = client
        .ram("UpdateGroup", &[("GroupName", "team_a.readers"), ("NewGroupName", "writers"), ("NewComments", "d")])
        .await
        .ok();
    assert_eq!(keys(&renamed["Group"]), ["Comments", "CreateDate", "GroupId", "GroupName", "UpdateDate"]);
    assert_eq!((&renamed["Group"]["GroupId"], &renamed["Group"]["Comments"]), (&id, &json!("d")));
    client.ram("GetGroup", &group("Team_a.readers")).await.is(404, "EntityNotExist.Group");
    assert_eq!(field(&client.ram("ListGroups", &[]).await.ok()["Groups"]["Group"], "GroupName"), ["other", "writers"]);
    let joined = client.ram("ListGroupsForUser", &user("a")).await.ok();
    assert_eq!(field(&joined["Groups"]["Group"], "GroupName"), ["writers"]);
    let view = emulator.snapshot().groups["writers"].clone();
    assert_eq!((view.comments.as_str(), json!(view.group_id)), ("d", id));
    assert_eq!(
        (view.members, view.policies),
        (vec!["a".to_owned()], vec!["System/AliyunOTSReadOnlyAccess".to_owned()])
    );
    // What is not sent stays; an empty comment clears; the same name may be sent again.
    client.ram("UpdateGroup", &[("GroupName", "writers"), ("NewGroupName", "writers")]).await.ok();
    assert_eq!(client.ram("GetGroup", &group("writers")).await.ok()["Group"]["Comments"], "d");
    client.ram("UpdateGroup", &[("GroupName", "writers"), ("NewComments", "")]).await.ok();
    assert_eq!(client.ram("GetGroup", &group("writers")).await.ok()["Group"]["Comments"], "");

    client.ram("DeleteGroup", &group("writers")).await.is(409, "DeleteConflict.Group.User");
    client.ram("RemoveUserFromGroup", &[("UserName", "a"), ("GroupName", "writers")]).await.ok();
    client.ram("DeleteGroup", &group("writers")).await.is(409, "DeleteConflict.Group.Policy");
    let policy = [("GroupName", "writers"), ("PolicyType", "System"), ("PolicyName", "AliyunOTSReadOnlyAccess")];
    client.ram("DetachPolicyFromGroup", &policy).await.ok();
    client.ram("DeleteGroup", &group("writers")).await.ok();
    client.ram("DeleteGroup", &group("writers")).await.is(404, "EntityNotExist.Group");
    client.ims("DeleteGroup", &group("other")).await.is(404, "InvalidApi.NotFound");
    assert_eq!(
        emulator.writes(),
        [
            "CreateGroup Team_a.readers",
            "CreateGroup other",
            "CreateUser a",
            "AddUserToGroup a team_a.readers",
            "UpdateGroup team_a.readers",
            "UpdateGroup writers",
            "UpdateGroup writers",
            "RemoveUserFromGroup a writers",
            "DetachPolicyFromGroup writers System/AliyunOTSReadOnlyAccess",
            "DeleteGroup writers",
        ]
    );
}

#[tokio::test]
async fn group_names_and_texts() {
    let (_emulator, client) = start().await;
    let (long_name, long_text) = ("n".repeat(65), "用".repeat(129));
    let refused: [(Pairs<'_>, &str); 4] = [
        (&[], "MissingGroupName"),
        (&[("GroupName", &long_name)], "InvalidParameter.GroupName.Length"),
        (&[("GroupName", "a b")], "InvalidParameter.GroupName.InvalidChars"),
        (&[("GroupName", "a"), ("Comments", &long_text)], "InvalidParameter.Comments.Length"),
    ];
    for (params, code) in refused {
        client.ram("CreateGroup", params).await.is(400, code);
    }
    client.ram("CreateGroup", &[("GroupName", &"n".repeat(64)), ("Comments", &"用".repeat(128))]).await.ok();
    client.ram("CreateGroup", &group("a")).await.ok();
    let refused: [(Pairs<'_>, &str); 3] = [
        (&[("GroupName", "a"), ("NewGroupName", &long_name)], "InvalidParameter.NewGroupName.Length"),
        (&[("GroupName", "a"), ("NewGroupName", "a@b")], "InvalidParameter.NewGroupName.InvalidChars"),
        (&[("GroupName", "a"), ("NewComments", &long_text)], "InvalidParameter.NewComments.Length"),
    ];
    for (params, code) in refused {
        client.ram("UpdateGroup", params).await.is(400, code);
    }
    for action in ["GetGroup", "UpdateGroup", "DeleteGroup", "ListUsersForGroup", "ListPoliciesForGroup"] {
        client.ram(action, &group("a b")).await.is(400, "InvalidParameter.GroupName.InvalidChars");
        client.ram(action, &group("none")).await.is(404, "EntityNotExist.Group");
    }
}

#[tokio::test]
async fn group_names_may_be_without_dots() {
    let (emulator, client) = start_with(Options { dotted_group_names: false, ..Options::default() }).await;
    for name in ["a.b", "a_b"] {
        client.ram("CreateGroup", &group(name)).await.is(400, "InvalidParameter.GroupName.InvalidChars");
    }
    client.ram("CreateGroup", &group("a-b")).await.ok();
    client
        .ram("UpdateGroup", &[("GroupName", "a-b"), ("NewGroupName", "a.b")])
        .await
        .is(400, "InvalidParameter.NewGroupName.InvalidChars");
    // One that is there can be looked at.
    emulator.person().create_group("old.one");
    client.ram("GetGroup", &group("old.one")).await.ok();
}

#[tokio::test]
async fn empty_comments_and_descriptions_may_be_left_out() {
    let (emulator, client) = start_with(Options { empty_fields: false, ..Options::default() }).await;
    emulator.person().create_custom_policy("mine", GET);
    emulator.person().create_group("readers");
    let shown = client.ram("GetGroup", &group("readers")).await.ok();
    assert_eq!(keys(&shown["Group"]), ["CreateDate", "GroupId", "GroupName", "UpdateDate"]);
    assert!(client.ram("GetPolicy", &custom("mine")).await.ok()["Policy"].get("Description").is_none());
    emulator.person().set_group_comments("readers", "c");
    emulator.person().set_policy_description("mine", "d");
    assert_eq!(client.ram("GetGroup", &group("readers")).await.ok()["Group"]["Comments"], "c");
    assert_eq!(client.ram("GetPolicy", &custom("mine")).await.ok()["Policy"]["Description"], "d");
}

#[tokio::test]
async fn quotas_of_groups_and_policies() {
    let options = Options {
        groups_quota: 1,
        policies_quota: 1,
        system_policies_per_group: 1,
        custom_policies_per_group: 0,
        ..Options::default()
    };
    let (_emulator, client) = start_with(options).await;
    client.ram("CreateGroup", &group("readers")).await.ok();
    client.ram("CreateGroup", &group("writers")).await.is(409, "LimitExceeded.Group");
    create(&client, "mine", GET).await.ok();
    create(&client, "other", GET).await.is(409, "LimitExceeded.Policy");
    let policy = |kind, name| [("GroupName", "readers"), ("PolicyType", kind), ("PolicyName", name)];
    client.ram("AttachPolicyToGroup", &policy("System", "AliyunOTSFullAccess")).await.ok();
    let more = policy("System", "AliyunOTSReadOnlyAccess");
    client.ram("AttachPolicyToGroup", &more).await.is(409, "LimitExceeded.Group.Policy");
    client.ram("AttachPolicyToGroup", &policy("Custom", "mine")).await.is(409, "LimitExceeded.Group.Policy");
    let summary = client.ims("GetAccountSummary", &[]).await.ok()["SummaryMap"].clone();
    let shown = ["Groups", "GroupsQuota", "Policies", "PoliciesQuota", "AttachedSystemPoliciesPerGroupQuota"];
    assert_eq!(shown.map(|name| summary[name].as_u64()), [Some(1); 5]);
    assert_eq!((&summary["PolicySizeQuota"], &summary["VersionsPerPolicyQuota"]), (&json!(6144), &json!(5)));
    assert_eq!(summary["AttachedPoliciesPerGroupQuota"], 0);
}

#[tokio::test]
async fn default_quotas_of_groups() {
    let (emulator, client) = start().await;
    for index in 0..300 {
        emulator.person().create_group(&format!("g{index}"));
    }
    client.ram("CreateGroup", &group("one-more")).await.is(409, "LimitExceeded.Group");
    for index in 0..11 {
        emulator.person().create_custom_policy(&format!("p{index}"), GET);
    }
    for index in 0..10 {
        emulator.person().attach_to_group("g0", "Custom", &format!("p{index}"));
    }
    let policy = [("GroupName", "g0"), ("PolicyType", "Custom"), ("PolicyName", "p10")];
    client.ram("AttachPolicyToGroup", &policy).await.is(409, "LimitExceeded.Group.Policy");
    emulator.person().detach_from_group("g0", "Custom", "p3");
    client.ram("AttachPolicyToGroup", &policy).await.ok();
}

#[tokio::test]
async fn groups_have_policies() {
    let (emulator, client) = start().await;
    emulator.person().create_group("readers");
    emulator.person().create_custom_policy("Mine", GET);
    let policy = |kind, name| [("GroupName", "readers"), ("PolicyType", kind), ("PolicyName", name)];
    for action in ["AttachPolicyToGroup", "DetachPolicyFromGroup"] {
        client.ram(action, &policy("Magic", "x")).await.is(400, "InvalidParameter.PolicyType");
        client.ram(action, &policy("Custom", "a.b")).await.is(400, "InvalidParameter.PolicyName.InvalidChars");
        client.ram(action, &policy("Custom", "none")).await.is(404, "EntityNotExist.Policy");
        let nowhere = [("GroupName", "none"), ("PolicyType", "Custom"), ("PolicyName", "Mine")];
        client.ram(action, &nowhere).await.is(404, "EntityNotExist.Group");
        client.ram(action, &nowhere[1..]).await.is(400, "MissingGroupName");
    }
    let mine = policy("Custom", "mine");
    client.ram("DetachPolicyFromGroup", &mine).await.is(404, "EntityNotExist.Group.Policy");
    client.ram("AttachPolicyToGroup", &mine).await.ok();
    client.ram("AttachPolicyToGroup", &mine).await.is(409, "EntityAlreadyExists.Group.Policy");
    client.ram("AttachPolicyToGroup", &policy("System", "aliyunotsfullaccess")).await.ok();
    let listed = client.ram("ListPoliciesForGroup", &group("readers")).await.ok();
    assert_eq!(field(&listed["Policies"]["Policy"], "PolicyName"), ["Mine", "AliyunOTSFullAccess"]);
    assert_eq!(emulator.snapshot().groups["readers"].policies, ["Custom/Mine", "System/AliyunOTSFullAccess"]);
    client.ram("DetachPolicyFromGroup", &mine).await.ok();
    client.ram("DetachPolicyFromGroup", &mine).await.is(404, "EntityNotExist.Group.Policy");
    assert_eq!(emulator.snapshot().groups["readers"].policies, ["System/AliyunOTSFullAccess"]);
    assert_eq!(
        emulator.writes(),
        [
            "AttachPolicyToGroup readers Custom/mine",
            "AttachPolicyToGroup readers System/aliyunotsfullaccess",
            "DetachPolicyFromGroup readers Custom/mine",
        ]
    );
}

// ---- policies ----

#[tokio::test]
async fn policies_live() {
    let (emulator, client) = start().await;
    let params = [("PolicyName", "Rows"), ("PolicyDocument", GET), ("Description", "d")];
    let made = client.ram("CreatePolicy", &params).await.ok()["Policy"].clone();
    assert_eq!(keys(&made), ["CreateDate", "DefaultVersion", "Description", "PolicyName", "PolicyType"]);
    assert_eq!((&made["DefaultVersion"], &made["PolicyType"]), (&json!("v1"), &json!("Custom")));
    create(&client, "rows", PUT).await.is(409, "EntityAlreadyExists.Policy");
    let got = client.ram("GetPolicy", &custom("rows")).await.ok();
    let fields = [
        "AttachmentCount",
        "CreateDate",
        "DefaultVersion",
        "Description",
        "PolicyDocument",
        "PolicyName",
        "PolicyType",
        "UpdateDate",
    ];
    assert_eq!(keys(&got["Policy"]), fields);
    assert_eq!((&got["Policy"]["PolicyName"], &got["Policy"]["AttachmentCount"]), (&json!("Rows"), &json!(0)));
    let version = &got["DefaultPolicyVersion"];
    assert_eq!(keys(version), ["CreateDate", "IsDefaultVersion", "PolicyDocument", "VersionId"]);
    assert_eq!(
        (&version["VersionId"], &version["IsDefaultVersion"], &version["PolicyDocument"]),
        (&json!("v1"), &json!(true), &json!(GET))
    );

    let updated = client.ram("UpdatePolicyDescription", &[("PolicyName", "rows"), ("NewDescription", "e")]).await.ok();
    assert_eq!(updated["Policy"]["Description"], "e");
    assert!(updated["Policy"]["UpdateDate"].is_string());
    let listed = client.ram("ListPolicies", &[("PolicyType", "Custom")]).await.ok();
    assert_eq!(field(&listed["Policies"]["Policy"], "Description"), ["e"]);
    assert_eq!(emulator.snapshot().policies["Rows"].description, "e");

    client.ram("DeletePolicy", &named("rows")).await.ok();
    client.ram("DeletePolicy", &named("rows")).await.is(404, "EntityNotExist.Policy");
    client.ram("GetPolicy", &custom("rows")).await.is(404, "EntityNotExist.Policy");
    assert!(emulator.snapshot().policies.is_empty());
    client.ims("CreatePolicy", &params).await.is(404, "InvalidApi.NotFound");
    assert_eq!(
        emulator.writes(),
        ["CreatePolicy Custom/Rows", "UpdatePolicyDescription Custom/rows", "DeletePolicy Custom/rows"]
    );
}

#[tokio::test]
async fn policy_names_and_texts() {
    let (_emulator, client) = start().await;
    let (long_name, long_text) = ("n".repeat(129), "用".repeat(1025));
    let refused: [(Pairs<'_>, &str); 5] = [
        (&[("PolicyDocument", GET)], "MissingPolicyName"),
        (&[("PolicyName", "a")], "MissingPolicyDocument"),
        (&[("PolicyName", &long_name), ("PolicyDocument", GET)], "InvalidParameter.PolicyName.Length"),
        (&[("PolicyName", "a_b"), ("PolicyDocument", GET)], "InvalidParameter.PolicyName.InvalidChars"),
        (
            &[("PolicyName", "a"), ("PolicyDocument", GET), ("Description", &long_text)],
            "InvalidParameter.Description.Length",
        ),
    ];
    for (params, code) in refused {
        client.ram("CreatePolicy", params).await.is(400, code);
    }
    let (name, text) = ("n".repeat(128), "用".repeat(1024));
    client.ram("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", GET), ("Description", &text)]).await.ok();
    let refused: [(Pairs<'_>, &str); 2] = [
        (&[("PolicyName", &name)], "MissingNewDescription"),
        (&[("PolicyName", &name), ("NewDescription", &long_text)], "InvalidParameter.NewDescription.Length"),
    ];
    for (params, code) in refused {
        client.ram("UpdatePolicyDescription", params).await.is(400, code);
    }
    let more = [("PolicyName", "none"), ("PolicyDocument", GET), ("NewDescription", "x"), ("VersionId", "v1")];
    for action in [
        "UpdatePolicyDescription",
        "DeletePolicy",
        "CreatePolicyVersion",
        "DeletePolicyVersion",
        "SetDefaultPolicyVersion",
    ] {
        client.ram(action, &more).await.is(404, "EntityNotExist.Policy");
        let dotted = [("PolicyName", "a.b"), more[1], more[2], more[3]];
        client.ram(action, &dotted).await.is(400, "InvalidParameter.PolicyName.InvalidChars");
        client.ram(action, &more[1..]).await.is(400, "MissingPolicyName");
    }
    for action in ["GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "ListEntitiesForPolicy"] {
        let read = |kind, name| [("PolicyType", kind), ("PolicyName", name), ("VersionId", "v1")];
        client.ram(action, &read("Custom", "none")).await.is(404, "EntityNotExist.Policy");
        client.ram(action, &read("custom", "none")).await.is(400, "InvalidParameter.PolicyType");
        client.ram(action, &read("Custom", "a.b")).await.is(400, "InvalidParameter.PolicyName.InvalidChars");
        client.ram(action, &read("Custom", "")).await.is(400, "MissingPolicyName");
        client.ram(action, &read("", "none")).await.is(400, "MissingPolicyType");
    }
    client
        .ram("DeletePolicy", &[("PolicyName", &name), ("CascadingDelete", "yes")])
        .await
        .is(400, "InvalidParameter.CascadingDelete");
}

#[tokio::test]
async fn system_policies_can_only_be_read() {
    let (_emulator, client) = start().await;
    let name = "AliyunOTSFullAccess";
    let more = [("PolicyName", name), ("PolicyDocument", GET), ("NewDescription", "x"), ("VersionId", "v1")];
    for action in [
        "UpdatePolicyDescription",
        "DeletePolicy",
        "CreatePolicyVersion",
        "DeletePolicyVersion",
        "SetDefaultPolicyVersion",
    ] {
        client.ram(action, &more).await.is(404, "EntityNotExist.Policy");
    }
    let system = [("PolicyType", "System"), more[0], more[3]];
    let version = client.ram("GetPolicyVersion", &system).await.ok()["PolicyVersion"].clone();
    assert_eq!(version["IsDefaultVersion"], true);
    let listed = client.ram("ListPolicyVersions", &system[..2]).await.ok();
    assert_eq!(listed["PolicyVersions"]["PolicyVersion"], json!([version]));
}

#[tokio::test]
async fn an_attached_policy_stays() {
    let roles = vec![RolePreset::new("reader", Trust::Account)];
    let (emulator, client) = start_with(Options { roles, ..Options::default() }).await;
    let person = emulator.person();
    create(&client, "Mine", GET).await.ok();
    client.ram("CreateUser", &user("a")).await.ok();
    client.ram("CreateGroup", &group("readers")).await.ok();
    let of_user = [("UserName", "a"), ("PolicyType", "Custom"), ("PolicyName", "mine")];
    let of_group = [("GroupName", "readers"), of_user[1], of_user[2]];
    client.ram("AttachPolicyToUser", &of_user).await.ok();
    client.ram("AttachPolicyToGroup", &of_group).await.ok();
    person.attach_to_role("reader", "Custom", "mine");
    add_version(&client, "mine", PUT, &[]).await.ok();
    assert_eq!(emulator.snapshot().policies["Mine"].attached_to, ["Group/readers", "Role/reader", "User/a"]);
    assert_eq!(client.ram("GetPolicy", &custom("mine")).await.ok()["Policy"]["AttachmentCount"], 3);
    let listed = client.ram("ListPolicies", &[("PolicyType", "Custom")]).await.ok();
    assert_eq!(listed["Policies"]["Policy"][0]["AttachmentCount"], 3);
    let entities = client.ram("ListEntitiesForPolicy", &custom("mine")).await.ok();
    assert_eq!(field(&entities["Users"]["User"], "UserName"), ["a"]);
    assert_eq!(field(&entities["Groups"]["Group"], "GroupName"), ["readers"]);
    assert_eq!(field(&entities["Roles"]["Role"], "RoleName"), ["reader"]);

    // CascadingDelete is about versions, not about attachments.
    let cascading = [("PolicyName", "mine"), ("CascadingDelete", "true")];
    client.ram("DeletePolicy", &cascading).await.is(409, "DeleteConflict.Policy.User");
    client.ram("DetachPolicyFromUser", &of_user).await.ok();
    client.ram("DeletePolicy", &cascading).await.is(409, "DeleteConflict.Policy.Group");
    client.ram("DetachPolicyFromGroup", &of_group).await.ok();
    client.ram("DeletePolicy", &cascading).await.is(409, "DeleteConflict.Role.Policy");
    person.detach_from_role("reader", "Custom", "mine");
    client.ram("DeletePolicy", &named("mine")).await.is(409, "DeleteConflict.Policy.Version");
    let not_cascading = [cascading[0], ("CascadingDelete", "false")];
    client.ram("DeletePolicy", &not_cascading).await.is(409, "DeleteConflict.Policy.Version");
    client.ram("DeletePolicy", &cascading).await.ok();
}

#[tokio::test]
async fn the_conflict_with_a_role_may_have_another_code() {
    let options = Options {
        roles: vec![RolePreset::new("reader", Trust::Account)],
        role_conflict_code: "DeleteConflict.Policy.Role".to_owned(),
        ..Options::default()
    };
    let (emulator, client) = start_with(options).await;
    create(&client, "mine", GET).await.ok();
    emulator.person().attach_to_role("reader", "Custom", "mine");
    client.ram("DeletePolicy", &named("mine")).await.is(409, "DeleteConflict.Policy.Role");
}

#[tokio::test]
async fn what_was_just_detached_may_still_conflict() {
    let lag = Duration::from_secs(30);
    for (delete_conflict_lag, lingers) in [(lag, true), (Duration::ZERO, false)] {
        let (emulator, client) = start_with(Options { delete_conflict_lag, ..Options::default() }).await;
        let person = emulator.person();
        person.create_user("a", "");
        person.add_to_group("a", "readers");
        for name in ["of-user", "of-group", "by-hand"] {
            person.create_custom_policy(name, GET);
        }
        person.attach("a", "Custom", "of-user");
        person.attach("a", "Custom", "by-hand");
        person.attach_to_group("readers", "Custom", "of-group");
        let of = |holder, name| [holder, ("PolicyType", "Custom"), ("PolicyName", name)];
        client.ram("DetachPolicyFromUser", &of(("UserName", "a"), "of-user")).await.ok();
        client.ram("DetachPolicyFromGroup", &of(("GroupName", "readers"), "of-group")).await.ok();
        client.ram("RemoveUserFromGroup", &[("UserName", "a"), ("GroupName", "readers")]).await.ok();
        person.detach("a", "Custom", "by-hand");
        client.ram("DeletePolicy", &named("by-hand")).await.ok();
        if lingers {
            client.ram("DeletePolicy", &named("of-user")).await.is(409, "DeleteConflict.Policy.User");
            client.ram("DeletePolicy", &named("of-group")).await.is(409, "DeleteConflict.Policy.Group");
            client.ram("DeleteGroup", &group("readers")).await.is(409, "DeleteConflict.Group.User");
            // Nothing shows it elsewhere.
            let listed = client.ram("ListUsersForGroup", &group("readers")).await.ok();
            assert_eq!(listed["Users"]["User"], json!([]));
            emulator.clock().advance(lag + Duration::from_secs(1));
        }
        client.ram("DeletePolicy", &named("of-user")).await.ok();
        client.ram("DeletePolicy", &named("of-group")).await.ok();
        client.ram("DeleteGroup", &group("readers")).await.ok();
    }
}

#[tokio::test]
async fn a_group_without_members_may_still_conflict_with_a_policy() {
    let lag = Duration::from_secs(30);
    let (emulator, client) = start_with(Options { delete_conflict_lag: lag, ..Options::default() }).await;
    emulator.person().create_group("readers");
    let policy = [("GroupName", "readers"), ("PolicyType", "System"), ("PolicyName", "AliyunOTSFullAccess")];
    client.ram("AttachPolicyToGroup", &policy).await.ok();
    client.ram("DetachPolicyFromGroup", &policy).await.ok();
    client.ram("DeleteGroup", &group("readers")).await.is(409, "DeleteConflict.Group.Policy");
    emulator.clock().advance(lag + Duration::from_secs(1));
    client.ram("DeleteGroup", &group("readers")).await.ok();
}

// ---- versions ----

#[tokio::test]
async fn versions_live() {
    let (emulator, client) = start().await;
    create(&client, "rows", GET).await.ok();
    let made = add_version(&client, "rows", PUT, &[]).await.ok()["PolicyVersion"].clone();
    assert_eq!(keys(&made), ["CreateDate", "IsDefaultVersion", "PolicyDocument", "VersionId"]);
    assert_eq!((&made["VersionId"], &made["IsDefaultVersion"]), (&json!("v2"), &json!(false)));
    assert_eq!(client.ram("GetPolicy", &custom("rows")).await.ok()["DefaultPolicyVersion"]["PolicyDocument"], GET);
    client.ram("SetDefaultPolicyVersion", &version("rows", "v2")).await.ok();
    client.ram("SetDefaultPolicyVersion", &version("rows", "v2")).await.ok();
    let got = client.ram("GetPolicy", &custom("rows")).await.ok();
    assert_eq!((&got["Policy"]["DefaultVersion"], &got["Policy"]["PolicyDocument"]), (&json!("v2"), &json!(PUT)));
    assert_eq!(got["DefaultPolicyVersion"]["VersionId"], "v2");

    let [kind, name] = custom("rows");
    let got = client.ram("GetPolicyVersion", &[kind, name, ("VersionId", "v1")]).await.ok()["PolicyVersion"].clone();
    assert_eq!((&got["IsDefaultVersion"], &got["PolicyDocument"]), (&json!(false), &json!(GET)));
    let listed = client.ram("ListPolicyVersions", &[kind, name]).await.ok();
    assert_eq!(field(&listed["PolicyVersions"]["PolicyVersion"], "VersionId"), ["v1", "v2"]);

    client.ram("DeletePolicyVersion", &version("rows", "v2")).await.is(409, "DeleteConflict.Policy.Version.Default");
    client.ram("DeletePolicyVersion", &version("rows", "v1")).await.ok();
    client.ram("DeletePolicyVersion", &version("rows", "v1")).await.is(404, "EntityNotExist.Policy.Version");
    client.ram("SetDefaultPolicyVersion", &version("rows", "v1")).await.is(404, "EntityNotExist.Policy.Version");
    client.ram("GetPolicyVersion", &[kind, name, ("VersionId", "v1")]).await.is(404, "EntityNotExist.Policy.Version");
    for id in ["1", "v", "v0", "v01", "V1", "v1.0", "v-1", "v99999999999"] {
        let code = "InvalidParameter.VersionId.Format";
        client.ram("DeletePolicyVersion", &version("rows", id)).await.is(400, code);
        client.ram("SetDefaultPolicyVersion", &version("rows", id)).await.is(400, code);
        client.ram("GetPolicyVersion", &[kind, name, ("VersionId", id)]).await.is(400, code);
    }
    client.ram("DeletePolicyVersion", &named("rows")).await.is(400, "MissingVersionId");
    assert_eq!(
        emulator.writes(),
        [
            "CreatePolicy Custom/rows",
            "CreatePolicyVersion Custom/rows",
            "SetDefaultPolicyVersion Custom/rows v2",
            "SetDefaultPolicyVersion Custom/rows v2",
            "DeletePolicyVersion Custom/rows v1",
        ]
    );
}

#[tokio::test]
async fn a_policy_has_five_versions() {
    let (emulator, client) = start().await;
    create(&client, "rows", GET).await.ok();
    for _ in 0..4 {
        add_version(&client, "rows", PUT, &[]).await.ok();
    }
    assert_eq!(versions(&emulator, "rows"), "v1* v2 v3 v4 v5");
    add_version(&client, "rows", PUT, &[]).await.is(409, "LimitExceeded.Policy.Version");
    add_version(&client, "rows", PUT, &[("RotateStrategy", "None")]).await.is(409, "LimitExceeded.Policy.Version");
    let made = add_version(&client, "rows", PUT, &[ROTATE, ("SetAsDefault", "true")]).await.ok();
    assert_eq!(made["PolicyVersion"]["IsDefaultVersion"], true);
    assert_eq!(versions(&emulator, "rows"), "v1 v3 v4 v5 v6*");
    add_version(&client, "rows", PUT, &[ROTATE, ("SetAsDefault", "false")]).await.ok();
    assert_eq!(versions(&emulator, "rows"), "v3 v4 v5 v6* v7");
    // A number that was used does not come again.
    client.ram("DeletePolicyVersion", &version("rows", "v7")).await.ok();
    add_version(&client, "rows", PUT, &[ROTATE]).await.ok();
    assert_eq!(versions(&emulator, "rows"), "v3 v4 v5 v6* v8");

    // The grammar comes before the quota, and nothing is removed for a version that is refused.
    add_version(&client, "rows", "{}", &[ROTATE]).await.is(400, "MalformedPolicyDocument");
    add_version(&client, "rows", PUT, &[("RotateStrategy", "Oldest")]).await.is(400, "InvalidParameter.RotateStrategy");
    add_version(&client, "rows", PUT, &[ROTATE, ("SetAsDefault", "yes")])
        .await
        .is(400, "InvalidParameter.SetAsDefault");
    add_version(&client, "rows", &"x".repeat(6145), &[]).await.is(400, "InvalidParameter.PolicyDocument.Length");
    client.ram("CreatePolicyVersion", &named("rows")).await.is(400, "MissingPolicyDocument");
    assert_eq!(versions(&emulator, "rows"), "v3 v4 v5 v6* v8");
    // A policy made again begins again.
    client.ram("DeletePolicy", &[("PolicyName", "rows"), ("CascadingDelete", "true")]).await.ok();
    create(&client, "rows", GET).await.ok();
    assert_eq!(versions(&emulator, "rows"), "v1*");
}

#[tokio::test]
async fn version_numbers_may_come_again() {
    let (emulator, client) = start_with(Options { version_numbers_reused: true, ..Options::default() }).await;
    create(&client, "rows", GET).await.ok();
    for _ in 0..4 {
        add_version(&client, "rows", PUT, &[]).await.ok();
    }
    client.ram("DeletePolicyVersion", &version("rows", "v3")).await.ok();
    add_version(&client, "rows", PUT, &[("SetAsDefault", "true")]).await.ok();
    assert_eq!(versions(&emulator, "rows"), "v1 v2 v4 v5 v3*");
    add_version(&client, "rows", PUT, &[ROTATE]).await.ok();
    assert_eq!(versions(&emulator, "rows"), "v2 v4 v5 v3* v1");
}

// ---- documents ----

/// A document with one statement, made of a good one with some members replaced, or removed by null.
fn with_statement(changes: &Value) -> String {
    let mut statement = json!({"Effect": "Allow", "Action": "ots:GetRow", "Resource": "*"});
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            statement.as_object_mut().unwrap().remove(name);
        } else {
            statement[name] = value.clone();
        }
    }
    json!({"Version": "1", "Statement": [statement]}).to_string()
}

#[tokio::test]
async fn documents_are_checked() {
    let (emulator, client) = start().await;
    create(&client, "rows", GET).await.ok();
    let good = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let documents = [
        "no JSON".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({"Statement": [good]}).to_string(),
        json!({"Version": 1, "Statement": [good]}).to_string(),
        json!({"Version": "2", "Statement": [good]}).to_string(),
        json!({"Version": "1"}).to_string(),
        json!({"Version": "1", "Statement": []}).to_string(),
        json!({"Version": "1", "Statement": good}).to_string(),
        json!({"Version": "1", "Statement": ["x"]}).to_string(),
        json!({"Version": "1", "Statement": [good], "Id": "x"}).to_string(),
        json!({"Version": "1", "Statement": [good, {"Effect": "Allow"}]}).to_string(),
    ];
    let statements = [
        json!({"Effect": null}),
        json!({"Effect": "allow"}),
        json!({"Action": null}),
        json!({"Action": []}),
        json!({"Action": ""}),
        json!({"Action": 1}),
        json!({"Action": ["ots:GetRow", 1]}),
        json!({"Action": null, "NotAction": "ots:GetRow"}),
        json!({"Resource": null}),
        json!({"Resource": []}),
        json!({"Resource": [""]}),
        json!({"Resource": null, "NotResource": "*"}),
        json!({"Principal": {"RAM": ["acs:ram::1:root"]}}),
        json!({"Sid": "x"}),
        json!({"Condition": "x"}),
        json!({"Condition": {"StringAlmost": {"acs:SourceIp": "x"}}}),
        json!({"Condition": {"IpAddress": "192.0.2.0/24"}}),
        json!({"Condition": {"IpAddress": {}}}),
        json!({"Condition": {"IpAddress": {"acs:SourceIp": []}}}),
        json!({"Condition": {"Bool": {"acs:MFAPresent": true}}}),
        json!({"Condition": {"NumericEquals": {"k": ["1", 2]}}}),
    ];
    for document in documents.into_iter().chain(statements.iter().map(with_statement)) {
        for answer in [create(&client, "other", &document).await, add_version(&client, "rows", &document, &[]).await] {
            answer.is(400, "MalformedPolicyDocument");
        }
    }
    assert_eq!((emulator.snapshot().policies.len(), versions(&emulator, "rows").as_str()), (1, "v1*"));

    let taken = [
        json!({"Effect": "Deny", "Action": ["ots:Get*", "*"], "Resource": ["acs:ots:*:*:instance/a", "*"]}),
        json!({"Condition": {}}),
        json!({"Condition": {
            "IpAddress": {"acs:SourceIp": ["192.0.2.0/24", "198.51.100.1"]},
            "Bool": {"acs:SecureTransport": "true"},
            "DateLessThanEquals": {"acs:CurrentTime": "2030-01-01T00:00:00+08:00"},
        }}),
    ];
    for changes in &taken {
        // The text is kept as it was sent.
        let document = format!(" {}\n", with_statement(changes));
        let made = add_version(&client, "rows", &document, &[]).await.ok();
        assert_eq!(made["PolicyVersion"]["PolicyDocument"], document);
    }
}

#[tokio::test]
async fn documents_may_have_negations() {
    let (_emulator, client) = start_with(Options { not_action_allowed: true, ..Options::default() }).await;
    let taken = [
        json!({"Action": null, "NotAction": "ram:*"}),
        json!({"Resource": null, "NotResource": ["acs:ots:*:*:instance/a"]}),
    ];
    for (changes, name) in taken.iter().zip(["a", "b"]) {
        create(&client, name, &with_statement(changes)).await.ok();
    }
    let refused = [
        json!({"NotAction": "ram:*"}),
        json!({"NotResource": "*"}),
        json!({"Action": null, "NotAction": []}),
        json!({"Action": null}),
        json!({"Principal": "*"}),
    ];
    for changes in &refused {
        create(&client, "c", &with_statement(changes)).await.is(400, "MalformedPolicyDocument");
    }
}

/// A document of so many characters, all but some of which have so many bytes.
fn sized(characters: usize, filling: &str) -> String {
    let frame = with_statement(&json!({"Resource": "+"}));
    frame.replace('+', &filling.repeat(characters - frame.chars().count() + 1))
}

#[tokio::test]
async fn documents_have_a_size() {
    let (emulator, client) = start().await;
    create(&client, "a", &sized(6144, "x")).await.ok();
    create(&client, "b", &sized(6145, "x")).await.is(400, "InvalidParameter.PolicyDocument.Length");
    create(&client, "b", &sized(6144, "用")).await.is(400, "InvalidParameter.PolicyDocument.Length");
    assert_eq!(emulator.snapshot().policies["a"].document.len(), 6144);

    let (_emulator, client) = start_with(Options { policy_size_in_bytes: false, ..Options::default() }).await;
    create(&client, "a", &sized(6144, "用")).await.ok();
    create(&client, "b", &sized(6145, "用")).await.is(400, "InvalidParameter.PolicyDocument.Length");
}

// ---- by hand, late, refused ----

#[tokio::test]
async fn a_person_changes_policies_and_groups() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    person.add_to_group("a", "readers");
    person.set_group_comments("readers", "by hand");
    person.create_custom_policy("Rows", GET);
    person.set_policy_description("rows", "by hand");
    for number in 2..=6 {
        assert_eq!(person.add_policy_version("rows", PUT), format!("v{number}"));
    }
    person.set_default_policy_version("rows", "v4");
    person.delete_policy_version("rows", "v1");
    assert_eq!(versions(&emulator, "Rows"), "v2 v3 v4* v5 v6");
    let policy = emulator.snapshot().policies["Rows"].clone();
    assert_eq!((policy.description.as_str(), policy.document.as_str()), ("by hand", PUT));
    add_version(&client, "rows", PUT, &[]).await.is(409, "LimitExceeded.Policy.Version");

    person.attach("a", "Custom", "rows");
    person.attach_to_group("readers", "Custom", "rows");
    person.attach_to_group("readers", "Custom", "rows");
    person.rename_group("readers", "writers");
    assert_eq!(emulator.snapshot().users["a"].groups, ["writers"]);
    assert_eq!(emulator.snapshot().groups["writers"].policies, ["Custom/Rows"]);
    person.delete_custom_policy("rows");
    let snapshot = emulator.snapshot();
    assert!(snapshot.policies.is_empty() && snapshot.users["a"].policies.is_empty());
    assert!(snapshot.groups["writers"].policies.is_empty());
    assert_eq!((snapshot.groups["writers"].comments.as_str(), snapshot.groups.len()), ("by hand", 1));
    person.delete_group("writers");
    let snapshot = emulator.snapshot();
    assert!(snapshot.groups.is_empty() && snapshot.users["a"].groups.is_empty());
    client.ram("DeleteUser", &user("a")).await.ok();
    assert_eq!(emulator.writes(), ["DeleteUser a"]);
}

#[tokio::test]
async fn reads_of_policies_and_groups_may_lag() {
    let (emulator, client) = start().await;
    create(&client, "rows", GET).await.ok();
    client.ram("CreateGroup", &group("readers")).await.ok();
    emulator.set_read_lag(Duration::from_secs(10));
    add_version(&client, "rows", PUT, &[("SetAsDefault", "true")]).await.ok();
    let policy = [("GroupName", "readers"), ("PolicyType", "Custom"), ("PolicyName", "rows")];
    client.ram("AttachPolicyToGroup", &policy).await.ok();
    client.ram("UpdateGroup", &[("GroupName", "readers"), ("NewComments", "c")]).await.ok();
    create(&client, "late", GET).await.ok();
    create(&client, "late", GET).await.is(409, "EntityAlreadyExists.Policy");
    let [kind, name] = custom("rows");
    for late in [true, false] {
        let versions = client.ram("ListPolicyVersions", &[kind, name]).await.ok();
        let versions = versions["PolicyVersions"]["PolicyVersion"].as_array().unwrap().len();
        assert_eq!(versions, if late { 1 } else { 2 });
        let got = client.ram("GetPolicyVersion", &[kind, name, ("VersionId", "v2")]).await;
        assert_eq!(got.status, if late { 404 } else { 200 });
        let got = client.ram("GetPolicy", &[kind, name]).await.ok()["Policy"].clone();
        let (default, count) = if late { ("v1", 0) } else { ("v2", 1) };
        assert_eq!((&got["DefaultVersion"], &got["AttachmentCount"]), (&json!(default), &json!(count)));
        let got = client.ram("GetPolicy", &custom("late")).await;
        assert_eq!(got.status, if late { 404 } else { 200 });
        let entities = client.ram("ListEntitiesForPolicy", &[kind, name]).await.ok();
        assert_eq!(entities["Groups"]["Group"].as_array().unwrap().len(), count);
        let listed = client.ram("ListPoliciesForGroup", &group("readers")).await.ok();
        assert_eq!(listed["Policies"]["Policy"].as_array().unwrap().len(), count);
        let comments = client.ram("GetGroup", &group("readers")).await.ok()["Group"]["Comments"].clone();
        assert_eq!(comments, if late { "" } else { "c" });
        emulator.clock().advance(Duration::from_secs(11));
    }
}

#[tokio::test]
async fn writing_policies_and_groups_needs_permission() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    person.create_custom_policy("everything", &with_statement(&json!({"Action": "*"})));
    person.attach("a", "Custom", "everything");
    let (id, secret) = person.create_key("a");
    let own = client.with(&id, &secret, None);
    own.ram("ListPolicies", &[]).await.ok();
    create(&own, "rows", GET).await.ok();
    // Another version is in force, and the one before counts no more.
    let reads = with_statement(&json!({"Action": ["ram:get*", "RAM:List*"]}));
    let id = person.add_policy_version("everything", &reads);
    person.set_default_policy_version("everything", &id);
    own.ram("ListPolicyVersions", &custom("everything")).await.ok();
    own.ram("CreateGroup", &group("readers")).await.is(403, "NoPermission");
    person.detach("a", "Custom", "everything");
    own.ram("ListPolicies", &[]).await.is(403, "NoPermission");
    person.attach("a", "System", "AliyunRAMReadOnlyAccess");
    own.ram("ListPolicyVersions", &custom("everything")).await.ok();
    create(&own, "more", GET).await.is(403, "NoPermission");
    own.ram("CreateGroup", &group("readers")).await.is(403, "NoPermission");
    person.deny("ram:CreatePolicyVersion");
    add_version(&client, "everything", GET, &[]).await.is(403, "NoPermission");
}

/// A caller, of the user `caller`, whose rights are these statements.
fn allowed(emulator: &Emulator, client: &Client, statements: &Value) -> Client {
    let person = emulator.person();
    if !emulator.snapshot().users.contains_key("caller") {
        person.create_user("caller", "");
    }
    let document = json!({"Version": "1", "Statement": statements});
    person.create_custom_policy("rights", &document.to_string());
    person.attach("caller", "Custom", "rights");
    let (id, secret) = person.create_key("caller");
    client.with(&id, &secret, None)
}

fn allow(actions: &Value, resources: &Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

#[tokio::test]
async fn a_right_holds_for_the_resources_of_an_action() {
    let (emulator, client) = start().await;
    let account = emulator.account_id();
    let person = emulator.person();
    let of = |path: &str| format!("acs:ram:*:{account}:{path}");
    let team_a = person.create_user("team-a", "");
    let team_b = person.create_user("team-b", "");
    let (key_of_b, _) = person.create_key("team-b");
    person.create_group("readers");
    person.create_custom_policy("shared-rows", GET);
    let statements = json!([
        allow(&json!("ram:CreateUser"), &json!(of("user/team-*"))),
        allow(&json!(["ram:GetUser", "ram:ListAccessKeys"]), &json!([of("user/team-?"), "acs:oss:*:*:*"])),
        {"Effect": "Deny", "Action": "ram:*", "Resource": format!("acs:ram::{account}:user/team-b")},
        allow(&json!("ram:AttachPolicyToUser"), &json!([of("user/team-a"), "acs:ram:*:system:policy/AliyunOTS*"])),
        allow(&json!("ram:AddUserToGroup"), &json!(of("user/team-a"))),
        allow(&json!("ram:GetPolicy"), &json!("acs:ram:*:*:policy/shared-*")),
        allow(&json!("ram:GetDefaultDomain"), &json!(of("*"))),
        allow(&json!("ram:GetAccessKeyPolicyForAccount"), &json!(of("*"))),
    ]);
    let own = allowed(&emulator, &client, &statements);
    let refused = |answer: Answer, kind: &str| {
        answer.is(403, "NoPermission");
        assert_eq!(answer.json["AccessDeniedDetail"]["NoPermissionType"], kind, "{}", answer.text);
    };
    // Making a user is asked of all users, whatever its name.
    refused(own.ram("CreateUser", &user("team-c")).await, "ImplicitDeny");
    own.ram("GetUser", &user("TEAM-A")).await.ok();
    own.ram("GetUser", &user("team-x")).await.is(404, "EntityNotExist.User");
    refused(own.ram("GetUser", &user("other")).await, "ImplicitDeny");
    refused(own.ram("GetUser", &user("team-b")).await, "ExplicitDeny");
    // By number and by key it is the same user.
    own.ims("GetUser", &[("UserId", &team_a)]).await.ok();
    refused(own.ims("GetUser", &[("UserId", &team_b)]).await, "ExplicitDeny");
    refused(own.ims("GetUser", &[("UserAccessKeyId", &key_of_b)]).await, "ExplicitDeny");
    refused(own.ims("GetUser", &[("UserId", "299999999999999999")]).await, "ImplicitDeny");
    // Without a user it is about the caller's own keys.
    refused(own.ram("ListAccessKeys", &[]).await, "ImplicitDeny");
    // Both user and policy, both user and group.
    let attach = |kind, name| [("UserName", "team-a"), ("PolicyType", kind), ("PolicyName", name)];
    own.ram("AttachPolicyToUser", &attach("System", "AliyunOTSReadOnlyAccess")).await.ok();
    refused(own.ram("AttachPolicyToUser", &attach("System", "AdministratorAccess")).await, "ImplicitDeny");
    refused(own.ram("AttachPolicyToUser", &attach("Custom", "shared-rows")).await, "ImplicitDeny");
    let join = [("UserName", "team-a"), ("GroupName", "readers")];
    refused(own.ram("AddUserToGroup", &join).await, "ImplicitDeny");
    // Names in the spelling of RAM.
    own.ram("GetPolicy", &custom("SHARED-rows")).await.ok();
    refused(own.ram("GetPolicy", &custom("rights")).await, "ImplicitDeny");
    own.ims("GetDefaultDomain", &[]).await.ok();
    // What has no resource of its own needs the right to all.
    refused(own.ims("GetAccessKeyPolicyForAccount", &[]).await, "ImplicitDeny");
}

#[tokio::test]
async fn conditions_are_not_worked_out_and_never_give_a_right() {
    let (emulator, client) = start().await;
    let condition = json!({"IpAddress": {"acs:SourceIp": ["127.0.0.1"]}});
    let mut conditional = allow(&json!("ram:*"), &json!("*"));
    conditional["Condition"] = condition.clone();
    let own = allowed(&emulator, &client, &json!([conditional, allow(&json!("ram:ListUsers"), &json!("*"))]));
    own.ram("ListUsers", &[]).await.ok();
    own.ram("ListGroups", &[]).await.is(403, "NoPermission");
    let denies = json!({"Effect": "Deny", "Action": "ram:ListUsers", "Resource": "*", "Condition": condition});
    let own = allowed(&emulator, &client, &json!([allow(&json!("*"), &json!("*")), denies]));
    own.ram("ListGroups", &[]).await.ok();
    own.ram("ListUsers", &[]).await.is(403, "NoPermission");
    let all_but = json!([{"Effect": "Allow", "NotAction": "ram:List*", "Resource": "*"}]);
    let own = allowed(&emulator, &client, &all_but);
    own.ram("CreateUser", &user("a")).await.ok();
    own.ram("ListUsers", &[]).await.is(403, "NoPermission");
}
