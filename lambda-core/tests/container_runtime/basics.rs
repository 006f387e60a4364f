//! The life of a sandbox in which all goes well.

use lambda_core::runtime::SandboxReply;

use crate::for_each_runtime;
use crate::support::{JAVASCRIPT, PYTHON, handler, script, stdout};

for_each_runtime! {
    async fn handlers_answer(bench: &Bench) {
        for (language, code) in [
            (PYTHON, "def handler(event, context):\n    print('seen', event['n'])\n    return event\n"),
            (JAVASCRIPT, "exports.handler = async (event) => { console.log('seen', event.n); return event; };\n"),
        ] {
            let running = bench.start(&handler(language), code).await;
            for n in 0..20 {
                let (reply, output) = running.invoke(&format!("{{\"n\":{n}}}")).await;
                let SandboxReply::Response(body) = reply else { panic!("{reply:?}") };
                assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["n"], n);
                assert_eq!(stdout(&output), format!("seen {n}\n"));
                assert!(running.sandbox.is_alive());
            }
            let peak = running.sandbox.memory_peak_mib().await.unwrap();
            assert!((5..=128).contains(&peak), "{peak} MiB");
            assert!(!bench.leftovers().await.is_empty());
            running.destroy().await;
        }
    }

    async fn scripts_run_in_processes_of_their_own(bench: &Bench) {
        for (language, code) in [
            (PYTHON, "import os, sys\nprint(f'Hello, {sys.argv[1]}!')\nprint(os.getpid(), file=sys.stderr)\nsys.exit(int(sys.argv[2]))\n"),
            (JAVASCRIPT, "console.log(`Hello, ${process.argv[2]}!`);\nconsole.error(process.pid);\nprocess.exit(Number(process.argv[3]));\n"),
        ] {
            let running = bench.start(&script(language), code).await;
            for code in [0, 3] {
                let (reply, output) = running.invoke(&format!("[\"Alice\",\"{code}\"]")).await;
                assert_eq!(reply, SandboxReply::Exited(code));
                assert_eq!(stdout(&output), "Hello, Alice!\n");
            }
            running.destroy().await;
        }
    }
}
