//! Access tokens.

use super::Platform;
use crate::error::{Error, Result};
use crate::model::limits::TOKEN_NAME_CHARS_MAX;
use crate::model::{Scope, Token, TokenDigest, TokenId};

impl Platform {
    /// Makes a token and returns its secret, which is kept nowhere. The name is for people, and
    /// need not be free.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is empty or too long, or there is no scope;
    /// `StoreUnavailable`.
    pub async fn token_create(
        &self,
        name: &str,
        mut scopes: Vec<Scope>,
    ) -> Result<(Token, String)> {
        let length = name.chars().count();
        if !(1..=TOKEN_NAME_CHARS_MAX).contains(&length) || name.contains(char::is_control) {
            return Err(Error::invalid(
                "token_create",
                format!(
                    "A token's `name` has 1 to {TOKEN_NAME_CHARS_MAX} characters, and none that \
                     controls a terminal."
                ),
            )
            .hint("Name what the token is for, for example `dashboard`."));
        }
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(
                Error::invalid("token_create", "A token without `scopes` allows nothing.").hint(
                    format!(
                        "Give it one or several of {}.",
                        Scope::ALL.map(Scope::as_str).join(", ")
                    ),
                ),
            );
        }
        let secret = Token::new_secret();
        let token = Token {
            id: TokenId::new(),
            name: name.to_owned(),
            digest: TokenDigest::of(&secret),
            scopes,
            created_at: jiff::Timestamp::now(),
        };
        self.inner.store.token_create(token.clone()).await?;
        Ok((token, secret))
    }

    /// The token with this digest, if there is one.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>> {
        self.inner.store.token_find(digest).await
    }

    /// All tokens, oldest first.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn token_list(&self) -> Result<Vec<Token>> {
        self.inner.store.token_list().await
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// `NotFound`, `StoreUnavailable`.
    pub async fn token_delete(&self, id: TokenId) -> Result<()> {
        self.inner.store.token_delete(id).await
    }
}
