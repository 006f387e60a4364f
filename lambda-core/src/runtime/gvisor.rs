//! Containers run by Docker with gVisor's runsc.

use super::RuntimeCapability;
use super::container::{
    Backend, ContainerOptions, ContainerRuntime, ProcessLimits, delegate_runtime,
};
use crate::error::Result;
use crate::model::RuntimeName;

/// Sandboxes with a kernel of their own in user space: the boundary for code that is not
/// trusted.
///
/// Docker's configuration must give runsc the arguments `--network=none`, `--host-uds=open`
/// and `--host-fifo=open`, and must not give it `--ignore-cgroups`.
///
/// # Limitations
/// There is no network.
#[derive(Debug, Clone)]
pub struct GvisorRuntime(ContainerRuntime);

impl GvisorRuntime {
    /// A runtime over the local Docker. Nothing is asked of Docker before the first use.
    ///
    /// # Errors
    /// `InvalidParameter` if the options contradict themselves.
    pub fn connect(options: ContainerOptions) -> Result<Self> {
        let backend = Backend {
            name: RuntimeName::gvisor(),
            oci_runtime: options.runsc.clone(),
            capability: RuntimeCapability {
                network: false,
                limits: true,
                untrusted_tenants: true,
            },
            // A fork bomb that reaches the cgroup's limit crashes gVisor's kernel, which needs
            // several threads of the host per process inside. Its own limit comes first.
            processes: ProcessLimits {
                pids: 256,
                nproc: 64,
            },
            kind: super::container::Kind::Runsc,
        };
        ContainerRuntime::new(backend, options).map(Self)
    }
}

delegate_runtime!(GvisorRuntime);
