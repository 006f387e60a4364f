//! What dead owners left behind: containers, run directories, and gVisor processes that
//! Docker does not list.
//!
//! Containers are found by our labels alone, and only those of this data directory, because
//! there the locks are that say which owner lives.

use std::collections::BTreeSet;

use bollard::models::ContainerSummary;
use rustix::process::Pid;

use super::cgroup::Cgroup;
use super::labels;
use super::{ContainerRuntime, blocking, strays};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{OwnerId, SandboxId};

/// How often a removal that Docker refuses is tried again.
const ATTEMPTS: u32 = 5;

impl ContainerRuntime {
    pub(crate) async fn owners(&self) -> Result<Vec<OwnerId>> {
        let run_dirs = self.0.run_dirs.clone();
        let mut owners: BTreeSet<OwnerId> = blocking(move || Ok(run_dirs.owners()))
            .await?
            .into_iter()
            .collect();
        for container in self.0.engine.list(self.label_filter(None)).await? {
            owners
                .extend(label(&container, labels::OWNER).and_then(|id| id.parse::<OwnerId>().ok()));
        }
        Ok(owners.into_iter().collect())
    }

    pub(crate) async fn remove_owned(&self, owner: OwnerId) -> Result<usize> {
        let shared = &self.0;
        let run_dirs = shared.run_dirs.clone();
        blocking(move || {
            let sandboxes = run_dirs.sandboxes(owner).into_iter();
            let noted = sandboxes.filter_map(|sandbox| run_dirs.of(owner, sandbox).container());
            let noted: Vec<_> = noted.collect();
            if !noted.is_empty() {
                strays::thaw(&noted);
            }
            Ok(())
        })
        .await?;
        let mut sandboxes = BTreeSet::new();
        let mut failure = None;
        for container in shared.engine.list(self.label_filter(Some(owner))).await? {
            let Some(id) = container.id.as_deref() else {
                continue;
            };
            if let Err(error) = self.remove_container(id).await {
                failure = Some(error);
                continue;
            }
            if let Some(sandbox) = label(&container, labels::SANDBOX).and_then(|id| id.parse().ok())
            {
                sandboxes.insert(sandbox);
            }
            let id = id.to_owned();
            blocking(move || Ok(strays::kill(&id))).await?;
        }
        if let Some(error) = failure {
            // The directories stay, so that the next call finds all of it again.
            return Err(error);
        }
        let run_dirs = shared.run_dirs.clone();
        let directories: Vec<SandboxId> = blocking(move || {
            let sandboxes = run_dirs.sandboxes(owner);
            for sandbox in &sandboxes {
                let run_dir = run_dirs.of(owner, *sandbox);
                if let Some(id) = run_dir.container() {
                    strays::kill(&id);
                }
                run_dir.remove()?;
            }
            run_dirs.forget(owner);
            Ok(sandboxes)
        })
        .await?;
        sandboxes.extend(directories);
        Ok(sandboxes.len())
    }

    async fn remove_container(&self, id: &str) -> Result<()> {
        self.thaw(id).await;
        let mut outcome = Ok(false);
        for attempt in 1..=ATTEMPTS {
            outcome = self.0.engine.remove_once(id).await;
            if matches!(outcome, Ok(true)) {
                return Ok(());
            }
            // A paused container cannot be killed.
            self.0.engine.unpause(id).await;
            tokio::time::sleep(std::time::Duration::from_millis(50) * attempt).await;
        }
        Err(outcome.err().unwrap_or_else(|| {
            Error::new(
                ErrorKind::RuntimeUnavailable,
                "remove_owned",
                "Docker has not removed a sandbox yet.",
            )
            .hint("It is tried again; `docker ps -a` shows what is left.")
        }))
    }

    /// A frozen gVisor sandbox would take Docker more than a minute to remove.
    async fn thaw(&self, id: &str) {
        let Ok(container) = self.0.engine.inspect(id).await else {
            return;
        };
        let Some(state) = container.state else { return };
        if state.paused == Some(true) {
            self.0.engine.unpause(id).await;
        }
        let pid = state.pid.and_then(|pid| i32::try_from(pid).ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            return;
        };
        let id = id.to_owned();
        let thawed = blocking(move || Cgroup::freezer_of(pid, &id).map_or(Ok(()), |f| f.thaw()));
        if let Err(error) = thawed.await {
            tracing::warn!(?error, "a sandbox of a dead process could not be thawed");
        }
    }

    fn label_filter(&self, owner: Option<OwnerId>) -> Vec<String> {
        let shared = &self.0;
        let mut filter = vec![
            format!("{}={}", labels::RUNTIME, shared.backend.name),
            format!("{}={}", labels::DATA_DIR, shared.data_dir_digest),
        ];
        filter.extend(owner.map(|owner| format!("{}={owner}", labels::OWNER)));
        filter
    }
}

fn label<'a>(container: &'a ContainerSummary, key: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(key).map(String::as_str)
}
