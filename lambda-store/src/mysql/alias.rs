//! Pointing aliases at versions.

use lambda_core::model::Function;
use lambda_core::model::RevisionId;
use lambda_core::model::limits::ALIASES_MAX;
use lambda_core::store::refusal::{
    current_stays, no_alias, no_version, revision_changed, too_many_aliases,
};
use lambda_core::store::{DeleteAlias, SetAlias};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::Attempt;
use super::function::lock_head;
use super::function_query::{at_alias, get_in};
use super::session::{Session, bounded};

/// See [`Store::alias_set`](lambda_core::Store::alias_set).
pub(super) async fn set(pool: &MySqlPool, request: &SetAlias) -> Attempt<Function> {
    let mut session = Session::begin(pool).await?;
    let outcome = set_in(&mut session, request).await;
    session.finish(outcome).await
}

async fn set_in(connection: &mut MySqlConnection, request: &SetAlias) -> Attempt<Function> {
    const OPERATION: &str = "alias_set";
    let id = request.id;
    let head = lock_head(connection, OPERATION, &request.namespace, id).await?;
    let revision = head.revision()?;
    if request
        .expected
        .is_some_and(|expected| expected != revision)
    {
        return Err(revision_changed(OPERATION).into());
    }
    let version: Option<i64> = bounded(
        sqlx::query_scalar("SELECT 1 FROM function_version WHERE function_id = ? AND version = ?")
            .bind(&id.as_bytes()[..])
            .bind(request.version)
            .fetch_optional(&mut *connection),
    )
    .await?;
    if version.is_none() {
        return Err(no_version(OPERATION).into());
    }
    let names: Vec<String> = bounded(
        sqlx::query_scalar("SELECT name FROM alias WHERE function_id = ?")
            .bind(&id.as_bytes()[..])
            .fetch_all(&mut *connection),
    )
    .await?;
    let is_new = !names.iter().any(|name| name == request.alias.as_str());
    if is_new && names.len() >= ALIASES_MAX as usize {
        return Err(too_many_aliases(OPERATION).into());
    }
    let point = sqlx::query(
        "INSERT INTO alias (function_id, name, version) VALUES (?, ?, ?) \
         ON DUPLICATE KEY UPDATE version = VALUES(version)",
    )
    .bind(&id.as_bytes()[..])
    .bind(request.alias.as_str())
    .bind(request.version);
    bounded(point.execute(&mut *connection)).await?;
    renew(connection, id.as_bytes()).await?;
    let selector = at_alias(&request.namespace, id, &request.alias);
    get_in(connection, OPERATION, &selector).await
}

/// See [`Store::alias_delete`](lambda_core::Store::alias_delete).
pub(super) async fn delete(pool: &MySqlPool, request: &DeleteAlias) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let outcome = delete_in(&mut session, request).await;
    session.finish(outcome).await
}

async fn delete_in(connection: &mut MySqlConnection, request: &DeleteAlias) -> Attempt<()> {
    const OPERATION: &str = "alias_delete";
    lock_head(connection, OPERATION, &request.namespace, request.id).await?;
    if request.alias.is_current() {
        return Err(current_stays(OPERATION).into());
    }
    let delete = sqlx::query("DELETE FROM alias WHERE function_id = ? AND name = ?")
        .bind(&request.id.as_bytes()[..])
        .bind(request.alias.as_str());
    if bounded(delete.execute(&mut *connection))
        .await?
        .rows_affected()
        == 0
    {
        return Err(no_alias(OPERATION).into());
    }
    renew(connection, request.id.as_bytes()).await
}

/// Gives the function a new revision.
async fn renew(connection: &mut MySqlConnection, id: &[u8; 16]) -> Attempt<()> {
    let renew = sqlx::query("UPDATE `function` SET revision = ? WHERE id = ?")
        .bind(RevisionId::new().as_bytes().to_vec())
        .bind(&id[..]);
    bounded(renew.execute(connection)).await?;
    Ok(())
}
