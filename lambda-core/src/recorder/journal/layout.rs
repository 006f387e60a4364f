//! A record as bytes: the version of this layout, a CRC-32 of all that follows and of the
//! version, and the fields in the layout's order (postcard: lengths and numbers as varints).
//!
//! The layout of a version never changes. A field more is a version more; the earlier ones are
//! still read, because a journal outlives the process and the program that wrote it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::frame;
use crate::error::{Error, Result};
use crate::model::{
    FunctionId, FunctionName, InvocationEntry, InvocationOutput, InvocationRecord, Namespace,
    RequestId, RuntimeName, StartKind, Status,
};

/// Never a hexadecimal digit: those begin a line of the first journals, see [`Format`].
const VERSION: u8 = 1;

const HEAD: usize = 5;

/// What a frame holds.
#[derive(Debug, PartialEq)]
pub(super) enum Content {
    Record(Box<InvocationEntry>),
    /// Whole, but of a layout that this program does not know.
    Foreign,
    Damaged,
}

/// How the records of a segment are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Frames.
    Frames,
    /// What came before them: lines of a checksum and JSON. Still read.
    Lines,
}

impl Format {
    /// The format of a segment that begins with `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let is_line = bytes.len() > 9 && bytes[..8].iter().all(u8::is_ascii_hexdigit);
        match is_line && bytes[8] == b' ' {
            true => Self::Lines,
            false => Self::Frames,
        }
    }

    pub(super) fn end(self) -> u8 {
        match self {
            Self::Frames => frame::END,
            Self::Lines => b'\n',
        }
    }

    /// Reads one frame or line, given without its end.
    pub(super) fn decode(self, bytes: &[u8], scratch: &mut Vec<u8>) -> Content {
        match self {
            Self::Frames => decode(bytes, scratch),
            Self::Lines => decode_line(bytes).map_or(Content::Damaged, Content::Record),
        }
    }
}

/// Version 1.
#[derive(Serialize, Deserialize)]
struct Fields<'a> {
    request_id: [u8; 16],
    function_id: [u8; 16],
    namespace: &'a str,
    function_name: &'a str,
    version: u32,
    runtime: &'a str,
    start: u8,
    status: u8,
    error_type: Option<&'a str>,
    started_at_us: i64,
    queue_us: u64,
    boot_us: u64,
    init_us: u64,
    run_us: u64,
    total_us: u64,
    max_memory_mib: Option<u32>,
    stdout: &'a str,
    stderr: &'a str,
    error_message: Option<&'a str>,
}

