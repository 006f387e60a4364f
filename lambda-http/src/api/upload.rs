//! Code that comes as a file: a form with the part `file`, or a zip archive as the body.
//!
//! The bytes go into a file without a name as they come, so that nobody's upload is in memory as
//! a whole, and are gone when the request is.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use lambda_core::ErrorKind;
use lambda_core::model::{CodeFile, CodeSource, limits};
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::function_types::FunctionBody;
use crate::api::Api;
use crate::body::{self, BodyStream};
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;

/// The part that is the code.
const FILE: &str = "file";

/// How an archive begins, also an empty one.
const ZIP_MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// All other parts together, and the event of a test.
const FIELDS_BYTES_MAX: usize = limits::EVENT_BYTES_MAX + 512 * 1024;

/// More parts than there are fields are none of a function's.
const PARTS_MAX: usize = 64;

/// Fields that are text; a part with another one is JSON.
const TEXT_FIELDS: [&str; 7] = [
    "name",
    "description",
    "language",
    "handler",
    "runtime",
    "image",
    "network",
];

/// Fields that a query may give beside an archive.
pub(super) const QUERY_FIELDS: [&str; 15] = [
    "name",
    "description",
    "language",
    "handler",
    "runtime",
    "image",
    "network",
    "timeout_ms",
    "memory_mib",
    "cpus",
    "tmp_mib",
    "concurrency",
    "fresh_process",
    "min_warm",
    "keep_processes",
];

/// What a body with a function is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON, or what will be refused for not being it.
    Json,
    /// A form, whose parts have this boundary.
    Form(String),
    /// An archive; the fields are in the query.
    Zip,
}

/// What `Content-Type` says.
pub(super) fn kind(headers: &HeaderMap) -> Result<Kind, ApiError> {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    let is = |own: &str| essence.eq_ignore_ascii_case(own);
    let kind = if is("multipart/form-data") {
        Kind::Form(multer::parse_boundary(value).map_err(|_| malformed())?)
    } else if is("application/zip") || is("application/x-zip-compressed") {
        Kind::Zip
    } else {
        return Ok(Kind::Json);
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(ApiError::new(
            ErrorKind::UnsupportedMediaType,
            "The upload is compressed.",
            "Send it without a Content-Encoding.",
        ));
    }
    Ok(kind)
}

/// What was uploaded: the fields as they were written, and the code.
#[derive(Debug, Default)]
pub(super) struct Upload {
    fields: BTreeMap<String, String>,
    code: Option<CodeSource>,
}

