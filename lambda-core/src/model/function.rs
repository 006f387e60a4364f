//! A function: its code, its configuration, and how either may change.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::code::{CodeRef, CodeSource};
use super::ids::{AliasName, FunctionId, FunctionName, Namespace, RevisionId, RuntimeName};
use super::limits;
use crate::error::{Error, Result};

/// What a function's code is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Language {
    /// Python 3.9 or later.
    Python,
    /// JavaScript on Node 18 or later.
    #[serde(alias = "node")]
    Javascript,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::Python, Self::Javascript];

    /// The name, as it stands in every API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Javascript => "javascript",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "python" => Ok(Self::Python),
            "javascript" | "node" => Ok(Self::Javascript),
            _ => Err(Error::invalid(
                "language",
                "The language is neither `python` nor `javascript`.",
            )),
        }
    }
}

/// Everything about a function version besides its code.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct FunctionConfig {
    /// For people; at most 256 characters.
    pub description: String,
    /// What the code is written in.
    pub language: Language,
    /// `module.function` of a handler function; none for a script function.
    pub handler: Option<String>,
    /// The sandbox back end, unless an execution names another.
    pub runtime: RuntimeName,
    /// Longest init + run time of one invocation, 1 ms to 900 s.
    pub timeout: Duration,
    /// Memory of a sandbox, /tmp included, in MiB.
    pub memory_mib: u32,
    /// CPUs of a sandbox.
    pub cpus: f64,
    /// Size of /tmp in MiB; none: a quarter of the memory.
    pub tmp_mib: Option<u32>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Most sandboxes of this function at once; none: the platform's bound.
    pub concurrency: Option<u32>,
    /// The container image, out of the operator's list; none: the language's default image.
    pub image: Option<String>,
    /// `none`, or a network out of the operator's list.
    pub network: String,
    /// Each invocation of a handler function is a process of its own, which finds the code
    /// loaded and nothing that another invocation left in memory. Scripts are always so.
    pub fresh_process: bool,
    /// Sandboxes that are kept warm, code loaded, also while nobody calls: of the current
    /// version, in its own runtime. At most `concurrency`.
    pub min_warm: u32,
    /// What a handler leaves running when it has answered runs on. Otherwise it is killed, but
    /// for what ran when the module had been loaded. It never applies to scripts.
    pub keep_processes: bool,
}

impl FunctionConfig {
    /// A script function in `language`, with every default.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self {
            description: String::new(),
            language,
            handler: None,
            runtime: RuntimeName::default(),
            timeout: limits::TIMEOUT_DEFAULT,
            memory_mib: limits::MEMORY_MIB_DEFAULT,
            cpus: limits::CPUS_DEFAULT,
            tmp_mib: None,
            env: BTreeMap::new(),
            concurrency: None,
            image: None,
            network: "none".to_owned(),
            fresh_process: false,
            min_warm: 0,
            keep_processes: false,
        }
    }

    /// Size of /tmp in MiB, the default worked out.
    #[must_use]
    pub fn effective_tmp_mib(&self) -> u32 {
        self.tmp_mib
            .unwrap_or((self.memory_mib / 4).max(limits::TMP_MIB_MIN))
    }

    /// Checks every field against its limits.
    ///
    /// # Errors
    /// `InvalidParameter`, naming the field, its limits and its unit.
    pub fn validate(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::invalid("function_validate", message));
        if self.description.chars().count() > limits::DESCRIPTION_CHARS_MAX {
            return invalid("`description` has at most 256 characters.".to_owned());
        }
        if let Some(handler) = &self.handler {
            validate_handler(handler)?;
        }
        let timeout_ms = self.timeout.as_millis();
        if !(1..=u128::from(limits::TIMEOUT_MAX_MS)).contains(&timeout_ms) {
            return invalid("`timeout_ms` is 1 to 900000 milliseconds.".to_owned());
        }
        if !(limits::MEMORY_MIB_MIN..=limits::MEMORY_MIB_MAX).contains(&self.memory_mib) {
            return invalid(format!(
                "`memory_mib` is {} to {} MiB.",
                limits::MEMORY_MIB_MIN,
                limits::MEMORY_MIB_MAX
            ));
        }
        if !(limits::CPUS_MIN..=limits::CPUS_MAX).contains(&self.cpus) {
            return invalid(format!(
                "`cpus` is {} to {}.",
                limits::CPUS_MIN,
                limits::CPUS_MAX
            ));
        }
        if let Some(tmp_mib) = self.tmp_mib
            && !(limits::TMP_MIB_MIN..=self.memory_mib / 2).contains(&tmp_mib)
        {
            return invalid(format!(
                "`tmp_mib` is 1 to half of `memory_mib` ({} MiB), because /tmp is memory.",
                self.memory_mib / 2
            ));
        }
        if self.concurrency == Some(0) {
            return invalid("`concurrency` is at least 1.".to_owned());
        }
        let most = self.concurrency.unwrap_or(limits::MIN_WARM_MAX);
        if self.min_warm > most.min(limits::MIN_WARM_MAX) {
            return invalid(format!(
                "`min_warm` is 0 to {}, and at most `concurrency`.",
                limits::MIN_WARM_MAX
            ));
        }
        if self.keep_processes && self.fresh_process {
            return Err(Error::invalid(
                "function_validate",
                "`keep_processes` and `fresh_process` contradict each other.",
            )
            .hint("With `fresh_process` nothing outlives an invocation; leave one of them out."));
        }
        validate_env(&self.env)
    }
}

