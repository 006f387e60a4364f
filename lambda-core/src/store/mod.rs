//! Where functions, code, tokens and records of invocations are kept.
//!
//! [`Store`] is the contract; [`MemoryStore`] is its reference implementation. Prove your
//! own with `conformance::store` (feature `conformance`).

mod cursor;
mod function;
mod function_cache;
mod invocation;
mod memory;
mod package;
mod patience;
pub mod refusal;
pub mod rollup;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::model::{
    Alias, Function, FunctionId, FunctionSelector, InvocationEntry, InvocationRecord,
    InvocationSummary, Namespace, PackageDigest, Page, RequestId, Token, TokenDigest, TokenId,
    limits,
};
use crate::runtime::Finding;

pub use cursor::{FunctionCursor, InvocationCursor, VersionCursor};
pub use function::{
    CreateFunction, DeleteAlias, ListFunctions, ListVersions, SetAlias, UpdateFunction,
};
pub use function_cache::{FunctionCache, STALENESS_MAX};
pub use invocation::{
    AppendInvocations, ExpireInvocations, Expiring, ListInvocations, SummarizeInvocations,
};
pub use memory::MemoryStore;
pub use package::{PACKAGE_CHUNK_BYTES_MAX, Package, PackageChunks, PutPackage};
pub(crate) use patience::{PATIENCE, patiently};

/// How long a package that no version refers to stays, counted from its last put: time for
/// a caller to put it and then to create the function that refers to it.
pub const PACKAGE_GRACE: Duration = Duration::from_secs(60 * 60);

