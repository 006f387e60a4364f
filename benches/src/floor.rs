//! What Docker itself takes to start a container: its API's create and start, and the
//! interpreter's boot until it has connected to a socket. No sandbox can be there sooner.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use lambda_store::model::Language;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

use crate::Result;
use crate::backend::Backend;

const PYTHON: &str =
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/floor/s'); s.recv(1)";
const JAVASCRIPT: &str = "require('net').connect('/run/floor/s')";

const TIMEOUT: Duration = Duration::from_secs(60);

/// How long the parts took.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Docker's answer to create.
    pub create: Duration,
    /// Its answer to start.
    pub start: Duration,
    /// From then on until the interpreter has connected.
    pub boot: Duration,
}

impl Parts {
    /// All of it.
    #[must_use]
    pub fn total(self) -> Duration {
        self.create + self.start + self.boot
    }
}

/// Docker's API, and nothing around it.
#[derive(Debug, Clone)]
pub struct Floor {
    docker: Docker,
    backend: Backend,
}

/// A container that has connected; to be removed by [`Floor::remove`].
#[derive(Debug)]
pub struct Started {
    /// How long that took.
    pub parts: Parts,
    id: String,
    _connection: UnixStream,
    _directory: TempDir,
}

impl Floor {
    /// Connects.
    ///
    /// # Errors
    /// If Docker does not answer.
    pub async fn connect(backend: Backend) -> Result<Self> {
        let docker = Docker::connect_with_unix_defaults()?;
        let docker = docker.negotiate_version().await?;
        Ok(Self { docker, backend })
    }

    /// Starts a container of the language's default image, without a network or any setting
    /// besides.
    ///
    /// # Errors
    /// If it does not connect.
    pub async fn start(&self, language: Language) -> Result<Started> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = tempfile::Builder::new().prefix("floor-").tempdir()?;
        let socket = directory.path().join("s");
        let listener = UnixListener::bind(&socket)?;
        for (path, mode) in [(directory.path(), 0o755), (&socket, 0o666)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        let (image, program) = match language {
            Language::Python => ("lambda-python", ["python3", "-c", PYTHON]),
            _ => ("lambda-javascript", ["node", "-e", JAVASCRIPT]),
        };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(program.map(str::to_owned).to_vec()),
            host_config: Some(HostConfig {
                runtime: Some(self.backend.oci_runtime().to_owned()),
                network_mode: Some("none".to_owned()),
                binds: Some(vec![format!("{}:/run/floor", directory.path().display())]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lambda-floor-{}-{count}", std::process::id());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let began = Instant::now();
        let id = self.docker.create_container(Some(options), body).await?.id;
        let created = began.elapsed();
        let connected = async {
            self.docker.start_container(&id, None).await?;
            let started = began.elapsed();
            let (connection, _) = tokio::time::timeout(TIMEOUT, listener.accept()).await??;
            Result::Ok((started, connection))
        };
        match connected.await {
            Ok((started, connection)) => Ok(Started {
                parts: Parts {
                    create: created,
                    start: started - created,
                    boot: began.elapsed() - started,
                },
                id,
                _connection: connection,
                _directory: directory,
            }),
            Err(error) => {
                self.remove_id(&id).await?;
                Err(error)
            }
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// If Docker cannot.
    pub async fn remove(&self, started: Started) -> Result<()> {
        self.remove_id(&started.id).await
    }

    async fn remove_id(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        self.docker.remove_container(id, Some(options)).await?;
        Ok(())
    }
}
