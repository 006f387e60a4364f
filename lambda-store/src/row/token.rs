//! Access tokens.

use lambda_core::model::{Scope, Token, TokenDigest, TokenId};

use super::value::{id, timestamp};

/// A row of `token`.
#[derive(sqlx::FromRow)]
pub(crate) struct TokenRow {
    id: Vec<u8>,
    name: String,
    sha256: Vec<u8>,
    scopes: String,
    created_at_us: i64,
}

impl TokenRow {
    /// The token.
    pub(crate) fn token(self) -> sqlx::Result<Token> {
        Ok(Token {
            id: TokenId::from_bytes(id(&self.id)?),
            name: self.name,
            digest: TokenDigest::from_bytes(id(&self.sha256)?),
            // A scope of a newer program allows nothing here, so it can be left out.
            scopes: self
                .scopes
                .split(' ')
                .filter_map(Scope::from_word)
                .collect(),
            created_at: timestamp(self.created_at_us)?,
        })
    }
}

/// `token.scopes`: words, each followed by a space but for the last.
pub(crate) fn scope_words(scopes: &[Scope]) -> String {
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    words.join(" ")
}
