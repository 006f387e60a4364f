//! Bringing schemas up to date: several at once, cut off half-way, of another program, newer.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::process::{Command, Stdio};

use common::append;
use common::mysql::{Database, Server};
use jiff::{SignedDuration, Timestamp};
use lambda_store::model::{Bucket, FunctionId, FunctionName, Namespace};
use lambda_store::store::{ListFunctions, SummarizeInvocations};
use lambda_store::{ErrorKind, MySqlStore, Store};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

async fn open(database: &Database) -> MySqlStore {
    MySqlStore::open(&database.url()).await.unwrap()
}

/// Everything that there is in a database, as text.
async fn schema(database: &Database) -> String {
    let mut connection = database.foreign().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut text = String::new();
    for table in tables {
        let show = AssertSqlSafe(format!("SHOW CREATE TABLE `{table}`"));
        let row = sqlx::query(show).fetch_one(&mut connection).await.unwrap();
        text += &row.get::<String, _>(1);
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM `{table}`"));
        let count: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        text += &format!("\n{count} rows\n");
    }
    connection.close().await.unwrap();
    text
}

async fn change(database: &Database, sql: impl Into<String>) {
    let mut connection = database.foreign().await;
    sqlx::raw_sql(AssertSqlSafe(sql.into()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn openers_in_one_process_take_turns() {
    for server in Server::all() {
        let database = server.database();
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let url = database.url();
                tokio::spawn(async move { MySqlStore::open(&url).await })
            })
            .collect();
        for opened in opening {
            let store = opened.await.unwrap().unwrap();
            store.check().await.unwrap();
            store.close().await;
        }
    }
}

const CHILD_URL: &str = "LAMBDA_TEST_CHILD_URL";

#[tokio::test]
async fn openers_in_several_processes_take_turns() {
    for server in Server::all() {
        let database = server.database();
        let children: Vec<_> = (0..4)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "opener", "--ignored"])
                    .env(CHILD_URL, database.url())
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
    }
}

