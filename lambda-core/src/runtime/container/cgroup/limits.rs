//! Whether the kernel holds a container to the limits that Docker was asked for. Docker accepts
//! them whatever becomes of them: runsc with `--ignore-cgroups` drops all three, and nobody says so.

use std::fs;
use std::path::Path;

use rustix::process::Pid;

use super::{Version, locate, tables};

/// What a container may use at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: u64,
    pub(crate) pids: u64,
    pub(crate) cpus: f64,
}

/// The quota is in whole microseconds.
const CPU_TOLERANCE: f64 = 1.01;

type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Limits {
    /// The limits that do not hold for the container whose main process is `pid`. What this
    /// process may not look at is not among them.
    pub(crate) fn missing(&self, pid: Pid, container_id: &str) -> Vec<&'static str> {
        let read = |path: &Path| fs::read_to_string(path).ok();
        match tables(pid) {
            Ok((own, mounts)) => self.missing_in(&own, &mounts, container_id, &read),
            Err(_) => Vec::new(),
        }
    }

    fn missing_in(
        &self,
        own: &str,
        mounts: &str,
        container_id: &str,
        read: Read<'_>,
    ) -> Vec<&'static str> {
        let mut missing = Vec::new();
        for controller in ["memory", "pids", "cpu"] {
            let Some(location) = locate(own, mounts, controller) else {
                continue;
            };
            let is_the_containers = location.path.to_string_lossy().contains(container_id);
            let file = |name: &str| read(&location.path.join(name));
            let holds = is_the_containers
                && match controller {
                    "memory" => self.memory_holds(location.version, &file),
                    "pids" => holds(file("pids.max"), self.pids),
                    _ => self.cpus_hold(location.version, &file),
                };
            if !holds {
                missing.push(controller);
            }
        }
        missing
    }

    fn memory_holds(&self, version: Version, file: &dyn Fn(&str) -> Option<String>) -> bool {
        let name = match version {
            Version::V1 => "memory.limit_in_bytes",
            Version::V2 => "memory.max",
        };
        holds(file(name), self.memory_bytes)
    }

    fn cpus_hold(&self, version: Version, file: &dyn Fn(&str) -> Option<String>) -> bool {
        let (quota, period) = match version {
            Version::V1 => (file("cpu.cfs_quota_us"), file("cpu.cfs_period_us")),
            Version::V2 => match file("cpu.max") {
                Some(both) => match both.split_once(' ') {
                    Some((quota, period)) => (Some(quota.to_owned()), Some(period.to_owned())),
                    None => (None, None),
                },
                None => (None, None),
            },
        };
        let (Some(quota), Some(period)) = (quota, period) else {
            return true;
        };
        // "max" in version 2, -1 in version 1: there is none.
        match (quota.trim().parse::<f64>(), period.trim().parse::<f64>()) {
            (Ok(quota), Ok(period)) => quota > 0.0 && quota / period <= self.cpus * CPU_TOLERANCE,
            _ => false,
        }
    }
}

/// Whether a file says at most `most`; "max" is more. One that cannot be read says nothing.
fn holds(text: Option<String>, most: u64) -> bool {
    text.is_none_or(|text| text.trim().parse::<u64>().is_ok_and(|limit| limit <= most))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ID: &str = "0f3a6d1c9b2e4f5a8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b";

    const LIMITS: Limits = Limits {
        memory_bytes: 128 << 20,
        pids: 256,
        cpus: 0.5,
    };

    const V1_MOUNTS: &str = "30 25 0:26 / /cg/memory rw - cgroup cgroup rw,memory\n\
                             31 25 0:27 / /cg/pids rw - cgroup cgroup rw,pids\n\
                             32 25 0:28 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";

    const V2_MOUNTS: &str = "30 25 0:26 / /cg rw - cgroup2 cgroup2 rw\n";

    fn missing(own: &str, mounts: &str, files: &[(&str, &str)]) -> Vec<&'static str> {
        let files: HashMap<_, _> = files
            .iter()
            .map(|(path, text)| (path.replace("ID", ID), (*text).to_owned()))
            .collect();
        let read = |path: &Path| files.get(path.to_str().unwrap()).cloned();
        LIMITS.missing_in(&own.replace("ID", ID), mounts, ID, &read)
    }

    #[test]
    fn limits_of_version_1_hold_if_the_files_say_so() {
        let own = "4:memory:/docker/ID\n3:pids:/docker/ID\n2:cpu,cpuacct:/docker/ID\n";
        let mut files = [
            ("/cg/memory/docker/ID/memory.limit_in_bytes", "134217728\n"),
            ("/cg/pids/docker/ID/pids.max", "256\n"),
            ("/cg/cpu/docker/ID/cpu.cfs_quota_us", "50000\n"),
            ("/cg/cpu/docker/ID/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(missing(own, V1_MOUNTS, &files), [""; 0]);
        files[0].1 = "9223372036854771712\n";
        files[1].1 = "max\n";
        files[2].1 = "-1\n";
        assert_eq!(missing(own, V1_MOUNTS, &files), ["memory", "pids", "cpu"]);
        files[2].1 = "100000\n";
        assert_eq!(missing(own, V1_MOUNTS, &files[2..]), ["cpu"], "too much");
    }

    #[test]
    fn limits_of_version_2_hold_if_the_files_say_so() {
        let own = "0::/system.slice/docker-ID.scope\n";
        let mut files = [
            ("/cg/system.slice/docker-ID.scope/memory.max", "134217728\n"),
            ("/cg/system.slice/docker-ID.scope/pids.max", "256\n"),
            ("/cg/system.slice/docker-ID.scope/cpu.max", "50000 100000\n"),
        ];
        assert_eq!(missing(own, V2_MOUNTS, &files), [""; 0]);
        files[0].1 = "max\n";
        files[1].1 = "257\n";
        files[2].1 = "max 100000\n";
        assert_eq!(missing(own, V2_MOUNTS, &files), ["memory", "pids", "cpu"]);
    }

    #[test]
    fn a_process_outside_of_the_containers_cgroups_has_no_limit() {
        let own = "4:memory:/\n3:pids:/user\n2:cpu,cpuacct:/docker/other\n";
        assert_eq!(missing(own, V1_MOUNTS, &[]), ["memory", "pids", "cpu"]);
        assert_eq!(missing("0::/\n", V2_MOUNTS, &[]), ["memory", "pids", "cpu"]);
    }

    #[test]
    fn what_cannot_be_seen_is_not_refused() {
        let own = "4:memory:/docker/ID\n3:pids:/docker/ID\n2:cpu,cpuacct:/docker/ID\n";
        assert_eq!(missing(own, V1_MOUNTS, &[]), [""; 0]);
        assert_eq!(missing(own, "", &[]), [""; 0]);
    }
}
