//! The table of routes: the only way to an operation, and what each asks for.

use hyper::Method;
use lambda_core::model::Scope;

use crate::dashboard::{self, Asset};

/// What a route asks for; see the crate's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing: it holds no data.
    Public,
    /// A token with this scope, unless the request comes from this machine.
    Local(Scope),
    /// A token with this scope.
    Protected(Scope),
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The method; `GET` answers `HEAD` as well.
    pub method: Method,
    /// The path, relative to where the routes are mounted. `{function}` stands for a
    /// function's id or name, `{alias}` and `{invocation}` for what their names say.
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
    InvocationGet,
    InvocationLogs,
    FunctionLogs,
    MetricsList,
    MetricsSummary,
    MetricsPrometheus,
    Health,
    Asset(&'static Asset),
}

/// Every route. Where two paths fit a request, the one that stands earlier is meant.
#[rustfmt::skip] // A table is read by its rows.
pub const ROUTES: &[Route] = {
    use Access::{Local, Protected, Public};
    use Operation as O;
    &[
        row(Method::POST, "/functions/execute",      Local(Scope::Invoke),          O::Execute),
        row(Method::GET, "/functions",              Local(Scope::FunctionsRead),   O::FunctionList),
        row(Method::POST, "/functions",              Local(Scope::FunctionsWrite),  O::FunctionCreate),
        row(Method::GET, "/functions/{function}",   Local(Scope::FunctionsRead),   O::FunctionGet),
        row(Method::PUT, "/functions/{function}",   Local(Scope::FunctionsWrite),  O::FunctionUpdate),
        row(Method::DELETE, "/functions/{function}",   Local(Scope::FunctionsWrite),  O::FunctionDelete),
        row(Method::GET, "/functions/{function}/versions", Local(Scope::FunctionsRead), O::VersionList),
        row(Method::GET, "/functions/{function}/aliases", Local(Scope::FunctionsRead), O::AliasList),
        row(Method::PUT, "/functions/{function}/aliases/{alias}", Local(Scope::FunctionsWrite), O::AliasSet),
        row(Method::DELETE, "/functions/{function}/aliases/{alias}", Local(Scope::FunctionsWrite), O::AliasDelete),
        row(Method::GET, "/invocations/{invocation}", Protected(Scope::MetricsRead), O::InvocationGet),
        row(Method::GET, "/invocations/{invocation}/logs", Protected(Scope::MetricsRead), O::InvocationLogs),
        row(Method::GET, "/functions/{function}/logs", Protected(Scope::MetricsRead), O::FunctionLogs),
        row(Method::GET, "/metrics",                Protected(Scope::MetricsRead), O::MetricsList),
        row(Method::GET, "/metrics/summary",        Protected(Scope::MetricsRead), O::MetricsSummary),
        row(Method::GET, "/metrics/prometheus",     Protected(Scope::MetricsRead), O::MetricsPrometheus),
        row(Method::GET, "/health",                 Public,                        O::Health),
        row(Method::GET, "/",                       Public,                        O::Asset(&dashboard::PAGE)),
        row(Method::GET, "/assets/style.css",       Public,                        O::Asset(&dashboard::STYLE)),
        row(Method::GET, "/assets/app.js",          Public,                        O::Asset(&dashboard::APP)),
        row(Method::GET, "/assets/api.js",          Public,                        O::Asset(&dashboard::API)),
        row(Method::GET, "/assets/charts.js",       Public,                        O::Asset(&dashboard::CHARTS)),
        row(Method::GET, "/assets/create.js",       Public,                        O::Asset(&dashboard::CREATE)),
        row(Method::GET, "/assets/dom.js",          Public,                        O::Asset(&dashboard::DOM)),
        row(Method::GET, "/assets/functions.js",    Public,                        O::Asset(&dashboard::FUNCTIONS)),
        row(Method::GET, "/assets/metrics.js",      Public,                        O::Asset(&dashboard::METRICS)),
        row(Method::GET, "/assets/run.js",          Public,                        O::Asset(&dashboard::RUN)),
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
pub(crate) struct Matched {
    path: &'static str,
    /// What stands for the names in braces, as it was sent.
    pub(crate) parameters: Vec<(&'static str, String)>,
}

/// The path of the table that `path` (without the leading slash) fits.
pub(crate) fn match_path(path: &str) -> Option<Matched> {
    ROUTES.iter().find_map(|route| {
        let mut parameters = Vec::new();
        let mut given = path.split('/');
        for pattern in route.path[1..].split('/') {
            let segment = given.next()?;
            let name = pattern
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'));
            match name {
                Some(name) if !segment.is_empty() => parameters.push((name, segment.to_owned())),
                None if pattern == segment => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(Matched {
            path: route.path,
            parameters,
        })
    })
}

impl Matched {
    /// The route of this path for `method`, or the methods that there are.
    pub(crate) fn route(&self, method: &Method) -> Result<&'static Route, String> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut allowed = Vec::new();
        for route in ROUTES.iter().filter(|route| route.path == self.path) {
            if route.method == *method {
                return Ok(route);
            }
            allowed.push(route.method.as_str());
            if route.method == Method::GET {
                allowed.push("HEAD");
            }
        }
        Err(allowed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execute_is_a_route_and_never_a_function() {
        let matched = match_path("functions/execute").unwrap();
        assert_eq!(matched.path, "/functions/execute");
        assert_eq!(matched.route(&Method::GET).unwrap_err(), "POST");
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
        ] {
            assert!(match_path(path).is_none(), "{path}");
        }
        assert!(match_path("").is_some());
        let matched = match_path("functions/a%2fb").unwrap();
        assert_eq!(matched.parameters, [("function", "a%2fb".to_owned())]);
        assert_eq!(
            matched.route(&Method::PATCH).unwrap_err(),
            "GET, HEAD, PUT, DELETE"
        );
        assert!(matched.route(&Method::HEAD).is_ok());
        let matched = match_path("functions/f/aliases/a").unwrap();
        let expected = [("function", "f"), ("alias", "a")].map(|(n, v)| (n, v.to_owned()));
        assert_eq!(matched.parameters, expected);
    }
}
