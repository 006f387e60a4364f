//! Access tokens.

use lambda_core::model::{Token, TokenDigest, TokenId};
use lambda_core::store::refusal::{no_token, token_taken};
use sqlx::MySqlPool;

use super::error::{Attempt, is_taken};
use super::session::{Session, bounded};
use crate::row::{TokenRow, scope_words};

/// See [`Store::token_create`](lambda_core::Store::token_create).
pub(super) async fn create(pool: &MySqlPool, token: &Token) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let insert = sqlx::query(
        "INSERT INTO token (id, name, sha256, scopes, created_at_us) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&token.id.as_bytes()[..])
    .bind(&*token.name)
    .bind(&token.digest.as_bytes()[..])
    .bind(scope_words(&token.scopes))
    .bind(token.created_at.as_microsecond());
    let outcome = match bounded(insert.execute(&mut *session)).await {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(token_taken("token_create").into()),
        Err(error) => Err(error.into()),
    };
    session.finish(outcome).await
}

/// See [`Store::token_find`](lambda_core::Store::token_find).
pub(super) async fn find(pool: &MySqlPool, digest: TokenDigest) -> Attempt<Option<Token>> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(
        "SELECT id, name, sha256, scopes, created_at_us FROM token WHERE sha256 = ?",
    )
    .bind(&digest.as_bytes()[..]);
    let row = bounded(query.fetch_optional(&mut *session)).await;
    let row: Option<TokenRow> = session.read(row)?;
    Ok(row.map(TokenRow::token).transpose()?)
}

/// See [`Store::token_list`](lambda_core::Store::token_list).
pub(super) async fn list(pool: &MySqlPool) -> Attempt<Vec<Token>> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(
        "SELECT id, name, sha256, scopes, created_at_us FROM token ORDER BY created_at_us, id",
    );
    let rows = bounded(query.fetch_all(&mut *session)).await;
    let rows: Vec<TokenRow> = session.read(rows)?;
    Ok(rows
        .into_iter()
        .map(TokenRow::token)
        .collect::<sqlx::Result<_>>()?)
}

/// See [`Store::token_delete`](lambda_core::Store::token_delete).
pub(super) async fn delete(pool: &MySqlPool, id: TokenId) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let delete = sqlx::query("DELETE FROM token WHERE id = ?").bind(&id.as_bytes()[..]);
    let outcome = match bounded(delete.execute(&mut *session)).await {
        Ok(done) if done.rows_affected() == 0 => Err(no_token("token_delete").into()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    };
    session.finish(outcome).await
}
