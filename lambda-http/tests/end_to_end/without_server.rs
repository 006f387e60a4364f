//! Functions from the command line, while no server runs.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::server::{containers, runtimes};

const SLOW_PY: &str = "import time\nprint('begun', flush=True)\ntime.sleep(100)\n";

fn lambda(data_dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lambda"));
    command
        .args(args)
        .args(["--url", "http://127.0.0.1:1", "--data-dir"])
        .arg(data_dir)
        .current_dir(data_dir)
        .env_remove("LAMBDA_TOKEN")
        .stdin(Stdio::null());
    command
}

fn done(data_dir: &Path, args: &[&str]) -> Output {
    let output = lambda(data_dir, args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn functions_run_and_are_recorded_and_nothing_is_left() {
    for runtime in runtimes() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path();
        let hello = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../examples/functions/hello.py"
        );
        done(data_dir, &["deploy", hello, "--runtime", runtime]);
        let answered = done(data_dir, &["invoke", "hello", "Alice"]);
        assert_eq!(text(&answered.stdout).trim(), "Hello, Alice!");
        assert!(text(&done(data_dir, &["logs", "hello"]).stdout).contains("Hello, Alice!"));
        assert!(containers(data_dir).is_empty());
    }
}

#[test]
fn an_interrupt_kills_what_runs() {
    if runtimes().is_empty() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    std::fs::write(data_dir.join("slow.py"), SLOW_PY).unwrap();
    done(data_dir, &["deploy", "slow.py", "--timeout-ms", "120000"]);
    let running = lambda(data_dir, &["invoke", "slow"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while containers(data_dir).is_empty() {
        assert!(Instant::now() < deadline, "no sandbox was started");
        std::thread::sleep(Duration::from_millis(50));
    }
    let id = running.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert!(containers(data_dir).is_empty());
}
