//! Runs that the thread of an event loop begins, such as Python's or Node's.
//!
//! Nothing may keep that thread waiting for long, but waking another one would take longer than a
//! whole warm call. So it polls a run once, and looks for the answer of a warm sandbox for a
//! moment; the rest is done by a thread of tokio's. Whatever would take time asks here, and waits
//! for the next poll, which is that thread's.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

thread_local! {
    static IS_BEGINNING: Cell<bool> = const { Cell::new(false) };
}

/// Has `poll` begin a run. What it leaves undone, somebody polls again without being woken.
pub(crate) fn begin<T>(poll: impl FnOnce() -> T) -> T {
    /// Also where `poll` panics.
    struct End(bool);
    impl Drop for End {
        fn drop(&mut self) {
            IS_BEGINNING.set(self.0);
        }
    }
    let _end = End(IS_BEGINNING.replace(true));
    poll()
}

/// Whether this thread is an event loop's, and has other things to do.
pub(crate) fn is_beginning() -> bool {
    IS_BEGINNING.get()
}

/// Goes on at once, but on no event loop's thread.
pub(crate) async fn leave() {
    poll_fn(|_| match is_beginning() {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn what_would_take_time_waits_for_the_next_poll() {
        let mut work = pin!(leave());
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(begin(|| work.as_mut().poll(&mut nobody)).is_pending());
        assert!(work.as_mut().poll(&mut nobody).is_ready());
    }

    #[test]
    fn a_beginning_that_panics_is_over() {
        let panicked = catch_unwind(AssertUnwindSafe(|| begin(|| panic!("as a runtime may"))));
        assert!(panicked.is_err() && !is_beginning());
    }
}
