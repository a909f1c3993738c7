//! Worlds to begin with.

use super::pass::ThingPass;
use super::world::{AnyPass, Kind, MORE, Mark, ONE, TWO, Thing, VERSIONS, Want, World};
use crate::names::HOUR;
use crate::search::{Cfg, run};

pub const WANT: Want = Want { what: ONE, adopt: false, retain: false };

fn pass(world: &mut World) {
    let pass = AnyPass::Thing(Box::new(ThingPass::new(world.kind, false)));
    run(world, &Cfg::default(), pass).expect("a pass");
}

/// An object that was just applied.
pub fn fresh(kind: Kind, want: Want) -> World {
    World::new(kind, want)
}

/// An object as it is an hour after it was applied.
pub fn settled(kind: Kind) -> World {
    let mut world = fresh(kind, WANT);
    pass(&mut world);
    world.clock.now += HOUR;
    pass(&mut world);
    world.before = None;
    world
}

/// A policy with as many versions as may be, of which the last is in force.
pub fn full() -> World {
    let mut world = settled(Kind::Policy);
    if let Some(thing) = &mut world.ram {
        thing.versions = vec![MORE; VERSIONS - 1];
        thing.versions.push(ONE);
        thing.default = VERSIONS - 1;
    }
    world
}

fn by_hand(kind: Kind, want: Want) -> World {
    let mut world = fresh(kind, want);
    let mut thing = Thing::new(5, Mark::None, -HOUR);
    match kind {
        Kind::Policy => thing.versions.push(TWO),
        Kind::Group => thing.policies.push(TWO),
    }
    (thing.with_ours, thing.with_others) = (true, true);
    world.ram = Some(thing);
    world
}

/// An object that is to take over what a person made.
pub fn unowned(kind: Kind) -> World {
    by_hand(kind, Want { adopt: true, retain: true, ..WANT })
}

/// An object whose name a person's thing has.
pub fn foreign(kind: Kind) -> World {
    by_hand(kind, WANT)
}
