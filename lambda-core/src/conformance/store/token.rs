//! Access tokens.

use std::sync::Arc;

use jiff::SignedDuration;

use super::fixture::{expect_kind, time};
use crate::error::ErrorKind;
use crate::model::{Scope, Token, TokenDigest, TokenId};
use crate::store::Store;

pub(super) fn token(name: &str, secret: &str, at: i64) -> Token {
    Token {
        id: TokenId::new(),
        name: name.to_owned(),
        digest: TokenDigest::of(secret),
        scopes: vec![Scope::Invoke, Scope::FunctionsRead],
        created_at: time(at),
    }
}

pub(super) async fn found_by_digest(store: Arc<dyn Store>) {
    let one = token("one", "secret 1", 0);
    store.token_create(one.clone()).await.expect("create");
    let found = store.token_find(TokenDigest::of("secret 1")).await;
    assert_eq!(found.expect("find"), Some(one.clone()));
    for secret in ["", "secret 2", "secret 1 ", "SECRET 1"] {
        let found = store.token_find(TokenDigest::of(secret)).await;
        assert_eq!(found.expect("find"), None, "{secret:?}");
    }

    store.token_delete(one.id).await.expect("delete");
    let found = store.token_find(one.digest).await;
    assert_eq!(found.expect("find"), None);
    let again = store.token_delete(one.id).await;
    expect_kind(again, ErrorKind::NotFound, "delete again");
    store.token_create(one).await.expect("create again");
}

pub(super) async fn oldest_first(store: Arc<dyn Store>) {
    assert!(store.token_list().await.expect("list").is_empty());
    let mut tokens: Vec<_> = [5, 1, 3, 3, 0]
        .into_iter()
        .enumerate()
        .map(|(n, at)| token("t", &format!("secret {n}"), at))
        .collect();
    for token in &tokens {
        let mut finer = token.clone();
        finer.created_at += SignedDuration::from_nanos(999);
        store.token_create(finer).await.expect("create");
    }
    tokens.sort_by_key(|token| (token.created_at, token.id));
    assert_eq!(store.token_list().await.expect("list"), tokens);
}

pub(super) async fn unique(store: Arc<dyn Store>) {
    let one = token("one", "secret 1", 0);
    store.token_create(one.clone()).await.expect("create");
    let same_id = Token {
        id: one.id,
        ..token("two", "secret 2", 1)
    };
    expect_kind(
        store.token_create(same_id).await,
        ErrorKind::Conflict,
        "the same id",
    );
    expect_kind(
        store.token_create(token("two", "secret 1", 1)).await,
        ErrorKind::Conflict,
        "the same secret",
    );
    assert_eq!(store.token_list().await.expect("list"), [one]);
    let same_name = token("one", "secret 2", 1);
    store
        .token_create(same_name)
        .await
        .expect("names may repeat");
}

pub(super) async fn scopes(store: Arc<dyn Store>) {
    let mut sets: Vec<Vec<Scope>> = Scope::ALL.into_iter().map(|scope| vec![scope]).collect();
    sets.push(Vec::new());
    sets.push(Scope::ALL.to_vec());
    for (n, scopes) in sets.into_iter().enumerate() {
        let secret = format!("secret {n}");
        let created = Token {
            scopes,
            ..token("t", &secret, 0)
        };
        store.token_create(created.clone()).await.expect("create");
        let found = store.token_find(created.digest).await.expect("find");
        assert_eq!(found, Some(created));
    }
}
