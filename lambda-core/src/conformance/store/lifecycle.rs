//! Closing, dropped futures, and what `Debug` shows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{
    alias, all_functions, append, by_id, by_name, create, creation, every_record, expect_kind,
    record, set, time,
};
use super::token::token;
use crate::error::ErrorKind;
use crate::model::{FunctionId, Namespace, PackageDigest, RequestId, TokenDigest, TokenId};
use crate::store::{
    DeleteAlias, ExpireInvocations, Expiring, ListFunctions, ListInvocations, ListVersions,
    PutPackage, Store, SummarizeInvocations, UpdateFunction,
};

pub(super) async fn check_passes(store: Arc<dyn Store>) {
    store.check().await.expect("a new store");
    create(&*store, "a").await;
    store.check().await.expect("a store that was written to");
}

pub(super) async fn closed_store_refuses(store: Arc<dyn Store>) {
    const CLOSED: ErrorKind = ErrorKind::StoreUnavailable;
    let function = create(&*store, "a").await;
    let create = creation(&*store, "b").await;
    let default = Namespace::default();
    store.close().await;

    let put = PutPackage::new(Bytes::from_static(b"x"));
    let digest = put.digest;
    expect_kind(store.package_put(put).await, CLOSED, "package_put");
    expect_kind(store.package_get(digest).await, CLOSED, "package_get");
    expect_kind(
        store.function_create(create).await,
        CLOSED,
        "function_create",
    );
    let get = by_id(function.id);
    expect_kind(store.function_get(&get).await, CLOSED, "function_get");
    let list = ListFunctions::first(default.clone(), 1);
    expect_kind(store.function_list(list).await, CLOSED, "function_list");
    let update = UpdateFunction::of(&function);
    expect_kind(
        store.function_update(update).await,
        CLOSED,
        "function_update",
    );
    let delete = store.function_delete(&default, function.id).await;
    expect_kind(delete, CLOSED, "function_delete");
    let list = ListVersions::first(default.clone(), function.id, 1);
    expect_kind(store.version_list(list).await, CLOSED, "version_list");
    let set = store.alias_set(set(function.id, "stable", 1)).await;
    expect_kind(set, CLOSED, "alias_set");
    let list = store.alias_list(&default, function.id).await;
    expect_kind(list, CLOSED, "alias_list");
    let delete = DeleteAlias::new(default.clone(), function.id, alias("stable"));
    expect_kind(store.alias_delete(delete).await, CLOSED, "alias_delete");
    let append = append(&*store, &[record(function.id, 0)]).await;
    expect_kind(append, CLOSED, "invocation_append");
    let get = store.invocation_get(&default, RequestId::new()).await;
    expect_kind(get, CLOSED, "invocation_get");
    let expire = ExpireInvocations::new(default.clone(), Expiring::Outputs, time(0), 1);
    let expire = store.invocation_expire(expire).await;
    expect_kind(expire, CLOSED, "invocation_expire");
    let list = ListInvocations::first(default.clone(), 1);
    expect_kind(store.invocation_list(list).await, CLOSED, "invocation_list");
    let summary = store
        .invocation_summary(SummarizeInvocations::all(default.clone()))
        .await;
    expect_kind(summary, CLOSED, "invocation_summary");
    let create = store.token_create(token("t", "secret", 0)).await;
    expect_kind(create, CLOSED, "token_create");
    let find = store.token_find(TokenDigest::of("secret")).await;
    expect_kind(find, CLOSED, "token_find");
    expect_kind(store.token_list().await, CLOSED, "token_list");
    expect_kind(
        store.token_delete(TokenId::new()).await,
        CLOSED,
        "token_delete",
    );
    expect_kind(store.check().await, CLOSED, "check");
    store.close().await;
}

