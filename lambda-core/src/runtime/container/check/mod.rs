//! Whether a container runtime can work on this machine, and what to do where it cannot.

mod canary;
mod oci;
mod versions;

use std::fs;

use bollard::models::SystemInfo;

use super::failure::{daemon_json_entry, runtime_missing};
use super::{ContainerRuntime, Kind, blocking, cgroup};
use crate::error::Error;
use crate::model::{Language, OwnerId, SandboxId};
use crate::runtime::{Finding, Severity};

impl ContainerRuntime {
    pub(crate) async fn check(&self, thorough: bool) -> Vec<Finding> {
        let mut findings = self.look().await;
        if thorough && findings.iter().all(|it| it.severity != Severity::Error) {
            findings.extend(self.canary().await);
        }
        let name = &self.0.backend.name;
        for finding in &mut findings {
            finding.subject = format!("{name}: {}", finding.subject);
        }
        findings
    }

    async fn look(&self) -> Vec<Finding> {
        let engine = &self.0.engine;
        let info = match engine.fresh_info().await {
            Ok(info) => info,
            Err(error) => return vec![failed("engine", &error)],
        };
        let kernel = kernel_release();
        let mut findings = vec![locality(&info, &kernel), limits(&info)];
        match engine.version().await {
            Ok(version) => {
                findings.push(versions::engine(
                    version.version.as_deref().unwrap_or_default(),
                ));
                if self.0.backend.kind == Kind::Runc {
                    let runc = version
                        .components
                        .iter()
                        .flatten()
                        .find(|it| it.name == "runc");
                    findings.extend(runc.map(|it| {
                        let commit = it
                            .details
                            .as_ref()
                            .and_then(|details| details.get("GitCommit"));
                        versions::runc(&it.version, commit.map_or("", String::as_str))
                    }));
                }
            }
            Err(error) => findings.push(failed("engine's version", &error)),
        }
        findings.extend(self.oci_runtime(&info, &kernel).await);
        for language in Language::ALL {
            findings.push(self.image(language).await);
        }
        findings.push(cgroups());
        findings.push(self.data_dir().await);
        findings
    }

    async fn oci_runtime(&self, info: &SystemInfo, kernel: &str) -> Vec<Finding> {
        let backend = &self.0.backend;
        let name = &backend.oci_runtime;
        let Some(registered) = info.runtimes.as_ref().and_then(|all| all.get(name)) else {
            return vec![failed("OCI runtime", &runtime_missing(name))];
        };
        if backend.kind == Kind::Runc {
            return vec![Finding::ok(
                "OCI runtime",
                format!("Docker knows `{name}`."),
            )];
        }
        let arguments = registered.runtime_args.clone().or_else(|| {
            oci::arguments_in(&fs::read_to_string("/etc/docker/daemon.json").ok()?, name)
        });
        let mut findings = match arguments {
            Some(arguments) => oci::runsc_arguments(name, &arguments),
            None => vec![Finding::bad(
                Severity::Warning,
                "OCI runtime",
                format!("Docker knows `{name}`, but not with which arguments it is started."),
                format!(
                    "Register it with a `path` in /etc/docker/daemon.json: {}",
                    daemon_json_entry(name)
                ),
            )],
        };
        if let Some(path) = &registered.path {
            findings.push(match oci::version_of(path).await {
                Some(version) => versions::runsc(&version, kernel),
                None => Finding::bad(
                    Severity::Warning,
                    "runsc's version",
                    format!("`{path} --version` says nothing that can be read."),
                    "Install a current release of gVisor: https://gvisor.dev/docs/user_guide/install/",
                ),
            });
        }
        findings
    }

    async fn image(&self, language: Language) -> Finding {
        let subject = format!("{language} image");
        let image = self.0.options.default_image(language);
        match self.0.engine.has_image(image).await {
            Ok(true) => Finding::ok(subject, format!("{image} is here.")),
            // A warning: the platform works for the other language.
            Ok(false) => Finding::bad(
                Severity::Warning,
                subject,
                format!(
                    "{image}, the default image of {language} functions, is not on this machine."
                ),
                "Run `make demo`, or make another image the default and `docker pull` it.",
            ),
            Err(error) => failed(&subject, &error),
        }
    }

