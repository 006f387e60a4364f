//! A fork bomb leaves the host responsive (threat 18).

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lambda_core::model::FunctionId;

use crate::for_each_runtime;
use crate::{World, length};

const CODE: &str = r#"
import os
def handler(event, context):
    while True:
        if event["bomb"]:
            try:
                os.fork()
            except OSError:
                pass
"#;

/// How much slower the host may start a process than beside a function that burns its CPU.
const RATIO_MAX: f64 = 2.0;

/// A machine that others use as well may have a bad moment.
const ROUNDS: usize = 3;

/// The median time to start a process and see it end, while `function` runs.
async fn fork_latency(world: &World, function: FunctionId, event: &str) -> Duration {
    let seconds = length("LAMBDA_TEST_BOMB_SECONDS", 3);
    let limit = Duration::from_secs(seconds);
    let measuring = tokio::task::spawn_blocking(move || {
        let end = Instant::now() + limit.mul_f64(0.8);
        let mut times = Vec::new();
        while Instant::now() < end {
            let started = Instant::now();
            Command::new("true").stdin(Stdio::null()).status().unwrap();
            times.push(started.elapsed());
        }
        times.sort();
        times[times.len() / 2]
    });
    let (outcome, median) = tokio::join!(world.call(function, event, limit), measuring);
    assert!(!outcome.is_success(), "{outcome:?}");
    median.unwrap()
}

for_each_runtime! {
    async fn a_fork_bomb_leaves_the_host_responsive(bench: &Bench) {
        let world = World::open(bench).await;
        let function = world.deploy("bomb", CODE, 256).await;
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let spinner = fork_latency(&world, function, r#"{"bomb":false}"#).await;
            let bomb = fork_latency(&world, function, r#"{"bomb":true}"#).await;
            ratios.push(bomb.as_secs_f64() / spinner.as_secs_f64());
            if ratios.last().is_some_and(|ratio| *ratio < RATIO_MAX) {
                break;
            }
        }
        println!("{}: beside a fork bomb a process takes {ratios:.2?} times as long as beside a spinner", bench.runtime.name());
        assert!(ratios.iter().any(|ratio| *ratio < RATIO_MAX), "{ratios:?}");
        world.close().await;
    }
}
