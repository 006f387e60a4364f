//! The reference store: everything in memory.

mod function;
mod invocation;
mod package;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::{
    AppendInvocations, CreateFunction, DeleteAlias, ExpireInvocations, ListFunctions,
    ListInvocations, ListVersions, Package, PutPackage, SetAlias, Store, SummarizeInvocations,
    UpdateFunction, refusal,
};
use crate::error::Result;
use crate::model::{
    Alias, Function, FunctionId, FunctionSelector, InvocationEntry, InvocationRecord,
    InvocationSummary, Namespace, PackageDigest, Page, RequestId, Token, TokenDigest, TokenId,
};
use crate::runtime::Finding;

/// A store in memory: what it holds is gone with it.
///
/// It is the reference for the behaviour of every store, for tests, and for applications
/// that keep no history. Records of invocations stay until their retention ends, so that a
/// program which runs for long and is called often needs another store.
pub struct MemoryStore {
    state: Mutex<Option<State>>,
}

/// One lock guards everything, so that each method is one step.
#[derive(Default)]
struct State {
    packages: package::Packages,
    functions: function::Functions,
    invocations: invocation::Invocations,
    tokens: BTreeMap<TokenId, Token>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::new(Some(State::default())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // No method panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        match self.lock().as_mut() {
            Some(state) => work(state),
            None => Err(refusal::closed(operation)),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// The time, as finely as every store keeps it.
fn now() -> Timestamp {
    to_microsecond(Timestamp::now())
}

fn to_microsecond(time: Timestamp) -> Timestamp {
    // What a timestamp gave as microseconds is in a timestamp's range.
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

#[async_trait]
impl Store for MemoryStore {
    async fn package_put(&self, request: PutPackage) -> Result<()> {
        let digest = request.digest;
        // Read before the lock is taken: the bytes may be slow to come.
        let chunks: Vec<Bytes> = request.checked_chunks().try_collect().await?;
        let bytes = match &chunks[..] {
            [one] => one.clone(),
            many => many.concat().into(),
        };
        self.with("package_put", |state| {
            state.packages.put(digest, bytes);
            Ok(())
        })
    }

    async fn package_get(&self, digest: PackageDigest) -> Result<Package> {
        self.with("package_get", |state| {
            let request = PutPackage::new(state.packages.get(digest)?);
            Ok(Package::checked(digest, request.size_bytes, request.chunks))
        })
    }

    async fn function_create(&self, request: CreateFunction) -> Result<Function> {
        self.with("function_create", |state| {
            state.functions.create(&mut state.packages, request)
        })
    }

    async fn function_get(&self, selector: &FunctionSelector) -> Result<Function> {
        self.with("function_get", |state| state.functions.get(selector))
    }

    async fn function_list(&self, request: ListFunctions) -> Result<Page<Function>> {
        self.with("function_list", |state| state.functions.list(&request))
    }

    async fn function_update(&self, request: UpdateFunction) -> Result<Function> {
        self.with("function_update", |state| {
            state.functions.update(&mut state.packages, request)
        })
    }

    async fn function_delete(&self, namespace: &Namespace, id: FunctionId) -> Result<()> {
        self.with("function_delete", |state| {
            state.functions.delete(&mut state.packages, namespace, id)
        })
    }

    async fn version_list(&self, request: ListVersions) -> Result<Page<Function>> {
        self.with("version_list", |state| state.functions.versions(&request))
    }

    async fn alias_set(&self, request: SetAlias) -> Result<Function> {
        self.with("alias_set", |state| state.functions.set_alias(request))
    }

    async fn alias_list(&self, namespace: &Namespace, id: FunctionId) -> Result<Vec<Alias>> {
        self.with("alias_list", |state| state.functions.aliases(namespace, id))
    }

    async fn alias_delete(&self, request: DeleteAlias) -> Result<()> {
        self.with("alias_delete", |state| {
            state.functions.delete_alias(&request)
        })
    }

    async fn invocation_append(&self, request: AppendInvocations) -> Result<()> {
        self.with("invocation_append", |state| {
            state.invocations.append(request);
            Ok(())
        })
    }

    async fn invocation_get(
        &self,
        namespace: &Namespace,
        id: RequestId,
    ) -> Result<InvocationEntry> {
        self.with("invocation_get", |state| {
            state.invocations.get(namespace, id)
        })
    }

    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>> {
        self.with("invocation_list", |state| state.invocations.list(&request))
    }

    async fn invocation_summary(&self, request: SummarizeInvocations) -> Result<InvocationSummary> {
        request.validate()?;
        self.with("invocation_summary", |state| {
            Ok(state.invocations.summary(&request))
        })
    }

    async fn invocation_expire(&self, request: ExpireInvocations) -> Result<u64> {
        self.with("invocation_expire", |state| {
            Ok(state.invocations.expire(&request))
        })
    }

    async fn token_create(&self, mut token: Token) -> Result<()> {
        self.with("token_create", |state| {
            if state.tokens.contains_key(&token.id)
                || state.tokens.values().any(|own| own.digest == token.digest)
            {
                return Err(refusal::token_taken("token_create"));
            }
            token.created_at = to_microsecond(token.created_at);
            state.tokens.insert(token.id, token);
            Ok(())
        })
    }

    async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>> {
        self.with("token_find", |state| {
            let mut tokens = state.tokens.values();
            Ok(tokens.find(|token| token.digest == digest).cloned())
        })
    }

    async fn token_list(&self) -> Result<Vec<Token>> {
        self.with("token_list", |state| {
            let mut tokens: Vec<_> = state.tokens.values().cloned().collect();
            tokens.sort_by_key(|token| (token.created_at, token.id));
            Ok(tokens)
        })
    }

    async fn token_delete(&self, id: TokenId) -> Result<()> {
        self.with("token_delete", |state| match state.tokens.remove(&id) {
            Some(_) => Ok(()),
            None => Err(refusal::no_token("token_delete")),
        })
    }

    async fn check(&self) -> Result<Vec<Finding>> {
        self.with("check", |_| Ok(Vec::new()))
    }

    async fn close(&self) {
        *self.lock() = None;
    }
}
