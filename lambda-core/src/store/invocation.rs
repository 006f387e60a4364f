//! Requests about records of invocations.

use jiff::Timestamp;

use super::check_limit;
use super::cursor::InvocationCursor;
use crate::error::{Error, Result};
use crate::model::{
    Bucket, FunctionId, InvocationEntry, InvocationRecord, Namespace, Retention, RuntimeName,
    Status, limits,
};

/// See [`Store::invocation_append`](super::Store::invocation_append).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AppendInvocations {
    /// The records, with what is kept beside them.
    pub entries: Vec<InvocationEntry>,
    /// Figures per minute and per hour that start before these need not be kept: they would
    /// be removed at once. None: all are kept.
    pub minutes_since: Option<Timestamp>,
    /// See `minutes_since`.
    pub hours_since: Option<Timestamp>,
}

impl AppendInvocations {
    /// Keeps `entries`, with all figures.
    #[must_use]
    pub fn new(entries: Vec<InvocationEntry>) -> Self {
        Self {
            entries,
            minutes_since: None,
            hours_since: None,
        }
    }

    /// Leaves out the figures that `retention` would have removed at `now`.
    #[must_use]
    pub fn retention(mut self, retention: &Retention, now: Timestamp) -> Self {
        self.minutes_since = retention
            .minutes
            .and_then(|kept| now.checked_sub(kept).ok());
        self.hours_since = retention.hours.and_then(|kept| now.checked_sub(kept).ok());
        self
    }
}

/// Before when figures per minute and per hour are removed.
fn since(retention: &Retention, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let since = |kept: Option<std::time::Duration>| now.checked_sub(kept?).ok();
    (since(retention.minutes), since(retention.hours))
}

/// See [`Store::invocation_list`](super::Store::invocation_list).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListInvocations {
    /// Whose invocations.
    pub namespace: Namespace,
    /// Only those of this function.
    pub function: Option<FunctionId>,
    /// Only those that started at this time or later.
    pub from: Option<Timestamp>,
    /// Only those that started before this time.
    pub to: Option<Timestamp>,
    /// Only those that ended in one of these ways; empty: all.
    pub statuses: Vec<Status>,
    /// Only those that ran here.
    pub runtime: Option<RuntimeName>,
    /// At most this many: 1 to [`limits::PAGE_MAX`].
    pub limit: u32,
    /// [`Page::next`](crate::model::Page::next) of the page before.
    pub cursor: Option<String>,
}

impl ListInvocations {
    /// The first page of all invocations of a namespace.
    #[must_use]
    pub fn first(namespace: Namespace, limit: u32) -> Self {
        Self {
            namespace,
            function: None,
            from: None,
            to: None,
            statuses: Vec::new(),
            runtime: None,
            limit,
            cursor: None,
        }
    }

    /// Checks the limit and reads the cursor: the page starts after it.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn after(&self) -> Result<Option<InvocationCursor>> {
        const OPERATION: &str = "invocation_list";
        check_limit(OPERATION, self.limit)?;
        let cursor = self.cursor.as_deref();
        cursor
            .map(|text| InvocationCursor::parse(OPERATION, text))
            .transpose()
    }

    /// Whether the filters let `record` through; the cursor is not one of them.
    #[must_use]
    pub fn admits(&self, record: &InvocationRecord) -> bool {
        record.namespace == self.namespace
            && self.function.is_none_or(|id| record.function_id == id)
            && self.from.is_none_or(|from| record.started_at >= from)
            && self.to.is_none_or(|to| record.started_at < to)
            && (self.statuses.is_empty() || self.statuses.contains(&record.status))
            && self
                .runtime
                .as_ref()
                .is_none_or(|name| record.runtime == *name)
    }
}

/// See [`Store::invocation_summary`](super::Store::invocation_summary).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SummarizeInvocations {
    /// Whose invocations.
    pub namespace: Namespace,
    /// Only those of this function.
    pub function: Option<FunctionId>,
    /// Only those that ran here.
    pub runtime: Option<RuntimeName>,
    /// Only those that started at this time or later, to the minute.
    pub from: Option<Timestamp>,
    /// Only those that started before this time, to the minute.
    pub to: Option<Timestamp>,
    /// Also gives the figures over time, in buckets of this length; `from` and `to` are then
    /// moved outward to where a bucket begins or ends.
    pub bucket: Option<Bucket>,
    /// The figures of at most this many functions, those with the most calls: 0 to
    /// [`limits::PAGE_MAX`].
    pub functions_max: u32,
    /// Figures per minute and per hour may have been removed before these times: there the
    /// next longer bucket is taken. None: they are all there.
    pub minutes_since: Option<Timestamp>,
    /// See `minutes_since`.
    pub hours_since: Option<Timestamp>,
}

impl SummarizeInvocations {
    /// All invocations of a namespace since the first one, and its functions with the most calls.
    #[must_use]
    pub fn all(namespace: Namespace) -> Self {
        Self {
            namespace,
            function: None,
            runtime: None,
            from: None,
            to: None,
            bucket: None,
            functions_max: limits::PAGE_MAX,
            minutes_since: None,
            hours_since: None,
        }
    }

    /// Knows of the figures that `retention` would have removed at `now`.
    #[must_use]
    pub fn retention(mut self, retention: &Retention, now: Timestamp) -> Self {
        (self.minutes_since, self.hours_since) = since(retention, now);
        self
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn validate(&self) -> Result<()> {
        const OPERATION: &str = "invocation_summary";
        if self.functions_max > limits::PAGE_MAX {
            return Err(Error::invalid(
                OPERATION,
                format!(
                    "At most {} functions are summed up at once.",
                    limits::PAGE_MAX
                ),
            ));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Error::invalid(OPERATION, "`from` lies before `to`.")
                .hint("Exchange the two, or leave one of them out."));
        }
        Ok(())
    }
}

/// What [`Store::invocation_expire`](super::Store::invocation_expire) removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiring {
    /// Records, with what is kept beside them.
    Invocations,
    /// What is kept beside records.
    Outputs,
    /// Figures in buckets of this length.
    Figures(Bucket),
}

/// See [`Store::invocation_expire`](super::Store::invocation_expire).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExpireInvocations {
    /// Whose.
    pub namespace: Namespace,
    /// What of them.
    pub what: Expiring,
    /// What started before this time.
    pub before: Timestamp,
    /// At most this many rows, so that others wait only shortly.
    pub limit: u32,
}

impl ExpireInvocations {
    /// Removes at most `limit` rows of what started before `before`.
    #[must_use]
    pub fn new(namespace: Namespace, what: Expiring, before: Timestamp, limit: u32) -> Self {
        Self {
            namespace,
            what,
            before,
            limit,
        }
    }
}
