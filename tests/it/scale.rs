//! Many objects at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::api::ListParams;
use ram_operator::api::annotation;
use serde_json::json;

use crate::world::{World, eventually_within};

/// Users, each with a key: two objects for each.
const USERS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_objects_at_once_end_ready_with_no_secret_wrong() {
    let world = World::new("thousand").await;
    let operator = world.operator().await;
    let began = std::time::Instant::now();
    futures::stream::iter(0..USERS)
        .for_each_concurrent(16, |n| {
            let world = &world;
            async move {
                let name = format!("u{n}");
                world.user(&name, json!({})).await;
                world.key(&name, &name, json!({})).await;
            }
        })
        .await;
    let applied = began.elapsed();
    let limit = std::time::Duration::from_mins(8);
    eventually_within(limit, "a thousand objects to be ready", || async {
        let mut waiting = 0;
        for kind in ["RamUser", "RamAccessKey"] {
            let list =
                world.dynamic(kind, Some(&world.ns)).list(&ListParams::default()).await.map_err(|e| e.to_string())?;
            waiting +=
                list.items.iter().filter(|object| object.data["status"]["conditions"][0]["status"] != "True").count();
        }
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} are not")) }
    })
    .await;
    println!("{} objects applied in {applied:.1?}, ready after {:.1?}", 2 * USERS, began.elapsed());

    // Every Secret holds a key of its own user, each another one, and RAM has no other keys.
    let snapshot = world.ram.snapshot();
    let in_ram: BTreeMap<String, String> =
        snapshot.minted_keys().map(|(user, key)| (key.id.clone(), user.clone())).collect();
    let secrets =
        world.secrets().list(&ListParams::default().labels("ram-operator.dev/access-key")).await.expect("a list");
    assert_eq!((secrets.items.len(), in_ram.len()), (USERS, USERS));
    let minted: BTreeSet<String> = world.ram.secrets().into_iter().collect();
    for secret in &secrets {
        let id = &secret.annotations()[annotation::ACCESS_KEY_ID];
        assert_eq!(in_ram.get(id), Some(&world.ram_name(&secret.name_any())), "{}", secret.name_any());
        let (published, value) = world.pair(&secret.name_any()).await;
        assert!(published == *id && minted.contains(&value), "{}", secret.name_any());
    }
    let writes = world.writes();
    assert_eq!(writes.len(), 3 * USERS, "CreateUser, AttachPolicyToUser and CreateAccessKey, once each");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
