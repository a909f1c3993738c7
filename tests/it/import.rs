//! `ram-operator import`: what it prints for what people made by hand, that the server takes it, and what it says when it cannot read.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, PostParams};
use ram_operator::plan::marker::Marker;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Ended, kubeconfig, one_line, run};
use crate::oracle;
use crate::support::ram::{CallInfo, Fault, FaultKind, Hook, Options, Outcome, Person, Phase, RolePreset, Trust};
use crate::world::{OPERATOR, World, eventually, shared};

const READ: &str = "AliyunOTSReadOnlyAccess";
const DOCUMENT: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:GetRow","Resource":"acs:ots:*:*:instance/*"}]}"#;

/// Runs it as the cluster's administrator, with these flags and variables besides the usual ones.
async fn import(world: &World, flags: &[&str], variables: &[(&str, &str)]) -> Ended {
    let (account, namespace) = (format!("--account={}", world.name), format!("--namespace={}", world.ns));
    let mut all = vec!["--allow-custom-endpoints", account.as_str(), namespace.as_str()];
    all.extend(flags);
    as_administrator(&all, variables).await
}

async fn as_administrator(flags: &[&str], variables: &[(&str, &str)]) -> Ended {
    let kubeconfig = shared().await.cluster.kubeconfig().to_str().expect("a path in UTF-8").to_owned();
    with_kubeconfig(&kubeconfig, flags, variables).await
}

async fn with_kubeconfig(kubeconfig: &str, flags: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut arguments = vec!["import"];
    arguments.extend(flags);
    let mut all = vec![("KUBECONFIG", kubeconfig)];
    all.extend(variables);
    run(&arguments, &all).await
}

/// What was printed, if it went well: the comments at its head, and the manifests.
fn printed(world: &World, ended: &Ended) -> (String, String) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for text in [&ended.stdout, &ended.stderr] {
        oracle::examine("what an import prints", text, &world.ram.secrets());
    }
    match ended.stdout.split_once("---\n") {
        Some((head, manifests)) => (head.to_owned(), manifests.to_owned()),
        None => (ended.stdout.clone(), String::new()),
    }
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// `kind name` of all manifests.
fn names(text: &str) -> Vec<String> {
    let name = |one: &Value| format!("{} {}", one["kind"].as_str().unwrap(), one["metadata"]["name"].as_str().unwrap());
    documents(text).iter().map(name).collect()
}

/// Applies the manifests as a person would: the server takes every one of them as it stands.
async fn apply(manifests: &str) {
    shared().await.cluster.apply_yaml(manifests).unwrap_or_else(|error| panic!("{error}\n{manifests}"));
}

/// The lines under `Left out:`.
fn left_out(head: &str) -> Vec<&str> {
    let listed = head.lines().skip_while(|line| *line != "# Left out:").skip(1);
    listed.map_while(|line| line.strip_prefix("#   ")).collect()
}

fn key_line(world: &World, user: &str) -> String {
    let snapshot = world.ram.snapshot();
    let key = &snapshot.users[user].keys[0];
    let state = if key.active { "Active" } else { "Inactive" };
    format!("# AccessKey {}: {state}, made {}.\n", key.id, key.create_time.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

fn legacy(person: &Person) {
    person.create_user("Legacy_Reader", "reads: the sensor table");
    person.set_display_name("Legacy_Reader", "Team A: reader");
    person.create_custom_policy("sensors-read", DOCUMENT);
    person.set_policy_description("sensors-read", "reads sensors");
    person.attach("Legacy_Reader", "Custom", "sensors-read");
    person.attach("Legacy_Reader", "System", READ);
    person.add_to_group("Legacy_Reader", "Readers");
    person.set_group_comments("Readers", "may read");
    person.attach_to_group("Readers", "System", READ);
    person.create_key("Legacy_Reader");
}

const MANIFESTS: &str = r#"apiVersion: ram-operator.dev/v1alpha1
kind: RamPolicy
metadata:
  name: sensors-read
  namespace: CORNER
spec:
  accountRef:
    name: CORNER
  adoption: IfUnowned
  deletionPolicy: Retain
  description: reads sensors
  documentJson: |-
    {
      "Statement": [
        {
          "Action": "ots:GetRow",
          "Effect": "Allow",
          "Resource": "acs:ots:*:*:instance/*"
        }
      ],
      "Version": "1"
    }
  policyName: sensors-read
---
apiVersion: ram-operator.dev/v1alpha1
kind: RamGroup
metadata:
  name: readers
  namespace: CORNER
spec:
  accountRef:
    name: CORNER
  adoption: IfUnowned
  attachments: Report
  comments: may read
  deletionPolicy: Retain
  groupName: Readers
  policies:
  - name: AliyunOTSReadOnlyAccess
    type: System
---
KEY
apiVersion: ram-operator.dev/v1alpha1
kind: RamUser
metadata:
  name: legacy-reader
  namespace: CORNER
spec:
  accountRef:
    name: CORNER
  adoption: IfUnowned
  attachments: Report
  comments: "reads: the sensor table"
  deletionPolicy: Retain
  displayName: "Team A: reader"
  groups:
  - name: Readers
    type: Ram
  policies:
  - name: AliyunOTSReadOnlyAccess
    type: System
  - name: sensors-read
    type: Custom
  userName: Legacy_Reader
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_people_made_by_hand_is_printed_and_the_server_takes_it() {
    let world = World::new("import").await;
    legacy(&world.ram.person());
    let versions = world.versions().await;
    let began = world.clock.now();
    let ended = import(&world, &[], &[]).await;
    let (head, manifests) = printed(&world, &ended);
    let wanted = MANIFESTS.replace("CORNER", &world.ns).replace("KEY\n", &key_line(&world, "Legacy_Reader"));
    assert_eq!(manifests, wanted);
    assert_eq!(ended.stderr, "read 1 of 1 users\nread 1 of 1 groups\nread 1 of 1 policies\n");

    let mut lines = head.lines();
    let first = lines.next().expect("a line");
    let rest =
        first.strip_prefix(&format!("# What account {} has in RAM for users named *, at ", world.ram.account_id()));
    let time = rest.and_then(|rest| rest.strip_suffix(" by RAM's clock.")).expect(first);
    let time: Timestamp = time.parse().expect("a time");
    assert!((time.as_second() - began.as_second()).abs() < 300, "{time}");
    let counts = format!("# For the namespace {}: 1 RamPolicy, 1 RamGroup, 1 RamUser. Nothing was changed.", world.ns);
    assert_eq!(lines.next(), Some(counts.as_str()));
    assert_eq!(left_out(&head), ["user ram-operator: the operator signs with it"]);
    for says in ["adoption: IfUnowned", "attachments: Report", "deletionPolicy: Retain", "Apply a RamAccessKey"] {
        assert!(head.contains(says), "{head}");
    }

    // Nothing was written anywhere, and nothing that could have been.
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(world.versions().await, versions);
    // Only the time is another one the second time.
    let (_, again) = printed(&world, &import(&world, &[], &[]).await);
    assert_eq!(again, manifests);

    apply(&manifests).await;
    let stored = world.dynamic("RamUser", Some(&world.ns)).get("legacy-reader").await.expect("there");
    assert_eq!(stored.data["spec"]["userName"], "Legacy_Reader");
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ram_has_the_server_takes_what_is_printed() {
    let world = World::with("import_odd", Options { page_size_limit: 3, ..Options::default() }).await;
    let person = world.ram.person();
    let long = "\u{4e2d}".repeat(60);
    for (name, comments) in [
        ("a_b", ""),
        ("a-b", "yes"),
        ("007", "two\nlines"),
        ("_", "[ram-operator:broken"),
        (&*"X".repeat(64), long.as_str()),
        ("-leading", ""),
        ("rich", "\u{2028} # - {"),
        ("on", "null"),
        ("full", "z".repeat(100).as_str()),
        ("locked", ""),
    ] {
        person.create_user(name, comments);
    }
    person.set_display_name("007", "1e3");
    person.set_display_name("rich", &"x".repeat(200));
    for n in 0..12 {
        person.create_custom_policy(&format!("p{n}"), DOCUMENT);
        person.attach("rich", "Custom", &format!("p{n}"));
        person.add_to_group("rich", &format!("g{n}"));
    }
    person.create_custom_policy("odd", r#"{"Version":"2","Statement":[]}"#);
    person.attach("on", "Custom", "odd");
    person.give_login_profile("on");
    person.give_login_profile("locked");
    person.set_login_profile_status("locked", false);
    person.set_mfa_bind_required("locked", true);

    let (head, manifests) = printed(&world, &import(&world, &[], &[]).await);
    let users: Vec<Value> = documents(&manifests).into_iter().filter(|one| one["kind"] == "RamUser").collect();
    let user = |name: &str| users.iter().find(|one| one["spec"]["userName"] == name).expect(name);
    assert_eq!(users.len(), 9);
    assert!(user("a_b")["metadata"]["name"] != user("a-b")["metadata"]["name"]);
    assert_eq!(user("a_b")["spec"]["policies"], json!([]));
    // What the schema does not take stays in RAM, and is never cut.
    for name in ["007", "_", "full", &*"X".repeat(64)] {
        assert!(user(name)["spec"]["comments"].is_null(), "{name}");
    }
    let stays = "# `comments` is left out, and what RAM has stays before the marker: ";
    for text in ["two\nlines", "[ram-operator:broken", long.as_str()] {
        assert!(manifests.contains(&format!("{stays}{text:?}\n")), "{text:?}: {manifests}");
    }
    assert!(
        manifests.contains("the adoption waits (NoRoomForMarker) until RAM has at most 76 characters"),
        "{manifests}"
    );
    assert_eq!(user("007")["spec"]["displayName"], "1e3");
    assert_eq!(user("on")["metadata"]["name"], "on");
    assert_eq!(user("locked")["spec"]["consoleLogin"], json!({"state": "Disabled", "mfa": "Required"}));
    let odd = &user("rich")["spec"];
    assert!(odd["policies"].is_null() && odd["groups"].is_null() && odd["displayName"].is_null(), "{odd}");
    assert!(manifests.contains("# Log-on to the console is enabled. `consoleLogin` is left out"), "{manifests}");
    assert!(user("on")["spec"]["consoleLogin"].is_null());
    let left = left_out(&head);
    assert!(left.contains(&"user -leading: its name is none that can be managed"), "{head}");
    assert!(left.iter().any(|line| line.starts_with("policy odd: its document is not understood: ")), "{head}");
    apply(&manifests).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_glob_and_users_only_print_less() {
    let world = World::new("import_glob").await;
    let person = world.ram.person();
    legacy(&person);
    person.create_user("legacy.writer", "");
    person.create_user("other", "");
    person.add_to_group("other", "others");
    let (head, manifests) = printed(&world, &import(&world, &["--user=legacy?*"], &[]).await);
    let all = ["RamPolicy sensors-read", "RamGroup readers", "RamUser legacy-reader", "RamUser legacy.writer"];
    assert_eq!(names(&manifests), all);
    assert!(head.contains("for users named legacy?*, at"), "{head}");
    assert_eq!(left_out(&head), Vec::<&str>::new());

    world.ram.clear_journal();
    let (_, manifests) = printed(&world, &import(&world, &["--user=legacy*", "--users-only"], &[]).await);
    assert_eq!(names(&manifests), all[2..]);
    let calls: Vec<String> = world.ram.journal().into_iter().map(|call| call.action).collect();
    assert!(
        !calls.iter().any(|action| ["GetGroup", "ListPoliciesForGroup", "GetPolicy"].contains(&&**action)),
        "{calls:?}"
    );

    let (head, manifests) = printed(&world, &import(&world, &["--user=nobody"], &[]).await);
    assert_eq!(manifests, "");
    assert!(head.contains(": 0 RamPolicies, 0 RamGroups, 0 RamUsers."), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_managed_already_is_left_out() {
    let world = World::new("import_ours").await;
    world
        .tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "documents": {"actions": ["ots:*"], "resources": ["acs:ots:*:*:*"]}}))
        .await;
    let operator = world.operator().await;
    let spec = json!({"accountRef": {"name": world.name}, "documentJson": DOCUMENT});
    world.apply(json!({"kind": "RamPolicy", "metadata": {"name": "ours", "namespace": world.ns}, "spec": spec})).await;
    let spec = json!({"accountRef": {"name": world.name}, "policies": []});
    world.apply(json!({"kind": "RamGroup", "metadata": {"name": "ours", "namespace": world.ns}, "spec": spec})).await;
    world.user("reader", json!({})).await;
    world.user("writer", json!({})).await;
    let policy =
        world.available("RamPolicy", "ours").await["status"]["policyName"].as_str().expect("a name").to_owned();
    world.available("RamGroup", "ours").await;
    world.available("RamUser", "reader").await;
    world.available("RamUser", "writer").await;
    operator.stop().await;

    let person = world.ram.person();
    legacy(&person);
    person.attach("Legacy_Reader", "Custom", &policy);
    person.add_to_group("Legacy_Reader", &world.ram_name("ours"));
    let elsewhere = Marker::of("elsewhere", "a", "b", "12345678-9").append_to("theirs");
    person.create_user("theirs", &elsewhere);
    let nameless = Marker::of("test", "no-such", "object", "12345678-9").append_to("");
    person.create_user("nameless", &nameless);

    world.ram.clear_journal();
    let (head, manifests) = printed(&world, &import(&world, &[], &[]).await);
    let all = ["RamPolicy sensors-read", "RamGroup readers", "RamUser legacy-reader"];
    assert_eq!(names(&manifests), all);
    let ns = &world.ns;
    let mut wanted = vec![
        format!("group {ns}.ours: managed by the RamGroup {ns}/ours"),
        format!("policy {policy}: managed by the RamPolicy {ns}/ours"),
        format!("user {ns}.writer: managed by the RamUser {ns}/writer"),
        format!("user {ns}.reader: managed by the RamUser {ns}/reader"),
        "user nameless: managed by this installation".to_owned(),
        "user ram-operator: the operator signs with it".to_owned(),
        "user theirs: managed by the installation with the ownerId elsewhere".to_owned(),
    ];
    wanted.sort();
    let mut left: Vec<String> = left_out(&head).into_iter().map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, wanted);
    assert_eq!(world.writes(), Vec::<String>::new());
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_that_assumes_the_operators_role_is_left_out() {
    let roles = vec![RolePreset::new("operator", Trust::Account)];
    let world = World::bare("import_role", Options { roles, ..Options::default() }).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let role = format!("acs:ram::{}:role/operator", world.ram.account_id());
    world.ram.person().attach(OPERATOR, "System", "AliyunSTSAssumeRoleAccess");
    world.account(json!({"credentials": {"assumeRole": {"roleArn": role}}})).await;
    world.ram.person().create_user("somebody", "");
    let (head, manifests) = printed(&world, &import(&world, &[], &[]).await);
    assert_eq!(left_out(&head), ["user ram-operator: the operator signs with it"]);
    assert_eq!(names(&manifests), ["RamUser somebody"]);
    assert!(!head.contains("is not known here"), "{head}");
    assert_eq!(world.writes(), Vec::<String>::new());
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_read_page_by_page_through_throttling_and_deletions() {
    let world = World::with("import_crowd", Options { page_size_limit: 7, ..Options::default() }).await;
    let person = world.ram.person();
    for n in 0..40 {
        person.create_user(&format!("u{n:02}"), "");
    }
    // More often than the client itself tries.
    world.ram.fault(Fault::on("ListUsers", FaultKind::Throttle { retry_after: None }).times(4));
    // One is deleted between the list and the look at it.
    let deleting = person.clone();
    let hook: Hook = Arc::new(move |call: CallInfo, phase| {
        let seen =
            call.action == "ListPoliciesForUser" && call.params.get("UserName").is_some_and(|name| name == "u07");
        if seen && phase == Phase::Before {
            deleting.delete_user_by_force("u07");
        }
        Box::pin(async { Outcome::Go })
    });
    world.ram.set_hook(Some(hook));
    let ended = import(&world, &["--user=u*"], &[]).await;
    world.ram.set_hook(None);
    let (_, manifests) = printed(&world, &ended);
    let all: Vec<String> = (0..40).filter(|n| *n != 7).map(|n| format!("RamUser u{n:02}")).collect();
    assert_eq!(names(&manifests), all);
    let said: Vec<&str> = ended.stderr.lines().collect();
    let steps = ["read 10 of 40 users", "read 20 of 40 users", "read 30 of 40 users", "read 40 of 40 users"];
    assert_eq!(said, steps);
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// What is wrong with a failure, progress aside: it must say this in its last line, print nothing, and end with 1.
fn fails(what: &str, ended: &Ended, says: &str) -> Option<String> {
    let mut lines: Vec<&str> = ended.stderr.lines().collect();
    lines.retain(|line| !line.starts_with("read "));
    let stderr = lines.iter().map(|line| format!("{line}\n")).collect();
    one_line(what, &Ended { code: ended.code, stdout: ended.stdout.clone(), stderr }, 1, says)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_an_import_is_said_in_one_line() {
    let world = World::new("import_troubles").await;
    let namespace = format!("--namespace={}", world.ns);
    let account = format!("--account={}", world.name);
    let mut complaints = Vec::new();

    let ended = as_administrator(&["--account=no-such", &namespace], &[]).await;
    complaints.extend(fails("no account", &ended, "there is no RamAccount no-such in this cluster"));
    let ended = as_administrator(&[&account, &namespace], &[]).await;
    complaints.extend(fails("endpoints", &ended, "An endpoint outside aliyuncs.com, or without TLS, is not allowed"));
    let ended = import(&world, &["--operator-namespace=elsewhere"], &[]).await;
    let says = format!("Secret elsewhere/{} is not there", world.name);
    complaints.extend(fails("no Secret", &ended, &says));
    let ended = import(&world, &["--credentials-from-environment"], &[]).await;
    let says = "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set here";
    complaints.extend(fails("no variables", &ended, says));
    let ended = run(&["import", &account, &namespace], &[]).await;
    complaints.extend(fails("no cluster", &ended, "no way to a cluster"));

    let person = world.ram.person();
    person.deny("ListUsers");
    let ended = import(&world, &[], &[]).await;
    complaints.extend(fails("a right in RAM", &ended, "`ram-operator policy --import` prints what an import needs"));
    person.allow("ListUsers");
    person.create_user("somebody", "");
    let lost = FaultKind::Status { status: 404, code: "EntityNotExist.User".to_owned() };
    world.ram.fault(Fault::on("ListGroupsForUser", lost));
    let ended = import(&world, &[], &[]).await;
    complaints.extend(fails("half a user", &ended, "RAM refused ListGroupsForUser (EntityNotExist.User"));
    world.ram.clear_faults();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(world.writes(), Vec::<String>::new());
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_or_a_silent_one_is_read_no_further() {
    let world = World::bare("import_wrong", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.account(json!({"accountId": "9999999999999999"})).await;
    let ended = import(&world, &[], &[]).await;
    let complaint = fails("another account", &ended, "belong to another account than the pinned one");
    assert_eq!(complaint, None);
    let asked: Vec<String> = world.ram.journal().into_iter().map(|call| call.action).collect();
    assert!(asked.iter().all(|action| action == "GetCallerIdentity"), "{asked:?}");

    let world = World::bare("import_silent", Options::default()).await;
    world.credentials(&id, &secret).await;
    world.account(json!({"endpoints": {"sts": "http://127.0.0.1:1"}})).await;
    let ended = import(&world, &[], &[]).await;
    let says = "RAM does not answer GetCallerIdentity. Check the network and the endpoints of the RamAccount";
    assert_eq!(fails("no answer", &ended, says), None);

    let world = World::bare("import_rrsa", Options::default()).await;
    world.account(json!({"credentials": {"source": "Rrsa", "secret": null}})).await;
    let ended = import(&world, &[], &[]).await;
    let says = "the RamAccount says source: Rrsa, and ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
    assert_eq!(fails("no role", &ended, says), None);
}

/// A kubeconfig for a ServiceAccount of this corner that has no rights yet.
async fn nobody(world: &World) -> (TempDir, String) {
    let accounts: Api<ServiceAccount> = Api::namespaced(world.admin.clone(), &world.ns);
    let account = serde_json::from_value(json!({"metadata": {"name": "importer"}})).expect("a ServiceAccount");
    accounts.create(&PostParams::default(), &account).await.expect("made");
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let answer = accounts.create_token_request("importer", &PostParams::default(), &request).await.expect("a token");
    let config = kubeconfig(&answer.status.expect("a token").token).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, config.to_string()).expect("written");
    let file = file.to_str().expect("a path in UTF-8").to_owned();
    (folder, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_secret_brings_a_pair_along() {
    let world = World::new("import_rights").await;
    world.ram.person().create_user("somebody", "");
    let (_folder, file) = nobody(&world).await;
    let (account, namespace) = (format!("--account={}", world.name), format!("--namespace={}", world.ns));
    let flags = [account.as_str(), namespace.as_str(), "--allow-custom-endpoints"];
    let ended = with_kubeconfig(&file, &flags, &[]).await;
    let says = format!("the cluster does not let you read the RamAccount {}", world.name);
    assert_eq!(fails("no right to the account", &ended, &says), None);

    let role = serde_json::from_value(json!({
        "metadata": {"name": world.name},
        "rules": [{"apiGroups": ["ram-operator.dev"], "resources": ["ramaccounts"], "verbs": ["get"]}],
    }));
    let roles: Api<ClusterRole> = Api::all(world.admin.clone());
    roles.create(&PostParams::default(), &role.expect("a ClusterRole")).await.expect("made");
    let binding = serde_json::from_value(json!({
        "metadata": {"name": world.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": world.name},
        "subjects": [{"kind": "ServiceAccount", "name": "importer", "namespace": world.ns}],
    }));
    let bindings: Api<ClusterRoleBinding> = Api::all(world.admin.clone());
    bindings.create(&PostParams::default(), &binding.expect("a ClusterRoleBinding")).await.expect("made");

    let says = format!("the cluster does not let you read the Secret ram-operator/{}", world.name);
    // The server takes a moment to know of the role.
    let ended = eventually("the right to read the RamAccount", || async {
        let ended = with_kubeconfig(&file, &flags, &[]).await;
        if ended.stderr.contains("does not let you read the RamAccount") { Err("not yet") } else { Ok(ended) }
    })
    .await;
    assert_eq!(fails("no right to the Secret", &ended, &says), None);
    assert!(ended.stderr.contains("--credentials-from-environment"), "{}", ended.stderr);

    // A person who may read, and has none of the operator's rights.
    let person = world.ram.person();
    person.attach(OPERATOR, "System", "AliyunRAMReadOnlyAccess");
    person.detach(OPERATOR, "Custom", OPERATOR);
    let (id, secret) = world.ram.access_key();
    let pair = [("ALIBABA_CLOUD_ACCESS_KEY_ID", id.as_str()), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret.as_str())];
    let flags = [&flags[..], &["--credentials-from-environment"]].concat();
    let ended = with_kubeconfig(&file, &flags, &pair).await;
    let (head, manifests) = printed(&world, &ended);
    // The pair is the person's: who it is of does not tell who the operator is.
    assert!(head.contains("# Which user the operator signs with is not known here."), "{head}");
    assert_eq!(names(&manifests), ["RamUser ram-operator", "RamUser somebody"]);
    assert_eq!(world.writes(), Vec::<String>::new());
    world.examine(None).await;
}
