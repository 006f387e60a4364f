//! Who is asking, and whether they may.

mod cache;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use lambda_core::Platform;
use lambda_core::model::{Scope, TokenDigest};
use subtle::ConstantTimeEq as _;

pub(crate) use cache::TokenCache;

use crate::error::ApiError;
use crate::options::HttpOptions;
use crate::route::Access;

/// Checks that a request may go on.
pub(crate) async fn authorize(
    platform: &Platform,
    options: &HttpOptions,
    cache: &TokenCache,
    headers: &HeaderMap,
    is_local: bool,
    access: Access,
) -> Result<(), ApiError> {
    let Some(secret) = bearer(headers)? else {
        return match access {
            Access::Public => Ok(()),
            Access::Local(_) | Access::LocalAll(_) if is_local && options.anonymous_loopback => {
                Ok(())
            }
            _ => Err(ApiError::token_missing()),
        };
    };
    let caller = identify(platform, options, cache, secret).await?;
    let mut scopes = access.scopes().iter();
    match scopes.find(|scope| !caller.allows(**scope)) {
        Some(scope) => Err(ApiError::scope_missing(*scope)),
        None => Ok(()),
    }
}

/// Who holds a token.
enum Caller {
    Operator,
    Holder(Vec<Scope>),
}

impl Caller {
    fn allows(&self, scope: Scope) -> bool {
        match self {
            Self::Operator => true,
            Self::Holder(scopes) => scopes
                .iter()
                .any(|own| *own == scope || *own == Scope::Admin),
        }
    }
}

async fn identify(
    platform: &Platform,
    options: &HttpOptions,
    cache: &TokenCache,
    secret: &str,
) -> Result<Caller, ApiError> {
    // Digests are compared, in constant time, so neither the time nor a look-up by prefix
    // tells anything about the secret.
    let digest = TokenDigest::of(secret);
    if let Some(operator) = &options.operator_token
        && bool::from(operator.as_bytes().ct_eq(digest.as_bytes()))
    {
        return Ok(Caller::Operator);
    }
    let scopes = match cache.get(digest) {
        Some(known) => known,
        None => {
            let found = platform.token_find(digest).await?;
            let scopes = found.map(|token| token.scopes);
            cache.put(digest, scopes.clone());
            scopes
        }
    };
    scopes.map(Caller::Holder).ok_or_else(ApiError::token_wrong)
}

/// The bearer token of a request, if it carries credentials at all.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ApiError::token_wrong());
    }
    value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, secret)| secret.trim())
        .filter(|secret| !secret.is_empty())
        .map(Some)
        .ok_or_else(ApiError::token_wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(|secret| secret.map(str::to_owned))
    }

    #[test]
    fn credentials_are_one_bearer_token_or_an_error() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["Bearer abc"]).unwrap().as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc "]).unwrap().as_deref(), Some("abc"));
        for bad in ["", "Bearer", "Bearer ", "Basic YTpi", "abc"] {
            assert!(read(&[bad]).is_err(), "{bad:?}");
        }
        assert!(read(&["Bearer a", "Bearer a"]).is_err());
    }
}
