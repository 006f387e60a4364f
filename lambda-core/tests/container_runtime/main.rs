//! The Docker and gVisor runtimes against a real Docker: what only containers promise.
//!
//! Where a back end is missing its tests say so and pass; they fail instead if the
//! environment variable `LAMBDA_TEST_REQUIRE` names it (`docker,gvisor`).
#![cfg(feature = "docker")]

mod support;

mod basics;
mod timing;
