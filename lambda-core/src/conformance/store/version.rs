//! Versions, and updates that meet.

use std::sync::Arc;

use super::fixture::{by_id, create, expect_kind, put, version};
use crate::error::ErrorKind;
use crate::model::PackageDigest;
use crate::store::{Store, UpdateFunction};

pub(super) async fn update_appends_and_moves_current(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let mut update = UpdateFunction::of(&first);
    update.config.description = "second".to_owned();
    update.code = vec![put(&*store, "second").await];
    let second = store.function_update(update.clone()).await.expect("update");

    assert_eq!(second.version, 2);
    assert_eq!(second.id, first.id);
    assert_ne!(second.revision, first.revision);
    assert_eq!(second.created_at, first.created_at);
    assert!(second.updated_at >= first.updated_at);
    assert_eq!(second.config, update.config);
    assert_eq!(second.code, update.code);
    let current = store.function_get(&by_id(first.id)).await.expect("get");
    assert_eq!(current, second);
}

pub(super) async fn versions_never_change(store: Arc<dyn Store>) {
    let mut versions = vec![create(&*store, "a").await];
    for number in 2..=5_usize {
        let mut update = UpdateFunction::of(&versions[number - 2]);
        update.config.description = format!("version {number}");
        update
            .code
            .push(put(&*store, format!("part {number}")).await);
        versions.push(store.function_update(update).await.expect("update"));
    }
    let id = versions[0].id;
    for (number, expected) in (1..).zip(&versions) {
        let found = store.function_get(&version(by_id(id), number)).await;
        assert_eq!(&found.expect("get"), expected);
    }
    for number in [0, 6, u32::MAX] {
        let found = store.function_get(&version(by_id(id), number)).await;
        expect_kind(found, ErrorKind::NotFound, "a version that is not there");
    }
}

pub(super) async fn stale_revision_is_refused(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let second = store.function_update(UpdateFunction::of(&first)).await;
    let second = second.expect("update");
    let stale = store.function_update(UpdateFunction::of(&first)).await;
    expect_kind(stale, ErrorKind::PreconditionFailed, "a stale revision");
    let old = store.function_get(&version(by_id(first.id), 1)).await;
    let stale = UpdateFunction::of(&old.expect("get"));
    let stale = store.function_update(stale).await;
    expect_kind(stale, ErrorKind::PreconditionFailed, "an old version's");
    let current = store.function_get(&by_id(first.id)).await.expect("get");
    assert_eq!(current, second, "the refused updates changed nothing");
}

pub(super) async fn refused_update_changes_nothing(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let mut update = UpdateFunction::of(&first);
    update.code[0].digest = PackageDigest::of(b"never put");
    let updated = store.function_update(update).await;
    expect_kind(updated, ErrorKind::NotFound, "a missing package");
    let current = store.function_get(&by_id(first.id)).await.expect("get");
    assert_eq!(current, first);
    let found = store.function_get(&version(by_id(first.id), 2)).await;
    expect_kind(found, ErrorKind::NotFound, "version 2");

    let second = store.function_update(UpdateFunction::of(&first)).await;
    assert_eq!(second.expect("update").version, 2);
}

/// Each adds one to a number that it read: a lost update would show in the sum.
pub(super) async fn concurrent_updaters_lose_nothing(store: Arc<dyn Store>) {
    const UPDATERS: u32 = 64;
    let function = create(&*store, "counter").await;
    let mut update = UpdateFunction::of(&function);
    update.config.description = "0".to_owned();
    let id = store.function_update(update).await.expect("update").id;

    let mut updaters = Vec::new();
    for _ in 0..UPDATERS {
        let store = Arc::clone(&store);
        updaters.push(tokio::spawn(async move {
            loop {
                let function = store.function_get(&by_id(id)).await.expect("get");
                let count: u32 = function.config.description.parse().expect("a number");
                let mut update = UpdateFunction::of(&function);
                update.config.description = (count + 1).to_string();
                match store.function_update(update).await {
                    Ok(function) => return function.version,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}");
                    }
                }
            }
        }));
    }
    let mut versions = Vec::new();
    for updater in updaters {
        versions.push(updater.await.expect("no panic"));
    }
    versions.sort_unstable();
    let expected: Vec<_> = (3..UPDATERS + 3).collect();
    assert_eq!(versions, expected, "each updater has a version of its own");
    for number in 2..UPDATERS + 3 {
        let found = store.function_get(&version(by_id(id), number)).await;
        let count = found.expect("get").config.description;
        assert_eq!(count, (number - 2).to_string());
    }
    let current = store.function_get(&by_id(id)).await.expect("get");
    assert_eq!(current.version, UPDATERS + 2);
}
