//! Aliases, and rolling back with the one that every function has.

use std::sync::Arc;

use super::fixture::{
    alias, at_alias, by_id, by_name, create, expect_kind, namespace, set, version,
};
use crate::error::ErrorKind;
use crate::model::{Alias, AliasName, FunctionId, Namespace, limits};
use crate::store::{DeleteAlias, SetAlias, Store, UpdateFunction};

fn delete(id: FunctionId, name: &str) -> DeleteAlias {
    DeleteAlias::new(Namespace::default(), id, alias(name))
}

pub(super) async fn set_moved_and_deleted(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let second = store.function_update(UpdateFunction::of(&first)).await;
    let second = second.expect("update");
    let id = first.id;
    for expected in [&first, &second, &first] {
        let request = set(id, "stable", expected.version);
        let given = store.alias_set(request).await.expect("set");
        assert_eq!(&given, expected, "a version is what creating it returned");
        for selector in [by_id(id), by_name("a")] {
            let found = store.function_get(&at_alias(selector, "stable")).await;
            assert_eq!(&found.expect("get"), expected);
        }
        let current = store.function_get(&by_id(id)).await.expect("get");
        assert_eq!(current.version, 2, "`current` is another alias");
    }
    store
        .alias_delete(delete(id, "stable"))
        .await
        .expect("delete");
    let found = store.function_get(&at_alias(by_id(id), "stable")).await;
    expect_kind(found, ErrorKind::NotFound, "the deleted alias");
    let again = store.alias_delete(delete(id, "stable")).await;
    expect_kind(again, ErrorKind::NotFound, "delete again");
    let found = store.function_get(&version(by_id(id), 1)).await;
    assert_eq!(found.expect("its version stays"), first);
}

pub(super) async fn listed_by_name(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let function = create(&*store, "a").await;
    create(&*store, "b").await;
    let listed = store.alias_list(&default, function.id).await.expect("list");
    assert_eq!(listed, [Alias::new(AliasName::current(), 1)]);
    let names = [
        "v1", "V1", "_", "-x", "0x", "current2", "Current", "zz", "a",
    ];
    for name in names {
        store
            .alias_set(set(function.id, name, 1))
            .await
            .expect("set");
    }
    let mut expected: Vec<_> = names.into_iter().chain(["current"]).collect();
    expected.sort_unstable();
    let listed = store.alias_list(&default, function.id).await.expect("list");
    let listed: Vec<_> = listed.iter().map(|alias| alias.name.as_str()).collect();
    assert_eq!(listed, expected);
}

pub(super) async fn what_is_not_there_is_refused(store: Arc<dyn Store>) {
    let function = create(&*store, "a").await;
    let (id, other) = (function.id, namespace("other"));
    for number in [0, 2, u32::MAX] {
        let set = store.alias_set(set(id, "stable", number)).await;
        expect_kind(set, ErrorKind::NotFound, "a version that is not there");
    }
    let set = |space: &Namespace, id| SetAlias::new(space.clone(), id, alias("stable"), 1);
    for (space, id) in [(&other, id), (&Namespace::default(), FunctionId::new())] {
        let done = store.alias_set(set(space, id)).await;
        expect_kind(done, ErrorKind::NotFound, "set");
        let listed = store.alias_list(space, id).await;
        expect_kind(listed, ErrorKind::NotFound, "list");
        let request = DeleteAlias::new(space.clone(), id, alias("stable"));
        let deleted = store.alias_delete(request).await;
        expect_kind(deleted, ErrorKind::NotFound, "delete");
    }
    let deleted = store.alias_delete(delete(id, "current")).await;
    expect_kind(deleted, ErrorKind::InvalidParameter, "delete `current`");
    let found = store.function_get(&at_alias(by_id(id), "stable")).await;
    expect_kind(found, ErrorKind::NotFound, "an alias that was never set");
    let found = store.function_get(&by_id(id)).await.expect("get");
    assert_eq!(found, function, "the refused requests changed nothing");
}

/// Also where the function is back at the version that was read: it is not as it was.
pub(super) async fn rollback_renews_the_revision(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let mut update = UpdateFunction::of(&first);
    update.config.description = "second".to_owned();
    let second = store.function_update(update).await.expect("update");

    let back = store
        .alias_set(set(first.id, "current", 1))
        .await
        .expect("set");
    assert_eq!((back.version, &back.config), (1, &first.config));
    assert_eq!(back.updated_at, first.updated_at);
    assert!(![first.revision, second.revision].contains(&back.revision));
    let current = store.function_get(&by_id(first.id)).await.expect("get");
    assert_eq!(current, back);
    for old in [&first, &second] {
        let found = store
            .function_get(&version(by_id(first.id), old.version))
            .await;
        assert_eq!(&found.expect("get"), old, "read by number it is as it was");
        let stale = store.function_update(UpdateFunction::of(old)).await;
        expect_kind(stale, ErrorKind::PreconditionFailed, "a stale revision");
    }
    let third = store.function_update(UpdateFunction::of(&back)).await;
    let third = third.expect("update");
    assert_eq!(third.version, 3, "numbers go on from the last one");
    assert_eq!(third.config, first.config);
    let forward = store.alias_set(set(first.id, "current", 2)).await;
    assert_eq!(forward.expect("set").config, second.config);
}

