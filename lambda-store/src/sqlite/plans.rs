//! How the database works a statement out, for tests.

use sqlx::{AssertSqlSafe, Row as _};

/// Checks that the plan has these steps, no more scans than named, and `sorts` sorts.
pub(super) async fn assert_plan(sql: &str, steps: &[&str], sorts: usize) {
    let store = crate::SqliteStore::open_in_memory().await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .fetch_all(&store.reader)
        .await
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    let plan = found.join("\n");
    for step in steps {
        assert!(
            plan.contains(step),
            "no {step:?} in the plan of {sql}:\n{plan}"
        );
    }
    for step in &found {
        let named = steps.iter().any(|named| step.contains(named));
        assert!(
            named || !step.starts_with("SCAN"),
            "{step:?} in the plan of {sql}:\n{plan}"
        );
    }
    let found = plan.matches("USE TEMP B-TREE").count();
    assert_eq!(found, sorts, "sorts in the plan of {sql}:\n{plan}");
}
