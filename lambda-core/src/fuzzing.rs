//! What fuzz/ reaches that is no part of the public surface: what reads bytes from strangers.

use std::io::Cursor;
use std::path::Path;

use bytes::BytesMut;

use crate::error::Result;
use crate::model::limits::RESPONSE_BYTES_MAX;
use crate::protocol::Decoder;

pub use crate::recorder::fuzzing::{journal_frame, journal_read};

/// Decodes what a sandbox has sent, in pieces of `step` bytes. Returns the bodies' lengths (none
/// for one that was too large), and whether all of it was sound.
///
/// # Panics
/// If a body is longer than it may be, or more is kept than came.
pub fn protocol_decode(sent: &[u8], step: usize) -> (Vec<Option<usize>>, bool) {
    let mut decoder = Decoder::default();
    let mut input = BytesMut::new();
    let mut bodies = Vec::new();
    for piece in sent.chunks(step.max(1)) {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(request)) => {
                    let body = request.body.map(|body| body.len());
                    assert!(body.is_none_or(|body| body <= RESPONSE_BYTES_MAX.min(sent.len())));
                    bodies.push(body);
                }
                Ok(None) => break,
                Err(_) => return (bodies, false),
            }
        }
        assert!(input.len() <= sent.len());
    }
    (bodies, true)
}

/// Reads a function's error report, and a script's.
pub fn protocol_reports(body: &[u8]) {
    let report = crate::protocol::parse_error_report(body);
    assert!(report.message.len() <= 4 * body.len() + 4096);
    let _ = crate::protocol::parse_script_end(body);
}

/// Checks an archive.
///
/// # Errors
/// If it is refused.
pub fn archive_check(archive: &[u8]) -> Result<()> {
    crate::archive::check(Cursor::new(archive))
}

/// Unpacks an archive that was accepted.
///
/// # Errors
/// If it is refused, or `root` cannot be written to.
pub fn archive_unpack(archive: &[u8], root: &Path) -> Result<()> {
    crate::archive::unpack(Cursor::new(archive), root)
}
