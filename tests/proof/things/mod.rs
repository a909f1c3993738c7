//! RamPolicy and RamGroup: each a model of its own; what both have, their life and whose they are, is written once.
//!
//! RAM has one policy with its versions, or one group with its policies; somebody has the policy, or is in the group; the cluster has the object and
//! what a deletion left. Documents and policies are numbers.

mod adversary;
mod group;
mod invariants;
mod left;
mod pass;
mod policy;
mod start;
mod world;

use std::cell::OnceCell;

use ram_operator::api::{Adoption, UserDeletionPolicy};
use ram_operator::plan::adoption::may_be;
use ram_operator::plan::tenant::{Grants, Thing};
use serde_json::json;

use pass::ThingPass;
use start::WANT;
use world::{Kind, Want};

use crate::check;
use crate::process::Mode;
use crate::search::Cfg;

const MODES: &[Mode] = &[Mode::Lost, Mode::Reply];

thread_local! {
    static GRANTS: OnceCell<Grants> = const { OnceCell::new() };
}

/// What the tenant grants.
fn grants() -> Grants {
    let made = || {
        let spec = json!({
            "namespaceSelector": {},
            "retain": "Allow",
            "names": { "policies": ["team-a*"], "groups": ["team-a*"] },
            "adopt": { "policies": ["team-a*"], "groups": ["team-a*"] },
            "attach": { "custom": ["policy-1", "policy-2"] },
            "documents": { "actions": ["ots:*"], "resources": ["*"] },
        });
        Grants::of(&serde_json::from_value(spec).expect("a spec"), true)
    };
    GRANTS.with(|grants| grants.get_or_init(made).clone())
}

fn deletion_policy(want: Want) -> UserDeletionPolicy {
    if want.retain { UserDeletionPolicy::Retain } else { UserDeletionPolicy::Delete }
}

/// Whether what has our marker may have been adopted.
fn may_be_adopted(pass: &ThingPass) -> bool {
    let (thing, name) = match pass.kind {
        Kind::Policy => (Thing::Policy, policy::RAM_NAME),
        Kind::Group => (Thing::Group, group::RAM_NAME),
    };
    let adopt = pass.obj().want.adopt;
    let asked = if adopt { Adoption::IfUnowned } else { Adoption::Never };
    may_be(pass.tenant().as_ref().ok(), thing, adopt.then_some(name), asked)
}

fn cfg(name: &'static str, moves: &'static [&'static str]) -> Cfg {
    Cfg { name, moves, modes: MODES, budget: 2, times: 3, fair: 25, ..Cfg::default() }
}

/// What may happen to a thing from its making to its end.
const COMING_AND_GOING: &[&str] = &[
    "crash",
    "freeze",
    "unmark",
    "ours",
    "others",
    "others_go",
    "gone",
    "replaced",
    "status_lost",
    "delete",
    "ns",
    "account",
    "reapply",
    "retain",
];

#[test]
fn a_policy_and_its_versions() {
    let moves = &["crash", "freeze", "spec", "version", "default", "pruned", "status_lost", "grant"];
    let cfg = Cfg { stale: true, ..cfg("policy: versions", moves) };
    check(Cfg { budget: 1, fair: 100, ..cfg.clone() }, start::full());
    check(cfg, start::fresh(Kind::Policy, WANT));
}

#[test]
fn a_policy_that_comes_and_goes() {
    check(Cfg { stale: true, ..cfg("policy: comes and goes", COMING_AND_GOING) }, start::settled(Kind::Policy));
}

#[test]
fn a_policy_that_is_adopted() {
    let moves = &["crash", "freeze", "accept", "spec", "unmark", "status_lost", "delete", "account", "grant"];
    check(cfg("policy: adopted", moves), start::unowned(Kind::Policy));
}

#[test]
fn a_policy_of_somebody_else() {
    let moves = &["crash", "freeze", "spec", "delete", "account", "status_lost"];
    check(cfg("policy: somebody else's", moves), start::foreign(Kind::Policy));
}

#[test]
fn a_group_and_its_policies() {
    let moves = &["crash", "freeze", "spec", "attached", "detached", "status_lost", "grant"];
    check(Cfg { stale: true, ..cfg("group: policies", moves) }, start::fresh(Kind::Group, WANT));
}

#[test]
fn a_group_that_comes_and_goes() {
    check(Cfg { stale: true, ..cfg("group: comes and goes", COMING_AND_GOING) }, start::settled(Kind::Group));
}

#[test]
fn a_group_that_is_adopted() {
    let moves = &["crash", "freeze", "accept", "attached", "unmark", "status_lost", "delete", "account", "grant"];
    check(cfg("group: adopted", moves), start::unowned(Kind::Group));
}

#[test]
fn a_group_of_somebody_else() {
    let moves = &["crash", "freeze", "spec", "delete", "account", "status_lost"];
    check(cfg("group: somebody else's", moves), start::foreign(Kind::Group));
}