/// What runs when a store is closed is done or is refused as a whole.
pub(super) async fn close_during_work(store: Arc<dyn Store>) {
    let mut working = Vec::new();
    for n in 0..16 {
        let store = Arc::clone(&store);
        working.push(tokio::spawn(async move {
            let id = FunctionId::new();
            for at in 0..1_000 {
                if let Err(error) = append(&*store, &[record(id, at)]).await {
                    return error.kind();
                }
                if let Err(error) = store.function_get(&by_name(&format!("f{n}"))).await
                    && error.kind() != ErrorKind::NotFound
                {
                    return error.kind();
                }
            }
            ErrorKind::StoreUnavailable
        }));
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.close().await;
    for work in working {
        assert_eq!(work.await.expect("no panic"), ErrorKind::StoreUnavailable);
    }
}

/// Times from nothing to longer than a method takes.
fn patience(round: u32) -> Duration {
    Duration::from_micros(u64::from(round) * 40)
}

const ROUNDS: u32 = 60;

/// The store takes writes as before, at once.
async fn assert_works(store: &dyn Store) {
    let work = async {
        create(store, "afterwards").await;
        store.check().await.expect("check");
    };
    let done = tokio::time::timeout(Duration::from_secs(10), work).await;
    done.expect("a dropped future left something locked");
}

pub(super) async fn dropped_creations(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let name = format!("f{round}");
        let request = creation(&*store, &name).await;
        let expected = request.code.clone();
        let dropped = tokio::time::timeout(patience(round), store.function_create(request)).await;
        match store.function_get(&by_name(&name)).await {
            Ok(function) => assert_eq!(function.code, expected, "it was made in full"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
                assert!(dropped.is_err(), "it said that it was created");
            }
        }
    }
    // No half of a function shows in a listing either.
    for function in all_functions(&*store, &Namespace::default(), 7).await {
        assert_eq!(function.code.len(), 1);
    }
    assert_works(&*store).await;
}

pub(super) async fn dropped_updates(store: Arc<dyn Store>) {
    let mut current = create(&*store, "a").await;
    for round in 0..ROUNDS {
        let mut update = UpdateFunction::of(&current);
        update.config.description = format!("round {round}");
        let dropped = tokio::time::timeout(patience(round), store.function_update(update)).await;
        // A commit that was under way may still be; its end is not this case's business.
        let found = store.function_get(&by_id(current.id)).await.expect("get");
        if found.version == current.version {
            assert!(dropped.is_err(), "it said that it was updated");
            let next = store.function_update(UpdateFunction::of(&found)).await;
            match next {
                Ok(next) => current = next,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}");
                    current = store.function_get(&by_id(current.id)).await.expect("get");
                }
            }
        } else {
            assert_eq!(found.version, current.version + 1);
            assert_eq!(found.config.description, format!("round {round}"));
            current = found;
        }
    }
    assert_works(&*store).await;
}

pub(super) async fn dropped_batches(store: Arc<dyn Store>) {
    const BATCH: i64 = 150;
    let mut batches = Vec::new();
    for round in 0..ROUNDS {
        let function = FunctionId::new();
        let batch: Vec<_> = (0..BATCH).map(|at| record(function, at)).collect();
        let done = tokio::time::timeout(patience(round) * 4, append(&*store, &batch)).await;
        batches.push((function, done.is_ok()));
    }
    assert_works(&*store).await;
    let records = every_record(&*store).await;
    for (function, done) in batches {
        let kept = records.iter().filter(|r| r.function_id == function).count();
        assert!(
            kept == 150 || (kept == 0 && !done),
            "{kept} of a batch of 150 that was {}",
            if done { "appended" } else { "dropped" }
        );
    }
}

pub(super) async fn debug_shows_no_secrets(store: Arc<dyn Store>) {
    const CANARY: &str = "canary-5f1c";
    let code = format!("password = {CANARY:?}");
    let put = PutPackage::new(Bytes::from(code));
    let mut shown = format!("{put:?} {store:?}");
    let mut request = creation(&*store, "a").await;
    request
        .config
        .env
        .insert("SECRET".to_owned(), CANARY.to_owned());
    store.package_put(put).await.expect("put");
    shown += &format!("{request:?}");
    let function = store
        .function_create(request.clone())
        .await
        .expect("create");
    shown += &format!("{function:?} {:?}", UpdateFunction::of(&function));
    let token = token("t", CANARY, 0);
    shown += &format!("{token:?}");
    store.token_create(token.clone()).await.expect("create");

    // Errors, down to their sources, which go to the log.
    let conflict = store.function_create(request).await;
    shown += &format!("{:?}", conflict.expect_err("a conflict"));
    let conflict = store.token_create(token).await;
    shown += &format!("{:?}", conflict.expect_err("a conflict"));
    let missing = store
        .package_get(PackageDigest::of(CANARY.as_bytes()))
        .await;
    shown += &format!("{:?} {store:?}", missing.expect_err("not there"));
    assert!(!shown.contains(CANARY), "a secret shows: {shown}");
    let digest: String = TokenDigest::of(CANARY)
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(!shown.contains(&digest), "a token's digest shows: {shown}");
}
