//! What tests, playground and benchmarks share.

pub mod cluster;
pub mod operator;
pub mod ram;
