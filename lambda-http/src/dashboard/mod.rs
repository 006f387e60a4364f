//! The page at `/`: static files that hold no data. All of it comes over the API.

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_FRAME_OPTIONS,
};
use warp::reply::Response;

use crate::reply;

/// Nothing but the page's own files, and no way out: a function's output that found its way
/// into the page as markup could still not run, load or send anything.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

/// One embedded file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    content_type: &'static str,
    text: &'static str,
}

macro_rules! asset {
    ($name:ident, $file:literal, $content_type:literal) => {
        pub(crate) static $name: Asset = Asset {
            content_type: $content_type,
            text: include_str!($file),
        };
    };
}

asset!(PAGE, "index.html", "text/html; charset=utf-8");
asset!(STYLE, "style.css", "text/css; charset=utf-8");
asset!(APP, "app.js", "text/javascript; charset=utf-8");
asset!(API, "api.js", "text/javascript; charset=utf-8");
asset!(CHARTS, "charts.js", "text/javascript; charset=utf-8");
asset!(CREATE, "create.js", "text/javascript; charset=utf-8");
asset!(DOM, "dom.js", "text/javascript; charset=utf-8");
asset!(FUNCTIONS, "functions.js", "text/javascript; charset=utf-8");
asset!(METRICS, "metrics.js", "text/javascript; charset=utf-8");
asset!(RUN, "run.js", "text/javascript; charset=utf-8");

pub(crate) fn serve(asset: &Asset) -> Response {
    let mut response = reply::bytes(
        Bytes::from_static(asset.text.as_bytes()),
        asset.content_type,
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        CROSS_ORIGIN_OPENER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    // The files change with the binary, and loading them from it costs nothing.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
