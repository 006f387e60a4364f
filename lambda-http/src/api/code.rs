//! `GET /functions/{function}/code`: the code as it was uploaded.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue,
};
use lambda_core::model::{CodeFormat, Function, Language};
use lambda_core::store::PackageChunks;
use warp::Reply as _;
use warp::reply::Response;

use crate::error::ApiError;
use crate::query::{self, Query};
use crate::reply;
use crate::request::Request;

pub(super) async fn get(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    let query = Query::read(&request.query, query::QUALIFIER)?;
    let qualifier = query.text("qualifier").unwrap_or("current").parse()?;
    let platform = &request.api.platform;
    let function = platform.function_get_at(&reference, qualifier).await?;
    let (format, package) = platform.function_package(&function).await?;
    let mut response = warp::reply::stream(Shared::new(held_back(package.chunks))).into_response();
    let headers = response.headers_mut();
    reply::guard(headers);
    let content_type = match format {
        CodeFormat::Zip => "application/zip",
        // Never a type that a browser would run.
        _ => "text/plain; charset=utf-8",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, package.size_bytes.into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let named = format!("attachment; filename=\"{}\"", file_name(&function, format));
    if let Ok(named) = HeaderValue::try_from(named) {
        headers.insert(CONTENT_DISPOSITION, named);
    }
    let digest = function.code.first().map(|code| code.digest);
    if let Some(digest) = digest
        && let Ok(tag) = HeaderValue::try_from(format!("\"{digest}\""))
    {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// A name's characters are harmless in a header and in a file system.
fn file_name(function: &Function, format: CodeFormat) -> String {
    let extension = match (format, function.config.language) {
        (CodeFormat::Zip, _) => "zip",
        (_, Language::Python) => "py",
        _ => "js",
    };
    format!("{}-{}.{extension}", function.name, function.version)
}

/// Sends each piece once the next one, or the end, is there: where the bytes turn out to be other
/// ones than were uploaded, the answer breaks off before its last piece.
fn held_back(chunks: PackageChunks) -> BoxStream<'static, lambda_core::Result<Bytes>> {
    stream::try_unfold((chunks, None), |(mut chunks, mut held)| async move {
        loop {
            match chunks.next().await.transpose()? {
                None => return Ok(held.take().map(|last| (last, (chunks, None)))),
                Some(chunk) => {
                    if let Some(ready) = held.replace(chunk) {
                        return Ok(Some((ready, (chunks, held))));
                    }
                }
            }
        }
    })
    .boxed()
}

/// A stream that warp takes: it asks for `Sync`, and only ever polls.
struct Shared<T>(Mutex<BoxStream<'static, T>>);

impl<T> Shared<T> {
    fn new(stream: BoxStream<'static, T>) -> Self {
        Self(Mutex::new(stream))
    }
}

impl<T> Stream for Shared<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let stream = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        stream.as_mut().poll_next(context)
    }
}
