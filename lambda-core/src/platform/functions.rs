//! Deploying, reading, changing and deleting functions.

use std::sync::atomic::Ordering;

use super::{NewFunction, Platform, check_limit};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::FunctionChange;
use crate::model::{
    Alias, AliasName, CodeRef, Function, FunctionConfig, FunctionName, FunctionPatch, FunctionRef,
    FunctionSelector, Page, Qualifier, RevisionId,
};
use crate::store::{
    CreateFunction, DeleteAlias, ListFunctions, ListVersions, SetAlias, UpdateFunction,
};

/// Attempts at an update that others' updates keep overtaking.
const UPDATE_ATTEMPTS: u32 = 10;

impl Platform {
    /// Creates a function.
    ///
    /// # Errors
    /// `InvalidParameter`, `InvalidZipFile`, `PayloadTooLarge`; `Conflict` if the name is
    /// taken.
    pub async fn function_create(&self, request: NewFunction) -> Result<Function> {
        self.check_config(&request.config)?;
        let code = self.put_code(request.code).await?;
        self.create(request.name, request.config, code).await
    }

    /// Creates a function, or appends a version to the one that has its name.
    ///
    /// # Errors
    /// As [`function_create`](Self::function_create), less `Conflict`.
    pub async fn deploy(&self, request: NewFunction) -> Result<Function> {
        self.check_config(&request.config)?;
        let code = self.put_code(request.code).await?;
        let name = FunctionRef::Name(request.name.clone());
        for _ in 0..UPDATE_ATTEMPTS {
            let result = match self.function_get(&name).await {
                Ok(function) => {
                    let mut update = UpdateFunction::of(&function);
                    update.config = request.config.clone();
                    update.code = vec![code];
                    self.update(update).await
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.create(request.name.clone(), request.config.clone(), code)
                        .await
                }
                Err(error) => Err(error),
            };
            match result {
                Err(error) if is_overtaken(&error) => {}
                result => return result,
            }
        }
        Err(overtaken())
    }

