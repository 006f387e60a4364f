//! The functions that the suites run: the same cases in every language.

use crate::model::Language;

/// Where a suite gets the source of its case functions from.
///
/// A handler case is deployed as inline code with the handler `case.handler`; a script case
/// as inline code without one. images/cases/README.md says what each does.
pub trait Sources: Send + Sync {
    /// The languages to test.
    fn languages(&self) -> Vec<Language>;

    /// The source of a handler case.
    fn handler(&self, language: Language, case: &str) -> String;

    /// The source of a script case.
    fn script(&self, language: Language, case: &str) -> String;
}

/// Sources for the fake runtime, which acts the cases out by their names.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeSources;

impl Sources for FakeSources {
    fn languages(&self) -> Vec<Language> {
        Language::ALL.to_vec()
    }

    fn handler(&self, _language: Language, case: &str) -> String {
        format!("fake:{case}")
    }

    fn script(&self, _language: Language, case: &str) -> String {
        format!("fake:{case}")
    }
}
