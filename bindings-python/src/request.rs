//! What callers ask for, as JSON, and what the platform understands by it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use lambda_core::model::{
    Bucket, CodeSource, FunctionConfig, FunctionId, FunctionName, FunctionPatch, Language,
    Namespace, Payload, Qualifier, RuntimeName, Scope, Status,
};
use lambda_core::store::{ListInvocations, SummarizeInvocations};
use lambda_core::{Error, ExecuteRequest, NewFunction, Result, TestRequest};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use serde::{Deserialize, Deserializer};

use crate::error::to_py;
use crate::json;

/// Code as Python hands it over: text is a source file, bytes are a zip archive.
#[derive(pyo3::FromPyObject)]
pub(crate) enum Code {
    #[pyo3(transparent)]
    Text(String),
    #[pyo3(transparent)]
    Zip(PyBackedBytes),
}

impl From<Code> for CodeSource {
    fn from(code: Code) -> Self {
        match code {
            Code::Text(text) => Self::Inline(text),
            Code::Zip(bytes) => Self::Zip(Bytes::copy_from_slice(&bytes)),
        }
    }
}

/// Parses one of the requests below.
pub(crate) fn parse<'a, T: Deserialize<'a>>(operation: &'static str, json: &'a str) -> Result<T> {
    serde_json::from_str(json)
        .map_err(|error| Error::invalid(operation, format!("A field is wrong: {error}.")))
}

/// The fields of a function that are given; `null` where a field can be unset.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FunctionFields {
    name: Option<FunctionName>,
    description: Option<String>,
    language: Option<Language>,
    #[serde(deserialize_with = "given")]
    handler: Option<Option<String>>,
    runtime: Option<RuntimeName>,
    timeout_ms: Option<u64>,
    memory_mib: Option<u32>,
    cpus: Option<f64>,
    #[serde(deserialize_with = "given")]
    tmp_mib: Option<Option<u32>>,
    env: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "given")]
    concurrency: Option<Option<u32>>,
    #[serde(deserialize_with = "given")]
    image: Option<Option<String>>,
    network: Option<String>,
    fresh_process: Option<bool>,
    min_warm: Option<u32>,
    keep_processes: Option<bool>,
}

/// Tells `null` from a field that is not there.
pub(crate) fn given<'de, D, T>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl FunctionFields {
    pub(crate) fn patch(self, code: Option<Code>) -> FunctionPatch {
        let mut patch = FunctionPatch::default();
        patch.name = self.name;
        patch.description = self.description;
        patch.language = self.language;
        patch.handler = self.handler;
        patch.runtime = self.runtime;
        patch.timeout = self.timeout_ms.map(Duration::from_millis);
        patch.memory_mib = self.memory_mib;
        patch.cpus = self.cpus;
        patch.tmp_mib = self.tmp_mib;
        patch.env = self.env;
        patch.concurrency = self.concurrency;
        patch.image = self.image;
        patch.network = self.network;
        patch.fresh_process = self.fresh_process;
        patch.min_warm = self.min_warm;
        patch.keep_processes = self.keep_processes;
        patch.code = code.map(Into::into);
        patch
    }

    pub(crate) fn new_function(mut self, code: Code) -> Result<NewFunction> {
        let missing = |field| Error::invalid("deploy", format!("`{field}` is missing."));
        let name = self.name.take().ok_or_else(|| missing("name"))?;
        let language = self.language.ok_or_else(|| missing("language"))?;
        let mut config = FunctionConfig::new(language);
        self.patch(None).apply(&mut config);
        Ok(NewFunction::new(name, config, code.into()))
    }
}

/// How something is run, as a tuple: `_Run` of `_native.pyi`.
#[derive(pyo3::FromPyObject)]
pub(crate) struct Run(
    /// Args.
    Option<Vec<String>>,
    /// An event, alone in a tuple of its own: `None` is an event as well.
    Option<(Py<PyAny>,)>,
    /// Qualifier.
    Option<String>,
    /// Runtime.
    Option<String>,
    /// Timeout in milliseconds.
    Option<u64>,
    /// AWS's trace id.
    Option<String>,
    /// W3C's trace context.
    Option<String>,
);

