//! Why a sandbox could not be made, in plain words.

use super::engine::Refusal;
use crate::error::{Error, ErrorKind};
use crate::model::Language;

const OPERATION: &str = "sandbox_create";

/// What was to be made, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) language: Language,
    pub(crate) image: String,
    /// The function names it; otherwise it is the operator's default.
    pub(crate) image_is_requested: bool,
    pub(crate) network: String,
    pub(crate) oci_runtime: String,
}

impl Attempt {
    /// An error that only another image can mend.
    fn unusable_image(&self, message: String) -> Error {
        let kind = if self.image_is_requested {
            ErrorKind::InvalidParameter
        } else {
            ErrorKind::RuntimeUnavailable
        };
        let program = program(self.language);
        Error::new(kind, OPERATION, message).hint(format!(
            "An image for {} functions has `sh` and `{program}` in its PATH, and declares no volumes.",
            self.language
        ))
    }

    /// Puts Docker's refusal to create or start a container into our words.
    pub(crate) fn refused(&self, error: Error) -> Error {
        let Some(refusal) = Refusal::of(&error) else {
            return error;
        };
        let message = refusal.message.to_ascii_lowercase();
        let image = &self.image;
        let explained = if message.contains("no such image") {
            if self.image_is_requested {
                Error::invalid(
                    OPERATION,
                    format!("The image {image:?} is not on this machine."),
                )
                .hint(format!(
                    "Run `docker pull {image}` there, or use another image."
                ))
            } else {
                Error::new(
                    ErrorKind::RuntimeUnavailable,
                    OPERATION,
                    format!(
                        "The default image of {} functions, {image:?}, is not on this machine.",
                        self.language
                    ),
                )
                .hint("Run `scripts/setup.sh demo` of the platform's repository, or set the default to an image that is there, such as `python:3.13-slim` or `node:22-slim`.")
            }
        } else if message.contains("runtime")
            && (message.contains("unknown") || message.contains("invalid"))
            && message.contains("name") | message.contains("specified")
        {
            runtime_missing(&self.oci_runtime)
        } else if message.contains("network") && message.contains("not found") {
            Error::invalid(
                OPERATION,
                format!(
                    "The network {:?} does not exist on this machine.",
                    self.network
                ),
            )
            .hint("Make it with `docker network create`, or use another one.")
        } else if message.contains("range of cpus") {
            Error::invalid(OPERATION, "`cpus` is more than this machine has.")
                .hint("Lower the function's `cpus`.")
        } else if message.contains("executable file not found") || message.contains("\"sh\"") {
            self.unusable_image(format!("The image {image:?} has no `sh`."))
        } else {
            Error::new(
                ErrorKind::RuntimeUnavailable,
                OPERATION,
                format!("Docker could not start a container with `{}`.", self.oci_runtime),
            )
            .hint("The platform's log has Docker's own words; `lambda doctor` looks for the usual causes.")
        };
        explained.source(error)
    }

    /// The container ended before the bootstrap asked for code.
    pub(crate) fn died(&self, exit_code: Option<i64>, tail: &str) -> Error {
        let image = &self.image;
        let program = program(self.language);
        if matches!(exit_code, Some(126 | 127)) {
            return self.unusable_image(format!(
                "The image {image:?} cannot run `{program}`{}",
                said(tail)
            ));
        }
        let code = exit_code.map_or_else(String::new, |code| format!(" with exit code {code}"));
        Error::new(
            ErrorKind::RuntimeUnavailable,
            OPERATION,
            format!("The sandbox ended{code} while {program} was starting{}", said(tail)),
        )
        .hint("137 is a lack of memory: give the function more. Otherwise try the image's own interpreter with `docker run`.")
    }

    /// The bootstrap did not ask for code in time.
    pub(crate) fn too_slow(&self, seconds: f64, tail: &str) -> Error {
        Error::new(
            ErrorKind::RuntimeUnavailable,
            OPERATION,
            format!("The sandbox was not ready within {seconds} s{}", said(tail)),
        )
        .hint("The machine may be overloaded; with few `cpus` a language boots slowly.")
    }