    async fn data_dir(&self) -> Finding {
        const SUBJECT: &str = "data directory";
        let run_dirs = self.0.run_dirs.clone();
        let tried = blocking(move || {
            let owner = OwnerId::new();
            let run_dir = run_dirs.of(owner, SandboxId::new());
            let made = run_dir.create().map(drop);
            run_dir.remove()?;
            run_dirs.forget(owner);
            made
        });
        match tried.await {
            Ok(()) => Finding::ok(SUBJECT, "Sockets and FIFOs can be made in it."),
            Err(error) => failed(SUBJECT, &error),
        }
    }
}

/// An error, as a finding.
fn failed(subject: &str, error: &Error) -> Finding {
    let mend = error.hint_text().unwrap_or("The platform's log says more.");
    let cause = std::error::Error::source(error).map_or_else(String::new, |it| format!(" ({it})"));
    Finding::bad(Severity::Error, subject, format!("{error}{cause}"), mend)
}

fn kernel_release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

/// Docker must run on this very kernel: sockets and FIFOs do not pass into a virtual machine.
fn locality(info: &SystemInfo, kernel: &str) -> Finding {
    let system = info
        .operating_system
        .as_deref()
        .unwrap_or("an unknown system");
    let is_desktop = system.contains("Docker Desktop");
    let is_foreign = info
        .kernel_version
        .as_deref()
        .is_some_and(|theirs| theirs != kernel);
    if is_desktop || is_foreign {
        return Finding::bad(
            Severity::Error,
            "engine",
            format!(
                "Docker runs in a virtual machine or on another one ({system}), where this process's sockets cannot be reached."
            ),
            "Use the Docker Engine of this machine (https://docs.docker.com/engine/install/), or run the platform inside of that virtual machine.",
        );
    }
    let version = info
        .server_version
        .as_deref()
        .unwrap_or("of unknown version");
    Finding::ok(
        "engine",
        format!("Docker {version} on this machine ({system})."),
    )
}

/// Whether Docker itself says that the kernel lacks a limit.
fn limits(info: &SystemInfo) -> Finding {
    let missing: Vec<_> = [
        ("memory", info.memory_limit),
        ("processes", info.pids_limit),
        ("CPU", info.cpu_cfs_quota),
    ]
    .into_iter()
    .filter(|(_, supported)| *supported == Some(false))
    .map(|(name, _)| name)
    .collect();
    if missing.is_empty() {
        return Finding::ok("limits", "Docker can limit memory, processes and CPU.");
    }
    Finding::bad(
        Severity::Error,
        "limits",
        format!("Docker cannot limit: {}.", missing.join(", ")),
        "Enable these cgroup controllers: boot with `cgroup_enable=memory`, and in rootless mode use cgroup v2 with systemd's `Delegate=cpu cpuset memory pids`.",
    )
}

/// Whether this process can see the memory cgroups, from which it learns of kills for want
/// of memory.
fn cgroups() -> Finding {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match cgroup::locate(&own, &mounts, "memory") {
        Some(found) if fs::read_dir(&found.path).is_ok() => Finding::ok(
            "cgroups",
            format!("Memory cgroups of {} can be read.", found.version),
        ),
        _ => Finding::bad(
            Severity::Warning,
            "cgroups",
            "Memory cgroups cannot be read: a lack of memory looks like a crash, and deaths are confirmed by less proof.",
            "Run the platform on the host itself, or give its container `--cgroupns=host` and `/sys/fs/cgroup`.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> SystemInfo {
        SystemInfo {
            operating_system: Some("Debian GNU/Linux 12".to_owned()),
            kernel_version: Some("6.1.0".to_owned()),
            ..SystemInfo::default()
        }
    }

    #[test]
    fn a_docker_in_a_virtual_machine_is_refused_with_an_explanation() {
        assert_eq!(locality(&info(), "6.1.0").severity, Severity::Ok);
        let elsewhere = locality(&info(), "6.18.0");
        assert_eq!(elsewhere.severity, Severity::Error);
        let desktop = SystemInfo {
            operating_system: Some("Docker Desktop".to_owned()),
            ..info()
        };
        assert!(
            locality(&desktop, "6.1.0")
                .mend
                .unwrap()
                .contains("Docker Engine")
        );
    }

    #[test]
    fn a_limit_that_docker_lacks_is_an_error() {
        assert_eq!(limits(&info()).severity, Severity::Ok);
        let lacking = SystemInfo {
            pids_limit: Some(false),
            ..info()
        };
        let finding = limits(&lacking);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.detail.contains("processes"));
    }
}
