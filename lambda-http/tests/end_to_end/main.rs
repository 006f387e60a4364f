//! The binary `lambda` over real sandboxes: what a user does, from the outside.
//!
//! Without Docker or gVisor these tests say so and pass; where `LAMBDA_TEST_REQUIRE` names
//! one that is missing, they fail.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod browser;
mod fields;
mod models;
mod original_log;
mod recovery;
mod recursion;
mod resets;
mod server;
mod without_server;
