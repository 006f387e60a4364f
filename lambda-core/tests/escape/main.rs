//! The escape suite: some five hundred attempts per runtime to get out of a sandbox, or to leave
//! a trace (threats 1, 3, 7, 8, 9, 14, 16 and 23 of docs/SECURITY.md).
//!
//! A hostile function (`attempts/`, in Python) tries them all and says what came of each. What it
//! says is compared with what is declared beside the attempt, and is not believed: the host, a
//! neighbouring sandbox and the next invocation are looked at before and after. What was tried
//! and what came of it is written to `escape-<runtime>.tsv` in cargo's directory for test files.
#![cfg(feature = "docker")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "shared with the tests of the container runtimes")]
#[path = "../container_runtime/support.rs"]
mod support;

mod alone;
mod decoys;
mod forged;
mod host;
mod hostile;
mod neighbour;
mod report;

use lambda_core::model::FunctionConfig;
use serde_json::{Value, json};

use std::path::{Path, PathBuf};

use decoys::Decoys;
use host::Snapshot;
use hostile::Hostile;
use neighbour::Neighbour;
use report::Report;
use support::{Bench, PYTHON, handler};

/// Fewer, and the suite has lost some.
const ATTEMPTS_MIN: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_escapes_docker() {
    nothing_escapes("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_escapes_gvisor() {
    nothing_escapes("gvisor").await;
}

async fn nothing_escapes(runtime: &str) {
    let Some(bench) = Bench::open(runtime).await else {
        return;
    };
    let mut decoys = Decoys::set_up(bench.data_dir.path());
    let neighbour = Neighbour::start(&bench).await;
    decoys.watch(programs(bench.data_dir.path()));
    let before = Snapshot::take();
    let world = world(runtime, &bench, &decoys, &neighbour);
    let mut report = Report::new(runtime);

    let hostile = Hostile::start(&bench, &config()).await;
    let mut groups = hostile.groups().await;
    groups.retain(|group| group != alone::GROUP);
    let at_first = hostile.see().await;
    for group in &groups {
        report.add(hostile.attempt(group, &world).await);
        assert_eq!(
            hostile.see().await,
            at_first,
            "the invocation after {group:?}"
        );
        neighbour.expect_untouched().await;
    }
    let user = hostile.user().await;
    hostile.destroy(&decoys.secret).await;
    host::expect_no_process_of(user).await;

    alone::run(&bench, &world, &mut report, &decoys.secret).await;
    forged::run(&bench, &mut report, &decoys.secret).await;

    neighbour.expect_untouched().await;
    neighbour.destroy().await;
    bench.expect_clean().await;
    decoys.expect_untouched();
    before.expect_unchanged().await;
    report.judge(ATTEMPTS_MIN);
}

fn config() -> FunctionConfig {
    let mut config = handler(PYTHON);
    config.memory_mib = 256;
    config.tmp_mib = Some(32);
    config
}

/// Programs of the host's that run in sandboxes or make them.
fn programs(data_dir: &Path) -> Vec<PathBuf> {
    let mut programs: Vec<PathBuf> = ["docker-init", "tini-static", "runc", "runsc"]
        .iter()
        .flat_map(|name| {
            ["/usr/bin", "/usr/sbin", "/usr/libexec/docker"].map(|at| Path::new(at).join(name))
        })
        .filter(|path| path.is_file())
        .collect();
    assert!(
        !programs.is_empty(),
        "Docker's init is not where it is expected"
    );
    let mut directories = vec![data_dir.join("bootstrap")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                programs.push(path);
            }
        }
    }
    programs
}

/// What an attacker would have to find out, handed over: names, addresses and numbers.
fn world(runtime: &str, bench: &Bench, decoys: &Decoys, neighbour: &Neighbour) -> Value {
    let mut world = json!({
        "runtime": runtime,
        "data_dir": bench.data_dir.path(),
        "host_pid": std::process::id(),
        "neighbour_abstract": neighbour.abstract_name(),
        "neighbour_port": neighbour.port(),
    });
    let told = decoys.told();
    world.as_object_mut().unwrap().extend(told);
    world
}
