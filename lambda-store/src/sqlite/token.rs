//! Access tokens.

use lambda_core::model::{Token, TokenDigest, TokenId};
use lambda_core::store::refusal;
use sqlx::SqlitePool;

use super::error::{Attempt, Failure, is_taken};
use crate::row::{self, TokenRow};

/// See [`Store::token_create`](lambda_core::Store::token_create).
pub(super) async fn create(writer: &SqlitePool, token: Token) -> Attempt<()> {
    sqlx::query(
        "INSERT INTO token (id, name, sha256, scopes, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&token.id.as_bytes()[..])
    .bind(token.name)
    .bind(&token.digest.as_bytes()[..])
    .bind(row::scope_words(&token.scopes))
    .bind(token.created_at.as_microsecond())
    .execute(writer)
    .await
    .map_err(|error| -> Failure {
        match is_taken(&error) {
            true => refusal::token_taken("token_create").into(),
            false => error.into(),
        }
    })?;
    Ok(())
}

/// See [`Store::token_find`](lambda_core::Store::token_find).
pub(super) async fn find(reader: &SqlitePool, digest: TokenDigest) -> Attempt<Option<Token>> {
    let row: Option<TokenRow> = sqlx::query_as("SELECT * FROM token WHERE sha256 = ?1")
        .bind(&digest.as_bytes()[..])
        .fetch_optional(reader)
        .await?;
    Ok(row.map(TokenRow::token).transpose()?)
}

/// See [`Store::token_list`](lambda_core::Store::token_list).
pub(super) async fn list(reader: &SqlitePool) -> Attempt<Vec<Token>> {
    let rows: Vec<TokenRow> = sqlx::query_as("SELECT * FROM token ORDER BY created_at_us, id")
        .fetch_all(reader)
        .await?;
    let tokens = rows.into_iter().map(TokenRow::token);
    Ok(tokens.collect::<sqlx::Result<_>>()?)
}

/// See [`Store::token_delete`](lambda_core::Store::token_delete).
pub(super) async fn delete(writer: &SqlitePool, id: TokenId) -> Attempt<()> {
    let deleted = sqlx::query("DELETE FROM token WHERE id = ?1")
        .bind(&id.as_bytes()[..])
        .execute(writer)
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(refusal::no_token("token_delete").into());
    }
    Ok(())
}
