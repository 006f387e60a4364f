//! What the Docker and gVisor runtimes have in common: nearly everything.
//!
//! | module | job |
//! |---|---|
//! | `options` | what an operator decides |
//! | `template`, `labels`, `user` | what a container is created with |
//! | `run_dir`, `bootstrap` | what is mounted into it |
//! | `engine`, `failure` | Docker's API, and its failures in plain words |
//! | `create` | from a request to a booted sandbox |
//! | `sandbox`, `output`, `stream`, `exchange` | a sandbox at work |
//! | `body`, `process`, `cgroup`, `freezer`, `frozen`, `strays` | its life, its death and the proof of it |
//! | `reaper` | what dead owners left behind |
//! | `check` | whether all of this can work on this machine |

mod body;
mod bootstrap;
mod cgroup;
mod check;
mod create;
mod engine;
mod exchange;
mod failure;
mod freezer;
mod frozen;
mod labels;
mod options;
mod output;
mod process;
mod read_buffer;
mod reaper;
mod run_dir;
mod sandbox;
mod strays;
mod stream;
mod template;
mod user;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{FunctionConfig, Language, RuntimeName};
use crate::runtime::RuntimeCapability;

use engine::Engine;
use frozen::Frozen;
pub use options::ContainerOptions;
use run_dir::RunDirs;
pub(crate) use template::ProcessLimits;

/// Callers that call in a loop come back within a few microseconds; others do not.
const SANDBOX_BUSY_POLL_MAX: Duration = Duration::from_micros(20);

/// Which OCI runtime is behind a back end, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Runc,
    Runsc,
}

/// What makes one back end different from the other.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) name: RuntimeName,
    pub(crate) kind: Kind,
    /// Its name in Docker's configuration.
    pub(crate) oci_runtime: String,
    pub(crate) capability: RuntimeCapability,
    pub(crate) processes: ProcessLimits,
}

/// A runtime over Docker. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ContainerRuntime(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    backend: Backend,
    options: ContainerOptions,
    /// Absolute, without links.
    data_dir: PathBuf,
    data_dir_digest: String,
    engine: Engine,
    frozen: Arc<Frozen>,
    run_dirs: RunDirs,
    python: OnceCell<PathBuf>,
    javascript: OnceCell<PathBuf>,
    /// A canary sandbox has shown that some limit is not enforced here.
    limits_refuted: AtomicBool,
}

impl ContainerRuntime {
    /// For how long a sandbox looks for its next invocation before it sleeps. In gVisor a look is
    /// a switch to its kernel, which takes as long as being woken.
    fn sandbox_busy_poll(&self) -> Duration {
        match self.0.backend.kind {
            Kind::Runc => self.0.options.busy_poll.min(SANDBOX_BUSY_POLL_MAX),
            Kind::Runsc => Duration::ZERO,
        }
    }

    pub(crate) fn new(backend: Backend, options: ContainerOptions) -> Result<Self> {
        options.validate()?;
        let data_dir = make_data_dir(&options.data_dir)?;
        let engine = Engine::new(options.resolve_socket()?);
        Ok(Self(Arc::new(Shared {
            frozen: Frozen::new(engine.clone()),
            engine,
            run_dirs: RunDirs::new(&data_dir, &backend.name),
            data_dir_digest: labels::data_dir_digest(&data_dir),
            data_dir,
            backend,
            options,
            python: OnceCell::new(),
            javascript: OnceCell::new(),
            limits_refuted: AtomicBool::new(false),
        })))
    }

    pub(crate) fn name(&self) -> RuntimeName {
        self.0.backend.name.clone()
    }

    pub(crate) fn capability(&self) -> RuntimeCapability {
        RuntimeCapability {
            limits: !self.0.limits_refuted.load(Ordering::Relaxed),
            ..self.0.backend.capability
        }
    }

    pub(crate) fn accepts(&self, config: &FunctionConfig) -> Result<()> {
        self.admit(config.language, config.image.as_deref(), &config.network)
            .map(|_| ())
    }

