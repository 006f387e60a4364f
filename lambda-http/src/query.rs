//! Query strings: only what an operation knows, each at most once.

use lambda_core::model::limits::{PAGE_DEFAULT, PAGE_MAX};
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// `?limit=` and `?cursor=` of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageQuery {
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
}

/// Reads the query of a listing.
pub(crate) fn page(query: &str) -> Result<PageQuery, ApiError> {
    let mut limit = None;
    let mut cursor = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| ApiError::invalid("The query is not UTF-8."))?;
        let taken = match name {
            "limit" => limit.replace(parse_limit(&value)?).is_some(),
            "cursor" => cursor.replace(value.into_owned()).is_some(),
            _ => {
                return Err(ApiError::invalid(format!(
                    "The query has the unknown parameter {:?}; there are `limit` and `cursor`.",
                    name.chars().take(64).collect::<String>()
                )));
            }
        };
        if taken {
            return Err(ApiError::invalid(format!("`{name}` is given twice.")));
        }
    }
    Ok(PageQuery {
        limit: limit.unwrap_or(PAGE_DEFAULT),
        cursor: cursor.filter(|cursor| !cursor.is_empty()),
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
}
