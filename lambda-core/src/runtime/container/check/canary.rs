//! A sandbox that tries to take more than it may: Docker accepts limits that nobody enforces.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;

use super::failed;
use crate::error::{Error, Result};
use crate::model::{
    CodeFormat, Function, FunctionConfig, FunctionId, FunctionName, Language, Namespace, OwnerId,
    RequestId,
};
use crate::output::OutputCapture;
use crate::runtime::container::ContainerRuntime;
use crate::runtime::container::sandbox::ContainerSandbox;
use crate::runtime::{
    CreateSandbox, Finding, InitializeSandbox, InvokeSandbox, Sandbox, SandboxReply, Severity,
};

const CODE: &str = include_str!("canary.py");

const MEMORY_MIB: u32 = 128;

/// Less than one, so that it shows on a machine with one core too.
const CPUS: f64 = 0.5;

/// Several of the kernel's 100 ms periods.
const SPIN: Duration = Duration::from_millis(600);

/// A period that is counted in part, and the time that starting and stopping takes.
const CPU_TOLERANCE: f64 = 1.3;

/// For each single attempt.
const PATIENCE: Duration = Duration::from_secs(30);

impl ContainerRuntime {
    /// Starts a canary and tells what it could do. Takes seconds.
    pub(super) async fn canary(&self) -> Vec<Finding> {
        // What is found now counts, not what an earlier canary found.
        self.0.limits_refuted.store(false, Ordering::Relaxed);
        let canary = match Canary::start(self).await {
            Ok(canary) => canary,
            Err(error) => return vec![failed("canary sandbox", &error)],
        };
        let findings = vec![
            canary.network().await,
            canary.processes(self.0.backend.processes.nproc).await,
            canary.cpu().await,
            // The last one: it does not survive it.
            canary.memory().await,
        ];
        canary.sandbox.destroy().await;
        // Its owner does not exist, so nobody would look for what is left of it.
        let removed = tokio::time::timeout(PATIENCE, canary.sandbox.removed()).await;
        if removed.is_err() {
            tracing::warn!("Docker has not removed the canary sandbox yet");
        }
        let is_refuted = findings.iter().any(|it| it.severity == Severity::Error);
        self.0.limits_refuted.store(is_refuted, Ordering::Relaxed);
        findings
    }
}

struct Canary {
    sandbox: Arc<ContainerSandbox>,
}

impl Canary {
    async fn start(runtime: &ContainerRuntime) -> Result<Self> {
        let mut config = FunctionConfig::new(Language::Python);
        config.handler = Some("canary.handler".to_owned());
        config.memory_mib = MEMORY_MIB;
        config.cpus = CPUS;
        let function = Function::first_version(
            Namespace::default(),
            FunctionId::new(),
            FunctionName::new("canary")?,
            config,
            Vec::new(),
            Timestamp::now(),
        );
        let request = CreateSandbox::for_function(OwnerId::new(), &function);
        let sandbox = runtime.create(request).await?;
        let code = (CodeFormat::Inline, CODE.into());
        let request = InitializeSandbox::new(Arc::new(function), Some(code));
        match sandbox.initialize(request, &OutputCapture::new()).await? {
            SandboxReply::Ready => Ok(Self { sandbox }),
            reply => Err(Error::internal(
                "canary",
                format!("The canary's code could not be loaded: {reply:?}"),
            )),
        }
    }

    async fn ask(&self, what: &str) -> Result<SandboxReply> {
        let request = InvokeSandbox::new(RequestId::new(), what.to_owned().into(), 0, "".into());
        let output = OutputCapture::new();
        let answer = self.sandbox.invoke(request, &output);
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_else(|_| {
                Err(Error::internal(
                    "canary",
                    "The canary did not answer in time.",
                ))
            })
    }

    async fn number(&self, what: &str) -> Result<f64> {
        #[derive(Deserialize)]
        struct Answer {
            number: f64,
        }
        let reply = self.ask(what).await?;
        let number = match &reply {
            SandboxReply::Response(body) => serde_json::from_slice::<Answer>(body).ok(),
            _ => None,
        };
        number.map(|answer| answer.number).ok_or_else(|| {
            Error::internal("canary", format!("The canary did not answer: {reply:?}"))
        })
    }

