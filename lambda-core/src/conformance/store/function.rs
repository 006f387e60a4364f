//! Functions by name and id, and the life of a name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::fixture::{
    all_functions, by_id, by_name, create, creation, expect_kind, name, namespace, put, version,
};
use crate::error::ErrorKind;
use crate::model::{
    CodeFormat, CodeRef, FunctionConfig, FunctionId, FunctionRef, FunctionSelector, Language,
    Namespace, RuntimeName,
};
use crate::store::{CreateFunction, Store, UpdateFunction};

pub(super) async fn found_by_id_and_by_name(store: Arc<dyn Store>) {
    let created = create(&*store, "a").await;
    assert_eq!(created.version, 1);
    assert_eq!(created.name, name("a"));
    assert_eq!(created.created_at, created.updated_at);

    let found = store.function_get(&by_id(created.id)).await;
    assert_eq!(found.expect("by id"), created);
    let found = store.function_get(&by_name("a")).await;
    assert_eq!(found.expect("by name"), created);
    let found = store.function_get(&version(by_name("a"), 1)).await;
    assert_eq!(found.expect("by name and version"), created);
    assert_eq!(
        all_functions(&*store, &Namespace::default(), 10).await,
        [created]
    );

    let missing = store.function_get(&by_name("b")).await;
    expect_kind(missing, ErrorKind::NotFound, "unknown name");
    let missing = store.function_get(&by_id(FunctionId::new())).await;
    expect_kind(missing, ErrorKind::NotFound, "unknown id");
}

pub(super) async fn every_field_is_kept(store: Arc<dyn Store>) {
    let full = FunctionConfig {
        description: "says hello".to_owned(),
        language: Language::Javascript,
        handler: Some("lib/app.handler".to_owned()),
        runtime: RuntimeName::new("a-runtime").expect("a good name"),
        timeout: Duration::from_micros(1_234_567),
        memory_mib: 10_240,
        // Not a number that decimals of a fixed length can tell.
        cpus: 0.1 + 0.2,
        tmp_mib: Some(77),
        env: BTreeMap::from([
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), String::new()),
        ]),
        concurrency: Some(u32::MAX),
        image: Some("registry.example/x:1".to_owned()),
        network: "backend".to_owned(),
        fresh_process: true,
        min_warm: 3,
        keep_processes: true,
    };
    let zip = CodeRef {
        format: CodeFormat::Zip,
        ..put(&*store, "PK").await
    };
    let request = CreateFunction::new(namespace("n"), name("full"), full.clone(), vec![zip]);
    let created = store.function_create(request).await.expect("create");
    assert_eq!(created.config, full);
    assert_eq!(created.code, [zip]);
    let selector = FunctionSelector::current(namespace("n"), created.id.into());
    let found = store.function_get(&selector).await.expect("get");
    assert_eq!(found, created);

    let bare = FunctionConfig::new(Language::Python);
    let update = UpdateFunction {
        config: bare.clone(),
        ..UpdateFunction::of(&created)
    };
    store.function_update(update).await.expect("update");
    let found = store.function_get(&selector).await.expect("get");
    assert_eq!(found.config, bare);
}

pub(super) async fn times_are_kept_to_the_microsecond(store: Arc<dyn Store>) {
    let before = Timestamp::now();
    let mut request = creation(&*store, "a").await;
    request.config.timeout = Duration::from_nanos(1_500_001_999);
    let created = store.function_create(request).await.expect("create");
    let after = Timestamp::now();

    assert_eq!(created.config.timeout, Duration::from_micros(1_500_001));
    assert_eq!(created.created_at.subsec_nanosecond() % 1_000, 0);
    let created_us = created.created_at.as_microsecond();
    assert!(
        (before.as_microsecond()..=after.as_microsecond()).contains(&created_us),
        "created at {} and not from {before} to {after}",
        created.created_at
    );
    let found = store.function_get(&by_id(created.id)).await.expect("get");
    assert_eq!(found, created);
}

pub(super) async fn code_keeps_its_order(store: Arc<dyn Store>) {
    let mut code = Vec::new();
    for text in ["c", "a", "b", "a"] {
        code.push(put(&*store, text).await);
    }
    for (function, code) in [("many", code), ("none", Vec::new())] {
        let mut request = creation(&*store, function).await;
        request.code.clone_from(&code);
        let created = store.function_create(request).await.expect("create");
        let found = store.function_get(&by_id(created.id)).await.expect("get");
        assert_eq!(found.code, code, "{function}");
    }
    let listed = all_functions(&*store, &Namespace::default(), 1).await;
    let lengths: Vec<_> = listed.iter().map(|function| function.code.len()).collect();
    assert_eq!(lengths, [0, 4]);
}

pub(super) async fn names_are_unique_in_a_namespace(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let again = store.function_create(creation(&*store, "a").await).await;
    expect_kind(again, ErrorKind::Conflict, "the same name");
    let found = store.function_get(&by_name("a")).await.expect("get");
    assert_eq!(found, first, "the refused creation changed nothing");

    let upper = create(&*store, "A").await;
    assert_ne!(upper.id, first.id, "upper case is another name");

    let mut elsewhere = creation(&*store, "a").await;
    elsewhere.namespace = namespace("other");
    let elsewhere = store.function_create(elsewhere).await.expect("create");
    assert_ne!(elsewhere.id, first.id);
}

