//! Invocations that never were: the same ones in every run, but for when.

use jiff::{SignedDuration, Timestamp};
use lambda_store::model::{
    FunctionId, FunctionName, InvocationEntry, InvocationOutput, InvocationRecord, Namespace,
    RequestId, RuntimeName, StartKind, Status,
};

/// Over how long they are spread.
const DAYS: i64 = 30;

/// Invocations, oldest first, evenly over thirty days until now.
///
/// The function of rank `n` is called in proportion to `1 / n` (Zipf's law), which is somewhat
/// less skewed than what is known of large platforms. One call in ten runs in gVisor, one in
/// fifty fails, one in five writes something.
#[derive(Debug)]
pub struct History {
    namespace: Namespace,
    functions: Vec<(FunctionId, FunctionName)>,
    /// The sum of the weights up to each function.
    weights: Vec<f64>,
    begin: Timestamp,
    step: SignedDuration,
    made: u64,
    seed: u64,
}

impl History {
    /// A history of `invocations` of `functions`, in a namespace.
    ///
    /// # Panics
    /// If there are no functions.
    #[must_use]
    pub fn new(namespace: Namespace, functions: usize, invocations: u64) -> Self {
        assert!(functions > 0, "a history needs functions");
        let length = SignedDuration::from_hours(24 * DAYS);
        let invocations = i64::try_from(invocations.max(1)).unwrap_or(i64::MAX);
        let step_us = length.as_micros() / i128::from(invocations);
        let mut sum = 0.0;
        let name = |number| FunctionName::new(format!("function-{number}"));
        Self {
            namespace,
            functions: (0..functions)
                .filter_map(|number| Some((FunctionId::new(), name(number).ok()?)))
                .collect(),
            weights: (1..=u32::try_from(functions).unwrap_or(u32::MAX))
                .map(|rank| {
                    sum += 1.0 / f64::from(rank);
                    sum
                })
                .collect(),
            begin: Timestamp::now() - length,
            step: SignedDuration::from_micros(i64::try_from(step_us).unwrap_or(0)),
            made: 0,
            seed: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Where they are.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// How many have been made so far.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The function that is called most often but for `rank` others.
    #[must_use]
    pub fn function(&self, rank: usize) -> FunctionId {
        self.functions[rank].0
    }

    /// When the invocations made so far began and ended.
    #[must_use]
    pub fn range(&self) -> (Timestamp, Timestamp) {
        (self.begin, self.at(self.made))
    }

    /// The next invocations.
    pub fn next(&mut self, count: usize) -> Vec<InvocationEntry> {
        (0..count).map(|_| self.one()).collect()
    }

    fn at(&self, number: u64) -> Timestamp {
        let offset = self.step.as_micros() * i128::from(number);
        self.begin + SignedDuration::from_micros(i64::try_from(offset).unwrap_or(0))
    }

    fn one(&mut self) -> InvocationEntry {
        let started_at = self.at(self.made);
        self.made += 1;
        let (function, name) = self.pick();
        let chance = self.random();
        let failed = chance.is_multiple_of(50);
        let runtime = match chance % 10 {
            3 => RuntimeName::gvisor(),
            _ => RuntimeName::docker(),
        };
        let mut record = InvocationRecord::started(
            request_id(started_at, self.random()),
            self.namespace.clone(),
            (function, name, 1),
            runtime,
            started_at,
        );
        // From 0.2 ms to 200 ms, most of them short.
        let run_us = 200 << (self.random() % 11);
        record.run_us = run_us + self.random() % run_us;
        record.total_us = record.run_us + 60;
        record.max_memory_mib = Some(20);
        record.start = match chance % 100 {
            0 => StartKind::Cold,
            1 => StartKind::Prewarmed,
            _ => StartKind::Warm,
        };
        if failed {
            record.status = Status::FunctionError;
            record.error_type = Some("ValueError".to_owned());
        }
        let output = match chance % 5 {
            0 => {
                InvocationOutput::new("Hello, Alice! What is written is mostly short.\n", "", None)
            }
            _ => InvocationOutput::default(),
        };
        InvocationEntry::new(record, output)
    }

    fn pick(&mut self) -> (FunctionId, FunctionName) {
        let all = self.weights.last().copied().unwrap_or(1.0);
        #[allow(clippy::cast_precision_loss)] // It is random.
        let at = (self.random() >> 11) as f64 / (1_u64 << 53) as f64 * all;
        let index = self.weights.partition_point(|weight| *weight < at);
        self.functions[index.min(self.functions.len() - 1)].clone()
    }

    /// xorshift64*: the same in every run.
    fn random(&mut self) -> u64 {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// A UUID of version 7 that was made at `at`.
fn request_id(at: Timestamp, random: u64) -> RequestId {
    let mut bytes = [0; 16];
    let milliseconds = at.as_millisecond().to_be_bytes();
    bytes[..6].copy_from_slice(&milliseconds[2..]);
    // As the library that the platform uses: within a millisecond ids go on rising.
    let within = u16::try_from(at.subsec_microsecond().rem_euclid(1_000)).unwrap_or(0) * 4;
    bytes[6..8].copy_from_slice(&(0x7000 | within).to_be_bytes());
    bytes[8..].copy_from_slice(&(random & (u64::MAX >> 2) | 1 << 63).to_be_bytes());
    RequestId::from_bytes(bytes)
}
