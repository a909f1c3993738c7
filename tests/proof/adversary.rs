//! What people, the cluster and time may do between passes.

use std::collections::BTreeSet;

use crate::invariants::held;
use crate::names::{DAY, PATIENCE, PUBLISH_BOUND, READ_LAG, SLOTS, STRAY_QUIET, USE_LAG};
use crate::search::{self, Cfg};
use crate::world::{By, Excused, Flight, Intent, Journal, Key, Obj, Order, Policy, Usr, Who, Why, World};

pub type Moves = search::Moves<World>;

/// A copy of the world with one move less.
fn moved(world: &World) -> World {
    let mut world = world.clone();
    world.budget -= 1;
    world
}

/// Everything that somebody outside may do now, each at the price of one move.
pub fn edits(world: &World, cfg: &Cfg) -> Result<Moves, String> {
    let mut moves = Moves::new();
    for index in 0..world.objs.len() {
        match &world.objs[index] {
            Some(object) => {
                secret_edits(world, cfg, index, &mut moves);
                if cfg.may("status_lost") && object.journal != Journal::default() {
                    moves.push((format!("status {index} is lost"), lose_status(world, index)));
                }
                if object.deleting.is_none() {
                    spec_edits(world, cfg, index, object, &mut moves);
                    annotations(world, cfg, index, object, &mut moves);
                }
            }
            None if cfg.may("reapply") && !world.ns_term => {
                let mut new = moved(world);
                new.objs[index] = Some(Obj::new(new.next_uid, None, Policy::Delete));
                new.next_uid += 1;
                new.collect_garbage();
                new.touch_obj(index);
                moves.push((format!("object {index} is applied again"), new));
            }
            None => {}
        }
    }
    key_edits(world, cfg, &mut moves)?;
    surroundings(world, cfg, &mut moves);
    user_edits(world, cfg, &mut moves);
    for (label, new) in &mut moves {
        excuse(new, label.starts_with("status"));
    }
    Ok(moves)
}

/// What a person's deed loses is that person's loss.
fn excuse(world: &mut World, status: bool) {
    let before = world.clone();
    for key in world.keys.iter_mut().filter(|key| !key.foreign()) {
        if (key.excused == Excused::Unsure && !status) || !held(&before, key) {
            key.excused = Excused::Yes;
        }
    }
}

fn secret_edits(world: &World, cfg: &Cfg, index: usize, moves: &mut Moves) {
    let secret = world.secrets[index].as_ref();
    if cfg.may("secret_deleted") && secret.is_some() {
        let mut new = moved(world);
        new.secrets[index] = None;
        new.touch_secret(index);
        moves.push((format!("Secret {index} is deleted"), new));
    }
    if cfg.may("secret_damaged") && secret.is_some_and(|secret| secret.intact) {
        let mut new = moved(world);
        if let Some(secret) = &mut new.secrets[index] {
            secret.intact = false;
        }
        new.touch_secret(index);
        moves.push((format!("Secret {index} is damaged"), new));
    }
    if cfg.may("secret_older")
        && let Some(copy) = &world.copies[index]
        && secret.is_none_or(|secret| secret.id != copy.id)
    {
        let mut new = moved(world);
        let (old, present) = (new.copies[index].take(), new.secrets[index].take());
        new.secrets[index] = old;
        new.copies[index] = present;
        new.touch_secret(index);
        moves.push((format!("Secret {index} is an older one again, with key {}", copy.id), new));
    }
}

fn lose_status(world: &World, index: usize) -> World {
    let mut new = moved(world);
    let works = new.secrets[index]
        .as_ref()
        .filter(|secret| secret.intact)
        .and_then(|secret| new.key(secret.id))
        .is_some_and(|key| key.active);
    if let Some(object) = &mut new.objs[index] {
        let journal = std::mem::take(&mut object.journal);
        let uid = object.uid;
        new.lost_intents.extend(journal.intents.iter().map(|intent| intent.id));
        for key in new.keys.iter_mut().filter(|key| key.by == By::Object(uid)) {
            key.excused = if key.active && works { Excused::Unsure } else { Excused::Yes };
        }
    }
    new.touch_obj(index);
    new
}

/// Changes one object.
fn edit(world: &World, index: usize, change: impl FnOnce(&mut Obj)) -> World {
    let mut new = moved(world);
    if let Some(object) = &mut new.objs[index] {
        change(object);
    }
    new.touch_obj(index);
    new
}

