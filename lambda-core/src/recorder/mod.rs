//! Records of invocations, from the moment they end until a store has them.
//!
//! No database is asked on an invocation's path. [`Recorder::record`] writes the record to
//! an append-only file, the journal, before the caller has the result: a process that is
//! killed loses none. Within 100 ms the file is synced: a power failure loses at most that.
//! Then batches of records go into the store, idempotent by request id, and a file of the
//! journal is deleted once the store has all of it: an outage of the store loses none and
//! doubles none.
//!
//! The journal has a bound. Where an outage lasts until it is reached, new records are shed, and
//! counted: invocations go on. [`Recorder::status`] tells how it stands, and [`survey`] tells it
//! to other processes.

mod batch;
mod flusher;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod journal;
mod keeper;
mod options;
mod rejected;
mod retention;
#[cfg(feature = "simulation")]
pub(crate) mod simulation;
mod status;
mod status_file;
mod survey;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::model::InvocationEntry;
use crate::store::Store;

pub use options::{JOURNAL_BYTES_MAX_DEFAULT, RecorderOptions};
pub(crate) use retention::Expiry;
pub use status::{RecorderStatus, Trouble};
pub use survey::{OwnerRecords, Survey, survey};

pub(crate) use journal::{DAMAGED, SEGMENT};

use journal::{Disk, Journal, RealDisk};
use keeper::Keeper;
use rejected::Rejected;
use status::Troubled;
use status_file::StatusFile;

/// How long closing waits for the last sync: a disk may hang.
const LAST_SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// Records invocations. Cheap to clone.
///
/// Dropping the last clone without [`close`](Self::close) stops it; what the store has not taken
/// stays in the journal.
#[derive(Debug, Clone)]
pub struct Recorder(Option<Arc<Handle>>);

/// What all clones share, and the background does not.
#[derive(Debug)]
struct Handle(Arc<Shared>);

/// What the recorder's blocking work runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// A thread of its own, and those that tokio keeps for such work.
    Own,
    /// None: the tasks of one thread, in an order that depends on nothing else.
    #[cfg(feature = "simulation")]
    None,
}

impl Threads {
    /// By what a wait is multiplied before another attempt.
    fn jitter(self) -> f32 {
        match self {
            Self::Own => rand::random_range(0.8..1.2),
            #[cfg(feature = "simulation")]
            Self::None => 1.0,
        }
    }
}

#[derive(Debug)]
struct Shared {
    journal: Journal,
    options: RecorderOptions,
    rejected: Rejected,
    shed: AtomicU64,
    is_shedding: AtomicBool,
    shedding_since: Mutex<Option<Timestamp>>,
    rejected_count: AtomicU64,
    store_trouble: Troubled,
    /// How many records waited when the store was last tried in vain.
    outage_pending: AtomicU64,
    disk_trouble: Troubled,
    /// When the invocation of the oldest pending record ended, where it is known; else 0.
    oldest_us: AtomicI64,
    /// Tells the flusher of records.
    appended: Notify,
    /// Cancelled when no more records come.
    closing: CancellationToken,
    /// Cancelled when the store has had its time.
    stopped: CancellationToken,
    tasks: TaskTracker,
    threads: Threads,
    keeper_stop: AtomicBool,
    /// Cancelled once the keeper's thread has ended.
    keeper_ended: CancellationToken,
}

impl Recorder {
    /// Starts on the current tokio runtime, with a thread of its own beside it. What an earlier
    /// process left in the journal is moved into the store first.
    ///
    /// # Errors
    /// `Internal` if the journal's directory cannot be used.
    pub fn start(options: RecorderOptions, store: Arc<dyn Store>) -> Result<Self> {
        let disk = RealDisk {
            may_map: options.journal_mapped,
        };
        Self::start_with(options, store, Arc::new(disk), Threads::Own)
    }

    #[cfg(test)]
    fn start_on(
        options: RecorderOptions,
        store: Arc<dyn Store>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self> {
        Self::start_with(options, store, disk, Threads::Own)
    }

    fn start_with(
        options: RecorderOptions,
        store: Arc<dyn Store>,
        disk: Arc<dyn Disk>,
        threads: Threads,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            journal: Journal::open(&options.journal, options.journal_bytes_max, disk)?,
            rejected: Rejected::new(options.rejected.clone()),
            shed: AtomicU64::new(0),
            is_shedding: AtomicBool::new(false),
            shedding_since: Mutex::new(None),
            rejected_count: AtomicU64::new(0),
            store_trouble: Troubled::default(),
            outage_pending: AtomicU64::new(0),
            disk_trouble: Troubled::default(),
            oldest_us: AtomicI64::new(0),
            appended: Notify::new(),
            closing: CancellationToken::new(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
            threads,
            keeper_stop: AtomicBool::new(false),
            keeper_ended: CancellationToken::new(),
            options,
        });
        start_keeper(Arc::clone(&shared))?;
        let stopped = shared.stopped.clone();
        let flush = flusher::run(Arc::clone(&shared), store);
        shared.tasks.spawn(async move {
            // Dropping a store's future leaves its change made in full or not at all.
            let _ = stopped.run_until_cancelled(flush).await;
        });
        shared.tasks.close();
        Ok(Self(Some(Arc::new(Handle(shared)))))
    }

