//! What people, the cluster and time may do between passes.

use std::collections::BTreeSet;

use super::world::{
    Bound, Login, Mark, Mfa, OWN, Obj, Phase, Profile, RUBBISH, Sec, State, Status, User, Want, Who, World,
};
use crate::names::{PATIENCE, READ_LAG};
use crate::search::{Cfg, Edits, Moves};

impl Edits<'_, World> {
    fn on_user(&mut self, name: &str, label: &str, can: bool, change: impl FnOnce(&mut User)) {
        self.add(name, label, can, |world| {
            world.changes();
            if let Some(user) = &mut world.ram.user {
                change(user);
            }
        });
    }

    fn on_obj(&mut self, name: &str, label: &str, can: bool, change: impl FnOnce(&mut Obj)) {
        self.add(name, label, can, |world| {
            if let Some(object) = &mut world.obj {
                change(object);
            }
            world.touch_obj();
        });
    }
}

/// Everything that somebody outside may do now, each at the price of one move.
pub fn edits(world: &World, cfg: &Cfg) -> Moves<World> {
    let mut edits = Edits::new(world, cfg);
    if let Some(user) = world.ram.user {
        login_edits(&mut edits, user);
        device_edits(&mut edits, user);
    }
    let unbound = world.ram.device.is_some() && !world.is_bound();
    edits.add("device_gone", "a person deletes the device of our name", unbound, |world| {
        world.changes();
        world.ram.device = None;
        world.device_gone = Some(Who::Person);
        world.device_deleted = true;
    });
    secret_edits(&mut edits);
    match world.obj {
        Some(object) => object_edits(&mut edits, &object),
        None => reapply(&mut edits),
    }
    edits.add("account", "the account changes", true, |world| world.account = !world.account);
    edits.add("grant", "the tenant changes", true, |world| world.grant = !world.grant);
    edits.moves
}

fn login_edits(edits: &mut Edits<'_, World>, user: User) {
    let on = user.login.is_some_and(|profile| profile.on);
    edits.add("login_off", "a person disables log-on", on, |world| {
        world.changes();
        if let Some(profile) = world.ram.user.as_mut().and_then(|user| user.login.as_mut()) {
            (profile.on, profile.off_by) = (false, Some(Who::Person));
        }
        world.may_enable = !noted_login(world);
    });
    edits.on_user("login_on", "a person enables log-on", user.login.is_some() && !on, |user| {
        if let Some(profile) = &mut user.login {
            (profile.on, profile.off_by) = (true, None);
        }
    });
    edits.on_user("login_made", "a person makes a log-on", user.login.is_none(), |user| {
        user.login = Some(Profile { password: OWN, on: true, off_by: None });
    });
    edits.add("login_gone", "a person deletes log-on", user.login.is_some(), |world| {
        world.changes();
        if let Some(user) = &mut world.ram.user {
            user.login = None;
        }
        (world.login_gone, world.may_enable) = (Some(Who::Person), !noted_login(world));
    });
    let given = user.login.is_some_and(|profile| profile.password != OWN);
    edits.on_user("own_password", "the person chooses a password", given, |user| {
        if let Some(profile) = &mut user.login {
            profile.password = OWN;
        }
    });
    edits.on_user("unmark", "a person removes the marker", user.mark != Mark::None, |user| user.mark = Mark::None);
    edits.add("user_gone", "a person deletes the user, whatever it has", true, |world| {
        world.changes();
        world.ram.user = None;
        (world.may_enable, world.may_bind) = (true, true);
    });
}

/// Whether the status says that log-on was given: else nobody can tell who took it away.
fn noted_login(world: &World) -> bool {
    world.obj.and_then(|object| object.status.login).is_some_and(|note| note.state == State::Enabled)
}

fn device_edits(edits: &mut Edits<'_, World>, user: User) {
    edits.add("unbind", "a person unbinds the device", user.mfa.is_some(), |world| {
        world.changes();
        if let Some(user) = &mut world.ram.user {
            user.mfa = None;
        }
        let noted = world.obj.and_then(|object| object.status.mfa).is_some_and(|note| note.phase == Phase::Bound);
        (world.mfa_gone, world.may_bind) = (Some(Who::Person), !noted);
    });
    edits.on_user("bind_other", "the person binds another device", user.mfa.is_none(), |user| {
        user.mfa = Some(Bound::Other);
    });
    // With the seed that was handed over.
    let published = edits.world.ram.device.is_some_and(|device| device.published);
    edits.on_user("bind_ours", "the person binds our device", user.mfa.is_none() && published, |user| {
        user.mfa = Some(Bound::Ours);
    });
}

