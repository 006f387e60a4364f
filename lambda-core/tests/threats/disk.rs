//! A function that fills all that it can write to fills its own memory, and no disk (threat 23).

use std::path::Path;
use std::time::Duration;

use lambda_core::model::Status;
use serde_json::Value;

use crate::for_each_runtime;
use crate::support::{Bench, docker};
use crate::{World, result};

/// Fills each directory with bytes and then with empty files, until that is refused.
const FILL: &str = r#"
import errno, os

def fill(action):
    try:
        for n in range(event_most):
            action(n)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "no end"

def handler(event, context):
    global event_most
    event_most = event["most"]
    ends = {}
    for directory in event["directories"]:
        path = directory + "/fill"
        try:
            with open(path, "wb", buffering=0) as file:
                ends[directory] = fill(lambda n: file.write(bytes(1 << 20)))
            os.unlink(path)
        except OSError as error:
            ends[directory] = errno.errorcode[error.errno]
    return ends
"#;

/// Makes empty files without end: they are nothing but inodes.
const INODES: &str = r#"
import os

def handler(event, context):
    os.mkdir("/tmp/inodes")
    for n in range(10_000_000):
        os.close(os.open(f"/tmp/inodes/{n}", os.O_CREAT | os.O_WRONLY))
"#;

/// Those that can be written, and those that cannot.
const WRITABLE: [&str; 3] = ["/tmp", "/var/task", "/dev/shm"];
const OTHERS: [&str; 7] = [
    "",
    "/etc",
    "/var",
    "/run",
    "/run/lambda",
    "/var/runtime",
    "/home",
];

/// What the platform itself writes meanwhile: its journal, its store.
const DISK_BYTES_MAX: u64 = 4 << 20;

/// All that is below a directory, in bytes and files.
fn below(directory: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    // What vanishes meanwhile takes no room.
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                let (more, inner) = below(&path);
                (bytes, files) = (bytes + more, files + inner + 1);
            }
            Ok(found) => (bytes, files) = (bytes + found.len(), files + 1),
            Err(_) => {}
        }
    }
    (bytes, files)
}

pub(crate) fn bytes_below(directory: &Path) -> u64 {
    below(directory).0
}

/// Docker keeps no log of the sandboxes that there are, and nothing that they would have written.
pub(crate) async fn expect_nothing_written(bench: &Bench) {
    let data_dir = bench.data_dir.path().canonicalize().unwrap();
    let data_dir = data_dir.to_str().unwrap();
    let format = "{{.ID}} {{.Mounts}}";
    let listed = docker(&["ps", "-a", "--no-trunc", "--format", format]).await;
    let own: Vec<_> = listed
        .iter()
        .filter(|line| line.contains(data_dir))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(!own.is_empty(), "the sandbox is gone: {listed:?}");
    for id in own {
        let format = "{{.SizeRw}} {{.HostConfig.LogConfig.Type}} {{.LogPath}}";
        let found = docker(&["inspect", "--size", "--format", format, id]).await;
        assert_eq!(found, ["0 none "], "written bytes, log driver, log file");
        // Docker's diff is of paths, of empty ones too.
        let changed = docker(&["diff", id]).await;
        let made: Vec<_> = changed
            .iter()
            .filter(|line| line.contains("fill"))
            .collect();
        assert!(made.is_empty(), "{made:?}");
    }
}

for_each_runtime! {
    async fn what_a_function_fills_is_its_own_memory_and_no_disk(bench: &Bench) {
        let world = World::open(bench).await;
        let function = world.deploy("fill", FILL, 128).await;
        let patient = Duration::from_secs(20);
        world.call(function, r#"{"directories":[],"most":1}"#, patient).await;
        let (bytes, files) = below(bench.data_dir.path());
        let directories: Vec<_> = WRITABLE.iter().chain(&OTHERS).collect();
        let event = serde_json::json!({ "directories": directories, "most": 4_096 });
        let outcome = world.call(function, &event.to_string(), patient).await;
        assert!(outcome.is_success(), "{outcome:?}");
        let ends: Value = serde_json::from_str(result(&outcome)).unwrap();
        for directory in WRITABLE {
            assert_eq!(ends[directory], "ENOSPC", "{directory:?}: {ends}");
        }
        for directory in OTHERS {
            let end = ends[directory].as_str().unwrap();
            assert!(["EROFS", "EACCES", "EPERM", "ENOENT"].contains(&end), "{directory:?}: {ends}");
        }
        expect_nothing_written(bench).await;
        let after = below(bench.data_dir.path());
        assert!(after.0.saturating_sub(bytes) < DISK_BYTES_MAX, "{bytes} bytes, then {after:?}");
        assert!(after.1.saturating_sub(files) < 100, "{files} files, then {after:?}");

        // Inodes count as memory: they end the sandbox, or there is no room left.
        let inodes = world.deploy("inodes", INODES, 128).await;
        let outcome = world.call(inodes, "{}", patient).await;
        let error = outcome.error.as_ref().map_or("", |error| &error.message);
        assert!(outcome.status == Status::OutOfMemory || error.contains("No space left"), "{outcome:?}");
        let after = below(bench.data_dir.path());
        assert!(after.1.saturating_sub(files) < 100, "{files} files, then {after:?}");
        world.close().await;
    }
}
