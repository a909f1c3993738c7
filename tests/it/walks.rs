//! Walks over specs: values generated from the committed CRD schemas, any to any other, refused ones in between. The end is that of a
//! fresh object with the last spec.
//!
//! `PROOF=long cargo test walks` walks further; `SEED=...` repeats a walk.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams, PostParams};
use ram_operator::plan::document::Document;
use serde_json::{Map, Value, json};

use crate::kill::Random;
use crate::world::{World, condition, eventually, merge};

fn steps() -> usize {
    if std::env::var("PROOF").as_deref() == Ok("long") { 900 } else { 75 }
}

/// The schema of a kind's spec, as it is committed.
fn schema(plural: &str) -> Value {
    let file = format!("{}/crds/{plural}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let crd: Value = serde_saphyr::from_str(&text).expect("YAML");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// What a pattern cannot tell: texts that mean something, and some that are refused.
fn texts(path: &str) -> &'static [&'static str] {
    match path {
        "displayName" => &["Reader", "Leser \u{00e4}", "x"],
        "comments" => &["", "reads", "sensor table", "[ram-operator:x]"],
        "email" => &["", "a@example.com", "not an address"],
        "mobilePhone" => &["", "86-13900000000", "none"],
        "policies[].name" => &["AliyunOTSReadOnlyAccess", "AliyunOTSFullAccess", "shared-one", "shared-two"],
        "groups[].name" => &["readers", "writers", "-x"],
        "consoleLogin.initialPassword.secret.name" => &["walkers-one", "walkers-two"],
        "virtualMfa.secret.name" => &["walkers-seed", "walkers-other-seed"],
        "consoleLogin.initialPassword.secretRef.name" => &["chosen"],
        "consoleLogin.initialPassword.secretRef.key" => &["pw", "other"],
        "deletionGracePeriod" => &["0s", "1h", "-1h"],
        "rotation.interval" => &["30d", "90d", "1h"],
        "rotation.overlap" => &["3h", "1d", "1m"],
        "rotation.maxOverlap" => &["7d", "1h"],
        "rotation.quarantine" => &["0s", "3d", "60d"],
        "secret.labels.*" | "virtualMfa.secret.labels.*" => &["a", "b", "not a label!"],
        "secret.annotations.*" | "virtualMfa.secret.annotations.*" => &["a", "any text: \u{00e4}"],
        // It is read only until something is published: to a key that is, none of these means anything.
        "secret.adoptFrom.name" => &["nowhere", "walker", "Not-a-name"],
        "secret.adoptFrom.accessKeyIdKey" => &["ak", "not a key"],
        "secret.adoptFrom.accessKeySecretKey" => &["sk", "ak"],
        "secret.data.*" => &["id=$(accessKeyId)", "$(userName) $$(x)", "$(nothing)"],
        "restartTargets[].name" => &["one", "two"],
        "allowedSources.publicCidrs[]" => &["127.0.0.1", "0.0.0.0/0", "nowhere"],
        "allowedSources.vpcs[].id" => &["vpc-a1b2c", "vpc-x"],
        "allowedSources.vpcs[].cidrs[]" => &["10.0.0.0/8", "nowhere"],
        "description" => &["", "reads", "sensor table", "[ram-operator:x]"],
        "statements[].actions[]" => &["ots:Get*", "ots:PutRow", "*"],
        "statements[].resources[]" => &["*", "acs:ots:*:*:instance/a"],
        "statements[].conditions.*.*[]" => &["203.0.113.0/24", "true"],
        "documentJson" => &[
            r#"{"Version":"1","Statement":[{"Effect":"Deny","Action":["ots:*"],"Resource":["*"]}]}"#,
            r#"{"Statement": {"Action": "ots:Get*", "Resource": "*", "Effect": "Allow"}, "Version": "1"}"#,
            "{}",
            "no JSON",
        ],
        "settings.alias" => &["acme", "acme-two", "-"],
        other => panic!("no texts for {other}: say here which it may have"),
    }
}

fn keys(path: &str) -> &'static [&'static str] {
    match path {
        "secret.data" => &["ots.properties", "note"],
        "statements[].conditions" => &["IpAddress", "Bool"],
        "statements[].conditions.*" => &["acs:SourceIp", "acs:MFAPresent"],
        _ => &["team", "example.com/part"],
    }
}

