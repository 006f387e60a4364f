//! Reading functions: the queries, and their rows.

use lambda_core::model::{
    CodeFormat, CodeRef, Function, FunctionId, Namespace, PackageDigest, RevisionId,
};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::value;
use crate::config;

/// A query that gives one row for each code package, in order, and at least one for each
/// function: `$function` is the table `f`, and `$version` picks a row of `function_version`.
macro_rules! function_query {
    (from $function:literal, version $version:literal, $rest:literal) => {
        concat!(
            "SELECT f.id, f.name, f.created_at_us, v.version, v.revision, \
             v.created_at_us AS updated_at_us, v.config, c.sha256, c.format, p.size_bytes \
             FROM ",
            $function,
            " JOIN function_version v ON v.function_id = f.id AND v.version = ",
            $version,
            " LEFT JOIN version_package c ON c.function_id = f.id AND c.version = v.version \
             LEFT JOIN package p ON p.sha256 = c.sha256 ",
            $rest
        )
    };
    (from $function:literal, current, $rest:literal) => {
        function_query!(
            from $function,
            version "(SELECT version FROM alias WHERE function_id = f.id AND name = 'current')",
            $rest
        )
    };
}

/// ?1 namespace, ?2 id.
pub(super) const CURRENT_BY_ID: &str = function_query!(
    from "function f", current,
    "WHERE f.namespace = ?1 AND f.id = ?2 ORDER BY c.seq"
);

/// ?1 namespace, ?2 name.
pub(super) const CURRENT_BY_NAME: &str = function_query!(
    from "function f", current,
    "WHERE f.namespace = ?1 AND f.name = ?2 ORDER BY c.seq"
);

/// ?1 namespace, ?2 id, ?3 version.
pub(super) const VERSION_BY_ID: &str = function_query!(
    from "function f", version "?3",
    "WHERE f.namespace = ?1 AND f.id = ?2 ORDER BY c.seq"
);

/// ?1 namespace, ?2 name, ?3 version.
pub(super) const VERSION_BY_NAME: &str = function_query!(
    from "function f", version "?3",
    "WHERE f.namespace = ?1 AND f.name = ?2 ORDER BY c.seq"
);

/// ?1 namespace, ?2 the id before which to start, ?3 how many.
pub(super) const PAGE: &str = function_query!(
    from "(SELECT * FROM function WHERE namespace = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3) f",
    current,
    "ORDER BY f.id DESC, c.seq"
);

/// The functions that the rows of a query make up, in their order.
pub(super) fn functions(namespace: &Namespace, rows: &[SqliteRow]) -> sqlx::Result<Vec<Function>> {
    let mut functions: Vec<Function> = Vec::new();
    for row in rows {
        let id = FunctionId::from_bytes(value::bytes(row, "id")?);
        if functions.last().is_none_or(|last| last.id != id) {
            functions.push(without_code(namespace, id, row)?);
        }
        if let (Some(code), Some(function)) = (code(row)?, functions.last_mut()) {
            function.code.push(code);
        }
    }
    Ok(functions)
}

fn without_code(namespace: &Namespace, id: FunctionId, row: &SqliteRow) -> sqlx::Result<Function> {
    let mut function = Function::first_version(
        namespace.clone(),
        id,
        value::parsed(row, "name", str::parse)?,
        value::parsed(row, "config", config::decode)?,
        Vec::new(),
        value::timestamp(row, "created_at_us")?,
    );
    function.version = value::unsigned(row, "version")?;
    function.revision = RevisionId::from_bytes(value::bytes(row, "revision")?);
    function.updated_at = value::timestamp(row, "updated_at_us")?;
    Ok(function)
}

fn code(row: &SqliteRow) -> sqlx::Result<Option<CodeRef>> {
    let format: Option<&str> = row.try_get("format")?;
    let Some(format) = format else {
        return Ok(None);
    };
    Ok(Some(CodeRef {
        digest: PackageDigest::from_bytes(value::bytes(row, "sha256")?),
        format: match format {
            INLINE => CodeFormat::Inline,
            ZIP => CodeFormat::Zip,
            _ => return Err(value::decode_error("an unknown format of code")),
        },
        size_bytes: value::unsigned(row, "size_bytes")?,
    }))
}

const INLINE: &str = "inline";
const ZIP: &str = "zip";

/// The word that stands for a format; none for one that is newer than this crate.
pub(super) fn format_word(format: CodeFormat) -> Option<&'static str> {
    match format {
        CodeFormat::Inline => Some(INLINE),
        CodeFormat::Zip => Some(ZIP),
        _ => None,
    }
}
