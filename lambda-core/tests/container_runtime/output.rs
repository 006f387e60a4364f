//! Output is complete when the reply is there, live before, and bounded.

use std::time::Duration;

use lambda_core::output::{LogStream, OutputCapture};
use lambda_core::runtime::SandboxReply;

use crate::for_each_runtime;
use crate::support::{JAVASCRIPT, PYTHON, event, handler, stderr, stdout};

/// A little less than what is kept of a stream.
const LINES: usize = 10_000;
const LINE: usize = 100;

for_each_runtime! {
    async fn a_megabyte_per_call_is_complete_and_counted_to_its_call(bench: &Bench) {
        for (language, code) in [
            (PYTHON, "import sys\ndef handler(event, context):\n    for i in range(event['lines']):\n        sys.stdout.write(f'{i:099}\\n')\n    sys.stderr.write('end')\n"),
            (JAVASCRIPT, "exports.handler = async (event) => {\n  for (let i = 0; i < event.lines; i++) process.stdout.write(String(i).padStart(99, '0') + '\\n');\n  process.stderr.write('end');\n};\n"),
        ] {
            let running = bench.start(&handler(language), code).await;
            for _ in 0..5 {
                let (reply, output) = running.invoke(&format!("{{\"lines\":{LINES}}}")).await;
                assert!(matches!(reply, SandboxReply::Response(_)), "{reply:?}");
                let text = output.text(LogStream::Stdout);
                assert_eq!((text.text.len(), text.truncated), (LINES * LINE, false));
                assert!(text.text.ends_with(&format!("{:099}\n", LINES - 1)));
                assert_eq!(stderr(&output), "end");
                let (_, output) = running.invoke("{\"lines\":1}").await;
                assert_eq!(stdout(&output).len(), LINE);
            }
            running.destroy().await;
        }
    }

    async fn child_processes_write_to_the_same_place(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import subprocess\ndef handler(event, context):\n    subprocess.run(['sh', '-c', 'echo out; echo err >&2'], check=True)\n").await;
        let (_, output) = running.invoke("{}").await;
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("out\n", "err\n"));
        running.destroy().await;
    }

    async fn output_is_live(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import time\ndef handler(event, context):\n    print('begun')\n    time.sleep(60)\n").await;
        let output = OutputCapture::new();
        let mut reader = output.reader();
        let call = running.sandbox.invoke(event("{}"), &output);
        tokio::select! {
            reply = call => panic!("{reply:?}"),
            chunk = reader.next() => assert_eq!(&chunk.unwrap().bytes[..], b"begun\n"),
        }
        running.destroy().await;
    }

    async fn what_is_written_between_calls_is_counted_to_the_next(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import threading\nlate = threading.Event()\ndef write():\n    late.wait()\n    print('late', flush=True)\nthreading.Thread(target=write, daemon=True).start()\ndef handler(event, context):\n    if event.get('first'):\n        threading.Timer(0.1, late.set).start()\n").await;
        let (_, output) = running.invoke("{\"first\":true}").await;
        assert_eq!(stdout(&output), "");
        tokio::time::sleep(Duration::from_millis(400)).await;
        let (_, output) = running.invoke("{}").await;
        assert_eq!(stdout(&output), "late\n");
        running.destroy().await;
    }

    async fn a_flood_is_cut_and_the_reply_comes(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import os\ndef handler(event, context):\n    block = b'x' * 65536\n    for _ in range(event['blocks']):\n        os.write(1, block)\n    return 'done'\n").await;
        let (reply, output) = running.invoke("{\"blocks\":640}").await;
        assert_eq!(reply, SandboxReply::Response("\"done\"".into()));
        let text = output.text(LogStream::Stdout);
        assert_eq!((text.text.len(), text.truncated), (1024 * 1024, true));
        let (_, output) = running.invoke("{\"blocks\":0}").await;
        assert_eq!(stdout(&output), "");
        running.destroy().await;
    }

    async fn a_function_that_closes_its_streams_still_answers(bench: &Bench) {
        let running = bench.start(&handler(PYTHON), "import os\ndef handler(event, context):\n    os.close(1)\n    os.close(2)\n    return 1\n").await;
        assert_eq!(running.call("{}").await, "1");
        running.destroy().await;
    }
}
