//! Functions: what a deployment takes, and what is there.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lambda_core::model::{
    CodeFormat, CodeSource, Function, FunctionConfig, FunctionName, FunctionPatch, Language,
    RuntimeName,
};
use lambda_core::{CodePackage, Error, NewFunction, Result};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

/// A function to be deployed, or a change of one. Fields that are left out get the default, or in
/// a change keep their value.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct FunctionSpec {
    /// 1 to 64 of `A-Z a-z 0-9 - _`. Default: the name of what is at `path`.
    pub name: Option<String>,
    /// `python` or `javascript`. Default: what the files at `path` are.
    pub language: Option<String>,
    /// One source file, at most 4 MiB.
    pub code: Option<String>,
    /// A zip archive, at most 50 MiB.
    pub zip: Option<Buffer>,
    /// A source file, a directory or a file whose name ends in `.zip`, instead of `code`.
    pub path: Option<String>,
    /// `module.function`; without it the function is a script.
    pub handler: Option<String>,
    /// At most 256 characters.
    pub description: Option<String>,
    /// `docker` (default) or `gvisor`.
    pub runtime: Option<String>,
    /// 1 to 900000 (default 3000).
    pub timeout_ms: Option<u32>,
    /// 64 to 10240 (default 128).
    pub memory_mib: Option<u32>,
    /// 0.1 to 64 (default 1).
    pub cpus: Option<f64>,
    /// Size of /tmp, at most half of the memory (default a quarter of it).
    pub tmp_mib: Option<u32>,
    /// Environment variables, at most 4 KB in all.
    pub env: Option<HashMap<String, String>>,
    /// Most sandboxes of this function at once.
    pub concurrency: Option<u32>,
    /// An image that `allowedImages` lists.
    pub image: Option<String>,
    /// A network that `allowedNetworks` lists (default `none`).
    pub network: Option<String>,
    /// Each invocation of a handler in a process of its own (default false).
    pub fresh_process: Option<bool>,
    /// Sandboxes that are kept warm, code loaded, also while nobody calls (default 0).
    pub min_warm: Option<u32>,
    /// What a handler leaves running when it has answered is not killed (default false).
    pub keep_processes: Option<bool>,
}

impl FunctionSpec {
    /// Blocks while it reads files.
    pub(crate) fn into_new(self) -> Result<NewFunction> {
        let (patch, package_name) = self.read(&[])?;
        let missing = |field: &str, hint: &'static str| {
            Error::invalid("deploy", format!("`{field}` is missing.")).hint(hint)
        };
        let name = patch.name.clone().or(package_name).ok_or_else(|| {
            missing(
                "name",
                "Give the function a name, for example `resize-image`.",
            )
        })?;
        let language = patch.language.ok_or_else(|| {
            missing(
                "language",
                "Give `python` or `javascript`; the files do not tell.",
            )
        })?;
        let code = patch.code.clone().ok_or_else(|| {
            missing(
                "code",
                "Give `code` (source text), `zip` (bytes) or `path`.",
            )
        })?;
        let mut config = FunctionConfig::new(language);
        patch.apply(&mut config);
        Ok(NewFunction::new(name, config, code))
    }

    /// A change; `cleared` are the fields that get their default back. Blocks.
    pub(crate) fn into_patch(self, cleared: &[String]) -> Result<FunctionPatch> {
        Ok(self.read(cleared)?.0)
    }

    fn read(self, cleared: &[String]) -> Result<(FunctionPatch, Option<FunctionName>)> {
        fn optional<T>(name: &str, value: Option<T>, cleared: &[String]) -> Option<Option<T>> {
            match value {
                Some(value) => Some(Some(value)),
                None => cleared.iter().any(|field| field == name).then_some(None),
            }
        }
        let mut patch = FunctionPatch::default();
        let mut package_name = None;
        patch.name = self.name.map(FunctionName::new).transpose()?;
        patch.language = self
            .language
            .map(|text| text.parse::<Language>())
            .transpose()?;
        patch.code = match (self.code, self.zip, self.path) {
            (None, None, None) => None,
            (Some(text), None, None) => Some(CodeSource::Inline(text)),
            (None, Some(bytes), None) => Some(CodeSource::Zip(Vec::from(bytes).into())),
            (None, None, Some(path)) => {
                let package = CodePackage::read(path, self.handler.as_deref())?;
                patch.language = patch.language.or(package.language);
                package_name = package.name;
                Some(package.code)
            }
            _ => {
                return Err(Error::invalid(
                    "deploy",
                    "Give one of `code`, `zip` and `path`, not several.",
                ));
            }
        };
        patch.handler = optional("handler", self.handler, cleared);
        patch.description = self.description;
        patch.runtime = self.runtime.map(RuntimeName::new).transpose()?;
        patch.timeout = self
            .timeout_ms
            .map(|ms| Duration::from_millis(u64::from(ms)));
        patch.memory_mib = self.memory_mib;
        patch.cpus = self.cpus;
        patch.tmp_mib = optional("tmpMib", self.tmp_mib, cleared);
        patch.env = self.env.map(|env| env.into_iter().collect());
        patch.concurrency = optional("concurrency", self.concurrency, cleared);
        patch.image = optional("image", self.image, cleared);
        patch.network = self.network;
        patch.fresh_process = self.fresh_process;
        patch.min_warm = self.min_warm;
        patch.keep_processes = self.keep_processes;
        Ok((patch, package_name))
    }
}

