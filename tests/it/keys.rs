//! RamAccessKey: what people and accidents do to it.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::world::{World, condition, eventually};

/// A user `reader` with a key `ingest`, ready; the writes so far are forgotten.
async fn ready(world: &World) -> String {
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    world.writes();
    world.pair("ingest").await.0
}

async fn published_other_than(world: &World, old: &str) -> String {
    eventually("another published key", || async {
        let key = world.keys().get("ingest").await.map_err(|e| e.to_string())?;
        let status = key.status.unwrap_or_default();
        match status.access_key_id {
            Some(id) if id != old && world.secrets().get_opt("ingest").await.is_ok_and(|s| s.is_some()) => Ok(id),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

/// Deletes the namespace, and waits until it is gone.
async fn delete_namespace(world: &World) {
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(world.admin.clone());
    namespaces.delete(&world.ns, &DeleteParams::default()).await.expect("deletion asked for");
    eventually("the namespace to be gone", || async {
        match namespaces.get_opt(&world.ns).await {
            Ok(None) => Ok(()),
            other => Err(format!("{:?}", other.map(|n| n.and_then(|n| n.status)))),
        }
    })
    .await;
}

fn user_line(world: &World, action: &str) -> String {
    format!("{action} {}", world.ram_name("reader"))
}

#[tokio::test(flavor = "multi_thread")]
async fn create_costs_three_writes_one_proof_and_three_reads() {
    let world = World::new("cost").await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    world.ram.clear_journal();
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let own = world.ram.access_key().0;
    let mut calls: Vec<String> = world
        .ram
        .journal()
        .into_iter()
        .map(|call| if call.caller == own { call.action } else { format!("proof {}", call.action) })
        .collect();
    // The two reads of the key's pass run side by side.
    if let Some(reads) = calls.get_mut(3..5) {
        reads.sort();
    }
    assert_eq!(
        calls,
        [
            "GetUser",
            "CreateUser",
            "AttachPolicyToUser",
            "GetUser",
            "ListAccessKeys",
            "CreateAccessKey",
            "proof GetCallerIdentity"
        ]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_is_written_anywhere() {
    let world = World::new("rest").await;
    let operator = world.operator().await;
    ready(&world).await;
    operator.stop().await;
    // Let the inventory of the user settle: its key was made after its own last look.
    let operator = world.operator().await;
    world.reconcile("RamUser", "reader").await;
    operator.stop().await;
    let before = world.versions().await;
    for _ in 0..3 {
        world.ram.clear_journal();
        // A fresh process looks at everything: that is a resync.
        let operator = world.operator().await;
        eventually("a look at user and key", || async {
            let journal = world.ram.journal();
            let count = |action: &str| journal.iter().filter(|call| call.action == action && call.replied).count();
            if count("ListPoliciesForUser") >= 1 && count("ListAccessKeys") >= 2 && count("GetUser") >= 2 {
                Ok(())
            } else {
                Err("not yet")
            }
        })
        .await;
        operator.stop().await;
        assert_eq!(world.writes(), Vec::<String>::new());
        let after = world.versions().await;
        if after != before {
            for kind in ["RamUser", "RamAccessKey"] {
                let list =
                    world.dynamic(kind, Some(&world.ns)).list(&kube::api::ListParams::default()).await.expect("a list");
                println!("{}", list.items.iter().map(|o| o.data["status"].to_string()).collect::<Vec<_>>().join("\n"));
            }
        }
        assert_eq!(after, before);
    }
    world.examine(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_is_replaced_and_the_old_key_retired_with_care() {
    let world = World::new("lost").await;
    let operator = world.operator().await;
    let old = ready(&world).await;
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    let new = published_other_than(&world, &old).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [user_line(&world, "CreateAccessKey")]);
    let name = world.ram_name("reader");
    assert_eq!(world.keys_in_ram(&name), [(old.clone(), true), (new.clone(), true)].into());
    // The overlap is over, but somebody used the old key an hour ago.
    world.clock.advance(Duration::from_hours(25));
    world.ram.person().set_last_used(&old, Some(world.clock.now() - Duration::from_hours(1)));
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.clock.advance(Duration::from_hours(28));
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(Duration::from_hours(71));
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.clock.advance(Duration::from_hours(2));
    world.reconcile("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(world.keys_in_ram(&name), [(new, true)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pair_is_replaced_and_a_changed_label_only_repaired() {
    let world = World::new("damaged").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({"secret": {"labels": {"team": "a"}, "annotations": {"note": "x"}}})).await;
    world.available("RamAccessKey", "ingest").await;
    world.writes();
    let (old, _) = world.pair("ingest").await;
    let patch = json!({"metadata": {"labels": {"team": "b", "other": "kept"}}, "data": {"added": "eA=="}});
    world.secrets().patch("ingest", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    eventually("the Secret to be as asked for", || async {
        let secret = world.secrets().get("ingest").await.map_err(|e| e.to_string())?;
        let right = secret.labels().get("team").is_some_and(|team| team == "a")
            && secret.labels().get("other").is_some_and(|kept| kept == "kept")
            && !secret.data.as_ref().is_some_and(|data| data.contains_key("added"));
        if right { Ok(()) } else { Err(format!("{:?}", secret.labels())) }
    })
    .await;
    assert_eq!(world.pair("ingest").await.0, old);
    assert_eq!(world.writes(), Vec::<String>::new());
    let patch = json!({"stringData": {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "tampered-with"}});
    world.secrets().patch("ingest", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    published_other_than(&world, &old).await;
    assert_eq!(world.writes(), [user_line(&world, "CreateAccessKey")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_and_templates_change_the_secret_and_nothing_in_ram() {
    let world = World::new("formats").await;
    let operator = world.operator().await;
    ready(&world).await;
    let (id, secret) = world.pair("ingest").await;
    let output = json!({"secret": {
        "formats": ["Ini", "CliJson", "Csv"],
        "data": {"ots.properties": "id=$(accessKeyId)\nsecret=$(accessKeySecret)\nuser=$(userName) $(userPrincipalName) $(accountId) $$(x)\n"},
    }});
    world.key("ingest", "reader", output).await;
    let data = eventually("the new formats", || async {
        let secret = world.secrets().get("ingest").await.map_err(|e| e.to_string())?;
        let data = secret.data.unwrap_or_default();
        if data.contains_key("AccessKey.csv") { Ok(data) } else { Err(format!("{:?}", data.keys())) }
    })
    .await;
    let text = |key: &str| String::from_utf8(data[key].0.clone()).expect("text");
    assert_eq!(data.keys().collect::<Vec<_>>(), ["AccessKey.csv", "config.json", "credentials", "ots.properties"]);
    assert_eq!(text("AccessKey.csv"), format!("AccessKey ID,AccessKey Secret\n{id},{secret}\n"));
    assert_eq!(
        text("credentials"),
        format!("[default]\ntype = access_key\naccess_key_id = {id}\naccess_key_secret = {secret}\n")
    );
    let cli: Value = serde_json::from_str(&text("config.json")).expect("JSON");
    assert_eq!(cli["profiles"][0]["access_key_secret"], json!(secret));
    let (name, account) = (world.ram_name("reader"), world.ram.account_id());
    assert_eq!(
        text("ots.properties"),
        format!("id={id}\nsecret={secret}\nuser={name} {name}@{account}.onaliyun.com {account} $(x)\n")
    );
    // And back: the pair is found in whichever form holds it.
    world.key("ingest", "reader", json!({"secret": {"formats": ["Env"]}})).await;
    eventually("Env again", || async {
        let secret = world.secrets().get("ingest").await.map_err(|e| e.to_string())?;
        let data = secret.data.unwrap_or_default();
        if data.keys().collect::<Vec<_>>() == ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"] {
            Ok(())
        } else {
            Err(format!("{:?}", data.keys()))
        }
    })
    .await;
    assert_eq!(world.pair("ingest").await, (id, secret));
    assert_eq!(world.writes(), Vec::<String>::new());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_disables_and_enables_but_a_persons_hand_is_respected() {
    let world = World::new("state").await;
    let operator = world.operator().await;
    let id = ready(&world).await;
    world.key("ingest", "reader", json!({"state": "Inactive"})).await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    world.key("ingest", "reader", json!({"state": "Active"})).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "UpdateAccessKey #1 Active"]);
    let told = world.events("ingest").await;
    for reason in ["KeyDisabled", "KeyEnabled"] {
        assert!(told.iter().any(|event| event == reason), "{reason}: {told:?}");
    }
    world.ram.person().set_key_status(&id, false);
    // Only RAM changed, so a look has to be asked for.
    world.reconcile("RamAccessKey", "ingest").await;
    let object = world.ready("RamAccessKey", "ingest", "False", "DisabledOutside").await;
    assert_eq!(condition(&object, "Stalled").expect("stalled")["status"], "True");
    assert_eq!(world.writes(), Vec::<String>::new());
    // Inactive and back is how a person asks for it.
    world.key("ingest", "reader", json!({"state": "Inactive"})).await;
    world.ready("RamAccessKey", "ingest", "False", "Inactive").await;
    world.key("ingest", "reader", json!({"state": "Active"})).await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert!(condition(&object, "Stalled").is_none());
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Active"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_deleted_by_hand_is_replaced_after_a_second_look() {
    let world = World::new("by-hand").await;
    let operator = world.operator().await;
    let id = ready(&world).await;
    world.ram.person().delete_key(&id);
    world.reconcile("RamAccessKey", "ingest").await;
    world.ready("RamAccessKey", "ingest", "False", "KeyMissing").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.clock.advance(Duration::from_secs(62));
    world.reconcile("RamAccessKey", "ingest").await;
    published_other_than(&world, &id).await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [user_line(&world, "CreateAccessKey")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_user_gets_no_key_and_foreign_keys_stay() {
    let world = World::new("full").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let name = world.ram_name("reader");
    let (first, _) = world.ram.person().create_key(&name);
    world.ram.person().create_key(&name);
    world.writes();
    world.key("ingest", "reader", json!({})).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "NoFreeSlot").await;
    assert!(condition(&object, "Ready").expect("Ready")["message"].as_str().expect("text").contains(&first));
    assert_eq!(world.writes(), Vec::<String>::new());
    world.ram.person().delete_key(&first);
    world.reconcile("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [format!("CreateAccessKey {name}")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_is_not_touched_and_no_key_is_made() {
    let world = World::new("conflict").await;
    let secret = serde_json::from_value(json!({"metadata": {"name": "ingest"}, "stringData": {"mine": "yes"}}))
        .expect("a Secret");
    let made = world.secrets().create(&PostParams::default(), &secret).await.expect("made");
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let object = world.ready("RamAccessKey", "ingest", "False", "SecretConflict").await;
    assert_eq!(condition(&object, "Stalled").expect("stalled")["status"], "True");
    let now = world.secrets().get("ingest").await.expect("still there");
    assert_eq!(now.resource_version(), made.resource_version());
    assert!(!world.writes().iter().any(|write| write.starts_with("CreateAccessKey")));
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    // A Secret without our label is not watched.
    world.reconcile("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_on_secrets_is_found_before_a_key_is_made() {
    let world = World::new("quota").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    // No controller counts quotas here, so the status is written by hand: full.
    let quotas: kube::Api<k8s_openapi::api::core::v1::ResourceQuota> =
        kube::Api::namespaced(world.admin.clone(), &world.ns);
    let body = json!({"metadata": {"name": "none"}, "spec": {"hard": {"count/secrets": "0"}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(body).expect("a quota")).await.expect("made");
    let status = json!({"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "0"}}});
    quotas.patch_status("none", &PatchParams::default(), &Patch::Merge(status)).await.expect("counted");
    world.key("ingest", "reader", json!({})).await;
    let object = world.ready("RamAccessKey", "ingest", "False", "SecretRefused").await;
    assert!(
        condition(&object, "Ready").expect("Ready")["message"].as_str().expect("text").contains("ResourceQuota"),
        "{object}"
    );
    assert_eq!(world.writes(), Vec::<String>::new());
    quotas.delete("none", &DeleteParams::default()).await.expect("deleted");
    world.reconcile("RamAccessKey", "ingest").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), [user_line(&world, "CreateAccessKey")]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_status_and_a_restored_object_are_explained_by_proof() {
    let world = World::new("restored").await;
    let operator = world.operator().await;
    let id = ready(&world).await;
    operator.stop().await;
    for (kind, name) in [("RamAccessKey", "ingest"), ("RamUser", "reader")] {
        // As after a restore without status: other uids, no finalizer, no status; Secret and RAM as they were.
        let api = world.dynamic(kind, Some(&world.ns));
        let stored = api.get(name).await.expect("there");
        api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": []}})))
            .await
            .expect("patched");
        let orphan =
            DeleteParams { propagation_policy: Some(kube::api::PropagationPolicy::Orphan), ..DeleteParams::default() };
        api.delete(name, &orphan).await.expect("deleted");
        world.gone(kind, name).await;
        world
            .apply(
                json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": stored.data["spec"]}),
            )
            .await;
    }
    let operator = world.operator().await;
    world.available("RamUser", "reader").await;
    world.available("RamAccessKey", "ingest").await;
    assert_eq!(world.pair("ingest").await.0, id);
    assert_eq!(world.writes(), [user_line(&world, "UpdateUser")], "only the marker's uid is written anew");
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")).len(), 1);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_deleted_users() {
    let world = World::new("users-keys").await;
    let operator = world.operator().await;
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "UserNotFound").await;
    world.user("reader", json!({"policies": [{"type": "System", "name": "AdministratorAccess"}]})).await;
    world.ready("RamUser", "reader", "False", "PolicyNotAllowed").await;
    world.ready("RamAccessKey", "ingest", "False", "UserNotReady").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.user("reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    world.writes();
    // The user goes: its key is disarmed and deleted with it, and the object says so.
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    world.ready("RamAccessKey", "ingest", "False", "UserNotFound").await;
    let name = world.ram_name("reader");
    assert_eq!(
        world.writes(),
        [
            "UpdateAccessKey #1 Inactive".to_owned(),
            "DeleteAccessKey #1".to_owned(),
            format!("DetachPolicyFromUser {name} System/AliyunOTSReadOnlyAccess"),
            format!("DeleteUser {name}"),
        ]
    );
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_waits_for_keys_that_go_and_the_others_say_that_it_does() {
    let world = World::new("waits").await;
    let operator = world.operator().await;
    ready(&world).await;
    world.key("other", "reader", json!({})).await;
    world.available("RamAccessKey", "other").await;
    world.writes();
    world.ram.person().deny("DeleteAccessKey");
    world.delete("RamAccessKey", "ingest").await;
    world.ready("RamAccessKey", "ingest", "False", "AccessDenied").await;
    world.delete("RamUser", "reader").await;
    let user = world.ready("RamUser", "reader", "False", "WaitingForKeys").await;
    assert!(condition(&user, "Ready").expect("Ready")["message"].as_str().expect("text").contains("ingest"), "{user}");
    let key = world.ready("RamAccessKey", "other", "False", "UserDeleted").await;
    assert!(condition(&key, "Stalled").is_none(), "{key}");
    // User and key may both disarm the key; RAM takes that twice for once.
    let mut writes = world.writes();
    writes.dedup();
    assert_eq!(writes, ["UpdateAccessKey #1 Inactive", "UpdateAccessKey #2 Inactive"]);
    // RAM tells nobody that a right was granted: a look is asked for.
    world.ram.person().allow("DeleteAccessKey");
    world.poke("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    world.gone("RamUser", "reader").await;
    world.ready("RamAccessKey", "other", "False", "UserNotFound").await;
    let name = world.ram_name("reader");
    assert_eq!(
        world.writes(),
        [
            "DeleteAccessKey #1".to_owned(),
            "DeleteAccessKey #2".to_owned(),
            format!("DetachPolicyFromUser {name} System/AliyunOTSReadOnlyAccess"),
            format!("DeleteUser {name}"),
        ]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_everything_in_it() {
    let world = World::new("namespace").await;
    let operator = world.operator().await;
    ready(&world).await;
    delete_namespace(&world).await;
    assert_eq!(world.ram.snapshot().minted_keys().count(), 0);
    assert!(!world.ram.snapshot().users.contains_key(&world.ram_name("reader")));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_and_disable_leave_what_they_say() {
    let world = World::new("retain").await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}, "retain": "Allow"})).await;
    let operator = world.operator().await;
    let retain = json!({"deletionPolicy": "Retain"});
    world.user("reader", retain.clone()).await;
    world.key("stays", "reader", retain.clone()).await;
    world.available("RamAccessKey", "stays").await;
    world.key("sleeps", "reader", json!({"deletionPolicy": "Disable"})).await;
    world.available("RamAccessKey", "sleeps").await;
    let (stays, _) = world.pair("stays").await;
    let (sleeps, _) = world.pair("sleeps").await;
    assert!(world.secrets().get("stays").await.expect("there").owner_references().is_empty());
    for name in ["stays", "sleeps"] {
        world.delete("RamAccessKey", name).await;
        world.gone("RamAccessKey", name).await;
    }
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")), [(stays.clone(), true), (sleeps, false)].into());
    for name in ["stays", "sleeps"] {
        let told = world.events(name).await;
        assert!(told.iter().any(|event| event == "Retained"), "{name}: {told:?}");
    }
    let secret = world.secrets().get("stays").await.expect("the Secret stays");
    assert!(
        !secret.annotations().keys().chain(secret.labels().keys()).any(|key| key.starts_with("ram-operator.dev/")),
        "{:?}",
        secret.metadata
    );
    assert_eq!(world.pair("stays").await.0, stays);

    // Without its Secret nobody could use the pair: `Retain` only disables, and says so.
    world.user("writer", retain.clone()).await;
    world.key("lost", "writer", retain.clone()).await;
    world.available("RamAccessKey", "lost").await;
    let (lost, _) = world.pair("lost").await;
    world.annotate("RamAccessKey", "lost", annotation::PAUSED, "true").await;
    world.secrets().delete("lost", &DeleteParams::default()).await.expect("deleted");
    world.ready("RamAccessKey", "lost", "False", "Paused").await;
    world.delete("RamAccessKey", "lost").await;
    world.gone("RamAccessKey", "lost").await;
    assert_eq!(world.keys_in_ram(&world.ram_name("writer")), [(lost, false)].into());
    let told = world.events("lost").await;
    assert!(told.iter().any(|event| event == "RetainRefused"), "{told:?}");

    // So it is when the Secret goes with its namespace, which takes no events any more.
    world.user("archive", retain.clone()).await;
    world.key("archive", "archive", retain).await;
    world.available("RamAccessKey", "archive").await;
    let (archive, _) = world.pair("archive").await;
    delete_namespace(&world).await;
    assert_eq!(world.keys_in_ram(&world.ram_name("archive")), [(archive, false)].into());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_key_is_not_replaced_but_goes_when_deleted() {
    let world = World::new("paused").await;
    let operator = world.operator().await;
    let id = ready(&world).await;
    world.annotate("RamAccessKey", "ingest", annotation::PAUSED, "true").await;
    world.reconcile("RamAccessKey", "ingest").await;
    let object = world.available("RamAccessKey", "ingest").await;
    assert_eq!(condition(&object, "Paused").expect("paused")["status"], "True");
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    world.ready("RamAccessKey", "ingest", "False", "Paused").await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    assert!(!world.keys_in_ram(&world.ram_name("reader")).contains_key(&id));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_one_user_keep_out_of_each_others_way() {
    let world = World::new("siblings").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("one", "reader", json!({})).await;
    world.key("two", "reader", json!({})).await;
    world.key("three", "reader", json!({})).await;
    let ready = eventually("two of three keys", || async {
        let mut states = Vec::new();
        for name in ["one", "two", "three"] {
            let key = world.keys().get(name).await.map_err(|e| e.to_string())?;
            let conditions = key.status.map(|s| s.conditions).unwrap_or_default();
            states.push((name, conditions.first().map(|c| c.reason.clone()).unwrap_or_default()));
        }
        let count = |reason: &str| states.iter().filter(|(_, r)| r == reason).count();
        if count("Available") == 2 && count("NoFreeSlot") == 1 { Ok(states) } else { Err(format!("{states:?}")) }
    })
    .await;
    let full = ready.iter().find(|(_, reason)| reason == "NoFreeSlot").expect("one").0;
    let first = ready.iter().find(|(_, reason)| reason == "Available").expect("two").0;
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")).len(), 2);
    world.delete("RamAccessKey", first).await;
    world.gone("RamAccessKey", first).await;
    world.reconcile("RamAccessKey", full).await;
    world.available("RamAccessKey", full).await;
    // Garbage collection takes the Secret of the one that went.
    eventually("exactly the published keys in RAM", || async {
        let ours = kube::api::ListParams::default().labels("ram-operator.dev/access-key");
        let secrets = world.secrets().list(&ours).await.map_err(|e| e.to_string())?;
        let id =
            |secret: &k8s_openapi::api::core::v1::Secret| secret.annotations().get(annotation::ACCESS_KEY_ID).cloned();
        let ids: std::collections::BTreeSet<_> = secrets.iter().filter_map(id).collect();
        if ids == world.keys_in_ram(&world.ram_name("reader")).into_keys().collect() {
            Ok(())
        } else {
            Err(format!("{ids:?}"))
        }
    })
    .await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_that_ram_does_not_know_yet_is_waited_for() {
    let world = World::new("patience").await;
    world.ram.set_new_key_refused_for(Duration::from_secs(3));
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.key("ingest", "reader", json!({})).await;
    world.available("RamAccessKey", "ingest").await;
    let own = world.ram.access_key().0;
    let journal = world.ram.journal();
    let proofs: Vec<_> =
        journal.iter().filter(|call| call.action == "GetCallerIdentity" && call.caller != own).collect();
    assert!(proofs.len() > 1 && proofs.last().is_some_and(|call| call.status == 200), "{proofs:?}");
    assert_eq!(world.keys_in_ram(&world.ram_name("reader")).len(), 1);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
