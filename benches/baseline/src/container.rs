//! Containers by the docker command, as a prototype does it.

use std::io;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::process::Command;

/// The limits of the platform's sandboxes.
const LIMITS: &[&str] = &[
    "--network=none",
    "--memory=128m",
    "--memory-swap=128m",
    "--cpus=1",
    "--pids-limit=256",
    "--ulimit=nofile=1024",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--read-only",
    "--tmpfs=/tmp:size=32m",
    "--init",
];

/// The whole of a function that is given its event as an argument.
const PROGRAM: &str = "\
import json, sys
def handler(event, context): return event
print(json.dumps(handler(json.loads(sys.argv[1]), None)))";

/// A container, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Container {
    name: String,
}

impl Container {
    /// Starts a container in the background; `arguments` are further options of
    /// `docker run`, the image and the command.
    pub(crate) async fn start(oci_runtime: &str, arguments: &[&str]) -> io::Result<Self> {
        let container = Self::named();
        let options = ["--detach", "--log-driver=none"];
        container.run(oci_runtime, &options, arguments).await?;
        Ok(container)
    }

    fn named() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            name: format!("lambda-baseline-{}-{count}", std::process::id()),
        }
    }

    async fn run(
        &self,
        oci_runtime: &str,
        options: &[&str],
        arguments: &[&str],
    ) -> io::Result<Output> {
        let output = Command::new("docker")
            .args(["run", "--rm", "--name", &self.name])
            .args(["--runtime", oci_runtime])
            .args(LIMITS)
            .args(options)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!(
            "docker run --runtime {oci_runtime} failed: {}",
            said.trim()
        )))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; one that is gone already is no failure.
        let _ = std::process::Command::new("docker")
            .args(["rm", "--force", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// The way of the original: `docker run --rm` for one call. Returns what the function
/// printed.
///
/// # Errors
/// If Docker or the function fails.
///
/// # Cancellation
/// Removes the container.
pub async fn docker_run(oci_runtime: &str, image: &str, event: &str) -> io::Result<Vec<u8>> {
    let container = Container::named();
    let arguments = [image, "python3", "-c", PROGRAM, event];
    let output = container.run(oci_runtime, &[], &arguments).await?;
    // It has removed itself.
    std::mem::forget(container);
    Ok(output.stdout)
}