    /// The image has volumes, which would be writable space on the host's disk.
    pub(crate) fn has_volumes(&self) -> Error {
        self.unusable_image(format!(
            "The image {:?} declares a volume, which would be writable space without a bound.",
            self.image
        ))
    }
}

/// The OCI runtime is not registered with Docker.
pub(crate) fn runtime_missing(oci_runtime: &str) -> Error {
    Error::new(
        ErrorKind::RuntimeUnavailable,
        OPERATION,
        format!("Docker does not know a runtime by the name of `{oci_runtime}`."),
    )
    .hint(format!(
        "Install it and add it to /etc/docker/daemon.json: {}; then `sudo systemctl reload docker`.",
        daemon_json_entry(oci_runtime)
    ))
}

/// What gVisor's registration has to look like.
pub(crate) fn daemon_json_entry(oci_runtime: &str) -> String {
    format!(
        r#"{{"runtimes": {{"{oci_runtime}": {{"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none", "--host-uds=open", "--host-fifo=open"]}}}}}}"#
    )
}

pub(crate) fn program(language: Language) -> &'static str {
    match language {
        Language::Python => "python3",
        Language::Javascript => "node",
    }
}

fn said(tail: &str) -> String {
    if tail.is_empty() {
        return ".".to_owned();
    }
    // Output of an image: one line, and nothing that a terminal would obey.
    let line: String = tail
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!(": {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(image_is_requested: bool) -> Attempt {
        Attempt {
            language: Language::Python,
            image: "some:tag".to_owned(),
            image_is_requested,
            network: "egress".to_owned(),
            oci_runtime: "runsc".to_owned(),
        }
    }

    fn refusal(message: &str) -> Error {
        Error::new(ErrorKind::RuntimeUnavailable, "docker_call", "refused").source(Refusal {
            status: 400,
            message: message.to_owned(),
        })
    }

    #[test]
    fn refusals_are_explained_and_hide_paths() {
        for (words, requested, kind, part) in [
            (
                "No such image: some:tag",
                true,
                ErrorKind::InvalidParameter,
                "docker pull",
            ),
            (
                "No such image: some:tag",
                false,
                ErrorKind::RuntimeUnavailable,
                "setup.sh",
            ),
            (
                "Unknown runtime specified runsc",
                false,
                ErrorKind::RuntimeUnavailable,
                "daemon.json",
            ),
            (
                "unknown or invalid runtime name: runsc",
                false,
                ErrorKind::RuntimeUnavailable,
                "daemon.json",
            ),
            (
                "network egress not found",
                false,
                ErrorKind::InvalidParameter,
                "docker network create",
            ),
            (
                "OCI runtime create failed: exec: \"sh\": executable file not found in $PATH: unknown",
                true,
                ErrorKind::InvalidParameter,
                "`sh`",
            ),
            (
                "bind source path does not exist: /secret",
                false,
                ErrorKind::RuntimeUnavailable,
                "doctor",
            ),
        ] {
            let error = attempt(requested).refused(refusal(words));
            assert_eq!(error.kind(), kind, "{words}");
            let shown = format!("{error} {}", error.hint_text().unwrap_or_default());
            assert!(shown.contains(part), "{shown}");
            assert!(!shown.contains("/secret"), "{shown}");
        }
    }

    #[test]
    fn an_image_without_the_language_is_the_requests_fault_if_it_named_it() {
        let said = "sh: 1: exec: python3: not found\n\u{1b}[31m";
        let error = attempt(true).died(Some(127), said);
        assert_eq!(error.kind(), ErrorKind::InvalidParameter);
        assert!(error.to_string().contains("python3: not found"));
        assert!(!error.to_string().contains('\u{1b}'));
        let error = attempt(false).died(Some(1), "");
        assert_eq!(error.kind(), ErrorKind::RuntimeUnavailable);
    }
}
