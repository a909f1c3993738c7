//! Walks over specs: values generated from the committed CRD schemas, any to any other, refused ones in between. The end is that of a
//! fresh object with the last spec.
//!
//! `PROOF=long cargo test walks` walks further; `SEED=...` repeats a walk.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams, PostParams};
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
        other => panic!("no texts for {other}: say here which it may have"),
    }
}

fn keys(path: &str) -> &'static [&'static str] {
    match path {
        "secret.data" => &["ots.properties", "note"],
        _ => &["team", "example.com/part"],
    }
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
        Some("string") => {
            let texts = texts(path);
            json!(texts[random.below(texts.len())])
        }
        other => panic!("{path}: no value for {other:?}"),
    }
}

/// What may never change, and is given by the test.
const FIXED: [&str; 6] = ["accountRef", "userName", "userRef", "secret.name", "management", "adoption"];

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

#[tokio::test(flavor = "multi_thread")]
async fn walks_over_specs_of_a_user() {
    let mut random = Random::new("walks of a user");
    let world = World::new("walk-user").await;
    // Whatever a spec may say, so that what decides is the spec.
    let documents = json!({"actions": ["*"], "resources": ["*"]});
    let attach = json!({"system": ["*"], "custom": ["*"], "groups": ["*"]});
    world.tenant(json!({"attach": attach, "documents": documents, "retain": "Allow", "consoleLogin": "Allow"})).await;
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
    for name in ["shared-one", "shared-two"] {
        let statement = json!({"effect": "Allow", "actions": ["ots:Get*"], "resources": [name]});
        let spec = json!({"accountRef": {"name": world.name}, "statements": [statement]});
        let metadata = json!({"name": name, "namespace": world.ns});
        world.apply(json!({"kind": "RamPolicy", "metadata": metadata, "spec": spec})).await;
    }
    for policy in ["shared-one", "shared-two"] {
        world.ram.person().create_custom_policy(
            policy,
            r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Get*","Resource":"*"}]}"#,
        );
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
            // Otherwise what an earlier spec attached stays.
            last.get("policies").filter(|_| exclusive).map(|_| user.policies.iter().cloned().collect::<BTreeSet<_>>()),
            last.get("groups").filter(|_| exclusive).map(|_| user.groups.iter().cloned().collect::<BTreeSet<_>>()),
        )
    };
    assert_eq!(view("walker"), view("fresh"), "{last:#}");
    world.examine(Some(&operator)).await;
    operator.stop().await;
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
