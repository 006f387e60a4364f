//! What a store bears: records per second, and how long questions take over millions of them.
//!
//! A million and then ten million invocations of a thousand functions, some called far more often
//! than others, over thirty days, are kept in batches as the recorder does it, each in a namespace
//! of its own; then every question is asked a hundred times of each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::process::cpu_time;
use lambda_benches::report::{Table, milliseconds, thousands};
use lambda_benches::statistics::{Round, Series};
use lambda_benches::store::{History, Questions};
use lambda_benches::{Error, Result};
use lambda_store::Store;
use lambda_store::model::{
    CodeFormat, FunctionConfig, FunctionName, Language, Namespace, Retention,
};
use lambda_store::store::{AppendInvocations, CreateFunction, ListFunctions, PutPackage};

/// Measure a store
#[derive(Debug, Parser)]
struct Args {
    /// The store's URL; it must be empty
    #[arg(long)]
    store: String,
    /// How many invocations
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    invocations: Vec<u64>,
    /// Functions that are called
    #[arg(long, default_value_t = 1_000)]
    called: usize,
    /// Functions that are only listed; 0: none
    #[arg(long, default_value_t = 100_000)]
    listed: u32,
    /// Records in a batch
    #[arg(long, default_value_t = 4_000)]
    batch: usize,
    /// How often each question is asked
    #[arg(long, default_value_t = 100)]
    repetitions: u32,
    /// The process of the database's server, whose CPU time is shown beside our own
    #[arg(long)]
    server_pid: Option<u32>,
    /// Wait for a line of input before each part whose times count, so that what else runs on the
    /// machine can be stopped meanwhile
    #[arg(long)]
    wait: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let store = lambda_store::open(&args.store).await?;
    let mut rates = Table::new(&[
        "invocations",
        "records/s",
        "CPU of this process",
        "of the server",
    ]);
    let mut answers = Vec::new();
    for count in &args.invocations {
        let namespace = Namespace::new(format!("bench-{count}"))?;
        let mut history = History::new(namespace, args.called, *count);
        rates.row(fill(&args, &*store, &mut history, *count).await?);
        ready(&args, "ask")?;
        eprintln!("{count} invocations: asking");
        answers.push(
            Questions::new(&history)
                .ask(&store, args.repetitions)
                .await?,
        );
        eprintln!("{count} invocations: asked");
    }
    println!("\nRecords, in batches of {}:\n\n{rates}", args.batch);
    println!("{}", table(&args.invocations, &answers));
    if args.listed > 0 {
        println!("{}", list_functions(&args, &store).await?);
    }
    store.close().await;
    Ok(())
}

/// Keeps records until there are `until`, and says how fast that was.
async fn fill(
    args: &Args,
    store: &dyn Store,
    history: &mut History,
    until: u64,
) -> Result<[String; 4]> {
    let (begin, kept) = (Instant::now(), history.made());
    let own_cpu = cpu_time(std::process::id())?;
    let server_cpu = args.server_pid.map(cpu_time).transpose()?;
    let now = jiff::Timestamp::now();
    let mut making = Duration::ZERO;
    while history.made() < until {
        let made = Instant::now();
        let size = args.batch.min(usize::try_from(until - history.made())?);
        let entries = history.next(size);
        making += made.elapsed();
        let request = AppendInvocations::new(entries).retention(&Retention::default(), now);
        store.invocation_append(request).await?;
        if history.made().is_multiple_of(250 * args.batch as u64) {
            eprintln!(
                "{} invocations after {:.0} s",
                history.made(),
                begin.elapsed().as_secs_f64()
            );
        }
    }
    let elapsed = begin.elapsed() - making;
    #[allow(clippy::cast_precision_loss)] // Far below 2^52.
    let rate = (until - kept) as f64 / elapsed.as_secs_f64();
    let share = |spent: Duration| {
        format!(
            "{:.0} %",
            100.0 * spent.as_secs_f64() / elapsed.as_secs_f64()
        )
    };
    let own = cpu_time(std::process::id())?.saturating_sub(own_cpu + making);
    let server = match (args.server_pid, server_cpu) {
        (Some(pid), Some(before)) => share(cpu_time(pid)?.saturating_sub(before)),
        _ => "-".to_owned(),
    };
    #[allow(clippy::cast_precision_loss)]
    Ok([thousands(until as f64), thousands(rate), share(own), server])
}

/// Waits for a line of input where that is asked for.
fn ready(args: &Args, to: &str) -> Result<()> {
    if args.wait {
        eprintln!("ready to {to}: waiting for a line");
        std::io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

fn table(counts: &[u64], answers: &[Vec<(&'static str, Series)>]) -> Table {
    let mut head = vec!["question".to_owned()];
    for count in counts {
        #[allow(clippy::cast_precision_loss)]
        let count = thousands(*count as f64);
        head.extend([format!("p50 at {count}"), "p99".to_owned()]);
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(&head);
    for (number, (question, _)) in answers[0].iter().enumerate() {
        let mut cells = vec![(*question).to_owned()];
        for answered in answers {
            let series = &answered[number].1;
            cells.extend([50, 99].map(|percent| milliseconds(series.percentile(percent))));
        }
        table.row(cells);
    }
    table
}

/// Creates functions and lists them all, page by page.
async fn list_functions(args: &Args, store: &Arc<dyn Store>) -> Result<Table> {
    let count = args.listed;
    eprintln!("creating {count} functions");
    let namespace = Namespace::new("listed")?;
    let put = PutPackage::new(bytes::Bytes::from_static(b"print('x')"));
    let code = put.code_ref(CodeFormat::Inline);
    store.package_put(put).await?;
    let begin = Instant::now();
    let mut creating = tokio::task::JoinSet::new();
    for number in 0..count {
        let request = CreateFunction::new(
            namespace.clone(),
            FunctionName::new(format!("f-{number}"))?,
            FunctionConfig::new(Language::Python),
            vec![code],
        );
        let store = Arc::clone(store);
        creating.spawn(async move { store.function_create(request).await.map(drop) });
        if creating.len() >= 8 {
            creating.join_next().await.ok_or("no task")???;
        }
    }
    while let Some(created) = creating.join_next().await {
        created??;
    }
    let created = begin.elapsed();

    ready(args, "list")?;
    let mut pages = Series::new();
    let (begin, mut seen) = (Instant::now(), 0);
    let mut request = ListFunctions::first(namespace, 1_000);
    loop {
        let asked = Instant::now();
        let page = store.function_list(request.clone()).await?;
        let elapsed = asked.elapsed();
        pages.push(Round {
            latencies: vec![elapsed],
            elapsed,
        });
        seen += page.items.len();
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    if seen != count as usize {
        return Err(Error::from(format!(
            "{seen} functions were listed, not {count}"
        )));
    }
    let mut table = Table::new(&[
        "functions",
        "created per second",
        "listed in",
        "p50 of a page of 1,000",
        "p99",
    ]);
    table.row([
        thousands(f64::from(count)),
        thousands(f64::from(count) / created.as_secs_f64()),
        milliseconds(Some(begin.elapsed())),
        milliseconds(pages.percentile(50)),
        milliseconds(pages.percentile(99)),
    ]);
    Ok(table)
}
