//! What goes: at once, by a RamRevocation, or after a time in which it can be had back.

use std::pin::pin;
use std::time::Duration;

use kube::api::ListParams;
use serde_json::{Value, json};

use super::keys::{self, one_key, times};
use super::point::poke_orders;
use super::sweep::Quick;
use super::{Object, Scenario, all_available, person, team};
use crate::world::{World, eventually};

async fn delete(world: &World, objects: Vec<Object>) {
    for (kind, name) in objects {
        world.delete(kind, &name).await;
    }
}

/// Waits until the objects are gone, and every RamRevocation with them.
async fn gone(world: &World, objects: Vec<Object>) {
    // A mint without an answer may hold the deletion until its window is over.
    for (kind, name) in objects {
        world.gone(kind, &name).await;
    }
    eventually("all RamRevocations to be done", || async {
        let params = ListParams::default().labels(&world.label());
        let left = world.dynamic("RamRevocation", None).list(&params).await.map_err(|e| e.to_string())?;
        match left.items.first() {
            None => Ok(()),
            Some(order) => Err(order.data["status"]["conditions"].to_string()),
        }
    })
    .await;
}

/// Waits until every RamRevocation is gone. One that is poked in each of its passes never comes to an end.
async fn orders_done(world: &World) {
    let mut done = pin!(gone(world, Vec::new()));
    let mut again = tokio::time::interval(Duration::from_secs(3));
    loop {
        tokio::select! {
            () = &mut done => return,
            _ = again.tick() => poke_orders(world).await,
        }
    }
}

fn nothing_is_left(world: &World) {
    let snapshot = world.in_ram();
    let ours: Vec<_> = snapshot.users.keys().filter(|name| name.starts_with(&world.ns)).collect();
    assert!(ours.is_empty(), "still in RAM: {ours:?}");
    assert!(snapshot.groups.is_empty() && snapshot.policies.is_empty(), "{:?}", snapshot.groups.keys());
    assert!(snapshot.devices.is_empty(), "{:?}", snapshot.devices.keys());
}

/// An end: what goes, and how it came.
macro_rules! end {
    ($(#[$doc:meta])* $name:ident of $what:ident, quick $quick:expr $(, $const:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Scenario for $name {
            const QUICK: Quick = $quick;
            $(const $const: bool = true;)?

            fn objects(self, _: &World) -> Vec<Object> {
                $what::objects()
            }
            async fn set_up(self, world: &World) {
                $what::made(world).await;
            }
            async fn ask(self, world: &World) {
                delete(world, $what::objects()).await;
            }
            async fn finished(self, world: &World) {
                gone(world, $what::objects()).await;
            }
            async fn settle(self, world: &World) {
                nothing_is_left(world);
            }
        }
    };
}

end!(
    /// Key and user.
    Delete of keys, quick Quick::Whole
);
end!(
    /// The same, left to RamRevocations at the first trouble.
    Leave of keys, quick Quick::Every(6, 2), IMPATIENT
);
end!(
    /// With policy and group.
    Disband of team, quick Quick::Every(6, 4)
);
end!(
    /// The same, left to RamRevocations at the first trouble.
    DisbandLeave of team, quick Quick::Every(6, 6), IMPATIENT
);
end!(
    /// A person with log-on and MFA device.
    Depart of person, quick Quick::Every(6, 3)
);

/// A user is deleted with a grace period, and applied again as soon as it is gone.
#[derive(Clone, Copy, Debug)]
pub struct TakeBack;

fn grace() -> Value {
    json!({"deletionGracePeriod": "2d"})
}

impl Scenario for TakeBack {
    const QUICK: Quick = Quick::Every(8, 5);

    fn objects(self, _: &World) -> Vec<Object> {
        keys::objects()
    }
    async fn set_up(self, world: &World) {
        world.user("reader", grace()).await;
        world.key("ingest", "reader", json!({})).await;
        all_available(world, keys::objects()).await;
    }
    async fn ask(self, world: &World) {
        world.delete("RamUser", "reader").await;
    }
    async fn finished(self, world: &World) {
        let users = world.users();
        eventually("the user to be there again", || async {
            match users.get_opt("reader").await.map_err(|e| e.to_string())? {
                Some(user) if user.metadata.deletion_timestamp.is_none() => Ok(()),
                Some(user) => Err(format!("still going: {:?}", user.status)),
                None => {
                    let key = world.keys_in_ram(&world.ram_name("reader"));
                    assert!(key.len() == 1 && key.values().all(|active| !active), "not disarmed: {key:?}");
                    world.user("reader", grace()).await;
                    Err("just applied".to_owned())
                }
            }
        })
        .await;
        eventually("its key to be enabled", || async {
            let keys = world.keys_in_ram(&world.ram_name("reader"));
            if keys.values().all(|active| *active) { Ok(()) } else { Err(format!("{keys:?}")) }
        })
        .await;
        all_available(world, keys::objects()).await;
    }
    async fn settle(self, world: &World) {
        // What was ordered is void, also when its time comes.
        world.clock.advance(Duration::from_hours(72));
        orders_done(world).await;
        all_available(world, keys::objects()).await;
        one_key(world).await;
        let name = world.ram_name("reader");
        for once in [format!("CreateUser {name}"), format!("CreateAccessKey {name}")] {
            assert_eq!(times(world, &once), 1, "{once}: the same user, the same key");
        }
    }
}
