//! From a request to a booted sandbox.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, SystemInfo};
use jiff::Timestamp;
use rustix::process::Pid;
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::body::{Body, Custody, Stage, Vitals};
use super::cgroup::Limits;
use super::failure::Attempt;
use super::labels::{Labels, container_name};
use super::output::OutputPipes;
use super::run_dir::Channels;
use super::sandbox::ContainerSandbox;
use super::stream::SandboxStream;
use super::template::{self, Spec};
use super::user::UserLease;
use super::{ContainerRuntime, blocking};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Session;
use crate::runtime::CreateSandbox;

const OPERATION: &str = "sandbox_create";

/// How much of a failed boot's output an error quotes, in bytes.
const QUOTED_BYTES: usize = 300;

/// After the boot timeout the task that boots has this long to say what it was waiting for.
const GRACE: Duration = Duration::from_millis(100);

/// How long the end of a process may take once it has left its cgroups.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

impl ContainerRuntime {
    pub(crate) async fn create(&self, request: CreateSandbox) -> Result<Arc<ContainerSandbox>> {
        let image = self.admit(request.language, request.image.as_deref(), &request.network)?;
        let attempt = Attempt {
            language: request.language,
            image: image.to_owned(),
            image_is_requested: request.image.is_some(),
            network: request.network.clone(),
            oci_runtime: self.0.backend.oci_runtime.clone(),
        };
        let timeout = request.boot_timeout;
        let cancel = CancellationToken::new();
        let _cancel_when_dropped = cancel.clone().drop_guard();
        let boot = Boot {
            runtime: self.clone(),
            request,
            attempt: attempt.clone(),
            deadline: Instant::now() + timeout,
            cancel,
        };
        // In a task of its own: a call to Docker that is under way when the caller goes away
        // must still come to its end, or its container would be nobody's.
        let task = tokio::spawn(boot.run());
        match tokio::time::timeout(timeout + GRACE, task).await {
            Ok(Ok(result)) => result.map(Arc::new),
            Ok(Err(error)) => {
                Err(Error::internal(OPERATION, "Creating a sandbox panicked.").source(error))
            }
            Err(_) => Err(attempt.too_slow(timeout.as_secs_f64(), "Docker has not answered.")),
        }
    }
}

struct Boot {
    runtime: ContainerRuntime,
    request: CreateSandbox,
    attempt: Attempt,
    deadline: Instant,
    cancel: CancellationToken,
}

