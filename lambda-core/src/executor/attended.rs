//! A run that is driven by whoever waits for it; see
//! [`is_attended`](super::ExecuteRequest::is_attended).

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whoever waits may go away, the run goes on: in a task of its own from then on. Until then it is
/// none, because handing a run to another thread, and its end back, takes longer than a warm one.
pub(super) struct Attended {
    task: Option<Task>,
    handle: Handle,
}

impl Attended {
    /// Needs a tokio runtime.
    pub(super) fn new(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            task: Some(Box::pin(task)),
            handle: Handle::current(),
        }
    }

    /// As [`poll`](Future::poll), where nobody is woken: whoever goes on polls again at once.
    pub(super) fn begin(&mut self) -> Poll<()> {
        Pin::new(self).poll(&mut Context::from_waker(Waker::noop()))
    }
}

impl fmt::Debug for Attended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attended")
            .field("has_ended", &self.task.is_none())
            .finish()
    }
}

impl Future for Attended {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(());
        };
        // A runtime that panics ends this run alone, as it would in a task.
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        self.task = None;
        Poll::Ready(())
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.handle.spawn(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_run_that_nobody_waits_for_goes_on() {
        let (go, gone) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let mut run = Attended::new(async move {
            gone.await.unwrap();
            end.send(()).unwrap();
        });
        assert!(run.begin().is_pending());
        drop(run);
        go.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_run_is_driven_by_whoever_waits_for_it() {
        let (go, gone) = oneshot::channel::<()>();
        let here = tokio::task::spawn(async move {
            let own = tokio::task::id();
            Attended::new(async move {
                gone.await.unwrap();
                assert_eq!(tokio::task::id(), own);
            })
            .await;
        });
        go.send(()).unwrap();
        here.await.unwrap();
    }

    #[tokio::test]
    async fn a_run_that_panics_ends_alone() {
        let mut run = Attended::new(async { panic!("as a runtime may") });
        assert!(run.begin().is_ready());
        run.await;
    }
}
