//! Records of invocations.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::to_microsecond;
use crate::error::Result;
use crate::model::{
    FunctionSummary, InvocationRecord, InvocationSummary, Namespace, Page, RequestId,
};
use crate::store::percentile::Samples;
use crate::store::{InvocationCursor, ListInvocations};

#[derive(Default)]
pub(super) struct Invocations {
    /// By start in microseconds, then by request id: oldest first.
    records: BTreeMap<(i64, RequestId), InvocationRecord>,
    ids: HashSet<RequestId>,
}

impl Invocations {
    pub(super) fn append(&mut self, records: &[InvocationRecord]) {
        for record in records {
            if self.ids.insert(record.request_id) {
                let key = (record.started_at.as_microsecond(), record.request_id);
                self.records.insert(key, normalised(record));
            }
        }
    }

    pub(super) fn list(&self, request: &ListInvocations) -> Result<Page<InvocationRecord>> {
        let after = request.after()?;
        let items: Vec<_> = match after {
            Some(at) => self.records.range(..(at.started_at_us, at.request_id)),
            None => self.records.range(..),
        }
        .rev()
        .map(|(_, record)| record)
        .filter(|record| record.namespace == request.namespace)
        .filter(|record| request.function.is_none_or(|id| record.function_id == id))
        // One more than asked for tells whether there is another page.
        .take(request.limit as usize + 1)
        .cloned()
        .collect();
        Ok(Page::of(items, request.limit, InvocationCursor::after))
    }

    pub(super) fn summary(&self, namespace: &Namespace) -> InvocationSummary {
        let mut totals = Samples::default();
        let mut functions = HashMap::new();
        let mut runtimes = BTreeMap::<_, Samples>::new();
        for record in self.records.values().filter(|r| r.namespace == *namespace) {
            totals.add(record);
            let (name, samples) = functions
                .entry(record.function_id)
                .or_insert_with(|| (&record.function_name, Samples::default()));
            // Records come oldest first, so the last name stays.
            *name = &record.function_name;
            samples.add(record);
            runtimes
                .entry(record.runtime.clone())
                .or_default()
                .add(record);
        }
        let mut functions: Vec<_> = functions
            .into_iter()
            .map(|(function_id, (name, samples))| FunctionSummary {
                function_id,
                name: name.clone(),
                summary: samples.summary(),
            })
            .collect();
        functions.sort_by_key(|f| (std::cmp::Reverse(f.summary.calls), f.function_id));
        InvocationSummary {
            totals: totals.summary(),
            functions,
            runtimes: runtimes
                .into_iter()
                .map(|(runtime, samples)| (runtime, samples.summary()))
                .collect(),
        }
    }
}

/// The record as finely as every store keeps it, with figures that fit into an `i64`.
fn normalised(record: &InvocationRecord) -> InvocationRecord {
    let bounded = |us: u64| us.min(i64::MAX.unsigned_abs());
    InvocationRecord {
        started_at: to_microsecond(record.started_at),
        queue_us: bounded(record.queue_us),
        boot_us: bounded(record.boot_us),
        init_us: bounded(record.init_us),
        run_us: bounded(record.run_us),
        total_us: bounded(record.total_us),
        ..record.clone()
    }
}
