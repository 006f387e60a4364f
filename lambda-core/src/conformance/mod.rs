//! The suites that every implementation of a trait of this crate must pass, ours and
//! other people's.

mod report;
pub mod store;

pub use report::{Failure, Report};
