//! All integration tests: one binary, a module for each family of scenarios.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    // Tests are read by people; pedantry about them costs more than it finds.
    clippy::pedantic
)]

#[path = "../support/mod.rs"]
mod support;

mod account_settings;
mod accounts;
mod admission;
mod adoption;
mod binary;
mod chart;
mod console_login;
mod crash;
mod emulator;
mod emulator_logon;
mod emulator_mfa;
mod emulator_policies;
mod emulator_settings;
mod ends;
mod escape;
mod examples;
mod faults;
mod freeze;
mod gaps;
mod generated;
mod groups;
mod import;
mod imports;
mod interference;
mod key_adoption;
mod keys;
mod kill;
mod leader;
mod least;
mod oracle;
mod own_cluster;
mod rest;
mod revocation;
mod rotation;
mod scale;
mod scenarios;
mod settings;
mod troubles;
mod users;
mod virtual_mfa;
mod walks;
mod world;