    /// One that keeps nothing, for applications that want no history.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether it keeps records: a caller need not make any where it does not.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps a record, in a file's pages, which are the kernel's; a failure sheds the record,
    /// which is counted and logged: the function has run, and its caller gets the result.
    pub fn record(&self, entry: &InvocationEntry) {
        let Some(handle) = &self.0 else { return };
        let shared = &*handle.0;
        match shared.journal.append(entry) {
            Ok(()) => {
                if shared.is_shedding.load(Ordering::Relaxed) {
                    shared.shedding(None);
                }
            }
            Err(error) => shared.shed(&error),
        }
    }

    /// How many records could not be kept since the start.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |handle| handle.0.shed.load(Ordering::Relaxed))
    }

    /// How it stands; none where it is [`off`](Self::off). Costs some loads from memory.
    #[must_use]
    pub fn status(&self) -> Option<RecorderStatus> {
        self.0.as_ref().map(|handle| handle.0.status())
    }

    /// Moves what is there into the store, for at most `deadline`, and stops. What the store
    /// has not taken by then stays in the journal, for the next start.
    pub async fn close(&self, deadline: Duration) {
        let Some(handle) = &self.0 else { return };
        let shared = &*handle.0;
        shared.closing.cancel();
        if tokio::time::timeout(deadline, shared.tasks.wait())
            .await
            .is_err()
        {
            let pending = shared.journal.pending().0;
            tracing::warn!(
                pending,
                "the store did not take all records in time; the journal keeps them"
            );
        }
        shared.stop();
        let synced = tokio::time::timeout(LAST_SYNC_TIMEOUT, shared.keeper_ended.cancelled());
        if synced.await.is_err() {
            tracing::warn!("the disk did not sync the journal in time");
        }
        shared.tasks.wait().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Shared {
    fn stop(&self) {
        self.stopped.cancel();
        self.keeper_stop.store(true, Ordering::Release);
        self.journal.poke();
    }

    fn shed(&self, error: &Error) {
        let shed = self.shed.fetch_add(1, Ordering::Relaxed);
        // The first, then ever rarer: a full disk must not fill another with logs.
        if is_worth_a_word(shed, shed + 1) {
            tracing::error!(?error, shed = shed + 1, "records of invocations are lost");
        }
        if !self.is_shedding.load(Ordering::Relaxed) {
            self.shedding(Some(Timestamp::now()));
        }
    }

    fn shedding(&self, since: Option<Timestamp>) {
        let mut own = self
            .shedding_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *own = since;
        self.is_shedding.store(since.is_some(), Ordering::Relaxed);
        drop(own);
        self.journal.poke();
    }

    fn status(&self) -> RecorderStatus {
        let (pending_records, pending_bytes) = self.journal.pending();
        let (damaged, files_set_aside) = self.journal.damage();
        let oldest_us = self.oldest_us.load(Ordering::Relaxed);
        let oldest = Timestamp::from_microsecond(oldest_us).ok();
        let shedding = self
            .shedding_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        RecorderStatus {
            pending_records,
            pending_bytes,
            oldest_pending_at: oldest.filter(|_| oldest_us != 0 && pending_records > 0),
            journal_bytes: self.journal.bytes(),
            journal_bytes_max: self.journal.bytes_max(),
            shed: self.shed.load(Ordering::Relaxed),
            shedding_since: *shedding,
            rejected: self.rejected_count.load(Ordering::Relaxed),
            damaged,
            files_set_aside,
            store: self.store_trouble.get(),
            disk: self.disk_trouble.get(),
        }
    }
}

fn start_keeper(shared: Arc<Shared>) -> Result<()> {
    let ended = shared.keeper_ended.clone().drop_guard();
    let file = StatusFile::new(shared.options.status.clone());
    #[cfg(feature = "simulation")]
    if shared.threads == Threads::None {
        let keeper = Keeper::new(shared, file);
        tokio::spawn(async move {
            let _ended = ended;
            keeper.run_in_task().await;
        });
        return Ok(());
    }
    let keeper = Keeper::new(shared, file);
    let thread = std::thread::Builder::new().name("lambda-journal".to_owned());
    let started = thread.spawn(move || {
        let _ended = ended;
        keeper.run();
    });
    started.map(drop).map_err(|error| {
        Error::internal("recorder_start", "The recorder's thread cannot be started.").source(error)
    })
}

/// Whether a count that grew is to be logged: at its first, and whenever it has doubled.
fn is_worth_a_word(before: u64, after: u64) -> bool {
    before.checked_ilog2() != after.checked_ilog2()
}
