//! Where a request comes from, as far as a browser tells: `Host` against DNS rebinding,
//! `Origin` against cross-site requests.

use std::net::IpAddr;

use hyper::header::{FORWARDED, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::{HeaderMap, Method};
use lambda_core::ErrorKind;

use crate::error::ApiError;

/// Headers by which a proxy says that it has passed on somebody else's request.
const FORWARDED_BY: [HeaderName; 3] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// Whether a proxy stands between: then a loopback peer says nothing about the client.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED_BY.iter().any(|name| headers.contains_key(name))
}

/// Checks that the request was sent to a name of this machine, or to one of `hosts`.
pub(crate) fn check_host(headers: &HeaderMap, hosts: &[String]) -> Result<(), ApiError> {
    let name = single(headers, &HOST).map(|host| split_port(host).0);
    if let Some(name) = name
        && (is_loopback_name(name) || hosts.iter().any(|host| host.eq_ignore_ascii_case(name)))
    {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorKind::PermissionDenied,
        "The Host header is not a name of this machine.",
        "Use http://localhost or http://127.0.0.1, or allow the name with `lambda serve --host NAME`.",
    ))
}

/// What browsers say of a request besides `Origin`.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks that no web page of another site makes a browser change something. A form can send an
/// upload without asking first; browsers say `Origin` then, and this as well.
pub(crate) fn check_site(headers: &HeaderMap, method: &Method) -> Result<(), ApiError> {
    let is_own = |site: &HeaderValue| site == "same-origin" || site == "none";
    let reads = *method == Method::GET || *method == Method::HEAD;
    if reads || headers.get_all(FETCH_SITE).iter().all(is_own) {
        return Ok(());
    }
    Err(other_origin())
}

/// Checks that, if a web page sent the request, it is one of this server's own.
pub(crate) fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let same = single(headers, &ORIGIN)
        .and_then(|origin| origin.split_once("://"))
        .zip(single(headers, &HOST))
        .is_some_and(|((scheme, origin), host)| {
            let default_port = match scheme {
                "http" => "80",
                "https" => "443",
                _ => return false,
            };
            let (origin_name, origin_port) = split_port(origin);
            let (host_name, host_port) = split_port(host);
            origin_name.eq_ignore_ascii_case(host_name)
                && origin_port.unwrap_or(default_port) == host_port.unwrap_or(default_port)
        });
    if same {
        return Ok(());
    }
    Err(other_origin())
}

fn other_origin() -> ApiError {
    ApiError::new(
        ErrorKind::PermissionDenied,
        "The request comes from a web page of another origin.",
        "Call the API from your own server, or open the dashboard of this one.",
    )
}

/// The value of a header that is there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// `name` and `port` of `name:port`; an IPv6 address stays in its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    }
}

/// An address cannot be rebound: who sends one means this machine.
fn is_loopback_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        for good in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "[::1]:8080",
            "[::1]",
            "127.0.0.9",
            "lab",
        ] {
            let map = headers(&[(HOST, good)]);
            assert!(check_host(&map, &["lab".to_owned()]).is_ok(), "{good}");
        }
        for bad in [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test:80",
            "10.0.0.1",
            "",
            "localhost:80:80@x",
        ] {
            assert!(check_host(&headers(&[(HOST, bad)]), &[]).is_err(), "{bad}");
        }
        assert!(check_host(&headers(&[]), &[]).is_err());
        assert!(check_host(&headers(&[(HOST, "localhost"), (HOST, "evil.test")]), &[]).is_err());
    }

    #[test]
    fn an_origin_is_the_hosts_own() {
        let check =
            |origin, host| check_origin(&headers(&[(ORIGIN, origin), (HOST, host)])).is_ok();
        assert!(check("http://localhost:8080", "localhost:8080"));
        assert!(check("http://example.com", "example.com:80"));
        assert!(check("https://example.com", "example.com"));
        assert!(!check("http://localhost:8081", "localhost:8080"));
        assert!(!check("https://example.com", "example.com:80"));
        assert!(!check("null", "localhost:8080"));
        assert!(!check("file://localhost:8080", "localhost:8080"));
        assert!(!check("http://evil.test", "localhost:8080"));
        assert!(check_origin(&headers(&[(HOST, "localhost")])).is_ok());
    }
}
