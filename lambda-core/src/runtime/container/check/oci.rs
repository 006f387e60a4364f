//! How gVisor is registered with Docker.

use std::time::Duration;

use tokio::process::Command;

use crate::runtime::container::failure::daemon_json_entry;
use crate::runtime::{Finding, Severity};

const SUBJECT: &str = "runsc's arguments";

/// Needed, and why.
const NEEDED: [(&str, &str, &str); 3] = [
    (
        "host-uds",
        "open",
        "the sandbox cannot connect to the platform",
    ),
    ("host-fifo", "open", "the sandbox's output cannot be read"),
    (
        "network",
        "none",
        "sandboxes would have a network, or not start on new kernels",
    ),
];

/// Findings about the arguments that runsc is started with.
pub(super) fn runsc_arguments(name: &str, arguments: &[String]) -> Vec<Finding> {
    let mend = || {
        format!(
            "Change its `runtimeArgs` in /etc/docker/daemon.json, as in {}; then `sudo systemctl reload docker`.",
            daemon_json_entry(name)
        )
    };
    let mut findings: Vec<_> = NEEDED
        .into_iter()
        .filter(|(flag, value, _)| value_of(arguments, flag).as_deref() != Some(value))
        .map(|(flag, value, why)| {
            let detail = format!("`--{flag}={value}` is missing: {why}.");
            Finding::bad(Severity::Error, SUBJECT, detail, mend())
        })
        .collect();
    if is_set(arguments, "ignore-cgroups") {
        findings.push(Finding::bad(
            Severity::Error,
            SUBJECT,
            "`--ignore-cgroups` silently drops the limits of memory, processes and CPU.",
            mend(),
        ));
    }
    if is_set(arguments, "oci-seccomp") {
        findings.push(Finding::bad(
            Severity::Warning,
            SUBJECT,
            "`--oci-seccomp` applies a profile that is meant for runc; threads may fail to start.",
            mend(),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            SUBJECT,
            format!("`{name}` is registered as it has to be."),
        ));
    }
    findings
}

fn flag_of(argument: &str) -> Option<(&str, Option<&str>)> {
    let flag = argument
        .strip_prefix("--")
        .or_else(|| argument.strip_prefix('-'))?;
    Some(match flag.split_once('=') {
        Some((flag, value)) => (flag, Some(value)),
        None => (flag, None),
    })
}

/// The last one counts.
fn value_of(arguments: &[String], flag: &str) -> Option<String> {
    arguments.iter().rev().find_map(|argument| {
        let (name, value) = flag_of(argument)?;
        (name == flag).then(|| value.unwrap_or("true").to_owned())
    })
}

fn is_set(arguments: &[String], flag: &str) -> bool {
    value_of(arguments, flag).is_some_and(|value| !["false", "f", "0"].contains(&value.as_str()))
}

/// The arguments in the text of a `daemon.json`.
pub(super) fn arguments_in(daemon_json: &str, name: &str) -> Option<Vec<String>> {
    let config: serde_json::Value = serde_json::from_str(daemon_json).ok()?;
    config["runtimes"][name]["runtimeArgs"]
        .as_array()?
        .iter()
        .map(|argument| argument.as_str().map(str::to_owned))
        .collect()
}

/// What `path --version` prints. The path is root's: it is in Docker's configuration.
pub(super) async fn version_of(path: &str) -> Option<String> {
    let printed = Command::new(path)
        .arg("--version")
        .kill_on_drop(true)
        .output();
    let printed = tokio::time::timeout(Duration::from_secs(2), printed)
        .await
        .ok()?
        .ok()?;
    String::from_utf8(printed.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severities(arguments: &[&str]) -> Vec<Severity> {
        let arguments: Vec<_> = arguments.iter().map(|it| (*it).to_owned()).collect();
        runsc_arguments("runsc", &arguments)
            .iter()
            .map(|it| it.severity)
            .collect()
    }

    #[test]
    fn each_missing_or_harmful_argument_is_found() {
        use Severity::{Error, Ok, Warning};

        let good = ["--network=none", "--host-uds=open", "-host-fifo=open"];
        assert_eq!(severities(&good), [Ok]);
        assert_eq!(severities(&[]), [Error; 3]);
        assert_eq!(
            severities(&[&good[..], &["--ignore-cgroups"]].concat()),
            [Error]
        );
        assert_eq!(
            severities(&[&good[..], &["--ignore-cgroups=false"]].concat()),
            [Ok]
        );
        assert_eq!(
            severities(&[&good[..], &["--oci-seccomp"]].concat()),
            [Warning]
        );
        assert_eq!(
            severities(&[&good[..], &["--host-uds=none"]].concat()),
            [Error]
        );
    }

    #[test]
    fn arguments_are_read_from_dockers_configuration() {
        let text = daemon_json_entry("runsc");
        let arguments = arguments_in(&text, "runsc").unwrap();
        assert_eq!(
            severities(&arguments.iter().map(String::as_str).collect::<Vec<_>>()),
            [Severity::Ok]
        );
        assert_eq!(arguments_in(&text, "other"), None);
        assert_eq!(arguments_in("{", "runsc"), None);
    }
}
