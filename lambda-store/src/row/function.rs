//! Functions, their versions and their aliases.

use std::time::Duration;

use jiff::Timestamp;
use lambda_core::Error;
use lambda_core::model::{
    Alias, CodeFormat, CodeRef, Function, FunctionConfig, FunctionId, Namespace, PackageDigest,
    RevisionId,
};
use lambda_core::store::refusal;

use super::config;
use super::value::{count, decode_error, id, parsed, timestamp};

/// A query of [`FunctionRow`]s, the same in every database but for where functions and versions
/// come from: `$from` gives the tables `f` and `v`, `$revision` is the one whose revision is
/// shown, and `$rest` is what follows.
macro_rules! function_query {
    ($revision:literal, $from:expr, $rest:expr) => {
        concat!(
            "SELECT f.id, f.name, f.created_at_us, v.version, ",
            $revision,
            ".revision, v.created_at_us AS updated_at_us, v.config, c.sha256, c.format, \
             p.size_bytes FROM ",
            $from,
            " LEFT JOIN version_package c ON c.function_id = f.id AND c.version = v.version \
             LEFT JOIN package p ON p.sha256 = c.sha256 ",
            $rest
        )
    };
}
pub(crate) use function_query;

/// A version of a function with one of its packages. A version of several packages is several
/// rows, in the order of the packages; one without any is one row.
#[derive(sqlx::FromRow)]
pub(crate) struct FunctionRow {
    /// `function.id`.
    id: Vec<u8>,
    /// `function.name`.
    name: String,
    /// `function.created_at_us`.
    created_at_us: i64,
    version: i64,
    /// `function.revision` where the version is read as the current one, else the version's.
    revision: Vec<u8>,
    /// `function_version.created_at_us`.
    updated_at_us: i64,
    config: String,
    sha256: Option<Vec<u8>>,
    format: Option<String>,
    /// `package.size_bytes`.
    size_bytes: Option<i64>,
}

impl FunctionRow {
    /// The functions that the rows of a query make up, in their order.
    pub(crate) fn functions(namespace: &Namespace, rows: &[Self]) -> sqlx::Result<Vec<Function>> {
        let mut functions: Vec<Function> = Vec::new();
        for row in rows {
            let id = FunctionId::from_bytes(id(&row.id)?);
            let version: u32 = count(row.version)?;
            let last = functions.last();
            if last.is_none_or(|last| (last.id, last.version) != (id, version)) {
                let mut function = row.without_code(namespace, id)?;
                function.version = version;
                functions.push(function);
            }
            if let (Some(code), Some(function)) = (row.code()?, functions.last_mut()) {
                function.code.push(code);
            }
        }
        Ok(functions)
    }

    fn without_code(&self, namespace: &Namespace, function: FunctionId) -> sqlx::Result<Function> {
        let mut function = Function::first_version(
            namespace.clone(),
            function,
            parsed(&self.name, str::parse)?,
            parsed(&self.config, config::decode)?,
            Vec::new(),
            timestamp(self.created_at_us)?,
        );
        function.revision = RevisionId::from_bytes(id(&self.revision)?);
        function.updated_at = timestamp(self.updated_at_us)?;
        Ok(function)
    }

    fn code(&self) -> sqlx::Result<Option<CodeRef>> {
        let (Some(sha256), Some(format), Some(size_bytes)) =
            (&self.sha256, &self.format, self.size_bytes)
        else {
            // A package that is missing would show as code that is not there.
            return match self.sha256 {
                None => Ok(None),
                Some(_) => Err(decode_error("a version's package is missing")),
            };
        };
        Ok(Some(CodeRef {
            digest: PackageDigest::from_bytes(id(sha256)?),
            format: match format.as_str() {
                INLINE => CodeFormat::Inline,
                ZIP => CodeFormat::Zip,
                _ => return Err(decode_error("an unknown format of code")),
            },
            size_bytes: count(size_bytes)?,
        }))
    }
}

/// What every change of a function reads first, and locks: a row of `function`.
#[derive(sqlx::FromRow)]
pub(crate) struct HeadRow {
    revision: Vec<u8>,
    last_version: i64,
    created_at_us: i64,
}

impl HeadRow {
    /// Refuses a change that was made from another revision than the function's own.
    pub(crate) fn expect_revision<E>(
        &self,
        operation: &'static str,
        expected: RevisionId,
    ) -> Result<(), E>
    where
        E: From<sqlx::Error> + From<Error>,
    {
        if RevisionId::from_bytes(id(&self.revision)?) == expected {
            return Ok(());
        }
        Err(refusal::revision_changed(operation).into())
    }

    /// The number of the next version.
    pub(crate) fn next_version(&self) -> sqlx::Result<u32> {
        let last: u32 = count(self.last_version)?;
        last.checked_add(1)
            .ok_or_else(|| decode_error("a version number out of range"))
    }

    /// When the function was created.
    pub(crate) fn created_at(&self) -> sqlx::Result<Timestamp> {
        timestamp(self.created_at_us)
    }
}

/// A row of `alias`.
#[derive(sqlx::FromRow)]
pub(crate) struct AliasRow {
    name: String,
    version: i64,
}

impl AliasRow {
    /// The alias.
    pub(crate) fn alias(&self) -> sqlx::Result<Alias> {
        Ok(Alias::new(
            parsed(&self.name, str::parse)?,
            count(self.version)?,
        ))
    }
}

/// The configuration as finely as it is kept.
pub(crate) fn cut_to_microsecond(mut config: FunctionConfig) -> FunctionConfig {
    let finer = u64::from(config.timeout.subsec_nanos() % 1_000);
    config.timeout -= Duration::from_nanos(finer);
    config
}

const INLINE: &str = "inline";
const ZIP: &str = "zip";

/// The word that stands for a format; none for one that is newer than this crate.
pub(crate) fn format_word(format: CodeFormat) -> Option<&'static str> {
    match format {
        CodeFormat::Inline => Some(INLINE),
        CodeFormat::Zip => Some(ZIP),
        _ => None,
    }
}
