//! Text out of bytes that come in pieces.

/// The longest character has four bytes, so this many may be the beginning of one.
const INCOMPLETE_BYTES_MAX: usize = 3;

/// The bytes at the end that are the beginning of a character and no more.
pub(super) fn incomplete_suffix(bytes: &[u8]) -> &[u8] {
    for len in (1..=INCOMPLETE_BYTES_MAX.min(bytes.len())).rev() {
        let suffix = &bytes[bytes.len() - len..];
        if let Err(error) = std::str::from_utf8(suffix)
            && error.valid_up_to() == 0
            && error.error_len().is_none()
        {
            return suffix;
        }
    }
    &[]
}

/// The text of `bytes`, which come after `before`, and how many bytes at their end wait for
/// more. A character that began in `before` is whole here.
pub(super) fn decode(before: &[u8], bytes: &[u8]) -> (String, usize) {
    let begun = incomplete_suffix(before);
    if begun.is_empty() {
        let waiting = incomplete_suffix(bytes).len();
        let text = String::from_utf8_lossy(&bytes[..bytes.len() - waiting]);
        return (text.into_owned(), waiting);
    }
    let joined = [begun, bytes].concat();
    let waiting = incomplete_suffix(&joined).len();
    let text = String::from_utf8_lossy(&joined[..joined.len() - waiting]);
    (text.into_owned(), waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_give_the_same_text_as_the_whole(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xac), Just(0xf0)], 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..8),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut text = String::new();
            for pair in cuts.windows(2) {
                text.push_str(&decode(&bytes[..pair[0]], &bytes[pair[0]..pair[1]]).0);
            }
            if !incomplete_suffix(&bytes).is_empty() {
                text.push('\u{fffd}');
            }
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
