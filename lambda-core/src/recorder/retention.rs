//! Removes what a store need not keep any longer.
//!
//! In the background, some rows at a time, with pauses in between: who deploys, reads or records
//! meanwhile waits for one such step at most. Several processes may do so on one database; each
//! finds less to do then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::status::Troubled;
use crate::error::Result;
use crate::model::{Bucket, Namespace, Retention};
use crate::store::{ExpireInvocations, Expiring, Store, patiently};

/// From one round to the next. Jittered, so that processes which started together drift apart.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The first round comes earlier: a process may not live for long.
const FIRST: Duration = Duration::from_secs(30);

/// Rows removed in one step.
const STEP: u32 = 1_000;

/// A pause is this many times as long as the step before it: removing takes at most a quarter of
/// the time.
const PAUSE: u32 = 3;
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// A store that has not answered for this long is tried again in the next round. Longer than
/// [`PATIENCE`](crate::store::PATIENCE): a step that is cut short has to begin again.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// Applies a [`Retention`] to a store, until it is closed or dropped.
#[derive(Debug)]
pub(crate) struct Expiry {
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Expiry {
    /// Starts on the current tokio runtime.
    pub(crate) fn start(store: Arc<dyn Store>, namespace: Namespace, retention: Retention) -> Self {
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        if !plan(&retention, Timestamp::now()).is_empty() {
            let stop = closing.clone();
            tasks.spawn(async move {
                let rounds = rounds(&*store, &namespace, &retention);
                // Dropping a store's future leaves its change made in full or not at all.
                let _ = stop.run_until_cancelled(rounds).await;
            });
        }
        tasks.close();
        Self { closing, tasks }
    }

    /// Stops, in the middle of a round if need be.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

async fn rounds(store: &dyn Store, namespace: &Namespace, retention: &Retention) {
    let trouble = Troubled::default();
    let mut wait = FIRST;
    loop {
        tokio::time::sleep(wait.mul_f32(rand::random_range(0.5..1.5))).await;
        wait = INTERVAL;
        match round(store, namespace, retention).await {
            Ok(removed) => {
                if removed > 0 {
                    tracing::debug!(removed, "removed rows whose time is over");
                }
                if let Some(trouble) = trouble.end() {
                    tracing::info!(since = %trouble.since, "old records are removed again");
                }
            }
            Err(error) => {
                if trouble.begin(error.to_string()) {
                    tracing::warn!(?error, "old records cannot be removed from the store");
                }
            }
        }
    }
}

/// Removes all whose time is over. Returns the number of rows.
async fn round(store: &dyn Store, namespace: &Namespace, retention: &Retention) -> Result<u64> {
    let mut removed = 0;
    for (what, before) in plan(retention, Timestamp::now()) {
        loop {
            let began = Instant::now();
            let request = ExpireInvocations::new(namespace.clone(), what, before, STEP);
            let step = store.invocation_expire(request);
            let rows = patiently(STEP_TIMEOUT, "invocation_expire", step).await?;
            removed += rows;
            if rows < u64::from(STEP) {
                break;
            }
            tokio::time::sleep((began.elapsed() * PAUSE).max(PAUSE_MIN)).await;
        }
    }
    Ok(removed)
}

/// What is over at `now`. What invocations wrote comes first: it is the largest.
fn plan(retention: &Retention, now: Timestamp) -> Vec<(Expiring, Timestamp)> {
    let all = [
        (Expiring::Outputs, retention.outputs),
        (Expiring::Invocations, retention.invocations),
        (Expiring::Figures(Bucket::Minute), retention.minutes),
        (Expiring::Figures(Bucket::Hour), retention.hours),
        (Expiring::Figures(Bucket::Day), retention.days),
    ];
    let due = all.into_iter().filter_map(|(what, kept)| {
        // Longer than there is time: for ever.
        Some((what, now.checked_sub(kept?).ok()?))
    });
    due.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::recorder::tests::entry;
    use crate::store::{AppendInvocations, ListInvocations, MemoryStore, SummarizeInvocations};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[tokio::test]
    async fn a_round_removes_what_is_over_and_nothing_else() {
        let (store, namespace) = (MemoryStore::new(), Namespace::default());
        let now = Timestamp::now();
        let mut entries: Vec<_> = (0..2_500).map(|_| entry()).collect();
        for (n, entry) in entries.iter_mut().enumerate() {
            // 500 that stay, 500 whose output is over, 1,500 that are over.
            let age = [0, 2, 4, 5, 6][n % 5];
            entry.record.started_at = now - age * HOUR;
        }
        let request = AppendInvocations::new(entries);
        store.invocation_append(request).await.unwrap();

        let mut retention = Retention::unlimited();
        retention.outputs = Some(HOUR);
        retention.invocations = Some(3 * HOUR);
        let removed = round(&store, &namespace, &retention).await.unwrap();
        assert_eq!(removed, 2_000 + 1_500);
        let list = ListInvocations::first(namespace.clone(), 1_000);
        let left = store.invocation_list(list).await.unwrap().items;
        assert_eq!(left.len(), 1_000);
        for record in left {
            let entry = store
                .invocation_get(&namespace, record.request_id)
                .await
                .unwrap();
            let is_fresh = entry.record.started_at > now - HOUR;
            assert_eq!(entry.output.is_empty(), !is_fresh);
        }
        let all = SummarizeInvocations::all(namespace.clone());
        let summary = store.invocation_summary(all).await.unwrap();
        assert_eq!(summary.totals.calls, 2_500, "figures are kept");
        assert_eq!(round(&store, &namespace, &retention).await.unwrap(), 0);

        store.close().await;
        let error = round(&store, &namespace, &retention).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    }

    #[test]
    fn what_is_kept_for_ever_is_not_looked_for() {
        let now = Timestamp::now();
        assert!(plan(&Retention::unlimited(), now).is_empty());
        assert_eq!(plan(&Retention::default(), now).len(), 4);
        let mut retention = Retention::unlimited();
        retention.days = Some(Duration::MAX);
        assert!(plan(&retention, now).is_empty());
    }

    #[tokio::test]
    async fn closing_does_not_wait_for_the_next_round() {
        let store = Arc::new(MemoryStore::new());
        let expiry = Expiry::start(store, Namespace::default(), Retention::default());
        tokio::time::timeout(Duration::from_secs(10), expiry.close())
            .await
            .expect("it stops at once");
    }
}
