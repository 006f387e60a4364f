//! Latencies of rounds, and what is made of them.

use std::time::Duration;

/// What one round of calls took.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Each call's latency.
    pub latencies: Vec<Duration>,
    /// From the first call's begin to the last one's end.
    pub elapsed: Duration,
}

/// The rounds of one way of calling.
#[derive(Debug, Clone)]
pub struct Series {
    rounds: Vec<Round>,
}

/// How many times as long one way takes as another: the median over the rounds of the ratio
/// of both ways' medians in that round, so that what the machine does besides cancels out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The median.
    pub median: f64,
    /// The first quartile.
    pub low: f64,
    /// The third quartile.
    pub high: f64,
}

impl Series {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { rounds: Vec::new() }
    }

    /// Adds a round; one without a call is left out.
    pub fn push(&mut self, round: Round) {
        if !round.latencies.is_empty() {
            self.rounds.push(round);
        }
    }

    /// The latency that `percent` of all calls did not exceed; none without a call.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let all = self.rounds.iter().flat_map(|round| &round.latencies);
        percentile(all.copied().collect(), percent)
    }

    /// Calls in a second.
    #[must_use]
    pub fn calls_per_second(&self) -> f64 {
        let calls: usize = self.rounds.iter().map(|round| round.latencies.len()).sum();
        let elapsed: Duration = self.rounds.iter().map(|round| round.elapsed).sum();
        // Far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let calls = calls as f64;
        calls / elapsed.as_secs_f64()
    }

    /// How many times as long this takes as `other`, which was measured in the same rounds.
    #[must_use]
    pub fn ratio_to(&self, other: &Self) -> Option<Ratio> {
        let rounds = self.rounds.iter().zip(&other.rounds);
        let mut ratios: Vec<f64> = rounds
            .filter_map(|(this, other)| {
                let this = percentile(this.latencies.clone(), 50)?;
                let other = percentile(other.latencies.clone(), 50)?;
                Some(this.as_secs_f64() / other.as_secs_f64())
            })
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        Some(Ratio {
            median: *ratios.get(rank(ratios.len(), 50))?,
            low: *ratios.get(rank(ratios.len(), 25))?,
            high: *ratios.get(rank(ratios.len(), 75))?,
        })
    }
}

impl Default for Series {
    fn default() -> Self {
        Self::new()
    }
}

fn percentile(mut latencies: Vec<Duration>, percent: u8) -> Option<Duration> {
    latencies.sort_unstable();
    latencies.get(rank(latencies.len(), percent)).copied()
}

/// The index of the nearest rank.
fn rank(count: usize, percent: u8) -> usize {
    (count * usize::from(percent))
        .div_ceil(100)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rounds: &[&[u64]]) -> Series {
        let mut series = Series::new();
        for round in rounds {
            series.push(Round {
                latencies: round.iter().copied().map(Duration::from_micros).collect(),
                elapsed: Duration::from_micros(round.iter().sum()),
            });
        }
        series
    }

    #[test]
    fn percentiles_are_nearest_ranks_over_all_rounds() {
        let series = series(&[&[4, 1], &[3, 2], &[]]);
        let micros = |percent| series.percentile(percent).unwrap().as_micros();
        assert_eq!((micros(50), micros(99), micros(1)), (2, 4, 1));
        assert!((series.calls_per_second() - 400_000.0).abs() < 1e-6);
        assert_eq!(Series::new().percentile(50), None);
    }

    #[test]
    fn a_ratio_compares_within_rounds() {
        // The machine was ten times as slow in the second round.
        let (fast, slow) = (
            series(&[&[10], &[100], &[10]]),
            series(&[&[20], &[200], &[30]]),
        );
        let ratio = slow.ratio_to(&fast).unwrap();
        assert!((ratio.median - 2.0).abs() < 1e-9 && (ratio.high - 3.0).abs() < 1e-9);
        assert_eq!(slow.ratio_to(&Series::new()), None);
    }
}