impl Boot {
    async fn run(self) -> Result<ContainerSandbox> {
        let info = self.runtime.0.engine.info().await?;
        self.require_limits(info)?;
        let bootstrap = self.runtime.bootstrap(self.request.language).await?;

        // From here on something exists, and whatever happens removes it.
        let body = self.body(is_remapped(info));
        let run_dir = body.run_dir.clone();
        let mut channels = blocking(move || run_dir.create()).await?;
        let container = template::container(&Spec {
            request: &self.request,
            image: &self.attempt.image,
            oci_runtime: &self.attempt.oci_runtime,
            processes: self.runtime.0.backend.processes,
            labels: &self.labels(),
            uid: body.user.id(),
            run_dir: &body.run_dir.mount(),
            bootstrap,
            clears_tmp: self.runtime.0.options.clear_tmp,
            busy_poll: self.runtime.sandbox_busy_poll(),
        });

        self.go_on()?;
        let id = body
            .engine
            .create(&body.name, container)
            .await
            .map_err(|error| self.attempt.refused(error))?;
        let (run_dir, noted) = (body.run_dir.clone(), id.clone());
        blocking(move || run_dir.note_container(&noted)).await?;
        let id = body.container_id.get_or_init(|| id);

        self.go_on()?;
        body.start_tried.store(true, Ordering::Relaxed);
        body.engine
            .start(&body.name)
            .await
            .map_err(|error| self.attempt.refused(error))?;

        let (listener, pipes) = open_channels(&mut channels)?;
        let (session, connection) = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(cancelled()),
            connected = self.wait_for_bootstrap(&body, id, &listener, &pipes) => connected?,
            () = tokio::time::sleep_until(self.deadline) => {
                let seconds = self.request.boot_timeout.as_secs_f64();
                return Err(self.attempt.too_slow(seconds, &pipes.tail(QUOTED_BYTES)));
            }
        };
        // One connection, made by our bootstrap before any code of the function's ran.
        drop(listener);
        channels.unlink_socket();
        Ok(ContainerSandbox::new(
            self.request.id,
            body,
            session,
            connection,
            pipes,
            self.request.memory_mib,
        ))
    }

    fn body(&self, is_remapped: bool) -> Custody {
        let shared = &self.runtime.0;
        Custody(Arc::new(Body {
            engine: shared.engine.clone(),
            name: container_name(self.request.id),
            run_dir: shared.run_dirs.of(self.request.owner, self.request.id),
            user: UserLease::take(is_remapped),
            kind: shared.backend.kind,
            container_id: OnceLock::new(),
            vitals: OnceLock::new(),
            start_tried: AtomicBool::new(false),
            frozen: Arc::clone(&shared.frozen),
            is_frozen: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            handle: Handle::current(),
            stage: watch::Sender::new(Stage::Alive),
        }))
    }

    fn labels(&self) -> Labels {
        Labels {
            runtime: self.runtime.name(),
            data_dir: self.runtime.0.data_dir_digest.clone(),
            owner: self.request.owner,
            sandbox: self.request.id,
        }
    }

    /// Refuses where a limit would be accepted and not enforced.
    fn require_limits(&self, info: &SystemInfo) -> Result<()> {
        let enforced = [info.memory_limit, info.pids_limit, info.cpu_cfs_quota];
        if enforced.contains(&Some(false)) || !self.runtime.capability().limits {
            return Err(self.no_limits());
        }
        Ok(())
    }

    /// Refuses a container that is there, and whose limits are not.
    async fn require_enforced(&self, pid: Pid, id: &str, vitals: &Vitals) -> Result<()> {
        let processes = self.runtime.0.backend.processes;
        let limits = Limits {
            memory_bytes: u64::from(self.request.memory_mib) << 20,
            pids: u64::try_from(processes.pids).unwrap_or(0),
            cpus: self.request.cpus,
        };
        if limits.missing(pid, id).is_empty() {
            return Ok(());
        }
        // A process that ends leaves its cgroups some moments before its end is seen.
        let ends = tokio::time::timeout(LAST_MOMENTS, vitals.process.ended());
        if ends.await.is_ok() {
            return Ok(());
        }
        let missing = limits.missing(pid, id);
        if missing.is_empty() {
            return Ok(());
        }
        tracing::error!(?missing, "limits that Docker accepted do not hold");
        Err(self.no_limits())
    }

    fn no_limits(&self) -> Error {
        Error::new(
            ErrorKind::RuntimeUnavailable,
            OPERATION,
            format!(
                "The runtime `{}` does not enforce the limits of memory, processes and CPU here.",
                self.runtime.name()
            ),
        )
        .hint("`lambda doctor` says which limit it is and how to mend it.")
    }

    /// Stops between two steps if nobody waits any more.
    fn go_on(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(cancelled());
        }
        Ok(())
    }

    /// Waits for the bootstrap's connection and its request for code, and meanwhile asks
    /// Docker for the main process.
    async fn wait_for_bootstrap(
        &self,
        body: &Custody,
        id: &str,
        listener: &UnixListener,
        pipes: &OutputPipes,
    ) -> Result<(Session<SandboxStream>, Arc<UnixStream>)> {
        let mut connected = std::pin::pin!(connect(listener, self.runtime.0.options.busy_poll));
        let mut vitals = std::pin::pin!(self.find_vitals(body, id, pipes));
        tokio::select! {
            session = &mut connected => {
                vitals.await?;
                session
            }
            vitals = &mut vitals => {
                let vitals = vitals?;
                tokio::select! {
                    biased;
                    session = &mut connected => match session {
                        Ok(session) => Ok(session),
                        // Closing a connection that was just made is one way to die.
                        Err(_) => Err(self.died(body, pipes).await),
                    },
                    () = vitals.process.ended() => Err(self.died(body, pipes).await),
                }
            }
        }
    }

    async fn find_vitals<'a>(
        &self,
        body: &'a Custody,
        id: &str,
        pipes: &OutputPipes,
    ) -> Result<&'a Vitals> {
        let inspected = body.engine.inspect(&body.name).await?;
        if has_volumes(&inspected) {
            return Err(self.attempt.has_volumes());
        }
        let pid = inspected.state.and_then(|state| state.pid).unwrap_or(0);
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let may_freeze = self.runtime.0.options.cgroup_freezer;
        match pid.and_then(|pid| Some((pid, Vitals::open(pid, id, may_freeze)?))) {
            Some((pid, vitals)) => {
                let vitals = body.vitals.get_or_init(|| vitals);
                self.require_enforced(pid, id, vitals).await?;
                Ok(vitals)
            }
            None => Err(self.died(body, pipes).await),
        }
    }

    async fn died(&self, body: &Custody, pipes: &OutputPipes) -> Error {
        let waiting = tokio::time::timeout(Duration::from_secs(1), body.engine.wait(&body.name));
        let exit_code = waiting.await.ok().and_then(Result::ok).flatten();
        self.attempt.died(exit_code, &pipes.tail(QUOTED_BYTES))
    }
}

