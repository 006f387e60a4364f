//! Waiting for the journal in a task, where there are no threads.

use std::time::Duration;

use super::Journal;

impl Journal {
    /// As [`wait`](Self::wait), without blocking.
    pub(in crate::recorder) async fn wait_in_task(
        &self,
        timeout: Option<Duration>,
        for_record: bool,
    ) {
        {
            let mut active = self.active();
            if for_record && active.is_dirty() {
                return;
            }
            active.is_awaited = for_record;
        }
        let woken = async {
            while !self.is_over(for_record) {
                self.woken_task.notified().await;
            }
        };
        match timeout {
            Some(timeout) => drop(tokio::time::timeout(timeout, woken).await),
            None => woken.await,
        }
        let mut active = self.active();
        active.is_awaited = false;
        active.is_poked = false;
    }

    pub(in crate::recorder) fn disk_was_busy(&self) -> Duration {
        self.disk.was_busy()
    }

    fn is_over(&self, for_record: bool) -> bool {
        let active = self.active();
        active.is_poked || active.is_awaited != for_record
    }
}