fn secret_edits(edits: &mut Edits<'_, World>) {
    let (password, seed) = (edits.world.password, edits.world.seed);
    edits.add("secret_deleted", "the Secret of the password is deleted", password.is_some(), |world| {
        world.password = None;
        world.touch_password();
    });
    edits.add("secret_deleted", "the Secret of the seed is deleted", seed.is_some(), |world| {
        world.seed = None;
        world.touch_seed();
    });
    edits.add("seed_changed", "a person changes the seed", seed.is_some_and(|s| s.text.is_some()), |world| {
        world.seed = world.seed.map(|secret| Sec { text: Some(RUBBISH), ..secret });
        world.seed_changed = true;
        world.touch_seed();
    });
    let chosen = password.is_some_and(|secret| !secret.marked && secret.text.is_some());
    edits.add("chosen", "another password is written to its Secret", chosen, |world| {
        let text = world.number();
        world.password = Some(Sec { marked: false, text: Some(text) });
        world.touch_password();
    });
}

fn object_edits(edits: &mut Edits<'_, World>, object: &Obj) {
    edits.add("status_lost", "the status is lost", object.status != Status::default(), |world| {
        if let Some(object) = &mut world.obj {
            object.status = Status::default();
        }
        // Who took what away, and which password RAM has, is not known any more.
        (world.may_enable, world.may_bind, world.muddled) = (true, true, true);
        world.touch_obj();
    });
    if object.deleting.is_some() {
        return;
    }
    let want = object.want;
    for login in [Login::Enabled, Login::Disabled, Login::Absent] {
        let can = want.login != Login::NotManaged && login != want.login;
        edits.add("spec_login", &format!("log-on is to be {login:?}"), can, |world| {
            world.may_enable = true;
            spec(world, |want| want.login = login);
        });
    }
    for mfa in [Mfa::Operator, Mfa::User, Mfa::Absent] {
        let can = want.mfa != Mfa::NotManaged && mfa != want.mfa;
        edits.add("spec_mfa", &format!("the MFA device is to be {mfa:?}"), can, |world| {
            world.may_bind = true;
            spec(world, |want| want.mfa = mfa);
        });
    }
    edits.add("suspend", "the user is suspended, or not any more", true, |world| {
        spec(world, |want| want.suspended = !want.suspended);
    });
    edits.on_obj("retain", "the user is to stay", !want.retain, |object| object.want.retain = true);
    let next = |value: Option<u8>| Some(value.unwrap_or(0) + 1);
    edits.add("reset", "annotated: reset-password", object.reset.unwrap_or(0) < 2, |world| {
        if let Some(object) = &mut world.obj {
            object.reset = next(object.reset);
        }
        world.may_enable = true;
        world.touch_obj();
    });
    edits.add("reset_mfa", "annotated: reset-mfa", object.reset_mfa.unwrap_or(0) < 2, |world| {
        if let Some(object) = &mut world.obj {
            object.reset_mfa = next(object.reset_mfa);
        }
        world.may_bind = true;
        world.touch_obj();
    });
    edits.on_obj("accept", "annotated: accept-adoption", !object.accept, |object| object.accept = true);
    edits.add("delete", "the RamUser is deleted", true, delete);
    edits.add("ns", "the namespace is deleted", !edits.world.ns_term, |world| {
        world.ns_term = true;
        delete(world);
        (world.password, world.seed) = (None, None);
        world.touch_password();
        world.touch_seed();
    });
}

fn spec(world: &mut World, change: impl FnOnce(&mut Want)) {
    if let Some(object) = &mut world.obj {
        change(&mut object.want);
    }
    world.touch_obj();
}

fn delete(world: &mut World) {
    let Some(object) = &mut world.obj else { return };
    if object.finalizer {
        object.deleting = Some(world.clock.now);
        world.touch_obj();
    } else {
        world.remove_obj();
    }
}

/// The same once more.
fn reapply(edits: &mut Edits<'_, World>) {
    let can = !edits.world.ns_term && edits.world.applied.is_some();
    edits.add("reapply", "the RamUser is applied again", can, |world| {
        let uid = world.number();
        world.obj = world.applied.map(|want| Obj::new(uid, want));
        (world.may_enable, world.may_bind) = (true, true);
    });
}

/// The moments ahead at which something may become due, the next one first.
pub fn moments(world: &World) -> Vec<i64> {
    let mut times = BTreeSet::new();
    if let Some(object) = &world.obj {
        let status = object.status;
        times.extend(object.deleting.map(|deleting| deleting + PATIENCE));
        let login = status.login.and_then(|note| note.time);
        let mfa = status.mfa.and_then(|note| note.since);
        let lagging = [status.made, login, mfa, object.deleting];
        times.extend(lagging.into_iter().flatten().map(|time| time + READ_LAG + 1));
    }
    times.into_iter().filter(|time| *time > world.clock.now).collect()
}
