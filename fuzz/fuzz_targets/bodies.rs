//! The bodies of requests, read as each operation would.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| lambda_http::fuzzing::bodies(body));
