//! What the cases have in common.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::error::{ErrorKind, Result};
use crate::model::{
    AliasName, CodeFormat, CodeRef, Function, FunctionConfig, FunctionId, FunctionName,
    FunctionRef, FunctionSelector, InvocationEntry, InvocationOutput, InvocationRecord, Language,
    Namespace, PackageDigest, Page, Qualifier, RequestId, RuntimeName, StartKind, Status,
};
use crate::store::{
    AppendInvocations, CreateFunction, ListFunctions, ListInvocations, PutPackage, SetAlias, Store,
};

pub(super) fn namespace(text: &str) -> Namespace {
    Namespace::new(text).expect("a good namespace")
}

pub(super) fn name(text: &str) -> FunctionName {
    FunctionName::new(text).expect("a good name")
}

/// Checks that `result` failed, and how.
#[track_caller]
pub(super) fn expect_kind<T: Debug>(result: Result<T>, kind: ErrorKind, what: &str) {
    match result {
        Ok(value) => panic!("{what}: succeeded with {value:?}, expected {kind:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{what}: {error:?}"),
    }
}

/// Puts a package and returns the reference to it.
pub(super) async fn put(store: &dyn Store, bytes: impl Into<Bytes>) -> CodeRef {
    let request = PutPackage::new(bytes.into());
    let code = request.code_ref(CodeFormat::Inline);
    store.package_put(request).await.expect("package_put");
    code
}

/// A request for a function in `default` with one package.
pub(super) async fn creation(store: &dyn Store, function: &str) -> CreateFunction {
    let code = put(store, format!("print({function:?})")).await;
    CreateFunction::new(
        Namespace::default(),
        name(function),
        FunctionConfig::new(Language::Python),
        vec![code],
    )
}

/// Creates a function in `default`.
pub(super) async fn create(store: &dyn Store, function: &str) -> Function {
    let request = creation(store, function).await;
    store
        .function_create(request)
        .await
        .expect("function_create")
}

/// A selector in `default`.
pub(super) fn by_id(id: FunctionId) -> FunctionSelector {
    FunctionSelector::current(Namespace::default(), FunctionRef::Id(id))
}

/// A selector in `default`.
pub(super) fn by_name(function: &str) -> FunctionSelector {
    FunctionSelector::current(Namespace::default(), FunctionRef::Name(name(function)))
}

pub(super) fn version(selector: FunctionSelector, number: u32) -> FunctionSelector {
    FunctionSelector {
        qualifier: Qualifier::Version(number),
        ..selector
    }
}

pub(super) fn alias(text: &str) -> AliasName {
    AliasName::new(text).expect("a good alias")
}

pub(super) fn at_alias(selector: FunctionSelector, name: &str) -> FunctionSelector {
    let qualifier = name.parse().expect("a good alias");
    FunctionSelector {
        qualifier,
        ..selector
    }
}

/// Points an alias of a function in `default` at a version.
pub(super) fn set(id: FunctionId, name: &str, version: u32) -> SetAlias {
    SetAlias::new(Namespace::default(), id, alias(name), version)
}

/// `offset_us` after a fixed point in time.
pub(super) fn time(offset_us: i64) -> Timestamp {
    let base = Timestamp::from_second(1_750_000_000).expect("in range");
    base.checked_add(SignedDuration::from_micros(offset_us))
        .expect("in range")
}

/// A record of `function` that started `offset_us` after a fixed point in time.
pub(super) fn record(function: FunctionId, offset_us: i64) -> InvocationRecord {
    InvocationRecord {
        request_id: RequestId::new(),
        namespace: Namespace::default(),
        function_id: function,
        function_name: name("f"),
        version: 1,
        runtime: RuntimeName::docker(),
        start: StartKind::Warm,
        status: Status::Success,
        error_type: None,
        started_at: time(offset_us),
        queue_us: 1,
        boot_us: 2,
        init_us: 3,
        run_us: 4,
        total_us: 10,
        max_memory_mib: Some(20),
    }
}

/// Keeps records with nothing beside them.
pub(super) async fn append(store: &dyn Store, records: &[InvocationRecord]) -> Result<()> {
    let entries = records
        .iter()
        .map(|record| InvocationEntry::new(record.clone(), InvocationOutput::default()));
    store
        .invocation_append(AppendInvocations::new(entries.collect()))
        .await
}

/// The bytes of a package.
pub(super) async fn package(store: &dyn Store, digest: PackageDigest) -> Bytes {
    let package = store.package_get(digest).await.expect("package_get");
    package.collect().await.expect("the bytes of a package")
}

/// All functions of a namespace, by pages of `limit`.
pub(super) async fn all_functions(
    store: &dyn Store,
    namespace: &Namespace,
    limit: u32,
) -> Vec<Function> {
    let mut all = Vec::new();
    let mut request = ListFunctions::first(namespace.clone(), limit);
    loop {
        let page = store.function_list(request.clone()).await.expect("list");
        request.cursor = take(&mut all, page, limit);
        if request.cursor.is_none() {
            return all;
        }
    }
}

/// All records that `request` names, by pages of its limit.
pub(super) async fn all_records(
    store: &dyn Store,
    mut request: ListInvocations,
) -> Vec<InvocationRecord> {
    let mut all = Vec::new();
    loop {
        let page = store.invocation_list(request.clone()).await.expect("list");
        request.cursor = take(&mut all, page, request.limit);
        if request.cursor.is_none() {
            return all;
        }
    }
}

/// All records of `default`.
pub(super) async fn every_record(store: &dyn Store) -> Vec<InvocationRecord> {
    all_records(store, ListInvocations::first(Namespace::default(), 1_000)).await
}

/// Adds a page, checked against its limit; returns where the next one starts.
pub(super) fn take<T>(all: &mut Vec<T>, page: Page<T>, limit: u32) -> Option<String> {
    assert!(page.items.len() <= limit as usize, "a page over its limit");
    assert!(
        page.next.is_none() || page.items.len() == limit as usize,
        "a page that is not full has a next one"
    );
    all.extend(page.items);
    page.next
}

/// Checks that nothing is there twice.
#[track_caller]
pub(super) fn assert_distinct<T: Hash + Eq + Copy + Debug>(items: impl Iterator<Item = T>) {
    let mut seen = HashSet::new();
    for item in items {
        assert!(seen.insert(item), "{item:?} is there twice");
    }
}

/// Numbers that look random, and are the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(12_345)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub(super) fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(items.len() as u64));
        &items[at.expect("an index")]
    }
}
