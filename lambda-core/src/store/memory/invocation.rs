//! Records of invocations, and the figures made of them.

use std::collections::{BTreeMap, HashMap};

use super::to_microsecond;
use crate::error::Result;
use crate::model::{
    FunctionId, InvocationEntry, InvocationOutput, InvocationRecord, InvocationSummary, Namespace,
    Page, RequestId,
};
use crate::store::refusal::no_invocation;
use crate::store::rollup::{Plan, Rollup, RollupKey, SummaryBuilder};
use crate::store::{
    AppendInvocations, ExpireInvocations, Expiring, InvocationCursor, ListInvocations,
    SummarizeInvocations,
};

#[derive(Default)]
pub(super) struct Invocations {
    /// By start in microseconds, then by request id: oldest first.
    entries: BTreeMap<(i64, RequestId), InvocationEntry>,
    /// When each started.
    starts: HashMap<RequestId, i64>,
    rollups: BTreeMap<RollupKey, Rollup>,
}

impl Invocations {
    pub(super) fn append(&mut self, mut request: AppendInvocations) {
        let mut new = Vec::new();
        for mut entry in std::mem::take(&mut request.entries) {
            entry.record = normalised(entry.record);
            let (id, start) = (
                entry.record.request_id,
                entry.record.started_at.as_microsecond(),
            );
            if let std::collections::hash_map::Entry::Vacant(vacant) = self.starts.entry(id) {
                vacant.insert(start);
                new.push(entry.record.clone());
                self.entries.insert((start, id), entry);
            }
        }
        for rollup in Rollup::of(&new, &request) {
            match self.rollups.get_mut(&rollup.key) {
                Some(own) => own.merge(&rollup),
                None => {
                    self.rollups.insert(rollup.key.clone(), rollup);
                }
            }
        }
    }

    pub(super) fn get(&self, namespace: &Namespace, id: RequestId) -> Result<InvocationEntry> {
        let start = self.starts.get(&id);
        let entry = start.and_then(|start| self.entries.get(&(*start, id)));
        entry
            .filter(|entry| entry.record.namespace == *namespace)
            .cloned()
            .ok_or_else(|| no_invocation("invocation_get"))
    }

    pub(super) fn list(&self, request: &ListInvocations) -> Result<Page<InvocationRecord>> {
        let after = request.after()?;
        let items: Vec<_> = match after {
            Some(at) => self.entries.range(..(at.started_at_us, at.request_id)),
            None => self.entries.range(..),
        }
        .rev()
        .map(|(_, entry)| &entry.record)
        .filter(|record| request.admits(record))
        // One more than asked for tells whether there is another page.
        .take(request.limit as usize + 1)
        .cloned()
        .collect();
        Ok(Page::of(items, request.limit, InvocationCursor::after))
    }

    pub(super) fn summary(&self, request: &SummarizeInvocations) -> InvocationSummary {
        let plan = Plan::of(request);
        let mut builder = SummaryBuilder::new(request, &plan);
        let within = || {
            self.rollups.values().filter(|rollup| {
                let key = &rollup.key;
                key.namespace == request.namespace
                    && request
                        .runtime
                        .as_ref()
                        .is_none_or(|own| key.runtime == *own)
                    && plan.spans.iter().any(|span| {
                        key.bucket_s == span.bucket_s
                            && (span.from_us..span.to_us).contains(&key.start_us)
                    })
            })
        };
        let rows_of = |function: Option<FunctionId>| {
            within().filter(move |rollup| rollup.key.function == function)
        };
        rows_of(request.function).for_each(|rollup| builder.add(rollup.clone()));
        if request.function.is_none() {
            for rollup in within() {
                if let Some(function) = rollup.key.function {
                    builder.count(function, rollup.tally.calls());
                }
            }
            for leader in builder.leaders() {
                rows_of(Some(leader)).for_each(|rollup| builder.add(rollup.clone()));
            }
        }
        builder.finish()
    }

    pub(super) fn expire(&mut self, request: &ExpireInvocations) -> u64 {
        let before_us = request.before.as_microsecond();
        let limit = request.limit as usize;
        let old = self
            .entries
            .range(..(before_us, RequestId::from_bytes([0; 16])));
        let old = old.filter(|(_, entry)| entry.record.namespace == request.namespace);
        let removed = match request.what {
            Expiring::Invocations => {
                let old: Vec<_> = old.map(|(key, _)| *key).take(limit).collect();
                for key in &old {
                    self.entries.remove(key);
                    self.starts.remove(&key.1);
                }
                old.len()
            }
            Expiring::Outputs => {
                let old = old.filter(|(_, entry)| !entry.output.is_empty());
                let old: Vec<_> = old.map(|(key, _)| *key).take(limit).collect();
                for key in &old {
                    if let Some(entry) = self.entries.get_mut(key) {
                        entry.output = InvocationOutput::default();
                    }
                }
                old.len()
            }
            Expiring::Figures(bucket) => {
                let old: Vec<_> = self
                    .rollups
                    .keys()
                    .filter(|key| key.namespace == request.namespace)
                    .filter(|key| key.bucket_s == bucket.seconds() && key.start_us < before_us)
                    .take(limit)
                    .cloned()
                    .collect();
                for key in &old {
                    self.rollups.remove(key);
                }
                old.len()
            }
        };
        removed as u64
    }
}

/// The record as finely as every store keeps it, with figures that fit into an `i64`.
fn normalised(record: InvocationRecord) -> InvocationRecord {
    let bounded = |us: u64| us.min(i64::MAX.unsigned_abs());
    InvocationRecord {
        started_at: to_microsecond(record.started_at),
        queue_us: bounded(record.queue_us),
        boot_us: bounded(record.boot_us),
        init_us: bounded(record.init_us),
        run_us: bounded(record.run_us),
        total_us: bounded(record.total_us),
        ..record
    }
}
