//! `lambda metrics`

use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use lambda_core::Store;
use lambda_core::model::{FunctionId, FunctionRef, FunctionSelector, Namespace};
use lambda_core::store::SummarizeInvocations;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::{Cli, MetricsArgs};
use crate::client::Client;
use crate::failure::{Failure, Result};
use crate::{local, terminal};

#[derive(Deserialize)]
struct Summary {
    totals: Figures,
    functions: Vec<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Deserialize)]
struct Figures {
    calls: u64,
    errors: u64,
    cold: u64,
    prewarmed: u64,
    warm: u64,
    avg_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_memory_mib: Option<u32>,
}

pub(crate) async fn run(cli: &Cli, args: &MetricsArgs) -> Result<ExitCode> {
    let client = Client::new(cli, &args.server)?;
    let from = match &args.since {
        Some(since) => Some(back(since)?),
        None => args.from,
    };
    let mut query = Vec::new();
    if let Some(name) = &args.name {
        query.push(format!("function={}", encoded(name)));
    }
    for (field, time) in [("from", from), ("to", args.to)] {
        if let Some(time) = time {
            query.push(format!("{field}={}", encoded(&time.to_string())));
        }
    }
    let path = format!("/metrics/summary?{}", query.join("&"));
    let summary: Value = match client.get(&path).await {
        Ok(answer) => answer.parse()?,
        Err(failure) => {
            let store = local::store_instead(cli, &client, failure).await?;
            let found = from_store(&*store, args, from).await;
            store.close().await;
            found?
        }
    };
    if cli.json {
        terminal::print(&summary.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let summary: Summary = serde_json::from_value(summary).map_err(|error| {
        Failure::new(format!("The figures are not what was expected: {error}."))
            .hint("Is it a `lambda` server, and as new as this command?")
    })?;
    terminal::print(&table(&summary))?;
    Ok(ExitCode::SUCCESS)
}

fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

async fn from_store(
    store: &dyn Store,
    args: &MetricsArgs,
    from: Option<Timestamp>,
) -> Result<Value> {
    let mut wanted = SummarizeInvocations::all(Namespace::default());
    if let Some(name) = &args.name {
        wanted.function = Some(function_id(store, name).await?);
    }
    wanted.from = from;
    wanted.to = args.to;
    let found = store.invocation_summary(wanted).await?;
    serde_json::to_value(&found)
        .map_err(|error| Failure::new(format!("The figures cannot be printed: {error}.")))
}

pub(super) async fn function_id(store: &dyn Store, name: &str) -> Result<FunctionId> {
    let function = name.parse::<FunctionRef>()?;
    if let FunctionRef::Id(id) = function {
        return Ok(id);
    }
    let selector = FunctionSelector::current(Namespace::default(), function);
    Ok(store.function_get(&selector).await?.id)
}

/// The time that is as long ago as `text` says.
fn back(text: &str) -> Result<Timestamp> {
    let wrong = || {
        Failure::usage(format!("`{text}` is not a length of time."))
            .hint("Write it like 30m, 24h or 7d.")
    };
    let unit_at = text
        .len()
        .checked_sub(1)
        .filter(|at| text.is_char_boundary(*at));
    let (number, unit) = text.split_at(unit_at.ok_or_else(wrong)?);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return Err(wrong()),
    };
    let length = SignedDuration::from_mins(i64::from(number) * minutes);
    Timestamp::now().checked_sub(length).map_err(|_| wrong())
}

fn table(summary: &Summary) -> String {
    if summary.totals.calls == 0 {
        return "There are no invocations in this time.".to_owned();
    }
    let rows = summary.functions.iter();
    let mut rows: Vec<_> = rows
        .map(|function| row(&function.name, &function.figures))
        .collect();
    rows.push(row("(all)", &summary.totals));
    let header = [
        "FUNCTION",
        "CALLS",
        "ERRORS",
        "COLD",
        "PREWARMED",
        "WARM",
        "AVG MS",
        "P50",
        "P90",
        "P99",
        "MEMORY",
    ];
    terminal::table(&header, &rows)
}

fn row(name: &str, figures: &Figures) -> Vec<String> {
    let ms = |ms: f64| format!("{ms:.1}");
    vec![
        terminal::visible(name).into_owned(),
        figures.calls.to_string(),
        figures.errors.to_string(),
        figures.cold.to_string(),
        figures.prewarmed.to_string(),
        figures.warm.to_string(),
        ms(figures.avg_ms),
        ms(figures.p50_ms),
        ms(figures.p90_ms),
        ms(figures.p99_ms),
        match figures.max_memory_mib {
            Some(mib) => format!("{mib} MiB"),
            None => String::new(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let hours = |since: &str| {
            let ago = Timestamp::now().duration_since(back(since).unwrap());
            (ago.as_mins() + 1) / 60
        };
        assert_eq!(hours("90m"), 1);
        assert_eq!(hours("24h"), 24);
        assert_eq!(hours("7d"), 168);
        for bad in ["", "h", "7", "-1h", "1w", "1\u{e9}", "99999999999d"] {
            assert!(back(bad).is_err(), "{bad}");
        }
    }
}
