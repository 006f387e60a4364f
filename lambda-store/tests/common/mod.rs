//! What the tests of the stores have in common.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod mysql;
pub(crate) mod packages;
pub(crate) mod turns;

use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use jiff::Timestamp;
use lambda_store::model::{
    CodeFormat, CodeRef, Function, FunctionConfig, FunctionId, FunctionName, FunctionSelector,
    InvocationEntry, InvocationOutput, InvocationRecord, Language, Namespace, RequestId,
    RuntimeName,
};
use lambda_store::store::{AppendInvocations, CreateFunction, PutPackage};
use lambda_store::{Result, SqliteStore, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

/// Where a child process finds the database.
pub(crate) const PATH_VARIABLE: &str = "LAMBDA_TEST_DATABASE";

/// This test program again, to run one of its ignored tests as a process of its own.
pub(crate) fn child(test: &str, database: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(PATH_VARIABLE, database)
        .stdin(Stdio::null());
    command
}

pub(crate) async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).await.unwrap()
}

/// A connection of another program, which waits for nobody.
pub(crate) async fn foreign(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(std::time::Duration::ZERO)
        .connect()
        .await
        .unwrap()
}

/// Keeps records with nothing beside them.
pub(crate) async fn append(store: &dyn Store, records: &[InvocationRecord]) -> Result<()> {
    let entries = records
        .iter()
        .map(|record| InvocationEntry::new(record.clone(), InvocationOutput::default()));
    store
        .invocation_append(AppendInvocations::new(entries.collect()))
        .await
}

/// The bytes of a package.
pub(crate) async fn package(store: &dyn Store, code: CodeRef) -> Result<Bytes> {
    store.package_get(code.digest).await?.collect().await
}

pub(crate) async fn put(store: &dyn Store, text: &str) -> CodeRef {
    let request = PutPackage::new(text.to_owned().into());
    let code = request.code_ref(CodeFormat::Inline);
    store.package_put(request).await.unwrap();
    code
}

pub(crate) async fn creation(store: &dyn Store, name: &str) -> CreateFunction {
    CreateFunction::new(
        Namespace::default(),
        FunctionName::new(name).unwrap(),
        FunctionConfig::new(Language::Python),
        vec![put(store, name).await],
    )
}

pub(crate) async fn create(store: &dyn Store, name: &str) -> Function {
    let request = creation(store, name).await;
    store.function_create(request).await.unwrap()
}

pub(crate) fn by_id(id: FunctionId) -> FunctionSelector {
    FunctionSelector::current(Namespace::default(), id.into())
}

pub(crate) fn record(function: FunctionId) -> InvocationRecord {
    InvocationRecord::started(
        RequestId::new(),
        Namespace::default(),
        (function, FunctionName::new("f").unwrap(), 1),
        RuntimeName::docker(),
        Timestamp::now(),
    )
}
