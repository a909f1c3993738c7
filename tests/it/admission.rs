//! What the API server itself says to good and bad objects; no operator runs here.
//!
//! Every rule of the schema is met from both sides. Objects are sent as `kubectl create` and `kubectl apply` send them: with strict field validation.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::Api;
use serde_json::{Value, json};

use crate::support::ram::Options;
use crate::world::{KINDS, World, condition, eventually, merge, shared};

/// A change to the spec of a valid object, and a part of what the server says to it; nothing when it accepts.
struct Case {
    change: Value,
    says: Option<&'static str>,
}

fn ok(change: Value) -> Case {
    Case { change, says: None }
}

fn no(change: Value, says: &'static str) -> Case {
    Case { change, says: Some(says) }
}

fn rep(text: &str, times: usize) -> String {
    text.repeat(times)
}

fn x(length: usize) -> String {
    rep("x", length)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("a{n}")).collect()
}

/// A map with so many keys.
fn map(count: usize) -> Value {
    texts(count).into_iter().map(|key| (key, json!("v"))).collect()
}

fn policies(system: usize, custom: usize) -> Vec<Value> {
    let policy = |kind: &str, n: usize| json!({"type": kind, "name": format!("P{n}")});
    (0..system).map(|n| policy("System", n)).chain((0..custom).map(|n| policy("Custom", n))).collect()
}

fn groups(count: usize) -> Vec<Value> {
    texts(count).into_iter().map(|name| json!({"type": "Ram", "name": name})).collect()
}

/// As many items as asked for, all alike.
fn items(count: usize, item: &Value) -> Vec<Value> {
    vec![item.clone(); count]
}

