//! Changing functions. Each change locks the function's row first, so that changes of one
//! function take turns, and its revision is compared under that lock.

use lambda_core::Error;
use lambda_core::model::{CodeRef, Function, FunctionId, Namespace};
use lambda_core::store::refusal::{name_taken, no_function};
use lambda_core::store::{CreateFunction, UpdateFunction};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure, is_taken};
use super::session::{Session, bounded};
use super::sweep;
use crate::row::{HeadRow, cut_to_microsecond, encode_config, encode_error, format_word, now};

/// See [`Store::function_create`](lambda_core::Store::function_create).
pub(super) async fn create(pool: &MySqlPool, request: &CreateFunction) -> Attempt<Function> {
    let mut session = Session::begin(pool).await?;
    let outcome = create_in(&mut session, request).await;
    session.finish(outcome).await
}

async fn create_in(
    connection: &mut MySqlConnection,
    request: &CreateFunction,
) -> Attempt<Function> {
    const OPERATION: &str = "function_create";
    let function = Function::first_version(
        request.namespace.clone(),
        FunctionId::new(),
        request.name.clone(),
        cut_to_microsecond(request.config.clone()),
        request.code.clone(),
        now(),
    );
    let insert = sqlx::query(
        "INSERT INTO `function` (id, namespace, name, last_version, created_at_us, revision) \
         VALUES (?, ?, ?, 1, ?, ?)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.namespace.as_str())
    .bind(function.name.as_str())
    .bind(function.created_at.as_microsecond())
    .bind(&function.revision.as_bytes()[..]);
    bounded(insert.execute(&mut *connection))
        .await
        .map_err(|error| taken(OPERATION, error))?;
    insert_version(connection, OPERATION, &function).await?;
    let point =
        sqlx::query("INSERT INTO alias (function_id, name, version) VALUES (?, 'current', 1)")
            .bind(&function.id.as_bytes()[..]);
    bounded(point.execute(connection)).await?;
    Ok(function)
}

/// See [`Store::function_update`](lambda_core::Store::function_update).
pub(super) async fn update(pool: &MySqlPool, request: &UpdateFunction) -> Attempt<Function> {
    let mut session = Session::begin(pool).await?;
    let outcome = update_in(&mut session, request).await;
    session.finish(outcome).await
}

async fn update_in(
    connection: &mut MySqlConnection,
    request: &UpdateFunction,
) -> Attempt<Function> {
    const OPERATION: &str = "function_update";
    let head = lock_head(connection, OPERATION, &request.namespace, request.id).await?;
    head.expect_revision::<Failure>(OPERATION, request.expected)?;
    let mut function = Function::first_version(
        request.namespace.clone(),
        request.id,
        request.name.clone(),
        cut_to_microsecond(request.config.clone()),
        request.code.clone(),
        head.created_at()?,
    );
    function.version = head.next_version()?;
    function.updated_at = now();
    let change =
        sqlx::query("UPDATE `function` SET name = ?, last_version = ?, revision = ? WHERE id = ?")
            .bind(function.name.as_str())
            .bind(function.version)
            .bind(&function.revision.as_bytes()[..])
            .bind(&function.id.as_bytes()[..]);
    bounded(change.execute(&mut *connection))
        .await
        .map_err(|error| taken(OPERATION, error))?;
    insert_version(connection, OPERATION, &function).await?;
    let point =
        sqlx::query("UPDATE alias SET version = ? WHERE function_id = ? AND name = 'current'")
            .bind(function.version)
            .bind(&function.id.as_bytes()[..]);
    bounded(point.execute(connection)).await?;
    Ok(function)
}

/// See [`Store::function_delete`](lambda_core::Store::function_delete).
pub(super) async fn delete(pool: &MySqlPool, namespace: &Namespace, id: FunctionId) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let outcome = delete_in(&mut session, namespace, id).await;
    session.finish(outcome).await
}

async fn delete_in(
    connection: &mut MySqlConnection,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<()> {
    lock_head(connection, "function_delete", namespace, id).await?;
    let packages: Vec<Vec<u8>> = bounded(
        sqlx::query_scalar(
            "SELECT DISTINCT sha256 FROM version_package WHERE function_id = ? ORDER BY sha256",
        )
        .bind(&id.as_bytes()[..])
        .fetch_all(&mut *connection),
    )
    .await?;
    let delete = sqlx::query("DELETE FROM `function` WHERE id = ?").bind(&id.as_bytes()[..]);
    bounded(delete.execute(&mut *connection)).await?;
    for sha256 in packages {
        sweep::release(connection, &sha256).await?;
    }
    Ok(())
}

/// Reads the function's row and locks it.
pub(super) async fn lock_head(
    connection: &mut MySqlConnection,
    operation: &'static str,
    namespace: &Namespace,
    id: FunctionId,
) -> Attempt<HeadRow> {
    let head = sqlx::query_as(
        "SELECT revision, last_version, created_at_us FROM `function` \
         WHERE id = ? AND namespace = ? FOR UPDATE",
    )
    .bind(&id.as_bytes()[..])
    .bind(namespace.as_str())
    .fetch_optional(connection);
    bounded(head)
        .await?
        .ok_or_else(|| no_function(operation).into())
}

/// Adds the rows of a version, and checks that its packages are there.
async fn insert_version(
    connection: &mut MySqlConnection,
    operation: &'static str,
    function: &Function,
) -> Attempt<()> {
    let config = encode_config(&function.config).map_err(encode_error)?;
    let insert = sqlx::query(
        "INSERT INTO function_version (function_id, version, revision, created_at_us, config) \
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.version)
    .bind(&function.revision.as_bytes()[..])
    .bind(function.updated_at.as_microsecond())
    .bind(config);
    bounded(insert.execute(&mut *connection)).await?;
    for (seq, code) in (0_i64..).zip(&function.code) {
        sweep::reference(connection, operation, code).await?;
        insert_code(connection, operation, function, seq, code).await?;
    }
    Ok(())
}

async fn insert_code(
    connection: &mut MySqlConnection,
    operation: &'static str,
    function: &Function,
    seq: i64,
    code: &CodeRef,
) -> Attempt<()> {
    let format = format_word(code.format)
        .ok_or_else(|| Error::invalid(operation, "The store does not know this format of code."))?;
    let insert = sqlx::query(
        "INSERT INTO version_package (function_id, version, seq, sha256, format) \
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&function.id.as_bytes()[..])
    .bind(function.version)
    .bind(seq)
    .bind(&code.digest.as_bytes()[..])
    .bind(format);
    bounded(insert.execute(connection)).await?;
    Ok(())
}

fn taken(operation: &'static str, error: sqlx::Error) -> Failure {
    match is_taken(&error) {
        true => name_taken(operation).into(),
        false => error.into(),
    }
}
