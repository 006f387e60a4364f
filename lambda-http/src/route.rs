//! The table of routes: the only way to an operation, and what each asks for.

use std::iter::zip;
use std::sync::LazyLock;

use hyper::Method;
use lambda_core::model::Scope;

use crate::dashboard;
use crate::docs;

/// What a route asks for; see the crate's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing: it holds no data.
    Public,
    /// A token with this scope, unless the request comes from this machine.
    Local(Scope),
    /// A token with all of these scopes, unless the request comes from this machine.
    LocalAll(&'static [Scope]),
    /// A token with this scope.
    Protected(Scope),
}

impl Access {
    /// The scopes that a token needs; none: no token is needed.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        match self {
            Self::Public => &[],
            Self::Local(scope) | Self::Protected(scope) => std::slice::from_ref(scope),
            Self::LocalAll(scopes) => scopes,
        }
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The method; `GET` answers `HEAD` as well.
    pub method: Method,
    /// The path, relative to where the routes are mounted. `{function}` stands for a
    /// function's id or name, `{alias}`, `{invocation}` and `{token}` for what their names say,
    /// `{asset}` for the path of one of the page's files, which may have slashes.
    pub path: &'static str,
    /// What it asks for.
    pub access: Access,
    pub(crate) operation: Operation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    FunctionList,
    FunctionCreate,
    FunctionGet,
    FunctionUpdate,
    FunctionDelete,
    VersionList,
    AliasList,
    AliasSet,
    AliasDelete,
    Execute,
    Test,
    Invoke,
    CodeGet,
    InvocationGet,
    InvocationCancel,
    InvocationLogs,
    FunctionLogs,
    MetricsList,
    MetricsSummary,
    MetricsPrometheus,
    Pool,
    TokenList,
    TokenCreate,
    TokenDelete,
    Health,
    Ready,
    OpenApi,
    Docs(&'static docs::File),
    Page,
    Asset,
}

#[cfg(test)]
impl Operation {
    /// Whether it is a file of a page, which the API's description does not tell of.
    pub(crate) fn is_file(self) -> bool {
        matches!(self, Self::Docs(_) | Self::Page | Self::Asset)
    }
}

/// The page's files; the dashboard has the table of them.
const ASSETS: &str = "/assets/{asset}";

/// Every route. Where two rows fit a request, the one that stands earlier is meant.
#[rustfmt::skip] // A table is read by its rows.
pub const ROUTES: &[Route] = {
    use Access::{Local, LocalAll, Protected, Public};
    use Operation as O;
    &[
        row(Method::POST, "/functions/execute",      Local(Scope::Invoke),          O::Execute),
        row(Method::POST, "/functions/test",         LocalAll(&[Scope::Invoke, Scope::FunctionsWrite]), O::Test),
        row(Method::GET, "/functions",              Local(Scope::FunctionsRead),   O::FunctionList),
        row(Method::POST, "/functions",              Local(Scope::FunctionsWrite),  O::FunctionCreate),
        row(Method::GET, "/functions/{function}",   Local(Scope::FunctionsRead),   O::FunctionGet),
        row(Method::PUT, "/functions/{function}",   Local(Scope::FunctionsWrite),  O::FunctionUpdate),
        row(Method::DELETE, "/functions/{function}",   Local(Scope::FunctionsWrite),  O::FunctionDelete),
        row(Method::POST, "/functions/{function}/invoke", Local(Scope::Invoke),     O::Invoke),
        row(Method::GET, "/functions/{function}/code", Local(Scope::FunctionsRead), O::CodeGet),
        row(Method::GET, "/functions/{function}/versions", Local(Scope::FunctionsRead), O::VersionList),
        row(Method::GET, "/functions/{function}/aliases", Local(Scope::FunctionsRead), O::AliasList),
        row(Method::PUT, "/functions/{function}/aliases/{alias}", Local(Scope::FunctionsWrite), O::AliasSet),
        row(Method::DELETE, "/functions/{function}/aliases/{alias}", Local(Scope::FunctionsWrite), O::AliasDelete),
        row(Method::GET, "/invocations",            Protected(Scope::MetricsRead), O::MetricsList),
        row(Method::POST, "/invocations/{invocation}/cancel", Local(Scope::Invoke), O::InvocationCancel),
        row(Method::GET, "/invocations/{invocation}", Protected(Scope::MetricsRead), O::InvocationGet),
        row(Method::GET, "/invocations/{invocation}/logs", Protected(Scope::MetricsRead), O::InvocationLogs),
        row(Method::GET, "/functions/{function}/logs", Protected(Scope::MetricsRead), O::FunctionLogs),
        row(Method::GET, "/metrics",                Protected(Scope::MetricsRead), O::MetricsList),
        row(Method::GET, "/metrics/summary",        Protected(Scope::MetricsRead), O::MetricsSummary),
        row(Method::GET, "/metrics/prometheus",     Protected(Scope::MetricsRead), O::MetricsPrometheus),
        row(Method::GET, "/pool",                   Protected(Scope::MetricsRead), O::Pool),
        row(Method::GET, "/tokens",                 Protected(Scope::Admin),       O::TokenList),
        row(Method::POST, "/tokens",                 Protected(Scope::Admin),       O::TokenCreate),
        row(Method::DELETE, "/tokens/{token}",         Protected(Scope::Admin),       O::TokenDelete),
        row(Method::GET, "/openapi.json",           Public,                        O::OpenApi),
        row(Method::GET, "/docs",                   Public,                        O::Docs(&docs::PAGE)),
        row(Method::GET, "/docs/page.js",           Public,                        O::Docs(&docs::SCRIPT)),
        row(Method::GET, "/docs/page.css",          Public,                        O::Docs(&docs::STYLE)),
        row(Method::GET, "/ready",                  Public,                        O::Ready),
        row(Method::GET, "/health",                 Public,                        O::Health),
        row(Method::GET, "/",                       Public,                        O::Page),
        row(Method::GET, ASSETS,                    Public,                        O::Asset),
    ]
};

