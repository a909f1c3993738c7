//! The chart: what it renders, what it refuses, what it installs, and which rights that gives to whom.

use std::path::{Path, PathBuf};
use std::process::Output;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::support::operator::{NAMESPACE, install_chart};
use crate::support::ram::Options;
use crate::world::{World, eventually, merge, shared};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/ram-operator")
}

/// The documents of a YAML text, with every number as a float: `50` and `50.0` are the same to JSON.
pub fn documents(text: &str) -> Vec<Value> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    documents.retain(|document| !document.is_null());
    documents.iter_mut().for_each(floats);
    documents
}

/// Makes every number a float.
pub fn floats(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.as_f64()),
        Value::Array(items) => items.iter_mut().for_each(floats),
        Value::Object(map) => map.values_mut().for_each(floats),
        _ => {}
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn helm(arguments: &[&str]) -> Output {
    shared().await.cluster.helm().args(arguments).output().expect("helm runs")
}

async fn helm_ok(arguments: &[&str]) -> String {
    let output = helm(arguments).await;
    assert!(output.status.success(), "helm {}: {}", arguments.join(" "), err(&output));
    out(&output)
}

async fn kubectl(arguments: &[&str]) -> String {
    let output = shared().await.cluster.kubectl().args(arguments).output().expect("kubectl runs");
    assert!(output.status.success(), "kubectl {}: {}", arguments.join(" "), err(&output));
    out(&output)
}

async fn template(values: &[&str]) -> Output {
    let chart = folder();
    let chart = chart.to_str().expect("a path in UTF-8");
    let mut arguments = vec!["template", "shard", chart, "--namespace", "elsewhere"];
    for value in values {
        arguments.extend(["--set", *value]);
    }
    helm(&arguments).await
}

