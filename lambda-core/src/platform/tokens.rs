//! Access tokens.

use super::Platform;
use crate::error::Result;
use crate::model::{Scope, Token, TokenDigest, TokenId};

impl Platform {
    /// Makes a token and returns its secret, which is kept nowhere. The name is for people, and
    /// need not be free.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is empty or too long, or there is no scope;
    /// `StoreUnavailable`.
    pub async fn token_create(&self, name: &str, scopes: Vec<Scope>) -> Result<(Token, String)> {
        let (token, secret) = Token::create(name, scopes)?;
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
