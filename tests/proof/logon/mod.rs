//! Log-on to the console and MFA devices: one RamUser without keys.
//!
//! RAM has the user, its log-on, its device and the virtual device of our name; the cluster the object, two Secrets and what a deletion left. A password
//! is a number, and so is a seed.

mod adversary;
mod facts;
mod invariants;
mod pass;
mod revocation;
mod start;
mod world;

use start::NOTHING;
use world::{Login, Mfa, Want};

use crate::check;
use crate::process::Mode;
use crate::search::Cfg;

const MODES: &[Mode] = &[Mode::Lost, Mode::Reply];

const LOGIN: Want = Want { login: Login::Enabled, ..NOTHING };
const DEVICE: Want = Want { mfa: Mfa::Operator, ..NOTHING };
const BOTH: Want = Want { login: Login::Enabled, mfa: Mfa::Operator, ..NOTHING };

fn cfg(name: &'static str, moves: &'static [&'static str]) -> Cfg {
    Cfg { name, moves, modes: MODES, budget: 2, times: 3, fair: 25, ..Cfg::default() }
}

#[test]
fn a_first_password() {
    let moves = &["crash", "freeze", "secret_deleted", "status_lost", "reset", "unmark", "grant", "delete"];
    check(Cfg { stale: true, ..cfg("log-on: a first password", moves) }, start::fresh(LOGIN));
}

#[test]
fn a_log_on_that_changes() {
    let moves = &[
        "crash",
        "freeze",
        "login_off",
        "login_on",
        "login_made",
        "login_gone",
        "own_password",
        "reset",
        "spec_login",
        "suspend",
        "secret_deleted",
        "status_lost",
        "grant",
    ];
    check(Cfg { budget: 1, fair: 100, ..cfg("log-on: a log-on that changes", moves) }, start::settled(LOGIN));
}

#[test]
fn a_log_on_that_is_taken_away() {
    let moves = &["crash", "spec_login", "login_off", "reset"];
    for login in [Login::Absent, Login::Disabled] {
        let world = start::edited(start::settled(LOGIN), |want| want.login = login);
        check(Cfg { stale: true, ..cfg("log-on: a log-on that is taken away", moves) }, world);
    }
}

#[test]
fn a_chosen_password() {
    let moves = &["crash", "freeze", "chosen", "secret_deleted", "own_password", "login_off", "reset", "spec_login"];
    let want = Want { secret_ref: true, ..LOGIN };
    check(Cfg { budget: 1, fair: 100, ..cfg("log-on: a chosen password", moves) }, start::settled(want));
}

#[test]
fn a_first_device() {
    let moves = &["crash", "freeze", "secret_deleted", "status_lost", "device_gone", "bind_other", "grant", "delete"];
    check(Cfg { stale: true, ..cfg("MFA: a first device", moves) }, start::made(DEVICE));
}

#[test]
fn a_device_that_changes() {
    let moves = &[
        "crash",
        "freeze",
        "reset_mfa",
        "unbind",
        "bind_other",
        "device_gone",
        "secret_deleted",
        "seed_changed",
        "spec_mfa",
        "suspend",
        "status_lost",
    ];
    check(Cfg { budget: 1, fair: 100, ..cfg("MFA: a device that changes", moves) }, start::settled(DEVICE));
}

#[test]
fn a_device_that_is_reset() {
    let moves = &["crash", "freeze", "unbind", "bind_other", "device_gone", "secret_deleted"];
    let mut world = start::settled(DEVICE);
    if let Some(object) = &mut world.obj {
        object.reset_mfa = Some(1);
    }
    check(cfg("MFA: a device that is reset", moves), world);
}

#[test]
fn a_device_for_the_person_to_bind() {
    let moves = &["crash", "freeze", "bind_ours", "bind_other", "unbind", "reset_mfa", "secret_deleted", "delete"];
    let want = Want { mfa: Mfa::User, ..NOTHING };
    check(Cfg { budget: 1, fair: 100, ..cfg("MFA: a device for the person to bind", moves) }, start::made(want));
}

#[test]
fn a_device_that_is_taken_away() {
    let moves = &["crash", "spec_mfa", "bind_other", "bind_ours"];
    for mfa in [Mfa::Operator, Mfa::User] {
        let settled = start::settled(Want { mfa, ..NOTHING });
        let world = start::edited(settled, |want| want.mfa = Mfa::Absent);
        check(Cfg { stale: true, ..cfg("MFA: a device that is taken away", moves) }, world);
    }
}

#[test]
fn a_person_that_goes() {
    let moves =
        &["crash", "freeze", "delete", "ns", "account", "reapply", "unmark", "user_gone", "unbind", "retain", "grant"];
    check(Cfg { times: 4, ..cfg("log-on and MFA: a person that goes", moves) }, start::settled(BOTH));
}

#[test]
fn a_user_that_is_adopted() {
    let moves = &["crash", "freeze", "accept", "unmark", "status_lost", "delete", "account", "spec_login", "spec_mfa"];
    let want = Want { login: Login::Absent, mfa: Mfa::Absent, ..NOTHING };
    check(cfg("log-on and MFA: a user that is adopted", moves), start::unowned(want));
}
