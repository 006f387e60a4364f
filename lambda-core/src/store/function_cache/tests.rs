//! On a clock that stands still until it is moved.

use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use super::*;
use crate::model::{FunctionConfig, FunctionName, FunctionRef, Language, Namespace};

/// How the store answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Works,
    Fails,
    Hangs,
    HasNone,
}

/// A store of one function, whose version counts the reads.
struct Fixture {
    cache: FunctionCache,
    selector: FunctionSelector,
    id: FunctionId,
    mood: Arc<Mutex<Mood>>,
    reads: Arc<AtomicU32>,
}

impl Fixture {
    fn new() -> Self {
        let name = FunctionName::new("f").unwrap();
        let reads = Arc::new(AtomicU32::new(0));
        let mood = Arc::new(Mutex::new(Mood::Works));
        let id = FunctionId::new();
        let (counter, answer, named) = (Arc::clone(&reads), Arc::clone(&mood), name.clone());
        let cache = FunctionCache::of(move |selector| {
            let version = counter.fetch_add(1, Ordering::Relaxed) + 1;
            let mood = *answer.lock().unwrap();
            let mut function = Function::first_version(
                selector.namespace,
                id,
                named.clone(),
                FunctionConfig::new(Language::Python),
                Vec::new(),
                jiff::Timestamp::UNIX_EPOCH,
            );
            function.version = version;
            async move {
                match mood {
                    Mood::Works => Ok(function),
                    Mood::Fails => {
                        Err(Error::new(ErrorKind::StoreUnavailable, "test", "It fails."))
                    }
                    Mood::HasNone => Err(Error::new(ErrorKind::NotFound, "test", "It is gone.")),
                    Mood::Hangs => std::future::pending().await,
                }
            }
            .boxed()
        });
        Self {
            cache,
            selector: FunctionSelector::current(Namespace::default(), FunctionRef::Name(name)),
            id,
            mood,
            reads,
        }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The number of the read that the answer is from.
    async fn get(&self) -> Result<u32, ErrorKind> {
        let found = self.cache.get(&self.selector).await;
        found
            .map(|function| function.version)
            .map_err(|error| error.kind())
    }

    fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }
}

async fn pass(time: Duration) {
    tokio::time::advance(time).await;
    // Lets what was spawned run.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_called_often_is_never_waited_for_nor_too_old() {
    let fixture = Fixture::new();
    let mut last = Instant::now();
    let mut seen = fixture.get().await.unwrap();
    for _ in 0..100 {
        pass(Duration::from_millis(50)).await;
        let version = fixture.get().await.unwrap();
        if version != seen {
            (seen, last) = (version, Instant::now());
        }
        assert!(last.elapsed() < STALENESS_MAX);
    }
    // About two reads a second in five seconds.
    assert!((8..=12).contains(&fixture.reads()), "{}", fixture.reads());
}

#[tokio::test(start_paused = true)]
async fn one_that_was_not_called_for_long_is_read_anew() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get().await, Ok(1));
    pass(STALENESS_MAX).await;
    assert_eq!(fixture.get().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_at_once() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get().await, Ok(1));
    assert_eq!(fixture.get().await, Ok(1));
    fixture.cache.forget(FunctionId::new());
    assert_eq!(fixture.get().await, Ok(1), "another function's change");
    fixture.cache.forget(fixture.id);
    assert_eq!(fixture.get().await, Ok(2));
    fixture.set(Mood::HasNone);
    fixture.cache.forget(fixture.id);
    assert_eq!(fixture.get().await, Err(ErrorKind::NotFound));
}

#[tokio::test(start_paused = true)]
async fn one_that_others_deleted_is_gone_within_the_bound() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get().await, Ok(1));
    fixture.set(Mood::HasNone);
    pass(REFRESH_AFTER).await;
    // This one has it read anew in the background.
    assert_eq!(fixture.get().await, Ok(1));
    pass(Duration::from_millis(1)).await;
    assert_eq!(fixture.get().await, Err(ErrorKind::NotFound));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_changes_nothing() {
    for mood in [Mood::Fails, Mood::Hangs] {
        let fixture = Fixture::new();
        assert_eq!(fixture.get().await, Ok(1));
        fixture.set(mood);
        for _ in 0..50 {
            pass(Duration::from_millis(700)).await;
            assert_eq!(fixture.get().await, Ok(1), "{mood:?}");
        }
        // Asked now and then only: a hanging store is waited for as rarely.
        assert!(fixture.reads() < 60, "{}", fixture.reads());
        fixture.set(Mood::Works);
        // A try that still hangs, and the next one.
        pass(OUTAGE_PATIENCE).await;
        pass(OUTAGE_RETRY).await;
        let _ = fixture.get().await;
        pass(Duration::from_millis(1)).await;
        assert!(fixture.get().await.unwrap() > 1, "{mood:?}");

        fixture.set(mood);
        fixture.cache.forget(fixture.id);
        if mood == Mood::Fails {
            assert_eq!(fixture.get().await, Err(ErrorKind::StoreUnavailable));
        }
    }
}
