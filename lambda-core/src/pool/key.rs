//! What makes sandboxes interchangeable: before they have code, and after.

use std::time::Duration;

use crate::model::{
    FunctionConfig, FunctionId, Language, Namespace, OwnerId, RuntimeName, SandboxId,
};
use crate::runtime::CreateSandbox;

/// Whose sandbox one with code is: one tenant's function, one immutable version of its code
/// and configuration, one back end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The tenant.
    pub namespace: Namespace,
    /// The function.
    pub function: FunctionId,
    /// Its version.
    pub version: u32,
    /// Where it runs.
    pub runtime: RuntimeName,
}

/// What a sandbox without code is fit for: every function that asks for the same can be
/// given any sandbox of the class, once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SandboxClass {
    /// Where it runs.
    pub runtime: RuntimeName,
    /// The language that is booted.
    pub language: Language,
    /// The container image; none: the runtime's default for the language.
    pub image: Option<String>,
    /// Memory in MiB, /tmp included.
    pub memory_mib: u32,
    /// Size of /tmp in MiB.
    pub tmp_mib: u32,
    /// `none` or the name of a network.
    pub network: String,
    /// CPUs, as the bits of the number: classes are compared and hashed.
    cpus_bits: u64,
}

impl SandboxClass {
    /// The class of functions in `language` that leave all else at its default.
    #[must_use]
    pub fn new(runtime: RuntimeName, language: Language) -> Self {
        Self::of_config(runtime, &FunctionConfig::new(language))
    }

    /// The class of functions that are configured like this.
    #[must_use]
    pub fn of_config(runtime: RuntimeName, config: &FunctionConfig) -> Self {
        Self {
            runtime,
            language: config.language,
            image: config.image.clone(),
            memory_mib: config.memory_mib,
            tmp_mib: config.effective_tmp_mib(),
            network: config.network.clone(),
            cpus_bits: config.cpus.to_bits(),
        }
    }

    /// The class of what `request` creates in `runtime`, but for its code.
    #[must_use]
    pub fn of(runtime: RuntimeName, request: &CreateSandbox) -> Self {
        Self {
            runtime,
            language: request.language,
            image: request.image.clone(),
            memory_mib: request.memory_mib,
            tmp_mib: request.tmp_mib,
            network: request.network.clone(),
            cpus_bits: request.cpus.to_bits(),
        }
    }

    /// CPUs.
    #[must_use]
    pub fn cpus(&self) -> f64 {
        f64::from_bits(self.cpus_bits)
    }

    /// How one of the class is created, for `owner`.
    pub(crate) fn request(&self, owner: OwnerId, boot_timeout: Duration) -> CreateSandbox {
        CreateSandbox {
            id: SandboxId::new(),
            owner,
            language: self.language,
            image: self.image.clone(),
            memory_mib: self.memory_mib,
            tmp_mib: self.tmp_mib,
            cpus: self.cpus(),
            network: self.network.clone(),
            code_directory: None,
            boot_timeout,
        }
    }
}
