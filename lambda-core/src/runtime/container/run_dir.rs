//! A sandbox's run directory: the socket and the FIFOs through which it speaks to the host.
//!
//! ```text
//! <data_dir>/run/<runtime>/<owner>/<sandbox>/   0700  the platform's own
//!     container                                       Docker's id, for whoever cleans up
//!     mount/                                    0755  /run/lambda in the sandbox
//!         api.sock  stdout  stderr              0622
//! ```
//!
//! The sandbox's user owns none of it: inside, it can write to the FIFOs and connect to the
//! socket, and neither create, remove, rename nor read anything. Everything is made relative
//! to open directories and never through a symbolic link.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use crate::model::{OwnerId, RuntimeName, SandboxId};

const SOCKET: &str = "api.sock";
const CONTAINER: &str = "container";
const MOUNT: &str = "mount";

/// Where the run directories of one runtime are.
#[derive(Debug, Clone)]
pub(crate) struct RunDirs {
    root: PathBuf,
}

/// One sandbox's run directory. Does not remove itself.
#[derive(Debug, Clone)]
pub(crate) struct RunDir {
    path: PathBuf,
}

/// The host's ends of what is in a run directory.
#[derive(Debug)]
pub(crate) struct Channels {
    /// Non-blocking: the socket, stdout and stderr.
    ends: Option<(UnixListener, OwnedFd, OwnedFd)>,
    mount: OwnedFd,
}

impl RunDirs {
    pub(crate) fn new(data_dir: &Path, runtime: &RuntimeName) -> Self {
        Self {
            root: data_dir.join("run").join(runtime.as_str()),
        }
    }

    pub(crate) fn of(&self, owner: OwnerId, sandbox: SandboxId) -> RunDir {
        RunDir {
            path: self.root.join(owner.to_string()).join(sandbox.to_string()),
        }
    }

    /// The owners that have left something. Removes the directories of those that have not.
    /// Blocks.
    pub(crate) fn owners(&self) -> Vec<OwnerId> {
        let mut owners = ids_in(&self.root);
        owners.retain(|owner| !self.forget(*owner));
        owners
    }

    /// The sandboxes of which `owner` has left a directory. Blocks.
    pub(crate) fn sandboxes(&self, owner: OwnerId) -> Vec<SandboxId> {
        ids_in(&self.root.join(owner.to_string()))
    }

    /// Removes the directory of an owner that has left nothing in it; false if there is
    /// something. Blocks.
    pub(crate) fn forget(&self, owner: OwnerId) -> bool {
        match fs::remove_dir(self.root.join(owner.to_string())) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

fn ids_in<T: std::str::FromStr>(directory: &Path) -> Vec<T> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

impl RunDir {
    /// What is mounted into the sandbox.
    pub(crate) fn mount(&self) -> PathBuf {
        self.path.join(MOUNT)
    }

    /// Makes it with all that is in it. Blocks.
    pub(crate) fn create(&self) -> io::Result<Channels> {
        let own = self.make()?;
        rustix::fs::mkdirat(&own, MOUNT, Mode::from_raw_mode(0o755))?;
        let mount = open_directory(rustix::fs::openat(&own, MOUNT, DIRECTORY, Mode::empty()))?;
        // The parent is private, so nobody sees a state before the right mode is set,
        // whatever the umask is.
        rustix::fs::fchmod(&mount, Mode::from_raw_mode(0o755))?;
        Ok(Channels {
            ends: Some((
                bind(&mount)?,
                make_fifo(&mount, "stdout")?,
                make_fifo(&mount, "stderr")?,
            )),
            mount,
        })
    }

    fn make(&self) -> io::Result<OwnedFd> {
        let mut attempts = 0;
        loop {
            if let Some(parent) = self.path.parent() {
                make_private(parent)?;
            }
            attempts += 1;
            match make_directory(&self.path, 0o700) {
                // Another process has removed the parent while it was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < 5 => {}
                made => return made,
            }
        }
    }

    /// Writes down Docker's id of the container. Blocks.
    pub(crate) fn note_container(&self, id: &str) -> io::Result<()> {
        fs::write(self.path.join(CONTAINER), id)
    }

    /// What [`note_container`](Self::note_container) wrote, if it is a container's id. Blocks.
    pub(crate) fn container(&self) -> Option<String> {
        let id = fs::read_to_string(self.path.join(CONTAINER)).ok()?;
        (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
    }

    /// Removes it. Blocks.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Channels {
    /// The socket, stdout and stderr; once.
    pub(crate) fn take(&mut self) -> Option<(UnixListener, OwnedFd, OwnedFd)> {
        self.ends.take()
    }

    /// Unlinks the socket: nobody connects any more.
    pub(crate) fn unlink_socket(&self) {
        let _ = rustix::fs::unlinkat(&self.mount, SOCKET, AtFlags::empty());
    }
}

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn open_directory(opened: rustix::io::Result<OwnedFd>) -> io::Result<OwnedFd> {
    let directory = opened?;
    // Someone else's directory in our place would be a trap.
    if rustix::fs::fstat(&directory)?.st_uid != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a run directory belongs to another user",
        ));
    }
    Ok(directory)
}

