//! Where functions, code, tokens and records of invocations are kept.
//!
//! [`Store`] is the contract; [`MemoryStore`] is its reference implementation. Prove your
//! own with `conformance::store` (feature `conformance`).

mod cursor;
mod memory;
mod percentile;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::model::{
    CodeRef, Function, FunctionConfig, FunctionId, FunctionName, FunctionSelector,
    InvocationRecord, InvocationSummary, Namespace, PackageDigest, Page, RevisionId, Token,
    TokenDigest, TokenId, limits,
};

pub use cursor::{FunctionCursor, InvocationCursor};
pub use memory::MemoryStore;

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
    /// Keeps a code package under its digest. Idempotent.
    ///
    /// A package that no version refers to may be removed [`PACKAGE_GRACE`] after it was last
    /// put.
    ///
    /// # Errors
    /// `InvalidParameter` if the digest is not that of the bytes.
    async fn package_put(&self, request: PutPackage) -> Result<()>;

    /// The bytes of a code package, verified against their digest.
    ///
    /// # Errors
    /// `NotFound`; `Internal` where the bytes kept are not those that were put.
    async fn package_get(&self, digest: PackageDigest) -> Result<Bytes>;

    /// Creates a function, its version 1, and the alias `current` that points at it.
    ///
    /// # Errors
    /// `Conflict` if the name is taken in the namespace; `NotFound` if a package is not there;
    /// `InvalidParameter` if a package has another size.
    async fn function_create(&self, request: CreateFunction) -> Result<Function>;

    /// The function at the version that is asked for.
    ///
    /// A version never changes: read by number it is what creating it returned, revision
    /// included. Only the name is always the one that the function has now.
    ///
    /// # Errors
    /// `NotFound`, also for a deleted function, by name, by id and at any version.
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
    /// `NotFound`, also for a package; `PreconditionFailed` if the revision of the current
    /// version is no longer the expected one; `Conflict` if the new name is taken;
    /// `InvalidParameter` if a package has another size.
    async fn function_update(&self, request: UpdateFunction) -> Result<Function>;

    /// Deletes a function with all its versions and frees its name. Records of its
    /// invocations stay.
    ///
    /// # Errors
    /// `NotFound`.
    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()>;

    /// Keeps records of invocations. Idempotent by request id: a record whose id is there
    /// already changes nothing, and of two in one batch the first is kept. All or none of the
    /// batch. Functions need not exist (any more). Microseconds over `i64::MAX` are kept as
    /// that.
    async fn invocation_append(&self, records: &[InvocationRecord]) -> Result<()>;

    /// Records, newest first (by start, then by request id).
    ///
    /// Following the cursors shows every record that was there at the start exactly once.
    ///
    /// # Errors
    /// `InvalidParameter` if the limit is out of range or the cursor is not one that this
    /// method gave.
    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>>;

    /// Counts and durations over all records of a namespace, at one point in time.
    ///
    /// Percentiles are by nearest rank. Functions with equally many calls: the older first.
    async fn invocation_summary(&self, namespace: &Namespace) -> Result<InvocationSummary>;

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

    /// Whether the database answers and may be written to.
    async fn check(&self) -> Result<()>;

    /// Closes connections. Later calls of any method fail with `StoreUnavailable`.
    async fn close(&self);
}

/// See [`Store::package_put`].
#[derive(Clone)]
#[non_exhaustive]
pub struct PutPackage {
    /// The SHA-256 of `bytes`.
    pub digest: PackageDigest,
    /// The package.
    pub bytes: Bytes,
}

impl PutPackage {
    /// A request to keep `bytes` under their digest.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self {
            digest: PackageDigest::of(&bytes),
            bytes,
        }
    }
}

impl fmt::Debug for PutPackage {
    // Code may hold secrets and may be 50 MB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutPackage({}, {} bytes)", self.digest, self.bytes.len())
    }
}

/// See [`Store::function_create`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateFunction {
    /// Where the name has to be free.
    pub namespace: Namespace,
    /// The name.
    pub name: FunctionName,
    /// Everything but the code; validated by the caller.
    pub config: FunctionConfig,
    /// Packages that were put before.
    pub code: Vec<CodeRef>,
}

impl CreateFunction {
    /// A request with all its parts.
    #[must_use]
    pub fn new(
        namespace: Namespace,
        name: FunctionName,
        config: FunctionConfig,
        code: Vec<CodeRef>,
    ) -> Self {
        Self {
            namespace,
            name,
            config,
            code,
        }
    }
}

/// See [`Store::function_update`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpdateFunction {
    /// The function's namespace.
    pub namespace: Namespace,
    /// The function.
    pub id: FunctionId,
    /// The revision that the change was made from.
    pub expected: RevisionId,
    /// The name from now on.
    pub name: FunctionName,
    /// The configuration of the new version, in full.
    pub config: FunctionConfig,
    /// The code of the new version.
    pub code: Vec<CodeRef>,
}

impl UpdateFunction {
    /// A change that was made from `function`, of nothing so far.
    #[must_use]
    pub fn of(function: &Function) -> Self {
        Self {
            namespace: function.namespace.clone(),
            id: function.id,
            expected: function.revision,
            name: function.name.clone(),
            config: function.config.clone(),
            code: function.code.clone(),
        }
    }
}

/// See [`Store::function_list`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListFunctions {
    /// Whose functions.
    pub namespace: Namespace,
    /// At most this many: 1 to [`limits::PAGE_MAX`].
    pub limit: u32,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

impl ListFunctions {
    /// The first page of a namespace.
    #[must_use]
    pub fn first(namespace: Namespace, limit: u32) -> Self {
        Self {
            namespace,
            limit,
            cursor: None,
        }
    }

    /// Checks the limit and reads the cursor: the page starts after it.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn after(&self) -> Result<Option<FunctionCursor>> {
        const OPERATION: &str = "function_list";
        check_limit(OPERATION, self.limit)?;
        let cursor = self.cursor.as_deref();
        cursor
            .map(|text| FunctionCursor::parse(OPERATION, text))
            .transpose()
    }
}

/// See [`Store::invocation_list`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListInvocations {
    /// Whose invocations.
    pub namespace: Namespace,
    /// Only those of this function.
    pub function: Option<FunctionId>,
    /// At most this many: 1 to [`limits::PAGE_MAX`].
    pub limit: u32,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

impl ListInvocations {
    /// The first page of a namespace.
    #[must_use]
    pub fn first(namespace: Namespace, limit: u32) -> Self {
        Self {
            namespace,
            function: None,
            limit,
            cursor: None,
        }
    }
    /// Checks the limit and reads the cursor: the page starts after it.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn after(&self) -> Result<Option<InvocationCursor>> {
        const OPERATION: &str = "invocation_list";
        check_limit(OPERATION, self.limit)?;
        let cursor = self.cursor.as_deref();
        cursor
            .map(|text| InvocationCursor::parse(OPERATION, text))
            .transpose()
    }
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
