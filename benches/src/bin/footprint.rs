//! What idles costs: memory of one sandbox, CPU of many, and the platform's own memory.

use std::fs;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, StatsOptionsBuilder};
use clap::Parser;
use futures_util::StreamExt as _;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::interrupt::interruptible;
use lambda_benches::local::{Local, echo, without_prewarming};
use lambda_benches::process::rss_mib;
use lambda_benches::report::Table;
use lambda_store::ExecuteRequest;
use lambda_store::model::Language;

/// Of how many the memory is measured, for a mean.
const MEASURED: u32 = 5;

/// Measure what idles
#[derive(Debug, Parser)]
struct Args {
    /// Sandboxes whose CPU time is measured
    #[arg(long, default_value_t = 50)]
    idle: u32,
    /// Sandboxes beside which the platform's memory is measured; 0: none
    #[arg(long, default_value_t = 100)]
    many: u32,
    /// How long CPU time is measured, in seconds; 0: not at all
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    interruptible(Box::pin(measure(Args::parse()))).await
}

async fn measure(args: Args) -> Result<()> {
    let docker = Docker::connect_with_unix_defaults()?
        .negotiate_version()
        .await?;
    let mut memory = Table::new(&["one idle warm sandbox", "its cgroup", "containerd's shim"]);
    let mut cpu = Table::new(&["CPU of idle sandboxes", "not frozen", "frozen"]);
    let mut own = Table::new(&["the platform's process", "RSS", "without any"]);
    for backend in Backend::chosen(args.only.as_deref())? {
        for language in Language::ALL {
            let local = Local::start(backend, without_prewarming).await?;
            let result = memory_of_one(&docker, &local, language).await;
            let (cgroup, shim) = local.close(result).await?;
            memory.row([
                format!("{}, {language}", backend.name()),
                format!("{cgroup:.1} MiB"),
                shim.map_or_else(|| "not readable".to_owned(), |mib| format!("{mib:.1} MiB")),
            ]);
        }
        if args.seconds > 0 {
            let mut row = vec![format!("{}, {} Python", backend.name(), args.idle)];
            for freezes in [false, true] {
                let local = Local::start(backend, |pool| {
                    without_prewarming(pool);
                    pool.freeze_after = freezes.then_some(Duration::from_millis(500));
                })
                .await?;
                let result = cores_in_use(&docker, &local, &args, freezes).await;
                let cores = local.close(result).await?;
                row.push(format!("{:.2} % of a core", cores * 100.0));
            }
            cpu.row(row);
        }
        if args.many > 0 {
            let local = Local::start(backend, without_prewarming).await?;
            let before = rss_mib()?;
            let result = warm_up(&local, Language::Python, args.many).await;
            let result = result.and_then(|()| rss_mib());
            let after = local.close(result).await?;
            own.row([
                format!("beside {} sandboxes, {}", args.many, backend.name()),
                format!("{after:.0} MiB"),
                format!("{before:.0} MiB"),
            ]);
        }
    }
    println!("{memory}\n{cpu}\n{own}");
    Ok(())
}

/// Calls so many functions, each a few times.
async fn warm_up(local: &Local, language: Language, count: u32) -> Result<()> {
    for number in 0..count {
        let name = format!("f{number}");
        let function = local
            .deploy(&name, language, echo(language), |_| {})
            .await?;
        for _ in 0..10 {
            let request = ExecuteRequest::new(function);
            let outcome = local.platform.execute(request).await?;
            if !outcome.is_success() {
                return Err(format!("the function failed: {outcome:?}").into());
            }
        }
    }
    local.settle(|stats| stats.idle == count).await
}

/// Of its cgroup and of its shim, in MiB.
async fn memory_of_one(
    docker: &Docker,
    local: &Local,
    language: Language,
) -> Result<(f64, Option<f64>)> {
    warm_up(local, language, MEASURED).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut cgroups, mut shims) = (0.0, Some(0.0));
    let ids = containers(docker, local).await?;
    if ids.len() != MEASURED as usize {
        return Err(format!("{} sandboxes instead of {MEASURED}", ids.len()).into());
    }
    for id in ids {
        // Far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let bytes = usage(docker, &id).await?.0 as f64;
        cgroups += bytes / f64::from(1 << 20);
        let inspected = docker.inspect_container(&id, None).await?;
        let pid = inspected.state.and_then(|state| state.pid).unwrap_or(0);
        shims = shims.zip(parent(pid).and_then(pss_mib)).map(|(a, b)| a + b);
    }
    let count = f64::from(MEASURED);
    Ok((cgroups / count, shims.map(|mib| mib / count)))
}

/// How many cores are in use.
async fn cores_in_use(docker: &Docker, local: &Local, args: &Args, freezes: bool) -> Result<f64> {
    warm_up(local, Language::Python, args.idle).await?;
    let frozen = if freezes { args.idle } else { 0 };
    local.settle(|stats| stats.frozen == frozen).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ids = containers(docker, local).await?;
    let before = cpu_of(docker, &ids).await?;
    let length = Duration::from_secs(args.seconds);
    tokio::time::sleep(length).await;
    let after = cpu_of(docker, &ids).await?;
    Ok(after.saturating_sub(before).as_secs_f64() / length.as_secs_f64())
}

async fn cpu_of(docker: &Docker, ids: &[String]) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for id in ids {
        sum += usage(docker, id).await?.1;
    }
    Ok(sum)
}

/// The platform's containers: those that mount something of its data directory.
async fn containers(docker: &Docker, local: &Local) -> Result<Vec<String>> {
    let options = ListContainersOptionsBuilder::default().build();
    let all = docker.list_containers(Some(options)).await?;
    let directory = local.data_dir();
    let is_own = |container: &bollard::models::ContainerSummary| {
        let mut mounts = container.mounts.iter().flatten();
        mounts.any(|mount| {
            let source = mount.source.as_deref().unwrap_or_default();
            std::path::Path::new(source).starts_with(directory)
        })
    };
    let own = all.into_iter().filter(is_own);
    Ok(own.filter_map(|container| container.id).collect())
}

/// Memory in bytes, without the file pages that the kernel would give up first; and CPU time.
async fn usage(docker: &Docker, id: &str) -> Result<(u64, Duration)> {
    let options = StatsOptionsBuilder::default()
        .stream(false)
        .one_shot(true)
        .build();
    let mut stats = std::pin::pin!(docker.stats(id, Some(options)));
    let stats = stats.next().await.ok_or("no figures")??;
    let memory = stats.memory_stats.ok_or("no figures of memory")?;
    let details = memory.stats.unwrap_or_default();
    let inactive = details
        .get("total_inactive_file")
        .or_else(|| details.get("inactive_file"))
        .copied()
        .unwrap_or(0);
    let used = memory.usage.ok_or("no figure of memory")?;
    let cpu = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
    let cpu = Duration::from_nanos(cpu.ok_or("no figure of CPU time")?);
    Ok((used.saturating_sub(inactive), cpu))
}

/// The process that started a container's main process: its shim.
fn parent(pid: i64) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// A process's memory, what it shares divided by those who share it. Needs root.
fn pss_mib(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
