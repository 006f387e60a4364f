//! Where functions, code, tokens and records of invocations are kept.
//!
//! [`Store`] is the contract; [`MemoryStore`] is its reference implementation. Prove your
//! own with `conformance::store` (feature `conformance`).

mod memory;
mod percentile;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::{
    CodeRef, Function, FunctionConfig, FunctionId, FunctionName, FunctionSelector,
    InvocationRecord, InvocationSummary, Namespace, PackageDigest, Page, RevisionId, Token,
    TokenDigest, TokenId,
};

pub use memory::MemoryStore;

/// A database of the platform.
///
/// Every method that changes something has committed it, durably where the store is durable
/// at all, before it returns `Ok`. Dropping the future of a method before it is ready leaves
/// the change either made in full or not at all. All methods may be called at once from many
/// tasks.
///
/// # Errors
/// `StoreUnavailable` (retryable) where the database cannot be reached or refuses to work;
/// otherwise the kinds that each method names. Messages carry no SQL and no paths.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Keeps a code package under its digest. Idempotent.
    ///
    /// A package that no version refers to may be removed one hour after it was last put.
    async fn package_put(&self, request: PutPackage) -> Result<()>;

    /// The bytes of a code package, verified against their digest.
    ///
    /// # Errors
    /// `NotFound`; `Internal` where the bytes kept are not those that were put.
    async fn package_get(&self, digest: PackageDigest) -> Result<Bytes>;

    /// Creates a function, its version 1, and the alias `current` that points at it.
    ///
    /// # Errors
    /// `Conflict` if the name is taken in the namespace; `NotFound` if a package is not there.
    async fn function_create(&self, request: CreateFunction) -> Result<Function>;

    /// The function at the version that is asked for.
    ///
    /// # Errors
    /// `NotFound`, also for a deleted function, by name, by id and at any version.
    async fn function_get(&self, selector: &FunctionSelector) -> Result<Function>;

    /// Functions at their current versions, newest first (by creation).
    ///
    /// # Errors
    /// `InvalidParameter` if the cursor is not one that this method gave.
    async fn function_list(&self, request: ListFunctions) -> Result<Page<Function>>;

    /// Appends an immutable version and moves `current` to it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the new name is taken; `PreconditionFailed` if the
    /// function's revision is no longer the expected one.
    async fn function_update(&self, request: UpdateFunction) -> Result<Function>;

    /// Deletes a function with all its versions and frees its name. Records of its
    /// invocations stay.
    ///
    /// # Errors
    /// `NotFound`.
    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()>;

    /// Keeps records of invocations. Idempotent by request id: a record whose id is there
    /// already changes nothing. All or none of the batch.
    async fn invocation_append(&self, records: &[InvocationRecord]) -> Result<()>;

    /// Records, newest first (by start, then by request id).
    ///
    /// # Errors
    /// `InvalidParameter` if the cursor is not one that this method gave.
    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>>;

    /// Counts and durations over all records of a namespace.
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
#[derive(Debug, Clone)]
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
    /// At most this many.
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
}

/// See [`Store::invocation_list`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListInvocations {
    /// Whose invocations.
    pub namespace: Namespace,
    /// Only those of this function.
    pub function: Option<FunctionId>,
    /// At most this many.
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
}

/// Durations of `records` by key, summed up: what a store without roll-ups does.
pub(crate) type Grouped<K> = BTreeMap<K, percentile::Samples>;
