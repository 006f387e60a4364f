//! Where a sandbox's bytes are read into first: what a caller has room in would have to be zeroed
//! each time.

use std::cell::RefCell;

const BYTES: usize = 64 * 1024;

thread_local! {
    /// Reading is synchronous, so one buffer per thread serves all sandboxes.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BYTES].into_boxed_slice());
}

/// Lends this thread's buffer of 64 KiB. `read` must not ask for it again.
pub(super) fn with_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| read(buffer))
}
