//! Runs a list of cases and says which failed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// One case of a suite: a name and what it does with a harness.
pub(super) struct Case<H> {
    name: &'static str,
    run: fn(H) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<H> Case<H> {
    pub(super) const fn new(
        name: &'static str,
        run: fn(H) -> Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Self {
        Self { name, run }
    }
}

impl<H> fmt::Debug for Case<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The cases that failed; their panics' messages are on stderr.
#[derive(Debug)]
pub struct Failures(pub Vec<&'static str>);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed: {}", self.0.join(", "))
    }
}

impl std::error::Error for Failures {}

/// Runs all cases, one after the other, each in a task of its own: a panic in one does not
/// hide the others.
pub(super) async fn run_cases<H: Clone + Send + 'static>(
    harness: &H,
    cases: &[Case<H>],
) -> Result<(), Failures> {
    let mut failed = Vec::new();
    for case in cases {
        eprintln!("case {} ...", case.name);
        if tokio::spawn((case.run)(harness.clone())).await.is_err() {
            eprintln!("case {} FAILED", case.name);
            failed.push(case.name);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failures(failed))
    }
}
