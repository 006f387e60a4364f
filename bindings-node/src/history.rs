//! What has been run.

use lambda_core::Result;
use lambda_core::model::limits::PAGE_DEFAULT;
use lambda_core::model::{
    Bucket, InvocationEntry, InvocationRecord, InvocationSummary, Namespace, RuntimeName, Status,
    Summary,
};
use lambda_core::store::{ListInvocations, SummarizeInvocations};
use napi_derive::napi;

/// Which invocations are meant. Times are milliseconds since 1970.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct NativeFilter {
    pub function: Option<String>,
    pub from: Option<f64>,
    pub to: Option<f64>,
    pub statuses: Option<Vec<String>>,
    pub runtime: Option<String>,
    pub limit: Option<u32>,
    pub cursor: Option<String>,
    pub bucket: Option<String>,
}

fn invalid(message: &'static str) -> lambda_core::Error {
    lambda_core::Error::invalid("invocation_filter", message)
}

#[allow(clippy::cast_possible_truncation)] // A time out of range is refused just after.
fn time(ms: Option<f64>) -> Result<Option<jiff::Timestamp>> {
    let Some(ms) = ms else { return Ok(None) };
    if !ms.is_finite() {
        return Err(invalid("`from` and `to` are valid dates."));
    }
    jiff::Timestamp::from_millisecond(ms as i64)
        .map(Some)
        .map_err(|_| invalid("`from` and `to` lie between the years -9999 and 9999."))
}

impl NativeFilter {
    /// `function` is the id of the one that is meant.
    pub(crate) fn list(
        self,
        function: Option<lambda_core::model::FunctionId>,
    ) -> Result<ListInvocations> {
        let mut request =
            ListInvocations::first(Namespace::default(), self.limit.unwrap_or(PAGE_DEFAULT));
        request.function = function;
        request.from = time(self.from)?;
        request.to = time(self.to)?;
        for word in self.statuses.unwrap_or_default() {
            request.statuses.push(Status::from_word(&word).ok_or_else(|| {
                invalid("`status` is success, function_error, timeout, out_of_memory, crashed or cancelled.")
            })?);
        }
        request.runtime = self.runtime.map(RuntimeName::new).transpose()?;
        request.cursor = self.cursor;
        Ok(request)
    }

    pub(crate) fn summarize(
        self,
        function: Option<lambda_core::model::FunctionId>,
    ) -> Result<SummarizeInvocations> {
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.function = function;
        request.from = time(self.from)?;
        request.to = time(self.to)?;
        request.runtime = self.runtime.map(RuntimeName::new).transpose()?;
        request.bucket = match self.bucket {
            None => None,
            Some(word) => Some(
                Bucket::from_word(&word)
                    .ok_or_else(|| invalid("`bucket` is minute, hour or day."))?,
            ),
        };
        Ok(request)
    }
}

/// What is recorded of an invocation.
#[napi(object, object_from_js = false)]
pub struct InvocationInfo {
    pub request_id: String,
    pub function_id: String,
    pub function_name: String,
    pub version: u32,
    pub runtime: String,
    /// `cold`, `prewarmed` or `warm`.
    pub start: String,
    /// `success`, `function_error`, `timeout`, `out_of_memory`, `crashed` or `cancelled`.
    pub status: String,
    pub error_type: Option<String>,
    /// Milliseconds since 1970.
    pub started_at: f64,
    pub queue_ms: f64,
    pub boot_ms: f64,
    pub init_ms: f64,
    pub run_ms: f64,
    pub total_ms: f64,
    pub max_memory_mib: Option<u32>,
    /// The end of what it wrote; only where one invocation is read.
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    pub error_message: Option<String>,
}

#[allow(clippy::cast_precision_loss)] // Exact up to 2^53 microseconds, which is 285 years.
impl From<InvocationRecord> for InvocationInfo {
    fn from(record: InvocationRecord) -> Self {
        let ms = |us: u64| us as f64 / 1000.0;
        Self {
            request_id: record.request_id.to_string(),
            function_id: record.function_id.to_string(),
            function_name: record.function_name.into(),
            version: record.version,
            runtime: record.runtime.into(),
            start: record.start.to_string(),
            status: record.status.to_string(),
            error_type: record.error_type,
            started_at: record.started_at.as_millisecond() as f64,
            queue_ms: ms(record.queue_us),
            boot_ms: ms(record.boot_us),
            init_ms: ms(record.init_us),
            run_ms: ms(record.run_us),
            total_ms: ms(record.total_us),
            max_memory_mib: record.max_memory_mib,
            stdout: None,
            stderr: None,
            error_message: None,
        }
    }
}

