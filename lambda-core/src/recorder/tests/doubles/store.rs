//! A store that fails on demand.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::model::*;
use crate::recorder::tests::{Entries, by_id};
use crate::runtime::Finding;
use crate::store::*;

/// How a [`FaultyStore`] takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Not reachable.
    Down,
    /// Never answers.
    Hangs,
    /// Commits, and then the connection breaks.
    CommitsAndFails,
    /// A fault of its own, whatever it is given.
    Broken,
    Panics,
}

/// Keeps records as the memory store does, if its mood allows; and refuses batches with a
/// record of a function named `poison` (`InvalidParameter`) or `puzzle` (`Internal`).
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    mood: Mutex<Mood>,
    calls: AtomicU64,
    largest: AtomicUsize,
    log: Option<Mutex<File>>,
}

impl FaultyStore {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            mood: Mutex::new(mood),
            calls: AtomicU64::new(0),
            largest: AtomicUsize::new(0),
            log: None,
        })
    }

    /// One that outlives its process: it writes to a file what it has committed.
    pub(crate) fn logging(path: &Path) -> Arc<Self> {
        let log = OpenOptions::new().append(true).create(true).open(path);
        Arc::new(Self {
            inner: MemoryStore::new(),
            mood: Mutex::new(Mood::Well),
            calls: AtomicU64::new(0),
            largest: AtomicUsize::new(0),
            log: Some(Mutex::new(log.unwrap())),
        })
    }

    /// What the stores that logged to `path` have committed, as often as it was sent.
    pub(crate) fn committed(path: &Path) -> Vec<RequestId> {
        let (mut committed, mut batch) = (Vec::new(), Vec::new());
        for line in std::fs::read_to_string(path).unwrap().lines() {
            match line {
                "begin" => batch.clear(),
                "commit" => committed.append(&mut batch),
                // Of a batch that ends in the middle, perhaps cut.
                id => batch.extend(id.parse::<RequestId>()),
            }
        }
        committed
    }

    fn commit(&self, ids: &[RequestId]) {
        if let Some(log) = &self.log {
            let ids: String = ids.iter().map(|id| format!("{id}\n")).collect();
            let batch = format!("\nbegin\n{ids}commit\n");
            log.lock().unwrap().write_all(batch.as_bytes()).unwrap();
        }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Calls so far, in whatever mood.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The largest batch that was tried.
    pub(crate) fn largest_batch(&self) -> usize {
        self.largest.load(Ordering::SeqCst)
    }

    /// Everything that is kept; each id is there once.
    pub(crate) async fn kept(&self) -> Entries {
        let mut request = ListInvocations::first(Namespace::default(), limits::PAGE_MAX);
        let mut entries = Vec::new();
        loop {
            let page = self.inner.invocation_list(request.clone()).await.unwrap();
            for record in page.items {
                let found = self
                    .inner
                    .invocation_get(&record.namespace, record.request_id);
                entries.push(found.await.unwrap());
            }
            match page.next {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
        }
        let count = entries.len();
        let entries = by_id(entries);
        assert_eq!(entries.len(), count, "a record is kept twice");
        // Figures are counted by another path than records are kept.
        let summary = SummarizeInvocations::all(Namespace::default());
        let summary = self.inner.invocation_summary(summary).await.unwrap();
        assert_eq!(summary.totals.calls, count as u64, "figures differ");
        entries
    }
}

fn refuses(entries: &[InvocationEntry]) -> Result<()> {
    for entry in entries {
        match entry.record.function_name.as_str() {
            "poison" => return Err(Error::invalid("invocation_append", "It is poison.")),
            "puzzle" => return Err(Error::internal("invocation_append", "It is a puzzle.")),
            _ => {}
        }
    }
    Ok(())
}

fn unavailable() -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        "invocation_append",
        "The database is away.",
    )
}

#[async_trait]
impl Store for FaultyStore {
    async fn invocation_append(&self, request: AppendInvocations) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.largest
            .fetch_max(request.entries.len(), Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Down => return Err(unavailable()),
            Mood::Hangs => std::future::pending().await,
            Mood::Broken => return Err(Error::internal("invocation_append", "It is broken.")),
            Mood::Panics => panic!("a store that panics"),
            Mood::Well | Mood::CommitsAndFails => {}
        }
        refuses(&request.entries)?;
        let ids: Vec<_> = (request.entries.iter())
            .map(|entry| entry.record.request_id)
            .collect();
        self.inner.invocation_append(request).await?;
        self.commit(&ids);
        match mood {
            Mood::CommitsAndFails => Err(unavailable()),
            _ => Ok(()),
        }
    }

    async fn package_put(&self, _: PutPackage) -> Result<()> {
        unreachable!()
    }
    async fn package_get(&self, _: PackageDigest) -> Result<Package> {
        unreachable!()
    }
    async fn function_create(&self, _: CreateFunction) -> Result<Function> {
        unreachable!()
    }
    async fn function_get(&self, _: &FunctionSelector) -> Result<Function> {
        unreachable!()
    }
    async fn function_list(&self, _: ListFunctions) -> Result<Page<Function>> {
        unreachable!()
    }
    async fn function_update(&self, _: UpdateFunction) -> Result<Function> {
        unreachable!()
    }
    async fn function_delete(&self, _: &Namespace, _: FunctionId) -> Result<()> {
        unreachable!()
    }
    async fn version_list(&self, _: ListVersions) -> Result<Page<Function>> {
        unreachable!()
    }
    async fn alias_set(&self, _: SetAlias) -> Result<Function> {
        unreachable!()
    }
    async fn alias_list(&self, _: &Namespace, _: FunctionId) -> Result<Vec<Alias>> {
        unreachable!()
    }
    async fn alias_delete(&self, _: DeleteAlias) -> Result<()> {
        unreachable!()
    }
    async fn invocation_get(&self, _: &Namespace, _: RequestId) -> Result<InvocationEntry> {
        unreachable!()
    }
    async fn invocation_list(&self, _: ListInvocations) -> Result<Page<InvocationRecord>> {
        unreachable!()
    }
    async fn invocation_summary(&self, _: SummarizeInvocations) -> Result<InvocationSummary> {
        unreachable!()
    }
    async fn invocation_expire(&self, _: ExpireInvocations) -> Result<u64> {
        unreachable!()
    }
    async fn token_create(&self, _: Token) -> Result<()> {
        unreachable!()
    }
    async fn token_find(&self, _: TokenDigest) -> Result<Option<Token>> {
        unreachable!()
    }
    async fn token_list(&self) -> Result<Vec<Token>> {
        unreachable!()
    }
    async fn token_delete(&self, _: TokenId) -> Result<()> {
        unreachable!()
    }
    async fn check(&self) -> Result<Vec<Finding>> {
        unreachable!()
    }
    async fn close(&self) {}
}
