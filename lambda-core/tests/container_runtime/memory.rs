//! Out of memory is told from every other end (threat 19).

use std::time::Duration;

use lambda_core::output::OutputCapture;
use lambda_core::runtime::{SandboxEnd, SandboxReply};

use crate::for_each_runtime;
use crate::support::{Bench, JAVASCRIPT, PYTHON, docker, event, handler, script, stdout};

const GROW: &str = "held = []\nwhile True:\n    held.append(bytearray(4 << 20))\n";

for_each_runtime! {
    async fn a_handler_that_takes_too_much(bench: &Bench) {
        let code = format!("def handler(event, context):\n    print('before')\n{}", indent(GROW));
        let running = bench.start(&handler(PYTHON), &code).await;
        let (reply, output) = running.invoke("{}").await;
        assert_eq!(reply, SandboxReply::OutOfMemory);
        assert_eq!(stdout(&output), "before\n");
        assert_eq!(running.sandbox.ended().await, SandboxEnd::OutOfMemory);
        assert!(running.sandbox.memory_peak_mib().await.unwrap() > 100);
        running.destroy().await;

        // Outside of Node's heap, which has a limit of its own.
        let code = "exports.handler = async () => { const held = []; for (;;) held.push(Buffer.alloc(4 << 20, 1)); };\n";
        let running = bench.start(&handler(JAVASCRIPT), code).await;
        let (reply, _) = running.invoke("{}").await;
        assert_eq!(reply, SandboxReply::OutOfMemory);
        running.destroy().await;
    }

    async fn the_peak_is_known_though_the_cgroup_is_gone_before_it_is_read(bench: &Bench) {
        // Later than the first look at its answer, which is a long one.
        let exit = "import os, time\ntime.sleep(0.05)\nos._exit(1)\n";
        assert!(!is_known_to_lack_memory(bench, exit).await);
        // Docker hears of it from the cgroup too, and of some not before that is gone.
        for _ in 0..5 {
            if is_known_to_lack_memory(bench, GROW).await {
                return;
            }
        }
        panic!("Docker missed five lacks of memory");
    }

    async fn a_child_of_a_handler_that_takes_too_much(bench: &Bench) {
        let code = format!("import subprocess, sys\ndef handler(event, context):\n    return subprocess.run([sys.executable, '-c', {GROW:?}]).returncode\n");
        let running = bench.start(&handler(PYTHON), &code).await;
        let (reply, _) = running.invoke("{}").await;
        assert_eq!(reply, SandboxReply::OutOfMemory);
        assert!(reply.is_final());
        running.destroy().await;
    }

    async fn a_script_that_takes_too_much(bench: &Bench) {
        let running = bench.start(&script(PYTHON), GROW).await;
        let (reply, _) = running.invoke("[]").await;
        assert_eq!(reply, SandboxReply::OutOfMemory);
        running.destroy().await;
    }

    async fn files_in_tmp_count(bench: &Bench) {
        let code = "def handler(event, context):\n    with open('/tmp/big', 'wb') as file:\n        for _ in range(event['mib']):\n            file.write(bytes(1 << 20))\n";
        let mut config = handler(PYTHON);
        config.tmp_mib = Some(8);
        let running = bench.start(&config, code).await;
        let (reply, _) = running.invoke("{\"mib\":9}").await;
        let SandboxReply::Failed(error) = reply else { panic!("{reply:?}") };
        assert!(error.message.contains("No space left"), "{error:?}");
        running.destroy().await;
    }

    async fn loading_code_that_takes_too_much(bench: &Bench) {
        let sandbox = bench.runtime.create(bench.request(&handler(PYTHON))).await.unwrap();
        let running = crate::support::Running { sandbox };
        let reply = running.initialize(&handler(PYTHON), GROW, &OutputCapture::new()).await;
        assert_eq!(reply, SandboxReply::OutOfMemory);
        running.destroy().await;
    }
}

fn indent(code: &str) -> String {
    code.lines().map(|line| format!("    {line}\n")).collect()
}

/// Runs a handler that dies, and looks at it when its cgroup is gone: whether it is known then that it
/// lacked memory, from Docker's word.
async fn is_known_to_lack_memory(bench: &Bench, body: &str) -> bool {
    let code = format!("def handler(event, context):\n{}", indent(body));
    let running = bench.start(&handler(PYTHON), &code).await;
    let output = OutputCapture::new();
    let mut call = running.sandbox.invoke(event("{}"), &output);
    // Sent, and then not looked at until nothing is left: the host is overloaded.
    assert!(futures_util::poll!(&mut call).is_pending());
    while running.sandbox.cpu_time().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reply = call.await.unwrap();
    let name = format!("lambda-{}", running.sandbox.id());
    let said = docker(&["inspect", "--format", "{{.State.OOMKilled}}", &name]).await;
    let lacked_memory = said == ["true"];
    assert_eq!(
        reply == SandboxReply::OutOfMemory,
        lacked_memory,
        "{reply:?}"
    );
    let peak = running.sandbox.memory_peak_mib().await;
    let expected = if lacked_memory { 128..=128 } else { 1..=127 };
    assert!(
        peak.is_some_and(|peak| expected.contains(&peak)),
        "{peak:?}"
    );
    running.destroy().await;
    lacked_memory
}
