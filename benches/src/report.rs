//! The tables, as text or in Markdown: it is the same.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// A table in Markdown, with its columns aligned.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a head.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::from("|");
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // The first column is words, the others are figures.
                match column {
                    0 => write!(line, " {cell:<width$} |")?,
                    _ => write!(line, " {cell:>width$} |")?,
                }
            }
            writeln!(f, "{line}")?;
            if number == 0 {
                f.write_str("|")?;
                for (column, &width) in widths.iter().enumerate() {
                    let colon = if column == 0 { "-" } else { ":" };
                    write!(f, "-{}{colon}|", "-".repeat(width))?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// A latency in milliseconds, with as many digits as mean something.
#[must_use]
pub fn milliseconds(latency: Option<Duration>) -> String {
    let Some(latency) = latency else {
        return "-".to_owned();
    };
    let milliseconds = latency.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.3} ms"),
        ..100.0 => format!("{milliseconds:.1} ms"),
        _ => format!("{milliseconds:.0} ms"),
    }
}

/// A count with its thousands set apart.
#[must_use]
pub fn thousands(count: f64) -> String {
    if count < 100.0 {
        return format!("{count:.1}");
    }
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut table = Table::new(&["way", "p50"]);
        table.row(["bare".to_owned(), "1.5 ms".to_owned()]);
        let expected = "| way  |    p50 |\n|------|-------:|\n| bare | 1.5 ms |\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        let latency = |micros| milliseconds(Some(Duration::from_micros(micros)));
        assert_eq!(latency(51), "0.051 ms");
        assert_eq!(latency(12_345), "12.3 ms");
        assert_eq!(latency(512_345), "512 ms");
        assert_eq!(milliseconds(None), "-");
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(123.0), "123");
        assert_eq!(thousands(3.24), "3.2");
    }
}
