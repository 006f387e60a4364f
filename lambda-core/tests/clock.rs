//! The clock that can be set jumps by a day, back and forth: deadlines, queues and what is kept
//! warm go by the one that cannot (threat 38).
//!
//! The jumps are made by a small library that is put before the C library, in a process of its
//! own: the machine's clock is everybody's.

#![cfg(feature = "conformance")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lambda_core::model::{RuntimeName, StartKind, Status};
use lambda_core::pool::PoolOptions;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ExecuteRequest, NewFunction, Platform};

/// Says to a child what it is.
const CHILD: &str = "LAMBDA_TEST_CLOCK_CHILD";

const DAY: Duration = Duration::from_secs(86_400);

/// Adds a day, nothing, or takes one away, in turn, each for a tenth of a second.
const JUMPY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static int (*real)(clockid_t, struct timespec *);

static long jump(void) {
    struct timespec now;
    real(CLOCK_MONOTONIC, &now);
    return 86400L * ((now.tv_sec * 10 + now.tv_nsec / 100000000) % 3 - 1);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, out);
    if (result == 0 && clock == CLOCK_REALTIME) out->tv_sec += jump();
    return result;
}
"#;

/// Builds the library. The linker of Rust programs is a C compiler.
fn build(directory: &Path) -> std::path::PathBuf {
    let (source, library) = (directory.join("jumpy.c"), directory.join("jumpy.so"));
    std::fs::write(&source, JUMPY).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .expect("a C compiler");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    library
}

#[test]
fn a_clock_that_jumps_by_a_day_changes_no_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child", "--nocapture"])
        .env("LD_PRELOAD", build(directory.path()))
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(said.contains("the clock jumped"), "{said}");
}

/// The platform, in a process whose clock jumps.
#[tokio::test]
async fn the_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    expect_jumps();
    let root = tempfile::tempdir().unwrap();
    let mut pool = PoolOptions::default();
    pool.prewarmed = 0;
    let platform = Platform::builder()
        .data_dir(root.path())
        .pool(pool)
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await
        .unwrap();
    let new = NewFunction::python("f", "fake:sleep")
        .unwrap()
        .handler("case.handler");
    let function = platform.deploy(new).await.unwrap();
    let mut start = StartKind::Cold;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        // Well within its limit, and in the sandbox that was kept warm.
        let request = ExecuteRequest::new(function.id)
            .event(r#"{"ms":40}"#)
            .timeout(Duration::from_secs(2));
        let outcome = platform.execute(request).await.unwrap();
        assert_eq!((outcome.status, outcome.start), (Status::Success, start));
        assert!(
            outcome.timings.total < Duration::from_secs(2),
            "{:?}",
            outcome.timings
        );
        start = StartKind::Warm;
    }
    for _ in 0..4 {
        let started = Instant::now();
        let request = ExecuteRequest::new(function.id)
            .event(r#"{"ms":60000}"#)
            .timeout(Duration::from_millis(250));
        let outcome = platform.execute(request).await.unwrap();
        assert_eq!(outcome.status, Status::Timeout);
        let taken = started.elapsed();
        let expected = Duration::from_millis(250)..Duration::from_millis(2_000);
        assert!(expected.contains(&taken), "{taken:?}");
    }
    platform.close().await;
    assert_eq!(
        lambda_core::recorder::survey(root.path())
            .unwrap()
            .owners
            .len(),
        0
    );
}

fn expect_jumps() {
    let (wall, monotonic) = (SystemTime::now(), Instant::now());
    while monotonic.elapsed() < Duration::from_secs(1) {
        let now = SystemTime::now();
        let is_far = match now.duration_since(wall) {
            Ok(later) => later > DAY / 2,
            Err(earlier) => earlier.duration() > DAY / 2,
        };
        if is_far {
            println!("the clock jumped");
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the clock does not jump");
}
