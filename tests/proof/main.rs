//! The plan against everything that may happen, exhaustively within a number of moves: processes that die or freeze anywhere,
//! replies that are lost, people who interfere, and time. The decisions are the real ones of `ram_operator::plan`; RAM, cluster
//! and controllers are written down here in small.
//!
//! `PROOF=long` gives the adversary one move more.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    // Tests are read by people; pedantry about them costs more than it finds.
    clippy::pedantic
)]

#[path = "../support/ram/mod.rs"]
mod emulator;

mod adversary;
mod against_emulator;
mod invariants;
mod key_model;
mod key_process;
mod logon;
mod names;
mod order_process;
mod process;
mod search;
mod start;
mod things;
mod user_process;
mod world;

use names::DAY;
use search::{Cfg, Model, search};

fn check<M: Model>(mut cfg: Cfg, start: M) {
    let proof = std::env::var("PROOF").unwrap_or_default();
    if matches!(proof.as_str(), "long" | "deep-mutant") {
        cfg.budget += 1;
        cfg.fair = 100;
    }
    if let Err(path) = search(&cfg, start) {
        // A mutant that is caught once need not be caught again.
        if matches!(proof.as_str(), "mutant" | "deep-mutant") {
            println!("{}:\n  {path}", cfg.name);
            std::process::exit(1);
        }
        panic!("{}:\n  {path}", cfg.name);
    }
}

/// Which are tried by `cargo run --example mutants`: each changes one place of the plan.
#[test]
fn every_mutant_is_of_the_plan_as_it_is() {
    let (mut file, mut count) = (String::new(), 0);
    for line in include_str!("mutants.txt").lines() {
        if let Some(name) = line.strip_prefix("file: ") {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan").join(name);
            file = std::fs::read_to_string(path).expect("a file of the plan");
        }
        if let Some(from) = line.strip_prefix("from: ") {
            assert_eq!(file.matches(from).count(), 1, "{from}");
            count += 1;
        }
    }
    assert!(count >= 40, "only {count} mutants were found");
}

#[test]
fn mint_and_strays() {
    let cfg = Cfg {
        name: "mint and strays",
        moves: &["crash", "freeze", "secret_deleted", "status_lost", "foreign", "grant", "use"],
        stale: true,
        budget: 2,
        ..Cfg::default()
    };
    check(cfg, start::fresh(1));
}

#[test]
fn rotation() {
    let cfg = Cfg {
        name: "rotation",
        moves: &[
            "crash",
            "freeze",
            "secret_deleted",
            "secret_damaged",
            "secret_older",
            "use",
            "disable",
            "delkey",
            "rotate",
            "inactive",
            "interval",
            "grant",
            "status_lost",
            "foreign",
        ],
        copy: true,
        times: 8,
        ..Cfg::default()
    };
    check(cfg, start::published(Some(2 * DAY)));
}

#[test]
fn revoke_and_restore() {
    let cfg = Cfg {
        name: "revoke and restore",
        moves: &[
            "crash",
            "freeze",
            "revoke",
            "restore",
            "person_order",
            "rotate",
            "secret_deleted",
            "use",
            "disable",
            "enable",
        ],
        budget: 2,
        ..Cfg::default()
    };
    check(cfg, start::rotated());
}

#[test]
fn deletion_and_orders() {
    let cfg = Cfg {
        name: "deletion and orders",
        moves: &[
            "crash",
            "freeze",
            "delete",
            "ns",
            "account",
            "policy",
            "reapply",
            "secret_deleted",
            "foreign",
            "use",
            "rotate",
            "inactive",
        ],
        stale: true,
        budget: 2,
        times: 5,
        ..Cfg::default()
    };
    check(cfg, start::rotated());
}

#[test]
fn two_siblings() {
    let cfg = Cfg {
        name: "two siblings",
        moves: &["crash", "freeze", "delete", "secret_deleted", "status_lost", "foreign", "use"],
        stale: true,
        ..Cfg::default()
    };
    check(cfg, start::fresh(2));
}

#[test]
fn user_with_a_key() {
    let cfg = Cfg {
        name: "user with a key",
        user_pass: true,
        moves: &[
            "crash",
            "freeze",
            "delete_user",
            "delete",
            "suspend",
            "foreign",
            "account",
            "reapply_user",
            "reapply",
        ],
        budget: 2,
        times: 4,
        fair: 25,
        ..Cfg::default()
    };
    check(cfg, start::unmade_user());
}

#[test]
fn both_slots_taken() {
    let cfg = Cfg {
        name: "both slots taken",
        moves: &["crash", "secret_deleted", "secret_damaged", "use", "disable", "rotate", "revoke", "delkey"],
        times: 4,
        ..Cfg::default()
    };
    check(cfg, start::crowded());
}
