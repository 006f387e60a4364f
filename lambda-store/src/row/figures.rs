//! Figures as bytes.
//!
//! A summary adds up thousands of rows, and each value of each row costs more on its way out of
//! the database than it does in it: read as rows of columns, the figures of 1,000 functions take
//! 25 milliseconds, and strung together to one value a half of one. So all that a bucket holds is
//! one value, which says itself where it ends, and whose it is.

use lambda_core::model::{FunctionId, Namespace, RequestId};
use lambda_core::store::rollup::{Histogram, Rollup, RollupKey, Tally};

use super::value::{all_functions, decode_error};

/// The first byte of each: a later encoding has another.
const ENCODING: u8 = 1;

/// The bytes of a bucket's figures: a version, their length, then its key but for the namespace,
/// then the rest.
pub(crate) fn encode(rollup: &Rollup) -> Vec<u8> {
    let (key, tally) = (&rollup.key, &rollup.tally);
    let mut body = Vec::with_capacity(192);
    let function = key.function.map_or(all_functions(), |id| *id.as_bytes());
    body.extend_from_slice(&function);
    body.extend_from_slice(rollup.latest_id.as_bytes());
    push_text(&mut body, key.runtime.as_str());
    push_text(&mut body, rollup.name.as_str());
    push_number(&mut body, u64::from(key.bucket_s));
    push_number(&mut body, zigzag(key.start_us));
    push_number(
        &mut body,
        zigzag(rollup.latest_us.wrapping_sub(key.start_us)),
    );
    for count in counts(tally) {
        push_number(&mut body, count);
    }
    for sum_us in [
        tally.queue_us,
        tally.boot_us,
        tally.init_us,
        tally.run_us,
        tally.total_us,
    ] {
        // Whole numbers end in many zero bits.
        push_number(&mut body, sum_us.to_bits().reverse_bits());
    }
    let memory = tally.max_memory_mib.map_or(0, |mib| u64::from(mib) + 1);
    push_number(&mut body, memory);
    body.extend_from_slice(&tally.durations.encode());
    let mut bytes = Vec::with_capacity(body.len() + 4);
    bytes.push(ENCODING);
    push_number(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(&body);
    bytes
}

fn counts(tally: &Tally) -> [u64; 9] {
    [
        tally.success,
        tally.function_error,
        tally.timeout,
        tally.out_of_memory,
        tally.crashed,
        tally.cancelled,
        tally.cold,
        tally.prewarmed,
        tally.warm,
    ]
}

/// Reads what [`encode`] gave, any number of times, one behind the other.
///
/// # Errors
/// For any other bytes, once.
pub(crate) fn decode_all<'a>(
    namespace: &'a Namespace,
    bytes: &'a [u8],
) -> impl Iterator<Item = sqlx::Result<Rollup>> + 'a {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let decoded = decode_next(namespace, &mut rest);
        if decoded.is_none() {
            rest = &[];
        }
        Some(decoded.ok_or_else(|| decode_error("not figures of this version")))
    })
}

fn decode_next(namespace: &Namespace, rest: &mut &[u8]) -> Option<Rollup> {
    if take(rest, 1)? != [ENCODING] {
        return None;
    }
    let length = usize::try_from(take_number(rest)?).ok()?;
    let body = &mut take(rest, length)?;
    let function: [u8; 16] = take(body, 16)?.try_into().ok()?;
    let latest_id: [u8; 16] = take(body, 16)?.try_into().ok()?;
    let runtime = take_text(body)?.parse().ok()?;
    let name = take_text(body)?.parse().ok()?;
    let bucket_s = u32::try_from(take_number(body)?).ok()?;
    let start_us = unzigzag(take_number(body)?);
    let latest_us = start_us.wrapping_add(unzigzag(take_number(body)?));
    Some(Rollup {
        key: RollupKey {
            namespace: namespace.clone(),
            bucket_s,
            start_us,
            function: (function != all_functions()).then(|| FunctionId::from_bytes(function)),
            runtime,
        },
        name,
        latest_us,
        latest_id: RequestId::from_bytes(latest_id),
        tally: decode_tally(body)?,
    })
}

fn decode_tally(body: &mut &[u8]) -> Option<Tally> {
    Some(Tally {
        success: take_number(body)?,
        function_error: take_number(body)?,
        timeout: take_number(body)?,
        out_of_memory: take_number(body)?,
        crashed: take_number(body)?,
        cancelled: take_number(body)?,
        cold: take_number(body)?,
        prewarmed: take_number(body)?,
        warm: take_number(body)?,
        queue_us: take_sum(body)?,
        boot_us: take_sum(body)?,
        init_us: take_sum(body)?,
        run_us: take_sum(body)?,
        total_us: take_sum(body)?,
        max_memory_mib: match take_number(body)? {
            0 => None,
            above => Some(u32::try_from(above - 1).ok()?),
        },
        durations: Histogram::decode(body).ok()?,
    })
}

/// Numbers near zero become small ones.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Seven bits a byte, the lowest first.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    std::str::from_utf8(take(rest, length)?).ok()
}

#[inline]
fn take_number(rest: &mut &[u8]) -> Option<u64> {
    // Nearly all of them.
    if let Some((byte @ ..0x80, behind)) = rest.split_first() {
        *rest = behind;
        return Some(u64::from(*byte));
    }
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_sum(rest: &mut &[u8]) -> Option<f64> {
    let sum = f64::from_bits(take_number(rest)?.reverse_bits());
    // A sum that is none would make all others it is added to none, too.
    sum.is_finite().then_some(sum)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use lambda_core::model::{FunctionName, InvocationRecord, RuntimeName};
    use lambda_core::store::AppendInvocations;

    use super::*;

    fn rollups() -> Vec<Rollup> {
        let mut records = Vec::new();
        for (n, us) in (0_u32..).zip([0, 1, 12_345, u64::MAX >> 1, u64::MAX >> 1]) {
            let at = Timestamp::from_microsecond(1_750_000_000_123_456 * (i64::from(n) - 1));
            let mut record = InvocationRecord::started(
                RequestId::new(),
                Namespace::default(),
                (FunctionId::new(), FunctionName::new("f-1").unwrap(), 1),
                RuntimeName::docker(),
                at.unwrap(),
            );
            (record.total_us, record.run_us) = (us, us / 3);
            record.max_memory_mib = (n > 0).then_some(u32::MAX - 4 + n);
            records.push(record);
        }
        Rollup::of(&records, &AppendInvocations::new(Vec::new()))
    }

    #[test]
    fn figures_survive_their_bytes_one_behind_the_other() {
        let rollups = rollups();
        let bytes: Vec<u8> = rollups.iter().flat_map(encode).collect();
        let namespace = Namespace::default();
        let found: sqlx::Result<Vec<_>> = decode_all(&namespace, &bytes).collect();
        assert_eq!(found.unwrap(), rollups);
        assert_eq!(decode_all(&namespace, &[]).count(), 0);
    }

    #[test]
    fn other_bytes_are_refused_and_none_make_it_panic() {
        let namespace = Namespace::default();
        let good = encode(&rollups()[0]);
        let decode =
            |bytes: &[u8]| -> sqlx::Result<Vec<Rollup>> { decode_all(&namespace, bytes).collect() };
        for length in 1..good.len() {
            assert!(decode(&good[..length]).is_err(), "cut to {length} bytes");
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut damaged = good.clone();
                damaged[at] ^= 1 << bit;
                _ = decode(&damaged);
            }
        }
        let twice = [&good[..], &[ENCODING + 1, 0]].concat();
        assert!(decode(&twice).is_err());
    }
}