/// A number of a schema: one of its ends, and for one field also one that is refused.
fn number(schema: &Value, path: &str, random: &mut Random) -> i64 {
    let end = |name: &str| schema[name].as_f64().map(|end| end as i64);
    let all = match (path, end("minimum"), end("maximum")) {
        ("settings.passwordPolicy.minimumPasswordLength", ..) => vec![8, 14, 32, 7],
        (_, Some(least), Some(most)) => vec![least, most],
        _ if path.starts_with("settings.securityPreference.maxIdleDays") => vec![90, 365],
        _ => panic!("no numbers for {path}: say here which it may have"),
    };
    all[random.below(all.len())]
}

/// A value of a schema.
fn value(schema: &Value, path: &str, random: &mut Random) -> Value {
    if let Some(all) = schema["enum"].as_array() {
        return all[random.below(all.len())].clone();
    }
    match schema["type"].as_str() {
        Some("object") if schema.get("additionalProperties").is_some() => {
            let chosen = keys(path).iter().filter(|_| random.below(2) == 0).copied().collect::<Vec<_>>();
            let item = &schema["additionalProperties"];
            let entries = chosen.into_iter().map(|key| (key.to_owned(), value(item, &format!("{path}.*"), random)));
            Value::Object(entries.collect())
        }
        Some("object") => {
            let mut all = Map::new();
            let required: BTreeSet<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if FIXED.contains(&inner.as_str()) {
                    continue;
                }
                if required.contains(name.as_str()) || random.below(3) > 0 {
                    all.insert(name.clone(), value(field, &inner, random));
                }
            }
            Value::Object(all)
        }
        Some("array") => {
            let length = random.below(3);
            Value::Array((0..length).map(|_| value(&schema["items"], &format!("{path}[]"), random)).collect())
        }
        Some("boolean") => json!(random.below(2) == 0),
        Some("integer") => json!(number(schema, path, random)),
        Some("string") => {
            let texts = texts(path);
            json!(texts[random.below(texts.len())])
        }
        other => panic!("{path}: no value for {other:?}"),
    }
}

/// What may never change, and is given by the test.
const FIXED: &[&str] = &[
    "accountRef",
    "userName",
    "groupName",
    "policyName",
    "userRef",
    "secret.name",
    "management",
    "adoption",
    // Lists whose order means nothing: RAM keeps the one that was written first.
    "settings.accessKeyAllowedSources",
    "settings.securityPreference.loginNetworkMasks",
    "settings.securityPreference.verificationTypes",
];

/// Puts a whole spec in place of the present one. `false`: the API server refuses it.
async fn put(world: &World, kind: &str, name: &str, spec: &Value) -> bool {
    let api = world.dynamic(kind, Some(&world.ns));
    let present = api.get(name).await.expect("there").data["spec"].clone();
    // What the new spec lacks is taken away.
    let mut patch = spec.clone();
    take_away(&mut patch, &present);
    match api.patch(name, &PatchParams::default(), &Patch::Merge(json!({ "spec": patch }))).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 422 => false,
        Err(error) => panic!("{error}"),
    }
}

fn take_away(patch: &mut Value, present: &Value) {
    let (Value::Object(new), Value::Object(old)) = (patch, present) else { return };
    for (key, value) in old {
        match new.get_mut(key) {
            None => {
                new.insert(key.clone(), Value::Null);
            }
            Some(inner) => take_away(inner, value),
        }
    }
}