#[rustfmt::skip] // One line a case.
fn user_cases() -> Vec<Case> {
    vec![
        ok(json!({})),
        no(json!({"polices": []}), "unknown field \"spec.polices\""),
        // accountRef
        ok(json!({"accountRef": {}})),
        ok(json!({"accountRef": {"name": "prod.eu-1"}})),
        ok(json!({"accountRef": {"name": x(253)}})),
        no(json!({"accountRef": {"name": x(254)}}), "spec.accountRef.name: Too long: may not be more than 253 bytes"),
        no(json!({"accountRef": {"name": ""}}), "spec.accountRef.name in body should be at least 1 chars long"),
        no(json!({"accountRef": {"name": "Prod"}}), "spec.accountRef.name in body should match"),
        no(json!({"accountRef": {"name": "prod-"}}), "spec.accountRef.name in body should match"),
        no(json!({"accountRef": {"name": 7}}), "spec.accountRef.name in body must be of type string"),
        no(json!({"accountRef": {"nam": "prod"}}), "unknown field \"spec.accountRef.nam\""),
        no(json!({"accountRef": "prod"}), "spec.accountRef in body must be of type object"),
        // userName
        ok(json!({"userName": "a"})),
        ok(json!({"userName": "._a-B.9"})),
        ok(json!({"userName": x(64)})),
        no(json!({"userName": x(65)}), "spec.userName: Too long: may not be more than 64 bytes"),
        no(json!({"userName": ""}), "spec.userName in body should be at least 1 chars long"),
        no(json!({"userName": "-a"}), "spec.userName in body should match"),
        no(json!({"userName": "a b"}), "spec.userName in body should match"),
        no(json!({"userName": "a@b"}), "spec.userName in body should match"),
        no(json!({"userName": "café"}), "spec.userName in body should match"),
        no(json!({"userName": ["a"]}), "spec.userName in body must be of type string"),
        // displayName
        ok(json!({"displayName": "Björn: 读者 (ingest)"})),
        ok(json!({"displayName": rep("é", 128)})),
        no(json!({"displayName": rep("é", 129)}), "spec.displayName: Too long: may not be more than 128 bytes"),
        no(json!({"displayName": ""}), "spec.displayName in body should be at least 1 chars long"),
        no(json!({"displayName": "a\nb"}), "spec.displayName in body should match"),
        no(json!({"displayName": "a\tb"}), "spec.displayName in body should match"),
        // comments
        ok(json!({"comments": ""})),
        ok(json!({"comments": x(56)})),
        ok(json!({"comments": rep("é", 28)})),
        ok(json!({"comments": "for the [ram-operator] team"})),
        no(json!({"comments": x(57)}), "spec.comments: Too long: may not be more than 56 bytes"),
        no(json!({"comments": rep("é", 29)}), "`comments` must have at most 56 bytes in UTF-8"),
        no(json!({"comments": rep("读", 19)}), "`comments` must have at most 56 bytes in UTF-8"),
        no(json!({"comments": "a [ram-operator:b]"}), "`comments` must not contain '[ram-operator:'"),
        no(json!({"comments": "a\nb"}), "spec.comments in body should match"),
        // email
        ok(json!({"email": ""})),
        ok(json!({"email": "a@b"})),
        ok(json!({"email": rep("a", 126) + "@b"})),
        no(json!({"email": rep("a", 127) + "@b"}), "spec.email: Too long: may not be more than 128 bytes"),
        no(json!({"email": "a"}), "spec.email in body should match"),
        no(json!({"email": "a@"}), "spec.email in body should match"),
        no(json!({"email": "@b"}), "spec.email in body should match"),
        no(json!({"email": "a@b@c"}), "spec.email in body should match"),
        no(json!({"email": "a b@c"}), "spec.email in body should match"),
        // mobilePhone
        ok(json!({"mobilePhone": ""})),
        ok(json!({"mobilePhone": "86-18688888888"})),
        ok(json!({"mobilePhone": "1-1234"})),
        ok(json!({"mobilePhone": "1234-".to_owned() + &rep("5", 20)})),
        no(json!({"mobilePhone": "86"}), "spec.mobilePhone in body should match"),
        no(json!({"mobilePhone": "86-123"}), "spec.mobilePhone in body should match"),
        no(json!({"mobilePhone": "12345-1234"}), "spec.mobilePhone in body should match"),
        no(json!({"mobilePhone": "+86-12345"}), "spec.mobilePhone in body should match"),
        no(json!({"mobilePhone": "1-".to_owned() + &rep("5", 21)}), "spec.mobilePhone in body should match"),
        no(json!({"mobilePhone": rep("5", 33)}), "spec.mobilePhone: Too long: may not be more than 32 bytes"),
        // policies
        ok(json!({"policies": []})),
        ok(json!({"policies": policies(20, 10)})),
        ok(json!({"policies": [{"type": "System", "name": "A"}, {"type": "Custom", "name": "A"}]})),
        ok(json!({"policies": [{"type": "Custom", "name": x(128)}]})),
        no(json!({"policies": policies(21, 0)}), "`policies` must not hold more than 20 of type 'System', which is RAM's quota"),
        no(json!({"policies": policies(0, 11)}), "`policies` must not hold more than 10 of the types 'Custom' and 'RamPolicy', which is RAM's quota"),
        no(json!({"policies": policies(20, 11)}), "spec.policies: Too many: 31: must have at most 30 items"),
        no(json!({"policies": [{"type": "System", "name": "A"}, {"type": "System", "name": "A"}]}), "`policies` must not name a policy twice"),
        no(json!({"policies": [{"name": "A"}]}), "spec.policies[0].type: Required value"),
        no(json!({"policies": [{"type": "System"}]}), "spec.policies[0].name: Required value"),
        no(json!({"policies": [{"type": "system", "name": "A"}]}), "spec.policies[0].type: Unsupported value: \"system\": supported values: \"System\", \"Custom\""),
        no(json!({"policies": [{"type": "System", "name": ""}]}), "spec.policies[0].name in body should be at least 1 chars long"),
        no(json!({"policies": [{"type": "System", "name": x(129)}]}), "spec.policies[0].name: Too long: may not be more than 128 bytes"),
        no(json!({"policies": [{"type": "System", "name": "Aliyun*"}]}), "spec.policies[0].name in body should match"),
        no(json!({"policies": [{"type": "System", "name": "a_b"}]}), "spec.policies[0].name in body should match"),
        no(json!({"policies": [{"type": "System", "name": "A", "version": "v1"}]}), "unknown field \"spec.policies[0].version\""),
        no(json!({"policies": ["A"]}), "spec.policies[0] in body must be of type object"),
        no(json!({"policies": "A"}), "spec.policies in body must be of type array"),
        no(json!({"policies": [{"type": "RamPolicy", "name": "A"}]}), "`name` must be that of a RamPolicy for the type 'RamPolicy'"),
        // groups
        ok(json!({"groups": []})),
        ok(json!({"groups": [{"type": "Ram", "name": "readers"}, {"type": "RamGroup", "name": "readers"}]})),
        ok(json!({"groups": groups(10)})),
        no(json!({"groups": groups(11)}), "spec.groups: Too many: 11: must have at most 10 items"),
        no(json!({"groups": items(2, &json!({"type": "Ram", "name": "readers"}))}), "`groups` must not name a group twice"),
        no(json!({"groups": [{"name": "readers"}]}), "spec.groups[0].type: Required value"),
        no(json!({"groups": [{"type": "Custom", "name": "readers"}]}), "spec.groups[0].type: Unsupported value: \"Custom\": supported values: \"Ram\", \"RamGroup\""),
        no(json!({"groups": [{"type": "Ram", "name": "-a"}]}), "spec.groups[0].name in body should match"),
        no(json!({"groups": [{"type": "Ram", "name": x(65)}]}), "spec.groups[0].name: Too long: may not be more than 64 bytes"),
        // virtualMfa
        ok(json!({"virtualMfa": {"secret": {"name": "bob-mfa"}}})),
        ok(json!({"virtualMfa": {"secret": {"name": "bob-mfa", "labels": {"team": "a"}, "annotations": {"a/b": "any text"}}, "bind": "User"}})),
        ok(json!({"virtualMfa": {"state": "Absent"}})),
        ok(json!({"virtualMfa": {"state": "Absent", "secret": {"name": "bob-mfa"}, "bind": "Operator"}})),
        no(json!({"virtualMfa": {}}), "`secret` must be given for the state 'Present'"),
        no(json!({"virtualMfa": {"state": "Bound"}}), "spec.virtualMfa.state: Unsupported value: \"Bound\": supported values: \"Present\", \"Absent\""),
        no(json!({"virtualMfa": {"secret": {"name": "m"}, "bind": "Person"}}), "spec.virtualMfa.bind: Unsupported value: \"Person\": supported values: \"Operator\", \"User\""),
        no(json!({"virtualMfa": {"secret": {}}}), "spec.virtualMfa.secret.name: Required value"),
        no(json!({"virtualMfa": {"secret": {"name": "Bob"}}}), "spec.virtualMfa.secret.name in body should match"),
        no(json!({"virtualMfa": {"secret": {"name": "m", "labels": {"ram-operator.dev/x": "y"}}}}), "`secret.labels` must not use 'ram-operator.dev/'"),
        no(json!({"virtualMfa": {"secret": {"name": "m", "labels": {"a b": "y"}}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
        no(json!({"virtualMfa": {"secret": {"name": "m", "labels": {"a": "not a label!"}}}}), "spec.virtualMfa.secret.labels.a in body should match"),
        no(json!({"virtualMfa": {"secret": {"name": "m", "labels": map(33)}}}), "spec.virtualMfa.secret.labels: Too many: 33: must have at most 32 items"),
        no(json!({"virtualMfa": {"secret": {"name": "m", "annotations": {"argocd.argoproj.io/x": "y"}}}}), "`secret.annotations` must not use 'ram-operator.dev/'"),
        no(json!({"virtualMfa": {"secret": {"name": "m"}}, "consoleLogin": {"initialPassword": {"source": "Generate", "secret": {"name": "m"}}}}), "`virtualMfa.secret` must be another Secret than `consoleLogin.initialPassword.secret`"),
        // attachments, deletionPolicy
        ok(json!({"attachments": "Exclusive"})),
        ok(json!({"attachments": "Report"})),
        ok(json!({"attachments": "Additive"})),
        no(json!({"attachments": "exclusive"}), "spec.attachments: Unsupported value: \"exclusive\": supported values: \"Exclusive\", \"Report\", \"Additive\""),
        ok(json!({"deletionPolicy": "Delete"})),
        ok(json!({"deletionPolicy": "Retain"})),
        no(json!({"deletionPolicy": "Disable"}), "spec.deletionPolicy: Unsupported value: \"Disable\": supported values: \"Delete\", \"Retain\""),
    ]
}

#[rustfmt::skip] // One line a case.
fn key_cases() -> Vec<Case> {
    vec![
        ok(json!({})),
        no(json!({"stat": "Active"}), "unknown field \"spec.stat\""),
        // userRef
        no(json!({"userRef": null}), "spec.userRef: Required value"),
        no(json!({"userRef": {"name": null}}), "spec.userRef.name: Required value"),
        no(json!({"userRef": {"name": ""}}), "spec.userRef.name in body should be at least 1 chars long"),
        no(json!({"userRef": {"name": "Reader"}}), "spec.userRef.name in body should match"),
        ok(json!({"userRef": {"name": x(253)}})),
        no(json!({"userRef": {"name": x(254)}}), "spec.userRef.name: Too long: may not be more than 253 bytes"),
        no(json!({"userRef": {"namespace": "other"}}), "unknown field \"spec.userRef.namespace\""),
        // state, deletionPolicy
        ok(json!({"state": "Active"})),
        ok(json!({"state": "Inactive"})),
        no(json!({"state": "Disabled"}), "spec.state: Unsupported value: \"Disabled\": supported values: \"Active\", \"Inactive\""),
        ok(json!({"deletionPolicy": "Delete"})),
        ok(json!({"deletionPolicy": "Disable"})),
        ok(json!({"deletionPolicy": "Retain"})),
        no(json!({"deletionPolicy": "Keep"}), "spec.deletionPolicy: Unsupported value: \"Keep\": supported values: \"Delete\", \"Disable\", \"Retain\""),
        // secret.name
        ok(json!({"secret": {"name": "a.b-c"}})),
        ok(json!({"secret": {"name": x(253)}})),
        no(json!({"secret": {"name": x(254)}}), "spec.secret.name: Too long: may not be more than 253 bytes"),
        no(json!({"secret": {"name": ""}}), "spec.secret.name in body should be at least 1 chars long"),
        no(json!({"secret": {"name": "a_b"}}), "spec.secret.name in body should match"),
        no(json!({"secret": {"nam": "a"}}), "unknown field \"spec.secret.nam\""),
        // secret.labels
        ok(json!({"secret": {"labels": {}}})),
        ok(json!({"secret": {"labels": {"team": "a", "example.com/x_Y.z": "", "app.kubernetes.io/name": "ingest"}}})),
        ok(json!({"secret": {"labels": {"team": x(63)}}})),
        ok(json!({"secret": {"labels": map(32)}})),
        no(json!({"secret": {"labels": map(33)}}), "spec.secret.labels: Too many: 33: must have at most 32 items"),
        no(json!({"secret": {"labels": {"team": x(64)}}}), "spec.secret.labels.team: Too long: may not be more than 63 bytes"),
        no(json!({"secret": {"labels": {"team": "a b"}}}), "spec.secret.labels.team in body should match"),
        no(json!({"secret": {"labels": {"team": "a-"}}}), "spec.secret.labels.team in body should match"),
        no(json!({"secret": {"labels": {"team": 1}}}), "spec.secret.labels.team in body must be of type string"),
        no(json!({"secret": {"labels": {"a b": "v"}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
        no(json!({"secret": {"labels": {"-a": "v"}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
        no(json!({"secret": {"labels": {"/a": "v"}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
        no(json!({"secret": {"labels": {"A.example/x": "v"}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
        no(json!({"secret": {"labels": {(x(318)): "v"}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
        no(json!({"secret": {"labels": {"ram-operator.dev/access-key": "v"}}}), "`secret.labels` must not use 'ram-operator.dev/'"),
        no(json!({"secret": {"labels": {"app.kubernetes.io/instance": "v"}}}), "`secret.labels` must not use 'ram-operator.dev/', 'app.kubernetes.io/instance'"),
        no(json!({"secret": {"labels": {"argocd.argoproj.io/instance": "v"}}}), "`secret.labels` must not use 'ram-operator.dev/', 'app.kubernetes.io/instance' or 'argocd.argoproj.io/'"),
        // secret.annotations
        ok(json!({"secret": {"annotations": {"example.com/x": "any text, with\nlines: é"}}})),
        ok(json!({"secret": {"annotations": {"a": x(4096)}}})),
        ok(json!({"secret": {"annotations": map(32)}})),
        no(json!({"secret": {"annotations": map(33)}}), "spec.secret.annotations: Too many: 33: must have at most 32 items"),
        no(json!({"secret": {"annotations": {"a": x(4097)}}}), "spec.secret.annotations.a: Too long: may not be more than 4096 bytes"),
        no(json!({"secret": {"annotations": {"a b": "v"}}}), "keys of `secret.annotations` must be annotation keys of Kubernetes"),
        no(json!({"secret": {"annotations": {(x(318)): "v"}}}), "keys of `secret.annotations` must be annotation keys of Kubernetes"),
        no(json!({"secret": {"annotations": {"ram-operator.dev/pair-sha256": "v"}}}), "`secret.annotations` must not use 'ram-operator.dev/'"),
        no(json!({"secret": {"annotations": {"app.kubernetes.io/instance": "v"}}}), "`secret.annotations` must not use 'ram-operator.dev/'"),
        no(json!({"secret": {"annotations": {"argocd.argoproj.io/tracking-id": "v"}}}), "`secret.annotations` must not use 'ram-operator.dev/'"),
        // secret.formats
        ok(json!({"secret": {"formats": ["Ini"]}})),
        ok(json!({"secret": {"formats": ["Csv", "CliJson", "Ini", "Env"]}})),
        no(json!({"secret": {"formats": []}}), "spec.secret.formats in body should have at least 1 items"),
        no(json!({"secret": {"formats": ["Env", "Env"]}}), "`secret.formats` must not name a format twice"),
        no(json!({"secret": {"formats": ["Env", "Ini", "CliJson", "Csv", "Env"]}}), "spec.secret.formats: Too many: 5: must have at most 4 items"),
        no(json!({"secret": {"formats": ["Yaml"]}}), "spec.secret.formats[0]: Unsupported value: \"Yaml\": supported values: \"Env\", \"Ini\", \"CliJson\", \"Csv\""),
        // secret.data, its keys
        ok(json!({"secret": {"data": {"a.b-c_D9": "text"}}})),
        ok(json!({"secret": {"data": {(x(253)): "text"}}})),
        ok(json!({"secret": {"data": map(32)}})),
        no(json!({"secret": {"data": map(33)}}), "spec.secret.data: Too many: 33: must have at most 32 items"),
        no(json!({"secret": {"data": {(x(254)): "text"}}}), "keys of `secret.data` must consist of letters, digits, '-', '_' and '.'"),
        no(json!({"secret": {"data": {"a/b": "text"}}}), "keys of `secret.data` must consist of letters, digits, '-', '_' and '.'"),
        no(json!({"secret": {"data": {"a b": "text"}}}), "keys of `secret.data` must consist of letters, digits, '-', '_' and '.'"),
        no(json!({"secret": {"data": {"": "text"}}}), "keys of `secret.data` must consist of letters, digits, '-', '_' and '.'"),
        no(json!({"secret": {"data": {"ALIBABA_CLOUD_ACCESS_KEY_ID": "text"}}}), "`secret.data` must not use a key that `secret.formats` writes"),
        no(json!({"secret": {"data": {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "text"}}}), "`secret.data` must not use a key that `secret.formats` writes"),
        no(json!({"secret": {"data": {"credentials": "text"}}}), "`secret.data` must not use a key that `secret.formats` writes"),
        no(json!({"secret": {"data": {"config.json": "text"}}}), "`secret.data` must not use a key that `secret.formats` writes"),
        no(json!({"secret": {"data": {"AccessKey.csv": "text"}}}), "`secret.data` must not use a key that `secret.formats` writes"),
        // secret.data, its templates
        ok(json!({"secret": {"data": {"a": ""}}})),
        ok(json!({"secret": {"data": {"a": "$(accessKeyId):$(accessKeySecret)@$(userName)/$(userPrincipalName)/$(accountId)\n"}}})),
        ok(json!({"secret": {"data": {"a": "$$(accessKeyId) $$(unknown) $HOME ${HOME} $5 $"}}})),
        ok(json!({"secret": {"data": {"a": x(8192)}}})),
        no(json!({"secret": {"data": {"a": x(8193)}}}), "spec.secret.data.a: Too long: may not be more than 8192 bytes"),
        no(json!({"secret": {"data": {"a": "$(unknown)"}}}), "spec.secret.data.a in body should match"),
        no(json!({"secret": {"data": {"a": "$(accesskeyid)"}}}), "spec.secret.data.a in body should match"),
        no(json!({"secret": {"data": {"a": "$(accessKeyId"}}}), "spec.secret.data.a in body should match"),
        no(json!({"secret": {"data": {"a": "$()"}}}), "spec.secret.data.a in body should match"),
        no(json!({"secret": {"data": {"a": "x $("}}}), "spec.secret.data.a in body should match"),
        no(json!({"secret": {"data": {"a": 5}}}), "spec.secret.data.a in body must be of type string"),
        // secret.adoptFrom
        ok(json!({"secret": {"adoptFrom": {"name": "old"}}})),
        ok(json!({"secret": {"name": "old", "adoptFrom": {"name": "old", "accessKeyIdKey": "a.k", "accessKeySecretKey": x(253)}}})),
        no(json!({"secret": {"adoptFrom": {}}}), "spec.secret.adoptFrom.name: Required value"),
        no(json!({"secret": {"adoptFrom": {"name": "a_b"}}}), "spec.secret.adoptFrom.name in body should match"),
        no(json!({"secret": {"adoptFrom": {"name": x(254)}}}), "spec.secret.adoptFrom.name: Too long: may not be more than 253 bytes"),
        no(json!({"secret": {"adoptFrom": {"name": "old", "namespace": "other"}}}), "unknown field \"spec.secret.adoptFrom.namespace\""),
        no(json!({"secret": {"adoptFrom": {"name": "old", "accessKeyIdKey": "a b"}}}), "spec.secret.adoptFrom.accessKeyIdKey in body should match"),
        no(json!({"secret": {"adoptFrom": {"name": "old", "accessKeyIdKey": ""}}}), "spec.secret.adoptFrom.accessKeyIdKey in body should be at least 1 chars long"),
        no(json!({"secret": {"adoptFrom": {"name": "old", "accessKeySecretKey": x(254)}}}), "spec.secret.adoptFrom.accessKeySecretKey: Too long: may not be more than 253 bytes"),
        no(json!({"secret": {"adoptFrom": {"name": "old", "accessKeySecretKey": "ALIBABA_CLOUD_ACCESS_KEY_ID"}}}), "`adoptFrom.accessKeyIdKey` and `adoptFrom.accessKeySecretKey` must be two keys of the Secret"),
    ]
}

#[rustfmt::skip] // One line a case.
fn account_cases() -> Vec<Case> {
    vec![
        ok(json!({})),
        no(json!({"region": "cn-hangzhou"}), "unknown field \"spec.region\""),
        // accountId, ownerId, userNamePrefix
        ok(json!({"accountId": "1234567890"})),
        ok(json!({"accountId": rep("1", 20)})),
        no(json!({"accountId": rep("1", 9)}), "spec.accountId in body should be at least 10 chars long"),
        no(json!({"accountId": rep("1", 21)}), "spec.accountId: Too long: may not be more than 20 bytes"),
        no(json!({"accountId": "12345678x0"}), "spec.accountId in body should match"),
        no(json!({"accountId": 1_234_567_890}), "spec.accountId in body must be of type string"),
        ok(json!({"ownerId": "prod-1"})),
        ok(json!({"ownerId": x(20)})),
        no(json!({"ownerId": x(21)}), "spec.ownerId: Too long: may not be more than 20 bytes"),
        no(json!({"ownerId": ""}), "spec.ownerId in body should be at least 1 chars long"),
        no(json!({"ownerId": "Prod"}), "spec.ownerId in body should match"),
        no(json!({"ownerId": "a]b"}), "spec.ownerId in body should match"),
        ok(json!({"userNamePrefix": "k8s."})),
        ok(json!({"userNamePrefix": x(20)})),
        no(json!({"userNamePrefix": x(21)}), "spec.userNamePrefix: Too long: may not be more than 20 bytes"),
        no(json!({"userNamePrefix": ""}), "spec.userNamePrefix in body should be at least 1 chars long"),
        no(json!({"userNamePrefix": "-a"}), "spec.userNamePrefix in body should match"),
        no(json!({"userNamePrefix": "a b"}), "spec.userNamePrefix in body should match"),
        // credentials
        ok(json!({"credentials": {"source": "Rrsa"}})),
        ok(json!({"credentials": {"source": "EcsRole"}})),
        ok(json!({"credentials": {"source": "Secret", "secret": {"name": "pair"}}})),
        no(json!({"credentials": null}), "spec.credentials: Required value"),
        no(json!({"credentials": {"source": null}}), "spec.credentials.source: Required value"),
        no(json!({"credentials": {"source": "secret"}}), "spec.credentials.source: Unsupported value: \"secret\": supported values: \"Secret\", \"Environment\", \"Rrsa\", \"EcsRole\""),
        no(json!({"credentials": {"source": "Secret"}}), "`secret` must be given when `source` is 'Secret', and only then"),
        no(json!({"credentials": {"secret": {"name": "pair"}}}), "`secret` must be given when `source` is 'Secret', and only then"),
        no(json!({"credentials": {"source": "Rrsa", "secret": {"name": "pair"}}}), "`secret` must be given when `source` is 'Secret', and only then"),
        no(json!({"credentials": {"source": "EcsRole", "secret": {"name": "pair"}}}), "`secret` must be given when `source` is 'Secret', and only then"),
        no(json!({"credentials": {"accessKeySecret": "never here"}}), "unknown field \"spec.credentials.accessKeySecret\""),
        // credentials.secret
        ok(json!({"credentials": {"source": "Secret", "secret": {"name": x(253), "namespace": x(63), "accessKeyIdKey": "a.b-c_D", "accessKeySecretKey": x(253), "securityTokenKey": "t"}}})),
        no(json!({"credentials": {"source": "Secret", "secret": {}}}), "spec.credentials.secret.name: Required value"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": ""}}}), "spec.credentials.secret.name in body should be at least 1 chars long"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": x(254)}}}), "spec.credentials.secret.name: Too long: may not be more than 253 bytes"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a_b"}}}), "spec.credentials.secret.name in body should match"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "namespace": ""}}}), "spec.credentials.secret.namespace in body should be at least 1 chars long"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "namespace": x(64)}}}), "spec.credentials.secret.namespace: Too long: may not be more than 63 bytes"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "namespace": "a.b"}}}), "spec.credentials.secret.namespace in body should match"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "accessKeyIdKey": "a/b"}}}), "spec.credentials.secret.accessKeyIdKey in body should match"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "accessKeyIdKey": ""}}}), "spec.credentials.secret.accessKeyIdKey in body should be at least 1 chars long"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "accessKeyIdKey": x(254)}}}), "spec.credentials.secret.accessKeyIdKey: Too long: may not be more than 253 bytes"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "accessKeySecretKey": "a b"}}}), "spec.credentials.secret.accessKeySecretKey in body should match"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "accessKeySecretKey": ""}}}), "spec.credentials.secret.accessKeySecretKey in body should be at least 1 chars long"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "accessKeySecretKey": x(254)}}}), "spec.credentials.secret.accessKeySecretKey: Too long: may not be more than 253 bytes"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "securityTokenKey": "é"}}}), "spec.credentials.secret.securityTokenKey in body should match"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "securityTokenKey": ""}}}), "spec.credentials.secret.securityTokenKey in body should be at least 1 chars long"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "securityTokenKey": x(254)}}}), "spec.credentials.secret.securityTokenKey: Too long: may not be more than 253 bytes"),
        no(json!({"credentials": {"source": "Secret", "secret": {"name": "a", "key": "b"}}}), "unknown field \"spec.credentials.secret.key\""),
        // credentials.assumeRole
        ok(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/ram-operator"}}})),
        ok(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/r", "externalId": "a=,.@:/_+-b"}}})),
        ok(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/r", "externalId": x(1224)}}})),
        no(json!({"credentials": {"assumeRole": {}}}), "spec.credentials.assumeRole.roleArn: Required value"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1:role/a"}}}), "spec.credentials.assumeRole.roleArn in body should be at least 20 chars long"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:user/a"}}}), "spec.credentials.assumeRole.roleArn in body should match"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/a b"}}}), "spec.credentials.assumeRole.roleArn in body should match"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/".to_owned() + &x(226)}}}), "spec.credentials.assumeRole.roleArn: Too long: may not be more than 256 bytes"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/r", "externalId": "a"}}}), "spec.credentials.assumeRole.externalId in body should be at least 2 chars long"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/r", "externalId": "a b"}}}), "spec.credentials.assumeRole.externalId in body should match"),
        no(json!({"credentials": {"assumeRole": {"roleArn": "acs:ram::1234567890123456:role/r", "externalId": x(1225)}}}), "spec.credentials.assumeRole.externalId: Too long: may not be more than 1224 bytes"),
        // quotaShare
        ok(json!({"quotaShare": 1})),
        ok(json!({"quotaShare": 100})),
        no(json!({"quotaShare": 0}), "spec.quotaShare in body should be greater than or equal to 1"),
        no(json!({"quotaShare": 101}), "spec.quotaShare in body should be less than or equal to 100"),
        no(json!({"quotaShare": 50.5}), "spec.quotaShare in body must be of type int32"),
        no(json!({"quotaShare": "50"}), "spec.quotaShare in body must be of type integer"),
        // lookInterval
        ok(json!({"lookInterval": "1m"})),
        ok(json!({"lookInterval": "60s"})),
        ok(json!({"lookInterval": "30d"})),
        ok(json!({"lookInterval": "1d12h30m15s"})),
        ok(json!({"lookInterval": "9999d"})),
        no(json!({"lookInterval": "30s"}), "`lookInterval` must be at least '1m'"),
        no(json!({"lookInterval": "59s"}), "`lookInterval` must be at least '1m'"),
        no(json!({"lookInterval": "0d"}), "`lookInterval` must be at least '1m'"),
        no(json!({"lookInterval": "1w"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "1.5h"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "-5m"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "500ms"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "200000d"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "1h1d"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "1 h"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": "60"}), "spec.lookInterval in body should match"),
        no(json!({"lookInterval": ""}), "spec.lookInterval in body should be at least 2 chars long"),
        no(json!({"lookInterval": rep("0", 24) + "1m"}), "spec.lookInterval: Too long: may not be more than 24 bytes"),
        no(json!({"lookInterval": 60}), "spec.lookInterval in body must be of type duration"),
        // endpoints: what is the same for each is in `endpoints_are_urls_of_hosts`
        ok(json!({"endpoints": {}})),
        no(json!({"endpoints": {"oss": "https://oss.aliyuncs.com"}}), "unknown field \"spec.endpoints.oss\""),
    ]
}

#[rustfmt::skip] // One line a case.
fn tenant_cases() -> Vec<Case> {
    vec![
        ok(json!({})),
        no(json!({"namespaces": ["a"]}), "unknown field \"spec.namespaces\""),
        // accountRef
        ok(json!({"accountRef": {"name": "prod"}})),
        no(json!({"accountRef": {"name": ""}}), "spec.accountRef.name in body should be at least 1 chars long"),
        no(json!({"accountRef": {"name": x(254)}}), "spec.accountRef.name: Too long: may not be more than 253 bytes"),
        no(json!({"accountRef": {"name": "a/b"}}), "spec.accountRef.name in body should match"),
        // namespaceSelector
        no(json!({"namespaceSelector": null}), "spec.namespaceSelector: Required value"),
        no(json!({"namespaceSelector": {"labels": {"a": "b"}}}), "unknown field \"spec.namespaceSelector.labels\""),
        ok(json!({"namespaceSelector": {"matchLabels": {"team": "a", "x": ""}}})),
        ok(json!({"namespaceSelector": {"matchLabels": map(16)}})),
        no(json!({"namespaceSelector": {"matchLabels": map(17)}}), "spec.namespaceSelector.matchLabels: Too many: 17: must have at most 16 items"),
        no(json!({"namespaceSelector": {"matchLabels": {"team": "a b"}}}), "spec.namespaceSelector.matchLabels.team in body should match"),
        no(json!({"namespaceSelector": {"matchLabels": {"team": x(64)}}}), "spec.namespaceSelector.matchLabels.team: Too long: may not be more than 63 bytes"),
        ok(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}, {"key": "x", "operator": "NotIn", "values": [""]}]}})),
        ok(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}, {"key": "x", "operator": "DoesNotExist"}]}})),
        ok(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists", "values": []}]}})),
        ok(json!({"namespaceSelector": {"matchExpressions": items(16, &json!({"key": format!("{}/{}", x(253), x(63)), "operator": "Exists"}))}})),
        no(json!({"namespaceSelector": {"matchExpressions": items(17, &json!({"key": "a", "operator": "Exists"}))}}), "spec.namespaceSelector.matchExpressions: Too many: 17: must have at most 16 items"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In"}]}}), "`values` must be given for 'In' and 'NotIn', and only for them"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn"}]}}), "`values` must be given for 'In' and 'NotIn', and only for them"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": []}]}}), "`values` must be given for 'In' and 'NotIn', and only for them"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists", "values": ["a"]}]}}), "`values` must be given for 'In' and 'NotIn', and only for them"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist", "values": ["a"]}]}}), "`values` must be given for 'In' and 'NotIn', and only for them"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Equals", "values": ["a"]}]}}), "Unsupported value: \"Equals\": supported values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\""),
        no(json!({"namespaceSelector": {"matchExpressions": [{"operator": "Exists"}]}}), "spec.namespaceSelector.matchExpressions[0].key: Required value"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team"}]}}), "spec.namespaceSelector.matchExpressions[0].operator: Required value"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "", "operator": "Exists"}]}}), "spec.namespaceSelector.matchExpressions[0].key in body should be at least 1 chars long"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": x(318), "operator": "Exists"}]}}), "spec.namespaceSelector.matchExpressions[0].key: Too long: may not be more than 317 bytes"),
        ok(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": texts(32)}]}})),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": texts(33)}]}}), "spec.namespaceSelector.matchExpressions[0].values: Too many: 33: must have at most 32 items"),
        no(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": [x(64)]}]}}), "spec.namespaceSelector.matchExpressions[0].values[0]: Too long: may not be more than 63 bytes"),
        // names.users
        ok(json!({"names": {}})),
        ok(json!({"names": {"users": []}})),
        ok(json!({"names": {"users": ["*", "svc-?.a_b*", x(64)]}})),
        ok(json!({"names": {"users": texts(50)}})),
        no(json!({"names": {"users": texts(51)}}), "spec.names.users: Too many: 51: must have at most 50 items"),
        no(json!({"names": {"users": [""]}}), "spec.names.users[0] in body should be at least 1 chars long"),
        no(json!({"names": {"users": [x(65)]}}), "spec.names.users[0]: Too long: may not be more than 64 bytes"),
        no(json!({"names": {"users": ["a/b"]}}), "spec.names.users[0] in body should match"),
        ok(json!({"names": {"groups": ["a.*"], "policies": ["team-a-*"]}})),
        no(json!({"names": {"policies": ["a.b"]}}), "spec.names.policies[0] in body should match"),
        no(json!({"names": {"roles": ["a"]}}), "unknown field \"spec.names.roles\""),
        ok(json!({"attach": {"groups": ["readers", "team-*"]}})),
        ok(json!({"documents": {"actions": ["ots:*", "*"], "resources": ["acs:ots:*:*:instance/team-a-*"]}})),
        no(json!({"documents": {"actions": ["ots:*"]}}), "spec.documents.resources: Required value"),
        no(json!({"documents": {"actions": [], "resources": ["*"]}}), "spec.documents.actions in body should have at least 1 items"),
        no(json!({"documents": {"actions": ["ots"], "resources": ["*"]}}), "spec.documents.actions[0] in body should match"),
        no(json!({"limits": {"policies": -1}}), "spec.limits.policies in body should be greater than or equal to 0"),
        // attach
        ok(json!({"attach": {}})),
        ok(json!({"attach": {"system": ["AliyunOTS*", "*", x(128)], "custom": ["shared-?", "*"]}})),
        ok(json!({"attach": {"system": texts(100), "custom": texts(100)}})),
        no(json!({"attach": {"system": texts(101)}}), "spec.attach.system: Too many: 101: must have at most 100 items"),
        no(json!({"attach": {"custom": texts(101)}}), "spec.attach.custom: Too many: 101: must have at most 100 items"),
        no(json!({"attach": {"system": ["a_b"]}}), "spec.attach.system[0] in body should match"),
        no(json!({"attach": {"custom": ["a b"]}}), "spec.attach.custom[0] in body should match"),
        no(json!({"attach": {"system": [""]}}), "spec.attach.system[0] in body should be at least 1 chars long"),
        no(json!({"attach": {"custom": [""]}}), "spec.attach.custom[0] in body should be at least 1 chars long"),
        no(json!({"attach": {"system": [x(129)]}}), "spec.attach.system[0]: Too long: may not be more than 128 bytes"),
        no(json!({"attach": {"custom": [x(129)]}}), "spec.attach.custom[0]: Too long: may not be more than 128 bytes"),
        no(json!({"attach": {"sytem": []}}), "unknown field \"spec.attach.sytem\""),
        // retain, limits
        ok(json!({"retain": "Allow"})),
        ok(json!({"retain": "Deny"})),
        ok(json!({"consoleLogin": "Allow"})),
        no(json!({"retain": "allow"}), "spec.retain: Unsupported value: \"allow\": supported values: \"Deny\", \"Allow\""),
        ok(json!({"limits": {}})),
        ok(json!({"limits": {"users": 0, "accessKeys": 100_000}})),
        ok(json!({"limits": {"users": 100_000, "accessKeys": 0}})),
        no(json!({"limits": {"users": -1}}), "spec.limits.users in body should be greater than or equal to 0"),
        no(json!({"limits": {"users": 100_001}}), "spec.limits.users in body should be less than or equal to 100000"),
        no(json!({"limits": {"accessKeys": -1}}), "spec.limits.accessKeys in body should be greater than or equal to 0"),
        no(json!({"limits": {"accessKeys": 100_001}}), "spec.limits.accessKeys in body should be less than or equal to 100000"),
        no(json!({"limits": {"users": 1.5}}), "spec.limits.users in body must be of type int32"),
        no(json!({"limits": {"accessKeys": "5"}}), "spec.limits.accessKeys in body must be of type integer"),
        no(json!({"limits": {"keys": 5}}), "unknown field \"spec.limits.keys\""),
    ]
}

