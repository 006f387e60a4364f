//! Listings, page by page.

use std::sync::Arc;

use super::fixture::{
    all_functions, all_records, append, assert_distinct, create, every_record, expect_kind,
    namespace, record,
};
use crate::error::ErrorKind;
use crate::model::{FunctionId, Namespace, RequestId, limits};
use crate::store::{ListFunctions, ListInvocations, Store, UpdateFunction};

pub(super) async fn limits_are_checked(store: Arc<dyn Store>) {
    create(&*store, "a").await;
    let default = Namespace::default;
    for limit in [0, limits::PAGE_MAX + 1, u32::MAX] {
        let page = store
            .function_list(ListFunctions::first(default(), limit))
            .await;
        expect_kind(page, ErrorKind::InvalidParameter, "functions");
        let page = store
            .invocation_list(ListInvocations::first(default(), limit))
            .await;
        expect_kind(page, ErrorKind::InvalidParameter, "records");
    }
    for limit in [1, limits::PAGE_MAX] {
        let page = store
            .function_list(ListFunctions::first(default(), limit))
            .await;
        assert_eq!(page.expect("functions").items.len(), 1);
        let page = store
            .invocation_list(ListInvocations::first(default(), limit))
            .await;
        assert!(page.expect("records").items.is_empty());
    }
}

pub(super) async fn foreign_cursors_are_refused(store: Arc<dyn Store>) {
    let function = create(&*store, "a").await;
    create(&*store, "b").await;
    let records: Vec<_> = (0..2).map(|at| record(function.id, at)).collect();
    append(&*store, &records).await.expect("append");
    let functions = ListFunctions::first(Namespace::default(), 1);
    let records = ListInvocations::first(Namespace::default(), 1);
    let page = store.function_list(functions.clone()).await.expect("list");
    let of_functions = page.next.expect("a second page");
    let page = store.invocation_list(records.clone()).await.expect("list");
    let of_records = page.next.expect("a second page");

    let long = "f".repeat(1 << 20);
    let cut = &of_functions[..of_functions.len() - 1];
    let garbage = [
        "",
        " ",
        "0",
        "-1",
        "null",
        "é",
        "\u{0}",
        "' OR 1=1 --",
        "../..",
        "%00",
        "🦀🦀🦀🦀",
        &long,
        cut,
    ];
    for cursor in garbage.into_iter().chain([of_records.as_str()]) {
        let mut request = functions.clone();
        request.cursor = Some(cursor.to_owned());
        let page = store.function_list(request).await;
        expect_kind(page, ErrorKind::InvalidParameter, "functions");
    }
    for cursor in garbage.into_iter().chain([of_functions.as_str()]) {
        let mut request = records.clone();
        request.cursor = Some(cursor.to_owned());
        let page = store.invocation_list(request).await;
        expect_kind(page, ErrorKind::InvalidParameter, "records");
    }
}

pub(super) async fn functions_newest_first(store: Arc<dyn Store>) {
    let default = Namespace::default();
    assert!(all_functions(&*store, &default, 10).await.is_empty());
    let mut functions = Vec::new();
    for number in 0..12 {
        functions.insert(0, create(&*store, &format!("f{number}")).await);
    }
    // An update makes a function no newer, and shows in the list.
    let updated = store
        .function_update(UpdateFunction::of(&functions[7]))
        .await;
    functions[7] = updated.expect("update");
    for limit in [1, 2, 3, 5, 11, 12, 13, 1_000] {
        let listed = all_functions(&*store, &default, limit).await;
        assert_eq!(listed, functions, "pages of {limit}");
    }
}