#[tokio::test]
#[ignore = "a part of openers_in_several_processes_take_turns, which runs it"]
async fn opener() {
    let store = MySqlStore::open(&std::env::var(CHILD_URL).unwrap())
        .await
        .unwrap();
    store.check().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_is_up_to_date_is_left_alone() {
    for server in Server::all() {
        let database = server.database();
        open(&database).await.close().await;
        let before = schema(&database).await;
        open(&database).await.close().await;
        assert_eq!(schema(&database).await, before);
    }
}

/// What is refused is left as it is.
async fn assert_refused(database: &Database, expected: &str) {
    let before = schema(database).await;
    let error = MySqlStore::open(&database.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}");
    let message = format!("{error} {}", error.hint_text().unwrap_or_default());
    assert!(message.contains(expected), "{message}");
    assert_eq!(schema(database).await, before, "the database was changed");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    for server in Server::all() {
        let database = server.database();
        open(&database).await.close().await;
        change(
            &database,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of the future', TRUE, x'00', 0)",
        )
        .await;
        assert_refused(&database, "schema version 9999").await;
        // Also one that a newer program is in the middle of.
        change(
            &database,
            "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 9999",
        )
        .await;
        assert_refused(&database, "schema version 9999").await;
    }
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    for server in Server::all() {
        let database = server.database();
        open(&database).await.close().await;
        change(
            &database,
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
        )
        .await;
        assert_refused(&database, "not one that this program made").await;
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    for server in Server::all() {
        let database = server.database();
        let mut admin = server.connect().await;
        let create = AssertSqlSafe(format!("CREATE DATABASE {}", database.name));
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        change(&database, "CREATE TABLE bookmark (url TEXT)").await;
        assert_refused(&database, "another program").await;
    }
}

/// Each migration is cut off after each of its statements, as a kill would do it, and the next
/// start makes the same schema of what there is.
#[tokio::test]
async fn migrations_that_were_cut_off_are_done_again() {
    for server in Server::all() {
        let whole = server.database();
        open(&whole).await.close().await;
        let expected = schema(&whole).await;
        let mut migrations: Vec<_> = std::fs::read_dir("migrations/mysql").unwrap().collect();
        migrations.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
        for (at, entry) in migrations.iter().enumerate() {
            let text = std::fs::read_to_string(entry.as_ref().unwrap().path()).unwrap();
            let text: String = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("--"))
                .flat_map(|line| [line, "\n"])
                .collect();
            // No statement of ours has a semicolon in it.
            let statements: Vec<_> = text
                .split_inclusive(';')
                .filter(|s| s.contains(';'))
                .collect();
            let cut = statements.len() / 2;
            let database = server.database();
            open(&database).await.close().await;
            // Back to before this migration, then half-way into it.
            change(&database, back_to(at)).await;
            change(&database, statements[..=cut].concat()).await;
            let version = at + 1;
            change(
                &database,
                format!(
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES ({version}, 'cut off', FALSE, x'00', -1)"
                ),
            )
            .await;
            let store = open(&database).await;
            store.check().await.unwrap();
            store.close().await;
            assert_eq!(schema(&database).await, expected, "migration {version}");
        }
    }
}

/// What takes back all migrations but the first `kept`.
fn back_to(kept: usize) -> String {
    const TAKE_BACK: [&str; 6] = [
        "DROP TABLE alias, version_package, package, function_version, `function`, invocation, token;",
        "ALTER TABLE `function` DROP COLUMN revision;",
        "ALTER TABLE package DROP FOREIGN KEY package_upload, DROP KEY package_upload_id, \
         DROP COLUMN upload_id; DROP TABLE upload_chunk, package_upload;",
        "DROP TABLE invocation_output;",
        "DROP TABLE rollup;",
        concat!(
            "DROP TABLE rollup, rollup_backfill; ",
            include_str!("../migrations/mysql/0005_rollups.sql")
        ),
    ];
    let take_back: Vec<_> = TAKE_BACK[kept..].iter().rev().copied().collect();
    format!(
        "{} DELETE FROM _sqlx_migrations WHERE version > {kept}",
        take_back.concat()
    )
}

#[tokio::test]
async fn a_migration_that_was_cut_off_keeps_what_was_there() {
    for server in Server::all() {
        let database = server.database();
        let store = open(&database).await;
        let request = lambda_store::store::CreateFunction::new(
            Namespace::default(),
            FunctionName::new("kept").unwrap(),
            lambda_store::model::FunctionConfig::new(lambda_store::model::Language::Python),
            Vec::new(),
        );
        let function = store.function_create(request).await.unwrap();
        store.close().await;
        change(&database, "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2; DELETE FROM _sqlx_migrations WHERE version > 2").await;
        let store = open(&database).await;
        let all = ListFunctions::first(Namespace::default(), 10);
        let listed = store.function_list(all).await.unwrap();
        assert_eq!(listed.items, [function]);
        store.close().await;
    }
}

/// As many as the figures are made of in several steps.
const RECORDS: u32 = 25_000;

/// Figures of a version before are of another form, or there are none.
#[tokio::test]
async fn figures_are_made_anew_from_the_records() {
    for server in Server::all() {
        let database = server.database();
        let store = open(&database).await;
        let functions = [FunctionId::new(), FunctionId::new()];
        let start = Timestamp::from_second(1_750_000_000).unwrap();
        let records: Vec<_> = (0..RECORDS)
            .map(|n| {
                let mut record = common::record(functions[(n % 2) as usize]);
                record.started_at = start + SignedDuration::from_secs(10 * i64::from(n));
                record.total_us = u64::from(n);
                record
            })
            .collect();
        for batch in records.chunks(5_000) {
            append(&store, batch).await.unwrap();
        }
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.bucket = Some(Bucket::Hour);
        let expected = store.invocation_summary(request.clone()).await.unwrap();
        assert_eq!(expected.totals.calls, u64::from(RECORDS));
        store.close().await;

        change(&database, back_to(4)).await;
        let store = open(&database).await;
        let found = store.invocation_summary(request.clone()).await.unwrap();
        assert_eq!(found, expected);
        store.close().await;

        // Cut off after the first step: the next start goes on behind it.
        change(&database, back_to(5)).await;
        let store = open(&database).await;
        store.close().await;
        let mut connection = database.foreign().await;
        let first = records
            .iter()
            .map(|record| record.request_id)
            .min()
            .unwrap();
        sqlx::query("DELETE FROM rollup")
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::query("INSERT INTO rollup_backfill VALUES (?)")
            .bind(&first.as_bytes()[..])
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let store = open(&database).await;
        let found = store.invocation_summary(request).await.unwrap();
        assert_eq!(found.totals.calls, u64::from(RECORDS) - 1);
        store.close().await;
    }
}
