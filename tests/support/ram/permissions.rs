//! What a caller may do, worked out from the documents of its policies.
//!
//! In force are the default versions of the system and custom policies that are attached to the caller, to a group of it, or to the role of
//! its session. An Allow has to cover each resource that an action is about, and a Deny of one of them goes before. What nothing speaks of is
//! refused.
//!
//! Worked out: `Effect`; `Action`, whatever its case, and `Resource` in its own, both with the wildcards `*` and `?`; `NotAction` and
//! `NotResource` where a policy has them. Names stand in a resource as RAM spells them, or as given where nothing has the name.
//!
//! Not worked out: a `Condition`, so that an Allow with one gives nothing and a Deny with one always holds; the `Policy` of AssumeRole;
//! resource groups.

use serde_json::{Value, json};

use super::envelope::{Product, Refusal};
use super::params::Params;
use super::policies::Policy;
use super::state::{Account, Caller, PolicyType, State, User};

/// A statement of a document.
#[derive(Clone, Debug)]
pub struct Statement {
    denies: bool,
    conditional: bool,
    actions: Patterns,
    resources: Patterns,
}

/// Some patterns, or all but them.
#[derive(Clone, Debug)]
struct Patterns {
    texts: Vec<String>,
    negated: bool,
}

impl Patterns {
    fn read(statement: &Value, name: &str, negation: &str) -> Self {
        let negated = statement[name].is_null();
        let texts = match &statement[if negated { negation } else { name }] {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        // Without either there is nothing to be all but.
        Self { negated: negated && !texts.is_empty(), texts }
    }

    fn cover(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.texts.iter().any(|text| matches(text)) != self.negated
    }
}

impl Statement {
    /// The statements of a document. What is no document has none.
    pub fn all(document: &str) -> Vec<Self> {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let statement = |statement: &Value| Self {
            denies: statement["Effect"] == "Deny",
            conditional: !statement["Condition"].is_null(),
            actions: Patterns::read(statement, "Action", "NotAction"),
            resources: Patterns::read(statement, "Resource", "NotResource"),
        };
        document["Statement"].as_array().map(|all| all.iter().map(statement).collect()).unwrap_or_default()
    }

    fn covers(&self, action: &str, resource: &str) -> bool {
        let of_action = |pattern: &str| fits(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase());
        self.actions.cover(of_action) && self.resources.cover(|pattern| names(pattern, resource))
    }
}

/// Refuses what the caller may not do.
pub fn check(state: &State, product: Product, action: &str, params: &Params, caller: &Caller) -> Result<(), Refusal> {
    let denied = state.denied.contains(action);
    if action == "GetCallerIdentity" {
        let refusal = || Refusal::new(403, "Forbidden.AccessDenied", "The caller may not call this action.");
        return if denied { Err(refusal()) } else { Ok(()) };
    }
    if denied {
        return Err(no_permission(state, product, action, caller, "ExplicitDeny"));
    }
    // The security preference decides, and whose password it is.
    if action == "ChangePassword" || matches!(caller, Caller::Anonymous) {
        return Ok(());
    }
    let full_name = format!("{}:{action}", service(product));
    let statements: Vec<&Statement> = state.account.in_force(caller).flat_map(Policy::statements).collect();
    let resources = resources(&state.account, product, action, params, caller);
    let covered = |resource: &String, deny: bool| {
        let counts = |statement: &&&Statement| statement.denies == deny && (deny || !statement.conditional);
        statements.iter().filter(counts).any(|statement| statement.covers(&full_name, resource))
    };
    if resources.iter().any(|resource| covered(resource, true)) {
        return Err(no_permission(state, product, action, caller, "ExplicitDeny"));
    }
    if resources.iter().all(|resource| covered(resource, false)) {
        return Ok(());
    }
    Err(no_permission(state, product, action, caller, "ImplicitDeny"))
}

impl Account {
    /// The policies that decide what a caller may do.
    fn in_force(&self, caller: &Caller) -> impl Iterator<Item = &Policy> {
        self.policies_of(caller).into_iter().filter_map(|attached| self.policy(attached.kind, &attached.name))
    }
}

fn service(product: Product) -> &'static str {
    if product == Product::Sts { "sts" } else { "ram" }
}

/// What is about a user, a group, a custom or system policy, or the account as a whole.
const OF_USER: &str = "GetUser UpdateUser DeleteUser CreateLoginProfile GetLoginProfile UpdateLoginProfile DeleteLoginProfile \
    CreateAccessKey UpdateAccessKey DeleteAccessKey ListAccessKeys GetAccessKeyLastUsed SetAccessKeyPolicy GetAccessKeyPolicy \
    BindMFADevice UnbindMFADevice DisableVirtualMFA GetUserMFAInfo ListGroupsForUser ListPoliciesForUser";
const OF_GROUP: &str = "GetGroup UpdateGroup DeleteGroup ListUsersForGroup ListPoliciesForGroup";
const OF_POLICY: &str = "GetPolicy DeletePolicy UpdatePolicyDescription ListEntitiesForPolicy CreatePolicyVersion GetPolicyVersion \
    ListPolicyVersions DeletePolicyVersion SetDefaultPolicyVersion";
const OF_ACCOUNT: &str = "GetAccountAlias SetAccountAlias ClearAccountAlias GetDefaultDomain SetDefaultDomain GetAccountSummary \
    GetPasswordPolicy SetPasswordPolicy GetSecurityPreference SetSecurityPreference";