/// Those that are there all the while are listed once each; others may or may not be.
pub(super) async fn functions_that_come_and_go(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let mut staying = Vec::new();
    let mut leaving = Vec::new();
    for number in 0..30 {
        staying.push(create(&*store, &format!("stay-{number}")).await.id);
        leaving.push(create(&*store, &format!("leave-{number}")).await.id);
    }
    let changes = {
        let store = Arc::clone(&store);
        let default = default.clone();
        tokio::spawn(async move {
            for (number, id) in leaving.into_iter().enumerate() {
                store.function_delete(&default, id).await.expect("delete");
                create(&*store, &format!("come-{number}")).await;
            }
        })
    };
    let mut rounds = 0;
    while !changes.is_finished() || rounds == 0 {
        let listed = all_functions(&*store, &default, 7).await;
        assert_distinct(listed.iter().map(|function| function.id));
        let still: Vec<_> = listed
            .iter()
            .map(|function| function.id)
            .filter(|id| staying.contains(id))
            .collect();
        assert!(still.iter().eq(staying.iter().rev()), "round {rounds}");
        rounds += 1;
        // A store that never waits would not let the other task run.
        tokio::task::yield_now().await;
    }
    changes.await.expect("no panic");
    assert_eq!(all_functions(&*store, &default, 7).await.len(), 60);
}

pub(super) async fn records_newest_first(store: Arc<dyn Store>) {
    let function = FunctionId::new();
    // Three at each point in time, kept in an order that is none.
    let mut records: Vec<_> = (0..30).map(|n| record(function, n / 3)).collect();
    for (index, other) in [(0, 29), (3, 17), (5, 6), (10, 25)] {
        records.swap(index, other);
    }
    for batch in records.chunks(4) {
        append(&*store, batch).await.expect("append");
    }
    records.sort_by_key(|record| (record.started_at, record.request_id));
    records.reverse();
    for limit in [1, 2, 7, 10, 29, 30, 31] {
        let request = ListInvocations::first(Namespace::default(), limit);
        let listed = all_records(&*store, request).await;
        assert_eq!(listed, records, "pages of {limit}");
    }
}

pub(super) async fn records_of_one_function(store: Arc<dyn Store>) {
    let (one, two) = (FunctionId::new(), FunctionId::new());
    let mut records: Vec<_> = (0..20)
        .map(|n| record(if n % 3 == 0 { one } else { two }, n))
        .collect();
    records[0].namespace = namespace("other");
    append(&*store, &records).await.expect("append");
    records.reverse();
    for (space, function) in [
        ("default", Some(one)),
        ("default", Some(two)),
        ("default", Some(FunctionId::new())),
        ("default", None),
        ("other", Some(one)),
        ("other", Some(two)),
        ("other", None),
    ] {
        let expected: Vec<_> = records
            .iter()
            .filter(|r| r.namespace.as_str() == space)
            .filter(|r| function.is_none_or(|id| r.function_id == id))
            .cloned()
            .collect();
        let mut request = ListInvocations::first(namespace(space), 2);
        request.function = function;
        let listed = all_records(&*store, request).await;
        assert_eq!(listed, expected, "{space}, {function:?}");
    }
}

pub(super) async fn records_that_come(store: Arc<dyn Store>) {
    let function = FunctionId::new();
    let there: Vec<_> = (0..200).map(|n| record(function, n * 10)).collect();
    append(&*store, &there).await.expect("append");
    let expected: Vec<RequestId> = there.iter().rev().map(|r| r.request_id).collect();

    let appending = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            // Between the old ones, and newer than all of them.
            for n in 0..60 {
                let new = [record(function, n * 33 + 5), record(function, 10_000 + n)];
                append(&*store, &new).await.expect("append");
            }
        })
    };
    let mut rounds = 0;
    while !appending.is_finished() || rounds == 0 {
        let request = ListInvocations::first(Namespace::default(), 9);
        let listed = all_records(&*store, request).await;
        assert_distinct(listed.iter().map(|record| record.request_id));
        let old = listed.iter().map(|record| record.request_id);
        assert!(
            old.filter(|id| expected.contains(id))
                .eq(expected.iter().copied()),
            "round {rounds}"
        );
        rounds += 1;
        // A store that never waits would not let the other task run.
        tokio::task::yield_now().await;
    }
    appending.await.expect("no panic");
    assert_eq!(every_record(&*store).await.len(), 320);
}
