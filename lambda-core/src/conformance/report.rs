//! What a suite found.

use std::fmt;
use std::future::Future;
use std::time::Duration;

/// The result of a suite.
#[derive(Debug, Default)]
#[must_use = "a suite that failed says so only here"]
#[non_exhaustive]
pub struct Report {
    /// The names of the cases that passed.
    pub passed: Vec<&'static str>,
    /// The others.
    pub failed: Vec<Failure>,
}

/// A case that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Its name.
    pub case: &'static str,
    /// What it expected and did not find.
    pub message: String,
}

impl Report {
    /// Checks that every case passed, and that there was one.
    ///
    /// # Panics
    /// Otherwise, naming the cases that failed.
    pub fn assert_passed(&self) {
        assert!(
            !self.passed.is_empty() || !self.failed.is_empty(),
            "no case was run"
        );
        assert!(self.failed.is_empty(), "{self}");
    }

    /// Runs one case in a task of its own, so that its panic is its failure.
    pub(super) async fn run(
        &mut self,
        case: &'static str,
        limit: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = tokio::spawn(work);
        let abort = task.abort_handle();
        let message = match tokio::time::timeout(limit, task).await {
            Ok(Ok(())) => return self.passed.push(case),
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("it panicked")
                    .to_owned(),
                Err(error) => error.to_string(),
            },
            Err(_) => {
                abort.abort();
                format!("it was not done after {} s", limit.as_secs())
            }
        };
        self.failed.push(Failure { case, message });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed",
            self.passed.len(),
            self.failed.len()
        )?;
        for Failure { case, message } in &self.failed {
            write!(f, "\n{case}: {message}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failing_case_is_named_and_the_next_still_runs() {
        let mut report = Report::default();
        let limit = Duration::from_millis(50);
        report
            .run("panics", limit, async { panic!("on {}", "purpose") })
            .await;
        report.run("hangs", limit, std::future::pending()).await;
        report.run("passes", limit, async {}).await;
        assert_eq!(report.passed, ["passes"]);
        let text = report.to_string();
        assert!(text.contains("panics: on purpose"), "{text}");
        assert!(text.contains("hangs: it was not done"), "{text}");
    }
}
