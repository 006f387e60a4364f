//! The suites that every implementation of a contract must pass, ours and yours.

pub mod cases;
pub mod executor;
pub mod runtime;
pub mod store;
mod suite;

pub use suite::{Failure, Failures};
