//! Functions, versions and the alias `current`.

use lambda_core::model::{
    CodeRef, Function, FunctionConfig, FunctionId, FunctionRef, FunctionSelector, Namespace, Page,
    Qualifier, RevisionId,
};
use lambda_core::store::{CreateFunction, FunctionCursor, ListFunctions, UpdateFunction};
use lambda_core::{Error, ErrorKind};
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::error::{Attempt, Failure, is_taken, not_found};
use super::{begin_write, function_row, package, value};
use crate::config;

/// See [`Store::function_create`](lambda_core::Store::function_create).
pub(super) async fn create(writer: &SqlitePool, request: CreateFunction) -> Attempt<Function> {
    const OPERATION: &str = "function_create";
    let mut transaction = begin_write(writer).await?;
    // Made under the write lock, so that ids have the order of the commits.
    let function = Function::first_version(
        request.namespace,
        FunctionId::new(),
        request.name,
        cut_to_microsecond(request.config),
        request.code,
        value::now(),
    );
    sqlx::query(
        "INSERT INTO function (id, namespace, name, last_version, created_at_us) \
         VALUES (?1, ?2, ?3, 1, ?4)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.namespace.as_str())
    .bind(function.name.as_str())
    .bind(function.created_at.as_microsecond())
    .execute(&mut *transaction)
    .await
    .map_err(|error| name_taken(OPERATION, error))?;
    insert_version(&mut transaction, OPERATION, &function).await?;
    sqlx::query("INSERT INTO alias (function_id, name, version) VALUES (?1, 'current', 1)")
        .bind(&function.id.as_bytes()[..])
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(function)
}

/// See [`Store::function_get`](lambda_core::Store::function_get).
pub(super) async fn get(reader: &SqlitePool, selector: &FunctionSelector) -> Attempt<Function> {
    let namespace = &selector.namespace;
    let number = match selector.qualifier {
        Qualifier::Current => None,
        Qualifier::Version(number) => Some(number),
        _ => return Err(no_function("function_get").into()),
    };
    let query = match (&selector.function, number) {
        (FunctionRef::Id(_), None) => function_row::CURRENT_BY_ID,
        (FunctionRef::Id(_), Some(_)) => function_row::VERSION_BY_ID,
        (FunctionRef::Name(_), None) => function_row::CURRENT_BY_NAME,
        (FunctionRef::Name(_), Some(_)) => function_row::VERSION_BY_NAME,
    };
    let query = sqlx::query(query).bind(namespace.as_str());
    let query = match &selector.function {
        FunctionRef::Id(id) => query.bind(&id.as_bytes()[..]),
        FunctionRef::Name(name) => query.bind(name.as_str()),
    };
    let query = match number {
        Some(number) => query.bind(number),
        None => query,
    };
    let rows = query.fetch_all(reader).await?;
    function_row::functions(namespace, &rows)?
        .pop()
        .ok_or_else(|| no_function("function_get").into())
}

/// See [`Store::function_list`](lambda_core::Store::function_list).
pub(super) async fn list(reader: &SqlitePool, request: ListFunctions) -> Attempt<Page<Function>> {
    let before = match request.after()? {
        Some(FunctionCursor(id)) => *id.as_bytes(),
        // No UUID of version 7 sorts behind this.
        None => [0xff; 16],
    };
    let rows = sqlx::query(function_row::PAGE)
        .bind(request.namespace.as_str())
        .bind(&before[..])
        // One more than asked for tells whether there is another page.
        .bind(i64::from(request.limit) + 1)
        .fetch_all(reader)
        .await?;
    let items = function_row::functions(&request.namespace, &rows)?;
    Ok(Page::of(items, request.limit, FunctionCursor::after))
}

/// See [`Store::function_update`](lambda_core::Store::function_update).
pub(super) async fn update(writer: &SqlitePool, request: UpdateFunction) -> Attempt<Function> {
    const OPERATION: &str = "function_update";
    let mut transaction = begin_write(writer).await?;
    let row = sqlx::query(
        "SELECT f.created_at_us, f.last_version, v.revision \
         FROM function f \
         JOIN alias a ON a.function_id = f.id AND a.name = 'current' \
         JOIN function_version v ON v.function_id = f.id AND v.version = a.version \
         WHERE f.namespace = ?1 AND f.id = ?2",
    )
    .bind(request.namespace.as_str())
    .bind(&request.id.as_bytes()[..])
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| no_function(OPERATION))?;
    if RevisionId::from_bytes(value::bytes(&row, "revision")?) != request.expected {
        return Err(Error::new(
            ErrorKind::PreconditionFailed,
            OPERATION,
            "The function has changed since it was read.",
        )
        .hint("Read the function again, then repeat the change.")
        .into());
    }
    let mut function = Function::first_version(
        request.namespace,
        request.id,
        request.name,
        cut_to_microsecond(request.config),
        request.code,
        value::timestamp(&row, "created_at_us")?,
    );
    let last_version: u32 = value::unsigned(&row, "last_version")?;
    function.version = last_version + 1;
    function.updated_at = value::now();
    insert_version(&mut transaction, OPERATION, &function).await?;
    sqlx::query("UPDATE function SET name = ?2, last_version = ?3 WHERE id = ?1")
        .bind(&function.id.as_bytes()[..])
        .bind(function.name.as_str())
        .bind(function.version)
        .execute(&mut *transaction)
        .await
        .map_err(|error| name_taken(OPERATION, error))?;
    sqlx::query("UPDATE alias SET version = ?2 WHERE function_id = ?1 AND name = 'current'")
        .bind(&function.id.as_bytes()[..])
        .bind(function.version)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(function)
}