impl From<InvocationEntry> for InvocationInfo {
    fn from(entry: InvocationEntry) -> Self {
        Self {
            stdout: Some(entry.output.stdout),
            stderr: Some(entry.output.stderr),
            error_message: entry.output.error_message,
            ..entry.record.into()
        }
    }
}

/// One page of invocations, newest first.
#[napi(object, object_from_js = false)]
pub struct InvocationPage {
    pub items: Vec<InvocationInfo>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<String>,
}

/// Counts, and durations in milliseconds.
#[napi(object, object_from_js = false)]
pub struct Figures {
    pub calls: f64,
    /// Those that did not succeed: the sum of the five that follow.
    pub errors: f64,
    pub function_errors: f64,
    pub timeouts: f64,
    pub out_of_memory: f64,
    pub crashed: f64,
    pub cancelled: f64,
    pub cold: f64,
    pub prewarmed: f64,
    pub warm: f64,
    pub avg_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub avg_queue_ms: f64,
    pub avg_boot_ms: f64,
    pub avg_init_ms: f64,
    pub avg_run_ms: f64,
    pub max_memory_mib: Option<u32>,
}

#[allow(clippy::cast_precision_loss)] // Exact up to 2^53 calls.
impl From<&Summary> for Figures {
    fn from(from: &Summary) -> Self {
        Self {
            calls: from.calls as f64,
            errors: from.errors as f64,
            function_errors: from.function_errors as f64,
            timeouts: from.timeouts as f64,
            out_of_memory: from.out_of_memory as f64,
            crashed: from.crashed as f64,
            cancelled: from.cancelled as f64,
            cold: from.cold as f64,
            prewarmed: from.prewarmed as f64,
            warm: from.warm as f64,
            avg_ms: from.avg_ms,
            p50_ms: from.p50_ms,
            p90_ms: from.p90_ms,
            p99_ms: from.p99_ms,
            avg_queue_ms: from.avg_queue_ms,
            avg_boot_ms: from.avg_boot_ms,
            avg_init_ms: from.avg_init_ms,
            avg_run_ms: from.avg_run_ms,
            max_memory_mib: from.max_memory_mib,
        }
    }
}

/// The figures of one function.
#[napi(object, object_from_js = false)]
pub struct FunctionFigures {
    pub function_id: String,
    pub name: String,
    pub figures: Figures,
}

/// The figures of one runtime.
#[napi(object, object_from_js = false)]
pub struct RuntimeFigures {
    pub runtime: String,
    pub figures: Figures,
}

/// The figures of one minute, hour or day.
#[napi(object, object_from_js = false)]
pub struct FiguresPoint {
    /// Milliseconds since 1970.
    pub start: f64,
    pub figures: Figures,
}

/// Figures over invocations: all, per function, per runtime and over time.
#[napi(object, object_from_js = false)]
pub struct InvocationFigures {
    pub totals: Figures,
    /// Most calls first.
    pub functions: Vec<FunctionFigures>,
    pub runtimes: Vec<RuntimeFigures>,
    /// Oldest first; only where `bucket` was given.
    pub series: Vec<FiguresPoint>,
}

#[allow(clippy::cast_precision_loss)]
impl From<InvocationSummary> for InvocationFigures {
    fn from(from: InvocationSummary) -> Self {
        let functions = from.functions.iter().map(|function| FunctionFigures {
            function_id: function.function_id.to_string(),
            name: function.name.to_string(),
            figures: (&function.summary).into(),
        });
        let runtimes = from.runtimes.iter().map(|(name, summary)| RuntimeFigures {
            runtime: name.to_string(),
            figures: summary.into(),
        });
        let series = from.series.iter().map(|point| FiguresPoint {
            start: point.start.as_millisecond() as f64,
            figures: (&point.summary).into(),
        });
        Self {
            totals: (&from.totals).into(),
            functions: functions.collect(),
            runtimes: runtimes.collect(),
            series: series.collect(),
        }
    }
}
