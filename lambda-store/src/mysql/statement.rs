//! Statements over many rows at once.
//!
//! One statement of many rows costs a fraction of many statements of one. Their text is made of
//! constants, and comes in a few sizes only, so that each connection keeps them prepared.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// Numbers of rows of an insert, the largest first.
const ROWS: [usize; 5] = [256, 64, 16, 4, 1];

/// Lengths of a list of values, the shortest first. Below 1,000: MariaDB makes a temporary table
/// of longer ones.
const VALUES: [usize; 5] = [1, 8, 32, 128, 512];

/// The most bytes of a statement, unless a single row has more: well below the
/// `max_allowed_packet` of any server (16 MiB and 64 MiB unless told, and 1 MiB long ago).
const BYTES_MAX: usize = 768 * 1024;

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

    /// The rows of the next statement, those after it, and the statement. None: no rows are left.
    pub(super) fn next<'a, T>(
        &self,
        rest: &'a [T],
        bytes_of: impl Fn(&T) -> usize,
    ) -> Option<(&'a [T], &'a [T], AssertSqlSafe<Arc<str>>)> {
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
        Some((rows, behind, AssertSqlSafe(Arc::clone(&self.by_rows[at]))))
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

    /// The values of the next statement, those after it, and the statement. The first are as many
    /// as the list is long: the last one is repeated where there are fewer.
    pub(super) fn next<'a, T>(
        &self,
        rest: &'a [T],
    ) -> Option<(
        impl Iterator<Item = &'a T>,
        &'a [T],
        AssertSqlSafe<Arc<str>>,
    )> {
        let (some, behind) = rest.split_at(rest.len().min(VALUES[VALUES.len() - 1]));
        let last = some.last()?;
        let at = VALUES.iter().position(|values| *values >= some.len())?;
        let missing = VALUES[at] - some.len();
        let padded = some.iter().chain(std::iter::repeat_n(last, missing));
        Some((
            padded,
            behind,
            AssertSqlSafe(Arc::clone(&self.by_values[at])),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(rows: &[usize]) -> Vec<usize> {
        let insert = Insert::new("INSERT INTO t", 2, "");
        let mut sizes = Vec::new();
        let mut rest = rows;
        while let Some((some, behind, sql)) = insert.next(rest, |bytes| *bytes) {
            assert_eq!(sql.0.matches("(?, ?)").count(), some.len());
            sizes.push(some.len());
            rest = behind;
        }
        assert_eq!(sizes.iter().sum::<usize>(), rows.len());
        sizes
    }

    #[test]
    fn rows_are_cut_into_few_sizes() {
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1; 600]), [256, 256, 64, 16, 4, 4]);
        assert_eq!(sizes(&[BYTES_MAX / 20; 40]), [16, 16, 4, 4]);
        // One that is over the bound goes alone.
        assert_eq!(sizes(&[1, BYTES_MAX + 1, 1]), [1, 1, 1]);
    }

    #[test]
    fn lists_are_filled_up() {
        let list = InList::new("IN", "");
        let values: Vec<usize> = (0..700).collect();
        let (first, rest, _) = list.next(&values).unwrap();
        assert_eq!(first.count(), 512);
        let (second, rest, sql) = list.next(rest).unwrap();
        let second: Vec<_> = second.copied().collect();
        assert_eq!(second.len(), 512);
        assert_eq!(second[187..190], [699, 699, 699]);
        assert_eq!(sql.0.matches('?').count(), 512);
        assert!(list.next(rest).is_none());
        let (one, _, sql) = list.next(&[7_usize]).unwrap();
        assert_eq!((one.count(), &*sql.0), (1, "IN (?) "));
    }
}
