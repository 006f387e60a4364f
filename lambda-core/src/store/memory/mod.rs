//! The reference store: everything in memory.

mod function;
mod invocation;
mod package;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::{CreateFunction, ListFunctions, ListInvocations, PutPackage, Store, UpdateFunction};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Function, FunctionId, FunctionSelector, InvocationRecord, InvocationSummary, Namespace,
    PackageDigest, Page, Token, TokenDigest, TokenId,
};

/// A store in memory: what it holds is gone with it.
///
/// It is the reference for the behaviour of every store, for tests, and for applications
/// that keep no history. Records of invocations are never thrown away, so that a program
/// which runs for long needs another store.
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
            None => Err(Error::new(
                ErrorKind::StoreUnavailable,
                operation,
                "The store is closed.",
            )
            .hint("Open the store again, or start the platform again.")),
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

fn not_found(operation: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, operation, what)
}

#[async_trait]
impl Store for MemoryStore {
    async fn package_put(&self, request: PutPackage) -> Result<()> {
        self.with("package_put", |state| state.packages.put(request))
    }

    async fn package_get(&self, digest: PackageDigest) -> Result<Bytes> {
        self.with("package_get", |state| state.packages.get(digest))
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

    async fn invocation_append(&self, records: &[InvocationRecord]) -> Result<()> {
        self.with("invocation_append", |state| {
            state.invocations.append(records);
            Ok(())
        })
    }

    async fn invocation_list(&self, request: ListInvocations) -> Result<Page<InvocationRecord>> {
        self.with("invocation_list", |state| state.invocations.list(&request))
    }

    async fn invocation_summary(&self, namespace: &Namespace) -> Result<InvocationSummary> {
        self.with("invocation_summary", |state| {
            Ok(state.invocations.summary(namespace))
        })
    }

    async fn token_create(&self, mut token: Token) -> Result<()> {
        self.with("token_create", |state| {
            if state.tokens.contains_key(&token.id)
                || state.tokens.values().any(|own| own.digest == token.digest)
            {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "token_create",
                    "There is a token with this id or secret.",
                )
                .hint("Make a new token."));
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
            None => Err(not_found("token_delete", "There is no token with this id.")),
        })
    }

    async fn check(&self) -> Result<()> {
        self.with("check", |_| Ok(()))
    }

    async fn close(&self) {
        *self.lock() = None;
    }
}
