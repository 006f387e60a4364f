//! What kind of run it is: bounds, faults, lives. All of it is drawn before the run begins.

use std::time::Duration;

use lambda_core::pool::PoolOptions;

use crate::fault::Rates;
use crate::rng::Rng;

/// How a life of the platform's process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is closed, and does what it does then.
    Close,
    /// It is killed.
    Kill,
    /// So is the whole machine.
    PowerCut,
}

/// One life of the platform's process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// How it ends.
    pub(crate) ending: Ending,
    /// After how many steps of the doubles at the latest, where it is killed.
    pub(crate) steps: u64,
    /// After how long at the latest.
    pub(crate) lasts: Duration,
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How often single steps fail.
    pub(crate) rates: Rates,
    /// Percent of the time for which something is out of order for longer: 0 is calm.
    pub(crate) storminess: u64,
    /// Bounds of the pool.
    pub(crate) pool: PoolOptions,
    /// At which size the journal is full.
    pub(crate) journal_bytes_max: u64,
    /// Functions.
    pub(crate) functions: usize,
    /// Most sandboxes of each function; none: the pool's own bound. No deployment changes it:
    /// it is a bound on all versions together.
    pub(crate) concurrency: Option<u32>,
    /// Callers at once.
    pub(crate) callers: u64,
    /// Calls of each, in a life.
    pub(crate) calls: u64,
    /// Percent of the operator's time spent on deploying and deleting.
    pub(crate) deploys: u64,
    /// Its lives but for the last one, which is calm and is closed.
    pub(crate) lives: Vec<Life>,
}

impl Plan {
    /// Draws one.
    #[must_use]
    pub(crate) fn of(rng: &mut Rng) -> Self {
        Self {
            rates: Rates::of(rng),
            storminess: rng.pick(&[0, 0, 20, 60]),
            pool: pool(rng),
            journal_bytes_max: rng.pick(&[4 * 1024, 16 * 1024, 1 << 20, 256 << 20]),
            functions: usize::try_from(rng.between(1, 4)).unwrap_or(1),
            concurrency: rng.pick(&[None, None, Some(1), Some(2)]),
            callers: rng.between(1, 5),
            calls: rng.between(1, 5),
            deploys: rng.pick(&[0, 30, 100]),
            lives: (0..rng.pick(&[1, 1, 1, 2, 3])).map(|_| life(rng)).collect(),
        }
    }
}

fn pool(rng: &mut Rng) -> PoolOptions {
    let mut pool = PoolOptions::default();
    pool.sandboxes_max = rng.between_u32(1, 6);
    pool.memory_mib_max = 128 * rng.between(1, 8);
    pool.function_concurrency = rng.between_u32(1, 4);
    pool.cores = rng.between_u32(1, 4);
    pool.creating_max = rng.between_u32(1, 3);
    pool.queue_max = rng.between_u32(1, 12);
    pool.queue_timeout = Duration::from_millis(rng.pick(&[200, 1_000, 5_000]));
    pool.idle_timeout = Duration::from_millis(rng.pick(&[300, 2_000, 30_000]));
    let freezes = rng.percent(60);
    pool.freeze_after = freezes.then(|| Duration::from_millis(rng.pick(&[1, 100, 500])));
    pool.prewarmed = rng.between_u32(0, 2);
    pool
}

fn life(rng: &mut Rng) -> Life {
    Life {
        ending: rng.pick(&[Ending::Close, Ending::Kill, Ending::Kill, Ending::PowerCut]),
        steps: rng.between(1, 400),
        lasts: Duration::from_millis(rng.between(1, 6_000)),
    }
}
