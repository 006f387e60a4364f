//! Where a page of a listing starts, as text.
//!
//! A cursor names the last item of the page before (keyset pagination), so that items which
//! come or go meanwhile shift nothing. Stores need not use this codec, but those that do
//! refuse foreign text alike.

use std::fmt;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::model::{Function, FunctionId, InvocationRecord, RequestId};

/// The last function of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionCursor(pub FunctionId);

impl FunctionCursor {
    /// Where the page after the one that ends with `last` starts.
    #[must_use]
    pub fn after(last: &Function) -> String {
        Self(last.id).to_string()
    }

    /// Reads what `Display` printed.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn parse(operation: &'static str, text: &str) -> Result<Self> {
        let id = text.strip_prefix('f').and_then(from_hex::<16>);
        id.map(|id| Self(FunctionId::from_bytes(id)))
            .ok_or_else(|| refused(operation))
    }
}

impl fmt::Display for FunctionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("f")?;
        write_hex(f, self.0.as_bytes())
    }
}

/// The last version of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionCursor(pub u32);

impl VersionCursor {
    /// Where the page after the one that ends with `last` starts.
    #[must_use]
    pub fn after(last: &Function) -> String {
        Self(last.version).to_string()
    }

    /// Reads what `Display` printed.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn parse(operation: &'static str, text: &str) -> Result<Self> {
        let version = text.strip_prefix('v').and_then(from_hex::<4>);
        version
            .map(|version| Self(u32::from_be_bytes(version)))
            .ok_or_else(|| refused(operation))
    }
}

impl fmt::Display for VersionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v")?;
        write_hex(f, &self.0.to_be_bytes())
    }
}

/// The last record of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvocationCursor {
    /// When it started, in microseconds since the epoch.
    pub started_at_us: i64,
    /// Its id.
    pub request_id: RequestId,
}

impl InvocationCursor {
    /// Where the page after the one that ends with `last` starts.
    #[must_use]
    pub fn after(last: &InvocationRecord) -> String {
        let cursor = Self {
            started_at_us: last.started_at.as_microsecond(),
            request_id: last.request_id,
        };
        cursor.to_string()
    }

    /// Reads what `Display` printed.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn parse(operation: &'static str, text: &str) -> Result<Self> {
        let decode = || {
            let (started_at, id) = text.strip_prefix('i')?.split_at_checked(16)?;
            let started_at_us = i64::from_be_bytes(from_hex(started_at)?);
            Timestamp::from_microsecond(started_at_us).ok()?;
            Some(Self {
                started_at_us,
                request_id: RequestId::from_bytes(from_hex(id)?),
            })
        };
        decode().ok_or_else(|| refused(operation))
    }
}

impl fmt::Display for InvocationCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i")?;
        write_hex(f, &self.started_at_us.to_be_bytes())?;
        write_hex(f, self.request_id.as_bytes())
    }
}

fn refused(operation: &'static str) -> Error {
    Error::invalid(operation, "`cursor` is not one that this listing gave.")
        .hint("Give `next` of the page before, unchanged, or leave the cursor out.")
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Lower case only: one position has one spelling.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let function = FunctionCursor(FunctionId::new());
        assert_eq!(
            FunctionCursor::parse("t", &function.to_string()).unwrap(),
            function
        );
        for started_at_us in [0, -1, 1_700_000_000_000_000] {
            let invocation = InvocationCursor {
                started_at_us,
                request_id: RequestId::new(),
            };
            assert_eq!(
                InvocationCursor::parse("t", &invocation.to_string()).unwrap(),
                invocation
            );
        }
    }

    #[test]
    fn other_text_is_refused() {
        let good = FunctionCursor(FunctionId::new()).to_string();
        for bad in [
            "",
            "f",
            "é",
            "fé",
            &good[1..],
            &good.to_uppercase(),
            &format!("{good}0"),
        ] {
            assert!(FunctionCursor::parse("t", bad).is_err(), "{bad:?}");
            assert!(InvocationCursor::parse("t", bad).is_err(), "{bad:?}");
        }
        // A time that no record can have.
        let far = format!("i{:016x}{:032x}", i64::MAX, 0);
        assert!(InvocationCursor::parse("t", &far).is_err());
    }
}