const fn row(method: Method, path: &'static str, access: Access, operation: Operation) -> Route {
    Route {
        method,
        path,
        access,
        operation,
    }
}

/// A path that is in the table.
#[derive(Debug, Clone)]
pub(crate) struct Matched(Vec<Fit>);

/// What stands for the names in braces, as it was sent.
pub(crate) type Parameters = Vec<(&'static str, String)>;

/// A path of the table that fits.
#[derive(Debug, Clone)]
struct Fit {
    path: &'static str,
    parameters: Parameters,
}

/// A path of the table, taken apart once: every request is compared with it.
struct Pattern {
    path: &'static str,
    segments: Vec<Segment>,
}

enum Segment {
    Literal(&'static str),
    /// What stands here is the parameter of this name.
    Parameter(&'static str),
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut patterns: Vec<Pattern> = Vec::new();
    for path in ROUTES.iter().map(|route| route.path) {
        if path != ASSETS && patterns.iter().all(|pattern| pattern.path != path) {
            let segments = path[1..].split('/').map(Segment::new).collect();
            patterns.push(Pattern { path, segments });
        }
    }
    patterns
});

impl Segment {
    fn new(text: &'static str) -> Self {
        let name = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        name.map_or(Self::Literal(text), Self::Parameter)
    }

    fn fits(&self, segment: &str) -> bool {
        match self {
            Self::Literal(text) => *text == segment,
            // `execute` is no function's name: its one route is meant.
            Self::Parameter("function") if segment == "execute" => false,
            Self::Parameter(_) => !segment.is_empty(),
        }
    }
}

impl Pattern {
    fn fit(&self, given: &[&str]) -> Option<Fit> {
        let fits = self.segments.len() == given.len()
            && zip(&self.segments, given).all(|(segment, given)| segment.fits(given));
        fits.then(|| Fit {
            path: self.path,
            parameters: zip(&self.segments, given)
                .filter_map(|(segment, given)| match segment {
                    Segment::Literal(_) => None,
                    Segment::Parameter(name) => Some((*name, (*given).to_owned())),
                })
                .collect(),
        })
    }
}

/// The paths of the table that `path` (without the leading slash) fits.
pub(crate) fn match_path(path: &str) -> Option<Matched> {
    if let Some(asset) = path.strip_prefix("assets/") {
        return dashboard::find(asset).map(|_| {
            let parameters = vec![("asset", asset.to_owned())];
            Matched(vec![Fit {
                path: ASSETS,
                parameters,
            }])
        });
    }
    let given: Vec<&str> = path.split('/').collect();
    let fits: Vec<Fit> = PATTERNS
        .iter()
        .filter_map(|pattern| pattern.fit(&given))
        .collect();
    (!fits.is_empty()).then_some(Matched(fits))
}

impl Matched {
    /// The route for `method`, and what stands for the names in its path, or the methods that
    /// there are.
    pub(crate) fn route(self, method: &Method) -> Result<(&'static Route, Parameters), String> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut allowed = Vec::new();
        for fit in self.0 {
            for route in ROUTES.iter().filter(|route| route.path == fit.path) {
                if route.method == *method {
                    return Ok((route, fit.parameters));
                }
                allowed.push(route.method.as_str());
                if route.method == Method::GET {
                    allowed.push("HEAD");
                }
            }
        }
        Err(allowed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(path: &str, method: &Method) -> Parameters {
        match_path(path).unwrap().route(method).unwrap().1
    }

    #[test]
    fn execute_is_a_route_and_never_a_function() {
        let matched = match_path("functions/execute").unwrap();
        assert_eq!(matched.clone().route(&Method::GET).unwrap_err(), "POST");
        assert!(matched.clone().route(&Method::POST).is_ok());
        assert!(match_path("functions/execute/versions").is_none());
    }

    #[test]
    fn test_is_a_route_and_may_be_a_function_as_well() {
        let matched = match_path("functions/test").unwrap();
        let (route, _) = matched.clone().route(&Method::POST).unwrap();
        assert_eq!(route.path, "/functions/test");
        let named = parameters("functions/test", &Method::GET);
        assert_eq!(named, [("function", "test".to_owned())]);
        assert!(match_path("functions/test/invoke").is_some());
    }

    #[test]
    fn paths_fit_whole_or_not_at_all() {
        for path in [
            "functions/",
            "functions/a/b",
            "metrics/",
            "/",
            "x",
            "functions//",
            "assets/",
            "assets/none.js",
            "assets/../index.html",
            "assets/vendor",
            "assets/index.html",
            "assets/mod.rs",
        ] {
            assert!(match_path(path).is_none(), "{path}");
        }
        assert!(match_path("").is_some());
        let asset = parameters("assets/lib/api.js", &Method::GET);
        assert_eq!(asset, [("asset", "lib/api.js".to_owned())]);
        let encoded = parameters("functions/a%2fb", &Method::GET);
        assert_eq!(encoded, [("function", "a%2fb".to_owned())]);
        let matched = match_path("functions/f").unwrap();
        assert_eq!(
            matched.clone().route(&Method::PATCH).unwrap_err(),
            "GET, HEAD, PUT, DELETE"
        );
        assert!(matched.clone().route(&Method::HEAD).is_ok());
        let two = parameters("functions/f/aliases/a", &Method::PUT);
        let expected = [("function", "f"), ("alias", "a")].map(|(n, v)| (n, v.to_owned()));
        assert_eq!(two, expected);
    }
}