/// What an action is about. Where RAM has no resource for it or does not say which, `*`, which only `*` covers.
fn resources(account: &Account, product: Product, action: &str, params: &Params, caller: &Caller) -> Vec<String> {
    let of = |path: &str| format!("acs:ram:*:{}:{path}", account.id);
    let user = || of(&format!("user/{}", user(account, product, action, params, caller)));
    let group = || of(&format!("group/{}", group(account, params)));
    let policy = || policy(account, params);
    let among = |actions: &str| actions.split_whitespace().any(|other| other == action);
    match action {
        "CreateUser" | "ListUsers" => vec![of("user/*")],
        "CreateGroup" | "ListGroups" => vec![of("group/*")],
        "CreatePolicy" | "ListPolicies" => vec![of("policy/*")],
        "CreateVirtualMFADevice" | "ListVirtualMFADevices" => vec![of("mfa/*")],
        "DeleteVirtualMFADevice" => {
            let serial = params.some("SerialNumber").unwrap_or("*");
            vec![of(&format!("mfa/{}", serial.rsplit('/').next().unwrap_or(serial)))]
        }
        "AddUserToGroup" | "RemoveUserFromGroup" => vec![user(), group()],
        "AttachPolicyToUser" | "DetachPolicyFromUser" => vec![user(), policy()],
        "AttachPolicyToGroup" | "DetachPolicyFromGroup" => vec![group(), policy()],
        "AssumeRole" => vec![params.some("RoleArn").unwrap_or("*").to_owned()],
        _ if among(OF_USER) => vec![user()],
        _ if among(OF_GROUP) => vec![group()],
        _ if among(OF_POLICY) => vec![policy()],
        _ if among(OF_ACCOUNT) => vec![of("*")],
        _ => vec!["*".to_owned()],
    }
}

/// The user that a call is about; a call about keys that names none is about the caller.
fn user(account: &Account, product: Product, action: &str, params: &Params, caller: &Caller) -> String {
    let by_id = |id: &str| account.users.get(id);
    let named = |user: Option<&User>, given: &str| user.map_or_else(|| given.to_owned(), |user| user.name.clone());
    let given = match product {
        Product::Ims => params.some("UserPrincipalName").and_then(|upn| upn.split('@').next()),
        Product::Ram | Product::Sts => params.some("UserName"),
    };
    if let Some(name) = given {
        return named(account.user_named(name), name);
    }
    if product == Product::Ims && action.ends_with("User") {
        let owner = |id: &str| account.keys.get(id).and_then(|key| by_id(&key.user_id));
        let of_key = || params.some("UserAccessKeyId").and_then(owner);
        // A number without a user is of any.
        return named(params.some("UserId").and_then(by_id).or_else(of_key), "*");
    }
    match caller {
        Caller::User { user_id, .. } if action.contains("AccessKey") => named(by_id(user_id), "*"),
        _ => "*".to_owned(),
    }
}

fn group(account: &Account, params: &Params) -> String {
    let name = params.some("GroupName").unwrap_or("*");
    account.groups.get(&account.fold(name)).map_or_else(|| name.to_owned(), |group| group.name.clone())
}

/// A call without a PolicyType is about a custom policy.
fn policy(account: &Account, params: &Params) -> String {
    let name = params.some("PolicyName").unwrap_or("*");
    let kind = params.some("PolicyType").and_then(|kind| PolicyType::read(kind).ok()).unwrap_or(PolicyType::Custom);
    let owner = if kind == PolicyType::System { "system" } else { account.id.as_str() };
    let name = account.policy(kind, name).map_or(name, |policy| policy.name.as_str());
    format!("acs:ram:*:{owner}:policy/{name}")
}

/// Whether a pattern covers a resource. Neither RAM nor STS is bound to a region, so that it may be left out.
fn names(pattern: &str, resource: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (pattern, resource): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(5, ':').collect(), resource.splitn(5, ':').collect());
    pattern.len() == 5
        && resource.len() == 5
        && pattern.iter().zip(&resource).enumerate().all(|(part, (pattern, text))| {
            let no_region = part == 2 && (pattern.is_empty() || text.is_empty());
            no_region || fits(pattern, text)
        })
}

/// Whether a text fits a pattern, in which `*` stands for any characters and `?` for one.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut pos) = (0, 0);
    // Where the last `*` stands, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while pos < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, pos));
                at += 1;
            }
            Some(expected) if *expected == '?' || *expected == text[pos] => {
                at += 1;
                pos += 1;
            }
            _ => {
                let Some((place, reach)) = star else {
                    return false;
                };
                star = Some((place, reach + 1));
                at = place + 1;
                pos = reach + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

fn no_permission(state: &State, product: Product, action: &str, caller: &Caller, kind: &str) -> Refusal {
    let (principal, name) = match caller {
        Caller::User { user_id, .. } => ("SubUser", user_id.clone()),
        Caller::Role(session) => ("AssumedRoleUser", format!("{}:{}", session.role, session.name)),
        Caller::Anonymous => ("Federated", String::new()),
    };
    let detail = json!({
        "AuthAction": format!("{}:{action}", service(product)),
        "AuthPrincipalType": principal,
        "AuthPrincipalOwnerId": state.account.id,
        "AuthPrincipalDisplayName": name,
        "EncodedDiagnosticMessage": format!("AQEAAAAA{}", super::state::token(32)),
        "NoPermissionType": kind,
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    });
    let message = "You are not authorized to do this action. You should be authorized by RAM.";
    Refusal { detail: Some(detail), ..Refusal::new(403, "NoPermission", message) }
}
