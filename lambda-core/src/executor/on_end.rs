//! Hearing of an invocation's end without a task that waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::error::Result;
use crate::model::Outcome;

type Told = Box<dyn FnOnce(Result<Outcome>) + Send>;
type Waiting = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

/// Its own waker: whoever wakes it polls it.
struct OnEnd(Mutex<Option<(Waiting, Told)>>);

/// Calls `told` once `outcome` is ready.
pub(super) fn tell(outcome: impl Future<Output = Result<Outcome>> + Send + 'static, told: Told) {
    // By whichever task's thread: its budget is not this future's, which would wake itself, and so
    // poll itself while it is polled, once that is used up.
    let outcome = tokio::task::unconstrained(outcome);
    Arc::new(OnEnd(Mutex::new(Some((Box::pin(outcome), told))))).poll();
}

impl OnEnd {
    fn poll(self: Arc<Self>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((mut outcome, told)) = slot.take() else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        match outcome.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => {
                drop(slot);
                told(outcome);
            }
            Poll::Pending => *slot = Some((outcome, told)),
        }
    }
}

impl Wake for OnEnd {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use tokio::sync::oneshot;

    use super::*;
    use crate::error::{Error, ErrorKind};

    fn ending() -> (oneshot::Sender<()>, mpsc::Receiver<ErrorKind>) {
        let (end, ended) = oneshot::channel();
        let (sender, told) = mpsc::channel();
        let outcome = async move {
            let _ = ended.await;
            Err(Error::internal("test", "It has ended."))
        };
        let tell_it = move |outcome: Result<Outcome>| sender.send(outcome.unwrap_err().kind());
        tell(outcome, Box::new(move |outcome| tell_it(outcome).unwrap()));
        (end, told)
    }

    #[test]
    fn it_is_told_by_whoever_ends_it() {
        let (end, told) = ending();
        assert!(told.try_recv().is_err());
        end.send(()).unwrap();
        assert_eq!(told.try_recv(), Ok(ErrorKind::Internal));
    }

    #[test]
    fn it_is_told_of_an_executor_that_gives_it_up() {
        let (end, told) = ending();
        drop(end);
        assert_eq!(told.try_recv(), Ok(ErrorKind::Internal));
    }

    #[tokio::test]
    async fn it_is_told_by_a_task_that_has_used_up_its_budget() {
        let (end, told) = ending();
        // Never gives way to the runtime, so the budget stays used up.
        std::future::poll_fn(|context| {
            while let std::task::Poll::Ready(spent) = tokio::task::coop::poll_proceed(context) {
                spent.made_progress();
            }
            std::task::Poll::Ready(())
        })
        .await;
        end.send(()).unwrap();
        assert_eq!(told.try_recv(), Ok(ErrorKind::Internal));
    }

    #[test]
    fn it_is_told_once_however_ends_meet() {
        for _ in 0..1_000 {
            let (end, ended) = oneshot::channel();
            let ending = thread::spawn(move || end.send(()).unwrap());
            let (sender, told) = mpsc::channel();
            let outcome = async move {
                let _ = ended.await;
                Err(Error::internal("test", "It has ended."))
            };
            tell(outcome, Box::new(move |_| sender.send(()).unwrap()));
            assert!(told.recv().is_ok());
            ending.join().unwrap();
            assert!(told.recv().is_err(), "twice");
        }
    }
}
