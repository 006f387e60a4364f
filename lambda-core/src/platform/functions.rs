//! Deploying, reading, changing and deleting functions.

use bytes::Bytes;

use super::{NewFunction, Platform, check_limit};
use crate::archive;
use crate::error::{Error, ErrorKind, Result};
use crate::model::limits::INLINE_CODE_BYTES_MAX;
use crate::model::{
    CodeFormat, CodeRef, CodeSource, Function, FunctionConfig, FunctionPatch, FunctionRef,
    FunctionSelector, Page,
};
use crate::store::{CreateFunction, ListFunctions, PutPackage, UpdateFunction};

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
        self.inner
            .store
            .function_create(CreateFunction::new(
                self.inner.namespace.clone(),
                request.name,
                request.config,
                vec![code],
            ))
            .await
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
                    self.inner
                        .store
                        .function_create(CreateFunction::new(
                            self.inner.namespace.clone(),
                            request.name.clone(),
                            request.config.clone(),
                            vec![code],
                        ))
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

    /// The code of `function`, at the version that it is.
    ///
    /// # Errors
    /// `NotFound` if it was deleted meanwhile.
    pub async fn function_code(&self, function: &Function) -> Result<CodeSource> {
        let package = function
            .code
            .first()
            .ok_or_else(|| Error::internal("function_code", "A version has no code."))?;
        let bytes = self.inner.store.package_get(package.digest).await?;
        let bytes = bytes.collect().await?;
        match package.format {
            CodeFormat::Inline => String::from_utf8(bytes.into())
                .map(CodeSource::Inline)
                .map_err(|error| {
                    Error::internal("function_code", "Inline code is not UTF-8.").source(error)
                }),
            CodeFormat::Zip => Ok(CodeSource::Zip(bytes)),
        }
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

    /// Deletes a function and frees its name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_delete(&self, function: &FunctionRef) -> Result<()> {
        let id = self.function_get(function).await?.id;
        let namespace = &self.inner.namespace;
        let deleted = self.inner.store.function_delete(namespace, id).await;
        self.inner.executor.function_changed(id, None);
        deleted
    }

    async fn update(&self, update: UpdateFunction) -> Result<Function> {
        let id = update.id;
        let updated = self.inner.store.function_update(update).await?;
        self.inner
            .executor
            .function_changed(id, Some(updated.version));
        Ok(updated)
    }

    fn check_config(&self, config: &FunctionConfig) -> Result<()> {
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

    async fn put_code(&self, code: CodeSource) -> Result<CodeRef> {
        let format = code.format();
        let bytes = match code {
            CodeSource::Inline(source) if source.len() > INLINE_CODE_BYTES_MAX => {
                return Err(Error::new(
                    ErrorKind::PayloadTooLarge,
                    "function_validate",
                    "Inline code has at most 4 MiB.",
                )
                .hint("Pack it as a zip archive."));
            }
            CodeSource::Inline(source) => Bytes::from(source),
            CodeSource::Zip(bytes) => {
                let checked = bytes.clone();
                // Inflating 250 MiB is work for another thread.
                tokio::task::spawn_blocking(move || archive::check(&checked))
                    .await
                    .map_err(|error| {
                        Error::internal("archive_check", "Checking an archive failed.")
                            .source(error)
                    })??;
                bytes
            }
        };
        let request = PutPackage::new(bytes);
        let code = CodeRef {
            digest: request.digest,
            format,
            size_bytes: request.size_bytes,
        };
        self.inner.store.package_put(request).await?;
        Ok(code)
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
