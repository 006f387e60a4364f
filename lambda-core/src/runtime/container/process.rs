//! The main process of a container, held by a pidfd: it cannot be mistaken for another one
//! that got its number later.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[derive(Debug)]
pub(crate) struct MainProcess {
    pidfd: AsyncFd<OwnedFd>,
}

impl MainProcess {
    /// Opens process `pid`. The caller must then make sure that it is still the one it
    /// means. Needs a tokio runtime.
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // Its replacement is unsafe, because a type may close its descriptor before it is
        // dropped. `OwnedFd` cannot.
        #[allow(deprecated)]
        let pidfd = AsyncFd::with_interest(pidfd, Interest::READABLE)?;
        Ok(Self { pidfd })
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        self.pidfd.get_ref()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        // Stays readable; an error would mean that tokio's driver is gone, and all with it.
        let _ = self.pidfd.readable().await;
    }

    /// Sends SIGKILL. False if this process may not: it is neither root nor of the same user.
    pub(crate) fn kill(&self) -> bool {
        match rustix::process::pidfd_send_signal(self.fd(), Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => true,
            Err(_) => false,
        }
    }
}
