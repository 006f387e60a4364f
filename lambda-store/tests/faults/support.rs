//! A platform under load, and the count of what it answered against what is kept.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_store::model::{Namespace, RequestId, RuntimeName};
use lambda_store::runtime::fake::FakeRuntime;
use lambda_store::store::{ListInvocations, SummarizeInvocations};
use lambda_store::{ExecuteRequest, NewFunction, Platform, Result, Store};

pub(crate) const FUNCTION: &str = "echo";

/// A number out of the environment.
pub(crate) fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Whether the test run insists on this back end.
pub(crate) fn is_required(name: &str) -> bool {
    let required = std::env::var("LAMBDA_TEST_REQUIRE").unwrap_or_default();
    required.split(',').any(|own| own == name)
}

/// A platform on sandboxes that are acted out, with one function deployed.
pub(crate) async fn platform(data_dir: &Path, store: Arc<dyn Store>) -> Platform {
    let platform = Platform::builder()
        .data_dir(data_dir)
        .store(store)
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .drain_timeout(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    let function = NewFunction::python(FUNCTION, "fake:echo").unwrap();
    platform
        .deploy(function.handler("case.handler"))
        .await
        .unwrap();
    platform
}

/// Executes the function once, and returns the id of what was answered.
pub(crate) async fn call(platform: &Platform) -> Result<RequestId> {
    let request = ExecuteRequest::named(FUNCTION)?.event("{\"name\":\"Alice\"}");
    let outcome = platform.execute(request).await?;
    assert!(outcome.is_success(), "{outcome:?}");
    Ok(outcome.request_id)
}

/// Callers that go on until they are told to stop.
pub(crate) struct Load {
    stop: Arc<std::sync::atomic::AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<(Vec<RequestId>, Duration)>>,
}

impl Load {
    /// `callers` of them, each with a pause of a millisecond between two calls.
    pub(crate) fn start(platform: &Platform, callers: usize) -> Self {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let callers = (0..callers)
            .map(|_| {
                let (platform, stop) = (platform.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let (mut answered, mut slowest) = (Vec::new(), Duration::ZERO);
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let begin = Instant::now();
                        answered.push(call(&platform).await.unwrap());
                        slowest = slowest.max(begin.elapsed());
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    (answered, slowest)
                })
            })
            .collect();
        Self { stop, callers }
    }

    /// The ids of all that was answered, and how long the slowest answer took.
    pub(crate) async fn stop(self) -> (HashSet<RequestId>, Duration) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let (mut all, mut slowest) = (HashSet::new(), Duration::ZERO);
        for caller in self.callers {
            let (answered, own) = caller.await.unwrap();
            for id in answered {
                assert!(all.insert(id), "an id is given once");
            }
            slowest = slowest.max(own);
        }
        (all, slowest)
    }
}

/// What is kept, counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) records: usize,
    /// Answered, and not there.
    pub(crate) lost: usize,
    /// Listed more than once, or counted more often in the figures than listed.
    pub(crate) doubled: usize,
}

impl Kept {
    /// Everything is there, once.
    pub(crate) fn all(records: usize) -> Self {
        Self {
            records,
            lost: 0,
            doubled: 0,
        }
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            records,
            lost,
            doubled,
        } = self;
        write!(f, "{records} records there, {lost} lost, {doubled} doubled")
    }
}

pub(crate) async fn count(store: &dyn Store, answered: &HashSet<RequestId>) -> Kept {
    let mut found = HashSet::new();
    let mut doubled = 0;
    let mut request = ListInvocations::first(Namespace::default(), 1_000);
    loop {
        let page = store.invocation_list(request.clone()).await.unwrap();
        for record in page.items {
            doubled += usize::from(!found.insert(record.request_id));
        }
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    let all = SummarizeInvocations::all(Namespace::default());
    let summary = store.invocation_summary(all).await.unwrap();
    let calls = usize::try_from(summary.totals.calls).unwrap();
    assert!(
        calls >= found.len(),
        "{calls} are counted, {} are there",
        found.len()
    );
    let by_function: u64 = summary.functions.iter().map(|f| f.summary.calls).sum();
    assert_eq!(summary.totals.calls, by_function, "by function");
    Kept {
        records: found.len(),
        lost: answered.difference(&found).count(),
        doubled: doubled + (calls - found.len()),
    }
}

/// Waits until all that was answered is kept.
pub(crate) async fn wait_until_kept(store: &dyn Store, answered: &HashSet<RequestId>) -> Kept {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let kept = count(store, answered).await;
        if kept.lost == 0 || Instant::now() > deadline {
            return kept;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until no record waits in the journal any more. A busy machine may have left many.
pub(crate) async fn wait_until_moved(platform: &Platform) {
    let deadline = Instant::now() + Duration::from_secs(600);
    loop {
        let status = platform.recorder_status().unwrap();
        if (status.pending_records, status.pending_bytes) == (0, 0) {
            return;
        }
        assert!(Instant::now() < deadline, "records wait still: {status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
