//! The cgroup of a container, version 1 or 2: out-of-memory kills, the memory peak, CPU time,
//! and which processes are left.
//!
//! The files are opened while the container lives: after its death the cgroup is gone within
//! some milliseconds, and Docker's own account of an out-of-memory kill is not reliable.

mod limits;

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::str;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::freezer::Freezer;
pub(crate) use limits::Limits;

/// Which generation of the cgroup interface holds the memory controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "version 1",
            Self::V2 => "version 2",
        })
    }
}

/// Where a cgroup of a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) version: Version,
    pub(crate) path: PathBuf,
}

/// Finds the cgroup of a controller from the texts of `/proc/<pid>/cgroup` and
/// `/proc/self/mountinfo`.
pub(crate) fn locate(process_cgroups: &str, mountinfo: &str, controller: &str) -> Option<Location> {
    // Where version 1 has the controller, the line of version 2 is only for tracking.
    let v1 = process_cgroups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    });
    let (version, path) = match v1 {
        Some(path) => (Version::V1, path),
        None => (
            Version::V2,
            process_cgroups
                .lines()
                .find_map(|line| line.strip_prefix("0::"))?,
        ),
    };
    mountinfo.lines().find_map(|line| {
        // Format: proc(5). The optional fields end with a lone hyphen.
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let (root, mount_point) = (front.next()?, front.next()?);
        let mut back = back.split(' ');
        let fs_type = back.next()?;
        let options = back.nth(1).unwrap_or_default();
        let matches = match version {
            Version::V1 => fs_type == "cgroup" && options.split(',').any(|name| name == controller),
            Version::V2 => fs_type == "cgroup2",
        };
        if !matches {
            return None;
        }
        // A mount may show a part of the tree only; a path outside of it cannot be reached.
        let below = Path::new(path).strip_prefix(unescape(root)).ok()?;
        if below.components().any(|part| part.as_os_str() == "..") {
            return None;
        }
        Some(Location {
            version,
            path: Path::new(&unescape(mount_point)).join(below),
        })
    })
}

/// mountinfo writes spaces and the like as three octal digits.
fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after
            .get(..3)
            .and_then(|octal| u8::from_str_radix(octal, 8).ok())
        {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[3..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The value of `usage_usec` in `cpu.stat` (version 2).
fn parse_cpu_usage(text: &str) -> Option<Duration> {
    text.lines()
        .find_map(|line| line.strip_prefix("usage_usec "))
        .and_then(|micros| micros.trim().parse().ok())
        .map(Duration::from_micros)
}

/// The value of `oom_kill` in `memory.oom_control` (version 1) or `memory.events` (version 2).
pub(crate) fn parse_oom_kills(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
}

/// The cgroups of process `pid`, and where cgroups are mounted, as [`locate`] reads both.
fn tables(pid: Pid) -> io::Result<(String, String)> {
    let own = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero()))?;
    Ok((own, fs::read_to_string("/proc/self/mountinfo")?))
}

/// A container's cgroup, for memory and, where they are to be had, CPU time and freezing.
#[derive(Debug)]
pub(crate) struct Cgroup {
    version: Version,
    directory: OwnedFd,
    oom: OwnedFd,
    peak: Option<OwnedFd>,
    /// Of the CPU controller, which has a cgroup of its own in version 1.
    cpu: Option<(Version, OwnedFd)>,
    freezer: Option<Freezer>,
}

impl Cgroup {
    /// Opens the cgroup of process `pid`, which must be one that Docker made for container
    /// `container_id`: the pid may belong to another process by now.
    pub(crate) fn open(pid: Pid, container_id: &str, may_freeze: bool) -> io::Result<Self> {
        let (own, mounts) = tables(pid)?;
        let location = locate(&own, &mounts, "memory").ok_or(io::ErrorKind::NotFound)?;
        if !location.path.to_string_lossy().contains(container_id) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut cgroup = Self::open_at(&location)?;
        cgroup.cpu = locate(&own, &mounts, "cpuacct").and_then(|location| open_cpu(&location));
        if may_freeze {
            cgroup.freezer = find_freezer(&own, &mounts, container_id);
        }
        Ok(cgroup)
    }

