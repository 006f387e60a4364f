//! The Docker and gVisor runtimes against a real Docker: what only containers promise.
//!
//! Where a back end is missing its tests say so and pass; they fail instead if the
//! environment variable `LAMBDA_TEST_REQUIRE` names it (`docker,gvisor`).
#![cfg(feature = "docker")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

mod support;

mod basics;
mod check;
mod death;
mod idle;
mod isolation;
mod leftovers;
mod memory;
mod output;
mod timing;
