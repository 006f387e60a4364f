//! Moves records from the journal into the store.
//!
//! In batches: small ones at once where little happens, large ones where much waits. A store
//! that cannot be used is tried until it can; meanwhile the journal keeps the records. What the
//! store has is passed in the journal only afterwards, so that a crash in between sends it
//! again, and the store keeps it once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "simulation")]
use super::Threads;
use super::batch::{Batches, Fault};
use super::journal::{Cursor, Piece};
use super::{Shared, status};
use crate::error::{Error, Result};
use crate::model::InvocationEntry;
use crate::store::Store;

/// Records in one transaction of the store. More gain little, and hold others up.
const BATCH_MIN: usize = 100;
const BATCH_BEGIN: usize = 500;
const BATCH_MAX: usize = 5_000;

/// A full batch that takes less may be larger, and one that takes more should be smaller.
const BATCH_FAST: Duration = Duration::from_millis(250);
const BATCH_SLOW: Duration = Duration::from_secs(1);

struct Flusher {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    cursor: Cursor,
    batch: usize,
    retry: Duration,
    /// Whether somebody may have been told that records wait.
    is_behind: bool,
}

/// Runs until `closing` is cancelled and all is moved.
pub(super) async fn run(shared: Arc<Shared>, store: Arc<dyn Store>) {
    let retry = shared.options.timing.retry_min;
    let mut flusher = Flusher {
        shared,
        store,
        cursor: Cursor::default(),
        batch: BATCH_BEGIN,
        retry,
        is_behind: true,
    };
    let counted = flusher.blocking(|shared, _| shared.journal.count_earlier());
    if counted.await.is_err() {
        return;
    }
    flusher.run().await;
}

impl Flusher {
    async fn run(&mut self) {
        loop {
            let is_closing = self.shared.closing.is_cancelled();
            let batch = self.batch;
            let read = self.blocking(move |shared, cursor| cursor.read(&shared.journal, batch));
            let Ok(read) = read.await else { return };
            match read {
                Ok(Some(piece)) => {
                    let is_end = !piece.is_full;
                    match self.send(piece).await {
                        Ok(()) => {
                            self.recovered();
                            if is_end && !is_closing {
                                self.gather().await;
                            }
                        }
                        Err(error) => self.unavailable(&error).await,
                    }
                }
                Ok(None) => {
                    self.caught_up();
                    if is_closing {
                        // What is passed in full is deleted, once it has ended.
                        let turned = self.blocking(|shared, _| shared.journal.turn_if_any());
                        match turned.await {
                            Ok(Ok(true)) => continue,
                            Ok(Ok(false) | Err(_)) | Err(_) => return,
                        }
                    }
                    tokio::select! {
                        biased;
                        () = self.shared.appended.notified() => self.gather().await,
                        () = self.shared.closing.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, retry_in = ?self.retry, "the journal cannot be read");
                    self.back_off().await;
                }
            }
        }
    }

    /// Sends a piece, and passes it once the store has all of it that it ever takes.
    async fn send(&mut self, mut piece: Piece) -> Result<()> {
        let (shared, store) = (Arc::clone(&self.shared), Arc::clone(&self.store));
        let batches = Batches {
            store: &*store,
            retention: &shared.options.retention,
            timeout: shared.options.timing.store_timeout,
        };
        if let Some(oldest) = piece.entries.first() {
            shared.oldest_us.store(ended_us(oldest), Ordering::Relaxed);
        }
        let began = Instant::now();
        let result = batches.append(std::mem::take(&mut piece.entries)).await;
        let took = began.elapsed();
        if took > BATCH_SLOW {
            self.batch = (self.batch / 2).max(BATCH_MIN);
        } else if took < BATCH_FAST && piece.is_full {
            self.batch = (self.batch * 2).min(BATCH_MAX);
        }
        if let Err(error) = result {
            if Fault::of(&error) == Fault::Store {
                return Err(error);
            }
            let batch = self.batch;
            let again = self.blocking(move |shared, cursor| cursor.read(&shared.journal, batch));
            let unreadable =
                |error: io::Error| Error::internal("recorder", "Unreadable.").source(error);
            match again.await?.map_err(unreadable)? {
                Some(again) => piece = again,
                None => return Ok(()),
            }
            let refused = batches.sift(&piece.entries).await?;
            self.put_aside(&mut piece, refused).await;
        }
        self.cursor.pass(&shared.journal, &piece);
        Ok(())
    }

