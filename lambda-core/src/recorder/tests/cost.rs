//! What a record costs its invocation. Not a test of CI, whose machines are too noisy for
//! microseconds: `cargo test --release -p lambda-core --all-features --lib recorder::tests::cost
//! -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::InvocationOutput;
use crate::recorder::{Recorder, RecorderOptions};
use crate::store::MemoryStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn of_a_record() {
    // Beside the build: /tmp may be a file system in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let options = RecorderOptions::new(directory.path().join("journal"));
    let recorder = Recorder::start(options, Arc::new(MemoryStore::new())).unwrap();
    let measured = recorder.clone();
    let task = tokio::spawn(async move {
        for (pause_us, calls) in [(0, 100_000), (60, 30_000), (60, 30_000), (2_000, 500)] {
            measure(&measured, "", Duration::from_micros(pause_us), calls);
        }
        measure(
            &measured,
            &"x".repeat(4096),
            Duration::from_micros(60),
            10_000,
        );
    });
    task.await.unwrap();
    recorder.close(Duration::from_secs(10)).await;
}

/// How fast a backlog is read and handed on; the store does next to nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn of_a_backlog() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let store = super::FaultyStore::new(super::Mood::Down);
    let recorder = super::start(directory.path(), &store);
    super::record(&recorder, 200_000);
    store.set(super::Mood::Well);
    let began = Instant::now();
    super::until("all is there", || super::pending(&recorder) == 0).await;
    let (took, largest) = (began.elapsed(), store.largest_batch());
    println!("200,000 records in {took:?}, in batches of at most {largest}");
    recorder.close(Duration::from_secs(10)).await;
}

fn measure(recorder: &Recorder, stdout: &str, pause: Duration, calls: usize) {
    let mut times: Vec<_> = (0..calls)
        .map(|_| {
            let mut entry = super::entry();
            entry.output = InvocationOutput::new(stdout, "", None);
            let began = Instant::now();
            recorder.record(&entry);
            let took = began.elapsed();
            // Like a caller that is busy: sleeping would measure the waking up.
            while began.elapsed() < pause {
                std::hint::spin_loop();
            }
            took
        })
        .collect();
    times.sort_unstable();
    let at = |permille: usize| times[calls * permille / 1_000];
    println!(
        "{} bytes, every {pause:?}: p10 {:?}, p50 {:?}, p90 {:?}, p99 {:?}, p99.9 {:?}",
        stdout.len(),
        at(100),
        at(500),
        at(900),
        at(990),
        at(999),
    );
}
