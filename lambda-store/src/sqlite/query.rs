//! Statements about many rows at once.
//!
//! A statement costs a message to the connection's thread and back, some 20 microseconds: more
//! than a row. So rows go in and out many at a time, by a few statements that stay prepared: of
//! many rows, of some, and of one for what is left over.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

/// One statement in several sizes, the largest first, the last of one row.
pub(super) struct Sizes([Statement; 3]);

/// A statement about a number of rows.
pub(super) struct Statement {
    rows: usize,
    sql: Arc<str>,
}

impl Sizes {
    /// `before`, then `row` as often as there are rows, then `after`: constants only.
    pub(super) fn new(
        sizes: [usize; 3],
        before: &'static str,
        row: &'static str,
        after: &'static str,
    ) -> Self {
        Self(sizes.map(|rows| Statement {
            rows,
            sql: format!("{before} {} {after}", vec![row; rows].join(", ")).into(),
        }))
    }

    /// Cuts `items` into pieces that there is a statement for.
    pub(super) fn cut<'a, T>(
        &'a self,
        items: &'a [T],
    ) -> impl Iterator<Item = (&'a Statement, &'a [T])> {
        let mut rest = items;
        self.0.iter().flat_map(move |statement| {
            let whole = rest.len() / statement.rows * statement.rows;
            let (pieces, behind) = rest.split_at(whole);
            rest = behind;
            pieces
                .chunks(statement.rows)
                .map(move |piece| (statement, piece))
        })
    }

    #[cfg(test)]
    pub(super) fn sql(&self) -> &str {
        &self.0[0].sql
    }
}

impl Statement {
    /// The statement, with nothing bound to it.
    pub(super) fn query(&self) -> Query<'static, Sqlite, SqliteArguments> {
        // Made of constants only.
        sqlx::query(AssertSqlSafe(Arc::clone(&self.sql)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_piece() {
        let sizes = Sizes::new([8, 3, 1], "VALUES", "(?)", "");
        for length in 0..40 {
            let items: Vec<_> = (0..length).collect();
            let mut seen = Vec::new();
            for (statement, piece) in sizes.cut(&items) {
                assert_eq!(statement.rows, piece.len());
                assert_eq!(statement.sql.matches('?').count(), piece.len());
                seen.extend_from_slice(piece);
            }
            assert_eq!(seen, items);
        }
    }
}
