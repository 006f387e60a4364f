//! Reading functions, their versions and their aliases.

use lambda_core::model::{
    Alias, Function, FunctionId, FunctionRef, FunctionSelector, Namespace, Page, Qualifier,
};
use lambda_core::store::{FunctionCursor, ListFunctions, ListVersions, VersionCursor, refusal};
use sqlx::{SqliteConnection, SqlitePool};

use super::error::Attempt;
use crate::row::{AliasRow, FunctionRow, function_query};

/// The version of `f` that an alias points at.
macro_rules! by_alias {
    ($alias:literal) => {
        concat!(
            "JOIN function_version v ON v.function_id = f.id AND v.version = \
             (SELECT version FROM alias WHERE function_id = f.id AND name = ",
            $alias,
            ")"
        )
    };
}

/// One function at one version. ?1 the namespace, ?2 the function, ?3 the version or alias.
macro_rules! one_query {
    ($column:literal, $revision:literal, $version:expr) => {
        function_query!(
            $revision,
            concat!("function f ", $version),
            concat!(
                "WHERE f.namespace = ?1 AND f.",
                $column,
                " = ?2 ORDER BY c.seq"
            )
        )
    };
}

const CURRENT_BY_ID: &str = one_query!("id", "f", by_alias!("'current'"));
const CURRENT_BY_NAME: &str = one_query!("name", "f", by_alias!("'current'"));
const ALIAS_BY_ID: &str = one_query!("id", "v", by_alias!("?3"));
const ALIAS_BY_NAME: &str = one_query!("name", "v", by_alias!("?3"));
const VERSION_BY_ID: &str = one_query!(
    "id",
    "v",
    "JOIN function_version v ON v.function_id = f.id AND v.version = ?3"
);
const VERSION_BY_NAME: &str = one_query!(
    "name",
    "v",
    "JOIN function_version v ON v.function_id = f.id AND v.version = ?3"
);

/// ?1 the namespace, ?2 the id before which to start, ?3 how many.
const PAGE: &str = function_query!(
    "f",
    concat!(
        "(SELECT * FROM function WHERE namespace = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3) f ",
        by_alias!("'current'")
    ),
    "ORDER BY f.id DESC, c.seq"
);

/// ?1 the namespace, ?2 the function, ?3 the version before which to start, ?4 how many.
const VERSIONS: &str = function_query!(
    "v",
    "function f CROSS JOIN (SELECT * FROM function_version WHERE function_id = ?2 \
     AND version < ?3 ORDER BY version DESC LIMIT ?4) v ON v.function_id = f.id",
    "WHERE f.namespace = ?1 AND f.id = ?2 ORDER BY v.version DESC, c.seq"
);

/// See [`Store::function_get`](lambda_core::Store::function_get).
pub(super) async fn get(reader: &SqlitePool, selector: &FunctionSelector) -> Attempt<Function> {
    let mut connection = reader.acquire().await?;
    get_on(&mut connection, "function_get", selector).await
}

/// The same, in the transaction of a change.
pub(super) async fn get_on(
    connection: &mut SqliteConnection,
    operation: &'static str,
    selector: &FunctionSelector,
) -> Attempt<Function> {
    let is_current = match &selector.qualifier {
        Qualifier::Current => true,
        Qualifier::Alias(name) => name.is_current(),
        _ => false,
    };
    let query = match (&selector.function, &selector.qualifier) {
        (FunctionRef::Id(_), _) if is_current => CURRENT_BY_ID,
        (FunctionRef::Name(_), _) if is_current => CURRENT_BY_NAME,
        (FunctionRef::Id(_), Qualifier::Version(_)) => VERSION_BY_ID,
        (FunctionRef::Name(_), Qualifier::Version(_)) => VERSION_BY_NAME,
        (FunctionRef::Id(_), Qualifier::Alias(_)) => ALIAS_BY_ID,
        (FunctionRef::Name(_), Qualifier::Alias(_)) => ALIAS_BY_NAME,
        _ => return Err(refusal::no_version(operation).into()),
    };
    let query = sqlx::query_as(query).bind(selector.namespace.as_str());
    let query = match &selector.function {
        FunctionRef::Id(id) => query.bind(&id.as_bytes()[..]),
        FunctionRef::Name(name) => query.bind(name.as_str()),
    };
    let query = match &selector.qualifier {
        Qualifier::Version(number) => query.bind(number),
        Qualifier::Alias(name) if !is_current => query.bind(name.as_str()),
        _ => query,
    };
    let rows: Vec<FunctionRow> = query.fetch_all(connection).await?;
    let function = FunctionRow::functions(&selector.namespace, &rows)?.pop();
    Ok(function.ok_or_else(|| match is_current {
        true => refusal::no_function(operation),
        false => refusal::no_version(operation),
    })?)
}

