//! Access tokens: who may do what. Only digests of secrets are ever kept.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::TokenId;
use super::limits::TOKEN_NAME_CHARS_MAX;
use crate::error::{Error, Result};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// List and read functions.
    #[serde(rename = "functions:read")]
    FunctionsRead,
    /// Create, change and delete functions.
    #[serde(rename = "functions:write")]
    FunctionsWrite,
    /// Execute functions.
    #[serde(rename = "invoke")]
    Invoke,
    /// Read records and summaries of invocations.
    #[serde(rename = "metrics:read")]
    MetricsRead,
    /// Everything.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::FunctionsRead,
        Self::FunctionsWrite,
        Self::Invoke,
        Self::MetricsRead,
        Self::Admin,
    ];

    /// The word that stands for it in every API and store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FunctionsRead => "functions:read",
            Self::FunctionsWrite => "functions:write",
            Self::Invoke => "invoke",
            Self::MetricsRead => "metrics:read",
            Self::Admin => "admin",
        }
    }

    /// The scope that `word` stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The SHA-256 of a token's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of `secret`.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(secret.as_bytes()).into())
    }

    /// The 32 bytes, as a store keeps them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest that [`as_bytes`](Self::as_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for, for people.
    pub name: String,
    /// The digest of its secret.
    pub digest: TokenDigest,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Token {
    /// A new token, which is in no store yet, and its secret, which is kept nowhere.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is empty or too long, or there is no scope.
    pub fn create(name: &str, mut scopes: Vec<Scope>) -> Result<(Self, String)> {
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
        let secret = Self::new_secret();
        let token = Self {
            id: TokenId::new(),
            name: name.to_owned(),
            digest: TokenDigest::of(&secret),
            scopes,
            created_at: Timestamp::now(),
        };
        Ok((token, secret))
    }

    /// A new secret: 256 random bits, with a prefix by which leaked ones are found.
    #[must_use]
    pub fn new_secret() -> String {
        use std::fmt::Write as _;
        let bits: [u8; 32] = rand::random();
        bits.iter().fold("lambda_".to_owned(), |mut secret, byte| {
            // Writing into a string cannot fail.
            let _ = write!(secret, "{byte:02x}");
            secret
        })
    }

    /// Whether it allows `scope`.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes
            .iter()
            .any(|own| *own == scope || *own == Scope::Admin)
    }
}
