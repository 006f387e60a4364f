//! What the benchmarks share.
//!
//! | | measures |
//! |---|---|
//! | `benches/warm.rs` | criterion: a warm call through `Platform`, beside a bare socket |
//! | `src/bin/end_to_end.rs` | everything side by side, in interleaved rounds, with ratios |
//! | `src/bin/store.rs` | records per second into a store, and questions over ten million |
//! | `src/bin/recording.rs` | a warm call with records, beside one without |
//! | `src/bin/starts.rs` | the first call of new functions, prewarmed or not |
//! | `src/bin/refill.rs` | how fast prewarmed sandboxes are replaced, and what that costs calls |
//! | `src/bin/processes.rs` | calls that have a process each |
//! | `src/bin/burst.rs` | 200 calls at once of a new function, beside the best that can be |
//! | `src/bin/footprint.rs` | memory and CPU of what idles, and the platform's own memory |
//! | `src/bin/cold.rs` | a call without anything prewarmed, beside Docker's own create and start |
//! | `src/bin/sustained.rs` | 50 functions, four callers each, and whether anything grows |
//! | `src/bin/http_load.rs` | `wrk` on servers, with idle followers of logs, and overload |
//! | `src/bin/replay.rs` | nothing real: eviction policies on a trace of days |
//! | `baseline/` | the bare prototype that everything is compared with |
//!
//! docs/BENCHMARKS.md says how to run them and what they have shown.

pub mod backend;
pub mod echo;
pub mod floor;
pub mod http;
pub mod interrupt;
pub mod load;
pub mod local;
pub mod process;
pub mod report;
pub mod statistics;
pub mod store;
pub mod trace;
pub mod wrk;

/// Why a benchmark cannot go on.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What benchmarks return.
pub type Result<T> = std::result::Result<T, Error>;
