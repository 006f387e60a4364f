//! How long invocations took, in buckets that are narrow in proportion.

use std::fmt;

/// Each power of two is cut into 2^5 buckets: a value is known to 1 part in 32, and the middle
/// of its bucket is off by at most 1 in 64, which is 1.6 %.
const CUT_BITS: u32 = 5;
const CUTS: u64 = 1 << CUT_BITS;
/// Below this each value is its own bucket.
const LINEAR: u64 = 2 * CUTS;

/// The first byte of the encoding: a later one has another.
const ENCODING: u8 = 1;

/// Counts of durations, in microseconds. It takes some bytes for each bucket that is not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and count, by bucket; no count is 0.
    counts: Vec<(u16, u64)>,
}

/// Bytes that no histogram is encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramError;

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a histogram of this version")
    }
}

impl std::error::Error for HistogramError {}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, us: u64) {
        let bucket = bucket_of(us);
        match self.counts.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(1),
            Err(at) => self.counts.insert(at, (bucket, 1)),
        }
    }

    /// Counts in what `other` has counted.
    ///
    /// It works in place, and moves something only where a bucket is new: those of a sum are soon
    /// all there.
    pub fn merge(&mut self, other: &Self) {
        let mut own = self.counts.iter_mut();
        let mut new = 0;
        let mut next = own.next();
        for (bucket, count) in &other.counts {
            while next.as_ref().is_some_and(|(own, _)| own < bucket) {
                next = own.next();
            }
            match &mut next {
                Some((own, sum)) if own == bucket => *sum = sum.saturating_add(*count),
                _ => new += 1,
            }
        }
        if new > 0 {
            self.insert_new(other, new);
        }
    }

    /// Takes over the counts of those `new` buckets of `other` that are not here, from the end on.
    fn insert_new(&mut self, other: &Self, new: usize) {
        let mut own = self.counts.len();
        let mut to = own + new;
        self.counts.resize(to, (0, 0));
        for (bucket, count) in other.counts.iter().rev() {
            while own > 0 && self.counts[own - 1].0 > *bucket {
                (own, to) = (own - 1, to - 1);
                self.counts[to] = self.counts[own];
            }
            if own == 0 || self.counts[own - 1].0 != *bucket {
                to -= 1;
                self.counts[to] = (*bucket, *count);
            }
        }
    }

    /// The smallest duration that `percent` (1 to 100) of all do not exceed, in microseconds, to
    /// 1.6 %; 0 if nothing was counted.
    #[must_use]
    pub fn percentile_us(&self, percent: u8) -> u64 {
        let bucket = Self::percentile(self.counts.iter().copied(), percent);
        bucket.map_or(0, middle_of)
    }

    /// The bucket of a percentile, of counts by ascending buckets.
    pub(super) fn percentile(
        counts: impl Iterator<Item = (u16, u64)> + Clone,
        percent: u8,
    ) -> Option<u16> {
        let all: u128 = counts.clone().map(|(_, count)| u128::from(count)).sum();
        let rank = (all * u128::from(percent)).div_ceil(100).max(1);
        let mut not_above = 0;
        let mut counts = counts;
        let found = counts.find(|(_, count)| {
            not_above += u128::from(*count);
            not_above >= rank
        });
        found.map(|(bucket, _)| bucket)
    }

    /// Bucket and count, by bucket.
    pub(super) fn counts(&self) -> &[(u16, u64)] {
        &self.counts
    }

    /// The bytes that a store keeps: a version, then for each bucket its distance from the one
    /// before and its count, as numbers of seven bits a byte.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 3 * self.counts.len());
        bytes.push(ENCODING);
        let mut before = 0;
        for (bucket, count) in &self.counts {
            push_number(&mut bytes, u64::from(*bucket - before));
            push_number(&mut bytes, *count);
            before = *bucket;
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) gave.
    ///
    /// # Errors
    /// For any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, HistogramError> {
        let Some((&ENCODING, mut rest)) = bytes.split_first() else {
            return Err(HistogramError);
        };
        // Mostly two bytes each.
        let mut counts = Vec::with_capacity(rest.len() / 2);
        let mut last: Option<u16> = None;
        while !rest.is_empty() {
            let distance = take_number(&mut rest)?;
            let count = take_number(&mut rest)?;
            let bucket = u64::from(last.unwrap_or(0)).checked_add(distance);
            let bucket = bucket.filter(|bucket| *bucket <= u64::from(bucket_of(u64::MAX)));
            let bucket = bucket.and_then(|bucket| u16::try_from(bucket).ok());
            match bucket {
                // Each bucket once, in order.
                Some(bucket) if count > 0 && (last.is_none() || distance > 0) => {
                    counts.push((bucket, count));
                    last = Some(bucket);
                }
                _ => return Err(HistogramError),
            }
        }
        Ok(Self { counts })
    }
}