async fn rendered(values: &[&str]) -> Vec<Value> {
    let output = template(values).await;
    assert!(output.status.success(), "{values:?}: {}", err(&output));
    documents(&out(&output))
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

fn deployment(documents: &[Value]) -> &Value {
    let found = of_kind(documents, "Deployment");
    assert_eq!(found.len(), 1);
    found[0]
}

fn container(documents: &[Value]) -> &Value {
    &deployment(documents)["spec"]["template"]["spec"]["containers"][0]
}

fn flags(documents: &[Value]) -> Vec<String> {
    let flags = container(documents)["args"].as_array().expect("args");
    flags.iter().map(|flag| flag.as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lint_has_nothing_to_say() {
    let chart = folder();
    let output = helm(&["lint", "--strict", chart.to_str().expect("a path in UTF-8")]).await;
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    assert!(!out(&output).contains("[WARNING]"), "{}", out(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_rendered() {
    let usual = rendered(&[]).await;
    let mut kinds: Vec<&str> = usual.iter().filter_map(|document| document["kind"].as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "ClusterRole",
            "ClusterRole",
            "ClusterRole",
            "ClusterRole",
            "ClusterRoleBinding",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "Deployment",
            "PodDisruptionBudget",
            "Role",
            "RoleBinding",
            "ServiceAccount",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingAdmissionPolicyBinding",
        ]
    );
    assert_eq!(deployment(&usual)["metadata"]["name"], "shard-ram-operator");
    let lease = "--lease-name=shard-ram-operator";
    assert_eq!(flags(&usual), ["run", "--log-format=json", "--log-level=info", "--listen=0.0.0.0:8080", lease]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(container(&usual)["image"], format!("ghcr.io/ram-operator/ram-operator:{version}"), "appVersion");

    let flagged = rendered(&[
        "log.format=text",
        "log.level=debug",
        "allowCustomEndpoints=true",
        "watchLabelSelector=shard=a",
        "credentials.namespaces={team-a,team-b}",
        "extraArgs={--workers=4}",
    ])
    .await;
    assert_eq!(
        flags(&flagged),
        [
            "run",
            "--log-format=text",
            "--log-level=debug",
            "--listen=0.0.0.0:8080",
            "--credentials-namespace=team-a",
            "--credentials-namespace=team-b",
            "--allow-custom-endpoints",
            lease,
            "--watch-label-selector=shard=a",
            "--workers=4",
        ]
    );

    let digest = format!("image.digest=sha256:{}", "a".repeat(64));
    let values = ["fullnameOverride=ram", "crds.install=false", "image.repository=example.com/ram", &digest];
    let named = rendered(&values).await;
    assert_eq!(of_kind(&named, "CustomResourceDefinition").len(), 0);
    assert_eq!(deployment(&named)["metadata"]["name"], "ram");
    assert_eq!(container(&named)["image"], format!("example.com/ram@sha256:{}", "a".repeat(64)));

    let account = rendered(&["serviceAccount.create=false", "serviceAccount.name=mine"]).await;
    assert_eq!(of_kind(&account, "ServiceAccount").len(), 0);
    assert_eq!(deployment(&account)["spec"]["template"]["spec"]["serviceAccountName"], "mine");
    assert_eq!(of_kind(&account, "ClusterRoleBinding")[0]["subjects"][0]["name"], "mine");

    let more = rendered(&["metrics.serviceMonitor.enabled=true", "networkPolicy.enabled=true"]).await;
    for kind in ["Service", "ServiceMonitor", "NetworkPolicy"] {
        assert_eq!(of_kind(&more, kind).len(), 1, "{kind}");
    }
}

/// The rules of a role about a group of the API.
fn rules<'a>(role: &'a Value, group: &str) -> Vec<&'a Value> {
    let rules = role["rules"].as_array().expect("rules");
    rules.iter().filter(|rule| rule["apiGroups"] == json!([group])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_elect_a_leader_and_one_alone_need_not() {
    let spread =
        |documents: &[Value]| deployment(documents)["spec"]["template"]["spec"]["topologySpreadConstraints"].clone();
    let usual = rendered(&[]).await;
    let spec = &deployment(&usual)["spec"];
    assert_eq!(spec["replicas"], json!(2.0));
    assert_eq!(spec["strategy"]["type"], "RollingUpdate");
    let budget = &of_kind(&usual, "PodDisruptionBudget")[0]["spec"];
    assert_eq!(budget["maxUnavailable"], json!(1.0));
    assert_eq!(budget["selector"], spec["selector"]);
    assert_eq!(spread(&usual)[0]["whenUnsatisfiable"], "ScheduleAnyway");
    assert_eq!(spread(&usual)[0]["labelSelector"], spec["selector"]);
    let role = of_kind(&usual, "Role")[0];
    assert_eq!(role["metadata"]["namespace"], "elsewhere");
    let named = json!({
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["shard-ram-operator"],
        "verbs": ["get", "update"],
    });
    let create = json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]});
    assert_eq!(role["rules"], json!([create, named]));
    let subject = json!({"kind": "ServiceAccount", "name": "shard-ram-operator", "namespace": "elsewhere"});
    assert_eq!(of_kind(&usual, "RoleBinding")[0]["subjects"], json!([subject]));

    let own = rendered(&["topologySpreadConstraints[0].topologyKey=zone", "fullnameOverride=ram"]).await;
    assert_eq!(spread(&own), json!([{"topologyKey": "zone"}]));
    assert!(flags(&own).contains(&"--lease-name=ram".to_owned()), "{:?}", flags(&own));
    assert_eq!(rules(of_kind(&own, "Role")[0], "coordination.k8s.io")[1]["resourceNames"], json!(["ram"]));

    // One replica that elects itself hands over to the next one in an upgrade.
    let one = rendered(&["replicas=1"]).await;
    assert_eq!(deployment(&one)["spec"]["strategy"]["type"], "RollingUpdate");
    assert_eq!(of_kind(&one, "PodDisruptionBudget").len(), 0);
    assert_eq!(spread(&one), Value::Null);

    let alone = rendered(&["replicas=1", "leaderElection.enabled=false"]).await;
    assert_eq!(deployment(&alone)["spec"]["replicas"], json!(1.0));
    assert_eq!(deployment(&alone)["spec"]["strategy"], json!({"type": "Recreate"}));
    assert!(flags(&alone).contains(&"--leader-elect=false".to_owned()), "{:?}", flags(&alone));
    assert!(!flags(&alone).iter().any(|flag| flag.starts_with("--lease-name")), "{:?}", flags(&alone));
    for kind in ["Role", "RoleBinding", "PodDisruptionBudget"] {
        assert_eq!(of_kind(&alone, kind).len(), 0, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gives_power_can_be_chosen() {
    let operator = |documents: &[Value]| {
        let roles = of_kind(documents, "ClusterRole");
        let found = roles.into_iter().find(|role| role["metadata"]["name"] == "shard-ram-operator");
        found.expect("the operator's ClusterRole").clone()
    };
    let usual = rendered(&[]).await;
    assert!(rules(&operator(&usual), "apps").is_empty(), "restartTargets.enabled is false");
    let restarting = operator(&rendered(&["restartTargets.enabled=true"]).await);
    let rule = json!({
        "apiGroups": ["apps"],
        "resources": ["deployments", "statefulsets", "daemonsets"],
        "verbs": ["get", "patch"],
    });
    assert_eq!(rules(&restarting, "apps"), [&rule]);

    let binding = |documents: &[Value], of: &str| {
        let bindings = of_kind(documents, "ValidatingAdmissionPolicyBinding");
        let found = bindings.into_iter().find(|binding| binding["spec"]["policyName"] == of);
        found.expect("a binding")["spec"].clone()
    };
    let labelled = rendered(&["watchLabelSelector=shard=a"]).await;
    for of in ["shard-ram-operator-revocations", "shard-ram-operator-finalizers"] {
        assert_eq!(binding(&usual, of), json!({"policyName": of, "validationActions": ["Deny"]}));
        assert_eq!(binding(&labelled, of)["matchResources"]["objectSelector"], json!({"matchLabels": {"shard": "a"}}));
    }
    let open = rendered(&["admissionPolicies.enabled=false"]).await;
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        assert_eq!(of_kind(&open, kind).len(), 0, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rrsa_is_rendered_with_and_without_the_webhook() {
    let webhook = rendered(&["rrsa.enabled=true", "rrsa.roleName=ram-operator"]).await;
    assert_eq!(
        of_kind(&webhook, "ServiceAccount")[0]["metadata"]["annotations"],
        json!({"pod-identity.alibabacloud.com/role-name": "ram-operator"})
    );
    assert_eq!(container(&webhook)["env"].as_array().map(Vec::len), Some(1));

    let own = rendered(&[
        "rrsa.enabled=true",
        "rrsa.roleArn=acs:ram::1234567890123456:role/ram-operator",
        "rrsa.oidcProviderArn=acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1",
    ])
    .await;
    let env = container(&own)["env"].as_array().expect("env");
    let names: Vec<&str> = env.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(
        names,
        ["POD_NAMESPACE", "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"]
    );
    let volume = &deployment(&own)["spec"]["template"]["spec"]["volumes"][0];
    let token = &volume["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(token["audience"], "sts.aliyuncs.com");
    let mounted = container(&own)["volumeMounts"][0]["mountPath"].as_str().expect("a path");
    let file = env[3]["value"].as_str().expect("a path");
    assert_eq!(file, format!("{mounted}/{}", token["path"].as_str().expect("a path")));
}

#[tokio::test(flavor = "multi_thread")]
async fn crds_are_those_of_the_source_tree() {
    for keep in [true, false] {
        let all = rendered(&[&format!("crds.keep={keep}")]).await;
        let crds = of_kind(&all, "CustomResourceDefinition");
        assert_eq!(crds.len(), 7);
        for crd in crds {
            let plural = crd["spec"]["names"]["plural"].as_str().expect("a plural");
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds").join(format!("{plural}.yaml"));
            let wanted = documents(&std::fs::read_to_string(file).expect("a CRD"));
            let mut crd = crd.clone();
            let metadata = crd["metadata"].as_object_mut().expect("metadata");
            let annotations = metadata.remove("annotations");
            assert_eq!(annotations, keep.then(|| json!({"helm.sh/resource-policy": "keep"})), "{plural}");
            let labels = metadata.remove("labels").expect("labels");
            assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{plural}");
            assert!(wanted == [crd], "{plural} differs from crds/{plural}.yaml");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_values_are_refused() {
    let mut complaints = Vec::new();
    for (value, says) in [
        ("nosuch=1", "additional properties 'nosuch' not allowed"),
        ("image.name=a", "at '/image': additional properties 'name' not allowed"),
        (
            "image.pullPolicy=Sometimes",
            "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
        ),
        ("image.repository=", "at '/image/repository': minLength"),
        ("image.digest=sha256:abc", "at '/image/digest': 'sha256:abc' does not match pattern"),
        ("image.tag=a/b", "at '/image/tag': 'a/b' does not match pattern"),
        ("fullnameOverride=A_B", "at '/fullnameOverride': 'A_B' does not match pattern"),
        ("crds.install=later", "at '/crds/install': got string, want boolean"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("replicas=-1", "at '/replicas': minimum: got -1, want 0"),
        ("leaderElection.enabled=false", "leaderElection.enabled=false needs replicas=1"),
        ("leaderElection.leaseName=a", "at '/leaderElection': additional properties 'leaseName' not allowed"),
        ("restartTargets.enabled=1", "at '/restartTargets/enabled': got number, want boolean"),
        ("admissionPolicies=false", "at '/admissionPolicies': got boolean, want object"),
        ("topologySpreadConstraints=zone", "at '/topologySpreadConstraints': got string, want array"),
        ("log.format=xml", "at '/log/format': value must be one of 'json', 'text'"),
        ("log.level=a b", "at '/log/level': 'a b' does not match pattern"),
        ("terminationGracePeriodSeconds=30", "at '/terminationGracePeriodSeconds': minimum: got 30, want 90"),
        ("rrsa.enabled=true", "at '/rrsa/roleName': minLength: got 0, want 1"),
        ("rrsa.roleArn=acs:ram::1:role/x", "at '/rrsa/oidcProviderArn': minLength: got 0, want 1"),
        ("rrsa.roleArn=x", "at '/rrsa/roleArn': 'x' does not match pattern"),
        ("watchLabelSelector=a b", "at '/watchLabelSelector': 'a b' does not match pattern"),
        ("credentials.namespaces={A_B}", "at '/credentials/namespaces/0': 'A_B' does not match pattern"),
        ("credentials.accessKeySecret=x", "at '/credentials': additional properties 'accessKeySecret' not allowed"),
    ] {
        let output = template(&[value]).await;
        let said = err(&output);
        if output.status.success() || !said.contains(says) {
            complaints.push(format!("{value}\n    should have got: {says}\n    and got: {said}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// One test, since a release can do one thing at a time.
#[tokio::test(flavor = "multi_thread")]
async fn the_release_is_installed_and_upgraded() {
    let cluster = &shared().await.cluster;
    let status = || async {
        let text = helm_ok(&["status", "ram-operator", "--namespace", NAMESPACE, "--output", "json"]).await;
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let uids = || async {
        let path = "jsonpath={.items[*].metadata.uid}";
        kubectl(&["get", "crds", "-l", "app.kubernetes.io/instance=ram-operator", "-o", path]).await
    };
    let level = || async {
        let path = "jsonpath={.spec.template.spec.containers[0].args}";
        kubectl(&["get", "deployment", "ram-operator", "--namespace", NAMESPACE, "-o", path]).await
    };
    assert_eq!(status().await["info"]["status"], "deployed");
    let (first, before) = (status().await["version"].as_i64().expect("a revision"), uids().await);
    assert_eq!(before.split_whitespace().count(), 7, "{before}");
    assert!(level().await.contains("--log-level=info"));

    let notes = helm_ok(&["get", "notes", "ram-operator", "--namespace", NAMESPACE]).await;
    for step in [
        "kubectl -n ram-operator create secret generic alibaba-credentials --from-env-file=credentials.env",
        "kubectl wait --for=condition=Ready ramaccount/default",
        "kubectl delete ramak,ramu,ramgrp,rampol --all -A",
        "kubectl get ramrev",
        "kubectl -n ram-operator get lease ram-operator",
    ] {
        assert!(notes.contains(step), "{step} is not in:\n{notes}");
    }
    applies(&notes).await;

    let upgraded = install_chart(cluster, &["--set", "log.level=debug"]).expect("helm runs");
    assert!(upgraded.status.success(), "{}", err(&upgraded));
    assert!(level().await.contains("--log-level=debug"));
    assert_eq!(status().await["version"].as_i64(), Some(first + 1));
    assert_eq!(uids().await, before, "an upgrade keeps the CRDs");

    let back = install_chart(cluster, &["--reset-values"]).expect("helm runs");
    assert!(back.status.success(), "{}", err(&back));
    assert!(level().await.contains("--log-level=info"));
    assert_eq!(uids().await, before, "an upgrade keeps the CRDs");
}

/// The objects that notes show are good as they stand.
async fn applies(notes: &str) {
    let shown = notes.lines().skip_while(|line| !line.starts_with("2. ")).skip(1).take_while(|l| !l.starts_with("3. "));
    let text: Vec<&str> = shown.map(|line| line.strip_prefix("     ").unwrap_or(line)).collect();
    let text = text.join("\n");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shown.yaml");
    std::fs::write(&file, &text).expect("written");
    let file = file.to_str().expect("a path in UTF-8");
    let taken = kubectl(&["apply", "--dry-run=server", "-o", "name", "--filename", file]).await;
    assert_eq!(taken.trim(), "ramaccount.ram-operator.dev/default\nramtenant.ram-operator.dev/default", "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_fit_the_source_of_credentials() {
    let chart = folder();
    let chart = chart.to_str().expect("a path in UTF-8");
    let shown = async |values: &[&str]| {
        let mut arguments = vec!["install", "shard", chart, "--namespace", "elsewhere", "--dry-run=client"];
        arguments.extend(["--set", "crds.install=false"]);
        for value in values {
            arguments.extend(["--set", *value]);
        }
        let text = helm_ok(&arguments).await;
        text.split_once("NOTES:").expect("notes").1.to_owned()
    };
    let secret = shown(&["credentials.existingSecret=mine"]).await;
    assert!(secret.contains("kubectl -n elsewhere create secret generic mine"), "{secret}");
    assert!(secret.contains("which this release does not install"), "{secret}");
    applies(&secret).await;
    let rrsa = shown(&["rrsa.enabled=true", "rrsa.roleName=a"]).await;
    assert!(rrsa.contains("oidc:sub = system:serviceaccount:elsewhere:shard-ram-operator"), "{rrsa}");
    assert!(rrsa.contains("source: Rrsa") && rrsa.contains("ack-pod-identity-webhook"), "{rrsa}");
    assert!(!rrsa.contains("create secret"), "{rrsa}");
    applies(&rrsa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pod_passes_the_restricted_standard() {
    let world = World::bare("chart_pods", Options::default()).await;
    let ns = format!("{}-restricted", world.name);
    let enforced = json!({"pod-security.kubernetes.io/enforce": "restricted", "ram-test": world.name});
    world.namespace(&ns, enforced).await;
    kubectl(&["create", "serviceaccount", "shard-ram-operator", "--namespace", &ns]).await;
    let pods: Api<Pod> = Api::namespaced(world.admin.clone(), &ns);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let pod = |spec: &Value| -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "pod"}, "spec": spec})).expect("a pod")
    };
    for values in [
        vec![],
        vec![
            "rrsa.enabled=true",
            "rrsa.roleArn=acs:ram::1234567890123456:role/ram-operator",
            "rrsa.oidcProviderArn=acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1",
        ],
    ] {
        let mut spec = deployment(&rendered(&values).await)["spec"]["template"]["spec"].clone();
        integers(&mut spec);
        pods.create(&dry, &pod(&spec)).await.expect("a pod by the restricted standard");

        // The standard is indeed enforced here.
        spec["containers"][0]["securityContext"] = json!({});
        match pods.create(&dry, &pod(&spec)).await {
            Err(kube::Error::Api(status)) => {
                assert!(status.message.contains("violates PodSecurity \"restricted"), "{}", status.message);
            }
            other => panic!("a pod with all capabilities was not refused: {other:?}"),
        }
    }
}

/// Undoes [`floats`] for numbers that are whole.
fn integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().and_then(|float| format!("{float:.0}").parse::<i64>().ok()) {
                *value = json!(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integers),
        Value::Object(map) => map.values_mut().for_each(integers),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_comes_and_goes() {
    let world = World::bare("chart_second", Options::default()).await;
    let (ns, name) = (world.ns.as_str(), world.name.as_str());
    let chart = folder();
    let chart = chart.to_str().expect("a path in UTF-8");
    let full = format!("fullnameOverride={name}");
    let selector = format!("watchLabelSelector=ram-test={name}");
    let install = ["install", name, chart, "--namespace", ns, "--set", &full, "--set", "crds.install=false"];
    let mut install = install.to_vec();
    install.extend(["--set", &selector]);
    helm_ok(&install).await;
    let instance = format!("app.kubernetes.io/instance={name}");
    let here = || async {
        let namespaced = "deployments,serviceaccounts,roles,rolebindings,poddisruptionbudgets";
        let policies = "validatingadmissionpolicies,validatingadmissionpolicybindings";
        let everything = format!("{namespaced},{policies},clusterroles,clusterrolebindings,crds");
        kubectl(&["get", &everything, "--namespace", ns, "-l", &instance, "-o", "name"]).await
    };
    let mut found: Vec<String> = here().await.lines().map(str::to_owned).collect();
    found.sort_unstable();
    let mut wanted = vec![
        format!("clusterrole.rbac.authorization.k8s.io/{name}"),
        format!("clusterrole.rbac.authorization.k8s.io/{name}-edit"),
        format!("clusterrole.rbac.authorization.k8s.io/{name}-incident-response"),
        format!("clusterrole.rbac.authorization.k8s.io/{name}-view"),
        format!("clusterrolebinding.rbac.authorization.k8s.io/{name}"),
        format!("deployment.apps/{name}"),
        format!("poddisruptionbudget.policy/{name}"),
        format!("role.rbac.authorization.k8s.io/{name}"),
        format!("rolebinding.rbac.authorization.k8s.io/{name}"),
        format!("serviceaccount/{name}"),
        format!("validatingadmissionpolicy.admissionregistration.k8s.io/{name}-finalizers"),
        format!("validatingadmissionpolicy.admissionregistration.k8s.io/{name}-revocations"),
        format!("validatingadmissionpolicybinding.admissionregistration.k8s.io/{name}-finalizers"),
        format!("validatingadmissionpolicybinding.admissionregistration.k8s.io/{name}-revocations"),
    ];
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let account = format!("system:serviceaccount:{ns}:{name}");
    allowed(&world.admin, &account, "default", ("create", "secrets"), true).await;

    // To one replica without election and back: the API server takes it only if helm removes what belongs to the other strategy.
    let strategy = || async {
        let path = "jsonpath={.spec.replicas} {.spec.strategy.type}";
        kubectl(&["get", "deployment", name, "--namespace", ns, "-o", path]).await
    };
    assert_eq!(strategy().await, "2 RollingUpdate");
    let mut upgrade = install.clone();
    upgrade[0] = "upgrade";
    let mut alone = upgrade.clone();
    alone.extend(["--set", "replicas=1", "--set", "leaderElection.enabled=false"]);
    helm_ok(&alone).await;
    assert_eq!(strategy().await, "1 Recreate");
    helm_ok(&upgrade).await;
    assert_eq!(strategy().await, "2 RollingUpdate");

    helm_ok(&["uninstall", name, "--namespace", ns, "--wait"]).await;
    eventually("everything of the release to be gone", || async {
        let left = here().await;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    allowed(&world.admin, &account, "default", ("create", "secrets"), false).await;
    let crds = kubectl(&["get", "crds", "-l", "app.kubernetes.io/instance=ram-operator", "-o", "name"]).await;
    assert_eq!(crds.lines().count(), 7, "the first release keeps its CRDs: {crds}");
}

/// Whether somebody may do something in a namespace.
async fn may(admin: &Client, who: &str, ns: &str, right: ResourceAttributes) -> bool {
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.to_owned()),
            resource_attributes: Some(ResourceAttributes { namespace: Some(ns.to_owned()), ..right }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(admin.clone());
    let answer = api.create(&PostParams::default(), &review).await.expect("an answer");
    answer.status.is_some_and(|status| status.allowed)
}

/// A verb on `resource`, `resource.group` or either with `/subresource`.
fn right(verb: &str, what: &str) -> ResourceAttributes {
    let (what, subresource) = what.split_once('/').map_or((what, None), |(what, sub)| (what, Some(sub.to_owned())));
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        ..ResourceAttributes::default()
    }
}

/// Waits for an answer: rights come and go a moment after the objects that give them.
async fn allowed(admin: &Client, who: &str, ns: &str, (verb, what): (&str, &str), wanted: bool) {
    eventually(&format!("{who} to {verb} {what} in {ns}: {wanted}"), || async {
        if may(admin, who, ns, right(verb, what)).await == wanted { Ok(()) } else { Err("not so") }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_do_what_it_does_and_no_more() {
    let world = World::bare("chart_rights", Options::default()).await;
    let who = format!("system:serviceaccount:{NAMESPACE}:ram-operator");
    let mut wanted = Vec::new();
    for kind in ["ramaccounts", "ramtenants", "ramusers", "ramaccesskeys", "rampolicies", "ramgroups"] {
        let (whole, status) = (format!("{kind}.ram-operator.dev"), format!("{kind}.ram-operator.dev/status"));
        wanted.extend(["get", "list", "watch", "patch"].map(|verb| (right(verb, &whole), true)));
        wanted.extend(["create", "update", "delete", "deletecollection"].map(|verb| (right(verb, &whole), false)));
        wanted.extend(["update", "patch"].map(|verb| (right(verb, &status), true)));
    }
    let revocations = "ramrevocations.ram-operator.dev";
    let verbs = ["get", "list", "watch", "create", "patch", "delete"];
    wanted.extend(verbs.map(|verb| (right(verb, revocations), true)));
    wanted.extend(["update", "deletecollection"].map(|verb| (right(verb, revocations), false)));
    let status = "ramrevocations.ram-operator.dev/status";
    wanted.extend(["get", "update", "patch"].map(|verb| (right(verb, status), true)));
    wanted.push((right("update", "ramrevocations.ram-operator.dev/finalizers"), true));
    wanted.extend(["get", "create", "update"].map(|verb| (right(verb, "leases.coordination.k8s.io"), false)));
    wanted.extend(["get", "list", "watch", "create", "update"].map(|verb| (right(verb, "secrets"), true)));
    wanted.extend(["delete", "deletecollection"].map(|verb| (right(verb, "secrets"), false)));
    wanted.extend(["get", "list", "watch"].map(|verb| (right(verb, "namespaces"), true)));
    wanted.extend(["create", "update", "patch", "delete"].map(|verb| (right(verb, "namespaces"), false)));
    wanted.extend(["create", "patch"].map(|verb| (right(verb, "events.events.k8s.io"), true)));
    wanted.extend(["get", "list", "delete"].map(|verb| (right(verb, "events.events.k8s.io"), false)));
    let crd = |verb: &str, name: &str| ResourceAttributes {
        name: Some(name.to_owned()),
        ..right(verb, "customresourcedefinitions.apiextensions.k8s.io")
    };
    wanted.push((crd("get", "ramusers.ram-operator.dev"), true));
    wanted.push((crd("get", "ramrevocations.ram-operator.dev"), true));
    wanted.push((crd("get", "others.example.com"), false));
    wanted.extend(["update", "patch", "delete"].map(|verb| (crd(verb, "ramusers.ram-operator.dev"), false)));
    for (verb, what) in [
        ("list", "customresourcedefinitions.apiextensions.k8s.io"),
        ("get", "configmaps"),
        ("list", "pods"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("create", "serviceaccounts/token"),
        ("get", "deployments.apps"),
        ("patch", "deployments.apps"),
        ("get", "clusterroles.rbac.authorization.k8s.io"),
        ("bind", "clusterroles.rbac.authorization.k8s.io"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
        ("*", "*.*"),
    ] {
        wanted.push((right(verb, what), false));
    }
    let mut complaints = Vec::new();
    for (asked, wanted) in wanted {
        if may(&world.admin, &who, &world.ns, asked.clone()).await != wanted {
            complaints.push(format!("should be {wanted}: {asked:?}"));
        }
    }
    for (verb, name, wanted) in [
        ("create", None, true),
        ("get", Some("ram-operator"), true),
        ("update", Some("ram-operator"), true),
        ("delete", Some("ram-operator"), false),
        ("get", Some("other"), false),
        ("update", Some("other"), false),
    ] {
        let name = name.map(str::to_owned);
        let asked = ResourceAttributes { name, ..right(verb, "leases.coordination.k8s.io") };
        if may(&world.admin, &who, NAMESPACE, asked.clone()).await != wanted {
            complaints.push(format!("should be {wanted} in {NAMESPACE}: {asked:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    // The same question as people ask it.
    for (verb, answer) in [("create", "yes"), ("delete", "no")] {
        let mut kubectl = shared().await.cluster.kubectl();
        kubectl.args(["auth", "can-i", verb, "secrets", "--as", &who, "--namespace", &world.ns]);
        assert_eq!(out(&kubectl.output().expect("kubectl runs")).trim(), answer, "{verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_edit_or_view_a_namespace_edit_or_view_its_users_and_keys() {
    let world = World::bare("chart_people", Options::default()).await;
    let (admin, ns) = (&world.admin, world.ns.as_str());
    for role in ["edit", "view"] {
        let (flag, user) = (format!("--clusterrole={role}"), format!("--user={role}-{ns}"));
        kubectl(&["create", "rolebinding", role, &flag, &user, "--namespace", ns]).await;
    }
    let (editor, viewer) = (format!("edit-{ns}"), format!("view-{ns}"));
    for kind in ["ramusers.ram-operator.dev", "ramaccesskeys.ram-operator.dev"] {
        for verb in ["get", "list", "watch"] {
            allowed(admin, &viewer, ns, (verb, kind), true).await;
        }
        for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
            allowed(admin, &editor, ns, (verb, kind), true).await;
        }
        let status = format!("{kind}/status");
        for (who, place, right) in [
            (&viewer, ns, ("create", kind)),
            (&viewer, ns, ("delete", kind)),
            (&editor, ns, ("update", status.as_str())),
            (&editor, ns, ("patch", status.as_str())),
            (&editor, "default", ("create", kind)),
        ] {
            allowed(admin, who, place, right, false).await;
        }
    }
    for kind in ["ramaccounts.ram-operator.dev", "ramtenants.ram-operator.dev", "ramrevocations.ram-operator.dev"] {
        for who in [&editor, &viewer] {
            allowed(admin, who, ns, ("get", kind), false).await;
            allowed(admin, who, ns, ("create", kind), false).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_answer_incidents_revoke_keys_and_nothing_else() {
    let world = World::bare("chart_incident", Options::default()).await;
    let who = format!("incident-{}", world.name);
    let user = format!("--user={who}");
    kubectl(&["create", "clusterrolebinding", &who, "--clusterrole=ram-operator-incident-response", &user]).await;
    let revocations = "ramrevocations.ram-operator.dev";
    for verb in ["get", "list", "watch", "create", "patch", "delete"] {
        allowed(&world.admin, &who, &world.ns, (verb, revocations), true).await;
    }
    for (verb, what) in [
        ("update", "ramrevocations.ram-operator.dev/status"),
        ("get", "ramaccounts.ram-operator.dev"),
        ("get", "ramaccesskeys.ram-operator.dev"),
        ("get", "secrets"),
    ] {
        allowed(&world.admin, &who, &world.ns, (verb, what), false).await;
    }
    kubectl(&["delete", "clusterrolebinding", &who]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_orders_what_takes_users_away() {
    let world = World::bare("chart_orders", Options::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    // No operator looks at objects with this label, and nothing is made: all of it is a dry run.
    let file = |name: &str, spec: Value| {
        let object = json!({
            "apiVersion": "ram-operator.dev/v1alpha1",
            "kind": "RamRevocation",
            "metadata": {"name": world.name, "labels": {"ram-test": world.name}},
            "spec": spec,
        });
        let file = folder.path().join(name);
        std::fs::write(&file, object.to_string()).expect("written");
        file.to_str().expect("a path in UTF-8").to_owned()
    };
    let order = file(
        "order.json",
        json!({"order": {
            "from": "RamUser/team-a/reader",
            "uid": "11111111-2222-3333-4444-555555555555",
            "user": {"userName": "team-a.reader", "namespace": "team-a", "name": "reader"},
            "accessKeyIds": [],
            "intents": [],
        }}),
    );
    let key = file("key.json", json!({"accessKeyId": "LTAI5tABCDEFGHIJKLMN"}));
    let create = async |file: &str, more: &[&str]| {
        let mut kubectl = shared().await.cluster.kubectl();
        kubectl.args(["create", "--dry-run=server", "--filename", file]).args(more);
        let output = kubectl.output().expect("kubectl runs");
        if output.status.success() { Ok(()) } else { Err(err(&output)) }
    };

    let says = "RamRevocations with `spec.order` or `spec.leftOver` are made by ram-operator; name a key by `spec.accessKeyId` instead";
    // A policy is in force a moment after it was made.
    eventually("an order of the administrator to be refused", || async {
        match create(&order, &[]).await {
            Err(said) if said.contains(says) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    create(&key, &[]).await.expect("a person may name a key");
    let operator = format!("--as=system:serviceaccount:{NAMESPACE}:ram-operator");
    create(&order, &[&operator]).await.expect("the operator may order");
    create(&key, &[&operator]).await.expect("and name a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_does_not_allow_is_refused_when_it_is_applied() {
    let world = World::bare("chart_tenants", Options::default()).await;
    let (ns, name) = (world.ns.as_str(), world.name.as_str());
    let tenant = json!({
        "accountRef": {"name": name},
        "namespaceSelector": {
            "matchLabels": {"ram-test": name},
            "matchExpressions": [
                {"key": "team", "operator": "DoesNotExist"},
                {"key": "ram-test", "operator": "In", "values": ["other", name]},
                {"key": "ram-test", "operator": "NotIn", "values": ["other"]},
                {"key": "ram-test", "operator": "Exists"},
            ],
        },
        "names": {"users": ["prod.a-?*"]},
        "attach": {"system": ["AliyunOTS*"], "custom": ["shared-*"], "groups": ["readers"]},
        "adopt": {"users": ["legacy-*"]},
    });
    world.tenant(tenant.clone()).await;
    let wide = json!({"accountRef": {"name": name}, "namespaceSelector": {"matchLabels": {"ram-test": "nobody"}}});
    let others = json!({"kind": "RamTenant", "metadata": {"name": format!("{name}-others")}, "spec": wide});
    world.apply(others).await;
    // Before there are policies: what exists stays as it is.
    let account = json!({"accountRef": {"name": name}});
    let with = |more: Value| {
        let mut spec = account.clone();
        merge(&mut spec, more);
        spec
    };
    let object = |kind: &str, name: &str, spec: Value| json!({"kind": kind, "metadata": {"name": name, "namespace": ns}, "spec": spec});
    let admin = json!([{"type": "System", "name": "AdministratorAccess"}]);
    world.apply(object("RamUser", "older", with(json!({"policies": admin})))).await;

    let chart = folder();
    let chart = chart.to_str().expect("a path in UTF-8");
    let (full, selector) = (format!("fullnameOverride={name}"), format!("watchLabelSelector=ram-test={name}"));
    let install = ["install", name, chart, "--namespace", ns, "--set", "crds.install=false", "--set"];
    helm_ok(&[&install[..], &[&full, "--set", &selector, "--set", "admissionPolicies.tenants=true"]].concat()).await;
    let refused = async |kind: &str, spec: Value, says: &str| {
        let tried = world.try_apply(object(kind, "new", with(spec.clone()))).await;
        let said = tried.err().map(|error| error.to_string()).unwrap_or_default();
        if said.contains(&format!("RamTenant {name} ")) && said.contains(says) {
            Ok(())
        } else {
            let _ = world.dynamic(kind, Some(ns)).delete("new", &DeleteParams::default()).await;
            Err(format!("{kind} {spec}: {said}"))
        }
    };
    for (kind, spec, says) in [
        ("RamUser", json!({"policies": admin}), "attach.system"),
        ("RamUser", json!({"policies": [{"type": "Custom", "name": "sharedx"}]}), "attach.custom"),
        ("RamUser", json!({"groups": [{"type": "Ram", "name": "admins"}]}), "attach.groups"),
        ("RamUser", json!({"userName": "prodxa-b"}), "names.users"),
        ("RamUser", json!({"userName": "prod.a-"}), "names.users"),
        ("RamUser", json!({"deletionPolicy": "Retain"}), "retain"),
        (
            "RamUser",
            json!({"consoleLogin": {"initialPassword": {"source": "Generate", "secret": {"name": "x"}}}}),
            "consoleLogin",
        ),
        ("RamGroup", json!({"policies": admin}), "attach.system"),
        ("RamGroup", json!({"policies": [], "groupName": "admins"}), "names.groups"),
        (
            "RamPolicy",
            json!({"statements": [{"effect": "Allow", "actions": ["ots:*"], "resources": ["*"]}]}),
            "documents",
        ),
    ] {
        // Policies and what they read are in force a moment after they were made.
        eventually("a refusal that names the tenant", || refused(kind, spec.clone(), says)).await;
    }
    // What a tenant that bounds documents refuses, and what it leaves to the operator.
    let mut bounding = tenant.clone();
    merge(
        &mut bounding,
        json!({
            "documents": {"actions": ["ots:*", "oss:Get?bject"], "resources": ["acs:ots:*:*:instance/team-a-*", "acs:oss:*(x)\\*"]},
            "adopt": {"groups": ["legacy-*"]}, "names": {"groups": ["mine-*"]},
        }),
    );
    let references = json!({"policies": [{"type": "RamPolicy", "name": "sensors"}]});
    for kind in ["RamUser", "RamGroup"] {
        eventually("a refusal of documents", || refused(kind, references.clone(), "documents")).await;
    }
    world.tenant(bounding).await;
    eventually("the bounds to be in force", || async {
        world.try_apply(object("RamGroup", "new", with(references.clone()))).await.map(|_| ())
    })
    .await;
    let _ = world.dynamic("RamGroup", Some(ns)).delete("new", &DeleteParams::default()).await;
    let inside = "acs:ots:*:*:instance/team-a-x";
    let statement = |effect: &str, action: &str, resource: &str| json!({"effect": effect, "actions": ["ots:GetRow", action], "resources": [inside, resource]});
    let statements = |all: &[Value]| json!({"statements": all});
    let document = |text: &str| json!({"documentJson": text});
    for (kind, spec, says) in [
        ("RamPolicy", statements(&[statement("Deny", "*", "*"), statement("Allow", "*", inside)]), "documents.actions"),
        ("RamPolicy", statements(&[statement("Allow", "o*s:*", inside)]), "documents.actions"),
        ("RamPolicy", statements(&[statement("Allow", "oss:Get*", inside)]), "documents.actions"),
        ("RamPolicy", statements(&[statement("Allow", "ots:*", "*")]), "documents.resources"),
        (
            "RamPolicy",
            statements(&[statement("Allow", "ots:*", "acs:ots:*:*:instance/TEAM-A-x")]),
            "documents.resources",
        ),
        (
            "RamPolicy",
            statements(&[statement("Allow", "ots:*", "acs:ots:*:*:instance/team-a-${acs:x}")]),
            "documents.resources",
        ),
        ("RamPolicy", statements(&[statement("Allow", "ots:*", "acs:oss:xx\\")]), "documents.resources"),
        (
            "RamPolicy",
            document(r#"{"Version":"1","Statement":{"Effect":"Allow","NotAction" : "ram:*","Resource":"*"}}"#),
            "NotAction",
        ),
        (
            "RamPolicy",
            document(r#"{"Version":"1","Statement":{"Effect":"Allow","Action":"ots:*","NotResource":"*"}}"#),
            "NotResource",
        ),
        (
            "RamUser",
            json!({"userName": "prod.a-b", "adoption": "IfUnowned", "deletionPolicy": "Retain"}),
            "adopt.users",
        ),
        (
            "RamGroup",
            json!({"groupName": "mine-x", "adoption": "IfUnowned", "deletionPolicy": "Retain"}),
            "adopt.groups",
        ),
        ("RamUser", json!({"userName": "boss", "management": "Observe"}), "adopt.users"),
    ] {
        eventually("a refusal that names the tenant's documents", || refused(kind, spec.clone(), says)).await;
    }
    for (n, (kind, spec)) in [
        (
            "RamPolicy",
            statements(&[
                statement("Deny", "ram:*", "*"),
                statement("Allow", "OTS:*", "acs:ots:cn-x:1:instance/team-a-*"),
            ]),
        ),
        ("RamPolicy", statements(&[statement("Allow", "oss:getObject", "acs:oss:y(x)\\z")])),
        // Not refused surely enough.
        ("RamPolicy", document(r#"{"Version":"1","Statement":{"Effect":"Deny","NotAction":"ram:*","Resource":"*"}}"#)),
        ("RamPolicy", document(r#"{"Version":"1","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#)),
        ("RamGroup", references.clone()),
        ("RamGroup", json!({"groupName": "legacy-x", "adoption": "IfUnowned", "deletionPolicy": "Retain"})),
    ]
    .into_iter()
    .enumerate()
    {
        world.apply(object(kind, &format!("bounded-{n}"), with(spec))).await;
    }
    for (n, spec) in [
        json!({"policies": [{"type": "System", "name": "AliyunOTSFullAccess"}, {"type": "Custom", "name": "Shared-x"}]}),
        json!({"groups": [{"type": "Ram", "name": "readers"}], "userName": "prod.a-b"}),
        json!({"userName": "legacy-x", "adoption": "IfUnowned", "deletionPolicy": "Retain", "attachments": "Report"}),
        json!({"consoleLogin": {"state": "Disabled"}}),
    ]
    .into_iter()
    .enumerate()
    {
        world.apply(object("RamUser", &format!("fits-{n}"), with(spec))).await;
    }
    // Of another account, in a namespace that no tenant selects, and what changes nothing.
    world.apply(object("RamUser", "elsewhere", json!({"accountRef": {"name": "another"}, "policies": admin}))).await;
    let free = format!("{ns}-free");
    world.namespace(&free, json!({"ram-test": name, "team": "b"})).await;
    world.apply(json!({"kind": "RamUser", "metadata": {"name": "free", "namespace": free}, "spec": with(json!({"policies": admin}))})).await;
    world.annotate("RamUser", "older", "ram-operator.dev/reconcile", "1").await;
    helm_ok(&["uninstall", name, "--namespace", ns, "--wait"]).await;
}
