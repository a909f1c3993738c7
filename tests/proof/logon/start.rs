//! Worlds to begin with.

use super::pass::UserPass;
use super::world::{AnyPass, Bound, Login, Mark, Mfa, OWN, Obj, Profile, Sec, User, Want, World};
use crate::names::HOUR;
use crate::search::{Cfg, run};

pub const NOTHING: Want = Want {
    login: Login::NotManaged,
    secret_ref: false,
    mfa: Mfa::NotManaged,
    suspended: false,
    adopt: false,
    retain: false,
};

fn pass(world: &mut World) {
    run(world, &Cfg::default(), AnyPass::User(Box::new(UserPass::new(false)))).expect("a pass");
}

/// A RamUser that was just applied.
pub fn fresh(want: Want) -> World {
    let mut world = World::new(Some(Obj::new(10, want)));
    world.applied = Some(want);
    if want.secret_ref {
        world.password = Some(Sec { marked: false, text: Some(11) });
    }
    world
}

/// A RamUser whose user has been there for a while, without log-on and MFA device.
pub fn made(want: Want) -> World {
    let mut world = fresh(NOTHING);
    pass(&mut world);
    world.clock.now += HOUR;
    pass(&mut world);
    world.before = None;
    world.applied = Some(want);
    if let Some(object) = &mut world.obj {
        object.want = want;
    }
    if want.secret_ref {
        world.password = Some(Sec { marked: false, text: Some(11) });
    }
    world
}

/// A RamUser as it is an hour after it was applied.
pub fn settled(want: Want) -> World {
    let mut world = fresh(want);
    pass(&mut world);
    world.clock.now += HOUR;
    pass(&mut world);
    world.before = None;
    world
}

/// A RamUser for a user that somebody made by hand, with log-on and a device.
pub fn unowned(want: Want) -> World {
    let mut world = fresh(Want { adopt: true, retain: true, ..want });
    let login = Some(Profile { password: OWN, on: true, off_by: None });
    world.ram.user = Some(User { id: 5, mark: Mark::None, made: -HOUR, login, mfa: Some(Bound::Other), late: false });
    world
}

/// The same with another spec.
pub fn edited(mut world: World, change: impl FnOnce(&mut Want)) -> World {
    if let Some(object) = &mut world.obj {
        change(&mut object.want);
    }
    world
}
