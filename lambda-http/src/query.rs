//! Query strings: only what an operation knows, each at most once.

use jiff::Timestamp;
use lambda_core::model::limits::{PAGE_DEFAULT, PAGE_MAX};
use lambda_core::model::{FunctionRef, RuntimeName, Status};
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// What operations know; GET /openapi.json tells the same.
pub(crate) const NONE: &[&str] = &[];
/// A listing.
pub(crate) const PAGE: &[&str] = &["limit", "cursor"];
/// One version of a function.
pub(crate) const QUALIFIER: &[&str] = &["qualifier"];
/// An invocation.
pub(crate) const INVOKE: &[&str] = &["runtime", "qualifier"];
/// Records of invocations.
pub(crate) const RECORDS: &[&str] = &[
    "limit", "cursor", "function", "from", "to", "status", "runtime",
];
/// Figures over invocations.
pub(crate) const FIGURES: &[&str] = &["function", "runtime", "from", "to", "bucket"];

/// The parameters that a request gave, out of those that its operation knows.
#[derive(Debug)]
pub(crate) struct Query(Vec<(&'static str, String)>);

/// `?limit=` and `?cursor=` of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageQuery {
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
}

impl Query {
    /// Reads `query`; a parameter that is given empty counts as not given.
    pub(crate) fn read(query: &str, known: &[&'static str]) -> Result<Self, ApiError> {
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| ApiError::invalid("The query is not UTF-8."))?;
            let Some(name) = known.iter().find(|own| **own == name) else {
                return Err(unknown(name, known));
            };
            if given.iter().any(|(own, _)| own == name) {
                return Err(ApiError::invalid(format!("`{name}` is given twice.")));
            }
            given.push((name, value.into_owned()));
        }
        Ok(Self(given))
    }

    /// A parameter as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let given = self.0.iter().find(|(own, _)| *own == name);
        given
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// `limit` and `cursor`.
    pub(crate) fn page(&self) -> Result<PageQuery, ApiError> {
        let limit = self.0.iter().find(|(name, _)| *name == "limit");
        Ok(PageQuery {
            limit: match limit {
                Some((_, text)) => parse_limit(text)?,
                None => PAGE_DEFAULT,
            },
            cursor: self.text("cursor").map(str::to_owned),
        })
    }

    /// A point in time, in RFC 3339.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let parse = |text: &str| {
            text.parse::<Timestamp>().map_err(|_| {
                ApiError::invalid(format!(
                    "`{name}` is a point in time like 2025-01-31T12:34:56Z."
                ))
            })
        };
        self.text(name).map(parse).transpose()
    }

    /// `function`: an id or a name.
    pub(crate) fn function(&self) -> Result<Option<FunctionRef>, ApiError> {
        Ok(self.text("function").map(str::parse).transpose()?)
    }

    /// `runtime`.
    pub(crate) fn runtime(&self) -> Result<Option<RuntimeName>, ApiError> {
        Ok(self.text("runtime").map(str::parse).transpose()?)
    }

    /// `status`: one or several, with commas between; `error` stands for all but `success`.
    pub(crate) fn statuses(&self) -> Result<Vec<Status>, ApiError> {
        let mut statuses = Vec::new();
        for word in self
            .text("status")
            .into_iter()
            .flat_map(|list| list.split(','))
        {
            match Status::from_word(word) {
                Some(status) => statuses.push(status),
                None if word == "error" => {
                    let all = Status::ALL.iter().copied();
                    statuses.extend(all.filter(|status| *status != Status::Success));
                }
                None => {
                    let words: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
                    return Err(ApiError::invalid(format!(
                        "`status` is one or several of {}, with commas between, or `error`.",
                        words.join(", ")
                    )));
                }
            }
        }
        Ok(statuses)
    }
}

fn unknown(name: &str, known: &[&str]) -> ApiError {
    let name: String = name.chars().take(64).collect();
    let there: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    ApiError::invalid(match there.is_empty() {
        true => format!("The query has the parameter {name:?}; there are none here."),
        false => format!(
            "The query has the unknown parameter {name:?}; there are {}.",
            there.join(", ")
        ),
    })
}

fn parse_limit(text: &str) -> Result<u32, ApiError> {
    text.parse()
        .ok()
        .filter(|limit| (1..=PAGE_MAX).contains(limit))
        .ok_or_else(|| ApiError::invalid(format!("`limit` is a number from 1 to {PAGE_MAX}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<PageQuery, ApiError> {
        Query::read(query, &["limit", "cursor"])?.page()
    }

    #[test]
    fn limits_are_bounded_and_names_are_known() {
        let first = page("").unwrap();
        assert_eq!((first.limit, first.cursor), (50, None));
        let next = page("cursor=a%2Bb%3D&limit=1000").unwrap();
        assert_eq!((next.limit, next.cursor.as_deref()), (1000, Some("a+b=")));
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=x",
            "limit=",
            "limit=1&limit=2",
            "page=2",
            "cursor=%ff",
        ] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_are_read_and_wrong_ones_are_named() {
        let query = |text| Query::read(text, &["from", "status", "function", "runtime"]);
        let read = query("status=timeout,crashed&from=2025-01-31T12:34:56Z&function=f").unwrap();
        assert_eq!(read.statuses().unwrap(), [Status::Timeout, Status::Crashed]);
        assert!(read.time("from").unwrap().is_some());
        assert!(read.function().unwrap().is_some());
        assert_eq!(query("status=error").unwrap().statuses().unwrap().len(), 5);
        assert!(query("").unwrap().statuses().unwrap().is_empty());
        assert!(query("status=none").unwrap().statuses().is_err());
        assert!(query("from=yesterday").unwrap().time("from").is_err());
        assert!(query("runtime=a b").unwrap().runtime().is_err());
    }
}
