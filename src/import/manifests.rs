//! From what was read to YAML. Nothing here reads or writes.
//!
//! Names in RAM are always explicit, so that an object leads to what is there. Whatever comes from outside stands in comments on one line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::fields::{Draft, Room, is_display_name, is_email, is_phone, is_policy_name, is_ram_name, word};
use super::names;
use crate::api::{GROUP, VERSION, to_yaml};
use crate::plan::document::Document;
use crate::plan::marker::{COMMENTS_LIMIT, DESCRIPTION_LIMIT, Marker};
use crate::ram::{AccessKey, Group, LoginProfile, PolicyDetail, PolicyRef, User};

/// Bytes of a text that the marker follows, as in the schema.
const COMMENTS_BYTES: usize = 56;
const DESCRIPTION_BYTES: usize = 900;
/// Characters of `documentJson`, as in the schema.
const DOCUMENT_LIMIT: usize = 16384;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Name of the RamAccount.
    pub account: &'a str,
    /// Namespace of the objects.
    pub namespace: &'a str,
    /// Glob over the names of users.
    pub users: &'a str,
    /// This installation's name in markers, if it is known.
    pub owner_id: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Room for the comments of a user or a group.
    const fn comments(&self) -> Room<'a> {
        Room { schema: COMMENTS_BYTES, ram: COMMENTS_LIMIT, owner_id: self.owner_id }
    }

    /// Room for the description of a policy.
    const fn description(&self) -> Room<'a> {
        Room { schema: DESCRIPTION_BYTES, ram: DESCRIPTION_LIMIT, owner_id: self.owner_id }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Found {
    /// The account's number.
    pub account_id: String,
    /// When, by RAM's clock.
    pub time: Timestamp,
    /// The names of all users: an object's name does not depend on which of them were asked for.
    pub user_names: Vec<String>,
    /// Users to print.
    pub users: Vec<FoundUser>,
    /// Groups of these users.
    pub groups: Vec<FoundGroup>,
    /// Custom policies of these users and groups.
    pub policies: Vec<PolicyDetail>,
    /// Users that are not printed.
    pub left: Vec<LeftOut>,
    /// The operator signs with the pair of a user, and nobody here knows of which.
    pub signer_unknown: bool,
    /// Objects in the cluster, to name the owner of what is managed.
    pub objects: Vec<Object>,
}

/// A user and what it has.
#[derive(Clone, Debug)]
pub struct FoundUser {
    /// The user.
    pub user: User,
    /// Its policies.
    pub policies: Vec<PolicyRef>,
    /// Its groups.
    pub groups: Vec<String>,
    /// Its AccessKeys.
    pub keys: Vec<AccessKey>,
    /// Its log-on to the console.
    pub log_on: Option<LoginProfile>,
}

/// A group and what it has.
#[derive(Clone, Debug)]
pub struct FoundGroup {
    /// The group.
    pub group: Group,
    /// Its policies.
    pub policies: Vec<PolicyRef>,
}

/// An object in the cluster.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Something in RAM that is not printed.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// What it is.
    pub what: What,
    /// Its name in RAM.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// What is managed in RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A user.
    User,
    /// A group.
    Group,
    /// A custom policy.
    Policy,
}

impl What {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Policy => "policy",
        }
    }

    /// The kind that manages it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User => "RamUser",
            Self::Group => "RamGroup",
            Self::Policy => "RamPolicy",
        }
    }
}

/// Why something is not printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It carries a marker.
    Managed(Marker),
    /// The operator itself signs with it.
    Signs,
    /// The schema does not take its name.
    Name,
    /// Its document is not understood.
    Document(String),
}

/// Why this user is not printed, if it is not.
#[must_use]
pub fn user_stays(user: &User, operators: &[String]) -> Option<Why> {
    if operators.iter().any(|name| name.eq_ignore_ascii_case(&user.user_name)) {
        return Some(Why::Signs);
    }
    stays(&user.user_name, is_ram_name, &user.comments)
}

/// Why this group is not printed, if it is not.
#[must_use]
pub fn group_stays(group: &Group) -> Option<Why> {
    stays(&group.name, is_ram_name, &group.comments)
}

fn stays(name: &str, is_name: fn(&str) -> bool, text: &str) -> Option<Why> {
    match Marker::parse(text).1 {
        Some(marker) => Some(Why::Managed(marker)),
        None if is_name(name) => None,
        None => Some(Why::Name),
    }
}

