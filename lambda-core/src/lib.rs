//! Embeddable serverless functions: the traits and the engine.
//!
//! Most applications depend on `lambda-store`, which re-exports this crate and adds the
//! databases. The front door is [`Platform`].
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `docker` | yes | the Docker and gVisor runtimes |
//! | `conformance` | no | the suites that every `Runtime`, `Store` and `Executor` must pass, and a fake runtime |

mod archive;
#[cfg(feature = "conformance")]
pub mod conformance;
mod data_dir;
mod error;
mod event_loop;
pub mod executor;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod logs;
mod machine;
pub mod model;
pub mod output;
mod package;
mod platform;
pub mod pool;
pub mod protocol;
pub mod recorder;
pub mod runtime;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
pub mod store;

pub use error::{Error, ErrorKind, Result};
pub use executor::{ExecuteRequest, Executor, Invocation, TestRequest};
pub use package::CodePackage;
pub use platform::{NewFunction, Platform, PlatformBuilder, Readiness};
pub use runtime::{Runtime, Sandbox};
pub use store::Store;