    /// Checks that the operator allows what is requested, and returns the image.
    fn admit<'a>(
        &'a self,
        language: Language,
        image: Option<&'a str>,
        network: &str,
    ) -> Result<&'a str> {
        const OPERATION: &str = "runtime_accepts";
        let Shared {
            backend, options, ..
        } = &*self.0;
        if network != "none" {
            if !backend.capability.network {
                return Err(Error::invalid(
                    OPERATION,
                    format!(
                        "`network` has to be `none` in the runtime `{}`.",
                        backend.name
                    ),
                )
                .hint("Set `network` to `none`, or `runtime` to `docker`."));
            }
            if !options.allowed_networks.contains(network) {
                return Err(Error::invalid(
                    OPERATION,
                    format!("`network` is {network:?}, which is not allowed."),
                )
                .hint(allowed("networks", &options.allowed_networks, "none")));
            }
        }
        let default = options.default_image(language);
        match image {
            None => Ok(default),
            Some(image) if image == default || options.allowed_images.contains(image) => Ok(image),
            Some(image) => Err(Error::invalid(
                OPERATION,
                format!("`image` is {image:?}, which is not allowed."),
            )
            .hint(allowed("images", &options.allowed_images, default))),
        }
    }

    /// The directory with the bootstrap of `language`; written at its first use.
    async fn bootstrap(&self, language: Language) -> Result<&Path> {
        let cell = match language {
            Language::Python => &self.0.python,
            Language::Javascript => &self.0.javascript,
        };
        let path = cell
            .get_or_try_init(|| {
                let data_dir = self.0.data_dir.clone();
                blocking(move || bootstrap::install(&data_dir, language))
            })
            .await?;
        Ok(path)
    }
}

fn allowed(what: &str, listed: &BTreeSet<String>, default: &str) -> String {
    let listed: Vec<_> = std::iter::once(default)
        .chain(listed.iter().map(String::as_str))
        .collect();
    format!("The operator allows these {what}: {}.", listed.join(", "))
}

/// Makes the data directory if it is missing. Its name has to be the same for Docker, so
/// links are followed here, once.
fn make_data_dir(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| path.canonicalize())
        .map_err(|error| {
            Error::invalid("runtime_connect", "The data directory cannot be made.")
                .hint("Name a directory that this process's user may write to.")
                .source(error)
        })
}

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| {
            Error::new(
                ErrorKind::RuntimeUnavailable,
                "data_dir",
                "The platform's data directory cannot be used.",
            )
            .hint("See that its disk is not full and that it belongs to the platform's user.")
            .source(error)
        })
}

/// Implements the trait for a newtype around [`ContainerRuntime`].
macro_rules! delegate_runtime {
    ($name:ident) => {
        #[async_trait::async_trait]
        impl crate::runtime::Runtime for $name {
            fn name(&self) -> crate::model::RuntimeName {
                self.0.name()
            }

            fn capability(&self) -> crate::runtime::RuntimeCapability {
                self.0.capability()
            }

            fn accepts(&self, config: &crate::model::FunctionConfig) -> crate::error::Result<()> {
                self.0.accepts(config)
            }

            async fn check(&self, thorough: bool) -> Vec<crate::runtime::Finding> {
                self.0.check(thorough).await
            }

            async fn create(
                &self,
                request: crate::runtime::CreateSandbox,
            ) -> crate::error::Result<std::sync::Arc<dyn crate::runtime::Sandbox>> {
                Ok(self.0.create(request).await?)
            }

            async fn owners(&self) -> crate::error::Result<Vec<crate::model::OwnerId>> {
                self.0.owners().await
            }

            async fn remove_owned(
                &self,
                owner: crate::model::OwnerId,
            ) -> crate::error::Result<usize> {
                self.0.remove_owned(owner).await
            }
        }
    };
}

pub(crate) use delegate_runtime;
