//! What the commands print: tables for people, JSON for scripts.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::json;

use crate::failure::{Failure, Result};

/// Prints a failure to stderr.
pub(crate) fn report(failure: &Failure, json: bool) {
    let mut err = io::stderr().lock();
    // Where stderr is closed there is nobody left to tell.
    let _ = if json {
        let body = json!({"error": {
            "code": failure.code, "message": failure.message, "hint": failure.hint,
        }});
        writeln!(err, "{body}")
    } else {
        let hint = failure.hint.as_deref().unwrap_or_default();
        let lines = format!("error: {failure}\n{hint}");
        writeln!(err, "{}", visible(lines.trim_end()))
    };
}

/// Prints a line to stdout. A reader that has gone (`lambda list | head -1`) is no failure.
pub(crate) fn print(line: &str) -> Result<()> {
    write(io::stdout().lock(), line)
}

/// Prints text of a function as it is to stdout, without a line feed of ours.
pub(crate) fn text(text: &str) -> Result<()> {
    put(io::stdout().lock(), &foreign(text), "")
}

/// Prints text of a function to stderr, without a line feed of ours.
pub(crate) fn error_text(text: &str) -> Result<()> {
    put(io::stderr().lock(), &visible(text), "")
}

/// Prints a line to stderr.
pub(crate) fn note(line: &str) -> Result<()> {
    write(io::stderr().lock(), line)
}

fn write(to: impl io::Write, line: &str) -> Result<()> {
    put(to, line, "\n")
}

fn put(mut to: impl io::Write, text: &str, end: &str) -> Result<()> {
    match write!(to, "{text}{end}").and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(format!(
            "The output could not be written: {error}."
        ))),
        _ => Ok(()),
    }
}

/// Text of a function for stdout: as it is for a pipe, without control characters for a
/// terminal, which would obey them.
pub(crate) fn foreign(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() {
        visible(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// `text` with its control characters, but for line feeds and tabs, made visible.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Columns, each as wide as its widest cell.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .chain([header[column].len()])
                .max()
                .unwrap_or_default()
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut header.iter().copied())];
    for row in rows {
        lines.push(line(&mut row.iter().map(String::as_str)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), "d".to_owned()],
        ];
        assert_eq!(
            table(&["N", "VERSION"], &rows),
            "N    VERSION\na    bb\nccc  d"
        );
    }

    #[test]
    fn a_terminal_obeys_no_function() {
        assert_eq!(visible("a\tb\nc"), "a\tb\nc");
        assert_eq!(visible("\u{1b}[2Jx\r\u{9b}"), "\\u{1b}[2Jx\\r\\u{9b}");
    }
}
