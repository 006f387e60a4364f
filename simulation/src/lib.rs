//! Deterministic simulation of the platform's pool, executor and journal under faults.
//!
//! A run is a number. It determines all of it: how large the pool is, who calls and deploys
//! when, which sandboxes die, when the store and the disk are out of order, and at which step the
//! process is killed or the power fails. Time is tokio's paused clock, there are no threads and
//! no files, and what runs is the platform itself: `Pool`, `LocalExecutor` and `Recorder`, over
//! doubles of runtime, store and disk. A run that breaks a promise is replayed by its number.
//!
//! | file | says |
//! |---|---|
//! | `run` | what a run is made of, and what must be true at its end |
//! | `plan`, `fault`, `weather` | what may go wrong |
//! | `world` | time, chance and who lives |
//! | `process`, `caller`, `operator` | who does what |
//! | `machine`, `runtime`, `sandbox`, `store`, `disk` | the doubles, and what they may be asked |
//! | `ledger` | what was promised, and whether it is kept |
//! | `mutant` | defects that must be seen |

mod caller;
mod disk;
mod fault;
mod ledger;
mod machine;
mod mutant;
mod operator;
mod plan;
mod process;
mod rng;
mod run;
mod runtime;
mod sandbox;
mod store;
mod weather;
mod world;

pub use mutant::Mutant;
pub use run::run;
pub use world::Report;
