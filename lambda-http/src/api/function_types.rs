//! Functions as the API reads and shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use lambda_core::model::{
    CodeFormat, CodeSource, Function, FunctionConfig, FunctionId, FunctionName, FunctionPatch,
    Language, RevisionId, RuntimeName,
};
use lambda_core::{Error, ErrorKind, NewFunction};
use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::body::present;
use crate::error::ApiError;
use crate::schema::{CodeFormats, Id, Languages, Name, Runtimes, Time};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The body of `POST /functions` and of `PUT /functions/{function}`.
///
/// The outer option of each field tells whether it was given, the inner one whether it is
/// `null`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FunctionChange")]
pub(super) struct FunctionBody {
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<Name>")]
    name: Option<Option<FunctionName>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>", length(max = 256))]
    description: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<Languages>")]
    language: Option<Option<Language>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>", length(max = 128))]
    handler: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<Runtimes>")]
    runtime: Option<Option<RuntimeName>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<u64>", range(min = 1, max = 900_000))]
    timeout_ms: Option<Option<u64>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<u32>", range(min = 64, max = 10_240))]
    memory_mib: Option<Option<u32>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<f64>", range(min = 0.1, max = 64))]
    cpus: Option<Option<f64>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<u32>", range(min = 1))]
    tmp_mib: Option<Option<u32>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    env: Option<Option<Env>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<u32>", range(min = 1))]
    concurrency: Option<Option<u32>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    image: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    network: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<bool>")]
    fresh_process: Option<Option<bool>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<u32>", range(max = 1_000))]
    min_warm: Option<Option<u32>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<bool>")]
    keep_processes: Option<Option<bool>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    code: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    code_zip_base64: Option<Option<String>>,
    /// Code that did not come as a field of JSON.
    #[serde(skip)]
    pub(super) uploaded: Option<CodeSource>,
}

impl FunctionBody {
    /// A new function. `null` means the default, as if the field were not there. `name`: where it
    /// is given none; else it is required.
    pub(super) fn into_new_function(self, name: Option<&str>) -> Result<NewFunction, ApiError> {
        let missing = |field: &str| ApiError::invalid(format!("The field `{field}` is missing."));
        let mut patch = self.without_nulls().into_patch()?;
        let name = match (patch.name.take(), name) {
            (Some(given), _) => given,
            (None, Some(default)) => default.parse()?,
            (None, None) => return Err(missing("name")),
        };
        let language = patch.language.ok_or_else(|| missing("language"))?;
        let code = patch.code.take().ok_or_else(|| missing("code"))?;
        let mut config = FunctionConfig::new(language);
        patch.apply(&mut config);
        Ok(NewFunction::new(name, config, code))
    }

    fn without_nulls(mut self) -> Self {
        fn drop_null<T>(field: &mut Option<Option<T>>) {
            if matches!(field, Some(None)) {
                *field = None;
            }
        }
        drop_null(&mut self.description);
        drop_null(&mut self.runtime);
        drop_null(&mut self.timeout_ms);
        drop_null(&mut self.memory_mib);
        drop_null(&mut self.cpus);
        drop_null(&mut self.env);
        drop_null(&mut self.network);
        drop_null(&mut self.fresh_process);
        drop_null(&mut self.min_warm);
        drop_null(&mut self.keep_processes);
        drop_null(&mut self.code);
        drop_null(&mut self.code_zip_base64);
        self
    }

    /// A partial change. `null` is allowed where a function can do without a value.
    pub(super) fn into_patch(self) -> Result<FunctionPatch, ApiError> {
        let mut patch = FunctionPatch::default();
        patch.name = not_null("name", self.name)?;
        patch.description = not_null("description", self.description)?;
        patch.language = not_null("language", self.language)?;
        patch.handler = self.handler;
        patch.runtime = not_null("runtime", self.runtime)?;
        patch.timeout = not_null("timeout_ms", self.timeout_ms)?.map(Duration::from_millis);
        patch.memory_mib = not_null("memory_mib", self.memory_mib)?;
        patch.cpus = not_null("cpus", self.cpus)?;
        patch.tmp_mib = self.tmp_mib;
        patch.env = not_null("env", self.env)?.map(|env| env.0);
        patch.concurrency = self.concurrency;
        patch.image = self.image;
        patch.network = not_null("network", self.network)?;
        patch.fresh_process = not_null("fresh_process", self.fresh_process)?;
        patch.min_warm = not_null("min_warm", self.min_warm)?;
        patch.keep_processes = not_null("keep_processes", self.keep_processes)?;
        let code = not_null("code", self.code)?;
        let zip = not_null("code_zip_base64", self.code_zip_base64)?;
        patch.code = match (code, zip, self.uploaded) {
            (Some(text), None, None) => Some(CodeSource::Inline(text)),
            (None, Some(text), None) => Some(CodeSource::Zip(decode(&text)?.into())),
            (None, None, uploaded) => uploaded,
            _ => {
                return Err(ApiError::invalid(
                    "Give `code` (one source file), `code_zip_base64` or a `file`, not several.",
                ));
            }
        };
        Ok(patch)
    }
}

