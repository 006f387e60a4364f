//! The place of an invocation in a trace, as W3C Trace Context writes it.

use std::fmt;
use std::str::FromStr;

use super::RequestId;
use crate::error::{Error, Result};

/// The flags that have a meaning: sampled, and (level 2) that the trace id is random.
const KNOWN_FLAGS: u8 = 0b11;

/// A checked `traceparent`: a trace, and the span in it under which the work is done.
///
/// <https://www.w3.org/TR/trace-context/>
///
/// # Examples
/// ```
/// use lambda_core::model::Traceparent;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let traceparent: Traceparent = text.parse()?;
/// assert_eq!(traceparent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(traceparent.to_string(), text);
/// # Ok::<(), lambda_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl Traceparent {
    /// The trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span under which the work is done: 16 hexadecimal digits.
    #[must_use]
    pub fn parent_id(&self) -> String {
        format!("{:016x}", self.parent_id)
    }

    /// What an invocation hands on: the same trace, with the invocation as the parent. Its
    /// span's id is the last 16 digits of its request id, so that who has one finds the other.
    #[must_use]
    pub fn within(mut self, invocation: RequestId) -> Self {
        let [.., a, b, c, d, e, f, g, h] = *invocation.as_bytes();
        match u64::from_be_bytes([a, b, c, d, e, f, g, h]) {
            // No span has this id. A UUIDv7 never ends so, but a caller's own id might.
            0 => {}
            id => self.parent_id = id,
        }
        self
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            parent_id,
            flags,
        } = self;
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{flags:02x}")
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traceparent({self})")
    }
}

impl FromStr for Traceparent {
    type Err = Error;

    /// Reads one of any version, as what it has in common with version 00.
    ///
    /// # Errors
    /// `InvalidParameter` if it is malformed. W3C has it ignored then, and a new trace begun.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::invalid("traceparent_parse", "The `traceparent` is malformed.").hint(
                "It is `00-`, 32 hexadecimal digits, `-`, 16 of them, `-` and 2 of them, in lower case.",
            )
        })
    }
}

fn parse(text: &str) -> Option<Traceparent> {
    let version = hex(text.get(..2)?)?;
    let (own, rest) = text.split_at_checked(55)?;
    // Later versions may append fields; this one has none.
    let has_end = rest.is_empty() || (version != 0 && rest.starts_with('-'));
    let mut fields = own.split('-').skip(1);
    let (trace_id, parent_id, flags) = (fields.next()?, fields.next()?, fields.next()?);
    let is_shaped = (trace_id.len(), parent_id.len(), flags.len()) == (32, 16, 2);
    if version == 0xff || !has_end || !is_shaped || fields.next().is_some() {
        return None;
    }
    let traceparent = Traceparent {
        trace_id: hex(trace_id)?,
        parent_id: u64::try_from(hex(parent_id)?).ok()?,
        flags: u8::try_from(hex(flags)?).ok()? & KNOWN_FLAGS,
    };
    let is_valid = traceparent.trace_id != 0 && traceparent.parent_id != 0;
    is_valid.then_some(traceparent)
}

/// Digits only: the number parser would take a sign and capitals as well.
fn hex(digits: &str) -> Option<u128> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_hex = digits.bytes().all(is_digit);
    is_hex.then(|| u128::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn what_is_well_formed_is_read() {
        for (text, printed) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), None),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), None),
            (
                format!("00-{TRACE}-00f067aa0ba902b7-ff"),
                Some(format!("00-{TRACE}-00f067aa0ba902b7-03")),
            ),
            (
                format!("cc-{TRACE}-00f067aa0ba902b7-01-what the future-brings"),
                Some(format!("00-{TRACE}-00f067aa0ba902b7-01")),
            ),
        ] {
            let read: Traceparent = text.parse().unwrap();
            assert_eq!(read.to_string(), printed.unwrap_or(text));
            assert_eq!(read.trace_id(), TRACE);
        }
    }

    #[test]
    fn what_is_malformed_or_hostile_is_not() {
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-x"),
            format!("00-{TRACE}-00f067aa0ba902b7-011"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01x"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0g-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-+0f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-0\n"),
            format!("00-{TRACE}0-0f067aa0ba902b7-01"),
            format!("00-{TRACE}\r\nX: y-00f067aa0-01"),
            format!(" 00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00_{TRACE}_00f067aa0ba902b7_01"),
            format!("00-{TRACE}-00f067aa0ba902\u{e9}-01"),
            "\u{e9}".repeat(40),
            "-".repeat(55),
        ] {
            assert!(bad.parse::<Traceparent>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_invocation_hands_its_own_span_on() {
        let own: Traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap();
        let id: RequestId = "0190a6b0-0000-7000-8123-456789abcdef".parse().unwrap();
        let within = own.within(id);
        assert_eq!(
            within.to_string(),
            format!("00-{TRACE}-8123456789abcdef-01")
        );
        let nil: RequestId = "00000000-0000-0000-0000-000000000000".parse().unwrap();
        assert_eq!(own.within(nil), own);
    }
}