/// Waits until an object says something of its present generation, and returns its reason.
async fn settled(world: &World, kind: &str, name: &str) -> String {
    let api = world.dynamic(kind, Some(&world.ns));
    eventually(&format!("{kind} {name} to be looked at"), || async {
        let object = api.get(name).await.map_err(|e| e.to_string())?;
        let ready = condition(&object.data, "Ready").cloned().unwrap_or_default();
        let current = ready["observedGeneration"].as_i64() == object.metadata.generation;
        let passing = ["Unsettled", "SourcesPending", "UserNotReady", "PolicyNotReady", "GroupNotReady"]
            .contains(&ready["reason"].as_str().unwrap_or(""));
        if current && !passing { Ok(ready["reason"].as_str().unwrap_or("").to_owned()) } else { Err(ready.to_string()) }
    })
    .await
}

/// A corner whose tenant allows whatever a spec may say, so that what decides is the spec, with the policies that specs name.
async fn corner(test: &str) -> World {
    let world = World::new(test).await;
    let documents = json!({"actions": ["*"], "resources": ["*"]});
    let attach = json!({"system": ["*"], "custom": ["*"], "groups": ["*"]});
    world.tenant(json!({"attach": attach, "documents": documents, "retain": "Allow", "consoleLogin": "Allow"})).await;
    for name in ["shared-one", "shared-two"] {
        let statement = json!({"effect": "Allow", "actions": ["ots:Get*"], "resources": [name]});
        let spec = json!({"accountRef": {"name": world.name}, "statements": [statement]});
        let metadata = json!({"name": name, "namespace": world.ns});
        world.apply(json!({"kind": "RamPolicy", "metadata": metadata, "spec": spec})).await;
        world.ram.person().create_custom_policy(
            name,
            r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Get*","Resource":"*"}]}"#,
        );
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_over_specs_of_a_user() {
    let mut random = Random::new("walks of a user");
    let world = corner("walk-user").await;
    let passwords = json!({"pw": "Chosen-by-a-person-1", "other": "Chosen-by-a-person-2"});
    let secret =
        serde_json::from_value(json!({"metadata": {"name": "chosen"}, "stringData": passwords})).expect("a Secret");
    world.secrets().create(&PostParams::default(), &secret).await.expect("created");
    for name in ["readers", "writers"] {
        world.ram.person().create_group(name);
        let spec = json!({"accountRef": {"name": world.name}, "policies": []});
        let metadata = json!({"name": name, "namespace": world.ns});
        world.apply(json!({"kind": "RamGroup", "metadata": metadata, "spec": spec})).await;
    }
    let operator = world.operator().await;
    let schema = schema("ramusers");
    world.user("walker", json!({"policies": null})).await;
    settled(&world, "RamUser", "walker").await;
    let (mut last, mut taken, mut refused) = (json!({}), 0, 0);
    for _ in 0..steps() {
        let mut spec = value(&schema, "", &mut random);
        merge(&mut spec, json!({"accountRef": {"name": world.name}}));
        if put(&world, "RamUser", "walker", &spec).await {
            settled(&world, "RamUser", "walker").await;
            last = spec;
            taken += 1;
        } else {
            refused += 1;
        }
    }
    println!("walks of a user: {taken} specs taken, {refused} refused");
    let mut fresh = last.clone();
    // A Secret with a generated password or a seed is one user's alone.
    for (place, other) in [
        ("/consoleLogin/initialPassword/secret/name", "of-the-fresh-one"),
        ("/virtualMfa/secret/name", "seed-of-the-fresh-one"),
    ] {
        if let Some(name) = fresh.pointer_mut(place) {
            *name = json!(other);
        }
    }
    world.apply(json!({"kind": "RamUser", "metadata": {"name": "fresh", "namespace": world.ns}, "spec": fresh})).await;
    let reasons = (settled(&world, "RamUser", "walker").await, settled(&world, "RamUser", "fresh").await);
    assert_eq!(reasons.0, reasons.1, "{last:#}");
    // What is too much stays until it is known what there is to be.
    let carried_out = ["Available", "Suspended"].contains(&reasons.0.as_str());
    let exclusive = carried_out && last.get("attachments").is_none_or(|how| how == "Exclusive");
    let snapshot = world.ram.snapshot();
    // A log-on that is to be had. What the person has to change at it was said with the password, and is not compared later.
    let login = last
        .get("consoleLogin")
        .filter(|login| reasons.0 == "Available" && login.get("state").is_none_or(|state| state == "Enabled"));
    let chosen = login.filter(|login| login["initialPassword"]["source"] == "SecretRef").map(|login| {
        let key = login["initialPassword"]["secretRef"]["key"].as_str().expect("a key");
        passwords[key].as_str().expect("a password")
    });
    let view = |name: &str| {
        let user = &snapshot.users[&world.ram_name(name)];
        let text = user.comments.split("[ram-operator:").next().unwrap_or_default().trim().to_owned();
        // What is not given is not managed, so that anything may be left of an earlier spec.
        let given = |field: &str, has: &str| last.get(field).map(|_| has.to_owned());
        (
            text,
            given("displayName", &user.display_name),
            given("email", &user.email),
            given("mobilePhone", &user.mobile_phone),
            // A device that a person binds may be bound already, and a suspended user keeps what it has.
            last.get("virtualMfa")
                .filter(|mfa| reasons.0 == "Available" && (mfa["state"] == "Absent" || mfa["bind"] != "User"))
                .map(|_| user.mfa_device),
            last.get("consoleLogin").map(|_| user.logon.as_ref().is_some_and(|logon| logon.active)),
            login
                .filter(|login| login["mfa"] == "Required")
                .map(|_| user.logon.as_ref().is_some_and(|logon| logon.mfa_required)),
            chosen.map(|text| world.ram.person().logs_on(&world.ram_name(name), text).accepts()),
            // Otherwise what an earlier spec attached stays.
            last.get("policies").filter(|_| exclusive).map(|_| user.policies.iter().cloned().collect::<BTreeSet<_>>()),
            last.get("groups").filter(|_| exclusive).map(|_| user.groups.iter().cloned().collect::<BTreeSet<_>>()),
        )
    };
    assert_eq!(view("walker"), view("fresh"), "{last:#}");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Leads an object of a kind from spec to spec, and makes a fresh one of the last; that spec, and the reason that both give.
async fn walk(world: &World, kind: &str, plural: &str, first: Value, random: &mut Random) -> (Value, String) {
    let schema = schema(plural);
    let apply = |name: &'static str, spec: &Value| {
        let metadata = json!({"name": name, "namespace": world.ns});
        world.apply(json!({"kind": kind, "metadata": metadata, "spec": spec}))
    };
    let (mut last, mut taken, mut refused) = (first, 0, 0);
    merge(&mut last, json!({"accountRef": {"name": world.name}}));
    apply("walker", &last).await;
    settled(world, kind, "walker").await;
    for _ in 0..steps() / 6 {
        let mut spec = value(&schema, "", random);
        merge(&mut spec, json!({"accountRef": {"name": world.name}}));
        // Two forms of a document at a time, or none, are refused; that is met often enough.
        if kind == "RamPolicy" && random.below(4) > 0 {
            let other = ["statements", "documentJson"][random.below(2)];
            merge(&mut spec, json!({(other): null}));
        }
        if put(world, kind, "walker", &spec).await {
            settled(world, kind, "walker").await;
            last = spec;
            taken += 1;
        } else {
            refused += 1;
        }
    }
    println!("walks of a {kind}: {taken} specs taken, {refused} refused");
    apply("fresh", &last).await;
    let reasons = (settled(world, kind, "walker").await, settled(world, kind, "fresh").await);
    assert_eq!(reasons.0, reasons.1, "{last:#}");
    (last, reasons.0)
}

fn without_marker(text: &str) -> String {
    text.split("[ram-operator:").next().unwrap_or_default().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_over_specs_of_a_group_and_of_a_policy() {
    let mut random = Random::new("walks of a group and of a policy");
    let world = corner("walk-group").await;
    let operator = world.operator().await;
    let (last, reason) = walk(&world, "RamGroup", "ramgroups", json!({}), &mut random).await;
    let exclusive = reason == "Available" && last.get("attachments").is_none_or(|how| how == "Exclusive");
    let snapshot = world.ram.snapshot();
    let view = |name: &str| {
        let group = &snapshot.groups[&world.ram_name(name)];
        // Otherwise what an earlier spec attached stays.
        let policies = last.get("policies").filter(|_| exclusive).map(|_| group.policies.clone());
        (without_marker(&group.comments), policies)
    };
    assert_eq!(view("walker"), view("fresh"), "{last:#}");

    let first = json!({"statements": [{"effect": "Deny", "actions": ["ots:*"], "resources": ["*"]}]});
    let (last, reason) = walk(&world, "RamPolicy", "rampolicies", first, &mut random).await;
    // A document that is refused is never written.
    if reason == "Available" {
        let snapshot = world.ram.snapshot();
        let api = world.dynamic("RamPolicy", Some(&world.ns));
        let mut views = Vec::new();
        for name in ["walker", "fresh"] {
            let object = api.get(name).await.expect("there").data;
            let policy = &snapshot.policies[object["status"]["policyName"].as_str().expect("a name")];
            let document = Document::parse(&policy.document).expect("a document");
            views.push((without_marker(&policy.description), document));
        }
        assert_eq!(views[0].0, views[1].0, "{last:#}");
        assert!(views[0].1.same_as(&views[1].1), "{last:#}: {}", views[0].1.text());
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Waits until an account says something of its settings as they are now, and returns the reason.
async fn settings_of(world: &World) -> String {
    let api = world.dynamic("RamAccount", None);
    eventually("the settings to be looked at", || async {
        let object = api.get(&world.name).await.map_err(|e| e.to_string())?;
        let found = condition(&object.data, "SettingsApplied").cloned().unwrap_or_default();
        let current = found["observedGeneration"].as_i64() == object.metadata.generation;
        let reason = found["reason"].as_str().unwrap_or_default();
        if current && reason != "Unsettled" { Ok(reason.to_owned()) } else { Err(found.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_over_settings_of_an_account() {
    let mut random = Random::new("walks of settings");
    let schema = schema("ramaccounts")["properties"]["settings"].clone();
    let any = |random: &mut Random| {
        let mut settings = value(&schema, "settings", random);
        // Without the first the walker would keep the alias that it had; without the second there may be nothing to say.
        merge(&mut settings, json!({"aliasChange": "Allow", "passwordPolicy": {"requireNumbers": true}}));
        settings
    };
    let [walker, fresh] = [World::new("walk-settings").await, World::new("walk-fresh").await];
    let operators = [walker.operator().await, fresh.operator().await];
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..steps() / 6 {
        // Whole settings in place of the present ones: what is not given any more is not managed any more.
        let mut patch = json!({"settings": any(&mut random)});
        let api = walker.dynamic("RamAccount", None);
        let present = api.get(&walker.name).await.expect("there").data["spec"]["settings"].clone();
        take_away(&mut patch, &json!({ "settings": present }));
        match api.patch(&walker.name, &PatchParams::default(), &Patch::Merge(json!({ "spec": patch }))).await {
            Ok(_) => {
                settings_of(&walker).await;
                taken += 1;
            }
            Err(kube::Error::Api(status)) if status.code == 422 => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    println!("walks of settings: {taken} taken, {refused} refused");
    // All of them in the end: what is not given may be anything.
    let mut last = any(&mut random);
    for _ in 0..30 {
        merge(&mut last, any(&mut random));
    }
    merge(&mut last, json!({"alias": "acme", "passwordPolicy": {"minimumPasswordLength": 14}}));
    for world in [&walker, &fresh] {
        world.account(json!({ "settings": last })).await;
        assert_eq!(settings_of(world).await, "Applied", "{last:#}");
    }
    assert_eq!(walker.ram.snapshot().settings, fresh.ram.snapshot().settings, "{last:#}");
    for (world, operator) in [walker, fresh].iter().zip(operators) {
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_over_specs_of_a_key() {
    let mut random = Random::new("walks of a key");
    let world = World::new("walk-key").await;
    let operator = world.operator().await;
    let schema = schema("ramaccesskeys");
    for user in ["one", "two"] {
        world.user(user, json!({})).await;
        world.available("RamUser", user).await;
    }
    world.key("walker", "one", json!({})).await;
    world.available("RamAccessKey", "walker").await;
    let (first, _) = world.pair("walker").await;
    let (mut last, mut taken, mut refused) = (json!({"userRef": {"name": "one"}}), 0, 0);
    for _ in 0..steps() {
        let mut spec = value(&schema, "", &mut random);
        // `Retain` and `Disable` are the tenant's to allow, and it does not.
        merge(&mut spec, json!({"userRef": {"name": "one"}, "deletionPolicy": "Delete"}));
        if put(&world, "RamAccessKey", "walker", &spec).await {
            settled(&world, "RamAccessKey", "walker").await;
            last = spec;
            taken += 1;
        } else {
            refused += 1;
        }
    }
    println!("walks of a key: {taken} specs taken, {refused} refused");
    // A fresh one that is inactive has no key yet: both are compared while they are active.
    merge(&mut last, json!({"state": "Active"}));
    assert!(put(&world, "RamAccessKey", "walker", &last).await);
    let mut fresh = last.clone();
    merge(&mut fresh, json!({"userRef": {"name": "two"}}));
    // Nothing is published for the fresh one, so that to it `adoptFrom` would mean another key.
    if let Some(output) = fresh.get_mut("secret").and_then(Value::as_object_mut) {
        output.remove("adoptFrom");
    }
    world
        .apply(json!({"kind": "RamAccessKey", "metadata": {"name": "fresh", "namespace": world.ns}, "spec": fresh}))
        .await;
    let reasons = (settled(&world, "RamAccessKey", "walker").await, settled(&world, "RamAccessKey", "fresh").await);
    assert_eq!(reasons.0, reasons.1, "{last:#}");
    assert_eq!(view(&world, "walker", "one").await, view(&world, "fresh", "two").await, "{last:#}");
    assert_eq!(published(&world, "walker").await, first, "no spec asks for another pair");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

async fn published(world: &World, name: &str) -> String {
    world.keys().get(name).await.expect("there").status.and_then(|status| status.access_key_id).unwrap_or_default()
}

type View = (BTreeMap<String, String>, BTreeSet<String>, BTreeSet<String>, Vec<bool>);

/// The Secret without the pair itself, and the states of the user's keys.
async fn view(world: &World, name: &str, user: &str) -> View {
    let id = published(world, name).await;
    let secret = world.secrets().get(name).await.expect("a Secret");
    let minted = world.ram.secrets();
    let plain = |bytes: &[u8]| {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for secret in &minted {
            text = text.replace(secret, "SECRET");
        }
        text.replace(&id, "ID").replace(&world.ram_name(user), "USER")
    };
    let data = secret.data.clone().unwrap_or_default();
    let data = data.into_iter().map(|(key, bytes)| (key, plain(&bytes.0))).collect();
    let ours = |(key, value): (&String, &String)| {
        if key.starts_with("ram-operator.dev/") { key.clone() } else { format!("{key}={value}") }
    };
    let labels = secret.labels().iter().map(ours).collect();
    let annotations = secret.annotations().iter().map(ours).collect();
    (data, labels, annotations, world.keys_in_ram(&world.ram_name(user)).into_values().collect())
}
