//! Plain data: functions, invocations, limits and ids. Nothing here does any work.

mod code;
mod function;
mod ids;
mod invocation;
pub mod limits;
mod metrics;
mod retention;
mod token;
mod traceparent;

pub use code::{CodeFile, CodeFormat, CodeRef, CodeSource, PackageDigest};
pub use function::{Alias, Function, FunctionConfig, FunctionPatch, Language};
pub use ids::{
    AliasName, FunctionId, FunctionName, FunctionRef, FunctionSelector, Namespace, OwnerId,
    Qualifier, RequestId, RevisionId, RuntimeName, SandboxId, TokenId,
};
pub use invocation::{
    FunctionError, InvocationEntry, InvocationOutput, InvocationRecord, LogText, Outcome, Payload,
    StartKind, Status, Termination, Timings,
};
pub use metrics::{Bucket, FunctionSummary, InvocationSummary, Summary, SummaryPoint};
pub use retention::Retention;
pub use token::{Scope, Token, TokenDigest};
pub use traceparent::Traceparent;

/// One page of a listing, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Where the next page starts; none on the last one. Opaque to callers.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The first `limit` of `items`, which hold one more where there is another page;
    /// `cursor` says where that one starts, given the last item of this one.
    #[must_use]
    pub fn of(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}
