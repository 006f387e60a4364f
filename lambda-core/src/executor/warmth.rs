//! Loads a function's code into the sandboxes that are kept warm of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;

use super::local::Shared;
use crate::error::{Error, Result};
use crate::model::{Function, FunctionId};
use crate::output::OutputCapture;
use crate::pool::{CodeLoader, PoolKey, PoolRequest};
use crate::runtime::{CreateSandbox, InitializeSandbox, Sandbox, SandboxReply};

const OPERATION: &str = "keep_warm";

/// Which call was the last for each function: mounting code takes its time, and what was asked
/// for meanwhile wins.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<LastTurns>);

#[derive(Debug, Default)]
struct LastTurns {
    next: u64,
    of: HashMap<FunctionId, u64>,
}

impl Turns {
    fn take(&self, function: FunctionId) -> u64 {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.next += 1;
        let turn = turns.next;
        turns.of.insert(function, turn);
        turn
    }

    /// Does it, unless another has had a turn meanwhile.
    fn unless_overtaken(&self, function: FunctionId, turn: u64, work: impl FnOnce()) {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.of.get(&function) == Some(&turn) {
            work();
        }
    }

    pub(super) fn forget(&self, function: FunctionId) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.of.remove(&function);
    }
}

pub(super) fn keep_warm(shared: &Arc<Shared>, function: &Function) {
    let id = function.id;
    let config = &function.config;
    let is_known = shared.runtimes.contains_key(&config.runtime);
    if config.min_warm == 0 || !is_known || shared.closing.is_cancelled() {
        shared.turns.forget(id);
        shared.pool.unprovision(id);
        return;
    }
    let turn = shared.turns.take(id);
    let own = Arc::clone(shared);
    let function = Arc::new(function.clone());
    shared.tasks.spawn(async move {
        let mut create = CreateSandbox::for_function(own.owner, &function);
        match own.code.to_mount(&function).await {
            Ok(directory) => create.code_directory = directory,
            Err(error) => {
                tracing::warn!(function = %function.name, ?error, "it cannot be kept warm for now");
                return;
            }
        }
        let key = PoolKey {
            namespace: function.namespace.clone(),
            function: id,
            version: function.version,
            runtime: function.config.runtime.clone(),
        };
        let min_warm = function.config.min_warm;
        let request = PoolRequest::new(key, function.config.concurrency, create);
        let loader = Arc::new(Loader {
            shared: Arc::downgrade(&own),
            function,
        });
        own.turns.unless_overtaken(id, turn, || {
            own.pool.provision(request, min_warm, loader);
        });
    });
}

/// Loads one version's code.
struct Loader {
    /// The pool, which it is part of, is part of this.
    shared: Weak<Shared>,
    function: Arc<Function>,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loader").field(&self.function.name).finish()
    }
}

#[async_trait]
impl CodeLoader for Loader {
    async fn load(&self, sandbox: &dyn Sandbox) -> Result<()> {
        let Some(shared) = self.shared.upgrade() else {
            return Err(Error::internal(OPERATION, "The platform is gone."));
        };
        let function = &self.function;
        let code = shared.code.to_send(function).await?;
        let request = InitializeSandbox::new(Arc::clone(function), code);
        // Nobody has asked for what the code writes while it is loaded.
        let output = OutputCapture::new();
        let loading = sandbox.initialize(request, &output);
        let failed = |message: String| Err(Error::internal(OPERATION, message));
        match tokio::time::timeout(function.config.timeout, loading).await {
            Ok(Ok(SandboxReply::Ready)) => Ok(()),
            Ok(Ok(SandboxReply::Failed(error))) => {
                failed(format!("Its code does not load: {}.", error.error_type))
            }
            Ok(Ok(reply)) if reply.is_final() => {
                failed("Its sandbox ended while the code was loaded.".to_owned())
            }
            Ok(Ok(_)) => failed("Its sandbox broke the protocol.".to_owned()),
            Ok(Err(error)) => Err(error),
            Err(_) => failed("Its code does not load within its timeout.".to_owned()),
        }
    }
}
