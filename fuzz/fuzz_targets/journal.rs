//! The journal's reader: a segment of any bytes, and frames of any bytes whose checksums fit.
#![no_main]

use lambda_core::fuzzing::{journal_frame, journal_read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let records_max = usize::from(*choice % 8) + 1;
    if *choice < 128 {
        journal_read(rest, records_max);
        return;
    }
    let mut segment = Vec::new();
    for body in rest.split(|byte| *byte == 0xff) {
        // Mostly the version that there is.
        segment.extend(journal_frame(if *choice < 250 { 1 } else { *choice }, body));
    }
    journal_read(&segment, records_max);
});