/// A statement of a policy, changed.
fn statement(more: Value) -> Value {
    let mut statement = json!({"effect": "Allow", "actions": ["ots:Get*"], "resources": ["acs:ots:*:*:instance/a"]});
    merge(&mut statement, more);
    statement
}

#[rustfmt::skip] // One line a case.
fn policy_cases() -> Vec<Case> {
    let one = "exactly one of `statements` and `documentJson` must be given";
    let named = "`policyName` must be given for the management 'Observe' and for the adoption 'IfUnowned'";
    let of = |more: Value| json!({"statements": [statement(more)]});
    let conditions = |count: usize| -> Value {
        texts(count).into_iter().map(|key| (key, json!({"acs:SourceIp": ["203.0.113.0/24"]}))).collect()
    };
    vec![
        ok(json!({})),
        no(json!({"statement": []}), "unknown field \"spec.statement\""),
        ok(json!({"accountRef": {"name": "prod"}})),
        no(json!({"accountRef": {"name": "Prod"}}), "spec.accountRef.name in body should match"),
        // policyName
        ok(json!({"policyName": "a"})),
        ok(json!({"policyName": "Shared-9"})),
        ok(json!({"policyName": x(128)})),
        no(json!({"policyName": x(129)}), "spec.policyName: Too long: may not be more than 128 bytes"),
        no(json!({"policyName": ""}), "spec.policyName in body should be at least 1 chars long"),
        no(json!({"policyName": "a.b"}), "spec.policyName in body should match"),
        no(json!({"policyName": "a_b"}), "spec.policyName in body should match"),
        // description
        ok(json!({"description": ""})),
        ok(json!({"description": x(900)})),
        ok(json!({"description": rep("é", 450)})),
        no(json!({"description": x(901)}), "spec.description: Too long: may not be more than 900 bytes"),
        no(json!({"description": rep("é", 451)}), "`description` must have at most 900 bytes in UTF-8"),
        no(json!({"description": "a [ram-operator:b]"}), "`description` must not contain '[ram-operator:'"),
        no(json!({"description": "a\nb"}), "spec.description in body should match"),
        // one of two forms, and none only for what is observed
        ok(json!({"statements": null, "documentJson": "{}"})),
        no(json!({"documentJson": "{}"}), one),
        no(json!({"statements": null}), one),
        ok(json!({"statements": null, "management": "Observe", "policyName": "theirs"})),
        ok(json!({"management": "Observe", "policyName": "theirs"})),
        no(json!({"documentJson": "{}", "management": "Observe", "policyName": "theirs"}), one),
        no(json!({"statements": null, "management": "Plan"}), one),
        no(json!({"management": "Observe"}), named),
        no(json!({"adoption": "IfUnowned", "deletionPolicy": "Retain"}), named),
        // documentJson
        ok(json!({"statements": null, "documentJson": x(16384)})),
        no(json!({"statements": null, "documentJson": x(16385)}), "spec.documentJson: Too long: may not be more than 16384 bytes"),
        no(json!({"statements": null, "documentJson": "{"}), "spec.documentJson in body should be at least 2 chars long"),
        no(json!({"statements": null, "documentJson": {}}), "spec.documentJson in body must be of type string"),
        // statements
        ok(json!({"statements": items(30, &statement(json!({})))})),
        no(json!({"statements": items(31, &statement(json!({})))}), "spec.statements: Too many: 31: must have at most 30 items"),
        no(json!({"statements": []}), "spec.statements in body should have at least 1 items"),
        ok(of(json!({"effect": "Deny"}))),
        no(of(json!({"effect": "allow"})), "spec.statements[0].effect: Unsupported value: \"allow\": supported values: \"Allow\", \"Deny\""),
        no(of(json!({"effect": null})), "spec.statements[0].effect: Required value"),
        no(of(json!({"actions": null})), "spec.statements[0].actions: Required value"),
        no(of(json!({"resources": null})), "spec.statements[0].resources: Required value"),
        no(of(json!({"notActions": ["ram:*"]})), "unknown field \"spec.statements[0].notActions\""),
        ok(of(json!({"actions": ["*", "ots:*", "ots:Get?ow"]}))),
        ok(of(json!({"actions": items(100, &json!("ots:GetRow"))}))),
        no(of(json!({"actions": items(101, &json!("ots:GetRow"))})), "spec.statements[0].actions: Too many: 101: must have at most 100 items"),
        no(of(json!({"actions": []})), "spec.statements[0].actions in body should have at least 1 items"),
        no(of(json!({"actions": ["ots"]})), "spec.statements[0].actions[0] in body should match"),
        no(of(json!({"actions": ["ots:Get Row"]})), "spec.statements[0].actions[0] in body should match"),
        ok(of(json!({"resources": items(50, &json!("*"))}))),
        no(of(json!({"resources": items(51, &json!("*"))})), "spec.statements[0].resources: Too many: 51: must have at most 50 items"),
        no(of(json!({"resources": []})), "spec.statements[0].resources in body should have at least 1 items"),
        no(of(json!({"resources": ["a b"]})), "spec.statements[0].resources[0] in body should match"),
        no(of(json!({"resources": [x(513)]})), "spec.statements[0].resources[0]: Too long: may not be more than 512 bytes"),
        ok(of(json!({"conditions": {"IpAddress": {"acs:SourceIp": ["203.0.113.0/24"]}, "Bool": {"acs:MFAPresent": ["true"]}}}))),
        ok(of(json!({"conditions": conditions(10)}))),
        no(of(json!({"conditions": conditions(11)})), "spec.statements[0].conditions: Too many: 11: must have at most 10 items"),
        no(of(json!({"conditions": {"Bool": {"acs:MFAPresent": "true"}}})), "must be of type array"),
        // deletionPolicy
        ok(json!({"deletionPolicy": "Retain"})),
        no(json!({"deletionPolicy": "Disable"}), "spec.deletionPolicy: Unsupported value: \"Disable\": supported values: \"Delete\", \"Retain\""),
    ]
}

