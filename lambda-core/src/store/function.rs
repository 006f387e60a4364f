//! Requests about functions, their versions and aliases.

use super::check_limit;
use super::cursor::{FunctionCursor, VersionCursor};
use crate::error::Result;
use crate::model::{
    AliasName, CodeRef, Function, FunctionConfig, FunctionId, FunctionName, Namespace, RevisionId,
};

/// See [`Store::function_create`](super::Store::function_create).
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

/// See [`Store::function_update`](super::Store::function_update).
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

/// See [`Store::function_list`](super::Store::function_list).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListFunctions {
    /// Whose functions.
    pub namespace: Namespace,
    /// At most this many: 1 to [`PAGE_MAX`](crate::model::limits::PAGE_MAX).
    pub limit: u32,
    /// [`Page::next`](crate::model::Page::next) of the page before.
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

/// See [`Store::version_list`](super::Store::version_list).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListVersions {
    /// The function's namespace.
    pub namespace: Namespace,
    /// Whose versions.
    pub id: FunctionId,
    /// At most this many: 1 to [`PAGE_MAX`](crate::model::limits::PAGE_MAX).
    pub limit: u32,
    /// [`Page::next`](crate::model::Page::next) of the page before.
    pub cursor: Option<String>,
}

impl ListVersions {
    /// The first page of a function's versions.
    #[must_use]
    pub fn first(namespace: Namespace, id: FunctionId, limit: u32) -> Self {
        Self {
            namespace,
            id,
            limit,
            cursor: None,
        }
    }

    /// Checks the limit and reads the cursor: the page starts below this version.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn below(&self) -> Result<Option<VersionCursor>> {
        const OPERATION: &str = "version_list";
        check_limit(OPERATION, self.limit)?;
        let cursor = self.cursor.as_deref();
        cursor
            .map(|text| VersionCursor::parse(OPERATION, text))
            .transpose()
    }
}

/// See [`Store::alias_set`](super::Store::alias_set).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetAlias {
    /// The function's namespace.
    pub namespace: Namespace,
    /// The function.
    pub id: FunctionId,
    /// The alias; `current` rolls the function back, or forward.
    pub alias: AliasName,
    /// The version that it shall point at.
    pub version: u32,
    /// The revision that the change was made from; none: whatever it is now.
    pub expected: Option<RevisionId>,
}

impl SetAlias {
    /// Points `alias` of a function at `version`, whatever others do meanwhile.
    #[must_use]
    pub fn new(namespace: Namespace, id: FunctionId, alias: AliasName, version: u32) -> Self {
        Self {
            namespace,
            id,
            alias,
            version,
            expected: None,
        }
    }
}

/// See [`Store::alias_delete`](super::Store::alias_delete).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeleteAlias {
    /// The function's namespace.
    pub namespace: Namespace,
    /// The function.
    pub id: FunctionId,
    /// The alias; not `current`.
    pub alias: AliasName,
}

impl DeleteAlias {
    /// Deletes `alias` of a function.
    #[must_use]
    pub fn new(namespace: Namespace, id: FunctionId, alias: AliasName) -> Self {
        Self {
            namespace,
            id,
            alias,
        }
    }
}
