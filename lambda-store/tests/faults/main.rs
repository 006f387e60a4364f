//! A platform whose process, database or disk fails under load: what was answered is there, once.
//!
//! Short in an ordinary run; for a long one set
//!
//! | variable | | default |
//! |---|---|---|
//! | `LAMBDA_FAULT_KILLS` | kills of the platform, per database | 8 |
//! | `LAMBDA_FAULT_SERVER_KILLS` | kills of each database server | 4 |
//! | `LAMBDA_FAULT_SECONDS` | how long the database is away, or hangs | 2 |
//!
//! Run with `--nocapture` to see the counts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mysql.rs"]
#[allow(dead_code, reason = "each test program uses some of it")]
mod databases;
mod disk_full;
mod killed;
mod outage;
mod server;
mod support;
