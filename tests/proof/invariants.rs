//! What must hold: at every step a pass decides on, in every state, and once everything has come to rest.

use std::collections::HashMap;

use ram_operator::plan::Reason;
use ram_operator::plan::ram_access_key::{Standing, standing};

use crate::key_process::{Act, KeyProcess, UserFacts};
use crate::names::{CLOCK, MAX_INTENTS, PUBLISH_BOUND, SLOTS, STRAY_QUIET, USE_LAG, ts};
use crate::order_process;
use crate::process::Outcome;
use crate::search::Cfg;
use crate::world::{By, Excused, Key, Obj, Order, Sec, Who, World};

type Check = Result<(), String>;

/// Windows in which a key of this age may have been made by a mint.
fn windows(world: &World, key: &Key) -> Vec<(i64, i64)> {
    let over = |(from, to): &&(i64, i64)| from - CLOCK <= key.created && key.created <= to + CLOCK;
    world.windows.iter().filter(over).copied().collect()
}

/// A step that the plan of a RamAccessKey has just decided on.
pub fn at_key_step(pass: &KeyProcess, world: &World, cfg: &Cfg, act: &Act) -> Check {
    match act {
        Act::Mint(_) => at_mint(pass),
        Act::Enable(id) | Act::Disable(id) | Act::Delete(id) => match world.key(*id) {
            Some(key) if key.foreign() => on_foreign_key(world, key, act),
            Some(key) => on_own_key(pass, world, cfg, key, act),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn at_mint(pass: &KeyProcess) -> Check {
    if pass.keys().len() >= SLOTS {
        return Err("a third key is asked for".to_owned());
    }
    if !pass.grant {
        return Err("a key is asked for without the tenant's grant".to_owned());
    }
    if !pass.has_finalizer() {
        return Err("a key is asked for without a finalizer".to_owned());
    }
    Ok(())
}

/// A person's key may be taken for a stray if it was made in a window; never before its end, never deleted while in use.
fn on_foreign_key(world: &World, key: &Key, act: &Act) -> Check {
    let windows = windows(world, key);
    let (Some(first), Some(last)) = (windows.iter().map(|w| w.1).min(), windows.iter().map(|w| w.1).max()) else {
        return Err(format!("{act:?} touches a foreign key"));
    };
    if matches!(act, Act::Disable(_)) && world.now <= first + PUBLISH_BOUND {
        return Err(format!("foreign key {} is disabled inside a window", key.id));
    }
    if matches!(act, Act::Delete(_)) && key.used.is_some_and(|used| used > last + PUBLISH_BOUND) {
        return Err(format!("foreign key {} is deleted although it is in use", key.id));
    }
    Ok(())
}

fn on_own_key(pass: &KeyProcess, world: &World, cfg: &Cfg, key: &Key, act: &Act) -> Check {
    let id = key.id;
    let settled = pass.settled(cfg, world.now);
    let revoked = settled.is_revoked(id);
    if matches!(act, Act::Enable(_)) {
        return match () {
            () if pass.inactive => Err(format!("key {id} is enabled while Inactive is asked for")),
            () if revoked => Err(format!("revoked key {id} is enabled")),
            () => Ok(()),
        };
    }
    let user_off = matches!(pass.user, UserFacts::Made { deleting, suspended, .. } if deleting || suspended);
    if revoked || user_off || pass.deleting.is_some() || pass.inactive || world.person_ordered(id) {
        return Ok(());
    }
    // Both slots are taken and no pair is published: waits are cut short.
    let full = pass.keys().len() >= SLOTS && standing(&pass.seen(cfg), ts(world.now)) == Standing::Lost;
    if !key.published {
        return on_unpublished_key(world, key, act, full);
    }
    let secret = if pass.was_frozen { pass.secret.as_ref() } else { world.secrets[pass.i].as_ref() };
    let secret = secret.filter(|secret| secret.intact);
    if secret.is_some_and(|secret| secret.id == id) && !full && !pass.was_frozen {
        return Err(format!("{act:?} of the published key"));
    }
    let quiet = key.reported(world.now).is_none_or(|used| used <= world.now - (cfg.overlap + USE_LAG));
    match act {
        Act::Disable(_) if full && !quiet => Err(format!("key {id} is disabled for a slot although it is in use")),
        Act::Delete(_) if full && key.active => Err(format!("active key {id} is deleted for a slot")),
        _ if full => Ok(()),
        Act::Disable(_) => {
            let newer = secret.filter(|secret| world.key(secret.id).is_some());
            if newer.is_none() {
                return Err(format!("key {id} is disabled without a newer pair"));
            }
            if !settled.proved {
                return Err(format!("key {id} is disabled before the newer pair is proved"));
            }
            let since = key.replaced_at;
            if since.is_none_or(|time| world.now <= time + cfg.overlap) {
                return Err(format!("key {id} is disabled before its overlap is over"));
            }
            let at_last = since.zip(cfg.max_overlap).is_some_and(|(time, most)| world.now > time + most);
            if !quiet && !at_last {
                return Err(format!("key {id} is disabled although it is in use"));
            }
            Ok(())
        }
        _ => {
            if key.active && !pass.was_frozen {
                return Err(format!("active key {id} is deleted"));
            }
            if key.disabled_at.is_none_or(|time| world.now - time < cfg.quarantine) && !key.active {
                return Err(format!("key {id} is deleted before its quarantine is over"));
            }
            Ok(())
        }
    }
}

fn on_unpublished_key(world: &World, key: &Key, act: &Act, full: bool) -> Check {
    let id = key.id;
    let end = key.not_after.map(|time| time + PUBLISH_BOUND);
    if matches!(act, Act::Disable(_)) && end.is_some_and(|end| world.now <= end) {
        return Err(format!("unpublished key {id} is disabled before its window is over"));
    }
    if matches!(act, Act::Delete(_)) && !full {
        if key.active || key.disabled_at.is_none_or(|time| world.now - time < STRAY_QUIET) {
            return Err(format!("stray {id} is deleted too early"));
        }
        let last = windows(world, key).iter().map(|window| window.1 + PUBLISH_BOUND).max();
        if last.zip(key.used_by_person).is_some_and(|(last, used)| used > last) {
            return Err(format!("stray {id} is deleted although it is in use"));
        }
    }
    Ok(())
}

/// No working pair is replaced by a dead one.
pub fn at_publish(index: usize, world: &World, current: Option<&Sec>, id: u8) -> Check {
    let Some(current) = current.filter(|secret| secret.intact) else { return Ok(()) };
    let dead = match world.key(id) {
        Some(key) => !key.active && key.disabled_by != Some(Who::Person),
        None => !world.person_deleted.contains(&id),
    };
    let works = world.key(current.id).is_some_and(|key| key.active);
    let revoked = world.objs[index].as_ref().is_some_and(|object| object.journal.is_revoked(current.id));
    if works && dead && !revoked && !world.person_ordered(id) {
        return Err(format!("the working pair {} is replaced by the dead {id}", current.id));
    }
    Ok(())
}

/// A step that the plan of an object's order has just decided on.
pub fn at_order_step(world: &World, order: &Order, act: &order_process::Act) -> Check {
    use order_process::Act;
    let (Act::Disable(id) | Act::Delete(id)) = act else { return Ok(()) };
    if order.person.is_some() {
        return Ok(());
    }
    let Some(key) = world.key(*id) else { return Ok(()) };
    if key.foreign() {
        let Some(end) = windows(world, key).iter().map(|window| window.1 + PUBLISH_BOUND).min() else {
            return Err(format!("an order: {act:?} touches a foreign key"));
        };
        if world.now <= end {
            return Err(format!("an order: {act:?} touches a foreign key inside a window"));
        }
        if matches!(act, Act::Delete(_)) && key.used.is_some_and(|used| used > end) {
            return Err(format!("an order: foreign key {id} is deleted although it is in use"));
        }
        return Ok(());
    }
    let published = world.objs.iter().zip(&world.secrets).any(|(object, secret)| {
        let stays = object.as_ref().is_some_and(|object| object.deleting.is_none());
        stays && secret.as_ref().is_some_and(|secret| secret.intact && secret.id == *id)
    });
    if published && !world.user_off() {
        return Err(format!("an order: {act:?} of a published key"));
    }
    Ok(())
}

/// A key that was used by whoever has it and was published nowhere: it counts as foreign, and is reported.
fn became_foreign(key: &Key) -> bool {
    key.used.is_some() && !key.published
}

/// What must hold in every state.
pub fn check(world: &World) -> Check {
    for key in world.keys.iter().filter(|key| !key.foreign() && key.excused != Excused::Yes && !key.left) {
        if !held(world, key) && !became_foreign(key) {
            return Err(format!("key {} is lost (published: {})", key.id, key.published));
        }
    }
    if world.objs.iter().flatten().any(|object| object.journal.intents.len() > MAX_INTENTS) {
        return Err("too many intents".to_owned());
    }
    Ok(())
}

/// Whether a key is published, named by somebody, or in the window of an open intent.
pub fn held(world: &World, key: &Key) -> bool {
    let open = |intent: &crate::world::Intent| intent.covers(key.created) && !intent.known.contains(&key.id);
    let of_object = world.objs.iter().zip(&world.secrets).any(|(object, secret)| {
        let published = secret.as_ref().is_some_and(|secret| {
            let named = secret.id == key.id || secret.retiring.iter().any(|(id, _, _)| *id == key.id);
            secret.intact && named && (object.is_some() || !secret.owned)
        });
        let noted = object
            .as_ref()
            .is_some_and(|object| object.journal.ids().contains(&key.id) || object.journal.intents.iter().any(open));
        published || noted
    });
    let of_order = world.orders.iter().any(|order| {
        order.ids.contains(&key.id)
            || order.disabled.contains(&key.id)
            || order.person == Some(key.id)
            || order.strays.iter().any(|stray| stray.id == key.id)
            || order.intents.iter().any(open)
    });
    of_object || of_order
}

/// Whose verdict it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seat {
    Key(usize),
    Order(u8),
}

pub type Verdicts = HashMap<Seat, Option<Outcome>>;

/// Whether the key is none that the operator can still be asked to take away.
fn out_of_reach(key: &Key) -> bool {
    key.foreign() || key.excused != Excused::No || key.left || became_foreign(key)
}

/// Nothing when the world is at rest as it should be, else what is not.
pub fn good(world: &World, verdicts: &Verdicts) -> Option<String> {
    for (index, object) in world.objs.iter().enumerate() {
        let Some(object) = object else { continue };
        let verdict = verdicts.get(&Seat::Key(index)).copied().flatten();
        if let Some(why) = good_object(world, index, object, verdict) {
            return Some(format!("object {index}: {why}"));
        }
    }
    for order in &world.orders {
        let verdict = verdicts.get(&Seat::Order(order.uid)).copied().flatten();
        match order.person {
            None => {
                let blocked = verdict == Some(Outcome::Rest(Reason::Blocked));
                if !(blocked && world.keys.iter().any(out_of_reach)) {
                    return Some(format!("order {} is not done: {verdict:?}", order.uid));
                }
            }
            Some(id) if world.key(id).is_some() => {
                return Some(format!("a person's order of {id} is not done: {verdict:?}"));
            }
            Some(_) => {}
        }
    }
    for key in world.keys.iter().filter(|key| !out_of_reach(key)) {
        let noted = world.objs.iter().flatten().any(|object| object.journal.ids().contains(&key.id));
        if !noted && !world.orders.iter().any(|order| order.ids.contains(&key.id)) {
            return Some(format!("key {} is left over", key.id));
        }
    }
    if world.user.as_ref().is_some_and(|user| user.deleting.is_none()) && world.ram_user.is_none() {
        return Some("the user is not made".to_owned());
    }
    None
}

fn good_object(world: &World, index: usize, object: &Obj, verdict: Option<Outcome>) -> Option<String> {
    if object.deleting.is_some() {
        return Some(format!("still there: {verdict:?}"));
    }
    let user = world.user.as_ref()?;
    if user.deleting.is_some() {
        return Some("its user is still there".to_owned());
    }
    let journal = &object.journal;
    let secret = world.secrets[index].as_ref();
    let in_the_way = world.keys.iter().filter(|key| out_of_reach(key) || key.by != By::Object(object.uid)).count();
    match verdict {
        Some(Outcome::Rest(Reason::NoFreeSlot)) if in_the_way >= SLOTS => return None,
        Some(Outcome::Rest(Reason::NoSlotForRotation)) if world.objs.iter().flatten().count() > 1 => return None,
        Some(Outcome::Rest(Reason::SecretConflict)) if secret.is_some_and(|secret| !secret.marked) => return None,
        Some(Outcome::Rest(Reason::DisabledOutside)) => {
            let key = journal.key.and_then(|id| world.key(id));
            let outside = key.is_some_and(|key| matches!(key.disabled_by, Some(Who::Person | Who::Late)));
            return (!outside).then(|| "DisabledOutside, by us".to_owned());
        }
        Some(Outcome::Rest(Reason::Available)) => {}
        _ => return Some(format!("{verdict:?}")),
    }
    if !journal.intents.is_empty() {
        return Some("open intents".to_owned());
    }
    if !journal.retiring.is_empty() {
        return Some(format!("retiring {:?}", journal.retiring));
    }
    let published = journal.key.and_then(|id| world.key(id)).filter(|key| key.active && journal.proved);
    let in_secret = secret.filter(|secret| secret.intact && Some(secret.id) == journal.key);
    (published.is_none() || in_secret.is_none()).then(|| "not published".to_owned())
}