/// Appends a frame with `entry` to `out`.
pub(in crate::recorder) fn encode(
    entry: &InvocationEntry,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut bytes = std::mem::take(scratch);
    bytes.clear();
    bytes.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
    bytes = postcard::to_extend(&Fields::of(entry), bytes).map_err(|error| {
        Error::internal("journal_append", "A record cannot be encoded.").source(error)
    })?;
    let checksum = checksum(VERSION, &bytes[HEAD..]);
    bytes[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    frame::encode(&bytes, out);
    *scratch = bytes;
    Ok(())
}

/// A frame of a version with any body.
#[cfg(feature = "fuzzing")]
pub(in crate::recorder) fn framed(version: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![version];
    bytes.extend_from_slice(&checksum(version, body).to_le_bytes());
    bytes.extend_from_slice(body);
    let mut frame = Vec::new();
    frame::encode(&bytes, &mut frame);
    frame
}

fn decode(frame: &[u8], scratch: &mut Vec<u8>) -> Content {
    let whole = frame::decode(frame, scratch).and_then(|()| {
        let (head, body) = scratch.split_at_checked(HEAD)?;
        let expected = u32::from_le_bytes(head[1..].try_into().ok()?);
        (checksum(head[0], body) == expected).then_some((head[0], body))
    });
    match whole {
        Some((VERSION, body)) => postcard::from_bytes(body)
            .ok()
            .and_then(Fields::entry)
            // The checksum fits: a program wrote exactly this, only not this one.
            .map_or(Content::Foreign, |entry| Content::Record(Box::new(entry))),
        Some(_) => Content::Foreign,
        None => Content::Damaged,
    }
}

fn decode_line(line: &[u8]) -> Option<Box<InvocationEntry>> {
    let (checksum, json) = line.split_at_checked(9)?;
    let checksum = std::str::from_utf8(&checksum[..8]).ok()?;
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    if checksum != crc32fast::hash(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn checksum(version: u8, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[version]);
    hasher.update(body);
    hasher.finalize()
}

impl<'a> Fields<'a> {
    fn of(entry: &'a InvocationEntry) -> Self {
        let (record, output) = (&entry.record, &entry.output);
        Self {
            request_id: *record.request_id.as_bytes(),
            function_id: *record.function_id.as_bytes(),
            namespace: record.namespace.as_str(),
            function_name: record.function_name.as_str(),
            version: record.version,
            runtime: record.runtime.as_str(),
            start: match record.start {
                StartKind::Cold => 0,
                StartKind::Prewarmed => 1,
                StartKind::Warm => 2,
            },
            status: match record.status {
                Status::Success => 0,
                Status::FunctionError => 1,
                Status::Timeout => 2,
                Status::OutOfMemory => 3,
                Status::Crashed => 4,
                Status::Cancelled => 5,
            },
            error_type: record.error_type.as_deref(),
            started_at_us: record.started_at.as_microsecond(),
            queue_us: record.queue_us,
            boot_us: record.boot_us,
            init_us: record.init_us,
            run_us: record.run_us,
            total_us: record.total_us,
            max_memory_mib: record.max_memory_mib,
            stdout: &output.stdout,
            stderr: &output.stderr,
            error_message: output.error_message.as_deref(),
        }
    }

    fn entry(self) -> Option<InvocationEntry> {
        let mut record = InvocationRecord::started(
            RequestId::from_bytes(self.request_id),
            Namespace::new(self.namespace).ok()?,
            (
                FunctionId::from_bytes(self.function_id),
                FunctionName::new(self.function_name).ok()?,
                self.version,
            ),
            RuntimeName::new(self.runtime).ok()?,
            Timestamp::from_microsecond(self.started_at_us).ok()?,
        );
        record.start = match self.start {
            0 => StartKind::Cold,
            1 => StartKind::Prewarmed,
            2 => StartKind::Warm,
            _ => return None,
        };
        record.status = match self.status {
            0 => Status::Success,
            1 => Status::FunctionError,
            2 => Status::Timeout,
            3 => Status::OutOfMemory,
            4 => Status::Crashed,
            5 => Status::Cancelled,
            _ => return None,
        };
        record.error_type = self.error_type.map(str::to_owned);
        record.queue_us = self.queue_us;
        record.boot_us = self.boot_us;
        record.init_us = self.init_us;
        record.run_us = self.run_us;
        record.total_us = self.total_us;
        record.max_memory_mib = self.max_memory_mib;
        let output = InvocationOutput {
            stdout: self.stdout.to_owned(),
            stderr: self.stderr.to_owned(),
            error_message: self.error_message.map(str::to_owned),
        };
        Some(InvocationEntry::new(record, output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::tests::entry;

    fn encoded(entry: &InvocationEntry) -> Vec<u8> {
        let mut out = Vec::new();
        encode(entry, &mut Vec::new(), &mut out).unwrap();
        assert_eq!(out.pop(), Some(frame::END));
        out
    }

    fn decoded(frame: &[u8]) -> Content {
        Format::Frames.decode(frame, &mut Vec::new())
    }

    #[test]
    fn every_field_is_kept() {
        for status in Status::ALL {
            for start in StartKind::ALL {
                let mut entry = entry();
                let record = &mut entry.record;
                (record.status, record.start) = (*status, *start);
                record.error_type = Some("Type\0".to_owned());
                record.version = u32::MAX;
                (record.queue_us, record.boot_us, record.init_us) = (1, 2, 300);
                (record.run_us, record.total_us) = (u64::MAX, 7);
                record.max_memory_mib = Some(128);
                entry.output.stdout = "ü\0\n".repeat(1_000);
                entry.output.stderr = "err".to_owned();
                entry.output.error_message = Some(String::new());
                let frame = encoded(&entry);
                assert_eq!(Format::of(&frame), Format::Frames);
                assert_eq!(decoded(&frame), Content::Record(Box::new(entry)));
            }
        }
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let frame = encoded(&entry());
        for at in 0..frame.len() {
            for change in [1, 0x80, 0xff] {
                let mut damaged = frame.clone();
                damaged[at] ^= change;
                assert_eq!(decoded(&damaged), Content::Damaged, "byte {at}");
            }
        }
    }

    #[test]
    fn what_a_later_version_wrote_is_not_taken_for_damage() {
        let body = b"something else";
        let mut bytes = vec![VERSION + 1];
        bytes.extend_from_slice(&checksum(VERSION + 1, body).to_le_bytes());
        bytes.extend_from_slice(body);
        let mut frame = Vec::new();
        frame::encode(&bytes, &mut frame);
        frame.pop();
        assert_eq!(decoded(&frame), Content::Foreign);
    }

    /// The bytes as the first release wrote them: they must be read for ever.
    #[test]
    fn the_layout_of_version_1_stays() {
        let mut entry = entry();
        entry.record.request_id = RequestId::from_bytes([1; 16]);
        entry.record.function_id = FunctionId::from_bytes([2; 16]);
        entry.record.error_type = Some("E".to_owned());
        entry.record.max_memory_mib = Some(300);
        entry.output = InvocationOutput::new("out", "", Some("m"));
        let hex: String = encoded(&entry)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "380112ebccb00101010101010101010101010101010102020202020202020202020202020202076465\
             6661756c7401660106646f636b6572010c0101458089818283898506010101093c01ac02036f75740401016d"
        );
    }

    #[test]
    fn lines_of_the_first_journals_are_read() {
        let entry = entry();
        let json = serde_json::to_string(&entry).unwrap();
        let line = format!("{:08x} {json}", crc32fast::hash(json.as_bytes()));
        assert_eq!(Format::of(line.as_bytes()), Format::Lines);
        let content = Format::Lines.decode(line.as_bytes(), &mut Vec::new());
        assert_eq!(content, Content::Record(Box::new(entry)));
        let torn = &line.as_bytes()[..line.len() - 1];
        assert_eq!(
            Format::Lines.decode(torn, &mut Vec::new()),
            Content::Damaged
        );
    }
}
