//! A synthetic trace of calls with the traits of Azure's public ones: few functions are
//! called nearly always, most hardly ever; some by a timer, some in bursts.
//!
//! The proportions follow "Serverless in the Wild" (USENIX ATC '20); the times to run and to
//! load code are log-normal.

use std::time::Duration;

/// A generator of numbers that gives the same ones for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, never 0.
    #[allow(clippy::cast_precision_loss)] // 53 bits fit.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// A function of a trace.
#[derive(Debug, Clone)]
pub struct TraceFunction {
    /// Memory of its sandboxes.
    pub memory_mib: u32,
    /// How long loading its code takes.
    pub init: Duration,
}

/// A call of a trace.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// When it comes, from the start of the trace.
    pub at: Duration,
    /// Which function it calls.
    pub function: usize,
    /// How long it runs in a warm sandbox.
    pub run: Duration,
}

/// Functions and their calls, in order of time.
#[derive(Debug)]
pub struct Trace {
    /// The functions.
    pub functions: Vec<TraceFunction>,
    /// The calls.
    pub calls: Vec<Call>,
}

/// How a function is called.
enum Pattern {
    /// At random, with this many seconds between two calls on average.
    Random(f64),
    /// By a timer of so many seconds.
    Timer(f64),
    /// So many calls at a time, with so many seconds between two bursts on average.
    Bursts { calls: f64, gap: f64 },
}

impl Trace {
    /// `functions` functions over `length`.
    #[must_use]
    pub fn generate(seed: u64, functions: usize, length: Duration) -> Self {
        let mut random = Random::new(seed);
        let end = length.as_secs_f64();
        let mut trace = Self {
            functions: Vec::new(),
            calls: Vec::new(),
        };
        for function in 0..functions {
            let memory_mib = match random.unit() {
                share if share < 0.5 => 128,
                share if share < 0.75 => 256,
                share if share < 0.9 => 512,
                _ => 1_024,
            };
            trace.functions.push(TraceFunction {
                memory_mib,
                init: seconds(random.log_normal(0.15, 1.0).min(20.0)),
            });
            let median = random.log_normal(0.1, 1.2).min(20.0);
            for at in times(&pattern(&mut random), &mut random, end) {
                let run = random.log_normal(median, 0.4).min(60.0);
                trace.calls.push(Call {
                    at: seconds(at),
                    function,
                    run: seconds(run),
                });
            }
        }
        trace.calls.sort_by_key(|call| call.at);
        trace
    }
}

fn pattern(random: &mut Random) -> Pattern {
    match random.unit() {
        share if share < 0.05 => Pattern::Random(random.between(0.2, 5.0)),
        share if share < 0.2 => Pattern::Random(random.between(5.0, 120.0)),
        share if share < 0.45 => {
            let minutes = [1.0, 5.0, 15.0, 60.0];
            let which = (random.unit() * 4.0).ceil();
            let timer = minutes
                .into_iter()
                .zip(1..)
                .find(|(_, n)| f64::from(*n) >= which);
            Pattern::Timer(60.0 * timer.map_or(60.0, |(minutes, _)| minutes))
        }
        share if share < 0.6 => Pattern::Bursts {
            calls: random.between(5.0, 40.0),
            gap: random.between(300.0, 3_600.0),
        },
        _ => Pattern::Random(random.between(600.0, 20_000.0)),
    }
}

fn times(pattern: &Pattern, random: &mut Random, end: f64) -> Vec<f64> {
    let mut times = Vec::new();
    let mut now = match pattern {
        Pattern::Timer(period) => random.between(0.0, *period),
        Pattern::Random(mean) | Pattern::Bursts { gap: mean, .. } => random.exponential(*mean),
    };
    while now < end {
        times.push(now);
        now += match pattern {
            Pattern::Random(mean) => random.exponential(*mean),
            Pattern::Timer(period) => period + random.between(-0.5, 0.5),
            Pattern::Bursts { calls, gap } => {
                if random.unit() < 1.0 / calls {
                    random.exponential(*gap)
                } else {
                    random.exponential(0.05)
                }
            }
        };
    }
    times
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_skewed_trace_again() {
        let trace = |seed| Trace::generate(seed, 200, Duration::from_secs(3_600));
        let (one, two) = (trace(7), trace(7));
        assert_eq!(one.calls.len(), two.calls.len());
        assert!(one.calls.windows(2).all(|pair| pair[0].at <= pair[1].at));
        let mut counts = vec![0; 200];
        one.calls.iter().for_each(|call| counts[call.function] += 1);
        counts.sort_unstable();
        let popular: usize = counts[180..].iter().sum();
        assert!(
            popular * 10 > one.calls.len() * 8,
            "a tenth gets most calls"
        );
        assert_ne!(trace(8).calls.len(), one.calls.len());
    }
}