#[rustfmt::skip] // One line a case.
fn group_cases() -> Vec<Case> {
    let named = "`groupName` must be given for the management 'Observe' and for the adoption 'IfUnowned'";
    vec![
        ok(json!({})),
        no(json!({"members": []}), "unknown field \"spec.members\""),
        ok(json!({"accountRef": {"name": "prod"}})),
        no(json!({"accountRef": {"name": "Prod"}}), "spec.accountRef.name in body should match"),
        // groupName
        ok(json!({"groupName": "a"})),
        ok(json!({"groupName": "._a-B.9"})),
        ok(json!({"groupName": x(64)})),
        no(json!({"groupName": x(65)}), "spec.groupName: Too long: may not be more than 64 bytes"),
        no(json!({"groupName": ""}), "spec.groupName in body should be at least 1 chars long"),
        no(json!({"groupName": "-a"}), "spec.groupName in body should match"),
        no(json!({"groupName": "a b"}), "spec.groupName in body should match"),
        ok(json!({"groupName": "theirs", "management": "Observe"})),
        no(json!({"management": "Observe"}), named),
        no(json!({"adoption": "IfUnowned", "deletionPolicy": "Retain"}), named),
        // comments
        ok(json!({"comments": ""})),
        ok(json!({"comments": x(56)})),
        ok(json!({"comments": rep("é", 28)})),
        no(json!({"comments": x(57)}), "spec.comments: Too long: may not be more than 56 bytes"),
        no(json!({"comments": rep("é", 29)}), "`comments` must have at most 56 bytes in UTF-8"),
        no(json!({"comments": "a [ram-operator:b]"}), "`comments` must not contain '[ram-operator:'"),
        no(json!({"comments": "a\nb"}), "spec.comments in body should match"),
        // policies
        ok(json!({"policies": []})),
        ok(json!({"policies": policies(20, 10)})),
        ok(json!({"policies": [{"type": "System", "name": "A"}, {"type": "Custom", "name": "A"}, {"type": "RamPolicy", "name": "a.b"}]})),
        no(json!({"policies": policies(21, 0)}), "`policies` must not hold more than 20 of type 'System', which is RAM's quota"),
        no(json!({"policies": policies(0, 11)}), "`policies` must not hold more than 10 of the types 'Custom' and 'RamPolicy', which is RAM's quota"),
        no(json!({"policies": policies(20, 11)}), "spec.policies: Too many: 31: must have at most 30 items"),
        no(json!({"policies": items(2, &json!({"type": "RamPolicy", "name": "a"}))}), "`policies` must not name a policy twice"),
        no(json!({"policies": [{"type": "RamPolicy", "name": "A"}]}), "`name` must be that of a RamPolicy for the type 'RamPolicy'"),
        no(json!({"policies": [{"type": "System", "name": "a.b"}]}), "and of letters, digits and '-' else"),
        // attachments, deletionPolicy
        ok(json!({"attachments": "Report", "deletionPolicy": "Retain"})),
        no(json!({"attachments": "All"}), "spec.attachments: Unsupported value: \"All\": supported values: \"Exclusive\", \"Report\", \"Additive\""),
        no(json!({"deletionPolicy": "Disable"}), "spec.deletionPolicy: Unsupported value: \"Disable\": supported values: \"Delete\", \"Retain\""),
    ]
}

