//! Durations as the API shows them: milliseconds with at most three decimals.

use std::fmt::Write as _;
use std::time::Duration;

/// Of a duration.
pub(super) fn from_duration(duration: Duration) -> f64 {
    from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// Of microseconds.
#[allow(clippy::cast_precision_loss)] // Exact up to 2^53 microseconds, 285 years.
pub(super) fn from_micros(micros: u64) -> f64 {
    // The quotient is the double nearest to the decimal fraction, and that is how it prints.
    micros as f64 / 1_000.0
}

/// As text, for where no float has to be printed.
pub(super) fn push(text: &mut String, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    // Writing into a string cannot fail.
    let _ = match (micros / 1_000, micros % 1_000) {
        (0, 0) => text.write_char('0'),
        (whole, 0) => write!(text, "{whole}"),
        (whole, part) => write!(text, "{whole}.{part:03}"),
    };
}

/// Of milliseconds with more decimals.
pub(super) fn rounded(millis: f64) -> f64 {
    (millis * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_decimals_at_most_are_printed() {
        for (micros, text) in [
            (0, "0.0"),
            (1, "0.001"),
            (1_234_567, "1234.567"),
            (100_000, "100.0"),
            (899_999_999, "899999.999"),
        ] {
            assert_eq!(serde_json::to_string(&from_micros(micros)).unwrap(), text);
        }
        assert_eq!(serde_json::to_string(&rounded(1.0 / 3.0)).unwrap(), "0.333");
        assert_eq!(from_duration(Duration::from_nanos(1_999)), 0.001);
    }

    #[test]
    fn text_and_number_are_the_same() {
        for micros in [0, 1, 10, 999, 1_000, 1_050, 1_234_567, 899_999_999] {
            let mut text = String::new();
            push(&mut text, Duration::from_micros(micros));
            assert_eq!(text.parse::<f64>().unwrap(), from_micros(micros));
        }
    }
}