/// One manifest with its comments.
struct Part {
    notes: Vec<String>,
    manifest: Value,
}

/// What is printed: comments, then the manifests of policies, groups and users, each sorted by the name in RAM.
///
/// # Errors
/// When the YAML cannot be written.
pub fn document(asked: &Asked<'_>, found: &Found) -> Result<String, String> {
    let mut left = found.left.clone();
    let policies = policies(asked, found, &mut left);
    let groups = groups(asked, found, &mut left);
    let users = users(asked, found);
    let counts = [
        counted(policies.len(), "RamPolicy", "RamPolicies"),
        counted(groups.len(), "RamGroup", "RamGroups"),
        counted(users.len(), "RamUser", "RamUsers"),
    ];
    let mut text = String::new();
    comment(&mut text, &header(asked, found, &counts));
    comment(&mut text, &left_out(asked, found, left));
    comment(&mut text, &advice(asked));
    for part in policies.iter().chain(&groups).chain(&users) {
        text.push_str("---\n");
        comment(&mut text, &part.notes);
        text.push_str(&to_yaml(&part.manifest).map_err(|error| error.to_string())?);
    }
    Ok(text)
}

fn comment(text: &mut String, lines: &[String]) {
    for line in lines {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn header(asked: &Asked<'_>, found: &Found, counts: &[String]) -> Vec<String> {
    let Asked { users, namespace, .. } = asked;
    let mut lines = vec![
        format!(
            "What account {} has in RAM for users named {users}, at {} by RAM's clock.",
            word(&found.account_id),
            found.time
        ),
        format!("For the namespace {namespace}: {}. Nothing was changed.", counts.join(", ")),
    ];
    if found.signer_unknown {
        lines.push("Which user the operator signs with is not known here. If it is below, take it out: it must not manage itself.".to_owned());
    }
    lines
}

fn left_out(asked: &Asked<'_>, found: &Found, mut left: Vec<LeftOut>) -> Vec<String> {
    if left.is_empty() {
        return Vec::new();
    }
    left.sort_by(|a, b| (a.what.word(), &a.name).cmp(&(b.what.word(), &b.name)));
    let mut lines = vec!["Left out:".to_owned()];
    lines.extend(left.iter().map(|one| {
        let why = match &one.why {
            Why::Managed(marker) => owner(asked, &found.objects, one.what, marker),
            Why::Signs => "the operator signs with it".to_owned(),
            Why::Name => "its name is none that can be managed".to_owned(),
            Why::Document(why) => format!("its document is not understood: {why:?}"),
        };
        format!("  {} {}: {why}", one.what.word(), word(&one.name))
    }));
    lines
}

fn owner(asked: &Asked<'_>, objects: &[Object], what: What, marker: &Marker) -> String {
    let kind = what.kind();
    let whose = |object: &&Object| {
        let theirs = Marker::for_kind(kind, &marker.owner_id, &object.namespace, &object.name, "");
        object.kind == kind && theirs.same_object(marker)
    };
    let ours = asked.owner_id.is_some_and(|owner| owner == marker.owner_id);
    match objects.iter().filter(|_| ours).find(whose) {
        Some(object) => format!("managed by the {kind} {}/{}", object.namespace, object.name),
        None if ours => "managed by this installation".to_owned(),
        None => format!("managed by the installation with the ownerId {}", word(&marker.owner_id)),
    }
}

fn advice(asked: &Asked<'_>) -> Vec<String> {
    let tenant = format!(
        "1. Let the RamTenant of {} allow what is below: names and `adopt`, `attach`, `documents`, `retain: Allow`.",
        asked.namespace
    );
    let lines = [
        "To go on:",
        tenant.as_str(),
        "2. Apply it: kubectl apply --server-side -f FILE. `adoption: IfUnowned` takes over what nobody owns, with all that it has.",
        "3. When all is Ready, change it here. `attachments: Report` takes nothing away that others attach, and `deletionPolicy: Retain`",
        "   leaves all in RAM when an object is deleted: choose others when you are sure.",
        "4. AccessKeys stay as they are: RAM shows a secret once. Apply a RamAccessKey for each workload, let it use the new pair, then",
        "   delete the old key in RAM. A user has two keys at most.",
    ];
    lines.map(str::to_owned).to_vec()
}

fn part(asked: &Asked<'_>, what: What, name: &str, draft: Draft) -> Part {
    let manifest = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": what.kind(),
        "metadata": {"name": name, "namespace": asked.namespace},
        "spec": draft.spec,
    });
    Part { notes: draft.notes, manifest }
}

