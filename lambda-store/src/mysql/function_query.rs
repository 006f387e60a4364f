//! Reading functions.

use lambda_core::model::{
    Alias, AliasName, Function, FunctionId, FunctionRef, FunctionSelector, Namespace, Page,
    Qualifier,
};
use lambda_core::store::refusal::{no_function, no_version};
use lambda_core::store::{FunctionCursor, ListFunctions, ListVersions, VersionCursor};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::Attempt;
use super::session::{Session, bounded};
use crate::row::{AliasRow, FunctionRow};

/// A query that gives one row for each code package, in order, and at least one for each
/// version: `$revision` is the table whose revision it is, `$from` gives the tables `f` and `v`.
macro_rules! function_query {
    ($revision:literal, $from:literal, $rest:literal) => {
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

/// The queries by name and by id: parameters are the namespace, the name or id, and what picks
/// the version.
macro_rules! by_name_and_id {
    ($revision:literal, $from:literal) => {
        [
            function_query!(
                $revision,
                $from,
                "WHERE f.namespace = ? AND f.name = ? ORDER BY c.seq"
            ),
            function_query!(
                $revision,
                $from,
                "WHERE f.namespace = ? AND f.id = ? ORDER BY c.seq"
            ),
        ]
    };
}

/// The version that `current` points at, with the function's own revision.
pub(super) const CURRENT: [&str; 2] = by_name_and_id!(
    "f",
    "`function` f JOIN alias a ON a.function_id = f.id AND a.name = 'current' \
     JOIN function_version v ON v.function_id = f.id AND v.version = a.version"
);

/// The version that an alias points at; the first parameter is its name.
pub(super) const BY_ALIAS: [&str; 2] = by_name_and_id!(
    "v",
    "`function` f JOIN alias a ON a.function_id = f.id AND a.name = ? \
     JOIN function_version v ON v.function_id = f.id AND v.version = a.version"
);

/// A version by number, which is the first parameter.
pub(super) const BY_VERSION: [&str; 2] = by_name_and_id!(
    "v",
    "`function` f JOIN function_version v ON v.function_id = f.id AND v.version = ?"
);

/// Parameters: the namespace, the id before which to start, how many. The order of the joins is
/// given: with few aliases the optimizer would read them all, and go on doing so with many.
pub(super) const PAGE: &str = function_query!(
    "f",
    "(SELECT * FROM `function` FORCE INDEX (function_newest) \
     WHERE namespace = ? AND id < ? ORDER BY id DESC LIMIT ?) f \
     STRAIGHT_JOIN alias a ON a.function_id = f.id AND a.name = 'current' \
     STRAIGHT_JOIN function_version v ON v.function_id = f.id AND v.version = a.version",
    "ORDER BY f.id DESC, c.seq"
);

/// Parameters: the id, the version below which to start, how many, the namespace.
pub(super) const VERSIONS: &str = function_query!(
    "v",
    "(SELECT * FROM function_version WHERE function_id = ? AND version < ? \
     ORDER BY version DESC LIMIT ?) v STRAIGHT_JOIN `function` f ON f.id = v.function_id",
    "WHERE f.namespace = ? ORDER BY v.version DESC, c.seq"
);

/// See [`Store::function_get`](lambda_core::Store::function_get).
pub(super) async fn get(pool: &MySqlPool, selector: &FunctionSelector) -> Attempt<Function> {
    let mut session = Session::acquire(pool).await?;
    let rows = rows_of(&mut session, selector).await;
    let rows = session.read(rows)?;
    found("function_get", selector, &rows)
}

/// The function that a selector names, as it is within a transaction.
pub(super) async fn get_in(
    connection: &mut MySqlConnection,
    operation: &'static str,
    selector: &FunctionSelector,
) -> Attempt<Function> {
    let rows = rows_of(connection, selector).await?;
    found(operation, selector, &rows)
}

async fn rows_of(
    connection: &mut MySqlConnection,
    selector: &FunctionSelector,
) -> sqlx::Result<Vec<FunctionRow>> {
    let [by_name, by_id] = match &selector.qualifier {
        Qualifier::Version(_) => BY_VERSION,
        Qualifier::Alias(name) if !name.is_current() => BY_ALIAS,
        _ => CURRENT,
    };
    let query = sqlx::query_as(match &selector.function {
        FunctionRef::Name(_) => by_name,
        FunctionRef::Id(_) => by_id,
    });
    let query = match &selector.qualifier {
        Qualifier::Version(number) => query.bind(*number),
        Qualifier::Alias(name) if !name.is_current() => query.bind(name.as_str()),
        _ => query,
    };
    let query = query.bind(selector.namespace.as_str());
    let query = match &selector.function {
        FunctionRef::Name(name) => query.bind(name.as_str()),
        FunctionRef::Id(id) => query.bind(&id.as_bytes()[..]),
    };
    bounded(query.fetch_all(connection)).await
}

fn found(
    operation: &'static str,
    selector: &FunctionSelector,
    rows: &[FunctionRow],
) -> Attempt<Function> {
    let function = FunctionRow::functions(&selector.namespace, rows)?.pop();
    function.ok_or_else(|| match selector.qualifier {
        Qualifier::Current => no_function(operation).into(),
        _ => no_version(operation).into(),
    })
}

/// See [`Store::function_list`](lambda_core::Store::function_list).
pub(super) async fn list(pool: &MySqlPool, request: &ListFunctions) -> Attempt<Page<Function>> {
    let before = match request.after()? {
        Some(FunctionCursor(id)) => *id.as_bytes(),
        // No UUID of version 7 sorts behind this.
        None => [0xff; 16],
    };
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(PAGE)
        .bind(request.namespace.as_str())
        .bind(&before[..])
        // One more than asked for tells whether there is another page.
        .bind(i64::from(request.limit) + 1);
    let rows = bounded(query.fetch_all(&mut *session)).await;
    let rows: Vec<FunctionRow> = session.read(rows)?;
    let items = FunctionRow::functions(&request.namespace, &rows)?;
    Ok(Page::of(items, request.limit, FunctionCursor::after))
}

/// See [`Store::version_list`](lambda_core::Store::version_list).
pub(super) async fn versions(pool: &MySqlPool, request: &ListVersions) -> Attempt<Page<Function>> {
    let below = request
        .below()?
        .map_or(i64::MAX, |VersionCursor(below)| i64::from(below));
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(VERSIONS)
        .bind(&request.id.as_bytes()[..])
        .bind(below)
        .bind(i64::from(request.limit) + 1)
        .bind(request.namespace.as_str());
    let rows = bounded(query.fetch_all(&mut *session)).await;
    let rows: Vec<FunctionRow> = session.read(rows)?;
    if rows.is_empty() {
        // Past the last page, or of no function.
        expect_function(pool, "version_list", &request.namespace, request.id).await?;
    }
    let items = FunctionRow::functions(&request.namespace, &rows)?;
    Ok(Page::of(items, request.limit, VersionCursor::after))
}

/// See [`Store::alias_list`](lambda_core::Store::alias_list).
pub(super) async fn aliases(
    pool: &MySqlPool,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<Vec<Alias>> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(
        "SELECT a.name, a.version FROM alias a JOIN `function` f ON f.id = a.function_id \
         WHERE a.function_id = ? AND f.namespace = ? ORDER BY a.name",
    )
    .bind(&id.as_bytes()[..])
    .bind(namespace.as_str());
    let rows = bounded(query.fetch_all(&mut *session)).await;
    let rows: Vec<AliasRow> = session.read(rows)?;
    if rows.is_empty() {
        // Every function has `current`.
        return Err(no_function("alias_list").into());
    }
    Ok(rows
        .iter()
        .map(AliasRow::alias)
        .collect::<sqlx::Result<_>>()?)
}

async fn expect_function(
    pool: &MySqlPool,
    operation: &'static str,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<()> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_scalar("SELECT 1 FROM `function` WHERE id = ? AND namespace = ?")
        .bind(&id.as_bytes()[..])
        .bind(namespace.as_str());
    let found = bounded(query.fetch_optional(&mut *session)).await;
    let found: Option<i64> = session.read(found)?;
    match found {
        Some(_) => Ok(()),
        None => Err(no_function(operation).into()),
    }
}

/// A selector by id, for reading within a transaction.
pub(super) fn at_alias(
    namespace: &Namespace,
    id: FunctionId,
    alias: &AliasName,
) -> FunctionSelector {
    let current = FunctionSelector::current(namespace.clone(), id.into());
    FunctionSelector {
        qualifier: match alias.is_current() {
            true => Qualifier::Current,
            false => Qualifier::Alias(alias.clone()),
        },
        ..current
    }
}