impl Upload {
    /// Takes fields out that are not a function's.
    pub(super) fn take(&mut self, names: &[&'static str]) -> Vec<(&'static str, String)> {
        let taken = names
            .iter()
            .filter_map(|name| Some((*name, self.fields.remove(*name)?)));
        taken.collect()
    }

    /// The function's fields, with the code.
    pub(super) fn into_body(self) -> Result<FunctionBody, ApiError> {
        let mut object = serde_json::Map::new();
        for (name, text) in self.fields {
            let value = if TEXT_FIELDS.contains(&&*name) {
                match (&*name, text.is_empty()) {
                    // A form has no other way to say null.
                    ("handler" | "image", true) => Value::Null,
                    _ => Value::String(text),
                }
            } else if name == "code" || name == "code_zip_base64" {
                Value::String(text)
            } else {
                serde_json::from_str(&text).map_err(|_| {
                    ApiError::invalid(format!("`{}` is not JSON.", printable(&name)))
                })?
            };
            object.insert(name, value);
        }
        // Printed and parsed again, so that messages and rules are those of a JSON body.
        let text = Value::Object(object).to_string();
        let mut body: FunctionBody = body::parse(text.as_bytes())?;
        body.uploaded = self.code;
        Ok(body)
    }
}

/// Reads a body that is not JSON.
pub(super) async fn read(kind: Kind, request: Request) -> Result<Upload, ApiError> {
    let timeout = request.api.options.body_timeout;
    let reading = async {
        match kind {
            Kind::Form(boundary) => {
                Query::read(&request.query, query::NONE)?;
                read_form(&request.api, boundary, request.body).await
            }
            _ => read_zip(&request.api, &request.query, request.body).await,
        }
    };
    tokio::time::timeout(timeout, reading)
        .await
        .map_err(|_| ApiError::body_timeout())?
}

async fn read_zip(api: &Api, query: &str, body: BodyStream) -> Result<Upload, ApiError> {
    let query = Query::read(query, &QUERY_FIELDS)?;
    let mut upload = Upload::default();
    for name in QUERY_FIELDS {
        if let Some(value) = query.text(name) {
            upload.fields.insert(name.to_owned(), value.to_owned());
        }
    }
    let chunks = body.map_err(|_| malformed());
    upload.code = Some(CodeSource::ZipFile(
        spool(api, Bytes::new(), chunks.boxed()).await?,
    ));
    Ok(upload)
}

async fn read_form(api: &Api, boundary: String, body: BodyStream) -> Result<Upload, ApiError> {
    let bounds = SizeLimit::new()
        .whole_stream((limits::ZIP_BYTES_MAX + FIELDS_BYTES_MAX) as u64)
        .per_field(FIELDS_BYTES_MAX as u64)
        .for_field(FILE, limits::ZIP_BYTES_MAX as u64);
    let constraints = Constraints::new().size_limit(bounds);
    let mut form = Multipart::with_constraints(body, boundary, constraints);
    let mut upload = Upload::default();
    let mut left = FIELDS_BYTES_MAX;
    for _ in 0..PARTS_MAX {
        let Some(mut part) = form.next_field().await.map_err(refused)? else {
            return Ok(upload);
        };
        let name = part.name().unwrap_or_default().to_owned();
        if name == FILE {
            if upload.code.is_some() {
                return Err(twice(&name));
            }
            upload.code = Some(read_file(api, part).await?);
            continue;
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(refused)? {
            left = left.checked_sub(chunk.len()).ok_or_else(too_large)?;
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| ApiError::invalid(format!("`{}` is not UTF-8.", printable(&name))))?;
        if upload.fields.insert(name.clone(), text).is_some() {
            return Err(twice(&name));
        }
    }
    Err(ApiError::invalid(format!(
        "The form has more than {PARTS_MAX} parts."
    )))
}

/// The part `file`: an archive where it begins as one, else source.
async fn read_file(api: &Api, mut part: multer::Field<'_>) -> Result<CodeSource, ApiError> {
    let mut head = Vec::new();
    while head.len() < 4 {
        match part.chunk().await.map_err(refused)? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => break,
        }
    }
    let is_named_zip = part.file_name().is_some_and(|name| name.ends_with(".zip"));
    if is_named_zip || ZIP_MAGIC.iter().any(|magic| head.starts_with(magic)) {
        let chunks = part.map_err(refused);
        return Ok(CodeSource::ZipFile(spool(api, head.into(), chunks).await?));
    }
    while let Some(chunk) = part.chunk().await.map_err(refused)? {
        if head.len() + chunk.len() > limits::INLINE_CODE_BYTES_MAX {
            return Err(too_large());
        }
        head.extend_from_slice(&chunk);
    }
    String::from_utf8(head)
        .map(CodeSource::Inline)
        .map_err(|_| ApiError::invalid("The `file` is neither a zip archive nor source in UTF-8."))
}

/// Writes an archive into a file without a name.
async fn spool(
    api: &Api,
    head: Bytes,
    chunks: impl Stream<Item = Result<Bytes, ApiError>> + Unpin,
) -> Result<CodeFile, ApiError> {
    let directory = api.options.upload_dir.clone();
    let made = tokio::task::spawn_blocking(move || match directory {
        Some(directory) => tempfile::tempfile_in(directory),
        None => tempfile::tempfile(),
    });
    let file = made.await.map_err(std::io::Error::other).flatten();
    let mut file = tokio::fs::File::from_std(file.map_err(unkept)?);
    let mut size = 0;
    let mut chunks = futures_util::stream::iter([Ok(head)]).chain(chunks);
    while let Some(chunk) = chunks.try_next().await? {
        size += chunk.len();
        if size > limits::ZIP_BYTES_MAX {
            return Err(too_large());
        }
        file.write_all(&chunk).await.map_err(unkept)?;
    }
    file.flush().await.map_err(unkept)?;
    Ok(file.into_std().await.into())
}

fn refused(error: multer::Error) -> ApiError {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            too_large()
        }
        _ => malformed(),
    }
}

fn malformed() -> ApiError {
    ApiError::new(
        ErrorKind::InvalidRequestContent,
        "The upload ended early or is not well-formed.",
        "Send a form as `curl -F file=@function.zip -F name=hello -F language=python` does.",
    )
}

fn too_large() -> ApiError {
    ApiError::new(
        ErrorKind::PayloadTooLarge,
        "The upload is over its limit.",
        "A source file has at most 4 MiB, a zip archive 50 MiB.",
    )
}

fn twice(name: &str) -> ApiError {
    ApiError::invalid(format!("The part `{}` is there twice.", printable(name)))
}

fn unkept(error: std::io::Error) -> ApiError {
    lambda_core::Error::internal("upload", "The upload cannot be kept while it is checked.")
        .source(error)
        .into()
}

/// A part's name is anybody's.
fn printable(name: &str) -> String {
    name.escape_debug().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Kind, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, value.parse().unwrap());
        kind(&headers)
    }

    #[test]
    fn kinds() {
        assert_eq!(of("application/zip").unwrap(), Kind::Zip);
        let form = of("multipart/form-data; boundary=x").unwrap();
        assert_eq!(form, Kind::Form("x".to_owned()));
        assert_eq!(of("text/plain").unwrap(), Kind::Json);
        assert!(of("multipart/form-data").is_err());
    }
}
