//! What must hold: at every write that a pass decides on, in every state, and once everything has come to rest.

use ram_operator::plan::Reason;

use super::pass::{Act, ThingPass};
use super::world::{AnyPass, DENY, Kind, MORE, Mark, Obj, Thing, VERSIONS, World};
use crate::names::READ_LAG;
use crate::process::Outcome;

type Check = Result<(), String>;

/// A write to RAM that a pass over the object is about to do. What was decided long before is excused: RAM has no fence for it.
pub fn at_write(pass: &ThingPass, world: &World, act: Act) -> Check {
    if pass.was_frozen {
        return Ok(());
    }
    if let Some(thing) = world.ram.as_ref().filter(|_| act != Act::Create) {
        on_foreign(pass, thing, act)?;
    }
    let grants = matches!(act, Act::Create | Act::Version(_) | Act::Attach(_));
    if grants && pass.grant != Some(true) {
        return Err(format!("{act:?} without the tenant's grant"));
    }
    if grants && (!pass.obj().finalizer || pass.deleting()) {
        return Err(format!("{act:?} without a finalizer, or while it is being deleted"));
    }
    let takes = matches!(act, Act::Version(_) | Act::Detach(_) | Act::Free | Act::Delete);
    if takes && pass.adopting().holds() {
        return Err(format!("{act:?} before the adoption is accepted"));
    }
    let stays = !pass.deleting() || pass.retains();
    if stays && matches!(act, Act::Free | Act::Delete) {
        return Err(format!("{act:?} of what is to stay"));
    }
    match act {
        Act::Version(document) => at_version(pass, world, document),
        Act::Attach(policy) if policy != pass.obj().want.what => Err(format!("{act:?} is not asked for")),
        Act::Detach(policy) if stays && (policy == pass.obj().want.what || policy == DENY) => {
            Err(format!("{act:?} of what is to stay"))
        }
        _ => Ok(()),
    }
}

/// A thing is ours by its id, or by its marker; one without a marker is taken over where that is asked for.
fn on_foreign(pass: &ThingPass, thing: &Thing, act: Act) -> Check {
    let known = pass.memory.known == Some(thing.id);
    let marked = match thing.mark {
        Mark::None => false,
        Mark::Ours(uid) => uid == pass.obj().uid || pass.memory.known.is_none(),
    };
    let taken_over = act == Act::Mark(true) && pass.obj().want.adopt && pass.memory.adopted && thing.mark == Mark::None;
    // RAM's writes go by name: what a person made in its place shows in no list from a moment ago.
    let unseen = pass.stale && pass.thing.as_ref().is_some_and(|shown| shown.id != thing.id);
    if known || marked || taken_over || unseen { Ok(()) } else { Err(format!("{act:?} touches what is foreign")) }
}

/// Each version is one of five.
fn at_version(pass: &ThingPass, world: &World, document: u8) -> Check {
    if document != pass.obj().want.what {
        return Err(format!("document {document} is not asked for"));
    }
    let there = world.ram.as_ref().and_then(Thing::document) == Some(document);
    let written = pass.obj().status.written;
    let lately = written.is_some_and(|(last, time)| last == document && world.clock.now - time <= READ_LAG);
    if there && (!pass.stale || lately) {
        return Err("a version is made of the document that is in force".to_owned());
    }
    Ok(())
}

/// A write to RAM that a pass over what was left is about to do.
pub fn at_left_write(world: &World, uid: u8, act: Act) -> Check {
    if world.live().is_some_and(|object| object.uid != uid) {
        return Err(format!("an order: {act:?} of what an object has taken back"));
    }
    match world.ram.as_ref().map(|thing| thing.mark) {
        Some(Mark::Ours(marked)) if marked == uid => Ok(()),
        None => Ok(()),
        mark => Err(format!("an order: {act:?} touches a thing with {mark:?}")),
    }
}

/// What must hold in every state.
pub fn check(world: &World) -> Check {
    let Some(thing) = &world.ram else { return Ok(()) };
    if world.kind == Kind::Policy && (thing.versions.len() > VERSIONS || thing.document().is_none()) {
        return Err("too many versions, or none in force".to_owned());
    }
    Ok(())
}

/// Nothing when the world is at rest as it should be, else what is not.
pub fn good(world: &World, last: &[AnyPass]) -> Option<String> {
    let others = world.ram.as_ref().is_some_and(|thing| thing.with_others);
    let mut blocked = false;
    for pass in last {
        if let AnyPass::Left(left) = pass {
            blocked |= left.outcome == Some(Outcome::Rest(Reason::Blocked));
            if !(others && blocked) {
                return Some(format!("order {} is not done: {:?}", left.uid, left.outcome));
            }
        }
    }
    let Some(object) = &world.obj else {
        let ours = world.ram.as_ref().is_some_and(|thing| thing.mark != Mark::None && !thing.late);
        return (ours && !blocked && !world.kept).then(|| "something is left over".to_owned());
    };
    let outcome = last.iter().find_map(|pass| match pass {
        AnyPass::Thing(pass) => pass.outcome,
        AnyPass::Left(_) => None,
    });
    match outcome {
        _ if object.deleting.is_some() => Some(format!("still there: {outcome:?}")),
        Some(Outcome::Rest(reason)) => good_object(world, object, reason),
        _ => Some(format!("{outcome:?}")),
    }
}

fn holds(object: &Obj) -> bool {
    object.status.adopted && !object.status.accepted
}

fn good_object(world: &World, object: &Obj, reason: Reason) -> Option<String> {
    let Some(thing) = &world.ram else { return Some(format!("there is none: {reason:?}")) };
    let unmarked = thing.mark == Mark::None;
    let excused = match reason {
        Reason::Available => return as_asked(world.kind, object, thing),
        Reason::Foreign => unmarked && object.status.known.is_none(),
        Reason::Replaced => unmarked && object.status.known != Some(thing.id),
        Reason::AdoptionPending => holds(object),
        // A person gave more to what was adopted than the tenant may have.
        Reason::AdoptionExceedsTenant => object.want.adopt && thing.policies.contains(&MORE),
        _ => false,
    };
    (!excused).then(|| format!("{reason:?}"))
}

/// The end is what the spec asks for.
fn as_asked(kind: Kind, object: &Obj, thing: &Thing) -> Option<String> {
    if thing.mark != Mark::Ours(object.uid) || object.status.known != Some(thing.id) {
        return Some(format!("it has {:?}", thing.mark));
    }
    let what = object.want.what;
    let wrong = match kind {
        Kind::Policy => thing.document() != Some(what),
        Kind::Group => {
            let extra = thing.policies.iter().any(|policy| *policy != what && *policy != DENY);
            !thing.policies.contains(&what) || (extra && !holds(object))
        }
    };
    wrong.then(|| format!("it has {:?} and {:?}", thing.document(), thing.policies))
}