#[allow(clippy::cast_possible_truncation)] // The last bucket is number 1,919.
fn bucket_of(us: u64) -> u16 {
    if us < LINEAR {
        return us as u16;
    }
    let power = us.ilog2();
    let cut = (us >> (power - CUT_BITS)) - CUTS;
    (LINEAR + u64::from(power - CUT_BITS - 1) * CUTS + cut) as u16
}

pub(super) fn middle_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let Some(above) = bucket.checked_sub(LINEAR) else {
        return bucket;
    };
    let shift = above / CUTS + 1;
    let lowest = (CUTS + above % CUTS) << shift;
    lowest + (1 << (shift - 1))
}

#[allow(clippy::cast_possible_truncation)] // Seven bits.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[inline]
fn take_number(rest: &mut &[u8]) -> Result<u64, HistogramError> {
    // Nearly all of them.
    if let Some((byte @ ..0x80, behind)) = rest.split_first() {
        *rest = behind;
        return Ok(u64::from(*byte));
    }
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or(HistogramError)?;
        *rest = behind;
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return Err(HistogramError);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(HistogramError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|us| histogram.record(*us));
        histogram
    }

    #[test]
    fn small_values_are_exact_and_the_largest_fits() {
        for us in 0..LINEAR {
            assert_eq!(of(&[us]).percentile_us(50), us);
        }
        assert_eq!(bucket_of(LINEAR - 1) + 1, bucket_of(LINEAR));
        assert_eq!(bucket_of(u64::MAX), 1_919);
        assert_eq!(Histogram::default().percentile_us(99), 0);
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[2],
            &[1, 0],
            &[1, 0, 0],
            &[1, 5, 1, 0, 1],
            &[1, 0xff, 0xff, 0x7f, 1],
            &[1, 1, 0xff],
            &[
                1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ] {
            assert_eq!(Histogram::decode(bytes), Err(HistogramError), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_near_the_one_by_definition(
            mut values in prop::collection::vec(prop_oneof![0..200_u64, 0..1_000_000_000_u64, any::<u64>()], 1..200),
            percent in 1..=100_u8,
        ) {
            let found = of(&values).percentile_us(percent);
            values.sort_unstable();
            let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
            let exact = values[rank - 1];
            prop_assert!(found.abs_diff(exact) <= exact / 64, "{found}, not {exact}");
        }

        #[test]
        fn parts_merge_to_the_whole_and_survive_their_bytes(
            a in prop::collection::vec(any::<u64>(), 0..50),
            b in prop::collection::vec(0..100_u64, 0..50),
        ) {
            let whole = of(&[a.clone(), b.clone()].concat());
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(Histogram::decode(&whole.encode()), Ok(whole));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(histogram) = Histogram::decode(&bytes) {
                let _ = histogram.percentile_us(99);
                prop_assert_eq!(Histogram::decode(&histogram.encode()), Ok(histogram));
            }
        }
    }
}
