//! Callers that call again as soon as they have their answer.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Result;
use crate::statistics::Round;

/// Calls that are not counted at the begin of each caller's round: whatever ran before has
/// left the processor's caches and the sandbox's pages cold.
pub const WARM_UP: u32 = 10;

/// Has `callers` tasks call for `length`. Tasks of their own, because the future that
/// `block_on` runs is woken across threads, which no real caller's task is.
///
/// # Errors
/// The first error of a call.
pub async fn drive<C, F>(callers: usize, length: Duration, call: C) -> Result<Round>
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let call = Arc::new(call);
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let call = Arc::clone(&call);
        tasks.spawn(async move {
            for _ in 0..WARM_UP {
                call().await?;
            }
            let mut stopwatch = Stopwatch::start();
            while stopwatch.elapsed() < length {
                call().await?;
                stopwatch.lap();
            }
            Ok(stopwatch.into_round())
        });
    }
    gather(tasks).await
}

/// Joins the rounds of several callers.
///
/// # Errors
/// The first error of a caller.
pub async fn gather(mut tasks: JoinSet<Result<Round>>) -> Result<Round> {
    let mut all = Round::default();
    while let Some(round) = tasks.join_next().await {
        let round = round??;
        all.latencies.extend(round.latencies);
        all.elapsed = all.elapsed.max(round.elapsed);
    }
    Ok(all)
}

/// Times calls that follow one another.
#[derive(Debug)]
pub struct Stopwatch {
    begin: Instant,
    round: Round,
}

impl Stopwatch {
    /// The first call begins now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            begin: Instant::now(),
            round: Round::default(),
        }
    }

    /// When the last call ended.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.round.elapsed
    }

    /// A call has ended, and the next begins.
    pub fn lap(&mut self) {
        let elapsed = self.begin.elapsed();
        self.round.latencies.push(elapsed - self.round.elapsed);
        self.round.elapsed = elapsed;
    }

    /// All calls.
    #[must_use]
    pub fn into_round(self) -> Round {
        self.round
    }
}
