//! What becomes of a sandbox between two invocations.

use std::time::{Duration, Instant};

use lambda_core::model::{Language, Termination};
use lambda_core::runtime::{ContainerOptions, SandboxReply};

use crate::for_each_runtime;
use crate::support::{Bench, JAVASCRIPT, PYTHON, Running, docker, handler, stderr, stdout};

/// Loads with one child, leaves two more behind at each call, one of them in a session and under
/// a parent of its own, and returns how many there were when it began.
const LEAVES_CHILDREN: [(Language, &str); 2] = [
    (
        PYTHON,
        r#"
import os, subprocess
def sleepers():
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                count += file.read().startswith("sleep")
        except OSError:
            pass
    return count
subprocess.Popen(["sleep", "1000"])
def handler(event, context):
    before = sleepers()
    subprocess.Popen(["sleep", "2000"])
    subprocess.run(["sh", "-c", "setsid sleep 3000 &"])
    return before
"#,
    ),
    (
        JAVASCRIPT,
        r#"
const fs = require("fs");
const { spawn, execFileSync } = require("child_process");
function sleepers() {
    let count = 0;
    for (const pid of fs.readdirSync("/proc").filter(Number)) {
        try {
            if (fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep")) count++;
        } catch {}
    }
    return count;
}
spawn("sleep", ["1000"], { stdio: "ignore" }).unref();
exports.handler = async () => {
    const before = sleepers();
    spawn("sleep", ["2000"], { stdio: "ignore" }).unref();
    execFileSync("sh", ["-c", "setsid sleep 3000 &"], { stdio: "ignore" });
    return before;
};
"#,
    ),
];

/// Makes a pool of processes in its first call and keeps it.
const LAZY_POOL: &str = "
from concurrent.futures import ProcessPoolExecutor
pool = None
def handler(event, context):
    global pool
    pool = pool or ProcessPoolExecutor(1)
    return pool.submit(abs, -7).result()
";

for_each_runtime! {
    async fn a_pool_made_in_a_call_is_killed_which_is_said_unless_processes_are_kept(bench: &Bench) {
        let mut config = handler(PYTHON);
        let running = bench.start(&config, LAZY_POOL).await;
        let (reply, first) = running.invoke("{}").await;
        assert_eq!(reply, SandboxReply::Response("7".into()));
        let (reply, second) = running.invoke("{}").await;
        let SandboxReply::Failed(error) = reply else { panic!("{reply:?}") };
        assert_eq!(error.error_type, "BrokenProcessPool");
        // A host that reads the end of the first one's output late finds it there.
        let said = stderr(&first) + &stderr(&second);
        assert!(said.contains("were killed") && said.contains("keep_processes"), "{said}");
        running.destroy().await;

        config.keep_processes = true;
        let running = bench.start(&config, LAZY_POOL).await;
        for _ in 0..3 {
            let (reply, output) = running.invoke("{}").await;
            assert_eq!(reply, SandboxReply::Response("7".into()));
            assert_eq!(stderr(&output), "");
        }
        running.destroy().await;
    }

    async fn javascript_may_keep_its_processes_too(bench: &Bench) {
        let (_, code) = LEAVES_CHILDREN[1];
        let mut config = handler(JAVASCRIPT);
        for keeps in [false, true] {
            config.keep_processes = keeps;
            let running = bench.start(&config, code).await;
            let mut said = String::new();
            for earlier in 0..3 {
                let (reply, output) = running.invoke("{}").await;
                let SandboxReply::Response(count) = &reply else { panic!("{reply:?}") };
                let count: usize = std::str::from_utf8(count).unwrap().parse().unwrap();
                // The other child of a call may not be `sleep` yet.
                let least = if keeps { 1 + earlier } else { 1 };
                let most = if keeps { 1 + 2 * earlier } else { 1 };
                assert!((least..=most).contains(&count), "{count} after {earlier} calls");
                said += &stderr(&output);
            }
            assert_eq!(said.matches("were killed").count(), usize::from(!keeps), "{said}");
            running.destroy().await;
        }
    }

    async fn what_a_call_leaves_running_is_gone_and_what_the_module_started_is_not(bench: &Bench) {
        for (language, code) in LEAVES_CHILDREN {
            let running = bench.start(&handler(language), code).await;
            for _ in 0..5 {
                assert_eq!(running.call("{}").await, "1", "{language}");
            }
            running.destroy().await;
        }
    }

    async fn without_children_of_the_module_all_are_gone(bench: &Bench) {
        for (language, code) in LEAVES_CHILDREN {
            let code: String = code
                .lines()
                .filter(|line| !line.contains("1000"))
                .flat_map(|line| [line, "\n"])
                .collect();
            let running = bench.start(&handler(language), &code).await;
            for _ in 0..5 {
                assert_eq!(running.call("{}").await, "0", "{language}");
            }
            running.destroy().await;
        }
    }

    async fn a_frozen_sandbox_stands_still_thaws_and_dies(bench: &Bench) {
        let code = "
import threading, time
beats = [0]
def beat():
    while True:
        beats[0] += 1
        time.sleep(0.001)
threading.Thread(target=beat, daemon=True).start()
def handler(event, context):
    return beats[0]
";
        let running = bench.start(&handler(PYTHON), code).await;
        for _ in 0..20 {
            running.call("{}").await;
            assert!(running.sandbox.freeze().await, "this machine can freeze");
            assert!(running.sandbox.is_alive());
            let used = running.sandbox.cpu_time();
            tokio::time::sleep(Duration::from_millis(20)).await;
            let idle = running.sandbox.cpu_time().zip(used).map(|(after, before)| after - before);
            assert!(idle.is_none_or(|idle| idle < Duration::from_millis(5)), "{idle:?}");
            assert!(running.sandbox.thaw().await);
        }
        running.call("{}").await;
        assert!(running.sandbox.freeze().await);
        let began = Instant::now();
        assert_eq!(running.sandbox.destroy().await, Termination::Confirmed);
        running.sandbox.removed().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    async fn a_fresh_process_finds_the_code_loaded_and_nothing_else(bench: &Bench) {
        let python = "
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print('here')
    return calls
";
        let javascript = "
let calls = 0;
exports.handler = async () => { console.log('here'); return ++calls; };
";
        for (language, code) in [(PYTHON, python), (JAVASCRIPT, javascript)] {
            let mut config = handler(language);
            config.fresh_process = true;
            config.memory_mib = 256;
            let running = bench.start(&config, code).await;
            for _ in 0..5 {
                let (reply, output) = running.invoke("{}").await;
                assert_eq!(reply, SandboxReply::Response("1".into()), "{language}");
                assert_eq!(stdout(&output), "here\n");
            }
            running.destroy().await;
        }
    }

    async fn a_frozen_sandbox_of_a_dead_owner_is_removed(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "def handler(e, c): return 1\n").await;
        assert!(running.sandbox.freeze().await);
        let began = Instant::now();
        assert_eq!(bench.runtime.remove_owned(bench.owner).await.unwrap(), 1);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        running.destroy().await;
    }
}

/// Whether Docker says that it has paused it.
async fn is_paused(running: &Running) -> bool {
    let name = format!("lambda-{}", running.sandbox.id());
    docker(&["inspect", "--format", "{{.State.Paused}}", &name]).await == ["true"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_cgroups_may_not_be_written_to_docker_pauses_and_unpauses() {
    let without = |options: &mut ContainerOptions| options.cgroup_freezer = false;
    let Some(bench) = Bench::open_with("docker", without).await else {
        return;
    };
    let code = "def handler(event, context):\n    return 1\n";
    let running = bench.start(&handler(PYTHON), code).await;
    for _ in 0..3 {
        assert!(running.sandbox.freeze().await);
        assert!(is_paused(&running).await && running.sandbox.is_alive());
        assert!(running.sandbox.thaw().await);
        assert!(running.sandbox.thaw().await, "thawing twice is harmless");
        assert!(!is_paused(&running).await);
        assert_eq!(running.call("{}").await, "1");
    }
    // Paused: by us, by somebody else, and in the hands of a dead owner.
    assert!(running.sandbox.freeze().await);
    running.destroy().await;
    let running = bench.start(&handler(PYTHON), code).await;
    docker(&["pause", &format!("lambda-{}", running.sandbox.id())]).await;
    running.sandbox.destroy().await;
    running.sandbox.removed().await;
    let running = bench.start(&handler(PYTHON), code).await;
    assert!(running.sandbox.freeze().await);
    assert_eq!(bench.runtime.remove_owned(bench.owner).await.unwrap(), 1);
    running.destroy().await;
    bench.expect_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_cgroups_may_not_be_written_to_gvisor_is_not_frozen() {
    let without = |options: &mut ContainerOptions| options.cgroup_freezer = false;
    let Some(bench) = Bench::open_with("gvisor", without).await else {
        return;
    };
    let code = "def handler(event, context):\n    return 1\n";
    let running = bench.start(&handler(PYTHON), code).await;
    assert!(
        !running.sandbox.freeze().await,
        "Docker's pause does not stop it"
    );
    assert!(!is_paused(&running).await);
    assert_eq!(running.call("{}").await, "1");
    running.destroy().await;
    bench.expect_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tmp_is_kept_or_cleared_as_the_operator_says() {
    let code = "
import os
def handler(event, context):
    before = sorted(os.listdir('/tmp'))
    os.makedirs('/tmp/a/b', exist_ok=True)
    open('/tmp/c', 'w').close()
    return before
";
    let javascript = "
const fs = require('fs');
exports.handler = async () => {
    const before = fs.readdirSync('/tmp').sort();
    fs.mkdirSync('/tmp/a/b', { recursive: true });
    fs.writeFileSync('/tmp/c', '');
    return before;
};
";
    for name in ["docker", "gvisor"] {
        for clears in [false, true] {
            let Some(bench) = Bench::open_with(name, |options| options.clear_tmp = clears).await
            else {
                continue;
            };
            for (language, code) in [(PYTHON, code), (JAVASCRIPT, javascript)] {
                let running = bench.start(&handler(language), code).await;
                running.call("{}").await;
                let left = if clears { "[]" } else { r#"["a","c"]"# };
                let found = running.call("{}").await.replace(' ', "");
                assert_eq!(found, left, "{name} {language}");
                running.destroy().await;
            }
            bench.expect_clean().await;
        }
    }
}
