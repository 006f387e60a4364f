//! Runs a list of cases and says which failed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Far more than any case takes; one that hangs is reported and does not stop the suite.
pub(super) const CASE_LIMIT: Duration = Duration::from_secs(300);

/// One case of a suite: a name and what it does with a harness.
pub(super) struct Case<H> {
    pub(super) name: &'static str,
    run: fn(H) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<H> Case<H> {
    pub(super) const fn new(
        name: &'static str,
        run: fn(H) -> Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Self {
        Self { name, run }
    }

    /// The case, on `harness`.
    pub(super) fn start(&self, harness: H) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        (self.run)(harness)
    }
}

impl<H> fmt::Debug for Case<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
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

/// The cases that failed. Where each panicked is on stderr.
#[derive(Debug)]
pub struct Failures(pub Vec<Failure>);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|Failure { case, message }| write!(f, "\n{case}: {message}"))
    }
}

impl std::error::Error for Failures {}

impl Failures {
    /// `Err` if there is one.
    pub(super) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

/// Runs all cases, one after the other: a failure of one does not hide the others.
pub(super) async fn run_cases<H: Clone + Send + 'static>(
    harness: &H,
    cases: &[Case<H>],
) -> Result<(), Failures> {
    let mut failed = Vec::new();
    for case in cases {
        failed.extend(run_case(case.name, CASE_LIMIT, case.start(harness.clone())).await);
    }
    Failures(failed).into_result()
}

/// Runs one case in a task of its own, so that its panic is its failure.
pub(super) async fn run_case(
    case: &'static str,
    limit: Duration,
    work: impl Future<Output = ()> + Send + 'static,
) -> Option<Failure> {
    eprintln!("case {case} ...");
    let task = tokio::spawn(work);
    let abort = task.abort_handle();
    let message = match tokio::time::timeout(limit, task).await {
        Ok(Ok(())) => return None,
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
    eprintln!("case {case} FAILED");
    Some(Failure { case, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failing_case_is_named_and_the_next_still_runs() {
        let limit = Duration::from_millis(50);
        let failed = [
            run_case("panics", limit, async { panic!("on {}", "purpose") }).await,
            run_case("hangs", limit, std::future::pending()).await,
            run_case("passes", limit, async {}).await,
        ];
        let failures = Failures(failed.into_iter().flatten().collect());
        let text = failures.into_result().unwrap_err().to_string();
        assert_eq!(
            text,
            "2 failed\npanics: on purpose\nhangs: it was not done after 0 s"
        );
    }

    #[tokio::test]
    async fn every_case_gets_the_harness() {
        let cases = [
            Case::new("is two", |number: i32| {
                Box::pin(async move { assert_eq!(number, 2) })
            }),
            Case::new("is three", |number| {
                Box::pin(async move { assert_eq!(number, 3) })
            }),
        ];
        let failures = run_cases(&2, &cases).await.unwrap_err();
        assert_eq!(failures.0.len(), 1);
        assert_eq!(failures.0[0].case, "is three");
    }
}
