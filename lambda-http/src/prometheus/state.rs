//! How the platform stands, looked at when somebody asks.

use std::fmt;

use lambda_core::Platform;
use lambda_core::pool::{BreakerState, PoolCounters, PoolStats, RuntimeStats};
use lambda_core::recorder::RecorderStatus;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

const MIB: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct State {
    platform: Platform,
}

impl State {
    pub(super) fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        if let Some(stats) = self.platform.pool_stats() {
            pool(&mut encoder, &stats)?;
        }
        if let Some(status) = self.platform.recorder_status() {
            recorder(&mut encoder, &status)?;
        }
        Ok(())
    }
}

fn pool(encoder: &mut DescriptorEncoder, stats: &PoolStats) -> fmt::Result {
    let states = [
        ("creating", stats.creating),
        ("prewarmed", stats.prewarmed),
        ("idle", stats.idle),
        ("busy", stats.busy),
        ("removing", stats.removing),
    ];
    let states = states.map(|(state, count)| (state.to_owned(), u64::from(count)));
    gauges(encoder, "lambda_sandboxes", "Sandboxes.", "state", &states)?;
    gauge(
        encoder,
        "lambda_sandboxes_frozen",
        "Sandboxes that are frozen, of those without work.",
        None,
        u64::from(stats.frozen),
    )?;
    gauge(
        encoder,
        "lambda_sandboxes_memory_limit",
        "The memory limits of all sandboxes together.",
        Some(&Unit::Bytes),
        stats.memory_mib * MIB,
    )?;
    gauge(
        encoder,
        "lambda_queue_length",
        "Invocations that wait for a sandbox.",
        None,
        u64::from(stats.waiting),
    )?;
    if let Some(oldest) = stats.oldest_wait {
        let name = "lambda_queue_oldest_wait";
        let help = "How long the invocation that came first has waited.";
        let seconds = Some(&Unit::Seconds);
        let metric = encoder.encode_descriptor(name, help, seconds, MetricType::Gauge)?;
        ConstGauge::new(oldest.as_secs_f64()).encode(metric)?;
    }
    let of_each = |value: fn(&RuntimeStats) -> u64| {
        let runtimes = stats.runtimes.iter();
        runtimes
            .map(|runtime| (runtime.runtime.to_string(), value(runtime)))
            .collect::<Vec<_>>()
    };
    gauges(
        encoder,
        "lambda_runtime_breaker_open",
        "1: callers that need a new sandbox are refused.",
        "runtime",
        &of_each(|runtime| u64::from(runtime.breaker == BreakerState::Open)),
    )?;
    gauges(
        encoder,
        "lambda_runtime_failures",
        "Sandboxes that could not be created since one could.",
        "runtime",
        &of_each(|runtime| u64::from(runtime.failures)),
    )?;
    counters(encoder, &stats.counters)
}

fn counters(encoder: &mut DescriptorEncoder, counters: &PoolCounters) -> fmt::Result {
    for (name, help, value) in [
        (
            "lambda_sandbox_creations",
            "Attempts to create a sandbox.",
            counters.creations,
        ),
        (
            "lambda_sandbox_create_failures",
            "Attempts to create a sandbox that failed.",
            counters.create_failures,
        ),
        (
            "lambda_sandbox_evictions",
            "Sandboxes that made room for others.",
            counters.evictions,
        ),
        (
            "lambda_sandbox_deaths",
            "Sandboxes without work that were found dead.",
            counters.deaths,
        ),
        (
            "lambda_throttled_queue_full",
            "Invocations refused because too many waited.",
            counters.throttled_queue_full,
        ),
        (
            "lambda_throttled_queue_timeout",
            "Invocations refused because no sandbox became free in time.",
            counters.throttled_queue_timeout,
        ),
    ] {
        counter(encoder, name, help, value)?;
    }
    Ok(())
}

fn recorder(encoder: &mut DescriptorEncoder, status: &RecorderStatus) -> fmt::Result {
    let bytes = Some(&Unit::Bytes);
    for (name, help, unit, value) in [
        (
            "lambda_recorder_pending_records",
            "Records that the store has not taken yet.",
            None,
            status.pending_records,
        ),
        (
            "lambda_recorder_pending",
            "The size of the records that the store has not taken yet.",
            bytes,
            status.pending_bytes,
        ),
        (
            "lambda_recorder_journal",
            "The size of the journal.",
            bytes,
            status.journal_bytes,
        ),
        (
            "lambda_recorder_journal_max",
            "The size of the journal at which new records are shed.",
            bytes,
            status.journal_bytes_max,
        ),
        (
            "lambda_recorder_store_up",
            "0: the store takes no records at the moment.",
            None,
            u64::from(status.store.is_none()),
        ),
    ] {
        gauge(encoder, name, help, unit, value)?;
    }
    let lag = status.pending_age().unwrap_or_default().as_secs_f64();
    let name = "lambda_recorder_lag";
    let help = "How long the oldest record has waited for the store.";
    let seconds = Some(&Unit::Seconds);
    let metric = encoder.encode_descriptor(name, help, seconds, MetricType::Gauge)?;
    ConstGauge::new(lag).encode(metric)?;
    for (name, help, value) in [
        (
            "lambda_recorder_shed_records",
            "Records that were lost because the journal was full.",
            status.shed,
        ),
        (
            "lambda_recorder_rejected_records",
            "Records that the store refused for good.",
            status.rejected,
        ),
        (
            "lambda_recorder_damaged_records",
            "Records that could not be read any more.",
            status.damaged,
        ),
    ] {
        counter(encoder, name, help, value)?;
    }
    Ok(())
}

fn counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(signed(value)).encode(metric)
}

fn gauges(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &str,
    values: &[(String, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value_of_label, value) in values {
        let labels = [(label, value_of_label.as_str())];
        ConstGauge::new(signed(*value)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
