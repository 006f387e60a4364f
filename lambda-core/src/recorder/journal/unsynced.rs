//! Copies of the frames that are not on the disk for certain.
//!
//! Whole frames only. What was written of one in part is in its segment, where the next frame
//! ends it; written anew in front of another it would take that one with it.

use super::frame;

/// What is kept of them. Only a disk that hangs makes it as much.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The end of a stream of frames, from the first on that this process wrote.
#[derive(Debug)]
pub(super) struct Unsynced {
    frames: Vec<u8>,
    /// Where in the stream `frames` begins.
    begin: u64,
    /// How much of the stream is on the disk.
    synced: u64,
}

impl Unsynced {
    pub(super) fn new() -> Self {
        Self {
            frames: Vec::with_capacity(64 * 1024),
            begin: 0,
            synced: 0,
        }
    }

    /// The frames that there are copies of, for somebody to append one more.
    pub(super) fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    pub(super) fn records(&self) -> u64 {
        let ends = self.frames.iter().filter(|byte| **byte == frame::END);
        ends.count() as u64
    }

    /// Where the stream ends.
    pub(super) fn end(&self) -> u64 {
        self.begin + self.frames.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.synced >= self.end()
    }

    /// The stream is on the disk up to `until`.
    pub(super) fn sync(&mut self, until: u64) {
        self.synced = self.synced.max(until);
        let done = until.saturating_sub(self.begin);
        let done =
            usize::try_from(done).map_or(self.frames.len(), |done| done.min(self.frames.len()));
        self.frames.drain(..done);
        self.begin += done as u64;
    }

    /// Lets go of what is too much to keep.
    pub(super) fn bound(&mut self) {
        if self.frames.len() > BYTES_MAX {
            self.begin = self.end();
            self.frames.clear();
        }
    }

    /// How many bytes are neither on the disk nor here; they are given up, and told of once.
    pub(super) fn take_lost(&mut self) -> u64 {
        let lost = self.begin.saturating_sub(self.synced);
        self.synced = self.synced.max(self.begin);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_synced_is_let_go_and_nothing_else() {
        let mut unsynced = Unsynced::new();
        assert!(unsynced.is_empty());
        unsynced.frames().extend_from_slice(b"one\0two\0");
        let until = unsynced.end();
        unsynced.frames().extend_from_slice(b"three\0");
        assert_eq!(unsynced.records(), 3);
        unsynced.sync(until);
        assert_eq!(unsynced.frames(), b"three\0");
        assert!(!unsynced.is_empty());
        unsynced.sync(unsynced.end());
        assert!(unsynced.is_empty());
        assert_eq!(unsynced.take_lost(), 0);
    }

    #[test]
    fn what_is_too_much_is_told_of_once() {
        let mut unsynced = Unsynced::new();
        unsynced.frames().extend_from_slice(b"synced\0");
        unsynced.sync(unsynced.end());
        let until = unsynced.end();
        unsynced.frames().resize(BYTES_MAX + 1, 1);
        unsynced.bound();
        assert!(!unsynced.is_empty());
        unsynced.frames().extend_from_slice(b"later\0");
        // The sync of an earlier end does not take what came since.
        unsynced.sync(until);
        assert_eq!(unsynced.frames(), b"later\0");
        assert_eq!(unsynced.take_lost(), BYTES_MAX as u64 + 1);
        assert_eq!(unsynced.take_lost(), 0);
        assert!(!unsynced.is_empty());
        unsynced.sync(unsynced.end());
        assert!(unsynced.is_empty());
    }
}
