//! Functions, code and records in a MySQL or MariaDB server.
//!
//! Each method is a statement, or one transaction, on a connection of a pool. Transactions are
//! `READ COMMITTED`, lock rows in one order, and are tried again where they meet others' locks
//! or lose their connection; see `session`. Every statement has a bound on its time.

mod alias;
mod append;
mod backfill;
mod check;
mod connect;
mod error;
mod expire;
mod function;
mod function_query;
mod list;
mod migrate;
mod package;
#[cfg(test)]
mod plans;
mod rollup;
mod session;
mod statement;
mod summary;
mod sweep;
mod token;
mod url;

use std::fmt;

use async_trait::async_trait;
use lambda_core::Result;
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
use sqlx::MySqlPool;

use append::Batch;
use error::{Attempt, Failure};
use session::Repeat::{Anything, Uncommitted};
use session::retried;

/// A store in a MySQL (8.0 or later) or MariaDB (10.6 or later) database.
///
/// Several processes, on several machines, may share one database. A commit is as durable as
/// the server makes it; [`check`](Store::check) says where that is not enough.
///
/// # URLs
/// `mysql://user:password@host:port/database?parameter=value`, with user, password and values
/// percent-encoded. The database is made if it is missing and the user may create it.
///
/// | parameter | meaning |
/// |---|---|
/// | `ssl-mode` | `DISABLED`; `PREFERRED` (unless told): encrypted where the server can; `REQUIRED`: always encrypted; `VERIFY_CA`: the server's certificate is checked as well; `VERIFY_IDENTITY`: and that it names the host |
/// | `ssl-ca` | file with the certificates to trust besides the system's |
/// | `ssl-cert`, `ssl-key` | files with this client's certificate and key |
/// | `socket` | path of a Unix socket, in place of host and port |
/// | `statement-cache-capacity` | prepared statements of each connection; 200 unless told, which is more than there are |
///
/// Over a network use `VERIFY_IDENTITY`: with less, whoever sits in between can read everything,
/// the password's proof included. `PREFERRED` is right for a server on this machine.
///
/// # Limitations
/// A password with `caching_sha2_password`, the default of MySQL 8 and later, is only ever sent
/// over an encrypted connection. In a cluster of several writable servers (Galera, group
/// replication) start one process alone after an update: the lock that keeps others from
/// migrating is the server's own.
pub struct MySqlStore {
    pool: MySqlPool,
    target: url::Target,
}

impl MySqlStore {
    /// Opens the database that `url` names, and brings its schema up to date.
    ///
    /// # Errors
    /// See [`open`](crate::open()).
    pub async fn open(url: &str) -> Result<Self> {
        connect::open(url).await
    }
}

impl fmt::Debug for MySqlStore {
    // Where it is is the operator's business, not the log's; how to log in is nobody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore").finish_non_exhaustive()
    }
}

/// Names the operation in whatever went wrong.
fn named<T>(operation: &'static str, attempt: Attempt<T>) -> Result<T> {
    attempt.map_err(|failure| Failure::into_error(failure, operation))
}

#[async_trait]
impl Store for MySqlStore {
    async fn package_put(&self, request: PutPackage) -> Result<()> {
        named("package_put", package::put(&self.pool, request).await)
    }

    async fn package_get(&self, digest: PackageDigest) -> Result<Package> {
        let attempt = retried(Anything, || package::get(&self.pool, digest)).await;
        named("package_get", attempt)
    }

    async fn function_create(&self, request: CreateFunction) -> Result<Function> {
        let attempt = retried(Uncommitted, || function::create(&self.pool, &request)).await;
        named("function_create", attempt)
    }

    async fn function_get(&self, selector: &FunctionSelector) -> Result<Function> {
        let attempt = retried(Anything, || function_query::get(&self.pool, selector)).await;
        named("function_get", attempt)
    }

    async fn function_list(&self, request: ListFunctions) -> Result<Page<Function>> {
        let attempt = retried(Anything, || function_query::list(&self.pool, &request)).await;
        named("function_list", attempt)
    }

    async fn function_update(&self, request: UpdateFunction) -> Result<Function> {
        let attempt = retried(Uncommitted, || function::update(&self.pool, &request)).await;
        named("function_update", attempt)
    }

    async fn version_list(&self, request: ListVersions) -> Result<Page<Function>> {
        let attempt = retried(Anything, || function_query::versions(&self.pool, &request)).await;
        named("version_list", attempt)
    }

    async fn alias_set(&self, request: SetAlias) -> Result<Function> {
        let attempt = retried(Uncommitted, || alias::set(&self.pool, &request)).await;
        named("alias_set", attempt)
    }

    async fn alias_list(&self, namespace: &Namespace, id: FunctionId) -> Result<Vec<Alias>> {
        let attempt = retried(Anything, || {
            function_query::aliases(&self.pool, namespace, id)
        });
        named("alias_list", attempt.await)
    }

    async fn alias_delete(&self, request: DeleteAlias) -> Result<()> {
        let attempt = retried(Uncommitted, || alias::delete(&self.pool, &request)).await;
        named("alias_delete", attempt)
    }

    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()> {
        let attempt = retried(Uncommitted, || function::delete(&self.pool, namespace, id));
        named("function_delete", attempt.await)?;
        sweep::sweep(&self.pool).await;
        Ok(())
    }

    async fn invocation_append(&self, request: AppendInvocations) -> Result<()> {
        let batch = Batch::of(request);
        let attempt = retried(Anything, || append::append(&self.pool, &batch)).await;
        named("invocation_append", attempt)
    }

    async fn invocation_get(
        &self,
        namespace: &Namespace,
        id: RequestId,
    ) -> Result<InvocationEntry> {
        let attempt = retried(Anything, || list::get(&self.pool, namespace, id)).await;
        named("invocation_get", attempt)
    }

    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>> {
        let attempt = retried(Anything, || list::list(&self.pool, &request)).await;
        named("invocation_list", attempt)
    }

    async fn invocation_summary(&self, request: SummarizeInvocations) -> Result<InvocationSummary> {
        let attempt = retried(Anything, || summary::summary(&self.pool, &request)).await;
        named("invocation_summary", attempt)
    }

    async fn invocation_expire(&self, request: ExpireInvocations) -> Result<u64> {
        // Done twice it removes more of what is to be removed, and returns the number of the
        // second time.
        let attempt = retried(Anything, || expire::expire(&self.pool, &request)).await;
        named("invocation_expire", attempt)
    }

    async fn token_create(&self, token: Token) -> Result<()> {
        let attempt = retried(Uncommitted, || token::create(&self.pool, &token)).await;
        named("token_create", attempt)
    }

    async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>> {
        let attempt = retried(Anything, || token::find(&self.pool, digest)).await;
        named("token_find", attempt)
    }

    async fn token_list(&self) -> Result<Vec<Token>> {
        let attempt = retried(Anything, || token::list(&self.pool)).await;
        named("token_list", attempt)
    }

    async fn token_delete(&self, id: TokenId) -> Result<()> {
        let attempt = retried(Uncommitted, || token::delete(&self.pool, id)).await;
        named("token_delete", attempt)
    }

    async fn check(&self) -> Result<Vec<Finding>> {
        let attempt = retried(Anything, || check::check(&self.pool, &self.target)).await;
        named("check", attempt)
    }

    async fn close(&self) {
        // No new connections from here on; those on loan may be to a server that hangs.
        let close = self.pool.close();
        if tokio::time::timeout(connect::CLOSE_TIMEOUT, close)
            .await
            .is_err()
        {
            tracing::debug!("connections to the database are left to end by themselves");
        }
    }
}
