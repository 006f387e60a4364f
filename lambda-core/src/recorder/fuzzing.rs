//! The journal's reader and its frames, for fuzz/.

use super::journal::{encode, framed, read_all};

/// Reads a segment, in pieces of `records_max` records, and writes the records again. Returns
/// how many there were.
///
/// # Panics
/// If the pieces' size makes a difference, or a record that was read cannot be written.
pub fn journal_read(segment: &[u8], records_max: usize) -> usize {
    let whole: Vec<_> = read_all(segment, usize::MAX)
        .into_iter()
        .flat_map(|piece| piece.entries)
        .collect();
    let pieces: Vec<_> = read_all(segment, records_max.max(1))
        .into_iter()
        .flat_map(|piece| piece.entries)
        .collect();
    assert_eq!(whole, pieces);
    let (mut scratch, mut written) = (Vec::new(), Vec::new());
    for entry in &whole {
        encode(entry, &mut scratch, &mut written).expect("what was read can be written");
    }
    let again: Vec<_> = read_all(&written, usize::MAX)
        .into_iter()
        .flat_map(|piece| piece.entries)
        .collect();
    assert_eq!(whole, again);
    whole.len()
}

/// A frame whose checksum fits, around any bytes: what a mutation would not find.
pub fn journal_frame(version: u8, body: &[u8]) -> Vec<u8> {
    framed(version, body)
}
