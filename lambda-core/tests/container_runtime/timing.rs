//! How long the steps of a sandbox's life take. Not a test: run it in a release build with
//! `cargo test --release --test container_runtime timing -- --ignored --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use crate::support::{Bench, JAVASCRIPT, PYTHON, handler};

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort();
    println!(
        "{name:<32} p50 {:>9.3} ms  p90 {:>9.3} ms",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() * 9 / 10].as_secs_f64() * 1e3
    );
}

async fn time(name: &str) {
    let Some(bench) = Bench::open(name).await else {
        return;
    };
    for (language, code) in [
        (PYTHON, "def handler(event, context):\n    return event\n"),
        (JAVASCRIPT, "exports.handler = async (event) => event;\n"),
    ] {
        let config = handler(language);
        let (mut create, mut init, mut warm, mut destroy) = (vec![], vec![], vec![], vec![]);
        for _ in 0..8 {
            let request = bench.request(&config);
            let started = Instant::now();
            let sandbox = bench.runtime.create(request).await.unwrap();
            create.push(started.elapsed());
            let running = crate::support::Running { sandbox };
            let started = Instant::now();
            running.initialize(&config, code, &Default::default()).await;
            running.call("{}").await;
            init.push(started.elapsed());
            for _ in 0..500 {
                let started = Instant::now();
                running.call("{\"a\":1}").await;
                warm.push(started.elapsed());
            }
            let started = Instant::now();
            running.sandbox.destroy().await;
            destroy.push(started.elapsed());
            running.sandbox.removed().await;
        }
        let name = format!("{name} {language}");
        show(&format!("{name} create"), create);
        show(&format!("{name} initialize + first"), init);
        show(&format!("{name} warm invoke"), warm);
        show(&format!("{name} destroy"), destroy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn all() {
    time("docker").await;
    time("gvisor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "shows the findings about this machine"]
async fn findings() {
    for name in ["docker", "gvisor"] {
        let Some(bench) = Bench::open(name).await else {
            continue;
        };
        let started = Instant::now();
        bench.runtime.check(false).await;
        println!("{name}: looked in {:?}", started.elapsed());
        let started = Instant::now();
        for finding in bench.runtime.check(true).await {
            println!(
                "{:?} {}: {}",
                finding.severity, finding.subject, finding.detail
            );
        }
        println!("{name}: checked in {:?}", started.elapsed());
    }
}