fn spec_edits(world: &World, cfg: &Cfg, index: usize, object: &Obj, moves: &mut Moves) {
    if cfg.may("inactive") {
        let state = if object.inactive { "Active" } else { "Inactive" };
        moves.push((format!("state of {index}: {state}"), edit(world, index, |new| new.inactive = !new.inactive)));
    }
    if cfg.may("interval") {
        let interval = if object.interval.is_some() { None } else { Some(2 * DAY) };
        moves.push((format!("interval of {index}: {interval:?}"), edit(world, index, |new| new.interval = interval)));
    }
    if cfg.may("policy") {
        let others = [Policy::Delete, Policy::Disable, Policy::Retain].into_iter().filter(|p| *p != object.policy);
        for policy in others {
            moves.push((format!("policy of {index}: {policy:?}"), edit(world, index, |new| new.policy = policy)));
        }
    }
    if cfg.may("delete") {
        let mut new = edit(world, index, |new| new.deleting = Some(world.now));
        if !object.finalizer {
            new.objs[index] = None;
            new.collect_garbage();
        }
        moves.push((format!("object {index} is deleted"), new));
    }
}

fn annotations(world: &World, cfg: &Cfg, index: usize, object: &Obj, moves: &mut Moves) {
    let asked = object.asked;
    let times = asked.rotate.unwrap_or(0);
    if cfg.may("rotate") && times < 2 {
        let new = edit(world, index, |new| new.asked.rotate = Some(times + 1));
        moves.push((format!("object {index} is annotated: rotate"), new));
    }
    for key in &world.keys {
        let id = key.id;
        if cfg.may("revoke") && asked.revoke != Some(id) {
            let new = edit(world, index, |new| new.asked.revoke = Some(id));
            moves.push((format!("object {index} is annotated: revoke {id}"), new));
        }
        if cfg.may("restore") && !key.foreign() && !key.active && asked.restore != Some(id) {
            let new = edit(world, index, |new| new.asked.restore = Some(id));
            moves.push((format!("object {index} is annotated: restore {id}"), new));
        }
    }
}

fn key_edits(world: &World, cfg: &Cfg, moves: &mut Moves) -> Result<(), String> {
    if cfg.may("foreign") && world.keys.len() < SLOTS && world.ram_user.is_some() {
        let mut new = moved(world);
        new.changed();
        new.keys.push(Key::new(new.next_key, new.now, By::Person, None));
        new.next_key += 1;
        moves.push(("a person makes a key".to_owned(), new));
    }
    for key in &world.keys {
        let id = key.id;
        if cfg.may("use") && key.active && key.used != Some(world.now) {
            let mut new = moved(world);
            let now = new.now;
            if let Some(key) = new.key_mut(id) {
                key.use_it(now);
                key.used_by_person = Some(now);
            }
            moves.push((format!("key {id} is used"), new));
        }
        if !key.foreign() {
            let wanted = if key.active { "disable" } else { "enable" };
            if cfg.may(wanted) {
                let mut new = moved(world);
                new.set_key(id, !key.active, Who::Person);
                moves.push((format!("a person: {wanted} key {id}"), new));
            }
            if cfg.may("delkey") {
                let mut new = moved(world);
                new.delete_key(id, Who::Person)?;
                moves.push((format!("a person deletes key {id}"), new));
            }
        }
        if cfg.may("person_order") && world.orders.iter().all(|order| order.person.is_none()) {
            let mut new = moved(world);
            let order = Order { uid: new.next_uid, person: Some(id), ..Order::default() };
            new.next_uid += 1;
            new.orders.push(order);
            moves.push((format!("a person orders the revocation of {id}"), new));
        }
    }
    Ok(())
}

fn surroundings(world: &World, cfg: &Cfg, moves: &mut Moves) {
    if cfg.may("grant") {
        let mut new = moved(world);
        new.grant = !new.grant;
        moves.push((format!("the tenant grants: {}", new.grant), new));
    }
    if cfg.may("account") {
        let mut new = moved(world);
        new.account = !new.account;
        moves.push((format!("the account is usable: {}", new.account), new));
    }
    if cfg.may("ns") && !world.ns_term {
        let mut new = moved(world);
        let now = new.now;
        new.ns_term = true;
        for index in 0..new.objs.len() {
            new.secrets[index] = None;
            new.touch_secret(index);
            let Some(object) = &mut new.objs[index] else { continue };
            if object.deleting.is_none() {
                object.deleting = Some(now);
                if !object.finalizer {
                    new.objs[index] = None;
                }
                new.touch_obj(index);
            }
        }
        if cfg.user_pass
            && let Some(user) = &mut new.user
            && user.deleting.is_none()
        {
            user.deleting = Some(now);
            new.touch_user();
        }
        moves.push(("the namespace is deleted".to_owned(), new));
    }
}