#[rustfmt::skip] // One line a case.
fn revocation_cases() -> Vec<Case> {
    let one = "exactly one of `accessKeyId` (yours), `order` and `leftOver` (the operator's) must be given";
    let left = json!({"kind": "RamGroup", "namespace": "a", "name": "b", "uid": "u", "ramName": "a.b"});
    let user = json!({"kind": "RamUser", "namespace": "a", "name": "b", "uid": "u", "ramName": "a.b"});
    vec![
        ok(json!({})),
        no(json!({"user": "reader"}), "unknown field \"spec.user\""),
        ok(json!({"accountRef": {"name": "prod"}})),
        no(json!({"accountRef": {"name": "Prod"}}), "spec.accountRef.name in body should match"),
        no(json!({"accessKeyId": null}), one),
        no(json!({"leftOver": left}), one),
        no(json!({"accessKeyId": null, "leftOver": user}), "spec.leftOver.kind: Unsupported value: \"RamUser\": supported values: \"RamPolicy\", \"RamGroup\""),
        ok(json!({"accessKeyId": x(16)})),
        ok(json!({"accessKeyId": x(128)})),
        no(json!({"accessKeyId": x(15)}), "spec.accessKeyId in body should be at least 16 chars long"),
        no(json!({"accessKeyId": x(129)}), "spec.accessKeyId: Too long: may not be more than 128 bytes"),
        no(json!({"accessKeyId": "LTAI5t nobody has it"}), "spec.accessKeyId in body should match"),
        ok(json!({"note": ""})),
        ok(json!({"note": x(256)})),
        no(json!({"note": x(257)}), "spec.note: Too long: may not be more than 256 bytes"),
    ]
}

/// The kinds, each with the spec that the cases change.
fn valid(kind: &str) -> Value {
    match kind {
        "RamAccount" => json!({"credentials": {"source": "Environment"}}),
        "RamTenant" => json!({"namespaceSelector": {}}),
        "RamUser" => json!({}),
        "RamAccessKey" => json!({"userRef": {"name": "reader"}}),
        "RamPolicy" => json!({"statements": [statement(json!({}))]}),
        "RamGroup" => json!({}),
        "RamRevocation" => json!({"accessKeyId": "LTAI5tNobodyHasIt00000001"}),
        other => panic!("no kind of ours: {other}"),
    }
}

fn plural(kind: &str) -> String {
    if kind == "RamPolicy" { "rampolicies".to_owned() } else { format!("{}s", kind.to_lowercase()) }
}

/// Where objects of a kind are on the server.
fn collection(world: &World, kind: &str) -> String {
    let group = "/apis/ram-operator.dev/v1alpha1";
    let plural = plural(kind);
    if matches!(kind, "RamAccount" | "RamTenant" | "RamRevocation") {
        format!("{group}/{plural}")
    } else {
        format!("{group}/namespaces/{}/{plural}", world.ns)
    }
}

fn object(world: &World, kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "ram-operator.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"ram-test": world.name}},
        "spec": spec,
    })
}

/// Sends a request; the answer, or the server's message.
async fn send(world: &World, method: &str, uri: String, content: &str, body: &Value) -> Result<Value, String> {
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", content)
        .body(serde_json::to_vec(body).expect("JSON"))
        .expect("a request");
    match world.admin.request::<Value>(request).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => panic!("no answer: {error}"),
    }
}

async fn create(world: &World, kind: &str, object: &Value) -> Result<Value, String> {
    let uri = format!("{}?fieldValidation=Strict", collection(world, kind));
    send(world, "POST", uri, "application/json", object).await
}

async fn dry_create(world: &World, kind: &str, object: &Value) -> Result<Value, String> {
    let uri = format!("{}?fieldValidation=Strict&dryRun=All", collection(world, kind));
    send(world, "POST", uri, "application/json", object).await
}

/// Merges `patch` into an object, or into a part of it such as `/status`.
async fn change(world: &World, kind: &str, name: &str, part: &str, patch: &Value) -> Result<Value, String> {
    let uri = format!("{}/{name}{part}?fieldValidation=Strict", collection(world, kind));
    send(world, "PATCH", uri, "application/merge-patch+json", patch).await
}

/// Applies server-side, as helm and GitOps tools do.
async fn apply(world: &World, kind: &str, name: &str, object: &Value) -> Result<Value, String> {
    let uri = format!("{}/{name}?fieldManager=test&force=true", collection(world, kind));
    send(world, "PATCH", uri, "application/apply-patch+yaml", object).await
}

/// What is wrong with an answer; nothing when it is as wanted.
fn complaint(what: &str, answer: &Result<Value, String>, says: Option<&str>) -> Option<String> {
    let what: String = what.chars().take(300).collect();
    match (answer, says) {
        (Ok(_), None) => None,
        (Err(why), Some(says)) if why.contains(says) => None,
        (Ok(_), Some(says)) => Some(format!("{what}\n    was accepted, and should have been refused with: {says}")),
        (Err(why), None) => Some(format!("{what}\n    should have been accepted, and got: {why}")),
        (Err(why), Some(says)) => Some(format!("{what}\n    should have got: {says}\n    and got: {why}")),
    }
}