impl Run {
    pub(crate) fn execute(self, py: Python<'_>, function: &str) -> PyResult<ExecuteRequest> {
        let payload = payload(py, self.0, self.1)?;
        let request = || {
            let mut request = ExecuteRequest::named(function)?;
            request.payload = payload;
            if let Some(qualifier) = self.2 {
                request.qualifier = qualifier.parse::<Qualifier>()?;
            }
            request.runtime = self.3.map(RuntimeName::new).transpose()?;
            request.timeout = self.4.map(Duration::from_millis);
            request.trace_id = self.5;
            request.traceparent = optional(self.6.as_deref())?;
            Ok(request)
        };
        request().map_err(to_py)
    }
}

/// A test of code; `runtime` and `timeout_ms` are those of `fields`.
pub(crate) fn test_request(
    py: Python<'_>,
    fields: &str,
    code: Code,
    run: Run,
) -> PyResult<TestRequest> {
    let payload = payload(py, run.0, run.1)?;
    let request = || {
        let new = parse::<FunctionFields>("test", fields)?.new_function(code)?;
        let mut request = TestRequest::new(new.name, new.config, new.code);
        request.payload = payload;
        request.trace_id = run.5;
        request.traceparent = optional(run.6.as_deref())?;
        Ok(request)
    };
    request().map_err(to_py)
}

/// Python's side gives one of the two, or neither.
fn payload(
    py: Python<'_>,
    args: Option<Vec<String>>,
    event: Option<(Py<PyAny>,)>,
) -> PyResult<Payload> {
    Ok(match (args, event) {
        (_, Some((event,))) => Payload::Event(json::encode(event.bind(py))?.into()),
        (Some(args), None) => Payload::Args(args),
        (None, None) => Payload::Empty,
    })
}

/// What a text stands for, where there is one.
pub(crate) fn optional<T: std::str::FromStr<Err = Error>>(text: Option<&str>) -> Result<Option<T>> {
    text.map(str::parse).transpose()
}

pub(crate) fn scopes(words: &[String]) -> Result<Vec<Scope>> {
    let scope = |word: &String| {
        Scope::from_word(word).ok_or_else(|| {
            let known = Scope::ALL.map(Scope::as_str).join(", ");
            Error::invalid("token_create", format!("There is no scope {word:?}."))
                .hint(format!("`scopes` takes {known}."))
        })
    };
    words.iter().map(scope).collect()
}

/// Which records.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordQuery {
    function: Option<FunctionId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    statuses: Vec<Status>,
    runtime: Option<RuntimeName>,
    limit: u32,
    cursor: Option<String>,
}

impl From<RecordQuery> for ListInvocations {
    fn from(query: RecordQuery) -> Self {
        let mut request = Self::first(Namespace::default(), query.limit);
        request.function = query.function;
        request.from = query.since;
        request.to = query.until;
        request.statuses = query.statuses;
        request.runtime = query.runtime;
        request.cursor = query.cursor;
        request
    }
}

/// Figures over what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SummaryQuery {
    function: Option<FunctionId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    runtime: Option<RuntimeName>,
    bucket: Option<String>,
}

impl TryFrom<SummaryQuery> for SummarizeInvocations {
    type Error = Error;

    fn try_from(query: SummaryQuery) -> Result<Self> {
        let bucket = |word: String| {
            Bucket::from_word(&word).ok_or_else(|| {
                Error::invalid("invocation_summary", "There is no such `bucket`.")
                    .hint("It is one of `minute`, `hour` and `day`.")
            })
        };
        let mut request = Self::all(Namespace::default());
        request.function = query.function;
        request.from = query.since;
        request.to = query.until;
        request.runtime = query.runtime;
        request.bucket = query.bucket.map(bucket).transpose()?;
        Ok(request)
    }
}