    /// Puts aside what the store never takes.
    async fn put_aside(&mut self, piece: &mut Piece, refused: Vec<(usize, Error)>) {
        let Some((_, reason)) = refused.first() else {
            return;
        };
        let added = refused.len() as u64;
        let before = self
            .shared
            .rejected_count
            .fetch_add(added, Ordering::Relaxed);
        if super::is_worth_a_word(before, before + added) {
            tracing::error!(
                rejected = before + added,
                error = ?reason,
                "the store refuses records for good; they are put aside"
            );
        }
        let entries = std::mem::take(&mut piece.entries);
        let put = self.blocking(move |shared, _| {
            let records = refused.iter().map(|(at, error)| (&entries[*at], error));
            shared.rejected.put(records)
        });
        if let Ok(Err(error)) = put.await
            && super::is_worth_a_word(before, before + added)
        {
            tracing::error!(%error, "refused records cannot be put aside and are lost");
        }
        self.shared.journal.poke();
    }

    fn recovered(&mut self) {
        self.retry = self.shared.options.timing.retry_min;
        if let Some(trouble) = self.shared.store_trouble.end() {
            let waiting = status::count(self.shared.journal.pending().0, "record");
            tracing::info!(
                since = %trouble.since,
                waited = self.shared.outage_pending.swap(0, Ordering::Relaxed),
                "the store takes records again; {waiting} still wait"
            );
            self.shared.journal.poke();
        }
    }

    async fn unavailable(&mut self, error: &Error) {
        let pending = self.shared.journal.pending().0;
        self.shared.outage_pending.store(pending, Ordering::Relaxed);
        if self.shared.store_trouble.begin(error.to_string()) {
            tracing::warn!(
                ?error,
                pending,
                "the store takes no records; the journal keeps them"
            );
            self.shared.journal.poke();
        }
        self.is_behind = true;
        self.back_off().await;
    }

    fn caught_up(&mut self) {
        self.shared.oldest_us.store(0, Ordering::Relaxed);
        if std::mem::take(&mut self.is_behind) {
            self.shared.journal.poke();
        }
    }

    async fn back_off(&mut self) {
        let closing = &self.shared.closing;
        // Several processes may wait for one store.
        let wait = self.retry.mul_f32(self.shared.threads.jitter());
        let was_closing = closing.is_cancelled();
        tokio::select! {
            biased;
            () = tokio::time::sleep(wait) => {}
            () = closing.cancelled(), if !was_closing => {}
        }
        self.retry = (self.retry * 2).min(self.shared.options.timing.retry_max);
    }

    async fn gather(&self) {
        tokio::select! {
            biased;
            () = tokio::time::sleep(self.shared.options.timing.gather) => {}
            () = self.shared.closing.cancelled() => {}
        }
    }

    /// Does work that blocks, elsewhere. An error: the tokio runtime is going away.
    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Shared, &mut Cursor) -> T + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        #[cfg(feature = "simulation")]
        if shared.threads == Threads::None {
            return Ok(work(&shared, &mut self.cursor));
        }
        // Lost with a panic; then what is not deleted yet is sent again.
        let mut cursor = std::mem::take(&mut self.cursor);
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&shared, &mut cursor);
            (cursor, result)
        });
        let (cursor, result) = task.await.map_err(|error| {
            Error::internal("recorder", "A task of the recorder failed.").source(error)
        })?;
        self.cursor = cursor;
        Ok(result)
    }
}

/// When the invocation ended, in microseconds since the epoch.
fn ended_us(entry: &InvocationEntry) -> i64 {
    let started_us = entry.record.started_at.as_microsecond();
    started_us.saturating_add_unsigned(entry.record.total_us)
}