async fn check(test: &str, kind: &str, cases: Vec<Case>) {
    let world = World::bare(test, Options::default()).await;
    let mut complaints = Vec::new();
    for Case { change, says } in cases {
        let what = change.to_string();
        let mut spec = valid(kind);
        merge(&mut spec, change);
        let answer = dry_create(&world, kind, &object(&world, kind, &world.name, &spec)).await;
        complaints.extend(complaint(&what, &answer, says));
    }
    assert!(complaints.is_empty(), "{kind}:\n{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ram_user_may_be() {
    check("admission_user", "RamUser", user_cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ram_access_key_may_be() {
    check("admission_key", "RamAccessKey", key_cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ram_policy_a_ram_group_and_a_ram_revocation_may_be() {
    check("admission_policy", "RamPolicy", policy_cases()).await;
    check("admission_group", "RamGroup", group_cases()).await;
    check("admission_revocation", "RamRevocation", revocation_cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ram_account_may_be() {
    check("admission_account", "RamAccount", account_cases()).await;
}

#[rustfmt::skip] // One line a case.
fn settings_cases() -> Vec<Case> {
    let of = |settings: Value| json!({ "settings": settings });
    let passwords = |field: &str, value: Value| json!({"settings": {"passwordPolicy": {(field): value}}});
    let preference = |field: &str, value: Value| json!({"settings": {"securityPreference": {(field): value}}});
    let mut cases = vec![
        ok(of(json!({}))),
        ok(of(json!({"passwordPolicy": {}, "securityPreference": {}}))),
        no(of(json!({"quota": 5})), "unknown field \"spec.settings.quota\""),
        // alias
        ok(of(json!({"alias": "abc"}))),
        ok(of(json!({"alias": "a-b-c9", "aliasChange": "Allow"}))),
        ok(of(json!({"alias": x(32)}))),
        no(of(json!({"alias": "ab"})), "spec.settings.alias in body should be at least 3 chars long"),
        no(of(json!({"alias": x(33)})), "spec.settings.alias: Too long: may not be more than 32 bytes"),
        no(of(json!({"alias": "Acme"})), "spec.settings.alias in body should match"),
        no(of(json!({"alias": "-acme"})), "spec.settings.alias in body should match"),
        no(of(json!({"alias": "acme-"})), "spec.settings.alias in body should match"),
        no(of(json!({"alias": "ac--me"})), "spec.settings.alias in body should match"),
        no(of(json!({"alias": "acme.onaliyun.com"})), "spec.settings.alias in body should match"),
        no(of(json!({"alias": "acme", "aliasChange": true})), "spec.settings.aliasChange in body must be of type string"),
        no(of(json!({"alias": "acme", "aliasChange": "Always"})), "spec.settings.aliasChange: Unsupported value: \"Always\": supported values: \"Deny\", \"Allow\""),
        // passwordPolicy
        no(passwords("requireNumbers", json!("yes")), "spec.settings.passwordPolicy.requireNumbers in body must be of type boolean"),
        no(passwords("maxLoginAttemps", json!(5)), "unknown field \"spec.settings.passwordPolicy.maxLoginAttemps\""),
        // securityPreference
        ok(preference("loginNetworkMasks", json!([]))),
        ok(preference("loginNetworkMasks", json!(vec!["2001:db8::/32"; 40]))),
        no(preference("loginNetworkMasks", json!(vec!["2001:db8::/32"; 41])), "spec.settings.securityPreference.loginNetworkMasks: Too many: 41: must have at most 40 items"),
        no(preference("loginNetworkMasks", json!(["203.0.113.0/33"])), "`loginNetworkMasks` must hold IP addresses or CIDR ranges"),
        no(preference("loginNetworkMasks", json!(["203.0.113.0;192.0.2.1"])), "`loginNetworkMasks` must hold IP addresses or CIDR ranges"),
        ok(preference("mfaOperationForLogin", json!("Adaptive"))),
        no(preference("mfaOperationForLogin", json!("mandatory")), "Unsupported value: \"mandatory\": supported values: \"Mandatory\", \"Independent\", \"Adaptive\""),
        ok(preference("verificationTypes", json!(["Sms", "Email"]))),
        no(preference("verificationTypes", json!(["Sms", "Sms"])), "`verificationTypes` must not name a way twice"),
        no(preference("verificationTypes", json!(["Fax"])), "Unsupported value: \"Fax\": supported values: \"Sms\", \"Email\""),
        // accessKeyAllowedSources: nobody is shut out by an empty list
        ok(of(json!({"accessKeyAllowedSources": {"publicCidrs": ["203.0.113.7"]}}))),
        ok(of(json!({"accessKeyAllowedSources": {"vpcs": [{"id": "vpc-a", "cidrs": ["10.0.0.0/8"]}]}}))),
        no(of(json!({"accessKeyAllowedSources": {}})), "`allowedSources` must name at least one source"),
        no(of(json!({"accessKeyAllowedSources": {"publicCidrs": [], "vpcs": []}})), "`allowedSources` must name at least one source"),
        no(of(json!({"accessKeyAllowedSources": {"publicCidrs": ["everywhere"]}})), "`publicCidrs` must hold IP addresses or CIDR ranges"),
        no(of(json!({"accessKeyAllowedSources": {"vpcs": [{"id": "vpc-a", "cidrs": []}]}})), "cidrs in body should have at least 1 items"),
    ];
    // RAM's ranges.
    for (field, from, to) in [
        ("minimumPasswordLength", 8, 32),
        ("maxPasswordAge", 0, 1095),
        ("passwordReusePrevention", 0, 24),
        ("maxLoginAttempts", 0, 32),
        ("minimumPasswordDifferentCharacter", 0, 8),
        ("initialPasswordAge", 0, 90),
    ] {
        cases.extend([from, to].map(|fits| ok(passwords(field, json!(fits)))));
        cases.push(no(passwords(field, json!(from - 1)), "in body should be greater than or equal to"));
        cases.push(no(passwords(field, json!(to + 1)), "in body should be less than or equal to"));
    }
    cases.push(no(preference("loginSessionDuration", json!(0)), "in body should be greater than or equal to 1"));
    cases.push(no(preference("loginSessionDuration", json!(25)), "in body should be less than or equal to 24"));
    for (field, says) in [
        ("maxIdleDaysForUsers", "`maxIdleDaysForUsers` must be 90, 180, 365 or 730"),
        ("maxIdleDaysForAccessKeys", "`maxIdleDaysForAccessKeys` must be 90, 180, 365 or 730"),
    ] {
        cases.extend([90, 180, 365, 730].map(|days| ok(preference(field, json!(days)))));
        cases.extend([0, 91, 731].map(|days| no(preference(field, json!(days)), says)));
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_settings_of_an_account_may_be() {
    check("admission_settings", "RamAccount", settings_cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ram_tenant_may_be() {
    check("admission_tenant", "RamTenant", tenant_cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rotation_may_be() {
    let both = "`rotation.overlap` and `rotation.quarantine` together must be shorter than `rotation.interval`";
    let rotation = |rotation: Value| json!({ "rotation": rotation });
    let cases = vec![
        ok(rotation(json!({"interval": "30d"}))),
        ok(rotation(json!({"interval": "4h", "overlap": "3h", "quarantine": "59m"}))),
        no(rotation(json!({"interval": "4h", "overlap": "3h", "quarantine": "1h"})), both),
        no(rotation(json!({"interval": "4d"})), both),
        no(rotation(json!({"interval": "3h"})), "`rotation.interval` must be at least 4h"),
        no(rotation(json!({"overlap": "2h"})), "`rotation.overlap` must be at least 3h"),
        no(rotation(json!({"maxOverlap": "5h"})), "`rotation.maxOverlap` must not be shorter than `rotation.overlap`"),
        no(rotation(json!({"interval": "-30d"})), "in body should match"),
        no(json!({"allowedSources": {}}), "`allowedSources` must name at least one source"),
        no(json!({"allowedSources": {"publicCidrs": ["here"]}}), "`publicCidrs` must hold IP addresses or CIDR ranges"),
        ok(json!({"allowedSources": {"publicCidrs": ["203.0.113.7", "2001:db8::/32"]}})),
        no(json!({"restartTargets": [{"kind": "Job", "name": "a"}]}), "Unsupported value"),
        no(
            json!({"restartTargets": [{"kind": "Deployment", "name": "a"}, {"kind": "Deployment", "name": "a"}]}),
            "`restartTargets` must not name a workload twice",
        ),
        no(json!({"secret": {"data": {"..x": "a"}}}), "must not be '.' nor begin with '..'"),
        no(json!({"secret": {"name": "a..b"}}), "in body should match"),
        no(json!({"secret": {"labels": {"a..b/c": "x"}}}), "keys of `secret.labels` must be label keys of Kubernetes"),
    ];
    check("admission_rotation", "RamAccessKey", cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_id_fits_the_account_that_was_found() {
    let world = World::new("admission_found").await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    let says = "`accountId` must be the account that the credentials belong to";
    let cases = [(json!("1111111111111111"), Some(says)), (json!(world.ram.account_id()), None)];
    for (id, says) in cases {
        let answer = change(&world, "RamAccount", &world.name, "", &json!({"spec": {"accountId": id}})).await;
        assert_eq!(complaint("an accountId", &answer, says), None);
    }
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_urls_of_hosts() {
    let mut cases = Vec::new();
    for field in ["ram", "ims", "sts", "metadata"] {
        for url in ["https://ram.aliyuncs.com", "https://ram.aliyuncs.com/", "http://127.0.0.1:8080", "http://a"] {
            cases.push(ok(json!({"endpoints": {(field): url}})));
        }
        for url in ["ftp://ram.aliyuncs.com", "https://a/path", "https://a?b=c", "https://user@a", "ram.aliyuncs.com"] {
            cases.push(no(json!({"endpoints": {(field): url}}), "in body should match"));
        }
        cases.push(no(json!({"endpoints": {(field): "http://"}}), "in body should be at least 8 chars long"));
        let long = format!("https://{}", x(249));
        cases.push(no(json!({"endpoints": {(field): long}}), "Too long: may not be more than 256 bytes"));
    }
    check("admission_endpoints", "RamAccount", cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_ram_access_key_fits_into_a_label() {
    let world = World::bare("admission_names", Options::default()).await;
    let mut complaints = Vec::new();
    let says = "`metadata.name` must have at most 63 characters, since it becomes a label's value";
    for (length, says) in [(63, None), (64, Some(says)), (253, Some(says))] {
        let key = object(&world, "RamAccessKey", &x(length), &valid("RamAccessKey"));
        let answer = dry_create(&world, "RamAccessKey", &key).await;
        complaints.extend(complaint(&format!("a name of {length}"), &answer, says));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_object_of_every_kind_is_not_ready_yet() {
    let world = World::bare("admission_pending", Options::default()).await;
    for kind in KINDS {
        let mut new = object(&world, kind, &world.name, &valid(kind));
        // What its author says about its status counts for nothing.
        new["status"] = json!({"conditions": [{
            "type": "Ready", "status": "True", "reason": "Available", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]});
        let made = create(&world, kind, &new).await.expect("made");
        let ready = condition(&made, "Ready").unwrap_or_else(|| panic!("{kind} has no condition Ready: {made}"));
        assert_eq!(ready["status"], "Unknown", "{kind}");
        assert_eq!(ready["reason"], "Pending", "{kind}");
        assert_eq!(made["status"].as_object().map(serde_json::Map::len), Some(1), "{kind}: {}", made["status"]);
        assert_eq!(made["metadata"]["generation"], 1, "{kind}");
    }
}

/// What the server makes of a spec.
async fn stored(world: &World, kind: &str, spec: &Value) -> Value {
    let made = dry_create(world, kind, &object(world, kind, &world.name, spec)).await.expect("accepted");
    made["spec"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_gets_its_default() {
    let world = World::bare("admission_defaults", Options::default()).await;
    let mut account = valid("RamAccount");
    merge(&mut account, json!({"credentials": {"source": "Secret", "secret": {"name": "pair"}}}));
    assert_eq!(
        stored(&world, "RamAccount", &account).await,
        json!({
            "credentials": {"source": "Secret", "secret": {
                "name": "pair",
                "accessKeyIdKey": "ALIBABA_CLOUD_ACCESS_KEY_ID",
                "accessKeySecretKey": "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "securityTokenKey": "ALIBABA_CLOUD_SECURITY_TOKEN",
            }},
            "quotaShare": 50,
            "lookInterval": "1h",
        })
    );
    assert_eq!(
        stored(&world, "RamTenant", &valid("RamTenant")).await,
        json!({
            "accountRef": {"name": "default"},
            "namespaceSelector": {},
            "names": {}, "attach": {}, "adopt": {}, "limits": {},
            "accessKeys": {"allowedSources": "Optional"},
            "consoleLogin": "Deny",
            "retain": "Deny",
        })
    );
    let user = json!({
        "accountRef": {"name": "default"}, "attachments": "Exclusive", "deletionPolicy": "Delete",
        "state": "Active", "deletionGracePeriod": "0s", "management": "Manage", "adoption": "Never",
    });
    assert_eq!(stored(&world, "RamUser", &json!({})).await, user);
    assert_eq!(stored(&world, "RamUser", &json!({"accountRef": {}})).await, user);
    let key = json!({
        "userRef": {"name": "reader"},
        "state": "Active",
        "secret": {"formats": ["Env"]},
        "rotation": {"overlap": "1d", "quarantine": "3d", "purgeFromRecycleBin": false},
        "deletionPolicy": "Delete",
    });
    assert_eq!(stored(&world, "RamAccessKey", &valid("RamAccessKey")).await, key);
    assert_eq!(stored(&world, "RamAccessKey", &json!({"userRef": {"name": "reader"}, "secret": {}})).await, key);
    let group = json!({
        "accountRef": {"name": "default"}, "attachments": "Exclusive", "management": "Manage", "adoption": "Never",
        "deletionPolicy": "Delete",
    });
    assert_eq!(stored(&world, "RamGroup", &json!({})).await, group);
    let mut policy = valid("RamPolicy");
    let defaults = json!({
        "accountRef": {"name": "default"}, "management": "Manage", "adoption": "Never", "deletionPolicy": "Delete",
    });
    merge(&mut policy, defaults);
    assert_eq!(stored(&world, "RamPolicy", &valid("RamPolicy")).await, policy);
    let mut revocation = valid("RamRevocation");
    merge(&mut revocation, json!({"accountRef": {"name": "default"}}));
    assert_eq!(stored(&world, "RamRevocation", &valid("RamRevocation")).await, revocation);
    // Given and empty is not the same as left out.
    assert_eq!(stored(&world, "RamUser", &json!({"policies": []})).await["policies"], json!([]));
}

/// Makes an object, then changes its spec step by step; what is refused leaves it as it was.
async fn steps(world: &World, kind: &str, name: &str, spec: Value, steps: Vec<Case>) -> Vec<String> {
    let mut start = valid(kind);
    merge(&mut start, spec);
    create(world, kind, &object(world, kind, name, &start)).await.expect("made");
    let mut complaints = Vec::new();
    for Case { change: wanted, says } in steps {
        let answer = change(world, kind, name, "", &json!({"spec": wanted})).await;
        complaints.extend(complaint(&format!("{kind} {name} {wanted}"), &answer, says));
    }
    complaints
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_a_thing_in_ram_cannot_change() {
    let world = World::bare("admission_immutable", Options::default()).await;
    let mut all = Vec::new();

    let account = "`accountRef` may not be changed: create another RamUser instead";
    let changed = "`userName` may not be changed: create another RamUser instead";
    let later = "`userName` may not be set or removed later: a RAM user keeps its name. Create another RamUser instead";
    let cases = vec![
        no(json!({"accountRef": {"name": "b"}}), account),
        no(json!({"accountRef": null}), account),
        no(json!({"userName": "b"}), changed),
        no(json!({"userName": null}), later),
        no(json!({"userName": "b"}), changed),
        ok(json!({"userName": "a", "accountRef": {"name": "a"}})),
        ok(json!({"displayName": "d", "comments": "c", "email": "a@b", "mobilePhone": "1-1234", "policies": []})),
        ok(json!({"attachments": "Report", "deletionPolicy": "Retain"})),
        ok(json!({"displayName": null, "comments": null, "email": null, "mobilePhone": null, "policies": null})),
    ];
    all.extend(steps(&world, "RamUser", "named", json!({"accountRef": {"name": "a"}, "userName": "a"}), cases).await);
    let cases = vec![no(json!({"userName": "a"}), later), no(json!({"accountRef": {"name": "b"}}), account)];
    all.extend(steps(&world, "RamUser", "unnamed", json!({}), cases).await);

    let user = "`userRef` may not be changed: create another RamAccessKey instead";
    let changed = "`secret.name` may not be changed: create another RamAccessKey instead";
    let later = "`secret.name` may not be set or removed later: create another RamAccessKey instead";
    let cases = vec![
        no(json!({"userRef": {"name": "writer"}}), user),
        no(json!({"userRef": null}), "spec.userRef: Required value"),
        no(json!({"secret": {"name": "b"}}), changed),
        no(json!({"secret": {"name": null}}), later),
        no(json!({"secret": null}), later),
        no(json!({"secret": {"name": "b"}}), changed),
        ok(
            json!({"secret": {"formats": ["Ini"], "labels": {"a": "b"}, "annotations": {"a": "b"}, "data": {"a": "b"}}}),
        ),
        ok(json!({"secret": {"labels": null, "annotations": null, "data": null}})),
        // What is read once may be corrected, and removed when it was.
        ok(json!({"secret": {"adoptFrom": {"name": "b"}}})),
        ok(json!({"secret": {"adoptFrom": {"name": "c"}}})),
        ok(json!({"secret": {"adoptFrom": null}})),
        ok(json!({"state": "Inactive", "deletionPolicy": "Retain"})),
    ];
    all.extend(steps(&world, "RamAccessKey", "named", json!({"secret": {"name": "a"}}), cases).await);
    let cases = vec![no(json!({"secret": {"name": "unnamed"}}), later), ok(json!({"secret": null}))];
    all.extend(steps(&world, "RamAccessKey", "unnamed", json!({}), cases).await);

    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_a_policy_or_a_group_cannot_change() {
    let world = World::bare("admission_immutable3", Options::default()).await;
    let mut all = Vec::new();
    for (kind, field, same) in [
        ("RamPolicy", "policyName", json!({"description": "d", "deletionPolicy": "Retain"})),
        ("RamGroup", "groupName", json!({"comments": "c", "policies": [], "attachments": "Report"})),
    ] {
        let account: &'static str = format!("`accountRef` may not be changed: create another {kind} instead").leak();
        let changed: &'static str = format!("`{field}` may not be changed: create another {kind} instead").leak();
        let later: &'static str = format!("`{field}` may not be set or removed later").leak();
        let cases = vec![
            no(json!({"accountRef": {"name": "b"}}), account),
            no(json!({"accountRef": null}), account),
            no(json!({(field): "b"}), changed),
            no(json!({(field): null}), later),
            no(json!({(field): "b"}), changed),
            ok(same),
        ];
        let named = json!({"accountRef": {"name": "a"}, (field): "a"});
        all.extend(steps(&world, kind, "named", named, cases).await);
        let cases = vec![no(json!({(field): "a"}), later), no(json!({"accountRef": {"name": "b"}}), account)];
        all.extend(steps(&world, kind, "unnamed", json!({}), cases).await);
    }
    // From one form to the other it is the same policy.
    let cases = vec![
        ok(json!({"statements": null, "documentJson": "{}"})),
        no(json!({"documentJson": null}), "exactly one of `statements` and `documentJson` must be given"),
        ok(json!({"statements": [statement(json!({}))], "documentJson": null})),
    ];
    all.extend(steps(&world, "RamPolicy", "forms", json!({}), cases).await);
    let whole = "a RamRevocation may not be changed: delete it and create another one";
    let cases = vec![no(json!({"note": "n"}), whole), no(json!({"accessKeyId": x(16)}), whole)];
    all.extend(steps(&world, "RamRevocation", &world.name, json!({}), cases).await);
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_an_account_cannot_change() {
    let world = World::bare("admission_immutable2", Options::default()).await;
    let mut all = Vec::new();

    let owner = "`ownerId` may not be set or removed later: it is in the marker of every user";
    let prefix = "`userNamePrefix` may not be set or removed later: it is part of the users' names";
    let cases = vec![
        no(json!({"accountId": "1234567891"}), "`accountId` may not be changed"),
        no(json!({"accountId": null}), "`accountId` may not be removed once it is set"),
        no(json!({"accountId": "1234567891"}), "`accountId` may not be changed"),
        no(json!({"ownerId": "b"}), "`ownerId` may not be changed"),
        no(json!({"ownerId": null}), owner),
        no(json!({"ownerId": "b"}), "`ownerId` may not be changed"),
        no(json!({"userNamePrefix": "b"}), "`userNamePrefix` may not be changed"),
        no(json!({"userNamePrefix": null}), prefix),
        no(json!({"userNamePrefix": "b"}), "`userNamePrefix` may not be changed"),
        ok(json!({"credentials": {"source": "Rrsa"}, "quotaShare": 10, "lookInterval": "2h", "endpoints": {}})),
        ok(json!({"endpoints": null, "quotaShare": null, "lookInterval": null})),
    ];
    let named = json!({"accountId": "1234567890", "ownerId": "a", "userNamePrefix": "a"});
    all.extend(steps(&world, "RamAccount", &world.name, named, cases).await);
    let cases = vec![
        no(json!({"ownerId": "a"}), owner),
        no(json!({"userNamePrefix": "a"}), prefix),
        ok(json!({"accountId": "1234567890"})),
        no(json!({"accountId": "1234567891"}), "`accountId` may not be changed"),
        no(json!({"accountId": null}), "`accountId` may not be removed once it is set"),
    ];
    all.extend(steps(&world, "RamAccount", &format!("{}-b", world.name), json!({}), cases).await);

    let cases = vec![
        no(json!({"accountRef": {"name": "b"}}), "`accountRef` may not be changed"),
        no(json!({"accountRef": null}), "`accountRef` may not be changed"),
        ok(json!({"namespaceSelector": {"matchLabels": {"a": "b"}}, "retain": "Allow", "limits": {"users": 1}})),
        ok(json!({"names": {"users": ["*"]}, "attach": {"system": ["*"]}})),
        ok(json!({"names": null, "attach": null, "limits": null, "retain": null})),
    ];
    all.extend(steps(&world, "RamTenant", &world.name, json!({"accountRef": {"name": "a"}}), cases).await);

    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[rustfmt::skip] // One line a case.
#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply_refuses_nulls_and_what_it_may_not_take_away() {
    let world = World::bare("admission_ssa", Options::default()).await;
    let mut complaints = Vec::new();
    for (kind, spec, says) in [
        ("RamUser", json!({"policies": null}), "spec.policies in body must be of type array: \"null\""),
        ("RamUser", json!({"comments": null}), "spec.comments in body must be of type string: \"null\""),
        ("RamAccessKey", json!({"userRef": {"name": "a"}, "secret": {"data": null}}), "spec.secret.data in body must be of type object: \"null\""),
        ("RamTenant", json!({"namespaceSelector": {"matchLabels": null}}), "spec.namespaceSelector.matchLabels in body must be of type object: \"null\""),
        ("RamAccount", json!({"credentials": {"source": "Rrsa", "secret": null}}), "spec.credentials.secret in body must be of type object: \"null\""),
        ("RamUser", json!({"polices": []}), ".spec.polices: field not declared in schema"),
    ] {
        let answer = apply(&world, kind, &world.name, &object(&world, kind, &world.name, &spec)).await;
        complaints.extend(complaint(&format!("{kind} {spec}"), &answer, Some(says)));
    }
    // The owner of a field gives it up: that takes the field away.
    let named = json!({"userRef": {"name": "a"}, "secret": {"name": "a", "formats": ["Env"]}});
    let first = apply(&world, "RamAccessKey", "a", &object(&world, "RamAccessKey", "a", &named)).await;
    complaints.extend(complaint("the first", &first, None));
    let says = "`secret.name` may not be set or removed later: create another RamAccessKey instead";
    for spec in [
        json!({"userRef": {"name": "a"}, "secret": {"formats": ["Env"]}}),
        json!({"userRef": {"name": "a"}, "secret": {}}),
        json!({"userRef": {"name": "a"}}),
    ] {
        let answer = apply(&world, "RamAccessKey", "a", &object(&world, "RamAccessKey", "a", &spec)).await;
        complaints.extend(complaint(&spec.to_string(), &answer, Some(says)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[rustfmt::skip] // One line a case.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_has_bounds_too() {
    let world = World::bare("admission_status", Options::default()).await;
    let time = "2026-01-01T00:00:00Z";
    let ready = json!({"type": "Ready", "status": "True", "reason": "A", "message": "", "lastTransitionTime": time});
    let intent = json!({"id": "i", "time": time, "notAfter": time, "knownIds": []});
    let knowing = json!({"id": "i", "time": time, "notAfter": time, "knownIds": texts(21)});
    let retiring = json!({"id": "k", "why": "Stray", "time": time});
    let policy = json!({"type": "System", "name": "A"});
    let key = json!({"id": "k", "state": "Active", "createTime": time, "owner": "Foreign"});
    let twice = "status.conditions[1]: Duplicate value";
    let mut cases = Vec::new();
    for kind in KINDS {
        create(&world, kind, &object(&world, kind, &world.name, &valid(kind))).await.expect("made");
        cases.push((kind, json!({"conditions": [ready]}), None));
        cases.push((kind, json!({"conditions": [ready, ready]}), Some(twice)));
        cases.push((kind, json!({"phase": "x"}), Some("unknown field \"status.phase\"")));
    }
    cases.extend([
        ("RamAccessKey", json!({"intents": items(4, &intent), "retiring": items(20, &retiring)}), None),
        ("RamAccessKey", json!({"intents": items(5, &intent)}), Some("status.intents: Too many: 5: must have at most 4 items")),
        ("RamAccessKey", json!({"intents": [knowing]}), Some("status.intents[0].knownIds: Too many: 21: must have at most 20 items")),
        ("RamAccessKey", json!({"intents": [{"id": "i"}]}), Some("status.intents[0].notAfter: Required value")),
        ("RamAccessKey", json!({"retiring": items(21, &retiring)}), Some("status.retiring: Too many: 21: must have at most 20 items")),
        ("RamAccessKey", json!({"retiring": [{"id": "k", "why": "Old", "time": time}]}), Some("status.retiring[0].why: Unsupported value: \"Old\"")),
        ("RamAccessKey", json!({"state": "Gone"}), Some("status.state: Unsupported value: \"Gone\"")),
        ("RamUser", json!({"policies": items(100, &policy), "accessKeys": items(20, &key)}), None),
        ("RamUser", json!({"policies": items(101, &policy)}), Some("status.policies: Too many: 101: must have at most 100 items")),
        ("RamUser", json!({"accessKeys": items(21, &key)}), Some("status.accessKeys: Too many: 21: must have at most 20 items")),
        ("RamUser", json!({"accessKeys": [{"id": "k", "state": "Active", "createTime": time, "owner": "Me"}]}), Some("status.accessKeys[0].owner: Unsupported value: \"Me\"")),
        ("RamPolicy", json!({"attachedTo": {"users": texts(50), "groups": texts(50), "roles": texts(50)}}), None),
        ("RamPolicy", json!({"attachedTo": {"users": texts(51)}}), Some("status.attachedTo.users: Too many: 51: must have at most 50 items")),
        ("RamGroup", json!({"members": texts(100), "policies": items(100, &policy)}), None),
        ("RamGroup", json!({"members": texts(101)}), Some("status.members: Too many: 101: must have at most 100 items")),
        ("RamRevocation", json!({"strays": items(21, &retiring)}), Some("status.strays: Too many: 21: must have at most 20 items")),
    ]);
    let mut complaints = Vec::new();
    for (kind, status, says) in cases {
        let answer = change(&world, kind, &world.name, "/status", &json!({"status": status})).await;
        complaints.extend(complaint(&format!("{kind} {status}"), &answer, says));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_takes_every_crd_without_reserve() {
    let world = World::bare("admission_crds", Options::default()).await;
    let api: Api<CustomResourceDefinition> = Api::all(world.admin.clone());
    for kind in KINDS {
        let name = format!("{}.ram-operator.dev", plural(kind));
        let crd = api.get(&name).await.expect("a CRD");
        let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
        let status = |type_: &str| conditions.iter().find(|c| c.type_ == type_).map(|c| c.status.clone());
        assert_eq!(status("Established").as_deref(), Some("True"), "{name}");
        assert_eq!(status("NamesAccepted").as_deref(), Some("True"), "{name}");
        assert_eq!(status("NonStructuralSchema"), None, "{name}");
        assert_eq!(status("Terminating"), None, "{name}");
    }
    // Warnings, such as of unknown formats, come with a write.
    for crd in ram_operator::api::crds().expect("CRDs") {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("crd.json");
        std::fs::write(&file, crd.to_string()).expect("written");
        let mut kubectl = shared().await.cluster.kubectl();
        kubectl.args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--field-manager=admission"]);
        let output = kubectl.arg("--filename").arg(&file).output().expect("kubectl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", crd["metadata"]["name"]);
    }
}

/// What kubectl prints, or what it complains about.
async fn try_kubectl(arguments: &[&str]) -> Result<String, String> {
    let output = shared().await.cluster.kubectl().args(arguments).output().expect("kubectl runs");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}

async fn kubectl(arguments: &[&str]) -> String {
    try_kubectl(arguments).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What kubectl explains. The server publishes the schema of a CRD a moment after it takes it.
async fn explained(arguments: &[&str]) -> String {
    eventually("an explanation", || async { try_kubectl(arguments).await }).await
}

#[rustfmt::skip] // One line a case.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_explains_every_field() {
    for (field, sentence) in [
        ("ramuser.spec.policies", "Policies attached to the user directly; the tenant must allow each. Absent: not managed. Empty: none."),
        ("ramuser.spec.policies.name", "The policy's name."),
        ("ramaccesskey.spec.secret.formats", "In which forms the pair is written."),
        ("ramaccount.spec.lookInterval", "Each object is looked at live once in this time, spread evenly."),
        ("ramtenant.spec.attach.system", "Globs for system policies. Default: none."),
        ("ramaccesskey", "An AccessKey pair of a RamUser, published in a Secret."),
    ] {
        let text = explained(&["explain", field]).await;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(sentence), "{field}: {text}");
    }
    let tree = explained(&["explain", "ramuser", "--recursive"]).await;
    assert!(tree.contains("deletionPolicy"), "{tree}");
    assert!(tree.contains("enum: Delete, Retain"), "{tree}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_lists_by_category_short_name_and_field() {
    let world = World::bare("admission_kubectl", Options::default()).await;
    let (ns, name) = (world.ns.as_str(), world.name.as_str());
    let label = world.label();
    for kind in KINDS {
        create(&world, kind, &object(&world, kind, name, &valid(kind))).await.expect("made");
    }
    let status = json!({"status": {"accessKeyId": "LTAI5tTEST"}});
    change(&world, "RamAccessKey", name, "/status", &status).await.expect("changed");
    change(&world, "RamUser", name, "/status", &json!({"status": {"userName": "reader"}})).await.expect("changed");

    let all = kubectl(&["get", "ram", "-A", "-l", &label, "-o", "name"]).await;
    let mut found: Vec<&str> = all.lines().filter_map(|line| line.split('.').next()).collect();
    found.sort_unstable();
    let every = ["ramaccesskey", "ramaccount", "ramgroup", "rampolicy", "ramrevocation", "ramtenant", "ramuser"];
    assert_eq!(found, every, "{all}");
    for (short, full) in [
        ("ramacc", "ramaccount"),
        ("ramtenant", "ramtenant"),
        ("ramu", "ramuser"),
        ("ramak", "ramaccesskey"),
        ("rampol", "rampolicy"),
        ("ramgrp", "ramgroup"),
        ("ramrev", "ramrevocation"),
    ] {
        let listed = kubectl(&["get", short, "-n", ns, "-l", &label, "-o", "name"]).await;
        assert_eq!(listed.trim(), format!("{full}.ram-operator.dev/{name}"));
        let table = kubectl(&["get", short, "-n", ns, "-l", &label]).await;
        assert!(table.starts_with("NAME") && table.contains("READY") && table.contains("Unknown"), "{table}");
    }
    for (kind, selector, hits) in [
        ("ramak", "status.accessKeyId=LTAI5tTEST", 1),
        ("ramak", "status.accessKeyId=LTAI5tOTHER", 0),
        ("ramak", "spec.userRef.name=reader", 1),
        ("ramak", "spec.userRef.name=writer", 0),
        ("ramu", "status.userName=reader", 1),
        ("ramu", "status.userName=writer", 0),
        ("rampol", "spec.accountRef.name=default", 1),
        ("ramgrp", "spec.accountRef.name=other", 0),
        ("ramu", "spec.accountRef.name=default", 1),
        ("ramu", "spec.accountRef.name!=default", 0),
    ] {
        let listed = kubectl(&["get", kind, "-n", ns, "--field-selector", selector, "-o", "name"]).await;
        assert_eq!(listed.lines().count(), hits, "{kind} {selector}: {listed}");
    }
}
