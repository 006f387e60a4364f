//! What has been run: records, and figures over them.

use jiff::Timestamp;

use super::Platform;
use crate::error::Result;
use crate::model::{InvocationEntry, InvocationRecord, InvocationSummary, Page, RequestId};
use crate::store::{ListInvocations, SummarizeInvocations};

impl Platform {
    /// Records of invocations, newest first. The request's namespace is the platform's own. A
    /// run is visible within a second.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub async fn invocation_list(
        &self,
        mut request: ListInvocations,
    ) -> Result<Page<InvocationRecord>> {
        request.namespace.clone_from(&self.inner.namespace);
        self.inner.store.invocation_list(request).await
    }

    /// One record, with the end of what the invocation wrote, as long as that is kept.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn invocation_get(&self, id: RequestId) -> Result<InvocationEntry> {
        let namespace = &self.inner.namespace;
        self.inner.store.invocation_get(namespace, id).await
    }

    /// Counts and durations of invocations over any range of time. The request's namespace is
    /// the platform's own, and where figures have been removed it knows.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub async fn invocation_summary(
        &self,
        mut request: SummarizeInvocations,
    ) -> Result<InvocationSummary> {
        request.namespace.clone_from(&self.inner.namespace);
        let request = request.retention(&self.inner.retention, Timestamp::now());
        self.inner.store.invocation_summary(request).await
    }
}
