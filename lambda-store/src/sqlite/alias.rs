//! Changing aliases.

use lambda_core::model::limits::ALIASES_MAX;
use lambda_core::model::{Function, FunctionId, FunctionSelector, Qualifier, RevisionId};
use lambda_core::store::{DeleteAlias, SetAlias, refusal};
use sqlx::{SqliteConnection, SqlitePool};

use super::begin_write;
use super::error::{Attempt, Failure};
use super::function::head;
use super::select;

/// See [`Store::alias_set`](lambda_core::Store::alias_set).
pub(super) async fn set(writer: &SqlitePool, request: SetAlias) -> Attempt<Function> {
    const OPERATION: &str = "alias_set";
    let id = request.id.as_bytes();
    let mut transaction = begin_write(writer).await?;
    let head = head(&mut transaction, OPERATION, &request.namespace, request.id).await?;
    if let Some(expected) = request.expected {
        head.expect_revision::<Failure>(OPERATION, expected)?;
    }
    sqlx::query(
        "INSERT INTO alias (function_id, name, version) VALUES (?1, ?2, ?3) \
         ON CONFLICT (function_id, name) DO UPDATE SET version = excluded.version",
    )
    .bind(&id[..])
    .bind(request.alias.as_str())
    .bind(request.version)
    .execute(&mut *transaction)
    .await
    .map_err(|error| -> Failure {
        let database = error.as_database_error();
        match database.is_some_and(|error| error.is_foreign_key_violation()) {
            true => refusal::no_version(OPERATION).into(),
            false => error.into(),
        }
    })?;
    let aliases: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM alias WHERE function_id = ?1")
        .bind(&id[..])
        .fetch_one(&mut *transaction)
        .await?;
    if aliases > i64::from(ALIASES_MAX) {
        return Err(refusal::too_many_aliases(OPERATION).into());
    }
    renew_revision(&mut transaction, request.id).await?;
    let selector = FunctionSelector {
        qualifier: Qualifier::Alias(request.alias),
        ..FunctionSelector::current(request.namespace, request.id.into())
    };
    let function = select::get_on(&mut transaction, OPERATION, &selector).await?;
    transaction.commit().await?;
    Ok(function)
}

/// See [`Store::alias_delete`](lambda_core::Store::alias_delete).
pub(super) async fn delete(writer: &SqlitePool, request: DeleteAlias) -> Attempt<()> {
    const OPERATION: &str = "alias_delete";
    let mut transaction = begin_write(writer).await?;
    head(&mut transaction, OPERATION, &request.namespace, request.id).await?;
    if request.alias.is_current() {
        return Err(refusal::current_stays(OPERATION).into());
    }
    let deleted = sqlx::query("DELETE FROM alias WHERE function_id = ?1 AND name = ?2")
        .bind(&request.id.as_bytes()[..])
        .bind(request.alias.as_str())
        .execute(&mut *transaction)
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(refusal::no_alias(OPERATION).into());
    }
    renew_revision(&mut transaction, request.id).await?;
    transaction.commit().await?;
    Ok(())
}

async fn renew_revision(connection: &mut SqliteConnection, id: FunctionId) -> sqlx::Result<()> {
    sqlx::query("UPDATE function SET revision = ?2 WHERE id = ?1")
        .bind(&id.as_bytes()[..])
        .bind(&RevisionId::new().as_bytes()[..])
        .execute(connection)
        .await?;
    Ok(())
}
