//! Whether a figure grows: the median of the first quarter after the warm-up against that of the
//! last. Medians, because the machine does other things too, and single samples show it.

use super::sample::Sample;

/// The warm-up. Rings of recent records and of latencies fill within the first minute, sandboxes
/// are started, the database's cache fills.
const WARM_UP_SECONDS: f64 = 60.0;

/// Of a short run at most this part is warm-up.
const WARM_UP_PART: f64 = 0.4;

/// A figure, and by how much it may grow: by a part, and by an amount beside it.
type Figure = (&'static str, fn(&Sample) -> f64, f64, f64);

/// - RSS: a leak of one small allocation per call would be tens of MiB in a short run. 10 % is what
///   the allocator's fragments may add.
/// - Files, threads, containers, processes: they follow the sandboxes, of which a few come and go
///   with deploys, crashes and timeouts at each moment. The server's own never grow.
/// - The journal: a segment of 8 MiB may be reserved, or wait, at the one moment and not at the other.
/// - Latencies: anything else on the machine lengthens them, so they only fail where they double.
const FIGURES: [Figure; 8] = [
    ("RSS MiB", |sample| sample.rss_mib, 0.10, 4.0),
    ("fds", |sample| sample.fds, 0.10, 24.0),
    ("threads", |sample| sample.threads, 0.0, 4.0),
    ("containers", |sample| sample.containers, 0.10, 3.0),
    ("processes", |sample| sample.processes, 0.10, 24.0),
    ("journal KiB", |sample| sample.journal_kib, 0.0, 16_384.0),
    ("p50 ms", |sample| sample.p50_ms, 1.0, 0.5),
    ("p99 ms", |sample| sample.p99_ms, 1.0, 5.0),
];

#[derive(Debug)]
pub(crate) struct Verdict {
    name: &'static str,
    first: f64,
    last: f64,
    bound: f64,
}

impl Verdict {
    pub(crate) fn is_drift(&self) -> bool {
        self.last > self.bound
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let figure = |value: f64| format!("{value:.2}");
        vec![
            self.name.to_owned(),
            figure(self.first),
            figure(self.last),
            figure(self.bound),
        ]
    }
}

pub(crate) fn verdicts(samples: &[Sample]) -> Vec<Verdict> {
    let length = samples.last().map_or(0.0, |sample| sample.seconds);
    let warm_up = WARM_UP_SECONDS.min(length * WARM_UP_PART);
    let warm: Vec<_> = samples
        .iter()
        .filter(|sample| sample.seconds > warm_up)
        .collect();
    let quarter = warm.len().div_ceil(4);
    let (first, last) = (&warm[..quarter], &warm[warm.len() - quarter..]);
    FIGURES
        .iter()
        .map(|(name, figure, part, amount)| {
            let first = median(first.iter().map(|sample| figure(sample)).collect());
            Verdict {
                name,
                first,
                last: median(last.iter().map(|sample| figure(sample)).collect()),
                bound: first * (1.0 + part) + amount,
            }
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
