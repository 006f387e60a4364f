//! What the store said of a token, for a second: few invocations wait for a database.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use lambda_core::model::{Scope, TokenDigest};
use tokio::time::Instant;

/// How long a token that another process revoked may still be taken for valid. One that is
/// revoked through this server is refused at once.
const TTL: Duration = Duration::from_secs(1);

/// Bound on the entries, which anybody can cause by sending wrong tokens.
const ENTRIES_MAX: usize = 1_024;

/// Tokens that were looked up lately, and what they allow; none: nobody's.
#[derive(Default)]
pub(crate) struct TokenCache {
    entries: Mutex<HashMap<TokenDigest, Entry>>,
}

struct Entry {
    scopes: Option<Vec<Scope>>,
    until: Instant,
}

impl TokenCache {
    /// What is known of a token: outer none, nothing.
    pub(crate) fn get(&self, digest: TokenDigest) -> Option<Option<Vec<Scope>>> {
        let entries = self.lock();
        let entry = entries.get(&digest)?;
        (entry.until > Instant::now()).then(|| entry.scopes.clone())
    }

    pub(crate) fn put(&self, digest: TokenDigest, scopes: Option<Vec<Scope>>) {
        let now = Instant::now();
        let mut entries = self.lock();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, entry| entry.until > now && entry.scopes.is_some());
        }
        if entries.len() < ENTRIES_MAX {
            let until = now + TTL;
            entries.insert(digest, Entry { scopes, until });
        }
    }

    /// Forgets everything: a token was revoked.
    pub(crate) fn clear(&self) {
        let mut entries = self.lock();
        entries.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TokenDigest, Entry>> {
        // A panic while it was held leaves a whole map: nothing in here is done by halves.
        self.entries
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_known_expires() {
        let cache = TokenCache::default();
        let digest = TokenDigest::of("a");
        assert_eq!(cache.get(digest), None);
        cache.put(digest, Some(vec![Scope::Invoke]));
        assert_eq!(cache.get(digest), Some(Some(vec![Scope::Invoke])));
        tokio::time::advance(TTL).await;
        assert_eq!(cache.get(digest), None);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_do_not_drive_out_right_ones() {
        let cache = TokenCache::default();
        let right = TokenDigest::of("right");
        cache.put(right, Some(vec![Scope::Admin]));
        for n in 0..3 * ENTRIES_MAX {
            cache.put(TokenDigest::of(&n.to_string()), None);
        }
        assert!(cache.lock().len() <= ENTRIES_MAX);
        assert!(cache.get(right).is_some());
    }
}
