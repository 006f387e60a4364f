//! Counts and durations of invocations.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use lambda_core::Result;
use lambda_core::executor::{InvocationObserver, InvocationTarget};
use lambda_core::model::{FunctionName, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// How many functions have series of their own, the first ones that are invoked; all others
/// share the label `(other)`, which is no function's name.
pub const PROMETHEUS_FUNCTIONS_MAX: usize = 100;

const OTHER: &str = "(other)";

/// From a warm call to the longest timeout, in seconds.
const BUCKETS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 900.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    function: String,
    runtime: String,
    start: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    function: String,
    runtime: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

#[derive(Debug)]
pub(super) struct Invocations {
    ended: Family<Ended, Counter>,
    refused: Family<Refused, Counter>,
    duration: Family<Place, Histogram, fn() -> Histogram>,
    queue: Histogram,
    functions: RwLock<HashSet<FunctionName>>,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Invocations {
    fn default() -> Self {
        Self {
            ended: Family::default(),
            refused: Family::default(),
            duration: Family::new_with_constructor(histogram as fn() -> Histogram),
            queue: histogram(),
            functions: RwLock::default(),
        }
    }
}

impl Invocations {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "lambda_invocations",
            "Invocations that ended",
            self.ended.clone(),
        );
        registry.register(
            "lambda_invocations_not_run",
            "Invocations that the platform could not run",
            self.refused.clone(),
        );
        registry.register_with_unit(
            "lambda_invocation_duration",
            "The whole time of an invocation, the wait for a sandbox included",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register_with_unit(
            "lambda_invocation_queue_duration",
            "The wait for a sandbox that others used",
            Unit::Seconds,
            self.queue.clone(),
        );
    }

    fn label(&self, function: &FunctionName) -> String {
        let functions = self.functions.read();
        let functions = functions.unwrap_or_else(PoisonError::into_inner);
        if functions.contains(function) {
            return function.to_string();
        }
        let is_full = functions.len() >= PROMETHEUS_FUNCTIONS_MAX;
        drop(functions);
        if is_full {
            return OTHER.to_owned();
        }
        let functions = self.functions.write();
        let mut functions = functions.unwrap_or_else(PoisonError::into_inner);
        // Others may have come meanwhile.
        if functions.len() >= PROMETHEUS_FUNCTIONS_MAX && !functions.contains(function) {
            return OTHER.to_owned();
        }
        functions.insert(function.clone());
        function.to_string()
    }
}

impl InvocationObserver for Invocations {
    fn ended(&self, target: &InvocationTarget, result: &Result<Outcome>) {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                let code = error.kind().code();
                self.refused.get_or_create(&Refused { code }).inc();
                return;
            }
        };
        let place = Place {
            function: self.label(&target.function_name),
            runtime: target.runtime.to_string(),
        };
        let total = outcome.timings.total.as_secs_f64();
        self.duration.get_or_create(&place).observe(total);
        self.queue.observe(outcome.timings.queue.as_secs_f64());
        let ended = Ended {
            function: place.function,
            runtime: place.runtime,
            start: outcome.start.as_str(),
            status: outcome.status.as_str(),
        };
        self.ended.get_or_create(&ended).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_labels_up_to_a_bound() {
        let invocations = Invocations::default();
        let name = |number: usize| format!("f{number}").parse::<FunctionName>().unwrap();
        for number in 0..PROMETHEUS_FUNCTIONS_MAX {
            assert_eq!(invocations.label(&name(number)), format!("f{number}"));
        }
        assert_eq!(invocations.label(&name(PROMETHEUS_FUNCTIONS_MAX)), OTHER);
        assert_eq!(invocations.label(&name(0)), "f0");
        assert!(OTHER.parse::<FunctionName>().is_err());
    }
}