fn user_edits(world: &World, cfg: &Cfg, moves: &mut Moves) {
    let Some(user) = &world.user else {
        if cfg.may("reapply_user") && !world.ns_term {
            let mut new = moved(world);
            new.user = Some(Usr::new(new.next_uid));
            new.next_uid += 1;
            moves.push(("the RamUser is applied again".to_owned(), new));
        }
        return;
    };
    if user.deleting.is_some() {
        return;
    }
    let changed = |change: fn(&mut Usr, i64)| {
        let mut new = moved(world);
        let now = new.now;
        if let Some(user) = &mut new.user {
            change(user, now);
        }
        new.touch_user();
        new
    };
    if cfg.may("suspend") {
        let new = changed(|user, _| user.suspended = !user.suspended);
        moves.push((format!("the RamUser is suspended: {}", !user.suspended), new));
    }
    if cfg.may("delete_user") {
        let mut new = changed(|user, now| user.deleting = Some(now));
        if !user.finalizer {
            new.user = None;
        }
        moves.push(("the RamUser is deleted".to_owned(), new));
    }
}

/// A request on its way arrives, if RAM still takes it.
pub fn land(world: &mut World, index: usize) -> Result<String, String> {
    let flight = world.inflight.remove(index);
    let label = format!("arrives late: {flight:?}");
    let now = world.now;
    match flight {
        Flight::Mint { uid, intent, not_after } => {
            // A mint that is too late is refused by RAM itself.
            let _ = world.mint(not_after, uid, intent);
        }
        Flight::Set { id, active, until } if now <= until => {
            world.set_key(id, active, Who::Late);
        }
        Flight::Delete { id, until } if now <= until => world.delete_key(id, Who::Ours)?,
        Flight::Set { .. } | Flight::Delete { .. } => {}
    }
    Ok(label)
}

/// The moments ahead at which something may become due, the next one first.
pub fn moments(world: &World, cfg: &Cfg) -> Vec<i64> {
    let mut times = BTreeSet::new();
    for (index, object) in world.objs.iter().enumerate() {
        if let Some(object) = object {
            object_moments(world, cfg, index, object, &mut times);
        }
    }
    for process in &world.frozen {
        times.extend(process.mint_until().map(|until| until + 1));
    }
    for flight in &world.inflight {
        if let Flight::Mint { not_after, .. } = flight {
            times.insert(not_after + 1);
        }
    }
    if let Some(user) = &world.user
        && let Some(deleting) = user.deleting
    {
        times.insert(deleting + PATIENCE);
        times.insert(deleting + READ_LAG + 1);
        times.insert(deleting + user.grace);
        times.extend(user.made_time.map(|made| made + READ_LAG + 1));
    }
    for order in &world.orders {
        intent_moments(&order.intents, &mut times);
        let strays = order.strays.iter().filter_map(|stray| stray.disabled);
        times.extend(strays.map(|disabled| disabled + STRAY_QUIET + 1));
        times.extend(order.not_before);
    }
    times.into_iter().filter(|time| *time > world.now).collect()
}

fn intent_moments(intents: &[Intent], times: &mut BTreeSet<i64>) {
    for intent in intents {
        times.insert(intent.not_after + READ_LAG + 1);
        times.insert(intent.not_after + PUBLISH_BOUND + 1);
        times.insert(intent.not_after + PUBLISH_BOUND + READ_LAG + 1);
    }
}

fn object_moments(world: &World, cfg: &Cfg, index: usize, object: &Obj, times: &mut BTreeSet<i64>) {
    let journal = &object.journal;
    intent_moments(&journal.intents, times);
    for retiring in &journal.retiring {
        let Some(key) = world.key(retiring.id) else { continue };
        if key.active && retiring.why == Why::Replaced {
            let over = retiring.time + cfg.overlap;
            times.insert(over + 1);
            times.extend(cfg.max_overlap.map(|most| retiring.time + most + 1));
            if world.now > over {
                let uses = [key.used, key.used_before].into_iter().flatten();
                times.extend(uses.map(|used| used + cfg.overlap + USE_LAG));
            }
        }
        let quiet = if retiring.why == Why::Stray { STRAY_QUIET } else { cfg.quarantine };
        times.extend(retiring.disabled.map(|disabled| disabled + quiet + 1));
    }
    times.extend(journal.missing.map(|missing| missing + READ_LAG + 1));
    if journal.key.is_some() {
        times.extend(journal.created.zip(object.interval).map(|(created, interval)| created + interval));
    }
    if let Some(deleting) = object.deleting {
        times.insert(deleting + PATIENCE);
        times.extend(journal.published.map(|published| published + READ_LAG + 1));
    }
    let published = world.secrets[index].as_ref().filter(|secret| secret.intact && Some(secret.id) == journal.key);
    if let (Some(lost), None) = (journal.key.and_then(|id| world.key(id)), published)
        && world.keys.len() >= SLOTS
    {
        let uses = [lost.used, lost.used_before, Some(lost.created)].into_iter().flatten();
        times.extend(uses.map(|used| used + cfg.overlap + USE_LAG));
    }
}