pub(super) async fn every_change_renews_the_revision(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let id = first.id;
    let mut revisions = vec![first.revision];
    for round in 0..5 {
        let before = store.function_get(&by_id(id)).await.expect("get");
        match round {
            // Set to what it is already, it may have been something else meanwhile.
            0..=2 => _ = store.alias_set(set(id, "stable", 1)).await.expect("set"),
            3 => store
                .alias_delete(delete(id, "stable"))
                .await
                .expect("delete"),
            _ => _ = store.alias_set(set(id, "current", 1)).await.expect("set"),
        }
        let now = store.function_get(&by_id(id)).await.expect("get").revision;
        assert!(!revisions.contains(&now), "round {round}");
        revisions.push(now);
        let stale = store.function_update(UpdateFunction::of(&before)).await;
        expect_kind(stale, ErrorKind::PreconditionFailed, "a stale revision");
    }
}

pub(super) async fn expected_revision(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let second = store.function_update(UpdateFunction::of(&first)).await;
    let second = second.expect("update");
    let mut request = set(first.id, "stable", 1);
    request.expected = Some(first.revision);
    let stale = store.alias_set(request.clone()).await;
    expect_kind(stale, ErrorKind::PreconditionFailed, "a stale revision");
    let found = store
        .function_get(&at_alias(by_id(first.id), "stable"))
        .await;
    expect_kind(found, ErrorKind::NotFound, "the refused alias");
    let current = store.function_get(&by_id(first.id)).await.expect("get");
    assert_eq!(current, second, "nothing changed");

    request.expected = Some(second.revision);
    store.alias_set(request.clone()).await.expect("set");
    let again = store.alias_set(request).await;
    expect_kind(again, ErrorKind::PreconditionFailed, "the same again");
}

pub(super) async fn one_of_many_setters_wins(store: Arc<dyn Store>) {
    let function = create(&*store, "a").await;
    let mut setters = Vec::new();
    for number in 0..32 {
        let store = Arc::clone(&store);
        let mut request = set(function.id, &format!("alias-{number}"), 1);
        request.expected = Some(function.revision);
        setters.push(tokio::spawn(async move { store.alias_set(request).await }));
    }
    let mut winners = 0;
    for setter in setters {
        match setter.await.expect("no panic") {
            Ok(_) => winners += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}"),
        }
    }
    assert_eq!(winners, 1);
    let listed = store.alias_list(&Namespace::default(), function.id).await;
    assert_eq!(listed.expect("list").len(), 2);
}

pub(super) async fn there_are_only_so_many(store: Arc<dyn Store>) {
    let max = limits::ALIASES_MAX as usize;
    let function = create(&*store, "a").await;
    let mut setters = Vec::new();
    for number in 0..max + 20 {
        let store = Arc::clone(&store);
        let request = set(function.id, &format!("alias-{number}"), 1);
        setters.push(tokio::spawn(async move { store.alias_set(request).await }));
    }
    let mut done = 0;
    for setter in setters {
        match setter.await.expect("no panic") {
            Ok(_) => done += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}"),
        }
    }
    assert_eq!(done, max - 1, "`current` is one of them");
    let listed = store.alias_list(&Namespace::default(), function.id).await;
    let listed = listed.expect("list");
    assert_eq!(listed.len(), max);

    let there = listed[0].name.as_str();
    store
        .alias_set(set(function.id, there, 1))
        .await
        .expect("move one that is there");
    store
        .alias_set(set(function.id, "current", 1))
        .await
        .expect("move `current`");
    store
        .alias_delete(delete(function.id, there))
        .await
        .expect("delete");
    store
        .alias_set(set(function.id, "new", 1))
        .await
        .expect("there is room again");
}

pub(super) async fn of_a_deleted_function_never_answer(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let old = create(&*store, "phoenix").await;
    store
        .alias_set(set(old.id, "stable", 1))
        .await
        .expect("set");
    store
        .function_delete(&default, old.id)
        .await
        .expect("delete");
    let refused = async |what: &str| {
        let found = store.function_get(&at_alias(by_id(old.id), "stable")).await;
        expect_kind(found, ErrorKind::NotFound, what);
        let found = store
            .function_get(&at_alias(by_name("phoenix"), "stable"))
            .await;
        expect_kind(found, ErrorKind::NotFound, what);
        let listed = store.alias_list(&default, old.id).await;
        expect_kind(listed, ErrorKind::NotFound, what);
        let set = store.alias_set(set(old.id, "stable", 1)).await;
        expect_kind(set, ErrorKind::NotFound, what);
    };
    refused("deleted").await;
    let new = create(&*store, "phoenix").await;
    refused("made again").await;
    let listed = store.alias_list(&default, new.id).await.expect("list");
    assert_eq!(listed.len(), 1);
}
