//! The settings of every sandbox, in one pure function: whatever is requested, only sizes,
//! paths, ids and listed names vary.
//!
//! The reasons are in docs/SECURITY.md; measured traps are noted here.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::labels::Labels;
use crate::model::Language;
use crate::model::limits::OPEN_FILES_MAX;
use crate::runtime::CreateSandbox;

/// Which system calls a container under runc may make; gVisor has a kernel of its own.
const SECCOMP: &str = include_str!("seccomp.json");

const MIB: i64 = 1024 * 1024;

/// Of the memory, what Node may use for its old generation; beyond it, it collects garbage
/// rather than being killed. The rest is for its code, buffers and threads.
const NODE_HEAP_PERCENT: u32 = 70;

/// Most room for code that is sent; it counts as memory.
const CODE_MIB_MAX: u32 = 64;

/// How many processes and threads a sandbox may have. Node alone needs 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessLimits {
    /// Of the cgroup, the runtime's own threads included.
    pub(crate) pids: i64,
    /// `RLIMIT_NPROC` of the sandbox's user.
    pub(crate) nproc: i64,
}

/// What differs from one sandbox to another.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) request: &'a CreateSandbox,
    pub(crate) image: &'a str,
    pub(crate) oci_runtime: &'a str,
    pub(crate) processes: ProcessLimits,
    pub(crate) labels: &'a Labels,
    pub(crate) uid: u32,
    pub(crate) run_dir: &'a Path,
    pub(crate) bootstrap: &'a Path,
    pub(crate) clears_tmp: bool,
    /// For how long the bootstrap looks for the next invocation before it sleeps.
    pub(crate) busy_poll: Duration,
}

/// What Docker is asked to create.
pub(crate) fn container(spec: &Spec<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.image.to_owned()),
        user: Some(format!("{0}:{0}", spec.uid)),
        // Replaces the image's entrypoint and command.
        entrypoint: Some(vec![
            "sh".to_owned(),
            "-c".to_owned(),
            command(spec.request),
        ]),
        working_dir: Some("/var/task".to_owned()),
        env: Some(environment(spec)),
        labels: Some(spec.labels.to_map()),
        // An image's own check would run beside the function.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        open_stdin: Some(false),
        tty: Some(false),
        host_config: Some(host_config(spec)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &Spec<'_>) -> HostConfig {
    let request = spec.request;
    let memory = i64::from(request.memory_mib) * MIB;
    let mut tmpfs = HashMap::from([tmpfs("/tmp", request.tmp_mib, spec.uid)]);
    let mut mounts = vec![
        // Read-write, because gVisor cannot open a FIFO on a read-only mount; the modes of
        // what is in it protect it.
        bind(spec.run_dir, "/run/lambda", false),
        bind(spec.bootstrap, "/var/runtime", true),
    ];
    match &request.code_directory {
        Some(code) => mounts.push(bind(code, "/var/task", true)),
        None => {
            let mib = (request.memory_mib / 4).min(CODE_MIB_MAX);
            tmpfs.extend([self::tmpfs("/var/task", mib, spec.uid)]);
        }
    }
    HostConfig {
        runtime: Some(spec.oci_runtime.to_owned()),

        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec![
            "no-new-privileges:true".to_owned(),
            format!("seccomp={SECCOMP}"),
        ]),
        readonly_rootfs: Some(true),
        tmpfs: Some(tmpfs),
        mounts: Some(mounts),
        network_mode: Some(request.network.clone()),
        ipc_mode: Some("private".to_owned()),
        // Python's multiprocessing keeps its locks in /dev/shm.
        shm_size: Some(8 * MIB),

        memory: Some(memory),
        // The same number: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(nano_cpus(request.cpus)),
        pids_limit: Some(spec.processes.pids),
        ulimits: Some(vec![
            ulimit("nproc", spec.processes.nproc),
            ulimit("nofile", i64::try_from(OPEN_FILES_MAX).unwrap_or(i64::MAX)),
            ulimit("core", 0),
        ]),
        oom_score_adj: Some(500),

        // Reaps the processes that a function leaves behind.
        init: Some(true),
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        auto_remove: Some(false),
        ..HostConfig::default()
    }
}

/// The shell opens the FIFOs, so that not even an error of the language is lost.
fn command(request: &CreateSandbox) -> String {
    let program = match request.language {
        Language::Python => "python3 /var/runtime/bootstrap.py".to_owned(),
        Language::Javascript => format!(
            "node --max-old-space-size={} /var/runtime/bootstrap.js",
            request.memory_mib * NODE_HEAP_PERCENT / 100
        ),
    };
    format!("exec {program} </dev/null >/run/lambda/stdout 2>/run/lambda/stderr")
}

/// Never the function's environment: anybody who may inspect containers could read it.
fn environment(spec: &Spec<'_>) -> Vec<String> {
    let mut environment = [
        "LAMBDA_API_SOCKET=/run/lambda/api.sock",
        "LAMBDA_TASK_ROOT=/var/task",
        "LAMBDA_RUNTIME_DIR=/var/runtime",
        // In a process namespace of its own the bootstrap can kill all that a function left.
        "LAMBDA_KILL_STRAYS=1",
        "HOME=/tmp",
        "TMPDIR=/tmp",
        "LANG=C.UTF-8",
        "TZ=:UTC",
    ]
    .map(str::to_owned)
    .to_vec();
    if spec.clears_tmp {
        environment.push("LAMBDA_CLEAR_TMP=1".to_owned());
    }
    // Only Python's bootstrap knows it.
    if spec.request.language == Language::Python && !spec.busy_poll.is_zero() {
        environment.push(format!(
            "LAMBDA_BUSY_POLL_US={}",
            spec.busy_poll.as_micros()
        ));
    }
    environment
}

/// Programs may be run from it: native add-ons are unpacked there.
///
/// runc gives it the mode of the image's directory of that name, whatever `mode` says, so it
/// must also belong to the sandbox's user.
fn tmpfs(target: &str, mib: u32, uid: u32) -> (String, String) {
    let options = format!("rw,exec,nosuid,nodev,size={mib}m,mode=1777,uid={uid},gid={uid}");
    (target.to_owned(), options)
}

fn bind(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_string_lossy().into_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    }
}

/// A float that is too large, or none, saturates; the value was checked long before.
#[allow(clippy::cast_possible_truncation)]
fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 1e9).round() as i64
}

#[cfg(test)]
mod tests;
