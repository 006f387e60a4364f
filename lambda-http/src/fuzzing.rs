//! What fuzz/ reaches that is no part of the public surface: what reads requests.

use hyper::Method;

use crate::query::{self, Query};
use crate::{api, route};

/// Reads a body as every operation that takes JSON would.
pub fn bodies(body: &[u8]) {
    api::fuzzing::bodies(body);
}

/// Finds the route of a path (without the leading slash), and reads a query as every operation
/// would.
///
/// # Panics
/// If a parameter is not a part of the path.
pub fn path_and_query(path: &str, query: &str) {
    if let Some(matched) = route::match_path(path) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            if let Ok((_, parameters)) = matched.clone().route(&method) {
                for (_, value) in parameters {
                    assert!(path.contains(value.as_str()));
                }
            }
        }
    }
    for known in [
        query::NONE,
        query::PAGE,
        query::QUALIFIER,
        query::INVOKE,
        query::RECORDS,
        query::FIGURES,
    ] {
        let Ok(query) = Query::read(query, known) else {
            continue;
        };
        let _ = query.page();
        let _ = (query.time("from"), query.time("to"));
        let _ = (query.function(), query.runtime(), query.statuses());
    }
}