fn named<'a>(names: &'a BTreeMap<&str, String>, name: &'a str) -> &'a str {
    names.get(name).map_or(name, String::as_str)
}

fn policies(asked: &Asked<'_>, found: &Found, left: &mut Vec<LeftOut>) -> Vec<Part> {
    let mut all: Vec<&PolicyDetail> = found.policies.iter().collect();
    all.sort_by(|a, b| a.policy.name.cmp(&b.policy.name));
    let names = names::of_objects(all.iter().map(|policy| policy.policy.name.as_str()));
    let mut parts = Vec::new();
    for policy in all {
        let name = &policy.policy.name;
        let draft = match stays(name, is_policy_name, &policy.description) {
            Some(why) => Err(why),
            None => policy_spec(asked, policy).map_err(Why::Document),
        };
        match draft {
            Ok(draft) => parts.push(part(asked, What::Policy, named(&names, name), draft)),
            Err(why) => left.push(LeftOut { what: What::Policy, name: name.clone(), why }),
        }
    }
    parts
}

fn policy_spec(asked: &Asked<'_>, policy: &PolicyDetail) -> Result<Draft, String> {
    let mut draft = Draft::new(asked.account);
    draft.put("policyName", json!(policy.policy.name));
    draft.marked("description", &policy.description, asked.description());
    draft.put("documentJson", json!(document_json(&policy.document)?));
    Ok(draft)
}

/// A document for people, or the shortest form of one that would be too long.
fn document_json(text: &str) -> Result<String, String> {
    let understood = Document::parse(text)?;
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let readable = serde_json::to_string_pretty(&value).map_err(|error| error.to_string())?;
    Ok(if readable.len() <= DOCUMENT_LIMIT { readable } else { understood.text() })
}

fn groups(asked: &Asked<'_>, found: &Found, left: &mut Vec<LeftOut>) -> Vec<Part> {
    let mut all: Vec<&FoundGroup> = found.groups.iter().collect();
    all.sort_by(|a, b| a.group.name.cmp(&b.group.name));
    let names = names::of_objects(all.iter().map(|found| found.group.name.as_str()));
    let mut parts = Vec::new();
    for FoundGroup { group, policies } in all {
        if let Some(why) = group_stays(group) {
            left.push(LeftOut { what: What::Group, name: group.name.clone(), why });
            continue;
        }
        let mut draft = Draft::new(asked.account);
        draft.put("attachments", json!("Report"));
        draft.put("groupName", json!(group.name));
        draft.marked("comments", &group.comments, asked.comments());
        draft.policies(policies);
        parts.push(part(asked, What::Group, named(&names, &group.name), draft));
    }
    parts
}

fn users(asked: &Asked<'_>, found: &Found) -> Vec<Part> {
    let mut all: Vec<&FoundUser> = found.users.iter().collect();
    all.sort_by(|a, b| a.user.user_name.cmp(&b.user.user_name));
    let names = names::of_objects(found.user_names.iter().map(String::as_str));
    let one =
        |found: &FoundUser| part(asked, What::User, named(&names, &found.user.user_name), user_spec(asked, found));
    all.into_iter().map(one).collect()
}

fn user_spec(asked: &Asked<'_>, found: &FoundUser) -> Draft {
    let user = &found.user;
    let mut draft = Draft::new(asked.account);
    draft.put("attachments", json!("Report"));
    draft.put("userName", json!(user.user_name));
    draft.text("displayName", &user.display_name, is_display_name);
    draft.marked("comments", &user.comments, asked.comments());
    draft.text("email", &user.email, is_email);
    draft.text("mobilePhone", &user.mobile_phone, is_phone);
    draft.policies(&found.policies);
    draft.groups(&found.groups);
    if let Some(profile) = &found.log_on {
        log_on(&mut draft, profile);
    }
    let mut keys: Vec<&AccessKey> = found.keys.iter().collect();
    keys.sort_by(|a, b| (a.create_time, &a.id).cmp(&(b.create_time, &b.id)));
    for key in keys {
        draft.note(format!("AccessKey {}: {}, made {}.", word(&key.id), key.status, key.create_time));
    }
    draft
}