/// See [`Store::function_delete`](lambda_core::Store::function_delete).
pub(super) async fn delete(
    writer: &SqlitePool,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<()> {
    let mut transaction = begin_write(writer).await?;
    let packages =
        sqlx::query("SELECT DISTINCT sha256 FROM version_package WHERE function_id = ?1")
            .bind(&id.as_bytes()[..])
            .fetch_all(&mut *transaction)
            .await?;
    let deleted = sqlx::query("DELETE FROM function WHERE namespace = ?1 AND id = ?2")
        .bind(namespace.as_str())
        .bind(&id.as_bytes()[..])
        .execute(&mut *transaction)
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(no_function("function_delete").into());
    }
    for row in packages {
        package::release(&mut transaction, row.try_get("sha256")?).await?;
    }
    transaction.commit().await?;
    package::sweep(writer).await;
    Ok(())
}

/// Adds the rows of a version, and checks that its packages are there.
async fn insert_version(
    connection: &mut SqliteConnection,
    operation: &'static str,
    function: &Function,
) -> Attempt<()> {
    let config = config::encode(&function.config).map_err(value::encode_error)?;
    sqlx::query(
        "INSERT INTO function_version (function_id, version, revision, created_at_us, config) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.version)
    .bind(&function.revision.as_bytes()[..])
    .bind(function.updated_at.as_microsecond())
    .bind(config)
    .execute(&mut *connection)
    .await?;
    for (seq, code) in (0_i64..).zip(&function.code) {
        package::reference(connection, operation, code).await?;
        insert_code(connection, operation, function, seq, code).await?;
    }
    Ok(())
}

async fn insert_code(
    connection: &mut SqliteConnection,
    operation: &'static str,
    function: &Function,
    seq: i64,
    code: &CodeRef,
) -> Attempt<()> {
    let format = function_row::format_word(code.format)
        .ok_or_else(|| Error::invalid(operation, "The store does not know this format of code."))?;
    sqlx::query(
        "INSERT INTO version_package (function_id, version, seq, sha256, format) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.version)
    .bind(seq)
    .bind(&code.digest.as_bytes()[..])
    .bind(format)
    .execute(connection)
    .await?;
    Ok(())
}

fn cut_to_microsecond(mut config: FunctionConfig) -> FunctionConfig {
    let finer = u64::from(config.timeout.subsec_nanos() % 1_000);
    config.timeout -= std::time::Duration::from_nanos(finer);
    config
}

fn no_function(operation: &'static str) -> Error {
    not_found(
        operation,
        "The function, or this version of it, does not exist.",
    )
    .hint("List the functions to see which there are.")
}

fn name_taken(operation: &'static str, error: sqlx::Error) -> Failure {
    if !is_taken(&error) {
        return error.into();
    }
    Error::new(
        ErrorKind::Conflict,
        operation,
        "There is a function with this name.",
    )
    .hint("Choose another name, or update the function that has it.")
    .into()
}
