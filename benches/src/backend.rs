//! The sandbox back ends of this machine.

use std::process::{Command, Output, Stdio};

use lambda_store::model::RuntimeName;

use crate::Result;

/// The image of every container here.
pub const IMAGE: &str = "lambda-python";

/// A sandbox back end, by all its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Docker with runc.
    Docker,
    /// Docker with gVisor's runsc.
    Gvisor,
}

impl Backend {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Gvisor];

    /// What the platform calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Gvisor => "gvisor",
        }
    }

    /// What the platform calls it.
    #[must_use]
    pub fn runtime(self) -> RuntimeName {
        match self {
            Self::Docker => RuntimeName::docker(),
            Self::Gvisor => RuntimeName::gvisor(),
        }
    }

    /// What Docker calls it.
    #[must_use]
    pub fn oci_runtime(self) -> &'static str {
        match self {
            Self::Docker => "runc",
            Self::Gvisor => "runsc",
        }
    }

    /// The back ends that are there. One that is not is named on stderr.
    ///
    /// # Errors
    /// If one is missing that the environment variable `LAMBDA_TEST_REQUIRE` lists.
    pub fn available() -> Result<Vec<Self>> {
        let required = std::env::var("LAMBDA_TEST_REQUIRE").unwrap_or_default();
        let mut available = Vec::new();
        for backend in Self::ALL {
            match backend.missing() {
                None => available.push(backend),
                Some(missing) if required.split(',').any(|name| name == backend.name()) => {
                    return Err(format!(
                        "{} is required by LAMBDA_TEST_REQUIRE, but {missing}",
                        backend.name()
                    )
                    .into());
                }
                Some(missing) => eprintln!("SKIPPED {}: {missing}", backend.name()),
            }
        }
        Ok(available)
    }

    /// Those of [`available`](Self::available) that `only` names; none: all of them.
    ///
    /// # Errors
    /// As there.
    pub fn chosen(only: Option<&str>) -> Result<Vec<Self>> {
        let mut chosen = Self::available()?;
        chosen.retain(|backend| only.is_none_or(|only| only == backend.name()));
        Ok(chosen)
    }

    /// What is missing, with its mend.
    fn missing(self) -> Option<String> {
        let runtimes = match docker(&["info", "--format", "{{json .Runtimes}}"]) {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => return Some(format!("Docker does not answer ({error}).")),
        };
        if !runtimes.contains(&format!("\"{}\"", self.oci_runtime())) {
            return Some(format!(
                "Docker has no runtime {}; scripts/setup.sh sets it up.",
                self.oci_runtime()
            ));
        }
        docker(&["image", "inspect", IMAGE])
            .err()
            .map(|_| format!("there is no image {IMAGE}; scripts/setup.sh builds it."))
    }
}

fn docker(arguments: &[&str]) -> Result<Output> {
    let output = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().to_owned().into())
}