    /// A function at its current version.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_get(&self, function: &FunctionRef) -> Result<Function> {
        let selector = FunctionSelector::current(self.inner.namespace.clone(), function.clone());
        self.inner.store.function_get(&selector).await
    }

    /// A function at any of its versions.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_get_at(
        &self,
        function: &FunctionRef,
        qualifier: Qualifier,
    ) -> Result<Function> {
        let mut selector =
            FunctionSelector::current(self.inner.namespace.clone(), function.clone());
        selector.qualifier = qualifier;
        self.inner.store.function_get(&selector).await
    }

    /// Functions, newest first. `limit` is 1 to 1,000.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub async fn function_list(
        &self,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<Page<Function>> {
        check_limit(limit)?;
        let mut request = ListFunctions::first(self.inner.namespace.clone(), limit);
        request.cursor = cursor;
        self.inner.store.function_list(request).await
    }

    /// Changes a function: appends a version, even where only its description changes.
    /// Fields that the patch leaves out keep what others' concurrent updates gave them.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParameter`, `InvalidZipFile`, `PayloadTooLarge`; `Conflict` if
    /// the new name is taken.
    pub async fn function_update(
        &self,
        function: &FunctionRef,
        mut patch: FunctionPatch,
    ) -> Result<Function> {
        let code = match patch.code.take() {
            Some(code) => Some(self.put_code(code).await?),
            None => None,
        };
        for _ in 0..UPDATE_ATTEMPTS {
            let current = self.function_get(function).await?;
            let mut update = UpdateFunction::of(&current);
            patch.apply(&mut update.config);
            if update.config.language != current.config.language && code.is_none() {
                return Err(Error::invalid(
                    "function_update",
                    "A change of `language` needs new `code` with it.",
                ));
            }
            self.check_config(&update.config)?;
            if let Some(name) = &patch.name {
                update.name.clone_from(name);
            }
            if let Some(code) = code {
                update.code = vec![code];
            }
            match self.update(update).await {
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                result => return result,
            }
        }
        Err(overtaken())
    }

    /// The versions of a function, newest first. `limit` is 1 to 1,000.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParameter`.
    pub async fn version_list(
        &self,
        function: &FunctionRef,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<Page<Function>> {
        check_limit(limit)?;
        let id = self.function_get(function).await?.id;
        let mut request = ListVersions::first(self.inner.namespace.clone(), id, limit);
        request.cursor = cursor;
        self.inner.store.version_list(request).await
    }

    /// Makes an earlier version the current one again (or a later one): nothing is copied, and
    /// the next change still gets the next number. `expected`: the revision that the decision
    /// was made from; none: whatever it is now.
    ///
    /// # Errors
    /// `NotFound` for the function or the version; `PreconditionFailed`.
    pub async fn rollback(
        &self,
        function: &FunctionRef,
        version: u32,
        expected: Option<RevisionId>,
    ) -> Result<Function> {
        self.alias_set(function, AliasName::current(), version, expected)
            .await
    }

    /// Points an alias at a version, and returns the function at it; see
    /// [`Store::alias_set`](crate::Store::alias_set).
    ///
    /// # Errors
    /// `NotFound` for the function or the version; `PreconditionFailed`; `InvalidParameter` if
    /// there are too many.
    pub async fn alias_set(
        &self,
        function: &FunctionRef,
        alias: AliasName,
        version: u32,
        expected: Option<RevisionId>,
    ) -> Result<Function> {
        let id = self.function_get(function).await?.id;
        let is_current = alias.is_current();
        let mut request = SetAlias::new(self.inner.namespace.clone(), id, alias, version);
        request.expected = expected;
        let function = self.inner.store.alias_set(request).await?;
        if is_current {
            self.is_current(&function);
        } else {
            let alias = FunctionChange::Alias;
            self.inner.executor.function_changed(id, alias);
        }
        Ok(function)
    }

    /// The aliases of a function, `current` among them, by name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn alias_list(&self, function: &FunctionRef) -> Result<Vec<Alias>> {
        let id = self.function_get(function).await?.id;
        self.inner.store.alias_list(&self.inner.namespace, id).await
    }

    /// Deletes an alias, not its version.
    ///
    /// # Errors
    /// `NotFound` for the function or the alias; `InvalidParameter` for `current`.
    pub async fn alias_delete(&self, function: &FunctionRef, alias: AliasName) -> Result<()> {
        let id = self.function_get(function).await?.id;
        let request = DeleteAlias::new(self.inner.namespace.clone(), id, alias);
        self.inner.store.alias_delete(request).await?;
        let executor = &self.inner.executor;
        executor.function_changed(id, FunctionChange::Alias);
        Ok(())
    }

    /// Deletes a function and frees its name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_delete(&self, function: &FunctionRef) -> Result<()> {
        let id = self.function_get(function).await?.id;
        let namespace = &self.inner.namespace;
        let deleted = self.inner.store.function_delete(namespace, id).await;
        self.inner.changes.fetch_add(1, Ordering::SeqCst);
        self.inner
            .executor
            .function_changed(id, FunctionChange::Deleted);
        deleted
    }

    async fn update(&self, update: UpdateFunction) -> Result<Function> {
        let updated = self.inner.store.function_update(update).await?;
        self.is_current(&updated);
        Ok(updated)
    }

    async fn create(
        &self,
        name: FunctionName,
        config: FunctionConfig,
        code: CodeRef,
    ) -> Result<Function> {
        let namespace = self.inner.namespace.clone();
        let request = CreateFunction::new(namespace, name, config, vec![code]);
        let created = self.inner.store.function_create(request).await?;
        self.is_current(&created);
        Ok(created)
    }

    /// This is a function's current version now.
    fn is_current(&self, function: &Function) {
        let executor = &self.inner.executor;
        self.inner.changes.fetch_add(1, Ordering::SeqCst);
        executor.function_changed(function.id, FunctionChange::Current(function.version));
        executor.keep_warm(function);
    }

    pub(super) fn check_config(&self, config: &FunctionConfig) -> Result<()> {
        config.validate()?;
        let own = |runtime: &&std::sync::Arc<dyn crate::Runtime>| runtime.name() == config.runtime;
        match self.inner.runtimes.iter().find(own) {
            Some(runtime) => runtime.accepts(config),
            None => {
                let known: Vec<_> = self
                    .runtimes()
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect();
                Err(Error::invalid(
                    "function_validate",
                    format!("The runtime `{}` is not there.", config.runtime),
                )
                .hint(format!("`runtime` is one of {}.", known.join(", "))))
            }
        }
    }
}

/// Whether somebody else was faster, and another attempt may succeed.
fn is_overtaken(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PreconditionFailed | ErrorKind::Conflict | ErrorKind::NotFound
    )
}

fn overtaken() -> Error {
    Error::new(
        ErrorKind::PreconditionFailed,
        "function_update",
        "Others keep changing the function at the same time.",
    )
    .hint("Try again.")
}