    /// The freezer of the container `container_id`, whose main process has been `pid`. None:
    /// there is none any more, or this process may not use it.
    pub(crate) fn freezer_of(pid: Pid, container_id: &str) -> Option<Freezer> {
        let (own, mounts) = tables(pid).ok()?;
        find_freezer(&own, &mounts, container_id)
    }

    fn open_at(location: &Location) -> io::Result<Self> {
        let directory = rustix::fs::open(
            &location.path,
            OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let open = |name| {
            rustix::fs::openat(
                &directory,
                name,
                OFlags::RDONLY | OFlags::CLOEXEC,
                Mode::empty(),
            )
        };
        let (oom, peaks): (_, &[&str]) = match location.version {
            Version::V1 => ("memory.oom_control", &["memory.max_usage_in_bytes"]),
            // The peak came with Linux 5.19.
            Version::V2 => ("memory.events", &["memory.peak", "memory.current"]),
        };
        Ok(Self {
            version: location.version,
            oom: open(oom)?,
            peak: peaks.iter().find_map(|name| open(name).ok()),
            directory,
            cpu: None,
            freezer: None,
        })
    }

    /// How many processes the kernel has killed here for want of memory. None: the cgroup is
    /// gone. One system call of about a microsecond.
    pub(crate) fn oom_kills(&self) -> Option<u64> {
        let mut buffer = [0; 512];
        parse_oom_kills(read_at_start(&self.oom, &mut buffer)?)
    }

    /// The most memory that was in use, in bytes. None: not known, or the cgroup is gone.
    pub(crate) fn memory_peak_bytes(&self) -> Option<u64> {
        let mut buffer = [0; 32];
        read_at_start(self.peak.as_ref()?, &mut buffer)?
            .trim()
            .parse()
            .ok()
    }

    /// The CPU time that was used. None: not known, or the cgroup is gone.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let mut buffer = [0; 512];
        let (version, file) = self.cpu.as_ref()?;
        let text = read_at_start(file, &mut buffer)?;
        match version {
            Version::V1 => text.trim().parse().ok().map(Duration::from_nanos),
            Version::V2 => parse_cpu_usage(text),
        }
    }

    /// Where this process may freeze it.
    pub(crate) fn freezer(&self) -> Option<&Freezer> {
        self.freezer.as_ref()
    }

    /// Whether it has not been removed yet.
    pub(crate) fn exists(&self) -> bool {
        self.open_file("cgroup.procs", OFlags::RDONLY).is_ok()
    }

    /// Whether no process is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.pids().is_empty()
    }

    /// Kills what is left, as far as this process may (root only). For what outlived the
    /// container's main process.
    pub(crate) fn kill(&self) {
        if self.version == Version::V2
            && let Ok(file) = self.open_file("cgroup.kill", OFlags::WRONLY)
            && rustix::io::write(&file, b"1").is_ok()
        {
            return;
        }
        for pid in self.pids() {
            let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            // Still here after it was opened: so it was this process that was opened.
            if self.pids().contains(&pid) {
                let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
            }
        }
    }

    /// The processes, read anew; none once the cgroup is gone.
    fn pids(&self) -> Vec<Pid> {
        let Ok(file) = self.open_file("cgroup.procs", OFlags::RDONLY) else {
            return Vec::new();
        };
        io::read_to_string(fs::File::from(file))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| Pid::from_raw(line.parse().ok()?))
            .collect()
    }

    fn open_file(&self, name: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(
            &self.directory,
            name,
            access | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }
}

fn find_freezer(process_cgroups: &str, mountinfo: &str, container_id: &str) -> Option<Freezer> {
    let location = locate(process_cgroups, mountinfo, "freezer")?;
    let is_the_containers = location.path.to_string_lossy().contains(container_id);
    is_the_containers.then(|| Freezer::open(&location))?
}

fn open_cpu(location: &Location) -> Option<(Version, OwnedFd)> {
    let name = match location.version {
        Version::V1 => "cpuacct.usage",
        Version::V2 => "cpu.stat",
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(location.path.join(name), flags, Mode::empty()).ok()?;
    Some((location.version, file))
}

fn read_at_start<'a>(file: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a str> {
    let count = rustix::io::pread(file, &mut *buffer, 0).ok()?;
    str::from_utf8(&buffer[..count]).ok()
}

#[cfg(test)]
mod tests;
