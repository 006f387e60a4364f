//! The page at `/`: static files that hold no data. All of it comes over the API.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};
use warp::reply::Response;

use crate::reply;

/// Nothing but the page's own files, and no way out: a function's output that found its way
/// into the page as markup could still not run, load or send anything. Browsers that know
/// trusted types refuse to make markup out of text at all.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

/// One embedded file.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Relative to `/assets/`.
    path: &'static str,
    text: &'static str,
}

macro_rules! assets {
    ($($path:literal,)*) => {
        &[$(Asset { path: $path, text: include_str!($path) }),*]
    };
}

/// The page itself.
pub(crate) static PAGE: Asset = Asset {
    path: "index.html",
    text: include_str!("index.html"),
};

/// The files below `/assets/`: these, and no others, are public.
static ASSETS: &[Asset] = assets![
    "app.js",
    "lib/api.js",
    "lib/base64.js",
    "lib/config.js",
    "lib/diff.js",
    "lib/draft.js",
    "lib/events.js",
    "lib/format.js",
    "lib/html.js",
    "lib/load.js",
    "lib/router.js",
    "lib/series.js",
    "lib/starters.js",
    "lib/theme.js",
    "lib/token.js",
    "lib/zip.js",
    "screens/function.js",
    "screens/function/code.js",
    "screens/function/files.js",
    "screens/function/logs.js",
    "screens/function/settings.js",
    "screens/function/versions.js",
    "screens/functions.js",
    "screens/invocation.js",
    "screens/invocations.js",
    "screens/metrics.js",
    "screens/new.js",
    "screens/pool.js",
    "screens/tokens.js",
    "style/base.css",
    "style/parts.css",
    "style/screens.css",
    "style/shell.css",
    "ui/bars.js",
    "ui/basics.js",
    "ui/config.js",
    "ui/dialog.js",
    "ui/diff.js",
    "ui/editor.js",
    "ui/highlight.js",
    "ui/lines.js",
    "ui/range.js",
    "ui/result.js",
    "ui/run.js",
    "ui/token.js",
    "ui/upload.js",
    "vendor/htm/htm.js",
    "vendor/preact/hooks.js",
    "vendor/preact/preact.js",
    "vendor/speed-highlight/languages/js.js",
    "vendor/speed-highlight/languages/json.js",
    "vendor/speed-highlight/languages/py.js",
    "vendor/speed-highlight/tokenize.js",
    "vendor/uplot/uplot.css",
    "vendor/uplot/uplot.js",
];

/// The file at a path below `/assets/`, as it was sent: compared, never opened.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Another one for other contents; it may change with the compiler as well.
    fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

/// Answers with a file, or with 304 where the browser has it already.
pub(crate) fn serve(asset: &'static Asset, request: &HeaderMap) -> Response {
    let etag = asset.etag();
    let is_known = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == etag);
    let body = if is_known { "" } else { asset.text };
    let mut response = reply::bytes(Bytes::from_static(body.as_bytes()), asset.content_type());
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        CROSS_ORIGIN_OPENER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    // The files change with the binary: browsers keep them, and ask whether they still hold.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_script_and_style_of_the_folder_is_served_and_no_other_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard");
        let mut found = Vec::new();
        files(&root, &mut found);
        let mut wanted: Vec<_> = found
            .iter()
            .filter(|path| {
                path.extension()
                    .is_some_and(|kind| kind == "js" || kind == "css")
            })
            .map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap())
            .collect();
        wanted.sort_unstable();
        let mut served: Vec<_> = ASSETS.iter().map(|asset| asset.path).collect();
        served.sort_unstable();
        assert_eq!(served, wanted);
    }
}
