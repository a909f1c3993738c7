//! The least RAM policy that the operator itself needs.

use serde_json::{Value, json};

use crate::config::Policy;

/// The policy document for what this version does.
///
/// The permission to attach is checked on the user and on the policy, so the globs decide what can be handed out at most.
#[must_use]
pub fn document(flags: &Policy) -> Value {
    let Policy { account, user_name_prefix: prefix, attach_system, attach_custom } = flags;
    let user = format!("acs:ram:*:{account}:user/{prefix}*");
    let mut attach = vec![user.clone()];
    attach.extend(attach_system.iter().map(|glob| format!("acs:ram:*:system:policy/{glob}")));
    attach.extend(attach_custom.iter().map(|glob| format!("acs:ram:*:{account}:policy/{glob}")));
    json!({
        "Version": "1",
        "Statement": [
            allow(&["CreateUser", "ListUsers"], &json!(format!("acs:ram:*:{account}:user/*"))),
            allow(
                &[
                    "GetUser", "UpdateUser", "DeleteUser", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey",
                    "ListAccessKeys", "GetAccessKeyLastUsed", "SetAccessKeyPolicy", "GetAccessKeyPolicy",
                    "ListPoliciesForUser", "ListGroupsForUser",
                ],
                &json!(user),
            ),
            allow(&["AttachPolicyToUser", "DetachPolicyFromUser"], &json!(attach)),
            allow(&["GetPolicy"], &json!([format!("acs:ram:*:{account}:policy/*"), "acs:ram:*:system:policy/*"])),
            allow(
                &["RemoveUserFromGroup"],
                &json!([user, format!("acs:ram:*:{account}:group/*")]),
            ),
            allow(&["GetDefaultDomain", "GetAccountSummary"], &json!(format!("acs:ram:*:{account}:*"))),
            // The recycle bin has no resources of its own.
            allow(&["GetAccessKeyInfoInRecycleBin", "DeleteAccessKeyInRecycleBin"], &json!("*")),
        ],
    })
}

fn allow(actions: &[&str], resource: &Value) -> Value {
    let actions: Vec<String> = actions.iter().map(|action| format!("ram:{action}")).collect();
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}
