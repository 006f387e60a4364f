//! How the databases work statements out: a page costs what it shows, however much there is.

#[path = "../../tests/common/mysql.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest of it")]
mod servers;

use jiff::Timestamp;
use lambda_core::model::{
    FunctionConfig, FunctionId, FunctionName, FunctionRef, FunctionSelector, InvocationEntry,
    InvocationOutput, InvocationRecord, Language, Namespace, RequestId, RuntimeName, Status,
};
use lambda_core::store::{
    AppendInvocations, CreateFunction, ListFunctions, ListInvocations, ListVersions, Store as _,
    SummarizeInvocations,
};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::function_query::{CURRENT, PAGE, VERSIONS};
use super::list::{Filters, Index, page_query};
use super::summary::OF_ANY_RUNTIME;
use super::{MySqlStore, connect};
use servers::Server;

const FUNCTIONS: usize = 40;
const RECORDS: usize = 4_000;
const START_US: i64 = 1_750_000_000_000_000;

fn name(at: usize) -> FunctionName {
    FunctionName::new(format!("function-{at}")).unwrap()
}

async fn fill(store: &MySqlStore) -> Vec<FunctionId> {
    let mut functions = Vec::new();
    for at in 0..FUNCTIONS {
        let config = FunctionConfig::new(Language::Python);
        let request = CreateFunction::new(Namespace::default(), name(at), config, Vec::new());
        functions.push(store.function_create(request).await.unwrap().id);
    }
    let entries = (0..RECORDS).map(|at| {
        let function = at % FUNCTIONS;
        let mut record = InvocationRecord::started(
            RequestId::new(),
            Namespace::default(),
            (functions[function], name(function), 1),
            RuntimeName::docker(),
            Timestamp::from_microsecond(START_US + i64::try_from(at).unwrap() * 60_000_000)
                .unwrap(),
        );
        if at % 10 == 3 {
            record.status = Status::Timeout;
        }
        InvocationEntry::new(record, InvocationOutput::default())
    });
    let request = AppendInvocations::new(entries.collect());
    store.invocation_append(request).await.unwrap();
    let mut connection = store.pool.acquire().await.unwrap();
    sqlx::raw_sql("ANALYZE TABLE `function`, function_version, alias, invocation, rollup")
        .execute(&mut *connection)
        .await
        .unwrap();
    functions
}

