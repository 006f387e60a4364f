//! Statements over many rows at once.
//!
//! One statement of many rows costs a fraction of many statements of one. Their text is made of
//! constants, and comes in a few sizes only, so that each connection keeps them prepared.
//!
//! None is longer than one record of TLS. sqlx 0.9.0 leaves Nagle's algorithm on, and sends each
//! record by a write of its own: of a statement of several records the second waits until the
//! server acknowledges the first, which it puts off for 40 ms because it waits for the rest.
//! (See <https://github.com/launchbadge/sqlx/issues/4335>.) A few dozen rows a statement cost
//! hardly more than some hundred.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// Numbers of rows of an insert, the largest first.
const ROWS: [usize; 6] = [64, 32, 16, 8, 4, 1];

/// Lengths of a list of values, the shortest first. Below 1,000: MariaDB makes a temporary table
/// of longer ones.
const VALUES: [usize; 5] = [1, 8, 32, 128, 512];

/// The most bytes of a statement, unless a single row has more: those of a record of TLS, less
/// what goes before the rows.
pub(super) const BYTES_MAX: usize = 16 * 1024 - 256;

/// The bytes of a value's own type and length.
pub(super) const VALUE_BYTES: usize = 4;

/// The text of a statement.
type Sql = AssertSqlSafe<Arc<str>>;

/// An insert of several rows.
pub(super) struct Insert {
    by_rows: [Arc<str>; ROWS.len()],
}

impl Insert {
    /// `head` is up to `VALUES`, `columns` the number of columns, `tail` what follows.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(", "));
        Self {
            by_rows: ROWS.map(|rows| {
                let rows = vec![&*row; rows].join(", ");
                format!("{head} VALUES {rows} {tail}").into()
            }),
        }
    }

    /// Cuts `rows` into the rows of one statement each.
    pub(super) fn cut<'a, T>(
        &'a self,
        rows: &'a [T],
        bytes_of: impl Fn(&T) -> usize + Send + 'a,
    ) -> impl Iterator<Item = (Sql, &'a [T])> + Send
    where
        T: Sync,
    {
        let mut rest = rows;
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fitting = rest
                .iter()
                .take(ROWS[0])
                .take_while(|row| {
                    bytes += bytes_of(row);
                    bytes <= BYTES_MAX
                })
                .count();
            let at = ROWS.iter().position(|rows| *rows <= fitting.max(1))?;
            let (rows, behind) = rest.split_at_checked(ROWS[at])?;
            rest = behind;
            Some((AssertSqlSafe(Arc::clone(&self.by_rows[at])), rows))
        })
    }
}

/// A statement with a list of values of one column.
pub(super) struct InList {
    by_values: [Arc<str>; VALUES.len()],
}

impl InList {
    /// `head` is up to the list, `tail` what follows.
    pub(super) fn new(head: &str, tail: &str) -> Self {
        Self {
            by_values: VALUES.map(|values| {
                let values = vec!["?"; values].join(", ");
                format!("{head} ({values}) {tail}").into()
            }),
        }
    }

    /// Cuts `values` into the lists of one statement each: as long as the statement's list, the
    /// last value repeated where there are fewer.
    pub(super) fn cut<'a, T>(
        &'a self,
        values: &'a [T],
    ) -> impl Iterator<Item = (Sql, impl Iterator<Item = &'a T> + Send)> + Send
    where
        T: Sync,
    {
        values.chunks(VALUES[VALUES.len() - 1]).map(|some| {
            // No chunk is empty, or longer than the longest list.
            let at = VALUES.iter().position(|values| *values >= some.len());
            let at = at.unwrap_or_default();
            let padding = some[some.len() - 1..].iter().cycle();
            let padded = some.iter().chain(padding).take(VALUES[at]);
            (AssertSqlSafe(Arc::clone(&self.by_values[at])), padded)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(rows: &[usize]) -> Vec<usize> {
        let insert = Insert::new("INSERT INTO t", 2, "");
        let mut sizes = Vec::new();
        for (sql, some) in insert.cut(rows, |bytes| *bytes) {
            assert_eq!(sql.0.matches("(?, ?)").count(), some.len());
            sizes.push(some.len());
        }
        assert_eq!(sizes.iter().sum::<usize>(), rows.len());
        sizes
    }

    #[test]
    fn rows_are_cut_into_few_sizes() {
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1; 150]), [64, 64, 16, 4, 1, 1]);
        assert_eq!(sizes(&[BYTES_MAX / 20; 40]), [16, 16, 8]);
        // One that is over the bound goes alone.
        assert_eq!(sizes(&[1, BYTES_MAX + 1, 1]), [1, 1, 1]);
    }

    #[test]
    fn lists_are_filled_up() {
        let list = InList::new("IN", "");
        let values: Vec<usize> = (0..700).collect();
        let lists: Vec<(usize, Vec<usize>)> = list
            .cut(&values)
            .map(|(sql, values)| (sql.0.matches('?').count(), values.copied().collect()))
            .collect();
        assert_eq!(lists.len(), 2);
        assert_eq!((lists[0].0, &lists[0].1[..]), (512, &values[..512]));
        assert_eq!((lists[1].0, lists[1].1.len()), (512, 512));
        assert_eq!(lists[1].1[187..190], [699, 699, 699]);
        let one: Vec<_> = list.cut(&[7_usize]).map(|(sql, _)| sql.0).collect();
        assert_eq!(&*one[0], "IN (?) ");
        assert!(list.cut::<usize>(&[]).next().is_none());
    }
}