fn make_directory(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    rustix::fs::mkdir(path, Mode::from_raw_mode(mode))?;
    open_directory(rustix::fs::open(path, DIRECTORY, Mode::empty()))
}

/// Makes a directory and its missing parents, and sees that only we can enter it.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let directory = open_directory(rustix::fs::open(path, DIRECTORY, Mode::empty()))?;
    rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o700))?;
    Ok(())
}

fn make_fifo(directory: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    rustix::fs::mknodat(
        directory,
        name,
        FileType::Fifo,
        Mode::from_raw_mode(0o622),
        0,
    )?;
    // Opened for writing too, so that it never reports an end of file.
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fifo = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    rustix::fs::fchmod(&fifo, Mode::from_raw_mode(0o622))?;
    Ok(fifo)
}

fn bind(directory: &OwnedFd) -> io::Result<UnixListener> {
    // A socket's path has at most 107 bytes; this one is short wherever the directory is.
    let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    rustix::fs::chmodat(
        directory,
        SOCKET,
        Mode::from_raw_mode(0o622),
        AtFlags::empty(),
    )?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_run_directory_deep_down_has_the_modes_that_isolation_needs() {
        let data = tempfile::tempdir().unwrap();
        // Far beyond the length that a socket's path may have.
        let deep = data.path().join("x".repeat(100)).join("y".repeat(100));
        let dirs = RunDirs::new(&deep, &RuntimeName::docker());
        let (owner, sandbox) = (OwnerId::new(), SandboxId::new());
        let dir = dirs.of(owner, sandbox);
        let channels = dir.create().unwrap();
        let mount = dir.mount();
        assert_eq!(mode(dir.path.parent().unwrap()), 0o700);
        assert_eq!(mode(&dir.path), 0o700);
        assert_eq!(mode(&mount), 0o755);
        for name in ["stdout", "stderr", SOCKET] {
            assert_eq!(mode(&mount.join(name)), 0o622, "{name}");
        }
        assert!(
            fs::metadata(mount.join("stdout"))
                .unwrap()
                .file_type()
                .is_fifo()
        );

        assert_eq!(dirs.owners(), [owner]);
        assert_eq!(dirs.sandboxes(owner), [sandbox]);
        assert_eq!(dir.container(), None);
        dir.note_container(&"a".repeat(64)).unwrap();
        assert_eq!(dir.container(), Some("a".repeat(64)));

        channels.unlink_socket();
        assert!(!mount.join(SOCKET).exists());
        dir.remove().unwrap();
        dir.remove().unwrap();
        assert!(dirs.owners().is_empty());
        assert_eq!(fs::read_dir(&dirs.root).unwrap().count(), 0);
    }

    #[test]
    fn a_link_in_place_of_a_directory_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let dirs = RunDirs::new(data.path(), &RuntimeName::docker());
        let dir = dirs.of(OwnerId::new(), SandboxId::new());
        let parent = dir.path.parent().unwrap();
        fs::create_dir_all(parent.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), parent).unwrap();
        assert!(dir.create().is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