pub(super) async fn namespaces_are_apart(store: Arc<dyn Store>) {
    let own = create(&*store, "a").await;
    let other = namespace("other");
    for function in [FunctionRef::Id(own.id), FunctionRef::Name(own.name.clone())] {
        let selector = FunctionSelector::current(other.clone(), function);
        let found = store.function_get(&selector).await;
        expect_kind(found, ErrorKind::NotFound, "get");
        let found = store.function_get(&version(selector, 1)).await;
        expect_kind(found, ErrorKind::NotFound, "get a version");
    }
    let update = UpdateFunction {
        namespace: other.clone(),
        ..UpdateFunction::of(&own)
    };
    let updated = store.function_update(update).await;
    expect_kind(updated, ErrorKind::NotFound, "update");
    let deleted = store.function_delete(&other, own.id).await;
    expect_kind(deleted, ErrorKind::NotFound, "delete");
    assert!(all_functions(&*store, &other, 10).await.is_empty());

    let found = store.function_get(&by_id(own.id)).await.expect("get");
    assert_eq!(found, own, "nothing of it changed anything");
}

pub(super) async fn one_of_many_creators_wins(store: Arc<dyn Store>) {
    let mut creators = Vec::new();
    for _ in 0..32 {
        let request = creation(&*store, "contended").await;
        let store = Arc::clone(&store);
        creators.push(tokio::spawn(
            async move { store.function_create(request).await },
        ));
    }
    let mut winners = Vec::new();
    for creator in creators {
        match creator.await.expect("no panic") {
            Ok(function) => winners.push(function),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let listed = all_functions(&*store, &Namespace::default(), 10).await;
    assert_eq!(listed, winners);
}

pub(super) async fn missing_package_is_refused(store: Arc<dyn Store>) {
    let mut request = creation(&*store, "a").await;
    let mut missing = request.code[0];
    missing.digest = crate::model::PackageDigest::of(b"never put");
    request.code.push(missing);
    let created = store.function_create(request).await;
    expect_kind(created, ErrorKind::NotFound, "create");
    let found = store.function_get(&by_name("a")).await;
    expect_kind(found, ErrorKind::NotFound, "it was not half created");
    create(&*store, "a").await;
}

pub(super) async fn wrong_size_is_refused(store: Arc<dyn Store>) {
    let mut request = creation(&*store, "a").await;
    request.code[0].size_bytes += 1;
    let created = store.function_create(request).await;
    expect_kind(created, ErrorKind::InvalidParameter, "create");
    create(&*store, "a").await;
}

pub(super) async fn delete_frees_the_name(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let other = create(&*store, "other").await;
    let function = create(&*store, "a").await;
    store
        .function_delete(&default, function.id)
        .await
        .expect("delete");
    for selector in [by_id(function.id), by_name("a")] {
        let found = store.function_get(&selector).await;
        expect_kind(found, ErrorKind::NotFound, "current");
        let found = store.function_get(&version(selector, 1)).await;
        expect_kind(found, ErrorKind::NotFound, "version 1");
    }
    let updated = store.function_update(UpdateFunction::of(&function)).await;
    expect_kind(updated, ErrorKind::NotFound, "update");
    let again = store.function_delete(&default, function.id).await;
    expect_kind(again, ErrorKind::NotFound, "delete again");
    assert_eq!(all_functions(&*store, &default, 10).await, [other]);
    create(&*store, "a").await;
}

pub(super) async fn recreated_function_is_not_the_old_one(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let mut ids = Vec::new();
    for round in 0..5_u32 {
        let mut request = creation(&*store, "phoenix").await;
        request.code = vec![put(&*store, format!("round {round}")).await];
        let new = store.function_create(request).await.expect("create");
        assert_eq!(new.version, 1, "versions start again");
        assert!(!ids.contains(&new.id), "an id came back");
        ids.push(new.id);

        let found = store.function_get(&by_name("phoenix")).await.expect("get");
        assert_eq!(found, new);
        let found = store.function_get(&version(by_name("phoenix"), 2)).await;
        expect_kind(found, ErrorKind::NotFound, "version 2 of the one before");
        for old in &ids[..ids.len() - 1] {
            for selector in [by_id(*old), version(by_id(*old), 1)] {
                let found = store.function_get(&selector).await;
                expect_kind(found, ErrorKind::NotFound, "the one before, by id");
            }
        }
        let second = store.function_update(UpdateFunction::of(&new)).await;
        assert_eq!(second.expect("update").version, 2);
        store
            .function_delete(&default, new.id)
            .await
            .expect("delete");
    }
}

pub(super) async fn rename_moves_the_name(store: Arc<dyn Store>) {
    let first = create(&*store, "old").await;
    create(&*store, "taken").await;
    let rename = |function, to| UpdateFunction {
        name: name(to),
        ..UpdateFunction::of(function)
    };

    let taken = store.function_update(rename(&first, "taken")).await;
    expect_kind(taken, ErrorKind::Conflict, "a taken name");
    let found = store.function_get(&by_name("old")).await.expect("get");
    assert_eq!(found, first, "the refused rename changed nothing");

    let second = store.function_update(rename(&first, "new")).await;
    let second = second.expect("rename");
    assert_eq!((second.id, second.version), (first.id, 2));
    let found = store.function_get(&by_name("new")).await;
    assert_eq!(found.expect("by the new name"), second);
    let found = store.function_get(&version(by_name("new"), 1)).await;
    assert_eq!(
        found.expect("version 1").name,
        name("new"),
        "a version has the name of now"
    );
    let found = store.function_get(&by_name("old")).await;
    expect_kind(found, ErrorKind::NotFound, "the old name");
    create(&*store, "old").await;

    let third = store.function_update(rename(&second, "new")).await;
    assert_eq!(third.expect("its own name is no conflict").version, 3);
}
