//! Whether the platform can do its work at the moment.

use std::time::Duration;

use futures_util::future::join_all;

use super::Platform;
use crate::model::RuntimeName;
use crate::runtime::Severity;

/// What works at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Readiness {
    /// The store answers and can be written to.
    pub store: bool,
    /// Which runtimes can create sandboxes, as far as a quick look tells.
    pub runtimes: Vec<(RuntimeName, bool)>,
}

impl Readiness {
    /// Whether functions can be deployed, and run in at least one runtime.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.store && self.runtimes.iter().any(|(_, works)| *works)
    }
}

impl Platform {
    /// Looks at the store and at every runtime, at all of them at once. What has not answered
    /// after `patience` does not work.
    pub async fn readiness(&self, patience: Duration) -> Readiness {
        let store = async {
            let check = tokio::time::timeout(patience, self.inner.store.check()).await;
            matches!(check, Ok(Ok(_)))
        };
        let runtimes = join_all(self.inner.runtimes.iter().map(async |runtime| {
            let check = tokio::time::timeout(patience, runtime.check(false)).await;
            let is_bad = |finding: &crate::runtime::Finding| finding.severity == Severity::Error;
            let works = check.is_ok_and(|findings| !findings.iter().any(is_bad));
            (runtime.name(), works)
        }));
        let (store, runtimes) = tokio::join!(store, runtimes);
        Readiness { store, runtimes }
    }
}
