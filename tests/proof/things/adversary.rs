//! What people, the cluster and time may do between passes.

use std::collections::BTreeSet;

use super::world::{DENY, Kind, MORE, Mark, ONE, Obj, Status, TWO, Thing, World};
use crate::names::{PATIENCE, READ_LAG};
use crate::search::{Cfg, Edits, Moves};

impl Edits<'_, World> {
    fn on_thing(&mut self, name: &str, label: &str, can: bool, change: impl FnOnce(&mut Thing)) {
        self.add(name, label, can, |world| {
            world.changes();
            if let Some(thing) = &mut world.ram {
                change(thing);
            }
        });
    }

    fn on_obj(&mut self, name: &str, label: &str, can: bool, change: impl FnOnce(&mut Obj)) {
        self.add(name, label, can, |world| {
            if let Some(object) = &mut world.obj {
                change(object);
            }
            world.touch();
        });
    }
}

/// Everything that somebody outside may do now, each at the price of one move.
pub fn edits(world: &World, cfg: &Cfg) -> Moves<World> {
    let mut edits = Edits::new(world, cfg);
    if let Some(thing) = &world.ram {
        match world.kind {
            Kind::Policy => version_edits(&mut edits, thing),
            Kind::Group => policy_edits(&mut edits, thing),
        }
        thing_edits(&mut edits, thing);
    }
    match world.obj {
        Some(object) => object_edits(&mut edits, &object),
        None => reapply(&mut edits),
    }
    edits.add("account", "the account changes", true, |world| world.account = !world.account);
    edits.add("grant", "the tenant changes", true, |world| world.grant = !world.grant);
    edits.moves
}

fn version_edits(edits: &mut Edits<'_, World>, thing: &Thing) {
    edits.on_thing("version", "a person adds a version", true, |thing| thing.add_version(MORE, false));
    edits.on_thing("version", "a person puts another document in force", true, |thing| thing.add_version(MORE, true));
    edits.on_thing("default", "a person puts the oldest version in force", thing.default != 0, |thing| {
        thing.default = 0;
    });
    let other = thing.versions.len() > 1;
    edits.on_thing("pruned", "a person deletes a version that is not in force", other, |thing| {
        let first = usize::from(thing.default == 0);
        thing.versions.remove(first);
        thing.default -= usize::from(first < thing.default);
    });
}

fn policy_edits(edits: &mut Edits<'_, World>, thing: &Thing) {
    for policy in [TWO, MORE, DENY] {
        let can = !thing.policies.contains(&policy);
        edits.on_thing("attached", &format!("a person attaches policy {policy}"), can, |thing| {
            thing.policies.push(policy);
        });
    }
    edits.on_thing("detached", "a person detaches all policies", !thing.policies.is_empty(), |thing| {
        thing.policies.clear();
    });
}

fn thing_edits(edits: &mut Edits<'_, World>, thing: &Thing) {
    edits.on_thing("unmark", "a person removes the marker", thing.mark != Mark::None, |thing| thing.mark = Mark::None);
    edits.on_thing("ours", "a user of ours has it", !thing.with_ours, |thing| thing.with_ours = true);
    edits.on_thing("others", "somebody else has it", !thing.with_others, |thing| thing.with_others = true);
    edits.on_thing("others_go", "nobody else has it any more", thing.with_others, |thing| thing.with_others = false);
    edits.add("gone", "a person deletes it", true, |world| {
        world.changes();
        world.ram = None;
        // Policies are told apart by the second in which they were made.
        world.clock.now += 1;
    });
    edits.add("replaced", "a person deletes it and makes another one", true, |world| {
        world.changes();
        world.clock.now += 1;
        let mut other = Thing::new(world.number(), Mark::None, world.clock.now);
        if world.kind == Kind::Policy {
            other.versions.push(MORE);
        }
        world.ram = Some(other);
    });
}

fn object_edits(edits: &mut Edits<'_, World>, object: &Obj) {
    let status = object.status;
    edits.on_obj("status_lost", "the status is lost", status != Status::default(), |object| {
        object.status = Status::default();
    });
    if object.deleting.is_some() {
        return;
    }
    let want = object.want;
    let other = if want.what == ONE { TWO } else { ONE };
    edits.on_obj("spec", &format!("the spec asks for {other}"), true, |object| object.want.what = other);
    edits.on_obj("retain", "it is to stay", !want.retain, |object| object.want.retain = true);
    edits.on_obj("accept", "annotated: accept-adoption", !object.accept, |object| object.accept = true);
    edits.add("delete", "the object is deleted", true, delete);
    edits.add("ns", "the namespace is deleted", !edits.world.ns_term, |world| {
        world.ns_term = true;
        delete(world);
    });
}

fn delete(world: &mut World) {
    let Some(object) = &mut world.obj else { return };
    if object.finalizer {
        object.deleting = Some(world.clock.now);
        world.touch();
    } else {
        world.remove_obj();
    }
}

/// The same once more.
fn reapply(edits: &mut Edits<'_, World>) {
    edits.add("reapply", "the object is applied again", !edits.world.ns_term, |world| {
        let uid = world.number();
        world.obj = Some(Obj::new(uid, world.applied));
    });
}

/// The moments ahead at which something may become due, the next one first.
pub fn moments(world: &World) -> Vec<i64> {
    let mut times = BTreeSet::new();
    let mut lagging: Vec<i64> = world.left.iter().map(|left| left.created).collect();
    if let Some(object) = &world.obj {
        let status = object.status;
        times.extend(object.deleting.map(|deleting| deleting + PATIENCE));
        lagging.extend(status.made);
        lagging.extend(status.written.map(|(_, time)| time));
        lagging.extend(object.deleting);
    }
    times.extend(lagging.into_iter().map(|time| time + READ_LAG + 1));
    times.into_iter().filter(|time| *time > world.clock.now).collect()
}
