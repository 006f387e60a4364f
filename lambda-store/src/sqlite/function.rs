//! Changing functions.

use lambda_core::Error;
use lambda_core::model::{CodeRef, Function, FunctionId, Namespace};
use lambda_core::store::{CreateFunction, UpdateFunction, refusal};
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::error::{Attempt, Failure, is_taken};
use super::{begin_write, package, sweep};
use crate::row::{self, HeadRow};

/// See [`Store::function_create`](lambda_core::Store::function_create).
pub(super) async fn create(writer: &SqlitePool, request: CreateFunction) -> Attempt<Function> {
    const OPERATION: &str = "function_create";
    let mut transaction = begin_write(writer).await?;
    // Made under the write lock, so that ids have the order of the commits.
    let function = Function::first_version(
        request.namespace,
        FunctionId::new(),
        request.name,
        row::cut_to_microsecond(request.config),
        request.code,
        row::now(),
    );
    sqlx::query(
        "INSERT INTO function (id, namespace, name, last_version, created_at_us, revision) \
         VALUES (?1, ?2, ?3, 1, ?4, ?5)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.namespace.as_str())
    .bind(function.name.as_str())
    .bind(function.created_at.as_microsecond())
    .bind(&function.revision.as_bytes()[..])
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

/// See [`Store::function_update`](lambda_core::Store::function_update).
pub(super) async fn update(writer: &SqlitePool, request: UpdateFunction) -> Attempt<Function> {
    const OPERATION: &str = "function_update";
    let mut transaction = begin_write(writer).await?;
    let head = head(&mut transaction, OPERATION, &request.namespace, request.id).await?;
    head.expect_revision::<Failure>(OPERATION, request.expected)?;
    let mut function = Function::first_version(
        request.namespace,
        request.id,
        request.name,
        row::cut_to_microsecond(request.config),
        request.code,
        head.created_at()?,
    );
    function.version = head.next_version()?;
    function.updated_at = row::now();
    insert_version(&mut transaction, OPERATION, &function).await?;
    sqlx::query("UPDATE function SET name = ?2, last_version = ?3, revision = ?4 WHERE id = ?1")
        .bind(&function.id.as_bytes()[..])
        .bind(function.name.as_str())
        .bind(function.version)
        .bind(&function.revision.as_bytes()[..])
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
        return Err(refusal::no_function("function_delete").into());
    }
    for row in packages {
        package::release(&mut transaction, row.try_get("sha256")?).await?;
    }
    transaction.commit().await?;
    sweep::run(writer).await;
    Ok(())
}

/// What every change of a function begins with. In a write transaction, so that it stays so.
pub(super) async fn head(
    connection: &mut SqliteConnection,
    operation: &'static str,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<HeadRow> {
    let head = sqlx::query_as(
        "SELECT revision, last_version, created_at_us FROM function \
         WHERE namespace = ?1 AND id = ?2",
    )
    .bind(namespace.as_str())
    .bind(&id.as_bytes()[..])
    .fetch_optional(connection)
    .await?;
    Ok(head.ok_or_else(|| refusal::no_function(operation))?)
}

/// Adds the rows of a version, and checks that its packages are there.
async fn insert_version(
    connection: &mut SqliteConnection,
    operation: &'static str,
    function: &Function,
) -> Attempt<()> {
    let config = row::encode_config(&function.config).map_err(row::encode_error)?;
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
    let format = row::format_word(code.format)
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

fn name_taken(operation: &'static str, error: sqlx::Error) -> Failure {
    match is_taken(&error) {
        true => refusal::name_taken(operation).into(),
        false => error.into(),
    }
}
