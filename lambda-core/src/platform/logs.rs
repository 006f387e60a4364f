//! What functions write, live and afterwards.

use super::Platform;
use crate::error::Result;
use crate::logs::{InvocationLogs, LogEventId, LogPosition, Subscription};
use crate::model::{FunctionId, RequestId};

impl Platform {
    /// What one invocation writes, from `position` on (the default: from its first byte), until
    /// its end. One that has ended is read from what is kept of it: for some seconds all, then
    /// the last 4 KiB of each stream.
    ///
    /// # Errors
    /// `NotFound`, also for a moment where an invocation has ended on another machine and is
    /// on its way into the store.
    pub async fn follow_invocation(
        &self,
        id: RequestId,
        position: LogPosition,
    ) -> Result<InvocationLogs> {
        if let Some(logs) = self.inner.logs.follow(id, position) {
            return Ok(logs);
        }
        Ok(InvocationLogs::of_record(&self.invocation_get(id).await?))
    }

    /// What all invocations of a function that run on this platform write, from now on, or
    /// after the event `after`, where a reader comes back.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn run(platform: lambda_core::Platform) -> lambda_core::Result<()> {
    /// use lambda_core::logs::{LogEventKind, SubscriptionItem};
    ///
    /// let function = platform.function_get(&"report".parse()?).await?;
    /// let mut logs = platform.follow_function(function.id, None);
    /// while let Some(item) = logs.next().await {
    ///     match item {
    ///         SubscriptionItem::Event(event) => match &event.kind {
    ///             LogEventKind::Output { text, .. } => print!("{} {text}", event.request_id),
    ///             LogEventKind::End(end) => println!("{} {end}", event.request_id),
    ///             _ => {}
    ///         },
    ///         SubscriptionItem::Skipped { lines, .. } => println!("{lines:?} lines skipped"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn follow_function(&self, function: FunctionId, after: Option<LogEventId>) -> Subscription {
        self.inner.logs.subscribe(Some(function), after)
    }

    /// What all invocations on this platform write; see
    /// [`follow_function`](Self::follow_function).
    #[must_use]
    pub fn follow_all(&self, after: Option<LogEventId>) -> Subscription {
        self.inner.logs.subscribe(None, after)
    }
}
