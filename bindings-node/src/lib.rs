//! The native part of the npm package `lambdabox`. What applications see is lib/, in TypeScript;
//! this side turns plain objects into the core's requests, and its answers into plain objects.
//!
//! A function that awaits runs on a tokio runtime of this library's own, so the event loop is
//! never blocked. The library is loaded by the first `Platform.open`, so that importing the
//! package starts no thread.

// What Node calls is generated, and Node's own interface is unsafe.
#![allow(unsafe_code, missing_docs)]
// To a test harness nothing is exported, and nothing calls it.
#![cfg_attr(test, allow(dead_code))]
#![allow(clippy::needless_pass_by_value)] // Node's values are moved in.

mod error;
mod function;
mod history;
mod invocation;
mod logs;
mod options;
mod platform;
mod state;
mod token;
