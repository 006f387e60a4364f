//! Ends: by itself, and by force, with the proof that nothing is left (threat 20).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lambda_core::model::Termination;
use lambda_core::output::OutputCapture;
use lambda_core::runtime::{SandboxEnd, SandboxReply};

use crate::for_each_runtime;
use crate::support::{
    Bench, JAVASCRIPT, PYTHON, Running, docker, event, handler, script, stderr, stdout,
};

for_each_runtime! {
    async fn exits_and_signals_are_told(bench: &Bench) {
        for (body, end) in [
            ("os._exit(7)", SandboxEnd::Exited(7)),
            ("sys.exit(3)", SandboxEnd::Exited(3)),
            ("os.kill(os.getpid(), signal.SIGSEGV)", SandboxEnd::Signaled(11)),
            ("ctypes.string_at(0)", SandboxEnd::Signaled(11)),
        ] {
            let code = format!("import ctypes, os, signal, sys\ndef handler(event, context):\n    print('last words')\n    {body}\n");
            let running = bench.start(&handler(PYTHON), &code).await;
            let (reply, output) = running.invoke("{}").await;
            assert_eq!(reply, SandboxReply::Ended, "{body}");
            assert_eq!(running.sandbox.ended().await, end, "{body}");
            assert_eq!(stdout(&output), "last words\n", "{body}");
            assert!(!running.sandbox.is_alive());
            running.destroy().await;
        }
        let code = "exports.handler = async () => { console.log('last words'); process.exit(9); };\n";
        let running = bench.start(&handler(JAVASCRIPT), code).await;
        let (reply, output) = running.invoke("{}").await;
        assert_eq!(reply, SandboxReply::Ended);
        assert_eq!(running.sandbox.ended().await, SandboxEnd::Exited(9));
        assert_eq!(stdout(&output), "last words\n");
        running.destroy().await;
    }

    async fn a_script_killed_by_a_signal_leaves_the_sandbox_alive(bench: &Bench) {
        let running = bench.start(&script(PYTHON), "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n").await;
        for _ in 0..2 {
            assert_eq!(running.invoke("[]").await.0, SandboxReply::Signaled(15));
        }
        running.destroy().await;
    }

    async fn a_spinner_dies(bench: &Bench) {
        kill(bench, "while True: pass").await;
    }

    async fn one_that_ignores_signals_dies(bench: &Bench) {
        kill(bench, "for n in range(1, 64):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nprint('x'); time.sleep(60)").await;
    }

    async fn a_double_forker_dies_with_its_children(bench: &Bench) {
        kill(bench, "for _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            while True: pass\n        os._exit(0)\ntime.sleep(60)").await;
    }

    async fn a_fork_bomb_dies(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import os\ndef handler(event, context):\n    while True:\n        try: os.fork()\n        except OSError: pass\n").await;
        let output = OutputCapture::new();
        let bomb = running.sandbox.invoke(event("{}"), &output);
        let reply = tokio::time::timeout(Duration::from_secs(2), bomb).await;
        // It runs on, or its memory was not enough for it.
        assert!(matches!(reply, Err(_) | Ok(Ok(SandboxReply::OutOfMemory))), "{reply:?}");
        let inside = processes(&running).await;
        let started = Instant::now();
        let termination = running.sandbox.destroy().await;
        assert!(started.elapsed() < Duration::from_secs(1));
        running.sandbox.removed().await;
        assert!(inside.iter().all(|pid| !is_alive(*pid)), "{termination:?}");
    }

    async fn destroying_twice_and_dropping_are_harmless(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "def handler(event, context): pass\n").await;
        let (first, second) = tokio::join!(running.sandbox.destroy(), running.sandbox.destroy());
        assert_eq!((first, second), (Termination::Confirmed, Termination::Confirmed));
        running.destroy().await;
        // Dropped without a word: its end begins all the same.
        drop(bench.start(&handler(PYTHON), "def handler(event, context): pass\n").await);
        bench.expect_clean().await;
    }

    async fn one_that_closes_its_connection_is_not_alive(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import os, time\ndef handler(event, context):\n    os.closerange(3, 100)\n    time.sleep(60)\n").await;
        let (reply, _) = running.invoke("{}").await;
        assert_eq!(reply, SandboxReply::Ended);
        assert!(!running.sandbox.is_alive());
        assert_eq!(running.sandbox.ended().await, SandboxEnd::Unknown);
        running.destroy().await;
    }
}

/// Runs `body` in a handler and kills it; then everything must be dead when that is said.
async fn kill(bench: &Bench, body: &str) {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    let code = format!(
        "import os, signal, time\ndef handler(event, context):\n    print('begun')\n{body}"
    );
    let running = bench.start(&handler(PYTHON), &code).await;
    let output = OutputCapture::new();
    let call = running.sandbox.invoke(event("{}"), &output);
    let early = tokio::time::timeout(Duration::from_millis(500), call).await;
    assert!(early.is_err(), "{early:?}");
    let inside = processes(&running).await;
    assert!(!inside.is_empty());

    let started = Instant::now();
    assert_eq!(running.sandbox.destroy().await, Termination::Confirmed);
    let alive: Vec<_> = inside.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(alive.is_empty(), "alive after it was confirmed: {alive:?}");
    assert!(started.elapsed() < Duration::from_secs(1));

    running.sandbox.drain(&output);
    assert!(
        stdout(&output).starts_with("begun\n"),
        "{}",
        stderr(&output)
    );
    running.sandbox.removed().await;
}

/// The host's ids of all processes of a sandbox.
async fn processes(running: &Running) -> BTreeSet<u32> {
    let name = format!("lambda-{}", running.sandbox.id());
    let id = docker(&["inspect", "--format", "{{.Id}}", &name])
        .await
        .remove(0);
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let Some(pid) = entry
            .ok()
            .and_then(|entry| entry.file_name().to_str()?.parse().ok())
        else {
            continue;
        };
        if std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .is_ok_and(|text| text.contains(&id))
        {
            found.insert(pid);
        }
    }
    found
}

fn is_alive(pid: u32) -> bool {
    // A zombie is dead; the third field, after the name in brackets, is the state.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        !matches!(state, Some('Z' | 'X'))
    })
}
