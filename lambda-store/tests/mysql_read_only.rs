//! A server that takes no writes. Alone in its file: it is about the whole server.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use common::mysql::{Database, Server};
use common::{append, by_id, create, record};
use lambda_store::model::Namespace;
use lambda_store::store::{ListFunctions, UpdateFunction};
use lambda_store::{ErrorKind, MySqlStore, Result, Store};
use sqlx::{AssertSqlSafe, MySqlConnection};

async fn execute(connection: &mut MySqlConnection, sql: impl Into<String>) {
    let sql = AssertSqlSafe(sql.into());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn expect_read_only<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}");
    assert!(error.to_string().contains("read-only"), "{error:?}");
    assert!(error.hint_text().unwrap().contains("read_only"));
}

async fn works_without_writing(server: Server, database: &Database, admin: &mut MySqlConnection) {
    // Who may do everything may write all the same.
    let user = format!("reader_{}", std::process::id());
    execute(
        admin,
        format!(
            "CREATE USER {user}@'%' IDENTIFIED BY 's3cr3t-w0rd'; \
             GRANT ALL ON {}.* TO {user}@'%'",
            database.name
        ),
    )
    .await;
    let url = server.url_as(&user, "s3cr3t-w0rd", &database.name);
    let store = MySqlStore::open(&url).await.unwrap();
    let function = create(&store, "a").await;

    execute(admin, "SET GLOBAL read_only = 1").await;
    let outcome = tokio::spawn({
        let (function, url) = (function.clone(), url.clone());
        async move {
            expect_read_only(store.check().await);
            expect_read_only(append(&store, &[record(function.id)]).await);
            expect_read_only(store.function_update(UpdateFunction::of(&function)).await);
            let found = store.function_get(&by_id(function.id)).await.unwrap();
            assert_eq!(found, function);
            // It is up to date, so that it can be opened, too.
            let again = MySqlStore::open(&url).await.unwrap();
            let all = ListFunctions::first(Namespace::default(), 10);
            assert_eq!(again.function_list(all).await.unwrap().items.len(), 1);
            store
        }
    })
    .await;
    execute(admin, "SET GLOBAL read_only = 0").await;
    execute(admin, format!("DROP USER {user}@'%'")).await;
    let store = outcome.unwrap();
    store.check().await.unwrap();
    append(&store, &[record(function.id)]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_read_only_is_told_so_and_still_read() {
    for server in Server::all() {
        let database = server.database();
        let mut admin = server.connect().await;
        works_without_writing(server, &database, &mut admin).await;
    }
}
