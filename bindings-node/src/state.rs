//! What is there now, and what is amiss.

use jiff::Timestamp;
use lambda_core::Readiness;
use lambda_core::pool::{PoolStats, ProvisionedStats};
use lambda_core::recorder::{RecorderStatus, Trouble};
use lambda_core::runtime::{Finding, Severity};
use napi_derive::napi;

/// This platform's sandboxes, in numbers.
#[napi(object, object_from_js = false)]
pub struct PoolState {
    /// All of them.
    pub sandboxes: u32,
    /// Being created.
    pub creating: u32,
    /// Booted, without code and without work.
    pub prewarmed: u32,
    /// With a function's code, and without work.
    pub idle: u32,
    /// Serving.
    pub busy: u32,
    /// Told to die, and still charged.
    pub removing: u32,
    /// Of those without work: frozen.
    pub frozen: u32,
    /// Memory limits of all of these together, in MiB.
    pub memory_mib: f64,
    /// Invocations that wait.
    pub waiting: u32,
    /// The functions that are always to have warm sandboxes.
    pub provisioned: Vec<ProvisionedState>,
}

/// A function that is always to have warm sandboxes.
#[napi(object, object_from_js = false)]
pub struct ProvisionedState {
    pub function_id: String,
    pub version: u32,
    pub runtime: String,
    /// How many it is to have at least.
    pub min_warm: u32,
    /// How many it has with its code loaded, idle or serving.
    pub warm: u32,
    /// How many are being created, or load the code.
    pub coming: u32,
    /// How often making one has failed since it last succeeded.
    pub failures: u32,
}

impl From<ProvisionedStats> for ProvisionedState {
    fn from(from: ProvisionedStats) -> Self {
        Self {
            function_id: from.key.function.to_string(),
            version: from.key.version,
            runtime: from.key.runtime.into(),
            min_warm: from.min_warm,
            warm: from.warm,
            coming: from.coming,
            failures: from.failures,
        }
    }
}

#[allow(clippy::cast_precision_loss)]
impl From<PoolStats> for PoolState {
    fn from(from: PoolStats) -> Self {
        Self {
            sandboxes: from.sandboxes(),
            creating: from.creating,
            prewarmed: from.prewarmed,
            idle: from.idle,
            busy: from.busy,
            removing: from.removing,
            frozen: from.frozen,
            memory_mib: from.memory_mib as f64,
            waiting: from.waiting,
            provisioned: from.provisioned.into_iter().map(Into::into).collect(),
        }
    }
}

/// One thing that a check looked at.
#[napi(object, object_from_js = false)]
pub struct CheckFinding {
    pub subject: String,
    /// `ok`, `warning` or `error`.
    pub severity: String,
    pub detail: String,
    /// How to mend it, where there is something to mend.
    pub mend: Option<String>,
}

impl From<Finding> for CheckFinding {
    fn from(from: Finding) -> Self {
        Self {
            subject: from.subject,
            severity: match from.severity {
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Error => "error",
            }
            .to_owned(),
            detail: from.detail,
            mend: from.mend,
        }
    }
}

/// What works at the moment.
#[napi(object, object_from_js = false)]
pub struct ReadinessState {
    /// The store answers and can be written to.
    pub store: bool,
    /// Which runtimes can create sandboxes, as far as a quick look tells.
    pub runtimes: Vec<RuntimeReadiness>,
    /// Functions can be deployed, and run in at least one runtime.
    pub is_ready: bool,
}

/// Whether one runtime works.
#[napi(object, object_from_js = false)]
pub struct RuntimeReadiness {
    pub runtime: String,
    pub works: bool,
}

impl From<Readiness> for ReadinessState {
    fn from(from: Readiness) -> Self {
        Self {
            is_ready: from.is_ready(),
            store: from.store,
            runtimes: from
                .runtimes
                .into_iter()
                .map(|(name, works)| RuntimeReadiness {
                    runtime: name.into(),
                    works,
                })
                .collect(),
        }
    }
}

/// How records of invocations stand on their way into the store. Counts are since the start;
/// times are milliseconds since 1970.
#[napi(object, object_from_js = false)]
pub struct RecorderState {
    /// Records that the store has not taken yet.
    pub pending_records: f64,
    /// Their bytes in the journal.
    pub pending_bytes: f64,
    /// When the invocation ended whose record has waited longest.
    pub oldest_pending_at: Option<f64>,
    pub journal_bytes: f64,
    /// The bound of the journal, at which new records are shed.
    pub journal_bytes_max: f64,
    /// Records that were lost because the journal was full, or its disk.
    pub shed: f64,
    /// Since when every new record is lost.
    pub shedding_since: Option<f64>,
    /// Records that the store refused for good.
    pub rejected: f64,
    /// Records that could not be read from the journal any more.
    pub damaged: f64,
    /// Whole files of the journal that could not be read.
    pub files_set_aside: f64,
    /// What keeps the store from taking records.
    pub store: Option<TroubleState>,
    /// What keeps the disk from syncing the journal.
    pub disk: Option<TroubleState>,
}

/// Something that does not work for the time being.
#[napi(object, object_from_js = false)]
pub struct TroubleState {
    /// Milliseconds since 1970.
    pub since: f64,
    pub message: String,
}

#[allow(clippy::cast_precision_loss)] // Exact up to 2^53, which is past every one of these.
fn milliseconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64
}

impl From<Trouble> for TroubleState {
    fn from(from: Trouble) -> Self {
        Self {
            since: milliseconds(from.since),
            message: from.message,
        }
    }
}

#[allow(clippy::cast_precision_loss)]
impl From<RecorderStatus> for RecorderState {
    fn from(from: RecorderStatus) -> Self {
        Self {
            pending_records: from.pending_records as f64,
            pending_bytes: from.pending_bytes as f64,
            oldest_pending_at: from.oldest_pending_at.map(milliseconds),
            journal_bytes: from.journal_bytes as f64,
            journal_bytes_max: from.journal_bytes_max as f64,
            shed: from.shed as f64,
            shedding_since: from.shedding_since.map(milliseconds),
            rejected: from.rejected as f64,
            damaged: from.damaged as f64,
            files_set_aside: from.files_set_aside as f64,
            store: from.store.map(Into::into),
            disk: from.disk.map(Into::into),
        }
    }
}
