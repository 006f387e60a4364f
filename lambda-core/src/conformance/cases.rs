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

/// The case functions in images/cases, for runtimes that really run code.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImageSources;

macro_rules! sources {
    ($($case:literal => $file:literal),+ $(,)?) => {
        &[$(($case, include_str!(concat!("../../cases/", $file)))),+]
    };
}

type Table = &'static [(&'static str, &'static str)];

const PYTHON_HANDLERS: Table = sources!(
    "alloc" => "python/alloc.py",
    "echo" => "python/echo.py",
    "exit" => "python/exit.py",
    "flood" => "python/flood.py",
    "fork" => "python/fork.py",
    "large" => "python/large.py",
    "missing-module" => "python/missing-module.py",
    "raise" => "python/raise.py",
    "sleep" => "python/sleep.py",
    "spin" => "python/spin.py",
    "traceparent" => "python/traceparent.py",
    "unicode" => "python/unicode.py",
);

const PYTHON_SCRIPTS: Table = sources!(
    "alloc" => "python/scripts/alloc.py",
    "args" => "python/scripts/args.py",
    "exit" => "python/scripts/exit.py",
    "flood" => "python/scripts/flood.py",
    "raise" => "python/scripts/raise.py",
    "signal" => "python/scripts/signal.py",
    "spin" => "python/scripts/spin.py",
    "traceparent" => "python/scripts/traceparent.py",
);

const JAVASCRIPT_HANDLERS: Table = sources!(
    "alloc" => "javascript/alloc.mjs",
    "echo" => "javascript/echo.mjs",
    "exit" => "javascript/exit.mjs",
    "flood" => "javascript/flood.mjs",
    "fork" => "javascript/fork.mjs",
    "large" => "javascript/large.mjs",
    "missing-module" => "javascript/missing-module.mjs",
    "raise" => "javascript/raise.mjs",
    "sleep" => "javascript/sleep.mjs",
    "spin" => "javascript/spin.mjs",
    "traceparent" => "javascript/traceparent.mjs",
    "unicode" => "javascript/unicode.mjs",
);

const JAVASCRIPT_SCRIPTS: Table = sources!(
    "alloc" => "javascript/scripts/alloc.js",
    "args" => "javascript/scripts/args.js",
    "exit" => "javascript/scripts/exit.js",
    "flood" => "javascript/scripts/flood.js",
    "raise" => "javascript/scripts/raise.js",
    "signal" => "javascript/scripts/signal.js",
    "spin" => "javascript/scripts/spin.js",
    "traceparent" => "javascript/scripts/traceparent.js",
);

impl Sources for ImageSources {
    fn languages(&self) -> Vec<Language> {
        Language::ALL.to_vec()
    }

    fn handler(&self, language: Language, case: &str) -> String {
        find(
            case,
            match language {
                Language::Python => PYTHON_HANDLERS,
                Language::Javascript => JAVASCRIPT_HANDLERS,
            },
        )
    }

    fn script(&self, language: Language, case: &str) -> String {
        find(
            case,
            match language {
                Language::Python => PYTHON_SCRIPTS,
                Language::Javascript => JAVASCRIPT_SCRIPTS,
            },
        )
    }
}

fn find(case: &str, table: Table) -> String {
    let found = table.iter().find(|(name, _)| *name == case);
    let (_, source) = found.unwrap_or_else(|| panic!("there is no case {case}"));
    (*source).to_owned()
}
