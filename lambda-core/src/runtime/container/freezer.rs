//! Freezes a container's processes by its cgroup: a write of less than a millisecond, which
//! needs root's rights or a cgroup that was handed over. Docker's own pause takes 8 to 25 ms,
//! and does not stop gVisor.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use super::cgroup::{Location, Version};

/// A cgroup that this process may freeze.
#[derive(Debug)]
pub(crate) struct Freezer {
    version: Version,
    state: OwnedFd,
}

impl Freezer {
    /// None: there is none, or this process may not write to it.
    pub(crate) fn open(location: &Location) -> Option<Self> {
        let name = match location.version {
            Version::V1 => "freezer.state",
            Version::V2 => "cgroup.freeze",
        };
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let state = rustix::fs::open(location.path.join(name), flags, Mode::empty()).ok()?;
        Some(Self {
            version: location.version,
            state,
        })
    }

    /// Stops every process at its next return to user space.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.write(match self.version {
            Version::V1 => b"FROZEN",
            Version::V2 => b"1",
        })
    }

    /// Lets them run again. Nothing happens where they do.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        self.write(match self.version {
            Version::V1 => b"THAWED",
            Version::V2 => b"0",
        })
    }

    fn write(&self, state: &[u8]) -> io::Result<()> {
        rustix::io::pwrite(&self.state, state, 0)?;
        Ok(())
    }
}
