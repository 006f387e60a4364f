//! `POST /functions/test`: runs code that is not deployed, once.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use hyper::StatusCode;
use lambda_core::TestRequest;
use lambda_core::model::limits;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use warp::reply::Response;

use super::function_types::FunctionBody;
use super::upload::{self, Upload};
use super::{execute, logs};
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;
use crate::schema::Anything;
use crate::{body, reply, sse, trace};

/// Code and event of the largest size, with room for the other fields.
const BODY_BYTES_MAX: usize =
    limits::EVENT_BYTES_MAX + limits::SENT_PACKAGE_BYTES_MAX / 3 * 4 + 512 * 1024;

/// What the code sees as its function's name, unless told.
const NAME: &str = "test";

pub(super) async fn test(request: Request) -> Result<Response, ApiError> {
    let trace_id = trace::amzn_trace_id(&request.headers);
    let traceparent = trace::traceparent(&request.headers);
    let is_streamed = sse::is_wanted(&request.headers);
    let api = request.api.clone();
    let mut test = match upload::kind(&request.headers)? {
        upload::Kind::Zip => return Err(body::undeclared()),
        upload::Kind::Json => {
            Query::read(&request.query, query::NONE)?;
            let timeout = api.options.body_timeout;
            let body = body::read(&request.headers, request.body, BODY_BYTES_MAX, timeout).await?;
            test_request(&body)?
        }
        kind => from_upload(upload::read(kind, request).await?)?,
    };
    test.trace_id = trace_id;
    test.traceparent = traceparent;
    if is_streamed {
        return Ok(logs::of_execution(api.platform.start_test(test).await?));
    }
    let outcome = api.platform.test(test).await?;
    Ok(reply::json_text(StatusCode::OK, execute::print(&outcome)?))
}

/// The fields of the call are parts of the form, in JSON.
fn from_upload(mut upload: Upload) -> Result<TestRequest, ApiError> {
    let call = upload.take(&["args", "event", "use_gvisor"]);
    let mut text = String::from("{");
    for (name, value) in &call {
        let comma = if text.len() > 1 { "," } else { "" };
        // One value each: a part that closes the object is no JSON by itself.
        let value: &RawValue = serde_json::from_str(value)
            .map_err(|_| ApiError::invalid(format!("The part `{name}` is not JSON.")))?;
        text.push_str(&format!("{comma}\"{name}\":{}", value.get()));
    }
    text.push('}');
    let bytes = Bytes::from(text);
    let call: CallFields<'_> = body::parse(&bytes)?;
    request(&bytes, call, upload.into_body()?)
}

pub(super) fn test_request(bytes: &Bytes) -> Result<TestRequest, ApiError> {
    let Split { call, function } = body::parse(bytes)?;
    request(bytes, call, body::parse(function.as_bytes())?)
}

fn request(
    bytes: &Bytes,
    call: CallFields<'_>,
    function: FunctionBody,
) -> Result<TestRequest, ApiError> {
    let new = function.into_new_function(Some(NAME))?;
    let mut test = TestRequest::new(new.name, new.config, new.code);
    test.runtime = execute::runtime(call.use_gvisor, None)?;
    test.payload = execute::payload(bytes, call.args, call.event)?;
    Ok(test)
}

/// What the code is called with.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallFields<'a> {
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default, borrow, deserialize_with = "body::present")]
    #[schemars(with = "Anything")]
    event: Option<&'a RawValue>,
    #[serde(default)]
    use_gvisor: Option<bool>,
}

/// A body that is a call and a function at once: the call, and the function's fields as JSON.
struct Split<'a> {
    call: CallFields<'a>,
    function: String,
}

impl<'de> Deserialize<'de> for Split<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SplitVisitor;

        impl<'de> Visitor<'de> for SplitVisitor {
            type Value = Split<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Split<'de>, A::Error> {
                let mut call = CallFields::default();
                let mut function = String::from("{");
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let is_twice = match &*name {
                        "event" => call.event.replace(map.next_value()?).is_some(),
                        "args" => call.args.replace(map.next_value()?).is_some(),
                        "use_gvisor" => call.use_gvisor.replace(map.next_value()?).is_some(),
                        _ => {
                            let value: &RawValue = map.next_value()?;
                            let name = serde_json::to_string(&name).map_err(A::Error::custom)?;
                            let comma = if function.len() > 1 { "," } else { "" };
                            // A field that stands twice is refused by who reads the rest.
                            function.push_str(&format!("{comma}{name}:{}", value.get()));
                            false
                        }
                    };
                    if is_twice {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                }
                function.push('}');
                Ok(Split { call, function })
            }
        }

        deserializer.deserialize_map(SplitVisitor)
    }
}

#[cfg(test)]
mod tests {
    use lambda_core::model::{CodeSource, Payload, RuntimeName};

    use super::*;

    fn read(json: &str) -> Result<TestRequest, ApiError> {
        test_request(&Bytes::from(json.to_owned()))
    }

    #[test]
    fn a_test_is_a_function_and_a_call() {
        let read = read(
            r#"{"code": "x", "event": {"a" : 1}, "language": "python", "handler": "m.f",
                "timeout_ms": 5, "use_gvisor": true}"#,
        )
        .unwrap();
        assert_eq!(read.name.as_str(), "test");
        assert_eq!(read.code, CodeSource::Inline("x".to_owned()));
        assert_eq!(read.payload, Payload::Event(Bytes::from(r#"{"a" : 1}"#)));
        assert_eq!(read.config.timeout.as_millis(), 5);
        assert_eq!(read.runtime, Some(RuntimeName::gvisor()));
    }

    #[test]
    fn what_is_there_twice_unknown_or_missing_is_refused() {
        for bad in [
            r#"{"language": "python"}"#,
            r#"{"code": "x"}"#,
            r#"{"code": "x", "language": "python", "args": [], "event": 1}"#,
            r#"{"code": "x", "language": "python", "event": 1, "event": 1}"#,
            r#"{"code": "x", "code": "x", "language": "python"}"#,
            r#"{"code": "x", "language": "python", "id": 1}"#,
            r#"{"code": "x", "language": "python", "timeout_ms": null, "args": "x"}"#,
            "[]",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
