//! Why a command failed: for people, for scripts, and as an exit code.

use std::fmt;

/// What a command returns.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// A message, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    is_usage: bool,
}

impl Failure {
    /// Something went wrong.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            code: "Failure".to_owned(),
            message: message.into(),
            hint: None,
            is_usage: false,
        }
    }

    /// The command was called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: "Usage".to_owned(),
            is_usage: true,
            ..Self::new(message)
        }
    }

    /// What to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The name by which scripts know it.
    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// 2 for wrong usage, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<lambda_core::Error> for Failure {
    fn from(error: lambda_core::Error) -> Self {
        let failure = Self::new(error.to_string()).code(error.kind().code());
        match error.hint_text() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
