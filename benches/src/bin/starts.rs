//! How long the first call of a new function takes, with a prewarmed sandbox, and without one.
//!
//! Every first call is of a function of its own, deployed just before.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::report::{Table, milliseconds};
use lambda_benches::statistics::{Round, Series};
use lambda_store::model::{CodeSource, FunctionId, Language, StartKind};
use lambda_store::pool::{PoolOptions, SandboxClass};
use lambda_store::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_store::{ExecuteRequest, NewFunction, Platform, Runtime};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

/// Measure the first call of new functions
#[derive(Debug, Parser)]
struct Args {
    /// New functions of each kind
    #[arg(long, default_value_t = 30)]
    functions: u32,
    /// How long a prewarmed sandbox has been ready at least, in milliseconds: it goes on
    /// loading what it may need
    #[arg(long, default_value_t = 300)]
    ready_ms: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
    /// Leave out the calls with nothing prewarmed
    #[arg(long)]
    prewarmed: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = Table::new(&[
        "first call of a new function",
        "start",
        "p50",
        "p99",
        "p99 / p50",
        "init p50",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        for language in Language::ALL {
            for is_zip in [false, true] {
                let start = StartKind::Prewarmed;
                let mut starts = Starts::new(backend, language, 1).await?;
                starts.ready = Duration::from_millis(args.ready_ms);
                table.row(starts.measure(is_zip, start, args.functions).await?);
            }
            if args.prewarmed {
                continue;
            }
            let starts = Starts::new(backend, language, 0).await?;
            let few = args.functions.min(10);
            table.row(starts.measure(false, StartKind::Cold, few).await?);
        }
    }
    println!("{table}");
    Ok(())
}

/// A platform, and what is deployed on it.
struct Starts {
    platform: Platform,
    backend: Backend,
    language: Language,
    ready: Duration,
    _data_dir: TempDir,
}

impl Starts {
    async fn new(backend: Backend, language: Language, prewarmed: u32) -> Result<Self> {
        let data_dir = tempfile::Builder::new().prefix("lambda-bench-").tempdir()?;
        let options = ContainerOptions::new(data_dir.path());
        let runtime: Arc<dyn Runtime> = match backend {
            Backend::Docker => Arc::new(DockerRuntime::connect(options)?),
            Backend::Gvisor => Arc::new(GvisorRuntime::connect(options)?),
        };
        let path = data_dir.path().join("lambda.db");
        let mut pool = PoolOptions::default();
        let class = SandboxClass::new(backend.runtime(), language);
        pool.prewarmed_classes = vec![(class, prewarmed)];
        let platform = Platform::builder()
            .data_dir(data_dir.path())
            .store(lambda_store::open(&format!("sqlite://{}", path.display())).await?)
            .runtime(runtime)
            .pool(pool)
            .build()
            .await?;
        Ok(Self {
            platform,
            backend,
            language,
            ready: Duration::ZERO,
            _data_dir: data_dir,
        })
    }

    /// Measures, and closes the platform.
    async fn measure(self, is_zip: bool, start: StartKind, count: u32) -> Result<Vec<String>> {
        let result = self.first_calls(is_zip, start, count).await;
        self.platform.close().await;
        let (total, init) = result?;
        let code = if is_zip { "1 MB zip" } else { "inline" };
        let start = match start {
            StartKind::Cold => "nothing prewarmed",
            _ => "prewarmed",
        };
        let (p50, p99) = (total.percentile(50), total.percentile(99));
        let spread = p99.ok_or("no call")?.as_secs_f64() / p50.ok_or("no call")?.as_secs_f64();
        Ok(vec![
            format!("{}, {}, {code}", self.backend.name(), self.language),
            start.to_owned(),
            milliseconds(p50),
            milliseconds(p99),
            format!("{spread:.1}"),
            milliseconds(init.percentile(50)),
        ])
    }

    async fn first_calls(
        &self,
        is_zip: bool,
        start: StartKind,
        count: u32,
    ) -> Result<(Series, Series)> {
        let (mut total, mut init) = (Round::default(), Round::default());
        let prewarmed = u32::from(start == StartKind::Prewarmed);
        // The first ones warm the platform itself up.
        for number in 0..count + 2 {
            self.settle(prewarmed).await?;
            tokio::time::sleep(self.ready).await;
            let function = self.deploy(number, is_zip).await?;
            let began = Instant::now();
            let outcome = self.platform.execute(ExecuteRequest::new(function)).await?;
            let took = began.elapsed();
            if !outcome.is_success() || outcome.start != start {
                return Err(format!("not as it should be: {outcome:?}").into());
            }
            if number >= 2 {
                total.latencies.push(took);
                init.latencies.push(outcome.timings.init);
            }
            self.platform.function_delete(&function.into()).await?;
        }
        let series = |round| {
            let mut series = Series::new();
            series.push(round);
            series
        };
        Ok((series(total), series(init)))
    }

    /// Waits until so many are prewarmed, and nothing else is under way.
    async fn settle(&self, prewarmed: u32) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let stats = self.platform.pool_stats().ok_or("there is no pool")?;
            if stats.prewarmed == prewarmed && stats.sandboxes() == prewarmed {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the pool does not settle: {stats:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn deploy(&self, number: u32, is_zip: bool) -> Result<FunctionId> {
        let source = match self.language {
            Language::Python => format!("def handler(event, context):\n    return {number}\n"),
            _ => format!("exports.handler = async () => {number};\n"),
        };
        let name = format!("f{number}");
        let mut function = match self.language {
            Language::Python => NewFunction::python(&name, source.as_str())?,
            _ => NewFunction::javascript(&name, source.as_str())?,
        };
        if is_zip {
            let file = match self.language {
                Language::Python => "app.py",
                _ => "app.js",
            };
            function.code = CodeSource::Zip(archive(file, &source)?.into());
        }
        function = function.handler("app.handler");
        function.config.runtime = self.backend.runtime();
        Ok(self.platform.deploy(function).await?.id)
    }
}

/// 1 MB in 20 files that do not deflate, and the handler's.
fn archive(name: &str, source: &str) -> Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, SimpleFileOptions::default())?;
    archive.write_all(source.as_bytes())?;
    let mut state = 1_u32;
    for number in 0..20 {
        archive.start_file(format!("data{number}.bin"), SimpleFileOptions::default())?;
        let mut bytes = vec![0_u8; 50_000];
        for byte in &mut bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