/// The lines of a plan, as one text.
fn plan(rows: &[MySqlRow]) -> String {
    let text = |row: &MySqlRow, column: &str| {
        let text: Option<String> = row.try_get(column).unwrap();
        text.unwrap_or_default()
    };
    let line = |row| {
        format!(
            "table {} type {} key {} extra {}",
            text(row, "table"),
            text(row, "type"),
            text(row, "key"),
            text(row, "Extra")
        )
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn statements_use_their_indexes() {
    for server in Server::all() {
        let database = server.database();
        let store = connect::open(&database.url()).await.unwrap();
        let functions = fill(&store).await;
        let mut connection = store.pool.acquire().await.unwrap();
        let explain = |sql: &str| AssertSqlSafe(format!("EXPLAIN FORMAT = TRADITIONAL {sql}"));

        for (from, function, index) in [
            (Index::Newest, false, "invocation_newest"),
            (
                Index::NewestOfFunction,
                true,
                "invocation_newest_of_function",
            ),
            (Index::Failed, false, "invocation_failed"),
            (Index::Failed, true, "invocation_failed"),
        ] {
            let failures = from == Index::Failed;
            let filters = Filters {
                function,
                statuses: usize::from(failures),
                runtime: false,
            };
            let sql = page_query(from, filters);
            let mut query = sqlx::query(explain(&sql)).bind("default");
            if function {
                query = query.bind(functions[0].as_bytes().to_vec());
            }
            let before = START_US + 100_000_000;
            query = query
                .bind(i64::MIN)
                .bind(before)
                .bind(before)
                .bind(vec![0xff_u8; 16]);
            if failures {
                query = query.bind("timeout");
            }
            let rows = query
                .bind(101_i64)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
            let plan = plan(&rows);
            assert!(
                plan.contains(&format!("type range key {index} ")),
                "{sql}\n{plan}"
            );
            // What is found is sorted again, what is looked through is not.
            let lookup = plan.lines().find(|line| line.contains(index)).unwrap();
            assert!(lookup.contains("Using index"), "{sql}\n{plan}");
            assert!(!lookup.contains("filesort"), "{sql}\n{plan}");
        }

        let page = sqlx::query(explain(PAGE))
            .bind("default")
            .bind(vec![0xff_u8; 16])
            .bind(11_i64);
        let rows = page.fetch_all(&mut *connection).await.unwrap();
        let plan_of_page = plan(&rows);
        assert!(
            plan_of_page.contains("type range key function_newest "),
            "{plan_of_page}"
        );
        for table in ["table a", "table v"] {
            let by_key = format!("{table} type eq_ref key PRIMARY ");
            assert!(plan_of_page.contains(&by_key), "{plan_of_page}");
        }

        let versions = sqlx::query(explain(VERSIONS))
            .bind(functions[0].as_bytes().to_vec())
            .bind(i64::MAX)
            .bind(11_i64)
            .bind("default");
        let rows = versions.fetch_all(&mut *connection).await.unwrap();
        assert!(plan(&rows).contains("key PRIMARY"), "{}", plan(&rows));

        for (sql, key) in CURRENT.into_iter().zip(["function_name", "PRIMARY"]) {
            let query = sqlx::query(explain(sql)).bind("default");
            let query = match key {
                "PRIMARY" => query.bind(functions[0].as_bytes().to_vec()),
                _ => query.bind("function-0"),
            };
            let rows = query.fetch_all(&mut *connection).await.unwrap();
            let plan = plan(&rows);
            assert!(
                plan.contains(&format!("table f type const key {key} ")),
                "{sql}\n{plan}"
            );
        }

        for queries in [&OF_ANY_RUNTIME.calls, &OF_ANY_RUNTIME.all] {
            for (sql, bucket_s, index) in [
                (&queries.time, 3_600, "rollup_of_time"),
                (&queries.key, 0, "PRIMARY"),
            ] {
                let figures = sqlx::query(explain(sql))
                    .bind("default")
                    .bind(bucket_s)
                    .bind(0)
                    .bind(i64::MAX)
                    .bind(vec![0_u8; 16]);
                let rows = figures.fetch_all(&mut *connection).await.unwrap();
                let plan = plan(&rows);
                let expected = format!("type range key {index} ");
                assert!(plan.contains(&expected), "{sql}\n{plan}");
            }
        }
        let ids: Vec<_> = functions.iter().map(|id| id.as_bytes().to_vec()).collect();
        for (spans, list) in (1..).zip(&OF_ANY_RUNTIME.of_functions) {
            let (sql, ids) = list.cut(&ids).next().unwrap();
            let mut query = sqlx::query(explain(&sql.0)).bind("default");
            for at in 0..spans {
                let from = START_US + at * 100_000_000;
                query = query
                    .bind([86_400, 3_600, 60][usize::try_from(at).unwrap() % 3])
                    .bind(from)
                    .bind(from + 100_000_000);
            }
            let query = ids.fold(query, |query, id| query.bind(&id[..]));
            let rows = query.fetch_all(&mut *connection).await.unwrap();
            let plan = plan(&rows);
            assert!(plan.contains("type range key PRIMARY "), "{plan}");
            // Neither a temporary table nor a sort: what belongs together lies together.
            assert!(
                !plan.contains("temporary") && !plan.contains("filesort"),
                "{plan}"
            );
        }
        drop(connection);
        store.close().await;
    }
}

/// Rows that the connection's statements have read so far, in indexes and in tables.
async fn rows_read(connection: &mut MySqlConnection) -> u64 {
    let status: Vec<(String, String)> = sqlx::query_as("SHOW SESSION STATUS LIKE 'Handler_read%'")
        .fetch_all(connection)
        .await
        .unwrap();
    // The rows of the statement above are read, too, from a table in memory.
    let counted = status.iter().filter(|(name, _)| !name.contains("rnd"));
    counted
        .map(|(_, value)| value.parse::<u64>().unwrap())
        .sum()
}

#[tokio::test]
async fn pages_read_what_they_show() {
    for server in Server::all() {
        let database = server.database();
        // One connection, whose counts are those of the calls.
        let store = connect::open_with(&database.url(), 1).await.unwrap();
        let functions = fill(&store).await;
        let mut before = rows_read(&mut store.pool.acquire().await.unwrap()).await;
        let mut most = async |what: &str, rows: u64| {
            let after = rows_read(&mut store.pool.acquire().await.unwrap()).await;
            let read = after - std::mem::replace(&mut before, after);
            assert!(read <= rows, "{what} read {read} rows on {}", server.name);
        };
        let mut list = ListInvocations::first(Namespace::default(), 10);
        let page = store.invocation_list(list.clone()).await.unwrap();
        most("the first page", 40).await;
        list.cursor = page.next;
        store.invocation_list(list.clone()).await.unwrap();
        most("the second page", 40).await;
        list.cursor = None;
        list.function = Some(functions[7]);
        list.to = Some(Timestamp::from_microsecond(START_US + 1_000 * 60_000_000).unwrap());
        assert_eq!(
            store
                .invocation_list(list.clone())
                .await
                .unwrap()
                .items
                .len(),
            10
        );
        most("a page of a function up to a time", 40).await;
        list.function = None;
        list.statuses = vec![Status::Timeout];
        let page = store.invocation_list(list.clone()).await.unwrap();
        assert_eq!(page.items.len(), 10);
        most("a page of failures", 60).await;
        list.function = Some(functions[3]);
        let page = store.invocation_list(list.clone()).await.unwrap();
        assert_eq!(page.items.len(), 10);
        most("a page of a function's failures", 60).await;
        list.function = None;
        list.statuses = vec![Status::Crashed];
        assert!(
            store
                .invocation_list(list.clone())
                .await
                .unwrap()
                .items
                .is_empty()
        );
        most("a page of what there is not", 10).await;
        store
            .function_list(ListFunctions::first(Namespace::default(), 5))
            .await
            .unwrap();
        most("a page of functions", 80).await;
        store
            .version_list(ListVersions::first(Namespace::default(), functions[0], 5))
            .await
            .unwrap();
        most("a page of versions", 20).await;
        let selector = FunctionSelector::current(Namespace::default(), FunctionRef::Name(name(3)));
        store.function_get(&selector).await.unwrap();
        most("a function", 20).await;
        let mut all = SummarizeInvocations::all(Namespace::default());
        all.functions_max = 5;
        store.invocation_summary(all).await.unwrap();
        most("a summary", 300).await;
        store.close().await;
    }
}
