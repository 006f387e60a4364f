//! The two loops behind the recorder. Both are woken by the first record after a pause, and
//! do nothing while there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Shared, journal};
use crate::error::{Error, Result};
use crate::store::{AppendInvocations, Store};

/// Well inside the 100 ms within which a record is on disk.
const SYNC_INTERVAL: Duration = Duration::from_millis(50);

/// How long records are gathered before they go into the store together. With the store's
/// own commit they are visible well within a second.
const GATHER: Duration = Duration::from_millis(200);

/// Records in one transaction of the store: more gain little, and hold others up.
const BATCH: usize = 1_000;

const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Syncs the journal, again and again.
pub(super) async fn sync(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(SYNC_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = shared.closing.cancelled() => return,
        }
        if let Err(error) = blocking(&shared, |shared| shared.journal.sync()).await {
            tracing::error!(?error, "the journal cannot be synced");
        }
    }
}

/// Moves ended segments into the store, until `closing` is cancelled and all is moved.
pub(super) async fn flush(shared: Arc<Shared>, store: Arc<dyn Store>) {
    let mut retry = RETRY_MIN;
    loop {
        let closing = shared.closing.is_cancelled();
        match flush_once(&shared, &*store).await {
            Ok(()) if closing => return,
            Ok(()) => {
                retry = RETRY_MIN;
                tokio::select! {
                    () = shared.written.notified() => {
                        tokio::select! {
                            () = tokio::time::sleep(GATHER) => {}
                            () = shared.closing.cancelled() => {}
                        }
                    }
                    () = shared.closing.cancelled() => {}
                }
            }
            Err(error) => {
                tracing::warn!(?error, retry_in = ?retry, "the store takes no records; the journal keeps them");
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

async fn flush_once(shared: &Arc<Shared>, store: &dyn Store) -> Result<()> {
    for segment in blocking(shared, |shared| shared.journal.rotate()).await? {
        move_segment(shared, store, segment).await?;
    }
    Ok(())
}

async fn move_segment(shared: &Arc<Shared>, store: &dyn Store, segment: PathBuf) -> Result<()> {
    let path = segment.clone();
    let records = blocking(shared, move |_| journal::read(&path)).await?;
    for batch in records.chunks(BATCH) {
        let request = AppendInvocations::new(batch.to_vec());
        store.invocation_append(request).await?;
    }
    blocking(shared, move |shared| shared.journal.remove(&segment)).await
}

async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
) -> Result<T> {
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || work(&shared))
        .await
        .map_err(|error| {
            Error::internal("recorder", "A task of the recorder failed.").source(error)
        })?
}
