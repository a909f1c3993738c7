//! RamAccessKey: a key that exists already is taken over with its pair, or it is said why not.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::rotation::{
    ask, assert_says, assert_true, assert_well, create, days, done, hours, looked, lose_status, no_writes,
    published_after, stored, time, usual_tenant, works,
};
use crate::world::{World, condition, eventually, merge};

/// A pair as a person keeps it.
async fn keep(world: &World, name: &str, data: Value) {
    let metadata = json!({"name": name, "labels": {"app": "ingest"}});
    let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
    world.secrets().patch(name, &PatchParams::apply("person").force(), &Patch::Apply(body)).await.expect("applied");
}

fn env(id: &str, secret: &str) -> Value {
    json!({"ALIBABA_CLOUD_ACCESS_KEY_ID": id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret})
}

fn adopt(secret: &str) -> Value {
    json!({"secret": {"adoptFrom": {"name": secret}}})
}

/// A user `reader` with a key that a person made, and its pair.
async fn by_hand(world: &World) -> (String, String) {
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let pair = world.ram.person().create_key(&world.ram_name("reader"));
    // What is new may be refused for a while.
    world.clock.advance(Duration::from_mins(5));
    world.writes();
    pair
}

/// Whose the user's only key is, to the RamUser.
async fn owner(world: &World) -> Value {
    world.reconcile("RamUser", "reader").await;
    stored(world, "RamUser", "reader").await["status"]["accessKeys"][0]["owner"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_in_another_secret_is_adopted_and_rotates_as_any_other() {
    let world = World::new("key_adopt").await;
    let operator = world.operator().await;
    let (old, secret) = by_hand(&world).await;
    let name = world.ram_name("reader");
    keep(&world, "old", json!({"ak": old, "sk": format!("{secret}\n")})).await;
    let source = world.secrets().get("old").await.expect("there").resource_version();
    assert_eq!(owner(&world).await, "Foreign");

    let from = json!({"name": "old", "accessKeyIdKey": "ak", "accessKeySecretKey": "sk"});
    world.key("ingest", "reader", json!({"secret": {"adoptFrom": from}})).await;
    let object = world.available("RamAccessKey", "ingest").await;
    no_writes(&world);
    assert_eq!(world.pair("ingest").await, (old.clone(), secret));
    let made = world.ram.snapshot().users[&name].keys[0].create_time;
    assert_eq!(object["status"]["accessKeyId"], json!(old));
    assert_eq!(time(&object["status"]["createTime"]).as_second(), made.as_second(), "RAM knows how old it is");
    assert!(object["status"]["provedTime"].is_string() && object["status"]["intents"].is_null(), "{object}");
    assert_eq!(owner(&world).await, "RamAccessKey");
    let events = world.events("ingest").await;
    assert!(events.contains(&"KeyAdopted".to_owned()) && !events.contains(&"Published".to_owned()), "{events:?}");

    world.clock.advance(days(10));
    ask(&world, "rotate", "now").await;
    done(&world, "rotate", "now").await;
    assert_eq!(world.writes(), [create(&world)]);
    let new = works(&world).await;
    assert_ne!(new, old);
    world.clock.advance(hours(25));
    assert_well(&looked(&world, "ingest").await);
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive"]);
    world.clock.advance(hours(73));
    assert_well(&looked(&world, "ingest").await);
    assert_eq!(world.writes(), ["DeleteAccessKey #1"]);
    assert_eq!(world.secrets().get("old").await.expect("there").resource_version(), source, "it is only read");

    // From the first publish on the reference does nothing: not when it changes, not when the pair is lost.
    world.key("ingest", "reader", adopt("nowhere")).await;
    assert_well(&world.available("RamAccessKey", "ingest").await);
    no_writes(&world);
    world.secrets().delete("ingest", &DeleteParams::default()).await.expect("deleted");
    let newest = published_after(&world, &new).await;
    assert_eq!(world.writes(), [create(&world)]);
    assert_eq!(works(&world).await, newest);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_adopted_in_place_where_its_secret_is_named() {
    let world = World::new("key_adopt_place").await;
    let operator = world.operator().await;
    let (old, secret) = by_hand(&world).await;
    let mut data = env(&old, &secret);
    merge(&mut data, json!({"region": "cn-hangzhou"}));
    keep(&world, "ingest", data).await;
    let by_person = world.secrets().get("ingest").await.expect("there");
    world.key("ingest", "reader", json!({})).await;
    world.ready("RamAccessKey", "ingest", "False", "SecretConflict").await;
    let untouched = world.secrets().get("ingest").await.expect("there");
    assert_eq!(untouched.resource_version(), by_person.resource_version(), "a name alone is no consent");

    world.key("ingest", "reader", adopt("ingest")).await;
    world.available("RamAccessKey", "ingest").await;
    no_writes(&world);
    assert_eq!(world.pair("ingest").await, (old.clone(), secret.clone()));
    let taken = world.secrets().get("ingest").await.expect("there");
    assert_eq!(taken.uid(), by_person.uid(), "it is the same Secret");
    assert_eq!(taken.labels().get("app").map(String::as_str), Some("ingest"));
    assert_eq!(taken.annotations().get(annotation::ACCESS_KEY_ID), Some(&old));
    assert_eq!(taken.owner_references().first().map(|owner| owner.kind.as_str()), Some("RamAccessKey"));
    let keys: Vec<&String> = taken.data.iter().flatten().map(|(key, _)| key).collect();
    assert_eq!(keys, ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"], "its data is the spec's now");

    // Neither key nor Secret is anybody else's any more.
    world.key("second", "reader", adopt("ingest")).await;
    let object = world.ready("RamAccessKey", "second", "False", "PairHeld").await;
    assert_true(&object, "Stalled", "PairHeld", &["RamAccessKey ingest"]);
    world.key("third", "reader", json!({"secret": {"name": "ingest", "adoptFrom": {"name": "ingest"}}})).await;
    world.ready("RamAccessKey", "third", "False", "SecretNotAdoptable").await;
    assert!(world.secrets().get_opt("second").await.expect("an answer").is_none());
    for name in ["second", "third"] {
        world.delete("RamAccessKey", name).await;
        world.gone("RamAccessKey", name).await;
    }

    // What died before it could note the adoption finds a pair that its proof explains.
    lose_status(&world).await;
    assert_eq!(looked(&world, "ingest").await["status"]["accessKeyId"], json!(old));
    world.available("RamAccessKey", "ingest").await;
    no_writes(&world);
    assert_eq!(world.pair("ingest").await, (old, secret));

    world.delete("RamAccessKey", "ingest").await;
    world.gone("RamAccessKey", "ingest").await;
    assert_eq!(world.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
    eventually("the Secret to go with its object", || async {
        match world.secrets().get_opt("ingest").await {
            Ok(None) => Ok(()),
            other => Err(format!("{:?}", other.map(|secret| secret.is_some()))),
        }
    })
    .await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    assert!(!world.ram.snapshot().users.contains_key(&world.ram_name("reader")), "nothing foreign was in the way");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_adopted_is_said_and_nothing_is_made() {
    let world = World::new("key_adopt_no").await;
    let operator = world.operator().await;
    let (id, secret) = by_hand(&world).await;
    world.user("other", json!({})).await;
    world.available("RamUser", "other").await;
    let theirs = world.ram.person().create_key(&world.ram_name("other"));
    world.clock.advance(Duration::from_mins(5));
    world.writes();
    world.key("ingest", "reader", adopt("old")).await;
    let id_alone = json!({"ALIBABA_CLOUD_ACCESS_KEY_ID": id});
    for (data, reason, stalled, says) in [
        (None, "PairNotFound", false, "Secret old"),
        (Some(id_alone), "PairNotFound", false, "key ALIBABA_CLOUD_ACCESS_KEY_SECRET in Secret old"),
        (Some(env("hunter2", &secret)), "PairInvalid", true, "key ALIBABA_CLOUD_ACCESS_KEY_ID of Secret old"),
        // The two in each other's place: the secret is neither sent nor shown.
        (Some(env(&secret, &id)), "PairInvalid", true, "holds no AccessKey id"),
        (Some(env(&id, "damaged")), "PairRefused", true, "Secret old"),
        (Some(env("LTAI5tNobodyHasIt00000001", &secret)), "PairRefused", true, "Secret old"),
        (Some(env(&theirs.0, &theirs.1)), "PairOfAnotherUser", true, "Secret old"),
    ] {
        if let Some(data) = data {
            keep(&world, "old", data).await;
        }
        world.reconcile("RamAccessKey", "ingest").await;
        refused(&world, reason, stalled, says).await;
    }
    keep(&world, "old", env(&id, &secret)).await;
    world.ram.person().set_key_status(&id, false);
    world.reconcile("RamAccessKey", "ingest").await;
    refused(&world, "PairDisabled", true, &id).await;

    // A key that works, and a tenant that does not allow one like this.
    let mut tenant = usual_tenant();
    tenant["accessKeys"] = json!({"allowedSources": "Required"});
    world.tenant(tenant).await;
    world.ram.person().set_key_status(&id, true);
    refused(&world, "SourcesRequired", false, "allowedSources").await;

    world.tenant(usual_tenant()).await;
    world.available("RamAccessKey", "ingest").await;
    no_writes(&world);
    assert_eq!(world.pair("ingest").await, (id, secret));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// Nothing is written, in RAM or in the cluster, and the object says why.
async fn refused(world: &World, reason: &str, stalled: bool, says: &str) {
    let object = world.ready("RamAccessKey", "ingest", "False", reason).await;
    assert_says(&object, "Ready", &[says]);
    assert_eq!(condition(&object, "Stalled").is_some(), stalled, "{reason}");
    assert!(object["status"]["accessKeyId"].is_null() && object["status"]["intents"].is_null(), "{object}");
    let stored = world.keys().get("ingest").await.expect("there");
    assert!(stored.finalizers().is_empty(), "{reason}");
    assert!(world.secrets().get_opt("ingest").await.expect("an answer").is_none(), "{reason}");
    no_writes(world);
}
