//! The least RAM policy that the operator itself needs.

use serde_json::{Value, json};

use crate::config::Policy;

/// The policy document for what this version does.
///
/// The permission to attach is checked on the user and on the policy, so the globs decide what can be handed out at most.
#[must_use]
pub fn document(flags: &Policy) -> Value {
    let Policy {
        account,
        user_name_prefix: prefix,
        attach_system,
        attach_custom,
        policies,
        groups,
        console_login,
        settings,
        import,
        virtual_mfa,
    } = flags;
    let user = format!("acs:ram:*:{account}:user/{prefix}*");
    let group = format!("acs:ram:*:{account}:group/{prefix}*");
    // Names of policies have no dot.
    let policy = format!("acs:ram:*:{account}:policy/{}*", prefix.replace(['.', '_'], "-"));
    let any_group = format!("acs:ram:*:{account}:group/*");
    let mut attached: Vec<String> =
        attach_system.iter().map(|glob| format!("acs:ram:*:system:policy/{glob}")).collect();
    attached.extend(attach_custom.iter().map(|glob| format!("acs:ram:*:{account}:policy/{glob}")));
    attached.extend(policies.then(|| policy.clone()));
    let with = |holder: &str| {
        let mut all = vec![holder.to_owned()];
        all.extend(attached.iter().cloned());
        json!(all)
    };
    let any_of = |holder: &str| json!([holder, format!("acs:ram:*:{account}:policy/*"), "acs:ram:*:system:policy/*"]);
    let mut statements = vec![
        // A user that is gone, and the user of a key by its id, are asked for without a name. Whoever lists users sees the same.
        allow(&["CreateUser", "ListUsers", "GetUser"], &json!(format!("acs:ram:*:{account}:user/*"))),
        allow(
            &[
                "UpdateUser",
                "DeleteUser",
                "CreateAccessKey",
                "UpdateAccessKey",
                "DeleteAccessKey",
                "ListAccessKeys",
                "GetAccessKeyLastUsed",
                "SetAccessKeyPolicy",
                "GetAccessKeyPolicy",
                "ListPoliciesForUser",
                "ListGroupsForUser",
                // RAM lets no user go that has an MFA device, whoever bound it.
                "GetUserMFAInfo",
                "UnbindMFADevice",
            ],
            &json!(user),
        ),
        allow(&["AttachPolicyToUser"], &with(&user)),
        // What nobody may attach has to go all the same.
        allow(&["DetachPolicyFromUser"], &any_of(&user)),
        allow(&["GetPolicy"], &json!([format!("acs:ram:*:{account}:policy/*"), "acs:ram:*:system:policy/*"])),
        allow(&["RemoveUserFromGroup"], &json!([user, any_group])),
        // Nobody is taken over with more than the tenant allows, and what a group has counts.
        allow(&["ListPoliciesForGroup"], &json!(any_group)),
        allow(&["GetDefaultDomain", "GetAccountSummary"], &json!(format!("acs:ram:*:{account}:*"))),
        // The recycle bin has no resources of its own.
        allow(&["GetAccessKeyInfoInRecycleBin", "DeleteAccessKeyInRecycleBin"], &json!("*")),
    ];
    if *policies {
        statements.push(allow(&["CreatePolicy"], &json!(format!("acs:ram:*:{account}:policy/*"))));
        let change = ["UpdatePolicyDescription", "CreatePolicyVersion", "DeletePolicy", "ListEntitiesForPolicy"];
        statements.push(allow(&change, &json!(policy)));
        // A policy that is deleted is taken from whoever of this installation has it.
        statements.push(allow(&["DetachPolicyFromGroup"], &any_of(&group)));
        statements.push(allow(&["GetGroup"], &json!(any_group)));
    }
    if *console_login {
        let log_on = ["GetLoginProfile", "CreateLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile"];
        statements.push(allow(&log_on, &json!(user)));
        statements.push(allow(&["GetPasswordPolicy"], &json!(format!("acs:ram:*:{account}:*"))));
    }
    if *virtual_mfa {
        statements.push(allow(&["BindMFADevice"], &json!(user)));
        // RAM asks for the right to make one on all of them; one that a person bound goes with its user.
        let devices = ["CreateVirtualMFADevice", "DeleteVirtualMFADevice"];
        statements.push(allow(&devices, &json!(format!("acs:ram:*:{account}:mfa/*"))));
    }
    if *groups {
        statements.push(allow(&["CreateGroup"], &json!(any_group)));
        statements.push(allow(&["GetGroup", "ListUsersForGroup"], &json!(any_group)));
        statements.push(allow(&["UpdateGroup", "DeleteGroup"], &json!(group)));
        statements.push(allow(&["AddUserToGroup"], &json!([user, any_group])));
        statements.push(allow(&["AttachPolicyToGroup"], &with(&group)));
        statements.push(allow(&["DetachPolicyFromGroup"], &any_of(&group)));
    }
    if *settings {
        statements.extend(of_settings(account));
    }
    if *import {
        statements.extend(reads(account));
    }
    json!({ "Version": "1", "Statement": statements })
}