fn not_null<T>(name: &str, field: Option<Option<T>>) -> Result<Option<T>, ApiError> {
    match field {
        Some(None) => Err(ApiError::invalid(format!("`{name}` cannot be null."))),
        Some(value) => Ok(value),
        None => Ok(None),
    }
}

fn decode(text: &str) -> Result<Vec<u8>, ApiError> {
    BASE64.decode(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidZipFile,
            "function_code",
            "`code_zip_base64` is not base64.",
        )
        .hint("Encode the archive with `base64 -w0 function.zip`.")
        .into()
    })
}

/// Environment variables; a name that stands twice is an error, not a riddle.
struct Env(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Env {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnvVisitor;

        impl<'de> Visitor<'de> for EnvVisitor {
            type Value = Env;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose values are strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Env, A::Error> {
                let mut env = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if env.contains_key(&name) {
                        return Err(A::Error::custom(format!("`env` has {name:?} twice")));
                    }
                    env.insert(name, value);
                }
                Ok(Env(env))
            }
        }

        deserializer.deserialize_map(EnvVisitor)
    }
}

/// A function, as every answer shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Function")]
pub(super) struct FunctionView<'a> {
    #[schemars(with = "Id")]
    id: FunctionId,
    #[schemars(with = "Name")]
    name: &'a FunctionName,
    version: u32,
    description: &'a str,
    #[schemars(with = "Languages")]
    language: Language,
    handler: Option<&'a str>,
    #[schemars(with = "Name")]
    runtime: &'a RuntimeName,
    timeout_ms: u64,
    memory_mib: u32,
    cpus: f64,
    tmp_mib: u32,
    /// Not in a listing: values are secrets more often than not.
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<&'a BTreeMap<String, String>>,
    concurrency: Option<u32>,
    image: Option<&'a str>,
    network: &'a str,
    fresh_process: bool,
    min_warm: u32,
    keep_processes: bool,
    #[schemars(with = "Option<CodeFormats>")]
    code_format: Option<CodeFormat>,
    code_size_bytes: u64,
    code_sha256: Option<String>,
    #[schemars(with = "Time")]
    created_at: Timestamp,
    #[schemars(with = "Time")]
    updated_at: Timestamp,
    #[schemars(with = "Id")]
    revision_id: RevisionId,
    /// Only where one function is read, and it is one source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> FunctionView<'a> {
    /// As a listing shows it.
    pub(super) fn listed(function: &'a Function) -> Self {
        let config = &function.config;
        // One package for now; layers, which come before it in the list, come later.
        let code = function.code.last();
        Self {
            id: function.id,
            name: &function.name,
            version: function.version,
            description: &config.description,
            language: config.language,
            handler: config.handler.as_deref(),
            runtime: &config.runtime,
            timeout_ms: u64::try_from(config.timeout.as_millis()).unwrap_or(u64::MAX),
            memory_mib: config.memory_mib,
            cpus: config.cpus,
            tmp_mib: config.effective_tmp_mib(),
            env: None,
            concurrency: config.concurrency,
            image: config.image.as_deref(),
            network: &config.network,
            fresh_process: config.fresh_process,
            min_warm: config.min_warm,
            keep_processes: config.keep_processes,
            code_format: code.map(|code| code.format),
            code_size_bytes: code.map_or(0, |code| code.size_bytes),
            code_sha256: code.map(|code| code.digest.to_string()),
            created_at: function.created_at,
            updated_at: function.updated_at,
            revision_id: function.revision,
            code: None,
        }
    }

    /// With all that its owner gave.
    pub(super) fn full(function: &'a Function) -> Self {
        let mut view = Self::listed(function);
        view.env = Some(&function.config.env);
        view
    }

    pub(super) fn with_code(mut self, code: Option<&'a str>) -> Self {
        self.code = code;
        self
    }
}