/// A log-on that is enabled cannot be declared without a first password, which nobody should have to make up for an import.
fn log_on(draft: &mut Draft, profile: &LoginProfile) {
    match profile.enabled {
        Some(false) if profile.mfa_bind_required => {
            draft.put("consoleLogin", json!({"state": "Disabled", "mfa": "Required"}));
        }
        Some(false) => draft.put("consoleLogin", json!({"state": "Disabled"})),
        Some(true) => draft.note(
            "Log-on to the console is enabled. `consoleLogin` is left out, since it would need an `initialPassword`."
                .to_owned(),
        ),
        None => draft.note(
            "There is a log-on to the console; whether it is enabled could not be read. `consoleLogin` is left out."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::{KeyStatus, PolicyType};

    const ASKED: Asked<'static> = Asked { account: "default", namespace: "team-a", users: "*", owner_id: Some("prod") };

    fn time(second: &str) -> Timestamp {
        format!("2024-05-06T07:08:{second}Z").parse().unwrap()
    }

    fn user(name: &str) -> User {
        User {
            user_id: "1".to_owned(),
            user_name: name.to_owned(),
            display_name: String::new(),
            comments: String::new(),
            email: String::new(),
            mobile_phone: String::new(),
            create_time: None,
        }
    }

    fn bare(name: &str) -> FoundUser {
        FoundUser { user: user(name), policies: Vec::new(), groups: Vec::new(), keys: Vec::new(), log_on: None }
    }

    fn policy(kind: PolicyType, name: &str) -> PolicyRef {
        PolicyRef { kind, name: name.to_owned() }
    }

    fn detail(name: &str, description: &str, document: &str) -> PolicyDetail {
        PolicyDetail {
            policy: policy(PolicyType::Custom, name),
            description: description.to_owned(),
            create_time: None,
            default_version: "v1".to_owned(),
            document: document.to_owned(),
            attachment_count: None,
        }
    }

    fn found(users: Vec<FoundUser>) -> Found {
        Found {
            account_id: "1234567890123456".to_owned(),
            time: time("09"),
            user_names: users.iter().map(|found| found.user.user_name.clone()).collect(),
            users,
            groups: Vec::new(),
            policies: Vec::new(),
            left: Vec::new(),
            signer_unknown: false,
            objects: Vec::new(),
        }
    }

    fn profile(enabled: Option<bool>, mfa: bool) -> LoginProfile {
        LoginProfile { enabled, password_reset_required: false, mfa_bind_required: mfa, password_status: None }
    }

    /// The manifests as whoever applies them reads them.
    fn read(text: &str) -> Vec<Value> {
        let mut all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
        all.retain(|document| !document.is_null());
        all
    }

    fn printed(found: &Found) -> String {
        document(&ASKED, found).unwrap()
    }

    const DOCUMENT: &str =
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:GetRow","Resource":["acs:ots:*:*:*"]}]}"#;

    #[test]
    fn a_user_is_printed_with_what_it_has() {
        let one = FoundUser {
            user: User {
                display_name: "Team A: reader".to_owned(),
                comments: "yes".to_owned(),
                email: "reader@example.com".to_owned(),
                mobile_phone: "86-18600008888".to_owned(),
                ..user("Legacy_Reader")
            },
            policies: vec![
                policy(PolicyType::Custom, "sensors"),
                policy(PolicyType::System, "AliyunOTSReadOnlyAccess"),
            ],
            groups: vec!["readers".to_owned()],
            keys: vec![
                AccessKey { id: "LTAI2".to_owned(), status: KeyStatus::Inactive, create_time: time("02") },
                AccessKey { id: "LTAI1".to_owned(), status: KeyStatus::Active, create_time: time("01") },
            ],
            log_on: Some(profile(Some(true), true)),
        };
        let text = printed(&found(vec![one]));
        let (_, manifest) = text.split_once("---\n").unwrap();
        let wanted = r#"# Log-on to the console is enabled. `consoleLogin` is left out, since it would need an `initialPassword`.
# AccessKey LTAI1: Active, made 2024-05-06T07:08:01Z.
# AccessKey LTAI2: Inactive, made 2024-05-06T07:08:02Z.
apiVersion: ram-operator.dev/v1alpha1
kind: RamUser
metadata:
  name: legacy-reader
  namespace: team-a
spec:
  adoption: IfUnowned
  attachments: Report
  comments: "yes"
  deletionPolicy: Retain
  displayName: "Team A: reader"
  email: reader@example.com
  groups:
  - name: readers
    type: Ram
  mobilePhone: 86-18600008888
  policies:
  - name: AliyunOTSReadOnlyAccess
    type: System
  - name: sensors
    type: Custom
  userName: Legacy_Reader
"#;
        assert_eq!(manifest, wanted);
    }

    #[test]
    fn the_header_says_what_it_is_and_how_to_go_on() {
        let text = printed(&found(vec![bare("a"), bare("b")]));
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert_eq!(
            head[0],
            "# What account 1234567890123456 has in RAM for users named *, at 2024-05-06T07:08:09Z by RAM's clock."
        );
        assert_eq!(head[1], "# For the namespace team-a: 0 RamPolicies, 0 RamGroups, 2 RamUsers. Nothing was changed.");
        assert_eq!(head[2], "# To go on:");
        assert!(head.iter().any(|line| line.contains("AccessKeys stay as they are")), "{text}");
        let unknown = Found { signer_unknown: true, ..found(vec![bare("a")]) };
        assert!(printed(&unknown).contains("# Which user the operator signs with is not known here."));
        // Without any manifest it is YAML all the same.
        assert_eq!(read(&printed(&found(Vec::new()))), Vec::<Value>::new());
    }

    #[test]
    fn nothing_is_declared_as_nothing() {
        let manifest = read(&printed(&found(vec![bare("a")]))).remove(0);
        let spec = json!({
            "adoption": "IfUnowned", "attachments": "Report", "deletionPolicy": "Retain", "userName": "a",
            "policies": [], "groups": [],
        });
        assert_eq!(manifest["spec"], spec);
    }

    #[test]
    fn another_account_is_named() {
        let asked = Asked { account: "other", ..ASKED };
        let manifest = read(&document(&asked, &found(vec![bare("a")])).unwrap()).remove(0);
        assert_eq!(manifest["spec"]["accountRef"], json!({"name": "other"}));
    }

    #[test]
    fn a_log_on_is_declared_only_while_it_is_disabled() {
        for (profile, login, notes) in [
            (profile(Some(false), false), json!({"state": "Disabled"}), 0),
            (profile(Some(false), true), json!({"state": "Disabled", "mfa": "Required"}), 0),
            (profile(Some(true), false), Value::Null, 1),
            (profile(None, false), Value::Null, 1),
        ] {
            let draft = user_spec(&ASKED, &FoundUser { log_on: Some(profile), ..bare("a") });
            assert_eq!(draft.spec.get("consoleLogin").cloned().unwrap_or_default(), login);
            assert_eq!(draft.notes.len(), notes, "{:?}", draft.notes);
        }
    }

    #[test]
    fn policies_and_groups_stand_before_the_users_that_have_them() {
        let mut all = found(vec![bare("b"), bare("a")]);
        let group = |name: &str| Group { id: "g".to_owned(), name: name.to_owned(), comments: "reads".to_owned() };
        all.groups = vec![FoundGroup { group: group("readers"), policies: vec![policy(PolicyType::Custom, "z")] }];
        all.policies = vec![detail("z", "", DOCUMENT), detail("y", "says", DOCUMENT)];
        let text = printed(&all);
        let manifests = read(&text);
        let names: Vec<String> = manifests
            .iter()
            .map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["metadata"]["name"].as_str().unwrap()))
            .collect();
        assert_eq!(names, ["RamPolicy y", "RamPolicy z", "RamGroup readers", "RamUser a", "RamUser b"]);
        let written = manifests[0]["spec"]["documentJson"].as_str().unwrap();
        assert!(Document::parse(written).unwrap().same_as(&Document::parse(DOCUMENT).unwrap()), "{written}");
        assert!(text.contains("  documentJson: |-\n    {\n      \"Statement\": [\n"), "{text}");
        let spec = json!({
            "adoption": "IfUnowned", "deletionPolicy": "Retain", "policyName": "y", "description": "says",
            "documentJson": written,
        });
        assert_eq!(manifests[0]["spec"], spec);
        let spec = json!({
            "adoption": "IfUnowned", "attachments": "Report", "deletionPolicy": "Retain", "groupName": "readers",
            "comments": "reads", "policies": [{"type": "Custom", "name": "z"}],
        });
        assert_eq!(manifests[2]["spec"], spec);
    }

    #[test]
    fn what_is_managed_is_left_out_with_the_object_that_manages_it() {
        let marked = |owner: &str, kind: &str, name: &str| Marker::for_kind(kind, owner, "team-a", name, "12345678-9");
        let user_of = |owner: &str, name: &str| {
            let marked = User { comments: marked(owner, "RamUser", name).append_to("x"), ..user(name) };
            let why = user_stays(&marked, &[]).unwrap();
            LeftOut { what: What::User, name: name.to_owned(), why }
        };
        let mut all = found(Vec::new());
        all.objects = vec![Object { kind: "RamUser", namespace: "team-a".to_owned(), name: "known".to_owned() }];
        all.left = vec![user_of("prod", "unknown"), user_of("prod", "known"), user_of("else", "known2")];
        all.left.push(LeftOut { what: What::User, name: "-x".to_owned(), why: Why::Name });
        all.left.push(LeftOut { what: What::User, name: "me".to_owned(), why: Why::Signs });
        let mark = marked("prod", "RamPolicy", "p").append_to("");
        all.policies = vec![detail("p", &mark, DOCUMENT), detail("q", "", "{}")];
        let text = printed(&all);
        let lines: Vec<&str> = text
            .lines()
            .skip_while(|line| *line != "# Left out:")
            .skip(1)
            .take_while(|l| l.starts_with("#   "))
            .collect();
        let wanted = [
            "#   policy p: managed by this installation",
            "#   policy q: its document is not understood: \"missing field `Version` at line 1 column 2\"",
            "#   user -x: its name is none that can be managed",
            "#   user known: managed by the RamUser team-a/known",
            "#   user known2: managed by the installation with the ownerId else",
            "#   user me: the operator signs with it",
            "#   user unknown: managed by this installation",
        ];
        assert_eq!(lines, wanted);
        assert!(read(&text).is_empty(), "{text}");
    }

    #[test]
    fn who_stays_out() {
        assert_eq!(user_stays(&user("a"), &["b".to_owned()]), None);
        assert_eq!(user_stays(&user("Ram-Operator"), &["ram-operator".to_owned()]), Some(Why::Signs));
        assert_eq!(user_stays(&user("a@b"), &[]), Some(Why::Name));
    }

    #[test]
    fn hostile_texts_are_read_back_as_they_were() {
        for text in [
            "no",
            "~",
            "1e3",
            "0x1f",
            "12:30",
            "2024-05-06",
            "- a",
            "a: b",
            "a #b",
            "'",
            "\"",
            "%a",
            "---",
            "@a",
            "{a}",
            "*a",
            "&a",
            "!a",
            "a\u{2028}b",
            "a\\n",
            " a ",
            "a  b",
        ] {
            let mut one = bare("a");
            text.clone_into(&mut one.user.display_name);
            let spaced = format!("{text} {} {}", "word ".repeat(8), "x");
            spaced.clone_into(&mut one.user.comments);
            let manifests = read(&printed(&found(vec![one])));
            assert_eq!(manifests.len(), 1, "{text:?}");
            assert_eq!(manifests[0]["spec"]["displayName"], json!(text), "{text:?}");
            assert_eq!(manifests[0]["spec"]["comments"], json!(spaced), "{text:?}");
        }
        // A text of several lines in a comment begins no manifest.
        let mut one = bare("a");
        "x\n---\nkind: RamUser".clone_into(&mut one.user.display_name);
        assert_eq!(read(&printed(&found(vec![one]))).len(), 1);
    }

    #[test]
    fn a_long_description_is_read_back_as_it_was() {
        let long = "says what  it may, ".repeat(20);
        let mut all = found(Vec::new());
        all.policies = vec![detail("p", &long, DOCUMENT)];
        assert_eq!(read(&printed(&all))[0]["spec"]["description"], json!(long));
    }

    #[test]
    fn names_do_not_depend_on_who_was_asked_for() {
        let mut all = found(vec![bare("a_b")]);
        all.user_names.push("a-b".to_owned());
        let name = read(&printed(&all))[0]["metadata"]["name"].as_str().unwrap().to_owned();
        assert!(name.starts_with("a-b-") && name.len() == 14, "{name}");
    }

    #[test]
    fn the_order_of_what_was_read_does_not_show() {
        let mut all = found(vec![bare("b"), bare("a")]);
        let first = printed(&all);
        all.users.reverse();
        all.user_names.reverse();
        assert_eq!(printed(&all), first);
    }
}
