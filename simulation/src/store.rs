//! A store that is out of order now and then: it refuses, it hangs, and its answers are lost.

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lambda_core::model::{
    Alias, Function, FunctionId, FunctionSelector, InvocationEntry, InvocationRecord,
    InvocationSummary, Namespace, PackageDigest, Page, RequestId, Token, TokenDigest, TokenId,
};
use lambda_core::runtime::Finding;
use lambda_core::store::{
    AppendInvocations, CreateFunction, DeleteAlias, ExpireInvocations, ListFunctions,
    ListInvocations, ListVersions, MemoryStore, Package, PutPackage, SetAlias,
    SummarizeInvocations, UpdateFunction,
};
use lambda_core::{Error, ErrorKind, Result, Store};

use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::weather::StoreMood;
use crate::world::World;

/// How long it takes at most, as every store bounds its own calls.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// The store as one process sees it.
pub(crate) struct SimStore {
    pub(crate) kept: Arc<MemoryStore>,
    pub(crate) world: World,
    pub(crate) life: u32,
}

impl fmt::Debug for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStore").finish_non_exhaustive()
    }
}

impl SimStore {
    async fn step(&self, what: &'static str) {
        if !self.world.step(self.life, what, 0) {
            pending::<()>().await;
        }
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.step(what).await;
        let latest = self.world.now() + ANSWERS_WITHIN;
        while self.world.weather().store == StoreMood::Hangs {
            if self.world.now() >= latest {
                return Err(unavailable());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let is_slow = self.world.weather().store == StoreMood::Slow;
        if is_slow || self.world.strikes(Fault::StoreSlow) {
            tokio::time::sleep(self.world.millis(50, 1_500)).await;
        } else {
            tokio::time::sleep(self.world.millis(0, 2)).await;
        }
        if self.world.weather().store == StoreMood::Down || self.world.strikes(Fault::StoreFails) {
            return Err(unavailable());
        }
        self.step("store: commit").await;
        let result = work.await;
        if result.is_ok() && self.world.strikes(Fault::AnswerLost) {
            tokio::time::sleep(self.world.millis(0, 200)).await;
            return Err(unavailable());
        }
        self.step("store: answer").await;
        result
    }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "store", "It does not work.")
}

#[async_trait]
impl Store for SimStore {
    async fn package_put(&self, request: PutPackage) -> Result<()> {
        self.ask("store: package_put", self.kept.package_put(request))
            .await
    }

    async fn package_get(&self, digest: PackageDigest) -> Result<Package> {
        self.ask("store: package_get", self.kept.package_get(digest))
            .await
    }

    async fn function_create(&self, request: CreateFunction) -> Result<Function> {
        self.ask("store: function_create", self.kept.function_create(request))
            .await
    }

    async fn function_get(&self, selector: &FunctionSelector) -> Result<Function> {
        self.ask("store: function_get", self.kept.function_get(selector))
            .await
    }

    async fn function_list(&self, request: ListFunctions) -> Result<Page<Function>> {
        self.kept.function_list(request).await
    }

    async fn function_update(&self, request: UpdateFunction) -> Result<Function> {
        self.ask("store: function_update", self.kept.function_update(request))
            .await
    }

    async fn version_list(&self, request: ListVersions) -> Result<Page<Function>> {
        self.kept.version_list(request).await
    }

    async fn alias_set(&self, request: SetAlias) -> Result<Function> {
        self.ask("store: alias_set", self.kept.alias_set(request))
            .await
    }

    async fn alias_list(&self, namespace: &Namespace, id: FunctionId) -> Result<Vec<Alias>> {
        self.kept.alias_list(namespace, id).await
    }

    async fn alias_delete(&self, request: DeleteAlias) -> Result<()> {
        self.kept.alias_delete(request).await
    }

    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()> {
        self.ask(
            "store: function_delete",
            self.kept.function_delete(namespace, id),
        )
        .await
    }

    async fn invocation_append(&self, request: AppendInvocations) -> Result<()> {
        let twice = self
            .world
            .has(Mutant::StoreDoubles)
            .then(|| again(&request));
        let append = async {
            if self.world.has(Mutant::StoreForgets) {
                return Ok(());
            }
            self.kept.invocation_append(request).await?;
            match twice {
                Some(twice) => self.kept.invocation_append(twice).await,
                None => Ok(()),
            }
        };
        self.ask("store: invocation_append", append).await
    }

    async fn invocation_get(
        &self,
        namespace: &Namespace,
        id: RequestId,
    ) -> Result<InvocationEntry> {
        self.kept.invocation_get(namespace, id).await
    }

    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>> {
        self.kept.invocation_list(request).await
    }

    async fn invocation_summary(&self, request: SummarizeInvocations) -> Result<InvocationSummary> {
        self.kept.invocation_summary(request).await
    }

    async fn invocation_expire(&self, request: ExpireInvocations) -> Result<u64> {
        self.kept.invocation_expire(request).await
    }

    async fn token_create(&self, token: Token) -> Result<()> {
        self.kept.token_create(token).await
    }

    async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>> {
        self.kept.token_find(digest).await
    }

    async fn token_list(&self) -> Result<Vec<Token>> {
        self.kept.token_list().await
    }

    async fn token_delete(&self, id: TokenId) -> Result<()> {
        self.kept.token_delete(id).await
    }

    async fn check(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    async fn close(&self) {}
}

/// The same records under other ids, as of a store that does not look at them.
fn again(request: &AppendInvocations) -> AppendInvocations {
    let mut entries = request.entries.clone();
    for entry in &mut entries {
        entry.record.request_id = RequestId::new();
    }
    AppendInvocations::new(entries)
}
