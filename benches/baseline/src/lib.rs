//! The bare prototype that the platform's speed is compared with.
//!
//! One Unix-socket round trip per call into a container: HTTP framing and JSON both ways,
//! and nothing else. No authentication, no records, no logs, no deadlines, no recovery. What
//! the platform adds to this is what the platform costs.
//!
//! It shares no code with the platform, so that a change there cannot move the baseline.

mod container;
mod pool;
mod worker;

pub use container::docker_run;
pub use pool::Pool;
pub use worker::Worker;
