//! The Docker Engine's API, as far as sandboxes need it, and its failures in our terms.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerSummary, SystemInfo, SystemVersion,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, EventsOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use tokio::sync::OnceCell;

use crate::error::{Error, ErrorKind, Result};

/// For one call. Docker may be slow where many containers start at once.
const CALL_TIMEOUT_SECONDS: u64 = 120;

/// A client of one Docker daemon. Connects at its first use, so that a platform can be
/// built while Docker is down. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    docker: OnceCell<Docker>,
    info: OnceCell<SystemInfo>,
}

impl Engine {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self(Arc::new(Inner {
            socket,
            docker: OnceCell::new(),
            info: OnceCell::new(),
        }))
    }

    async fn docker(&self) -> Result<&Docker> {
        self.0
            .docker
            .get_or_try_init(|| async {
                let path = self.0.socket.to_string_lossy();
                let docker = Docker::connect_with_unix(
                    &path,
                    CALL_TIMEOUT_SECONDS,
                    bollard::API_DEFAULT_VERSION,
                )
                .map_err(failed)?;
                docker.negotiate_version().await.map_err(failed)
            })
            .await
    }

    /// What the daemon says of itself; asked once.
    pub(crate) async fn info(&self) -> Result<&SystemInfo> {
        self.0.info.get_or_try_init(|| self.fresh_info()).await
    }

    /// What the daemon says of itself now.
    pub(crate) async fn fresh_info(&self) -> Result<SystemInfo> {
        self.docker().await?.info().await.map_err(failed)
    }

    pub(crate) async fn version(&self) -> Result<SystemVersion> {
        self.docker().await?.version().await.map_err(failed)
    }

    /// Creates a container and returns its id.
    pub(crate) async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let docker = self.docker().await?;
        let created = docker
            .create_container(Some(options), body)
            .await
            .map_err(failed)?;
        for warning in created.warnings {
            tracing::debug!(%warning, "Docker created a sandbox with a warning");
        }
        Ok(created.id)
    }

    pub(crate) async fn start(&self, name: &str) -> Result<()> {
        let docker = self.docker().await?;
        docker.start_container(name, None).await.map_err(failed)
    }

    pub(crate) async fn inspect(&self, name: &str) -> Result<ContainerInspectResponse> {
        let docker = self.docker().await?;
        docker.inspect_container(name, None).await.map_err(failed)
    }

    /// Waits for a container's end. None: there is no such container.
    pub(crate) async fn wait(&self, name: &str) -> Result<Option<i64>> {
        let options = WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        let docker = self.docker().await?;
        let mut waiting = std::pin::pin!(docker.wait_container(name, Some(options)));
        match waiting.next().await {
            Some(Ok(end)) => Ok(Some(end.status_code)),
            // That is how the client reports an exit code other than 0.
            Some(Err(DockerError::DockerContainerWaitError { code, .. })) => Ok(Some(code)),
            Some(Err(error)) if status(&error) == Some(404) => Ok(None),
            Some(Err(error)) => Err(failed(error)),
            None => Ok(None),
        }
    }

    /// Kills and removes a container, once. True: it is gone.
    pub(crate) async fn remove_once(&self, name: &str) -> Result<bool> {
        // With the volumes that an image may declare.
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let docker = self.docker().await?;
        match docker.remove_container(name, Some(options)).await {
            Ok(()) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(true),
            // Another removal of it is under way.
            Err(error) if status(&error) == Some(409) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Kills and removes a container, however often Docker fails to: a container may be
    /// "zombie and cannot be killed" for a while, and Docker may be down. Returns how often it
    /// failed.
    pub(crate) async fn remove(&self, name: &str) -> u32 {
        let mut pause = Duration::from_millis(20);
        let mut failures = 0;
        loop {
            match self.remove_once(name).await {
                Ok(true) => return failures,
                Ok(false) => {}
                Err(error) => {
                    failures += 1;
                    tracing::warn!(
                        container = name,
                        ?error,
                        "a sandbox could not be removed yet"
                    );
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Pauses a container. False: Docker has not done it.
    pub(crate) async fn pause(&self, name: &str) -> bool {
        match self.docker().await {
            Ok(docker) => docker.pause_container(name).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Unpauses a container if it is paused. False: Docker has not done it.
    pub(crate) async fn unpause(&self, name: &str) -> bool {
        match self.docker().await {
            Ok(docker) => docker.unpause_container(name).await.is_ok(),
            Err(_) => false,
        }
    }

    /// All containers, running or not, that carry all of `labels` (`key` or `key=value`).
    pub(crate) async fn list(&self, labels: Vec<String>) -> Result<Vec<ContainerSummary>> {
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let docker = self.docker().await?;
        docker.list_containers(Some(options)).await.map_err(failed)
    }

    /// Waits until the daemon is gone, which is seen at once; returns also if it is gone already.
    pub(crate) async fn gone(&self) {
        // Of no container: only the end of the stream matters.
        let filters = HashMap::from([("container", vec!["lambda-none"])]);
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        if let Ok(docker) = self.docker().await {
            let mut events = docker.events(Some(options));
            while let Some(Ok(_)) = events.next().await {}
        }
    }

    /// Whether an image is on this machine.
    pub(crate) async fn has_image(&self, image: &str) -> Result<bool> {
        match self.docker().await?.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Docker's own message and status, kept as the source of an [`Error`].
#[derive(Debug, thiserror::Error)]
#[error("Docker answered {status}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Refusal {
    /// The refusal that `error` came from, if Docker was reached and refused.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

fn status(error: &DockerError) -> Option<u16> {
    match error {
        DockerError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

fn failed(error: DockerError) -> Error {
    const OPERATION: &str = "docker_call";
    let unavailable = |message| Error::new(ErrorKind::RuntimeUnavailable, OPERATION, message);
    match error {
        DockerError::DockerResponseServerError {
            status_code: status,
            message,
        } => unavailable("Docker refused a request.")
            .hint("The platform's log has Docker's own words.")
            .source(Refusal { status, message }),
        DockerError::RequestTimeoutError => unavailable("Docker did not answer in time.")
            .hint("See whether the machine is overloaded, and what `docker ps` says.")
            .source(error),
        error => unavailable("Docker cannot be reached.")
            .hint(
                "Start it (`sudo systemctl start docker`), and see that this process's user is in \
                 the group `docker`.",
            )
            .source(error),
    }
}