/// See [`Store::function_list`](lambda_core::Store::function_list).
pub(super) async fn list(reader: &SqlitePool, request: ListFunctions) -> Attempt<Page<Function>> {
    let before = match request.after()? {
        Some(FunctionCursor(id)) => *id.as_bytes(),
        // No UUID of version 7 sorts behind this.
        None => [0xff; 16],
    };
    let rows: Vec<FunctionRow> = sqlx::query_as(PAGE)
        .bind(request.namespace.as_str())
        .bind(&before[..])
        // One more than asked for tells whether there is another page.
        .bind(i64::from(request.limit) + 1)
        .fetch_all(reader)
        .await?;
    let items = FunctionRow::functions(&request.namespace, &rows)?;
    Ok(Page::of(items, request.limit, FunctionCursor::after))
}

/// See [`Store::version_list`](lambda_core::Store::version_list).
pub(super) async fn versions(
    reader: &SqlitePool,
    request: ListVersions,
) -> Attempt<Page<Function>> {
    let below = request.below()?;
    let below = below.map_or(i64::MAX, |VersionCursor(version)| i64::from(version));
    let rows: Vec<FunctionRow> = sqlx::query_as(VERSIONS)
        .bind(request.namespace.as_str())
        .bind(&request.id.as_bytes()[..])
        .bind(below)
        .bind(i64::from(request.limit) + 1)
        .fetch_all(reader)
        .await?;
    if rows.is_empty() {
        expect_function(reader, "version_list", &request.namespace, request.id).await?;
    }
    let items = FunctionRow::functions(&request.namespace, &rows)?;
    Ok(Page::of(items, request.limit, VersionCursor::after))
}

/// ?1 the namespace, ?2 the function. The order is that of the key, byte by byte.
const ALIASES: &str = "SELECT a.name, a.version FROM function f \
     CROSS JOIN alias a ON a.function_id = f.id \
     WHERE f.namespace = ?1 AND f.id = ?2 ORDER BY a.name";

/// See [`Store::alias_list`](lambda_core::Store::alias_list).
pub(super) async fn aliases(
    reader: &SqlitePool,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<Vec<Alias>> {
    let rows: Vec<AliasRow> = sqlx::query_as(ALIASES)
        .bind(namespace.as_str())
        .bind(&id.as_bytes()[..])
        .fetch_all(reader)
        .await?;
    if rows.is_empty() {
        expect_function(reader, "alias_list", namespace, id).await?;
    }
    let aliases = rows.iter().map(AliasRow::alias);
    Ok(aliases.collect::<sqlx::Result<_>>()?)
}

async fn expect_function(
    reader: &SqlitePool,
    operation: &'static str,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<()> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM function WHERE namespace = ?1 AND id = ?2")
            .bind(namespace.as_str())
            .bind(&id.as_bytes()[..])
            .fetch_optional(reader)
            .await?;
    match found {
        Some(_) => Ok(()),
        None => Err(refusal::no_function(operation).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    #[tokio::test]
    async fn functions_are_found_by_a_key() {
        let (id, name) = ("SEARCH f USING PRIMARY KEY", "SEARCH f USING INDEX");
        for (sql, step) in [
            (CURRENT_BY_ID, id),
            (ALIAS_BY_ID, id),
            (VERSION_BY_ID, id),
            (CURRENT_BY_NAME, name),
            (ALIAS_BY_NAME, name),
            (VERSION_BY_NAME, name),
        ] {
            assert_plan(sql, &[step, "SEARCH v USING INDEX"], 0).await;
        }
        // Those of the packages of a page, which is not long.
        assert_plan(
            PAGE,
            &["INDEX function_newest (namespace=? AND id<?)", "SCAN f"],
            1,
        )
        .await;
        let key = "function_version_1 (function_id=? AND version<?)";
        assert_plan(VERSIONS, &[key, id, "SCAN v"], 1).await;
        assert_plan(ALIASES, &["SEARCH f", "SEARCH a USING PRIMARY KEY"], 1).await;
    }
}
