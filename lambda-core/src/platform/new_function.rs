//! A function to be created.

use crate::error::Result;
use crate::model::{CodeSource, FunctionConfig, FunctionName, Language};

/// A function to be created.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewFunction {
    /// Its name.
    pub name: FunctionName,
    /// Everything but the code.
    pub config: FunctionConfig,
    /// The code.
    pub code: CodeSource,
}

impl NewFunction {
    /// A function with all its parts.
    #[must_use]
    pub fn new(name: FunctionName, config: FunctionConfig, code: CodeSource) -> Self {
        Self { name, config, code }
    }

    /// A Python script function with every default.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is none.
    pub fn python(name: &str, source: impl Into<String>) -> Result<Self> {
        Self::inline(Language::Python, name, source)
    }

    /// A JavaScript script function with every default.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is none.
    pub fn javascript(name: &str, source: impl Into<String>) -> Result<Self> {
        Self::inline(Language::Javascript, name, source)
    }

    /// Makes it a handler function: `module.function`.
    #[must_use]
    pub fn handler(mut self, handler: impl Into<String>) -> Self {
        self.config.handler = Some(handler.into());
        self
    }

    fn inline(language: Language, name: &str, source: impl Into<String>) -> Result<Self> {
        Ok(Self::new(
            FunctionName::new(name)?,
            FunctionConfig::new(language),
            CodeSource::Inline(source.into()),
        ))
    }
}
