//! Access tokens.

use lambda_core::model::{Scope, Token, TokenDigest, TokenId};
use lambda_core::{Error, ErrorKind};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::error::{Attempt, Failure, is_taken, not_found};
use super::value;

/// See [`Store::token_create`](lambda_core::Store::token_create).
pub(super) async fn create(writer: &SqlitePool, token: Token) -> Attempt<()> {
    let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "INSERT INTO token (id, name, sha256, scopes, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&token.id.as_bytes()[..])
    .bind(token.name)
    .bind(&token.digest.as_bytes()[..])
    .bind(scopes.join(" "))
    .bind(token.created_at.as_microsecond())
    .execute(writer)
    .await
    .map_err(|error| -> Failure {
        if !is_taken(&error) {
            return error.into();
        }
        Error::new(
            ErrorKind::Conflict,
            "token_create",
            "There is a token with this id or secret.",
        )
        .hint("Make a new token.")
        .into()
    })?;
    Ok(())
}

/// See [`Store::token_find`](lambda_core::Store::token_find).
pub(super) async fn find(reader: &SqlitePool, digest: TokenDigest) -> Attempt<Option<Token>> {
    let row = sqlx::query("SELECT * FROM token WHERE sha256 = ?1")
        .bind(&digest.as_bytes()[..])
        .fetch_optional(reader)
        .await?;
    Ok(row.as_ref().map(token).transpose()?)
}

/// See [`Store::token_list`](lambda_core::Store::token_list).
pub(super) async fn list(reader: &SqlitePool) -> Attempt<Vec<Token>> {
    let rows = sqlx::query("SELECT * FROM token ORDER BY created_at_us, id")
        .fetch_all(reader)
        .await?;
    Ok(rows.iter().map(token).collect::<sqlx::Result<_>>()?)
}

/// See [`Store::token_delete`](lambda_core::Store::token_delete).
pub(super) async fn delete(writer: &SqlitePool, id: TokenId) -> Attempt<()> {
    let deleted = sqlx::query("DELETE FROM token WHERE id = ?1")
        .bind(&id.as_bytes()[..])
        .execute(writer)
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(not_found("token_delete", "There is no token with this id.").into());
    }
    Ok(())
}

fn token(row: &SqliteRow) -> sqlx::Result<Token> {
    let scopes: &str = row.try_get("scopes")?;
    Ok(Token {
        id: TokenId::from_bytes(value::bytes(row, "id")?),
        name: row.try_get("name")?,
        digest: TokenDigest::from_bytes(value::bytes(row, "sha256")?),
        // A scope of a newer program allows nothing here, so it can be left out.
        scopes: scopes.split(' ').filter_map(Scope::from_word).collect(),
        created_at: value::timestamp(row, "created_at_us")?,
    })
}
