//! Clears away what dead processes left, however long a back end takes to be there.
//!
//! A back end may be away just when the platform starts: often both were ended by the same fault.
//! So what could not be removed is tried again until it is gone. And Docker may still be making
//! a sandbox for a process that has died meanwhile, so there is a second look some seconds later.
//! The dead owner's lock is held all the time, so that no other platform of the data directory
//! does the same, and is free again should this process die too.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::data_dir::DeadOwner;
use crate::runtime::Runtime;

/// How long a start waits for the first attempt. What is left of dead processes takes memory that
/// the new sandboxes may need; but a back end that hangs must not keep the platform from starting.
const FIRST_ATTEMPT: Duration = Duration::from_secs(10);

/// Between two attempts; doubled after each, up to the maximum.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Before the second look. Docker takes a second at most to make a container, unless it hangs.
const SECOND_LOOK: Duration = Duration::from_secs(10);

/// How long closing waits for a last attempt.
const LAST_ATTEMPT: Duration = Duration::from_secs(5);

/// The work, in the background. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Leftovers {
    closing: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Leftovers {
    /// Begins, and waits for a first attempt. None: there is nothing to do.
    pub(super) async fn clear_away(
        dead: Vec<DeadOwner>,
        runtimes: Vec<Arc<dyn Runtime>>,
    ) -> Option<Self> {
        if dead.is_empty() {
            return None;
        }
        let (tried, first) = oneshot::channel();
        let closing = CancellationToken::new();
        let work = until_gone(dead, runtimes, tried, closing.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(work));
        if tokio::time::timeout(FIRST_ATTEMPT, first).await.is_err() {
            tracing::warn!("what dead processes left is still being removed; starting meanwhile");
        }
        Some(Self { closing, task })
    }

    /// Tries once more what is not done yet, and ends. What is left then is for the next start.
    pub(super) async fn close(self) {
        self.closing.cancel();
        // It is aborted where it takes longer.
        let _ = tokio::time::timeout(LAST_ATTEMPT, self.task).await;
    }
}

async fn until_gone(
    mut dead: Vec<DeadOwner>,
    runtimes: Vec<Arc<dyn Runtime>>,
    tried: oneshot::Sender<()>,
    closing: CancellationToken,
) {
    let mut tried = Some(tried);
    while !dead.is_empty() {
        let removed_and_settled = async {
            remove_all(&dead, &runtimes, &mut tried).await;
            tokio::time::sleep(SECOND_LOOK).await;
        };
        let is_closing = closing
            .run_until_cancelled(removed_and_settled)
            .await
            .is_none();
        let mut left = Vec::new();
        for dead in dead {
            if !remove_sandboxes(&dead, &runtimes, false).await {
                left.push(dead);
            } else if !dead.has_records() {
                dead.remove();
            }
            // Else a platform that keeps no records leaves them to one that does.
        }
        if is_closing {
            return;
        }
        dead = left;
    }
}

/// Tries until every back end has done it once for each; says when each was tried once.
async fn remove_all(
    dead: &[DeadOwner],
    runtimes: &[Arc<dyn Runtime>],
    tried: &mut Option<oneshot::Sender<()>>,
) {
    let mut left: Vec<_> = dead.iter().collect();
    let mut pause = PAUSE;
    loop {
        let mut again = Vec::new();
        for dead in left {
            if !remove_sandboxes(dead, runtimes, tried.is_some()).await {
                again.push(dead);
            }
        }
        if let Some(tried) = tried.take() {
            // Nobody waits any more after a while.
            let _ = tried.send(());
        }
        if again.is_empty() {
            return;
        }
        left = again;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// False: a back end could not. A warning is given the first time only, because a back end that
/// cannot be used on this machine never will.
async fn remove_sandboxes(dead: &DeadOwner, runtimes: &[Arc<dyn Runtime>], is_first: bool) -> bool {
    let mut all = true;
    for runtime in runtimes {
        let name = runtime.name();
        match runtime.remove_owned(dead.owner).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::info!(runtime = %name, removed, "removed sandboxes of a dead process");
            }
            Err(error) => {
                all = false;
                if is_first {
                    tracing::warn!(runtime = %name, ?error, "sandboxes of a dead process may be left; trying again until they are gone");
                } else {
                    tracing::debug!(runtime = %name, ?error, "sandboxes of a dead process may still be left");
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::data_dir;
    use crate::model::{Language, OwnerId, RuntimeName, SandboxId};
    use crate::platform::Platform;
    use crate::runtime::CreateSandbox;
    use crate::runtime::fake::FakeRuntime;

    async fn platform(root: &Path, runtime: &FakeRuntime) -> Platform {
        let pool = crate::pool::PoolOptions {
            prewarmed: 0,
            ..Default::default()
        };
        Platform::builder()
            .data_dir(root)
            .runtime(Arc::new(runtime.clone()))
            .pool(pool)
            .build()
            .await
            .unwrap()
    }

    fn request(owner: OwnerId) -> CreateSandbox {
        CreateSandbox {
            id: SandboxId::new(),
            owner,
            language: Language::Python,
            image: None,
            memory_mib: 128,
            tmp_mib: 16,
            cpus: 1.0,
            network: "none".to_owned(),
            code_directory: None,
            boot_timeout: Duration::from_secs(10),
        }
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_removed_at_the_start_is_removed_later() {
        let root = tempfile::tempdir().unwrap();
        let runtime = FakeRuntime::new(RuntimeName::docker());
        // What a killed process leaves: its sandboxes, and a lock that is free.
        let dead = data_dir::DataDir::open(root.path()).unwrap();
        let owner = dead.owner();
        drop(dead);
        let sandbox = runtime.create(request(owner)).await.unwrap();
        runtime.set_unavailable(true);

        let begin = Instant::now();
        let next = platform(root.path(), &runtime).await;
        assert!(begin.elapsed() < FIRST_ATTEMPT);
        assert_eq!(runtime.live(), 1, "it could not be removed");
        let lives = |owner| {
            let parts = data_dir::owners(root.path()).unwrap();
            parts
                .iter()
                .find(|part| part.owner == owner)
                .map(|part| part.is_alive)
        };
        assert_eq!(
            lives(owner),
            Some(false),
            "its lock is held, and it is dead"
        );

        runtime.set_unavailable(false);
        until("it is removed", || runtime.live() == 0).await;
        next.close().await;
        assert_eq!(lives(owner), None, "nothing of it is left");
        drop(sandbox);
    }
}