/// A database of the platform.
///
/// Every method that changes something has committed it, durably where the store is durable
/// at all, before it returns `Ok`. Dropping the future of a method before it is ready leaves
/// the change either made in full or not at all. All methods may be called at once from many
/// tasks.
///
/// Points in time and durations are kept to the microsecond; what is finer is cut off. Text
/// is kept byte for byte, NUL included, or refused with `InvalidParameter`.
///
/// # Errors
/// `StoreUnavailable` (retryable) where the database cannot be reached or refuses to work;
/// otherwise the kinds that each method names. Messages carry no SQL and no paths.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Keeps a code package under its digest, once, whoever puts it. Idempotent.
    ///
    /// The bytes are read while they are kept, in pieces: a large package needs no buffer of its
    /// size, and a slow reader keeps nobody else from writing. Whoever puts a package at the
    /// same time as others does not disturb them. A package that no version refers to may be
    /// removed [`PACKAGE_GRACE`] after it was last put.
    ///
    /// # Errors
    /// `InvalidParameter` if the digest or the size is not that of the bytes; the errors of the
    /// bytes' stream. Nothing is kept then.
    async fn package_put(&self, request: PutPackage) -> Result<()>;

    /// A code package. Its bytes are read in pieces, and verified against the digest: the last
    /// piece is followed by an `Internal` error where those kept are not those that were put.
    ///
    /// A package that is removed while it is read ends in an error.
    ///
    /// # Errors
    /// `NotFound`.
    async fn package_get(&self, digest: PackageDigest) -> Result<Package>;

    /// Creates a function, its version 1, and the alias `current` that points at it.
    ///
    /// # Errors
    /// `Conflict` if the name is taken in the namespace; `NotFound` if a package is not there;
    /// `InvalidParameter` if a package has another size.
    async fn function_create(&self, request: CreateFunction) -> Result<Function>;

    /// The function at the version that is asked for.
    ///
    /// A version never changes: read by number, or by an alias other than `current`, it is what
    /// creating it returned, revision included. Only the name is always the one that the
    /// function has now.
    ///
    /// # Errors
    /// `NotFound`, also for a deleted function, by name, by id and at any version or alias.
    async fn function_get(&self, selector: &FunctionSelector) -> Result<Function>;

    /// Functions at their current versions, newest first (by creation: by id).
    ///
    /// Following the cursors shows every function that was there all the while exactly once.
    ///
    /// # Errors
    /// `InvalidParameter` if the limit is out of range or the cursor is not one that this
    /// method gave.
    async fn function_list(&self, request: ListFunctions) -> Result<Page<Function>>;

    /// Appends an immutable version and moves `current` to it.
    ///
    /// # Errors
    /// `NotFound`, also for a package; `PreconditionFailed` if the revision of the
    /// function is no longer the expected one; `Conflict` if the new name is taken;
    /// `InvalidParameter` if a package has another size.
    async fn function_update(&self, request: UpdateFunction) -> Result<Function>;

    /// The versions of a function, newest first, as reading them by number gives them.
    ///
    /// # Errors
    /// `NotFound` for the function; `InvalidParameter` if the limit is out of range or the
    /// cursor is not one that this method gave.
    async fn version_list(&self, request: ListVersions) -> Result<Page<Function>>;

    /// Points an alias at a version; a new one is made, up to
    /// [`ALIASES_MAX`](limits::ALIASES_MAX) of a function. Pointing `current` elsewhere rolls the
    /// function back, or forward: nothing is copied, and the next update still gets the next
    /// number. Renews the function's revision. Returns the function as it is read by that alias.
    ///
    /// # Errors
    /// `NotFound` for the function or the version; `PreconditionFailed` if the function's
    /// revision is no longer the expected one; `InvalidParameter` if there are too many.
    async fn alias_set(&self, request: SetAlias) -> Result<Function>;

    /// All aliases of a function, `current` among them, by name (byte by byte).
    ///
    /// # Errors
    /// `NotFound`.
    async fn alias_list(&self, namespace: &Namespace, id: FunctionId) -> Result<Vec<Alias>>;

    /// Deletes an alias, not its version. Renews the function's revision.
    ///
    /// # Errors
    /// `NotFound` for the function or the alias; `InvalidParameter` for `current`.
    async fn alias_delete(&self, request: DeleteAlias) -> Result<()>;

    /// Deletes a function with all its versions and aliases, and frees its name. Records of its
    /// invocations stay.
    ///
    /// # Errors
    /// `NotFound`.
    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()>;

    /// Keeps records of invocations, what is kept beside them, and the figures made of them.
    ///
    /// Idempotent by request id: a record whose id is there already changes nothing, figures
    /// included, and of two in one batch the first is kept. All or none of the batch. Functions
    /// need not exist (any more). Microseconds over `i64::MAX` are kept as that.
    async fn invocation_append(&self, request: AppendInvocations) -> Result<()>;

    /// One record, with what is kept beside it.
    ///
    /// # Errors
    /// `NotFound`.
    async fn invocation_get(&self, namespace: &Namespace, id: RequestId)
    -> Result<InvocationEntry>;

    /// Records, newest first (by start, then by request id).
    ///
    /// Following the cursors shows every record that was there at the start exactly once.
    ///
    /// # Errors
    /// `InvalidParameter` if the limit is out of range or the cursor is not one that this
    /// method gave.
    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>>;

    /// Counts and durations of invocations, at one point in time. They are read from figures
    /// that [`invocation_append`](Self::invocation_append) keeps ([`rollup`]), never from the
    /// records: they cost the same however many there are, and outlive them.
    ///
    /// # Errors
    /// `InvalidParameter` if the request's bounds are.
    async fn invocation_summary(&self, request: SummarizeInvocations) -> Result<InvocationSummary>;

    /// Removes some of what is older than a point in time. Returns how many rows were removed;
    /// less than the limit: nothing is left to be removed. Figures of longer buckets, and those
    /// since the beginning, stay.
    async fn invocation_expire(&self, request: ExpireInvocations) -> Result<u64>;

    /// Keeps a token.
    ///
    /// # Errors
    /// `Conflict` if there is one with this id or digest.
    async fn token_create(&self, token: Token) -> Result<()>;

    /// The token with this digest, if there is one.
    async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>>;

    /// All tokens, oldest first.
    async fn token_list(&self) -> Result<Vec<Token>>;

    /// Deletes a token.
    ///
    /// # Errors
    /// `NotFound`.
    async fn token_delete(&self, id: TokenId) -> Result<()>;

    /// Looks whether the database answers and may be written to. What works and should be
    /// mended all the same, such as commits that are not durable, is a finding.
    async fn check(&self) -> Result<Vec<Finding>>;

    /// Closes connections. Later calls of any method fail with `StoreUnavailable`.
    async fn close(&self);
}

fn check_limit(operation: &'static str, limit: u32) -> Result<()> {
    if (1..=limits::PAGE_MAX).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid(
        operation,
        format!("`limit` is 1 to {}.", limits::PAGE_MAX),
    ))
}
