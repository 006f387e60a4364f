//! How many sandboxes a function may have at the moment: work that burns CPU gets as many as
//! there are cores, work that waits gets more, up to its cap.
//!
//! Past the cores another sandbox makes work that burns CPU no faster, only the machine
//! slower. So CPU time and run time are compared. Until they are known a function may have
//! twice as many as there are cores, so that a burst of waiting work is not held up.

use std::time::Duration;

/// From this share on work counts as burning CPU.
const BURNS_CPU: f64 = 0.5;

/// The least run time that says anything.
const RUN_SECONDS_MIN: f64 = 0.01;

/// What is left of older samples with each new one.
const KEPT: f64 = 0.7;

/// CPU time and run time of a function's sandboxes.
#[derive(Debug, Default)]
pub(super) struct CpuShare {
    cpu_seconds: f64,
    run_seconds: f64,
    /// The back end does not know.
    is_unmeasurable: bool,
}

impl CpuShare {
    /// Adds what its sandboxes have used since the last sample.
    pub(super) fn add(&mut self, cpu: Duration, run: Duration) {
        self.is_unmeasurable = false;
        self.cpu_seconds = self.cpu_seconds * KEPT + cpu.as_secs_f64();
        self.run_seconds = self.run_seconds * KEPT + run.as_secs_f64();
    }

    pub(super) fn set_unmeasurable(&mut self) {
        self.is_unmeasurable = true;
    }

    /// CPU time / run time, where it is known.
    pub(super) fn share(&self) -> Option<f64> {
        (self.run_seconds >= RUN_SECONDS_MIN).then(|| self.cpu_seconds / self.run_seconds)
    }

    /// Most sandboxes at the moment. `is_saturated`: the sandboxes of the machine together
    /// use its cores up, so that even work that waits does so for a core.
    pub(super) fn limit(&self, cores: u32, cap: u32, is_saturated: bool) -> u32 {
        let cores = cores.max(1);
        let limit = match self.share() {
            _ if is_saturated => cores,
            Some(share) if share >= BURNS_CPU => cores,
            Some(_) => cap,
            None if self.is_unmeasurable => cap,
            None => cores.saturating_mul(2).max(4),
        };
        limit.min(cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burning_work_gets_the_cores_and_waiting_work_its_cap() {
        let ms = Duration::from_millis;
        let mut share = CpuShare::default();
        assert_eq!(share.limit(2, 16, false), 4, "not known yet");
        assert_eq!(share.limit(2, 3, false), 3);
        share.add(ms(1), ms(50));
        assert_eq!(share.limit(2, 16, false), 16);
        assert_eq!(share.limit(2, 16, true), 2);
        for _ in 0..5 {
            share.add(ms(50), ms(50));
        }
        assert_eq!(share.limit(2, 16, false), 2);
        let mut unknown = CpuShare::default();
        unknown.set_unmeasurable();
        assert_eq!(unknown.limit(2, 16, false), 16);
    }
}
