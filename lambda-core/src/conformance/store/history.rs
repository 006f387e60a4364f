//! Versions, listed.

use std::sync::Arc;

use super::fixture::{by_id, create, expect_kind, name, namespace, put, set, take, version};
use crate::error::ErrorKind;
use crate::model::{Function, FunctionId, Namespace, limits};
use crate::store::{ListFunctions, ListVersions, Store, UpdateFunction};

async fn all_versions(store: &dyn Store, id: FunctionId, limit: u32) -> Vec<Function> {
    let mut all = Vec::new();
    let mut request = ListVersions::first(Namespace::default(), id, limit);
    loop {
        let page = store.version_list(request.clone()).await.expect("list");
        request.cursor = take(&mut all, page, limit);
        if request.cursor.is_none() {
            return all;
        }
    }
}

async fn versions(store: &dyn Store, function: &str, count: usize) -> Vec<Function> {
    let mut versions = vec![create(store, function).await];
    while versions.len() < count {
        let mut update = UpdateFunction::of(versions.last().expect("a version"));
        update.config.description = format!("after {} versions", versions.len());
        // Of several packages, of one, of none.
        update.code.truncate(versions.len() % 3);
        while update.code.len() < versions.len() % 3 {
            update
                .code
                .push(put(store, format!("{}", update.code.len())).await);
        }
        versions.push(store.function_update(update).await.expect("update"));
    }
    versions.reverse();
    versions
}

pub(super) async fn newest_first(store: Arc<dyn Store>) {
    versions(&*store, "another", 3).await;
    let expected = versions(&*store, "a", 11).await;
    for limit in [1, 2, 3, 10, 11, 12, limits::PAGE_MAX] {
        let listed = all_versions(&*store, expected[0].id, limit).await;
        assert_eq!(listed, expected, "pages of {limit}");
    }
}

/// Where `current` points changes nothing, and a name is the one of now.
pub(super) async fn as_read_by_number(store: Arc<dyn Store>) {
    let made = versions(&*store, "old", 4).await;
    let id = made[0].id;
    store.alias_set(set(id, "current", 2)).await.expect("set");
    let current = store.function_get(&by_id(id)).await.expect("get");
    let rename = UpdateFunction {
        name: name("new"),
        ..UpdateFunction::of(&current)
    };
    let newest = store.function_update(rename).await.expect("update");
    let listed = all_versions(&*store, id, 2).await;
    assert_eq!(listed.len(), 5);
    assert_eq!(listed[0], newest);
    for found in &listed {
        assert_eq!(found.name, name("new"));
        let by_number = store.function_get(&version(by_id(id), found.version)).await;
        assert_eq!(&by_number.expect("get"), found);
    }
    assert_eq!(listed[1].revision, made[0].revision);
}

pub(super) async fn bounds_are_checked(store: Arc<dyn Store>) {
    let function = create(&*store, "a").await;
    let second = store.function_update(UpdateFunction::of(&function)).await;
    second.expect("update");
    let default = Namespace::default();
    for limit in [0, limits::PAGE_MAX + 1, u32::MAX] {
        let request = ListVersions::first(default.clone(), function.id, limit);
        let page = store.version_list(request).await;
        expect_kind(page, ErrorKind::InvalidParameter, "the limit");
    }
    for (space, id) in [
        (namespace("other"), function.id),
        (default.clone(), FunctionId::new()),
    ] {
        let page = store.version_list(ListVersions::first(space, id, 1)).await;
        expect_kind(page, ErrorKind::NotFound, "the function");
    }
    create(&*store, "b").await;
    let functions = ListFunctions::first(default.clone(), 1);
    let page = store.function_list(functions).await.expect("list");
    let foreign = page.next.expect("a second page");
    for cursor in ["", "v", "1", "v-1", "é", foreign.as_str()] {
        let mut request = ListVersions::first(default.clone(), function.id, 1);
        request.cursor = Some(cursor.to_owned());
        let page = store.version_list(request).await;
        expect_kind(page, ErrorKind::InvalidParameter, "the cursor");
    }
    store
        .function_delete(&default, function.id)
        .await
        .expect("delete");
    let page = store
        .version_list(ListVersions::first(default, function.id, 1))
        .await;
    expect_kind(page, ErrorKind::NotFound, "a deleted function");
}
