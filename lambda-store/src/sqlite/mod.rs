//! Functions, code and records in one SQLite file.
//!
//! One connection writes and all writes take turns on it, so that no write ever meets
//! another's lock; a few connections read. In write-ahead mode neither waits for the other.
//! Each write is one transaction begun with `BEGIN IMMEDIATE`, which a dropped future rolls
//! back.

mod alias;
mod append;
mod backfill;
mod connect;
mod error;
mod expire;
mod function;
mod list;
mod migrate;
mod package;
#[cfg(test)]
mod plans;
mod query;
mod rollup;
mod select;
mod summary;
mod sweep;
mod token;
mod upload;

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use lambda_core::model::{
    Alias, Function, FunctionId, FunctionSelector, InvocationEntry, InvocationRecord,
    InvocationSummary, Namespace, PackageDigest, Page, RequestId, Token, TokenDigest, TokenId,
};
use lambda_core::runtime::Finding;
use lambda_core::store::{
    AppendInvocations, CreateFunction, DeleteAlias, ExpireInvocations, ListFunctions,
    ListInvocations, ListVersions, Package, PutPackage, SetAlias, Store, SummarizeInvocations,
    UpdateFunction,
};
use lambda_core::{Error, Result};
use sqlx::{Sqlite, SqlitePool, Transaction};

use error::{Attempt, Failure};

/// A store in one SQLite file.
///
/// A commit is on the disk before its method returns (write-ahead log, synchronous `FULL`).
/// Several processes may open one file; it has to be on a local disk.
///
/// # Limitations
/// Writes take turns. A process that opens the file waits for the others' writes, for up to
/// ten seconds each.
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    /// None for a database in memory.
    file: Option<connect::OpenFile>,
}

impl SqliteStore {
    /// Opens the database in the file at `path`, made if missing (readable by its owner
    /// only), and brings its schema up to date.
    ///
    /// # Errors
    /// See [`open`](crate::open()).
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        connect::open_file(path.into()).await
    }

    /// A new database in memory. It has one connection, for reading and writing.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn open_in_memory() -> Result<Self> {
        connect::open_memory().await
    }
}

impl fmt::Debug for SqliteStore {
    // The path is the operator's business, not the log's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// Begins a write: takes the write lock at once, so that nothing read in it can be stale.
async fn begin_write(writer: &SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match writer.begin_with(BEGIN).await {
        // Where the disk is full, SQLite itself ends the transaction; sqlx does not notice, and the
        // connection would never begin another. Unlike any other it is of no more use.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            writer.acquire().await?.close().await?;
            writer.begin_with(BEGIN).await
        }
        begun => begun,
    }
}

/// Names the operation in whatever went wrong.
fn named<T>(operation: &'static str, attempt: Attempt<T>) -> Result<T> {
    attempt.map_err(|failure| Failure::into_error(failure, operation))
}

#[async_trait]
impl Store for SqliteStore {
    async fn package_put(&self, request: PutPackage) -> Result<()> {
        named("package_put", upload::put(&self.writer, request).await)
    }

    async fn package_get(&self, digest: PackageDigest) -> Result<Package> {
        named("package_get", package::get(&self.reader, digest).await)
    }

    async fn function_create(&self, request: CreateFunction) -> Result<Function> {
        let created = function::create(&self.writer, request).await;
        named("function_create", created)
    }

    async fn function_get(&self, selector: &FunctionSelector) -> Result<Function> {
        named("function_get", select::get(&self.reader, selector).await)
    }

    async fn function_list(&self, request: ListFunctions) -> Result<Page<Function>> {
        named("function_list", select::list(&self.reader, request).await)
    }

    async fn function_update(&self, request: UpdateFunction) -> Result<Function> {
        let updated = function::update(&self.writer, request).await;
        named("function_update", updated)
    }

    async fn version_list(&self, request: ListVersions) -> Result<Page<Function>> {
        let versions = select::versions(&self.reader, request).await;
        named("version_list", versions)
    }

    async fn alias_set(&self, request: SetAlias) -> Result<Function> {
        named("alias_set", alias::set(&self.writer, request).await)
    }

    async fn alias_list(&self, namespace: &Namespace, id: FunctionId) -> Result<Vec<Alias>> {
        let aliases = select::aliases(&self.reader, namespace, id).await;
        named("alias_list", aliases)
    }

    async fn alias_delete(&self, request: DeleteAlias) -> Result<()> {
        named("alias_delete", alias::delete(&self.writer, request).await)
    }

    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()> {
        let deleted = function::delete(&self.writer, namespace, id).await;
        named("function_delete", deleted)
    }

    async fn invocation_append(&self, request: AppendInvocations) -> Result<()> {
        let appended = append::append(&self.writer, request).await;
        named("invocation_append", appended)
    }

    async fn invocation_get(
        &self,
        namespace: &Namespace,
        id: RequestId,
    ) -> Result<InvocationEntry> {
        let entry = list::get(&self.reader, namespace, id).await;
        named("invocation_get", entry)
    }

    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>> {
        named("invocation_list", list::list(&self.reader, request).await)
    }

    async fn invocation_summary(&self, request: SummarizeInvocations) -> Result<InvocationSummary> {
        let summary = summary::summary(&self.reader, request).await;
        named("invocation_summary", summary)
    }

    async fn invocation_expire(&self, request: ExpireInvocations) -> Result<u64> {
        let expired = expire::expire(&self.writer, request).await;
        named("invocation_expire", expired)
    }

    async fn token_create(&self, token: Token) -> Result<()> {
        named("token_create", token::create(&self.writer, token).await)
    }

    async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>> {
        named("token_find", token::find(&self.reader, digest).await)
    }

    async fn token_list(&self) -> Result<Vec<Token>> {
        named("token_list", token::list(&self.reader).await)
    }

    async fn token_delete(&self, id: TokenId) -> Result<()> {
        named("token_delete", token::delete(&self.writer, id).await)
    }

    async fn check(&self) -> Result<Vec<Finding>> {
        const OPERATION: &str = "check";
        let lock = async { Ok(begin_write(&self.writer).await?.rollback().await?) };
        named(OPERATION, lock.await)?;
        match &self.file {
            Some(file) if !file.is_in_place() => Err(Error::new(
                lambda_core::ErrorKind::StoreUnavailable,
                OPERATION,
                "The database file was moved, replaced or deleted while it was open.",
            )
            .hint("Put the file back and start again; what is written now may be lost.")),
            _ => Ok(Vec::new()),
        }
    }

    async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_durable_and_readers_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("store.db")).await;
        let store = store.unwrap();
        for (pool, reads_only) in [(&store.writer, 0), (&store.reader, 1)] {
            let row: (String, i64, i64, i64, i64) = sqlx::query_as(
                "SELECT journal_mode, synchronous, foreign_keys, timeout, query_only \
                 FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys, \
                 pragma_busy_timeout, pragma_query_only",
            )
            .fetch_one(pool)
            .await
            .unwrap();
            // Synchronous 2 is FULL.
            assert_eq!(row, ("wal".to_owned(), 2, 1, 10_000, reads_only));
        }
        assert_eq!(store.writer.options().get_max_connections(), 1);
    }
}
