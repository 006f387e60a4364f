//! How a record's bytes lie in a segment: stuffed (COBS), so that no byte of them is zero, and
//! followed by a zero.
//!
//! A zero therefore ends a frame wherever it is found, and what is damaged costs only the
//! frames that it touches: the reader goes on after the next zero. A length in front of each
//! frame would be shorter by nothing, and lose everything after a damaged one; nor can what a
//! function wrote, which is part of its record, look like the end of a frame.

/// Ends a frame.
pub(super) const END: u8 = 0;

/// A run of this many bytes without a zero is stuffed by itself.
const RUN: usize = 254;

/// Appends a frame with `bytes` to `out`.
pub(super) fn encode(mut bytes: &[u8], out: &mut Vec<u8>) {
    loop {
        let window = &bytes[..bytes.len().min(RUN)];
        // `contains` looks at many bytes at a time, `position` at one: text has no zeros.
        let run = match window.contains(&END) {
            true => window.iter().position(|byte| *byte == END),
            false => None,
        };
        let run = run.unwrap_or(window.len());
        // At most RUN: the cast loses nothing.
        #[allow(clippy::cast_possible_truncation)]
        out.push(run as u8 + 1);
        out.extend_from_slice(&bytes[..run]);
        if run == RUN {
            bytes = &bytes[RUN..];
        } else if run == bytes.len() {
            break;
        } else {
            bytes = &bytes[run + 1..];
        }
    }
    out.push(END);
}

/// The bytes of a frame, given without its end; none if it is damaged.
pub(super) fn decode(mut frame: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    loop {
        let (code, rest) = frame.split_first()?;
        let (run, rest) = rest.split_at_checked(usize::from(code.checked_sub(1)?))?;
        out.extend_from_slice(run);
        if rest.is_empty() && *code != u8::MAX {
            return Some(());
        }
        if *code != u8::MAX {
            out.push(END);
        }
        frame = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..2_000),
        ) {
            let (mut frame, mut back) = (Vec::new(), Vec::new());
            encode(&bytes, &mut frame);
            prop_assert_eq!(frame.pop(), Some(END));
            prop_assert!(!frame.contains(&END));
            prop_assert!(frame.len() <= bytes.len() + bytes.len() / RUN + 1);
            prop_assert_eq!(decode(&frame, &mut back), Some(()));
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn anything_is_decoded_without_a_panic(frame in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&frame, &mut Vec::new());
        }
    }

    #[test]
    fn runs_of_every_length_around_the_longest() {
        for len in 0..3 * RUN + 2 {
            let bytes = vec![7; len];
            let (mut frame, mut back) = (Vec::new(), Vec::new());
            encode(&bytes, &mut frame);
            frame.pop();
            assert_eq!(decode(&frame, &mut back), Some(()), "{len}");
            assert_eq!(back, bytes);
        }
    }
}
