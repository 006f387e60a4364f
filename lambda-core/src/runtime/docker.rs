//! Containers run by Docker with runc.

use super::RuntimeCapability;
use super::container::{
    Backend, ContainerOptions, ContainerRuntime, ProcessLimits, delegate_runtime,
};
use crate::error::Result;
use crate::model::RuntimeName;

/// Sandboxes that share the host's kernel: fast, and defence in depth rather than a boundary
/// against hostile code; see [`GvisorRuntime`](super::GvisorRuntime).
#[derive(Debug, Clone)]
pub struct DockerRuntime(ContainerRuntime);

impl DockerRuntime {
    /// A runtime over the local Docker. Nothing is asked of Docker before the first use.
    ///
    /// # Errors
    /// `InvalidParameter` if the options contradict themselves.
    pub fn connect(options: ContainerOptions) -> Result<Self> {
        let backend = Backend {
            name: RuntimeName::docker(),
            oci_runtime: options.runc.clone(),
            capability: RuntimeCapability {
                network: true,
                limits: true,
                untrusted_tenants: false,
            },
            // The kernel counts processes per user as well as per cgroup. Each sandbox has a
            // user of its own, so both mean the same; room for two Nodes and their workers.
            processes: ProcessLimits {
                pids: 128,
                nproc: 128,
            },
            kind: super::container::Kind::Runc,
        };
        ContainerRuntime::new(backend, options).map(Self)
    }
}

delegate_runtime!(DockerRuntime);
