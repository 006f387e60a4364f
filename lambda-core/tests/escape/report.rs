//! What was tried, what came of it, and whether that is as declared.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize;

/// One attempt: name, expectation, its reason, result, and whether that is right.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt(
    pub(crate) String,
    pub(crate) String,
    pub(crate) String,
    pub(crate) String,
    pub(crate) bool,
);

pub(crate) struct Report {
    runtime: String,
    attempts: Vec<Attempt>,
}

impl Report {
    pub(crate) fn new(runtime: &str) -> Self {
        Self {
            runtime: runtime.to_owned(),
            attempts: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, attempts: impl IntoIterator<Item = Attempt>) {
        self.attempts.extend(attempts);
    }

    /// Writes all of it down, and fails if anything is not as declared.
    pub(crate) fn judge(self, least: usize) {
        let mut table = String::from("attempt\texpected\tresult\treason\n");
        for Attempt(name, expected, why, result, _) in &self.attempts {
            let result = result.replace(['\t', '\n'], " ");
            writeln!(table, "{name}\t{expected}\t{result}\t{why}").unwrap();
        }
        let path = format!(
            "{}/escape-{}.tsv",
            env!("CARGO_TARGET_TMPDIR"),
            self.runtime
        );
        std::fs::write(&path, table).unwrap();

        let names: BTreeSet<_> = self.attempts.iter().map(|attempt| &attempt.0).collect();
        assert_eq!(names.len(), self.attempts.len(), "names are used twice");
        assert!(names.len() >= least, "only {} attempts", names.len());
        let of_kind = |kind: &str| self.attempts.iter().filter(|it| it.1 == kind).count();
        println!(
            "{}: {} attempts: {} denied, {} harmless, {} open by design; see {path}",
            self.runtime,
            names.len(),
            of_kind("denied"),
            of_kind("harmless"),
            of_kind("by design"),
        );
        let wrong: Vec<_> = self.attempts.iter().filter(|attempt| !attempt.4).collect();
        assert!(
            wrong.is_empty(),
            "{} are not as declared: {wrong:#?}",
            wrong.len()
        );
    }
}
