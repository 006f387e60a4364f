//! Embeddable serverless functions: the SQL stores, and everything else re-exported.
//!
//! This is the crate that Rust applications depend on. [`open`] gives the store that a URL
//! names; everything of `lambda-core` is here under its own name.
//!
//! ```
//! # async fn example() -> lambda_store::Result<()> {
//! let store = lambda_store::open("sqlite:///var/lib/app/lambda.db").await?;
//! let platform = lambda_store::Platform::builder()
//!     .data_dir("/var/lib/app")
//!     .store(store)
//!     .build()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! | URL | store |
//! |---|---|
//! | `sqlite:///absolute/path`, `sqlite://relative/path` | [`SqliteStore`] in a file, made if missing |
//! | `sqlite::memory:` | [`SqliteStore`] in memory: gone when it is closed |
//! | `mysql://user:password@host/database` | [`MySqlStore`] in a MySQL or MariaDB server |

#![forbid(unsafe_code)]

mod leaders;
mod mysql;
mod open;
mod row;
mod sqlite;

pub use lambda_core::*;

pub use mysql::MySqlStore;
pub use open::open;
pub use sqlite::SqliteStore;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
