//! What is left behind.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::docker::{Daemon, docker};

/// Docker takes some seconds over many sandboxes, and a look at them is repeated meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Left {
    sandboxes: Vec<String>,
    /// Run directories, with sockets and pipes in them, and parts of dead owners.
    files: Vec<PathBuf>,
    processes: Vec<String>,
    mounts: Vec<String>,
    cgroups: Vec<PathBuf>,
}

impl Left {
    fn is_empty(&self) -> bool {
        self.sandboxes.is_empty()
            && self.files.is_empty()
            && self.processes.is_empty()
            && self.mounts.is_empty()
            && self.cgroups.is_empty()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#?}")
    }
}

/// Waits until nothing of dead platforms is left, while one lives on `data_dir`.
pub(crate) async fn wait_for_the_dead(data_dir: &Path) {
    wait("nothing of dead platforms is left", || {
        let dead = dead_owners(data_dir);
        let listed = docker(&[
            "ps",
            "-a",
            "--format",
            "{{.ID}} {{.Label \"lambda-platform.owner\"}}",
        ]);
        let is_of_dead = |text: &str| dead.iter().any(|owner| text.ends_with(owner));
        Left {
            sandboxes: listed.into_iter().filter(|line| is_of_dead(line)).collect(),
            files: owners_with_run_dirs(data_dir)
                .into_iter()
                .filter(|path| is_of_dead(path.to_str().unwrap()))
                .collect(),
            ..Left::default()
        }
    })
    .await;
}

/// Waits until nothing is left of any platform on `data_dir`; none is running.
pub(crate) async fn wait_for_all(data_dir: &Path, daemon: &Daemon) {
    let (root, cgroup) = (daemon.root().to_str().unwrap(), daemon.cgroup());
    wait("nothing of any platform is left", || Left {
        sandboxes: docker(&["ps", "-aq"]),
        files: [
            owners_with_run_dirs(data_dir),
            children(&data_dir.join("owners")),
        ]
        .concat(),
        processes: processes(root, &cgroup),
        mounts: mounts(root),
        cgroups: children(Path::new("/sys/fs/cgroup"))
            .into_iter()
            .flat_map(|controller| children(&controller.join(&cgroup)))
            .chain(children(&Path::new("/sys/fs/cgroup").join(&cgroup)))
            .filter(|path| path.is_dir())
            .collect(),
    })
    .await;
}

async fn wait(what: &str, look: impl Fn() -> Left) {
    let begin = Instant::now();
    loop {
        let left = look();
        if left.is_empty() {
            return;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "{what} within {PATIENCE:?}, but there is {left}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn dead_owners(data_dir: &Path) -> Vec<String> {
    let owners = children(&data_dir.join("owners")).into_iter();
    owners
        .filter(|owner| owner.join("dead").exists())
        .map(|owner| owner.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn owners_with_run_dirs(data_dir: &Path) -> Vec<PathBuf> {
    let runtimes = children(&data_dir.join("run")).into_iter();
    runtimes.flat_map(|runtime| children(&runtime)).collect()
}

/// In the daemon's cgroups, or working for it; the daemon itself and its containerd aside.
fn processes(root: &str, cgroup: &str) -> Vec<String> {
    let found = children(Path::new("/proc"))
        .into_iter()
        .filter_map(|process| {
            let command = fs::read_to_string(process.join("cmdline"))
                .ok()?
                .replace('\0', " ");
            let program = command.split(' ').next()?.rsplit('/').next()?;
            let cgroups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
            let is_the_daemon = ["dockerd", "containerd"].contains(&program);
            let is_ours = cgroups.contains(cgroup) || (command.contains(root) && !is_the_daemon);
            is_ours.then(|| format!("{}: {command}", process.display()))
        });
    found.collect()
}

/// Of containers.
fn mounts(root: &str) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points
        .filter_map(|point| Some((point, point.strip_prefix(root)?)))
        // The daemon's own, which last as long as it does.
        .filter(|(_, below)| !["/data", "/exec", "/data/overlay2"].contains(below))
        // To create a container, the daemon mounts a layer of its own for a moment and fills it.
        // One that is killed in that moment forgets the mount; no container refers to it, so that
        // nobody but Docker could know it.
        .filter(|(_, below)| !below.ends_with("-init/merged"))
        .map(|(point, _)| point.to_owned())
        .collect()
}
