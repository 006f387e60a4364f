//! All that exists of a sandbox outside of this process, and its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::Pid;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Kind;
use super::cgroup::Cgroup;
use super::engine::Engine;
use super::freezer::Freezer;
use super::frozen::Frozen;
use super::process::MainProcess;
use super::run_dir::RunDir;
use super::strays;
use super::user::UserLease;

/// After this long a sandbox that does not die may be one that somebody has paused.
const SUSPECT_PAUSE_AFTER: Duration = Duration::from_millis(300);

/// How long processes may outlive the main process before they are killed one by one.
/// gVisor's took up to 43 ms to go by themselves.
const STRAGGLERS_AFTER: Duration = Duration::from_millis(100);

/// How far a sandbox's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Alive,
    Dying,
    /// Every process is gone.
    Dead,
    /// So is everything else.
    Removed,
}

/// What the host holds of a running container.
#[derive(Debug)]
pub(crate) struct Vitals {
    pub(crate) process: MainProcess,
    /// None where this process may not look at cgroups.
    pub(crate) cgroup: Option<Cgroup>,
}

impl Vitals {
    /// Opens what belongs to the main process of `container_id`. None: it is gone.
    pub(crate) fn open(pid: Pid, container_id: &str, may_freeze: bool) -> Option<Self> {
        let process = MainProcess::open(pid).ok()?;
        // Looked at after the pidfd was opened: where the cgroup is the container's, so is
        // the process.
        match Cgroup::open(pid, container_id, may_freeze) {
            Ok(cgroup) => Some(Self {
                process,
                cgroup: Some(cgroup),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_gone(&process) => None,
            Err(error) => {
                tracing::debug!(%error, "a sandbox's cgroup cannot be read");
                Some(Self {
                    process,
                    cgroup: None,
                })
            }
        }
    }

    /// Whether the container's cgroup is still there, as it is not after Docker has removed it.
    fn are_left(&self) -> bool {
        self.cgroup.as_ref().is_some_and(Cgroup::exists)
    }

    async fn died(&self) {
        self.process.ended().await;
        let Some(cgroup) = &self.cgroup else { return };
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(1);
        while !cgroup.is_empty() {
            if waited > STRAGGLERS_AFTER {
                cgroup.kill();
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

fn is_gone(process: &MainProcess) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut fds = [PollFd::new(process.fd(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// A container with its run directory and its user, from before they are made until they
/// are removed.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) engine: Engine,
    /// The container's name.
    pub(crate) name: String,
    pub(crate) run_dir: RunDir,
    pub(crate) user: UserLease,
    pub(crate) kind: Kind,
    pub(crate) container_id: OnceLock<String>,
    pub(crate) vitals: OnceLock<Vitals>,
    /// Docker was asked to start it.
    pub(crate) start_tried: AtomicBool,
    pub(crate) frozen: Arc<Frozen>,
    /// Its processes stand still: by its cgroup, or by Docker.
    pub(crate) is_frozen: AtomicBool,
    pub(crate) is_paused: AtomicBool,
    pub(crate) handle: Handle,
    pub(crate) stage: watch::Sender<Stage>,
}

impl Body {
    /// Begins the end, in a task of its own. Idempotent.
    fn terminate(self: &Arc<Self>) {
        let is_first = self.stage.send_if_modified(|stage| {
            let is_first = *stage == Stage::Alive;
            if is_first {
                *stage = Stage::Dying;
            }
            is_first
        });
        if !is_first {
            return;
        }
        // A frozen gVisor sandbox would take Docker more than a minute to remove.
        self.thaw_by_cgroup();
        // At once, and besides what Docker does: with root's rights this is ten times as
        // fast, without them it does nothing.
        if let Some(vitals) = self.vitals.get() {
            vitals.process.kill();
        }
        let body = Arc::clone(self);
        self.handle.spawn(async move { body.end().await });
    }

    /// Stops all processes. False: that cannot be done here.
    pub(crate) async fn freeze(self: &Arc<Self>) -> bool {
        if self.freeze_by_cgroup() {
            self.frozen.add(self);
            return true;
        }
        // gVisor's own threads go on in a paused container.
        if self.kind != Kind::Runc {
            return false;
        }
        let is_paused = self.engine.pause(&self.name).await;
        self.is_paused.store(is_paused, Ordering::Relaxed);
        is_paused
    }

    fn freeze_by_cgroup(&self) -> bool {
        let Some(freezer) = self.freezer() else {
            return false;
        };
        // Said first, so that an end that begins meanwhile thaws it.
        self.is_frozen.store(true, Ordering::SeqCst);
        let frozen = freezer.freeze();
        if let Err(error) = &frozen {
            tracing::debug!(%error, "a sandbox could not be frozen");
        }
        if frozen.is_err() || *self.stage.borrow() != Stage::Alive {
            self.thaw_by_cgroup();
            return false;
        }
        true
    }

    /// Lets all processes run again. False: they may stand still for ever.
    pub(crate) async fn thaw(&self) -> bool {
        let is_thawed = self.thaw_by_cgroup();
        if self.is_paused.swap(false, Ordering::SeqCst) {
            return self.engine.unpause(&self.name).await;
        }
        is_thawed
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::SeqCst)
    }

    pub(crate) fn thaw_by_cgroup(&self) -> bool {
        if !self.is_frozen.swap(false, Ordering::SeqCst) {
            return true;
        }
        let thawed = self.freezer().map(Freezer::thaw);
        if let Some(Err(error)) = &thawed {
            tracing::warn!(%error, "a sandbox could not be thawed");
        }
        matches!(thawed, Some(Ok(())))
    }

    fn freezer(&self) -> Option<&Freezer> {
        self.vitals.get()?.cgroup.as_ref()?.freezer()
    }

    async fn end(&self) {
        // A paused container cannot be killed.
        if self.is_paused.swap(false, Ordering::SeqCst) {
            self.engine.unpause(&self.name).await;
        }
        let death = async {
            if let Some(vitals) = self.vitals.get() {
                let mut died = std::pin::pin!(vitals.died());
                if tokio::time::timeout(SUSPECT_PAUSE_AFTER, &mut died)
                    .await
                    .is_err()
                {
                    self.engine.unpause(&self.name).await;
                    died.await;
                }
                self.advance(Stage::Dead);
            }
        };
        let (failures, ()) = tokio::join!(self.engine.remove(&self.name), death);
        let run_dir = self.run_dir.clone();
        let id = self.container_id.get().cloned();
        // Of a start that failed, or one that a Docker daemon did not live through; or of a
        // container that such a daemon ran, and that its successor has lost sight of.
        let may_have_strays = self.start_tried.load(Ordering::Relaxed)
            && (failures > 0 || self.vitals.get().is_none_or(Vitals::are_left));
        let cleaned = tokio::task::spawn_blocking(move || {
            if may_have_strays && let Some(id) = id {
                strays::kill(&id);
            }
            run_dir.remove()
        });
        match cleaned.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run directory could not be removed"),
            Err(error) => tracing::error!(%error, "removing a run directory panicked"),
        }
        self.advance(Stage::Removed);
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let advances = to > *stage;
            *stage = to.max(*stage);
            advances
        });
    }

    /// Waits until the end has come as far as `stage`.
    pub(crate) async fn reached(&self, stage: Stage) {
        // The sender is a field of `self`, so waiting cannot fail.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }
}

/// Who is responsible for a [`Body`]: dropping this removes it in the background.
#[derive(Debug)]
pub(crate) struct Custody(pub(crate) Arc<Body>);

impl Custody {
    /// Begins the end. Idempotent.
    pub(crate) fn terminate(&self) {
        self.0.terminate();
    }
}

impl std::ops::Deref for Custody {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.0
    }
}

impl Drop for Custody {
    fn drop(&mut self) {
        self.0.terminate();
    }
}
