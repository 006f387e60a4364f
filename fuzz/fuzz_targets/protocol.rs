//! The decoder of what a sandbox sends: however it is cut, the same comes out.
#![no_main]

use lambda_core::fuzzing::{protocol_decode, protocol_reports};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((step, sent)) = data.split_first() else {
        return;
    };
    let whole = protocol_decode(sent, usize::MAX);
    let pieces = protocol_decode(sent, usize::from(*step % 64) + 1);
    assert_eq!(whole.0, pieces.0);
    assert_eq!(whole.1, pieces.1);
    protocol_reports(sent);
});
