//! Worlds to begin with.

use std::collections::BTreeSet;

use crate::names::{DAY, HOUR};
use crate::process::Process;
use crate::search::{Cfg, run};
use crate::world::{By, Key, Obj, Policy, Usr, World};

/// A user that was made long ago, and nothing else.
fn bare() -> World {
    let mut user = Usr::new(1);
    user.finalizer = true;
    user.known = Some(1);
    user.marker_uid = Some(1);
    user.made_time = Some(-10 * DAY);
    user.ready = true;
    World {
        now: 0,
        keys: Vec::new(),
        ram_user: Some((1, 1)),
        bin: Vec::new(),
        before: None,
        inflight: Vec::new(),
        objs: Vec::new(),
        secrets: Vec::new(),
        copies: Vec::new(),
        user: Some(user),
        orders: Vec::new(),
        frozen: Vec::new(),
        account: true,
        grant: true,
        ns_term: false,
        next_key: 1,
        next_intent: 1,
        next_uid: 10,
        windows: Vec::new(),
        lost_intents: BTreeSet::new(),
        left_orders: BTreeSet::new(),
        person_deleted: BTreeSet::new(),
        budget: 0,
        times: 0,
    }
}

fn add(world: &mut World, interval: Option<i64>) {
    world.objs.push(Some(Obj::new(world.next_uid, interval, Policy::Delete)));
    world.secrets.push(None);
    world.copies.push(None);
    world.next_uid += 1;
}

fn pass(world: &mut World) {
    run(world, &Cfg::default(), Process::key(0, false)).expect("a pass");
}

/// So many RamAccessKeys without a key.
pub fn fresh(objects: usize) -> World {
    let mut world = bare();
    for _ in 0..objects {
        add(&mut world, None);
    }
    world
}

/// A RamAccessKey whose pair was published a day ago.
pub fn published(interval: Option<i64>) -> World {
    let mut world = bare();
    add(&mut world, interval);
    pass(&mut world);
    world.now += DAY;
    pass(&mut world);
    world.before = None;
    world.next_intent = 5;
    world.windows.clear();
    for key in &mut world.keys {
        key.used = None;
    }
    world
}

/// A RamAccessKey that was rotated an hour ago.
pub fn rotated() -> World {
    let mut world = published(None);
    if let Some(object) = &mut world.objs[0] {
        object.asked.rotate = Some(1);
    }
    pass(&mut world);
    world.now += HOUR;
    pass(&mut world);
    world.before = None;
    world.windows.clear();
    world
}

/// A RamAccessKey whose pair was used an hour ago, on a user whose other slot a person's key has, which nobody uses.
pub fn crowded() -> World {
    let mut world = published(None);
    let (id, now) = (world.next_key, world.now);
    world.keys.push(Key::new(id, now - 2 * DAY, By::Person, None));
    world.next_key += 1;
    world.keys[0].use_it(now - HOUR);
    world.now += 2 * HOUR;
    world
}

/// A RamUser and a RamAccessKey that were just applied.
pub fn unmade_user() -> World {
    let mut world = bare();
    world.user = Some(Usr::new(2));
    world.ram_user = None;
    world.next_uid = 20;
    add(&mut world, None);
    world
}