impl fmt::Debug for FunctionConfig {
    // The values of environment variables are secrets more often than not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionConfig")
            .field("language", &self.language)
            .field("handler", &self.handler)
            .field("runtime", &self.runtime)
            .field("timeout", &self.timeout)
            .field("memory_mib", &self.memory_mib)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn validate_handler(handler: &str) -> Result<()> {
    let well_formed = handler.len() <= limits::HANDLER_CHARS_MAX
        && handler
            .rsplit_once('.')
            .is_some_and(|(module, function)| !module.is_empty() && !function.is_empty())
        && handler
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/$".contains(&b))
        && !handler.starts_with('/')
        && handler
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if well_formed {
        return Ok(());
    }
    Err(Error::invalid(
        "function_validate",
        "`handler` is `module.function`, at most 128 characters.",
    )
    .hint("For a function `handler` in app.py or app.mjs write `app.handler`; for a script leave it out."))
}

fn validate_env(env: &BTreeMap<String, String>) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("function_validate", message));
    for (name, value) in env {
        let mut bytes = name.bytes();
        let well_formed = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !well_formed {
            return invalid(format!(
                "`env` has the name {name:?}; names are letters, digits and _, not starting with a digit."
            ));
        }
        if value.contains('\0') {
            return invalid(format!("`env` has a NUL character in the value of {name}."));
        }
    }
    let bytes: usize = env
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > limits::ENV_BYTES_MAX {
        return invalid(format!(
            "`env` has {bytes} bytes; all names and values together have at most {}.",
            limits::ENV_BYTES_MAX
        ));
    }
    Ok(())
}

/// A function at one of its versions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Function {
    /// The space in which the name is unique.
    pub namespace: Namespace,
    /// Stays the same through all versions.
    pub id: FunctionId,
    /// Unique in the namespace.
    pub name: FunctionName,
    /// From 1; each update appends one.
    pub version: u32,
    /// Read at the current version: the function's revision, which every change of its code,
    /// configuration, name or aliases renews. Read by number or by another alias: the one that
    /// creating the version gave.
    pub revision: RevisionId,
    /// When the function was created.
    pub created_at: Timestamp,
    /// When this version was created.
    pub updated_at: Timestamp,
    /// Everything but the code.
    pub config: FunctionConfig,
    /// The code packages, unpacked in this order. One for now; layers come later.
    pub code: Vec<CodeRef>,
}

/// A name that points at a version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alias {
    /// The name.
    pub name: AliasName,
    /// The version that it points at.
    pub version: u32,
}

impl Alias {
    /// `name`, pointing at `version`.
    #[must_use]
    pub fn new(name: AliasName, version: u32) -> Self {
        Self { name, version }
    }
}

impl Function {
    /// The first version of a new function, as a store makes it.
    #[must_use]
    pub fn first_version(
        namespace: Namespace,
        id: FunctionId,
        name: FunctionName,
        config: FunctionConfig,
        code: Vec<CodeRef>,
        now: Timestamp,
    ) -> Self {
        Self {
            namespace,
            id,
            name,
            version: 1,
            revision: RevisionId::new(),
            created_at: now,
            updated_at: now,
            config,
            code,
        }
    }
}

/// A partial change of a function: what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FunctionPatch {
    /// A new name.
    pub name: Option<FunctionName>,
    /// See [`FunctionConfig`]; also for the rest.
    pub description: Option<String>,
    /// Needs new code with it.
    pub language: Option<Language>,
    /// `Some(None)` makes it a script function.
    pub handler: Option<Option<String>>,
    /// The sandbox back end.
    pub runtime: Option<RuntimeName>,
    /// The timeout.
    pub timeout: Option<Duration>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// CPUs.
    pub cpus: Option<f64>,
    /// `Some(None)` goes back to the default.
    pub tmp_mib: Option<Option<u32>>,
    /// Replaces all variables.
    pub env: Option<BTreeMap<String, String>>,
    /// `Some(None)` goes back to the default.
    pub concurrency: Option<Option<u32>>,
    /// `Some(None)` goes back to the default.
    pub image: Option<Option<String>>,
    /// The network.
    pub network: Option<String>,
    /// Whether each invocation is a process of its own.
    pub fresh_process: Option<bool>,
    /// How many sandboxes are kept warm.
    pub min_warm: Option<u32>,
    /// Whether what an invocation leaves running runs on.
    pub keep_processes: Option<bool>,
    /// New code.
    pub code: Option<CodeSource>,
}

impl FunctionPatch {
    /// Changes `config` by every field but name and code.
    pub fn apply(&self, config: &mut FunctionConfig) {
        fn set<T: Clone>(target: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                target.clone_from(value);
            }
        }
        set(&mut config.description, &self.description);
        set(&mut config.language, &self.language);
        set(&mut config.handler, &self.handler);
        set(&mut config.runtime, &self.runtime);
        set(&mut config.timeout, &self.timeout);
        set(&mut config.memory_mib, &self.memory_mib);
        set(&mut config.cpus, &self.cpus);
        set(&mut config.tmp_mib, &self.tmp_mib);
        set(&mut config.env, &self.env);
        set(&mut config.concurrency, &self.concurrency);
        set(&mut config.image, &self.image);
        set(&mut config.network, &self.network);
        set(&mut config.fresh_process, &self.fresh_process);
        set(&mut config.min_warm, &self.min_warm);
        set(&mut config.keep_processes, &self.keep_processes);
    }
}