    async fn network(&self) -> Finding {
        const SUBJECT: &str = "no network";
        match self.number(r#"{"do": "count_ways_out"}"#).await {
            Ok(0.0) => Finding::ok(SUBJECT, "A sandbox has no way out."),
            Ok(_) => Finding::bad(
                Severity::Error,
                SUBJECT,
                "A sandbox without a network has one.",
                "For gVisor register `runsc` with `--network=none`; for Docker see what changes its `none` network.",
            ),
            Err(error) => failed(SUBJECT, &error),
        }
    }

    async fn processes(&self, limit: i64) -> Finding {
        const SUBJECT: &str = "process limit";
        match self
            .number(&format!(
                r#"{{"do": "start_threads", "most": {}}}"#,
                limit * 2
            ))
            .await
        {
            Ok(count) if count <= limit as f64 => Finding::ok(
                SUBJECT,
                format!("Enforced: thread {} was refused.", count + 1.0),
            ),
            Ok(count) => not_enforced(
                SUBJECT,
                &format!("{count} threads could be started; the limit is {limit}."),
            ),
            Err(error) => failed(SUBJECT, &error),
        }
    }

    async fn cpu(&self) -> Finding {
        const SUBJECT: &str = "CPU limit";
        let spin = format!(r#"{{"do": "spin", "seconds": {}}}"#, SPIN.as_secs_f64());
        let Some(before) = self.sandbox.cpu_time() else {
            return Finding::bad(
                Severity::Warning,
                SUBJECT,
                "It cannot be measured: the CPU cgroup cannot be read.",
                "Run the platform on the host itself, where /sys/fs/cgroup is readable.",
            );
        };
        let started = Instant::now();
        if let Err(error) = self.number(&spin).await {
            return failed(SUBJECT, &error);
        }
        let elapsed = started.elapsed();
        let Some(after) = self.sandbox.cpu_time() else {
            return not_enforced(
                SUBJECT,
                "The sandbox ended while its CPU time was measured.",
            );
        };
        let used = after.saturating_sub(before).as_secs_f64() / elapsed.as_secs_f64();
        if used <= CPUS * CPU_TOLERANCE {
            return Finding::ok(
                SUBJECT,
                format!("Enforced: {used:.2} of {CPUS} CPUs were used by two busy processes."),
            );
        }
        not_enforced(
            SUBJECT,
            &format!("Two busy processes used {used:.2} CPUs; the limit is {CPUS}."),
        )
    }

    async fn memory(&self) -> Finding {
        const SUBJECT: &str = "memory limit";
        let most = MEMORY_MIB * 2;
        match self
            .ask(&format!(r#"{{"do": "take_memory", "mib": {most}}}"#))
            .await
        {
            Ok(SandboxReply::OutOfMemory) => Finding::ok(
                SUBJECT,
                format!("Enforced: killed at {MEMORY_MIB} MiB, and the kill was seen."),
            ),
            Ok(SandboxReply::Response(_)) => not_enforced(
                SUBJECT,
                &format!("{most} MiB could be taken; the limit is {MEMORY_MIB} MiB."),
            ),
            Ok(SandboxReply::Ended | SandboxReply::Failed(_)) => Finding::bad(
                Severity::Warning,
                SUBJECT,
                "Enforced, but the kill could not be seen: a lack of memory looks like a crash.",
                "Run the platform where it can read the containers' cgroups.",
            ),
            Ok(reply) => failed(
                SUBJECT,
                &Error::internal("canary", format!("Unexpected: {reply:?}")),
            ),
            Err(error) => failed(SUBJECT, &error),
        }
    }
}

fn not_enforced(subject: &str, detail: &str) -> Finding {
    Finding::bad(
        Severity::Error,
        subject,
        format!("Not enforced. {detail}"),
        "Remove `--ignore-cgroups` from runsc's `runtimeArgs`; for Docker see that the kernel has the cgroup controllers memory, pids and cpu, and that Docker is not rootless without them.",
    )
}
