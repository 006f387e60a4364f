//! A runtime that cannot be used on this machine as it is: functions that name it can be
//! kept and changed, and an execution says what to mend.

use std::sync::Arc;

use async_trait::async_trait;
use lambda_core::model::{FunctionConfig, OwnerId, RuntimeName};
use lambda_core::runtime::{CreateSandbox, Finding, RuntimeCapability, Severity};
use lambda_core::{Error, ErrorKind, Result, Runtime, Sandbox};

const MEND: &str = "Run `lambda doctor` on this machine; it says what to do.";

/// Stands in for a runtime that could not be set up.
#[derive(Debug)]
pub(crate) struct UnusableRuntime {
    name: RuntimeName,
    capability: RuntimeCapability,
    why: Error,
}

impl UnusableRuntime {
    pub(crate) fn new(name: RuntimeName, why: Error) -> Self {
        let mut capability = RuntimeCapability::default();
        // Still the stronger sandbox: an execution may not choose Docker in its stead.
        capability.untrusted_tenants = name == RuntimeName::gvisor();
        Self {
            name,
            capability,
            why,
        }
    }

    fn hint(&self) -> String {
        self.why.hint_text().unwrap_or(MEND).to_owned()
    }
}

#[async_trait]
impl Runtime for UnusableRuntime {
    fn name(&self) -> RuntimeName {
        self.name.clone()
    }

    fn capability(&self) -> RuntimeCapability {
        self.capability
    }

    async fn check(&self, _thorough: bool) -> Vec<Finding> {
        vec![Finding::bad(
            Severity::Error,
            self.name.to_string(),
            self.why.to_string(),
            self.hint(),
        )]
    }

    fn accepts(&self, _config: &FunctionConfig) -> Result<()> {
        Ok(())
    }

    async fn create(&self, _request: CreateSandbox) -> Result<Arc<dyn Sandbox>> {
        Err(Error::new(
            ErrorKind::RuntimeUnavailable,
            "sandbox_create",
            format!("The runtime `{}` cannot be used: {}", self.name, self.why),
        )
        .hint(self.hint()))
    }

    async fn owners(&self) -> Result<Vec<OwnerId>> {
        Ok(Vec::new())
    }

    async fn remove_owned(&self, _owner: OwnerId) -> Result<usize> {
        // What is left cannot be looked for; the directory is kept for the next start.
        Err(Error::new(
            ErrorKind::RuntimeUnavailable,
            "owner_remove",
            format!("The runtime `{}` cannot be used.", self.name),
        ))
    }
}