async fn connect(
    listener: &UnixListener,
    busy_poll: Duration,
) -> Result<(Session<SandboxStream>, Arc<UnixStream>)> {
    let (stream, _) = listener.accept().await.map_err(no_channel)?;
    let stream = SandboxStream::new(stream, busy_poll).map_err(no_channel)?;
    let connection = Arc::clone(stream.socket());
    let mut session = Session::new(stream, log_stream_name());
    session.wait_for_init().await?;
    Ok((session, connection))
}

fn open_channels(channels: &mut Channels) -> Result<(UnixListener, OutputPipes)> {
    let Some((listener, stdout, stderr)) = channels.take() else {
        return Err(Error::internal(
            OPERATION,
            "A sandbox's channels were taken twice.",
        ));
    };
    let listener = UnixListener::from_std(listener).map_err(no_channel)?;
    let pipes = OutputPipes::new(stdout, stderr).map_err(no_channel)?;
    Ok((listener, pipes))
}

fn no_channel(error: impl Into<std::io::Error>) -> Error {
    Error::new(
        ErrorKind::RuntimeUnavailable,
        OPERATION,
        "The connection to a sandbox could not be made.",
    )
    .hint("See whether this process has reached its limit of open files (`ulimit -n`); a sandbox needs eight.")
    .source(error.into())
}

fn cancelled() -> Error {
    Error::new(
        ErrorKind::RuntimeUnavailable,
        OPERATION,
        "Nobody waits for the sandbox any more.",
    )
}

/// AWS's form, date and an id.
fn log_stream_name() -> String {
    format!(
        "{}/{:032x}",
        Timestamp::now().strftime("%Y/%m/%d"),
        rand::random::<u128>()
    )
}

fn has_volumes(inspected: &ContainerInspectResponse) -> bool {
    inspected
        .mounts
        .iter()
        .flatten()
        .any(|mount| mount.typ.as_deref() == Some("volume"))
}

/// Whether ids inside are others outside, so that only the first 65,536 exist inside.
fn is_remapped(info: &SystemInfo) -> bool {
    info.security_options
        .iter()
        .flatten()
        .any(|option| option.contains("name=userns") || option.contains("name=rootless"))
}