/// A function at one of its versions.
#[napi(object, object_from_js = false)]
pub struct FunctionInfo {
    pub id: String,
    pub name: String,
    /// From 1; each deployment appends one.
    pub version: u32,
    pub description: String,
    /// `python` or `javascript`.
    pub language: String,
    /// None: a script.
    pub handler: Option<String>,
    pub runtime: String,
    pub timeout_ms: f64,
    pub memory_mib: u32,
    pub cpus: f64,
    pub tmp_mib: u32,
    pub env: BTreeMap<String, String>,
    pub concurrency: Option<u32>,
    pub image: Option<String>,
    pub network: String,
    pub fresh_process: bool,
    pub min_warm: u32,
    pub keep_processes: bool,
    /// `inline` or `zip`.
    pub code_format: Option<String>,
    pub code_size_bytes: f64,
    pub code_sha256: Option<String>,
    /// Changes with every change; `rollback` and `aliasSet` take it as `expectedRevision`.
    pub revision: String,
    /// Milliseconds since 1970.
    pub created_at: f64,
    /// Milliseconds since 1970.
    pub updated_at: f64,
}

#[allow(clippy::cast_precision_loss)] // Exact up to 2^53, which is past every one of these.
impl From<Function> for FunctionInfo {
    fn from(function: Function) -> Self {
        let config = function.config;
        let code = function.code.last();
        Self {
            id: function.id.to_string(),
            name: function.name.to_string(),
            version: function.version,
            language: config.language.to_string(),
            timeout_ms: config.timeout.as_secs_f64() * 1000.0,
            memory_mib: config.memory_mib,
            cpus: config.cpus,
            tmp_mib: config.effective_tmp_mib(),
            description: config.description,
            handler: config.handler,
            runtime: config.runtime.to_string(),
            env: config.env,
            concurrency: config.concurrency,
            image: config.image,
            network: config.network,
            fresh_process: config.fresh_process,
            min_warm: config.min_warm,
            keep_processes: config.keep_processes,
            code_format: code.map(|code| {
                match code.format {
                    CodeFormat::Zip => "zip",
                    _ => "inline",
                }
                .to_owned()
            }),
            code_size_bytes: code.map_or(0.0, |code| code.size_bytes as f64),
            code_sha256: code.map(|code| code.digest.to_string()),
            revision: function.revision.to_string(),
            created_at: function.created_at.as_millisecond() as f64,
            updated_at: function.updated_at.as_millisecond() as f64,
        }
    }
}

/// One page of functions, newest first.
#[napi(object, object_from_js = false)]
pub struct FunctionPage {
    pub items: Vec<FunctionInfo>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<String>,
}

/// A name for a version.
#[napi(object, object_from_js = false)]
pub struct AliasInfo {
    pub name: String,
    pub version: u32,
}

/// Code, as it was deployed: one of the two.
#[napi(object, object_from_js = false)]
pub struct FunctionCode {
    pub code: Option<String>,
    pub zip: Option<Buffer>,
}
