//! A Docker daemon that may be killed: with its own containerd, data, socket and cgroups.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a start may take that has to end what its killed predecessor left running: Docker gives
/// containers ten seconds before it kills them.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command may take, in seconds; loading the images takes the longest, on a slow disk.
const PATIENCE_OF_CLIENT: &str = "150";

pub(crate) struct Daemon {
    root: PathBuf,
    process: Child,
}

impl Daemon {
    /// In the directory that `LAMBDA_TORTURE_DOCKER` names; `DOCKER_HOST` is its socket. Both are
    /// set by `scripts/torture.sh`, which also cleans up should this process be killed.
    pub(crate) async fn start() -> Self {
        let root = std::env::var_os("LAMBDA_TORTURE_DOCKER").expect("scripts/torture.sh sets it");
        let root = PathBuf::from(root);
        let process = launch(&root);
        let mut daemon = Self { root, process };
        daemon.wait().await;
        // The last of the archive.
        if docker(&["images", "-q", "lambda-javascript"]).is_empty() {
            let images = daemon.root.join("images.tar");
            docker(&["load", "-i", images.to_str().unwrap()]);
        }
        daemon
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The parent of its containers' cgroups.
    pub(crate) fn cgroup(&self) -> String {
        cgroup(&self.root)
    }

    /// SIGKILL; its containerd dies with it, the sandboxes do not.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let begin = Instant::now();
        while containerd_runs(&self.root) {
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "the killed daemon's containerd has not ended within 10 s"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Once it was killed.
    pub(crate) async fn restart(&mut self) {
        self.process = launch(&self.root);
        self.wait().await;
    }

    async fn wait(&mut self) {
        let begin = Instant::now();
        let log = self.root.join("log");
        while !answers() {
            if let Some(end) = self.process.try_wait().unwrap() {
                panic!("the Docker daemon has ended ({end}); see {}", log.display());
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "the Docker daemon did not answer within {PATIENCE:?} of its start; see {}",
                log.display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(15) {
            if self.process.try_wait().is_ok_and(|end| end.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn cgroup(root: &Path) -> String {
    root.file_name().unwrap().to_str().unwrap().to_owned()
}

fn launch(root: &Path) -> Child {
    // They name what was killed. Docker would take them for signs of life where the numbers are
    // in use again, or where nobody has fetched the dead's exit codes yet.
    for pid_file in ["pid", "exec/containerd/containerd.pid"] {
        let _ = std::fs::remove_file(root.join(pid_file));
    }
    let at = |name: &str| root.join(name).display().to_string();
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(root.join("log"))
        .unwrap();
    // In a network namespace of its own: one without a bridge would take down that of the machine's
    // own daemon.
    Command::new("unshare")
        .args(["--net", "dockerd", "--config-file", &at("daemon.json")])
        .args(["--data-root", &at("data")])
        .args(["--exec-root", &at("exec"), "--pidfile", &at("pid")])
        .args(["--host", &format!("unix://{}", at("docker.sock"))])
        .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
        .arg(format!("--cgroup-parent=/{}", cgroup(root)))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn containerd_runs(root: &Path) -> bool {
    let pid = std::fs::read_to_string(root.join("exec/containerd/containerd.pid"));
    // That of a process that has ended, and whose exit code nobody has fetched, is empty.
    let command = pid.and_then(|pid| std::fs::read(format!("/proc/{}/cmdline", pid.trim())));
    command.is_ok_and(|command| command.starts_with(b"containerd\0"))
}

fn answers() -> bool {
    let asked = Command::new("timeout")
        .args(["5", "docker", "version", "--format", "{{.Server.Version}}"])
        .stdin(Stdio::null())
        .output();
    asked.unwrap().status.success()
}

/// Lines of what Docker's client prints.
pub(crate) fn docker(args: &[&str]) -> Vec<String> {
    let done = Command::new("timeout")
        .args([PATIENCE_OF_CLIENT, "docker"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "docker {args:?} within {PATIENCE_OF_CLIENT} s: {done:?}"
    );
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}
