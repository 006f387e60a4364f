//! Records of invocations, and what is kept beside them.

use jiff::Timestamp;
use lambda_core::model::{
    FunctionId, InvocationEntry, InvocationOutput, InvocationRecord, RequestId, StartKind, Status,
};
use lambda_core::store::AppendInvocations;
use lambda_core::store::rollup::Rollup;

use super::value::{bounded, count, id, parsed, timestamp, word};

/// A row of `invocation`.
#[derive(sqlx::FromRow)]
pub(crate) struct InvocationRow {
    request_id: Vec<u8>,
    namespace: String,
    function_id: Vec<u8>,
    function_name: String,
    version: i64,
    runtime: String,
    start: String,
    status: String,
    error_type: Option<String>,
    started_at_us: i64,
    queue_us: i64,
    boot_us: i64,
    init_us: i64,
    run_us: i64,
    total_us: i64,
    max_memory_mib: Option<i64>,
}

impl InvocationRow {
    /// The record.
    pub(crate) fn record(self) -> sqlx::Result<InvocationRecord> {
        let mut record = InvocationRecord::started(
            RequestId::from_bytes(id(&self.request_id)?),
            parsed(&self.namespace, str::parse)?,
            (
                FunctionId::from_bytes(id(&self.function_id)?),
                parsed(&self.function_name, str::parse)?,
                count(self.version)?,
            ),
            parsed(&self.runtime, str::parse)?,
            timestamp(self.started_at_us)?,
        );
        record.start = word(&self.start, StartKind::from_word)?;
        record.status = word(&self.status, Status::from_word)?;
        record.error_type = self.error_type;
        record.queue_us = count(self.queue_us)?;
        record.boot_us = count(self.boot_us)?;
        record.init_us = count(self.init_us)?;
        record.run_us = count(self.run_us)?;
        record.total_us = count(self.total_us)?;
        record.max_memory_mib = self.max_memory_mib.map(count).transpose()?;
        Ok(record)
    }
}

/// The figures of records that have none yet, which are all new to them, and the id of the last
/// one; none where there are no records.
pub(crate) fn figures_of(
    rows: Vec<InvocationRow>,
) -> sqlx::Result<Option<(RequestId, Vec<Rollup>)>> {
    let records = rows
        .into_iter()
        .map(InvocationRow::record)
        .collect::<sqlx::Result<Vec<_>>>()?;
    // Without bounds on minutes and hours.
    let all_figures = AppendInvocations::new(Vec::new());
    let last = records.last();
    Ok(last.map(|last| (last.request_id, Rollup::of(&records, &all_figures))))
}

/// A row of `invocation`, and of `invocation_output` where there is one.
#[derive(sqlx::FromRow)]
pub(crate) struct EntryRow {
    #[sqlx(flatten)]
    record: InvocationRow,
    stdout: Option<String>,
    stderr: Option<String>,
    error_message: Option<String>,
}

impl EntryRow {
    /// The record, with what is kept beside it.
    pub(crate) fn entry(self) -> sqlx::Result<InvocationEntry> {
        let mut output = InvocationOutput::default();
        output.stdout = self.stdout.unwrap_or_default();
        output.stderr = self.stderr.unwrap_or_default();
        output.error_message = self.error_message;
        Ok(InvocationEntry::new(self.record.record()?, output))
    }
}

/// The record as it will be read again: as finely as it is kept, with figures that fit into an
/// `i64`. Figures are made of this, so that they are those of the rows.
pub(crate) fn normalised(mut record: InvocationRecord) -> InvocationRecord {
    let at = record.started_at;
    // What a timestamp gave as microseconds is in a timestamp's range.
    record.started_at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
    for us in [
        &mut record.queue_us,
        &mut record.boot_us,
        &mut record.init_us,
        &mut record.run_us,
        &mut record.total_us,
    ] {
        *us = bounded(*us).unsigned_abs();
    }
    record
}
