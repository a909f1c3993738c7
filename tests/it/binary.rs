//! The program as a process: flags, output, exit codes, signals, and a life in a real cluster.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, DeleteParams, PostParams};
use ram_operator::api;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chart::{documents, floats};
use crate::oracle;
use crate::support::operator::{NAMESPACE, token};
use crate::support::ram::Options;
use crate::world::{World, eventually, shared};

/// A running program. Dropping it kills it.
struct Program {
    child: Child,
    /// Where its output goes, and its kubeconfig is.
    folder: TempDir,
}

impl Program {
    /// Starts it with these arguments and nothing but these variables.
    fn start(folder: TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_ram-operator"))
            .args(arguments)
            .env_clear()
            // Without it the home of whoever runs the tests is looked up, and a kubeconfig in it.
            .env("HOME", folder.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the program starts");
        Self { child, folder }
    }

    fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).expect("text")
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).expect("text")
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = "kill -s \"$1\" \"$2\"";
        let sent = Command::new("sh").args(["-c", kill, "kill", name, &pid]).status().expect("sh runs");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Waits for its end.
    async fn ended(&mut self) -> ExitStatus {
        eventually("the program to end", || {
            let status = self.child.try_wait().expect("a child of ours");
            async move { status.ok_or("it runs") }
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended; there is nothing else to do about an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a program ended that ends by itself.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs it with these arguments and nothing but these variables, until it ends by itself.
pub async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut program = Program::start(tempfile::tempdir().expect("a folder"), arguments, variables);
    let code = program.ended().await.code();
    Ended { code, stdout: program.stdout(), stderr: program.stderr() }
}

/// An address that is free now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_flags_get_one_line_and_exit_code_2() {
    let mut complaints = Vec::new();
    let flags: &[(&[&str], &str)] = &[
        (&["--no-such"], "unexpected argument '--no-such' found"),
        (&["nosuch"], "unrecognized subcommand 'nosuch'"),
        (&["run", "--workers=0"], "'--workers <WORKERS>': 0 is not in 1..=256"),
        (&["run", "--workers=257"], "257 is not in 1..=256"),
        (&["run", "--workers"], "a value is required for '--workers <WORKERS>'"),
        (&["run", "--listen=nowhere"], "invalid value 'nowhere' for '--listen <ADDRESS:PORT>'"),
        (&["run", "--log-format=xml"], "invalid value 'xml' for '--log-format <LOG_FORMAT>'"),
        (&["run", "--log-level=info,ram_operator=loud"], "--log-level: "),
        (&["run", "--namespace=A_B"], "must be the name of a namespace"),
        (&["run", "--credentials-namespace=-a"], "must be the name of a namespace"),
        (&["run", "--watch-label-selector=;"], "must be a label selector such as 'shard=a'"),
        (&["run", "--hand-over-after=soon"], "must be a duration such as 30s"),
        (&["run", "--leader-elect=maybe"], "invalid value 'maybe' for '--leader-elect"),
        (&["run", "--lease-name=A_B"], "must be the name of an object"),
        (&["run", "--lease-duration=5s"], "must be whole seconds from 6s to 10m"),
        (&["run", "--lease-duration=11m"], "must be whole seconds from 6s to 10m"),
        (&["run", "--lease-duration=6500ms"], "must be whole seconds from 6s to 10m"),
        (&["run", "extra"], "unexpected argument 'extra' found"),
        (&["crds", "--json"], "unexpected argument '--json' found"),
        (&["policy", "--account=12"], "must be an account number"),
        (&["policy", "--user-name-prefix=a/b"], "must have at most 20 letters"),
        (&["policy", "--attach-system=a/b"], "must be the name of a policy"),
        (&["policy", "--attach-custom=a b"], "must be the name of a policy"),
        (&["import"], "were not provided: --namespace <NAMESPACE>"),
        (&["import", "--namespace=A_B"], "must be the name of a namespace"),
        (&["import", "--namespace=a", "--account=A_B"], "must be the name of an object"),
        (&["import", "--namespace=a", "--user=a/b"], "must be the name of a user"),
        (&["import", "--namespace=a", "--user="], "must be the name of a user"),
        (&["import", "--namespace=a", "--operator-namespace=A_B"], "must be the name of a namespace"),
        (&["import", "--namespace=a", "extra"], "unexpected argument 'extra' found"),
    ];
    for &(arguments, says) in flags {
        let ended = run(arguments, &[]).await;
        complaints.extend(one_line(&arguments.join(" "), &ended, 2, says));
    }
    for (variable, value, says) in [
        ("RAM_OPERATOR_LOG_FORMAT", "xml", "invalid value 'xml' for '--log-format <LOG_FORMAT>'"),
        ("RAM_OPERATOR_LOG_LEVEL", "info,ram_operator=loud", "--log-level: "),
        ("POD_NAMESPACE", "A_B", "must be the name of a namespace"),
    ] {
        let both: [&[&str]; 2] = [&["run"], &[]];
        for arguments in both {
            let ended = run(arguments, &[(variable, value)]).await;
            let what = format!("{variable}={value} ram-operator {}", arguments.join(" "));
            complaints.extend(one_line(&what, &ended, 2, says));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What is wrong with a failure: it must say this, in one line, with this exit code.
pub fn one_line(what: &str, ended: &Ended, code: i32, says: &str) -> Option<String> {
    let stderr = &ended.stderr;
    let one = stderr.lines().count() == 1 && stderr.starts_with("ram-operator: ") && stderr.contains(says);
    let silent = ended.stdout.is_empty();
    (!one || !silent || ended.code != Some(code))
        .then(|| format!("{what}\n    exit code {:?}, stderr {stderr:?}, stdout {:?}", ended.code, ended.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_version_are_no_errors() {
    let asked: &[(&[&str], &str)] = &[
        (&["--help"], "Usage: ram-operator"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["run", "--help"], "--watch-label-selector"),
        (&["crds", "--help"], "custom resource definitions"),
        (&["policy", "--help"], "--attach-system"),
        (&["import", "--help"], "--credentials-from-environment"),
    ];
    for &(arguments, says) in asked {
        let ended = run(arguments, &[]).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}");
        assert!(ended.stdout.contains(says), "{arguments:?}: {}", ended.stdout);
        assert!(ended.stderr.is_empty(), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crds_prints_the_crds() {
    let ended = run(&["crds"], &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let printed = documents(&ended.stdout);
    let mut wanted = api::crds().expect("CRDs");
    wanted.iter_mut().for_each(floats);
    assert_eq!(printed.len(), 7);
    assert!(printed == wanted, "what is printed is not what the types give");
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_prints_a_ram_policy() {
    let ended = run(&["policy"], &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let usual: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(usual["Version"], "1");
    for statement in usual["Statement"].as_array().expect("statements") {
        assert_eq!(statement["Effect"], "Allow");
        for action in statement["Action"].as_array().expect("actions") {
            let action = action.as_str().expect("a text");
            assert!(action.starts_with("ram:") && !action.contains('*'), "{action}");
        }
    }
    assert!(ended.stdout.contains("\"acs:ram:*:*:user/*\""), "{}", ended.stdout);

    let account = "1234567890123456";
    let narrow = [
        "policy",
        "--account=1234567890123456",
        "--user-name-prefix=k8s.",
        "--attach-system=AliyunOSS*",
        "--attach-system=AliyunOTSReadOnlyAccess",
        "--attach-custom=shared-?",
    ];
    let ended = run(&narrow, &[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let narrow: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let statements = narrow["Statement"].as_array().expect("statements");
    let resource = |action: &str| {
        let action = json!(format!("ram:{action}"));
        let allows = |statement: &&Value| statement["Action"].as_array().is_some_and(|all| all.contains(&action));
        statements.iter().find(allows).unwrap_or_else(|| panic!("no right to {action}"))["Resource"].clone()
    };
    let user = format!("acs:ram:*:{account}:user/k8s.*");
    assert_eq!(
        resource("AttachPolicyToUser"),
        json!([
            user,
            "acs:ram:*:system:policy/AliyunOSS*",
            "acs:ram:*:system:policy/AliyunOTSReadOnlyAccess",
            format!("acs:ram:*:{account}:policy/shared-?"),
        ])
    );
    for action in ["GetAccessKeyLastUsed", "SetAccessKeyPolicy", "GetAccessKeyPolicy", "UnbindMFADevice"] {
        assert_eq!(resource(action), json!(user), "{action}");
    }
    // The recycle bin has no resources of its own.
    for action in ["GetAccessKeyInfoInRecycleBin", "DeleteAccessKeyInRecycleBin"] {
        assert_eq!(resource(action), json!("*"), "{action}");
    }
    assert!(!ended.stdout.contains("acs:ram:*:*:"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("ram:BindMFADevice") && !ended.stdout.contains(":mfa/"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("CreatePolicy\"") && !ended.stdout.contains("AddUserToGroup"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("SetAccountAlias"), "{}", ended.stdout);

    let wide = [
        "policy",
        "--account=1234567890123456",
        "--user-name-prefix=k8s.",
        "--policies",
        "--groups",
        "--console-login",
        "--settings",
        "--virtual-mfa",
    ];
    let ended = run(&wide, &[]).await;
    let wide: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let statements = wide["Statement"].as_array().expect("statements");
    let resources = |action: &str| {
        let action = json!(format!("ram:{action}"));
        let allows = |statement: &&Value| statement["Action"].as_array().is_some_and(|all| all.contains(&action));
        statements.iter().filter(allows).map(|statement| statement["Resource"].clone()).collect::<Vec<_>>()
    };
    let (group, policy) = (format!("acs:ram:*:{account}:group/k8s.*"), format!("acs:ram:*:{account}:policy/k8s-*"));
    assert_eq!(resources("CreatePolicyVersion"), [json!(policy)]);
    assert_eq!(resources("AttachPolicyToUser"), [json!([user, policy])]);
    assert_eq!(resources("AttachPolicyToGroup"), [json!([group, policy])]);
    // What nobody may attach has to go all the same.
    let any = [format!("acs:ram:*:{account}:policy/*"), "acs:ram:*:system:policy/*".to_owned()];
    assert_eq!(resources("DetachPolicyFromUser"), [json!([user, any[0], any[1]])]);
    assert_eq!(resources("UpdateLoginProfile"), [json!(user)]);
    assert_eq!(resources("BindMFADevice"), [json!(user)]);
    for action in ["CreateVirtualMFADevice", "DeleteVirtualMFADevice"] {
        assert_eq!(resources(action), [json!(format!("acs:ram:*:{account}:mfa/*"))], "{action}");
    }
    assert_eq!(resources("AddUserToGroup"), [json!([user, format!("acs:ram:*:{account}:group/*")])]);
    for action in ["SetAccountAlias", "GetAccountAlias", "SetPasswordPolicy", "SetSecurityPreference"] {
        assert_eq!(resources(action), [json!(format!("acs:ram:*:{account}:*"))], "{action}");
    }
    assert_eq!(resources("SetAccessKeyPolicyForAccount"), [json!("*")]);
    // Its own key is of a user with any name.
    assert_eq!(resources("GetAccessKeyPolicy"), [json!(user), json!(format!("acs:ram:*:{account}:user/*"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_lets_an_import_read_everything_and_write_no_more() {
    let flags = ["policy", "--account=1234567890123456", "--user-name-prefix=k8s."];
    let statements = |ended: Ended| {
        let policy: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        policy["Statement"].as_array().expect("statements").clone()
    };
    let usual = statements(run(&flags, &[]).await);
    let more = statements(run(&[&flags[..], &["--import"]].concat(), &[]).await);
    let (same, reads) = more.split_at(usual.len());
    assert_eq!(same, usual);
    let of = |kind: &str| format!("acs:ram:*:1234567890123456:{kind}/*");
    let wanted = json!([
        {
            "Effect": "Allow",
            "Action": [
                "ram:ListUsers", "ram:GetUser", "ram:ListPoliciesForUser", "ram:ListGroupsForUser", "ram:ListAccessKeys",
                "ram:GetLoginProfile",
            ],
            "Resource": of("user"),
        },
        {"Effect": "Allow", "Action": ["ram:GetGroup", "ram:ListPoliciesForGroup"], "Resource": of("group")},
        {
            "Effect": "Allow",
            "Action": ["ram:GetPolicy"],
            "Resource": [of("policy"), "acs:ram:*:system:policy/*"],
        },
    ]);
    assert_eq!(json!(reads), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_it_from_starting_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let ended = run(&["run", &format!("--listen={address}")], &[]).await;
    let complaint = one_line("a taken port", &ended, 1, &format!("cannot listen on {address}"));
    assert_eq!(complaint, None);
    assert!(ended.stderr.contains("Choose another --listen"), "{}", ended.stderr);

    let places: [&[(&str, &str)]; 2] = [&[], &[("KUBECONFIG", "/nowhere/kubeconfig")]];
    for variables in places {
        let ended = run(&["run", "--listen=127.0.0.1:0"], variables).await;
        assert_eq!(one_line("no cluster", &ended, 1, "no way to a cluster"), None);
        assert!(ended.stderr.contains("set KUBECONFIG"), "{}", ended.stderr);
    }
}

/// A kubeconfig for the shared cluster with this token.
pub async fn kubeconfig(token: &str) -> Value {
    let text = fs::read_to_string(shared().await.cluster.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"] = json!({"token": token});
    config
}

/// Lets the ServiceAccount `name` of `namespace` have the Lease of a corner, as the chart's Role does for the Lease of the release.
pub async fn may_lead(world: &World, namespace: &str, name: &str) {
    let group = "coordination.k8s.io";
    let role = serde_json::from_value(json!({
        "metadata": {"name": world.name},
        "rules": [
            {"apiGroups": [group], "resources": ["leases"], "verbs": ["create"]},
            {"apiGroups": [group], "resources": ["leases"], "resourceNames": [world.name], "verbs": ["get", "update"]},
        ],
    }));
    let binding = serde_json::from_value(json!({
        "metadata": {"name": world.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": world.name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }));
    let roles: Api<Role> = Api::namespaced(world.admin.clone(), NAMESPACE);
    roles.create(&PostParams::default(), &role.expect("a Role")).await.expect("made");
    let bindings: Api<RoleBinding> = Api::namespaced(world.admin.clone(), NAMESPACE);
    bindings.create(&PostParams::default(), &binding.expect("a RoleBinding")).await.expect("made");
}

/// The program as an operator of a corner. Dropping it kills it.
pub struct Operator {
    program: Program,
    address: SocketAddr,
    http: reqwest::Client,
}

impl Operator {
    /// The only one.
    pub fn start(world: &World, kubeconfig: &Value) -> Self {
        Self::start_with(world, kubeconfig, &["--leader-elect=false"])
    }

    /// One with further flags.
    pub fn start_with(world: &World, kubeconfig: &Value, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kubeconfig");
        fs::write(&file, kubeconfig.to_string()).expect("written");
        let file = file.to_str().expect("a path in UTF-8").to_owned();
        let address = free();
        let (listen, selector) = (format!("--listen={address}"), format!("--watch-label-selector={}", world.label()));
        let level = "--log-level=debug,ram_operator=trace";
        let mut arguments = vec!["run", listen.as_str(), selector.as_str(), level, "--allow-custom-endpoints"];
        arguments.extend(flags);
        let program = Program::start(folder, &arguments, &[("KUBECONFIG", &file)]);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        Self { program, address, http }
    }

    /// As by SIGKILL.
    pub async fn kill(mut self) {
        self.program.signal("KILL");
        self.program.ended().await;
    }

    /// The most memory that it had, in MiB, as Linux counts it.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    /// Sends a signal and goes on.
    pub fn signal(&self, name: &str) {
        self.program.signal(name);
    }

    /// Waits until it ends by itself: its exit code and what it said.
    pub async fn ended(mut self) -> (Option<i32>, String) {
        let status = self.program.ended().await;
        (status.code(), self.program.stderr())
    }

    async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let answer = self.http.get(format!("http://{}{path}", self.address)).send().await.map_err(|e| e.to_string())?;
        let code = answer.status().as_u16();
        Ok((code, answer.text().await.map_err(|e| e.to_string())?))
    }

    /// Waits until `/readyz` answers so.
    pub async fn readiness(&self, code: u16, says: &str) {
        eventually(&format!("/readyz to answer {code} {says}"), || async {
            match self.get("/readyz").await {
                Ok((seen, text)) if seen == code && text.contains(says) => Ok(()),
                other => Err(format!("{other:?}\n{}", self.program.stderr())),
            }
        })
        .await;
    }

    /// Waits until it works.
    pub async fn ready(&self) {
        self.readiness(200, "ok").await;
    }

    /// Asks it to end, and sees that it ends well and soon.
    async fn end(mut self, signal: &str) -> String {
        let began = Instant::now();
        self.program.signal(signal);
        let status = self.program.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.program.stderr());
        assert!(began.elapsed() < Duration::from_secs(60), "it took {:?} to end", began.elapsed());
        let said = self.program.stderr();
        assert!(said.contains("shutting down"), "{said}");
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_works_in_a_cluster_until_sigterm() {
    let world = World::new("binary_run").await;
    let token = token(&world.admin).await.expect("a token");
    // With the usual flags, so that it is the chart's Role that gives the right to lead. No other test uses this Lease.
    let operator = Operator::start_with(&world, &kubeconfig(&token).await, &[]);
    operator.ready().await;
    let leases: Api<Lease> = Api::namespaced(world.admin.clone(), NAMESPACE);
    let holder = || async {
        let lease = leases.get("ram-operator").await.expect("a Lease");
        lease.spec.and_then(|spec| spec.holder_identity).expect("a holder")
    };
    assert!(holder().await.starts_with("ram-operator_"), "{}", holder().await);
    assert_eq!(operator.get("/healthz").await, Ok((200, "ok\n".to_owned())));
    assert_eq!(operator.get("/nothing").await.map(|(code, _)| code), Ok(404));

    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let (_, secret) = world.pair("ingest").await;
    let (code, metrics) = operator.get("/metrics").await.expect("an answer");
    assert_eq!(code, 200);
    for name in ["ram_operator_ram_calls_total", "ram_operator_reconciles_total", "ram_operator_objects"] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name} is not in:\n{metrics}");
    }
    assert!(metrics.lines().any(|line| line == "ram_operator_leader 1"), "{metrics}");

    let said = operator.end("TERM").await;
    assert_eq!(holder().await, "", "the lease is given back");
    for line in said.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "not JSON: {line}");
    }
    let mut secrets = world.ram.secrets();
    secrets.extend([secret, token]);
    oracle::examine("the program's log", &said, &secrets);
    oracle::examine("the program's metrics", &metrics, &secrets);
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_ends_it_as_well() {
    let world = World::bare("binary_int", Options::default()).await;
    let operator = Operator::start(&world, &kubeconfig(&token(&world.admin).await.expect("a token")).await);
    operator.ready().await;
    operator.end("INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_does_not_answer_is_waited_for() {
    let world = World::bare("binary_away", Options::default()).await;
    let mut config = kubeconfig("none").await;
    config["clusters"][0]["cluster"]["server"] = json!(format!("https://{}", free()));
    let operator = Operator::start(&world, &config);
    operator.readiness(503, "not ready: the cluster's API does not answer").await;
    assert_eq!(operator.get("/healthz").await, Ok((200, "ok\n".to_owned())));
    operator.end("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named_and_waited_for() {
    let world = World::bare("binary_rights", Options::default()).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(world.admin.clone(), &world.ns);
    let account = serde_json::from_value(json!({"metadata": {"name": "fresh"}})).expect("a ServiceAccount");
    accounts.create(&PostParams::default(), &account).await.expect("made");
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let answer = accounts.create_token_request("fresh", &PostParams::default(), &request).await.expect("a token");
    let config = kubeconfig(&answer.status.expect("a token").token).await;
    let operator = Operator::start_with(&world, &config, &[&format!("--lease-name={}", world.name)]);
    let says = "not ready: the right to list ramaccounts.ram-operator.dev is missing; the chart's ClusterRole has it";
    operator.readiness(503, says).await;
    assert_eq!(operator.get("/healthz").await, Ok((200, "ok\n".to_owned())));

    let binding = serde_json::from_value(json!({
        "metadata": {"name": world.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "ram-operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "fresh", "namespace": world.ns}],
    }))
    .expect("a ClusterRoleBinding");
    let bindings: Api<ClusterRoleBinding> = Api::all(world.admin.clone());
    bindings.create(&PostParams::default(), &binding).await.expect("made");
    let says = "not ready: the right to get leases in the namespace ram-operator is missing; the chart's Role has it";
    operator.readiness(503, says).await;

    may_lead(&world, &world.ns, "fresh").await;
    operator.ready().await;
    bindings.delete(&world.name, &DeleteParams::default()).await.expect("deleted");
    let said = operator.end("TERM").await;
    assert!(said.contains("the right to list ramaccounts.ram-operator.dev is missing"), "{said}");
}
