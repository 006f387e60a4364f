//! Opening databases in servers: what is encrypted, what is refused, and what is never shown.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::time::{Duration, Instant};

use common::mysql::{Database, MARIADB, MYSQL, Server};
use lambda_store::{Error, ErrorKind, MySqlStore, Store};
use sqlx::{AssertSqlSafe, MySqlConnection};

async fn open(database: &Database) -> MySqlStore {
    MySqlStore::open(&database.url()).await.unwrap()
}

/// A user of its own, who is dropped with what `drop_user` is given.
async fn execute(connection: &mut MySqlConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap();
}

/// Checks that opening fails, and that no part of the error shows `secret`.
async fn refused(url: &str, secret: &str) -> Error {
    let error = match MySqlStore::open(url).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    };
    assert!(error.hint_text().is_some(), "{error:?}");
    let mut shown = format!("{error} {error:?} {}", error.hint_text().unwrap());
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        shown += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    assert!(!shown.contains(secret), "{shown}");
    error
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_shown() {
    for server in Server::all() {
        let url = server.url_as("lambda", "s3cr3t-w0rd", "anything");
        let error = refused(&url, "s3cr3t-w0rd").await;
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        assert!(error.to_string().contains("password"), "{error}");
    }
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_said_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("mysql://u:s3cr3t-w0rd@127.0.0.1:{port}/d");
    let error = refused(&url, "s3cr3t-w0rd").await;
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(error.is_retryable());
    assert!(error.to_string().contains("Nothing listens"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_keeps_nobody_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let started = Instant::now();
    let url = format!("mysql://u:s3cr3t-w0rd@127.0.0.1:{port}/d");
    let error = refused(&url, "s3cr3t-w0rd").await;
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(error.to_string().contains("does not answer"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn connections_are_encrypted_and_certificates_checked() {
    for server in Server::all() {
        let database = server.database();
        let authority = server.authority();
        for parameters in [
            "ssl-mode=REQUIRED".to_owned(),
            format!("ssl-mode=VERIFY_CA&ssl-ca={authority}"),
        ] {
            let url = format!("{}?{parameters}", database.url());
            let store = MySqlStore::open(&url).await.unwrap();
            store.check().await.unwrap();
            store.close().await;
        }
        // Signed by somebody who is not known here.
        let url = format!("{}?ssl-mode=VERIFY_CA", database.url());
        let error = refused(&url, "@@").await;
        assert!(error.to_string().contains("certificate"), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        let url = format!("{}?ssl-mode=VERIFY_CA&ssl-ca=/missing.pem", database.url());
        let error = refused(&url, "/missing.pem\0").await;
        assert!(error.to_string().contains("certificate"), "{error:?}");
    }
}

#[tokio::test]
async fn the_host_has_to_be_the_certificates() {
    if MARIADB.is_there() {
        // Its certificate names localhost and 127.0.0.1.
        let database = MARIADB.database();
        let verify = format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={}", MARIADB.authority());
        let url = database.url() + &verify;
        MySqlStore::open(&url).await.unwrap().close().await;
        let elsewhere = url.replace("127.0.0.1", "127.0.0.2");
        let error = refused(&elsewhere, "@@").await;
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    }
    if MYSQL.is_there() {
        // The one that it makes for itself names no host.
        let database = MYSQL.database();
        let verify = format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={}", MYSQL.authority());
        let error = refused(&(database.url() + &verify), "@@").await;
        assert!(error.to_string().contains("certificate"), "{error:?}");
    }
}

#[tokio::test]
async fn a_password_that_needs_encryption_is_not_sent_without() {
    if !MYSQL.is_there() {
        return;
    }
    // A user who has never logged in: the server has no shorter proof at hand.
    let mut admin = MYSQL.connect().await;
    let user = format!("plain_{}", std::process::id());
    execute(
        &mut admin,
        format!("CREATE USER {user}@'%' IDENTIFIED WITH caching_sha2_password BY 's3cr3t-w0rd'"),
    )
    .await;
    let url = MYSQL.url_as(&user, "s3cr3t-w0rd", "d") + "?ssl-mode=DISABLED";
    let error = refused(&url, "s3cr3t-w0rd").await;
    execute(&mut admin, format!("DROP USER {user}@'%'")).await;
    assert!(error.to_string().contains("encrypted"), "{error:?}");
    assert!(error.hint_text().unwrap().contains("ssl-mode=REQUIRED"));
}

#[tokio::test]
async fn a_user_who_may_not_create_the_database_is_told_so() {
    for server in Server::all() {
        let database = server.database();
        let user = format!("limited_{}", std::process::id());
        let mut admin = server.connect().await;
        execute(
            &mut admin,
            format!("CREATE USER {user}@'%' IDENTIFIED BY 's3cr3t-w0rd'"),
        )
        .await;
        execute(
            &mut admin,
            format!("GRANT ALL ON {}_other.* TO {user}@'%'", database.name),
        )
        .await;
        let url = server.url_as(&user, "s3cr3t-w0rd", &database.name);
        let error = refused(&url, "s3cr3t-w0rd").await;
        // Created by somebody else, and granted.
        execute(&mut admin, format!("CREATE DATABASE {}", database.name)).await;
        execute(
            &mut admin,
            format!("GRANT ALL ON {}.* TO {user}@'%'", database.name),
        )
        .await;
        let opened = MySqlStore::open(&url).await;
        execute(&mut admin, format!("DROP USER {user}@'%'")).await;
        opened.unwrap().close().await;
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        let message = error.to_string();
        assert!(
            message.contains("may not create") || message.contains("not allowed"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn names_that_need_quotes_are_quoted() {
    for server in Server::all() {
        let database = Database {
            name: format!("`lambda_test_{}_a``b \"c'`", std::process::id()),
            ..server.database()
        };
        let bare = format!("lambda_test_{}_a%60b%20%22c'", std::process::id());
        let url = format!("{}{bare}", server.url());
        let store = MySqlStore::open(&url).await.unwrap();
        store.check().await.unwrap();
        store.close().await;
        drop(database);
    }
}

#[tokio::test]
async fn debug_shows_nothing_of_the_url() {
    for server in Server::all() {
        let database = server.database();
        let store = open(&database).await;
        assert_eq!(format!("{store:?}"), "MySqlStore { .. }");
        store.close().await;
    }
}
