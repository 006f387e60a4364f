//! Access tokens for a server on the same store.

use lambda_core::model::{Scope, Token};
use lambda_core::{Error, Result};
use napi_derive::napi;

/// A token, without its secret.
#[napi(object, object_from_js = false)]
pub struct NativeToken {
    pub id: String,
    /// What it is for, for people.
    pub name: String,
    /// Of `functions:read`, `functions:write`, `invoke`, `metrics:read` and `admin`.
    pub scopes: Vec<String>,
    /// Milliseconds since 1970.
    pub created_at: f64,
}

/// A token that was just made.
#[napi(object, object_from_js = false)]
pub struct NativeNewToken {
    pub token: NativeToken,
    /// Kept nowhere.
    pub secret: String,
}

#[allow(clippy::cast_precision_loss)] // Exact for a long time.
impl From<Token> for NativeToken {
    fn from(from: Token) -> Self {
        Self {
            id: from.id.to_string(),
            name: from.name,
            scopes: from.scopes.iter().map(ToString::to_string).collect(),
            created_at: from.created_at.as_millisecond() as f64,
        }
    }
}

pub(crate) fn scopes(words: &[String]) -> Result<Vec<Scope>> {
    let scope = |word: &String| {
        Scope::from_word(word).ok_or_else(|| {
            let known = Scope::ALL.map(Scope::as_str).join(", ");
            Error::invalid("token_create", format!("There is no scope {word:?}."))
                .hint(format!("`scopes` takes {known}."))
        })
    };
    words.iter().map(scope).collect()
}
