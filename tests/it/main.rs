//! All integration tests: one binary, a module for each family of scenarios.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod admission;
mod binary;
mod chart;
mod crash;
mod emulator;
mod faults;
mod freeze;
mod generated;
mod imports;
mod keys;
mod oracle;
mod scale;
mod scenarios;
mod troubles;
mod users;
mod world;