/// A document as text, a statement a line: white space may count against the 6144 characters that RAM takes.
#[must_use]
pub fn text(document: &Value) -> String {
    let statements = document.get("Statement").and_then(Value::as_array).into_iter().flatten();
    let lines: Vec<String> = statements.map(|statement| format!("  {statement}")).collect();
    format!("{{\"Version\": \"1\", \"Statement\": [\n{}\n]}}\n", lines.join(",\n"))
}

/// What the settings of the account need.
fn of_settings(account: &str) -> [Value; 3] {
    let read_and_write = [
        "GetAccountAlias",
        "SetAccountAlias",
        "GetPasswordPolicy",
        "SetPasswordPolicy",
        "GetSecurityPreference",
        "SetSecurityPreference",
    ];
    [
        allow(&read_and_write, &json!(format!("acs:ram:*:{account}:*"))),
        // On which resource RAM checks these is not documented.
        allow(&["GetAccessKeyPolicyForAccount", "SetAccessKeyPolicyForAccount"], &json!("*")),
        // Whether the operator's own key, which is of a user of any name, has sources of its own.
        allow(&["GetAccessKeyPolicy"], &json!(format!("acs:ram:*:{account}:user/*"))),
    ]
}

/// What an import reads: whatever is there, so that no prefix bounds it.
fn reads(account: &str) -> [Value; 3] {
    let of_users =
        ["ListUsers", "GetUser", "ListPoliciesForUser", "ListGroupsForUser", "ListAccessKeys", "GetLoginProfile"];
    let policies = [format!("acs:ram:*:{account}:policy/*"), "acs:ram:*:system:policy/*".to_owned()];
    [
        allow(&of_users, &json!(format!("acs:ram:*:{account}:user/*"))),
        allow(&["GetGroup", "ListPoliciesForGroup"], &json!(format!("acs:ram:*:{account}:group/*"))),
        allow(&["GetPolicy"], &json!(policies)),
    ]
}

fn allow(actions: &[&str], resource: &Value) -> Value {
    let actions: Vec<String> = actions.iter().map(|action| format!("ram:{action}")).collect();
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser as _;

    use super::*;

    /// The flags of the features, and what no document has without them.
    const FEATURES: [(&str, &[&str]); 6] = [
        (
            "--policies",
            &[
                "CreatePolicy",
                "UpdatePolicyDescription",
                "CreatePolicyVersion",
                "DeletePolicy",
                "ListEntitiesForPolicy",
            ],
        ),
        (
            "--groups",
            &[
                "CreateGroup",
                "UpdateGroup",
                "DeleteGroup",
                "AddUserToGroup",
                "AttachPolicyToGroup",
                "ListUsersForGroup",
            ],
        ),
        ("--console-login", &["CreateLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile"]),
        ("--virtual-mfa", &["BindMFADevice", "CreateVirtualMFADevice", "DeleteVirtualMFADevice"]),
        (
            "--settings",
            &["SetAccountAlias", "SetPasswordPolicy", "SetSecurityPreference", "SetAccessKeyPolicyForAccount"],
        ),
        ("--import", &[]),
    ];

    fn of(flags: &[&str]) -> Value {
        document(&Policy::parse_from([&["policy"][..], flags].concat()))
    }

    fn actions(document: &Value) -> BTreeSet<String> {
        let statements = document["Statement"].as_array().into_iter().flatten();
        let all = statements.flat_map(|statement| statement["Action"].as_array().into_iter().flatten());
        all.filter_map(Value::as_str).map(|action| action.trim_start_matches("ram:").to_owned()).collect()
    }

    #[test]
    fn without_a_feature_nobody_gets_its_rights() {
        for chosen in 0..1_u32 << FEATURES.len() {
            let on = |place: usize| chosen & (1 << place) != 0;
            let flags: Vec<&str> =
                (0..FEATURES.len()).filter(|place| on(*place)).map(|place| FEATURES[place].0).collect();
            let given = actions(&of(&flags));
            for (place, (flag, rights)) in FEATURES.iter().enumerate() {
                for right in *rights {
                    assert_eq!(given.contains(*right), on(place), "{right} of {flag} with {flags:?}");
                }
            }
            // Reading is of more than one feature.
            assert_eq!(given.contains("GetLoginProfile"), on(2) || on(5), "{flags:?}");
            assert_eq!(given.contains("GetPasswordPolicy"), on(2) || on(4), "{flags:?}");
            assert_eq!(given.contains("GetGroup"), on(0) || on(1) || on(5), "{flags:?}");
            assert_eq!(given.contains("DetachPolicyFromGroup"), on(0) || on(1), "{flags:?}");
        }
    }

    #[test]
    fn an_import_adds_no_right_to_write() {
        let more: Vec<String> = actions(&of(&["--import"])).difference(&actions(&of(&[]))).cloned().collect();
        assert_eq!(more, ["GetGroup", "GetLoginProfile"]);
    }

    #[test]
    fn what_is_printed_is_the_document_and_fits_into_a_policy() {
        let mut flags = vec!["--account=1234567890123456", "--user-name-prefix=production-team-a-12"];
        flags.extend(["--attach-system=AliyunOTS*", "--attach-system=AliyunOSS*", "--attach-custom=shared-*"]);
        flags.extend(FEATURES.map(|(flag, _)| flag));
        let document = of(&flags);
        let text = text(&document);
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(document));
        assert!(text.len() <= 6144, "{} bytes", text.len());
    }
}
