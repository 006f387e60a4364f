//! What an operator decides about containers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::Language;

/// A warm Python handler answers within 20 to 35 us under runc and 60 to 130 us in gVisor, and up to
/// twice as late where its core has been idle.
const BUSY_POLL: Duration = Duration::from_micros(250);

/// At most this may be asked for: it is a core's time.
const BUSY_POLL_MAX: Duration = Duration::from_millis(1);

/// How the Docker and gVisor runtimes use this machine.
///
/// ```
/// use lambda_core::runtime::ContainerOptions;
///
/// let mut options = ContainerOptions::new("/var/lib/my-app");
/// options.allowed_images.insert("python:3.13-slim".to_owned());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerOptions {
    /// Where sandboxes' sockets and FIFOs and our bootstraps are. Made if missing. Docker
    /// must see the same path, so it is a directory of this machine, not of a container.
    pub data_dir: PathBuf,
    /// Docker's socket. None: what `DOCKER_HOST` names if that is a Unix socket, else
    /// `/var/run/docker.sock`.
    pub docker_socket: Option<PathBuf>,
    /// The image of Python functions that name none (default `lambda-python`).
    pub python_image: String,
    /// The image of JavaScript functions that name none (default `lambda-javascript`).
    pub javascript_image: String,
    /// The images that functions may name, besides the two default ones. Each needs `sh`
    /// and `python3` (3.9 or later) or `node` (18 or later).
    pub allowed_images: BTreeSet<String>,
    /// The Docker networks that functions may name. None by default.
    pub allowed_networks: BTreeSet<String>,
    /// Whether /tmp is emptied after each invocation (default: what one leaves there, the next
    /// one of the same function version finds).
    pub clear_tmp: bool,
    /// Whether what idles is frozen by its own cgroup, where this process may (default). Without
    /// it, or where it may not, Docker pauses what runs under runc, and gVisor is not frozen.
    pub cgroup_freezer: bool,
    /// How long a thread looks for a sandbox's answer again and again before it waits for it
    /// (default 250 us; zero: never). Waking a thread takes longer than a small function does, so
    /// this halves the time of a warm call. Under runc, Python in the sandbox looks for its next
    /// invocation likewise, for at most 20 us. Nothing is looked for like this while more than half
    /// as many sandboxes are at work as the machine has cores, and only now and then where a
    /// function has been seen to take longer.
    pub busy_poll: Duration,
    /// Under which name Docker knows runc (default `runc`).
    pub runc: String,
    /// Under which name Docker knows gVisor (default `runsc`).
    pub runsc: String,
}

impl ContainerOptions {
    /// Every default, with `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            docker_socket: None,
            python_image: "lambda-python".to_owned(),
            javascript_image: "lambda-javascript".to_owned(),
            allowed_images: BTreeSet::new(),
            allowed_networks: BTreeSet::new(),
            clear_tmp: false,
            cgroup_freezer: true,
            busy_poll: BUSY_POLL,
            runc: "runc".to_owned(),
            runsc: "runsc".to_owned(),
        }
    }

    /// The image of functions in `language` that name none.
    #[must_use]
    pub fn default_image(&self, language: Language) -> &str {
        match language {
            Language::Python => &self.python_image,
            Language::Javascript => &self.javascript_image,
        }
    }

    /// Where Docker's socket is.
    pub(crate) fn resolve_socket(&self) -> Result<PathBuf> {
        if let Some(path) = &self.docker_socket {
            return Ok(path.clone());
        }
        match std::env::var("DOCKER_HOST") {
            Ok(host) if !host.is_empty() => match host.strip_prefix("unix://") {
                Some(path) => Ok(PathBuf::from(path)),
                None => Err(Error::invalid(
                    "runtime_connect",
                    "`DOCKER_HOST` is not a Unix socket: sandboxes need Docker on this very machine.",
                )
                .hint("Unset `DOCKER_HOST`, or set it to `unix:///var/run/docker.sock`.")),
            },
            _ => Ok(PathBuf::from("/var/run/docker.sock")),
        }
    }

    /// Checks what could undo the isolation of sandboxes, or use up the machine.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.busy_poll > BUSY_POLL_MAX {
            return Err(Error::invalid(
                "runtime_connect",
                format!(
                    "`busy_poll` is at most {} microseconds.",
                    BUSY_POLL_MAX.as_micros()
                ),
            )
            .hint("Leave it out: what takes longer is better waited for."));
        }
        for network in &self.allowed_networks {
            // `host` and `container:x` are no networks but ways around the isolation.
            let is_name = network
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
                && network.starts_with(|c: char| c.is_ascii_alphanumeric());
            if !is_name || ["host", "none", "default"].contains(&network.as_str()) {
                return Err(Error::invalid(
                    "runtime_connect",
                    format!("{network:?} cannot be an allowed network."),
                )
                .hint("List networks by name, as `docker network ls` shows them; `host` is never allowed."));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_are_ways_around_the_isolation_are_refused() {
        let mut options = ContainerOptions::new("/tmp/x");
        options.allowed_networks.insert("egress_1".to_owned());
        options.validate().unwrap();
        for bad in ["host", "container:abc", "none", "", "a b", "-x"] {
            let mut options = options.clone();
            options.allowed_networks.insert(bad.to_owned());
            assert!(options.validate().is_err(), "{bad:?}");
        }
    }
}
