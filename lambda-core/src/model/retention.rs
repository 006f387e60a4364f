//! How long a store keeps what it records.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a store keeps records of invocations, and the figures made of them. None: for ever.
///
/// What is older is removed a little at a time, within an hour or so of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Records of invocations. Default 30 days: long enough to look into last month's bill.
    pub invocations: Option<Duration>,
    /// What invocations wrote. Default 7 days: it is for finding faults, and is the largest.
    pub outputs: Option<Duration>,
    /// Figures per minute. Default 2 days: there may be as many as there are records.
    pub minutes: Option<Duration>,
    /// Figures per hour. Default 90 days.
    pub hours: Option<Duration>,
    /// Figures per day. Default: for ever; a function has 365 a year.
    pub days: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            invocations: Some(30 * DAY),
            outputs: Some(7 * DAY),
            minutes: Some(2 * DAY),
            hours: Some(90 * DAY),
            days: None,
        }
    }
}

impl Retention {
    /// Keeps everything for ever.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            invocations: None,
            outputs: None,
            minutes: None,
            hours: None,
            days: None,
        }
    }
}
