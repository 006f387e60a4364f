//! `GET /docs`: a page that shows GET /openapi.json. Its files are its own, and it loads nothing
//! from elsewhere.

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use warp::reply::Response;

use crate::reply;

/// Its own script and style, and the document.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// One of the page's files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    content_type: &'static str,
    text: &'static str,
}

pub(crate) static PAGE: File = File {
    content_type: "text/html; charset=utf-8",
    text: include_str!("page.html"),
};

pub(crate) static SCRIPT: File = File {
    content_type: "text/javascript; charset=utf-8",
    text: include_str!("page.js"),
};

pub(crate) static STYLE: File = File {
    content_type: "text/css; charset=utf-8",
    text: include_str!("page.css"),
};

pub(crate) fn serve(file: &File) -> Response {
    let text = Bytes::from_static(file.text.as_bytes());
    let mut response = reply::bytes(text, file.content_type);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
