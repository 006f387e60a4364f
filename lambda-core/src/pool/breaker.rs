//! Keeps a back end that fails from being asked again at once: a pause that doubles with each
//! failure, and a circuit breaker that refuses callers quickly while it lasts.

use std::time::{Duration, Instant};

use super::stats::BreakerState;

/// From so many failures in a row on, callers are refused instead of queued.
const OPENS_AT: u32 = 3;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The failures of one back end to create sandboxes, since it last succeeded.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    retry_at: Option<Instant>,
}

impl Breaker {
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let doublings = (self.failures - 1).min(16);
        let pause = (PAUSE_MIN * 2_u32.pow(doublings)).min(PAUSE_MAX);
        self.retry_at = Some(now + pause);
    }

    /// Whether a sandbox may be created now, where `creating` are being created: after a
    /// failure, one at a time, each after its pause.
    pub(super) fn permits(&self, now: Instant, creating: u32) -> bool {
        self.retry_at
            .is_none_or(|retry_at| now >= retry_at && creating == 0)
    }

    pub(super) fn is_open(&self) -> bool {
        self.failures >= OPENS_AT
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match self.retry_at {
            Some(at) if self.is_open() && at > now => BreakerState::Open,
            Some(_) if self.is_open() => BreakerState::HalfOpen,
            _ => BreakerState::Closed,
        }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// How long until the next attempt.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        self.retry_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_pauses_tries_one_and_closes() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        assert!(breaker.permits(now, 5));
        breaker.failed(now);
        assert!(!breaker.permits(now, 0) && !breaker.is_open());
        let later = now + PAUSE_MIN;
        assert!(breaker.permits(later, 0) && !breaker.permits(later, 1));
        for _ in 0..40 {
            breaker.failed(now);
        }
        assert!(breaker.is_open());
        assert_eq!(breaker.pause(now), PAUSE_MAX);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.state(now + PAUSE_MAX), BreakerState::HalfOpen);
        breaker.succeeded();
        assert!(breaker.permits(now, 5) && !breaker.is_open());
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }
}
