//! `POST /functions/execute`

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use lambda_core::model::{
    FunctionError, FunctionId, FunctionRef, Outcome, Payload, RequestId, RuntimeName, StartKind,
    Status, Termination, limits,
};
use lambda_core::{ErrorKind, ExecuteRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use warp::reply::Response;

use super::{logs, millis};
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;
use crate::schema::{
    Anything, FailureView, Id, Name, QualifierText, Runtimes, Starts, Statuses, Terminations,
};
use crate::{body, reply, sse, trace};

/// An event of the largest size, with room for the other fields.
const BODY_BYTES_MAX: usize = limits::EVENT_BYTES_MAX + 512 * 1024;

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Execution")]
#[serde(deny_unknown_fields)]
pub(super) struct ExecuteBody<'a> {
    #[serde(default, borrow)]
    #[schemars(with = "Option<Id>")]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    #[schemars(with = "Option<Name>")]
    name: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    #[schemars(with = "Option<QualifierText>")]
    qualifier: Option<Cow<'a, str>>,
    #[serde(default)]
    args: Option<Vec<String>>,
    /// Kept as it was sent: it is the function that parses it. `null` is an event.
    #[serde(default, borrow, deserialize_with = "body::present")]
    #[schemars(with = "Anything")]
    event: Option<&'a RawValue>,
    #[serde(default)]
    use_gvisor: Option<bool>,
    #[serde(default, borrow)]
    #[schemars(with = "Option<Runtimes>")]
    runtime: Option<Cow<'a, str>>,
    #[serde(default)]
    #[schemars(with = "Option<u64>", range(min = 1, max = 900_000))]
    timeout_ms: Option<u64>,
}

pub(super) async fn execute(request: Request) -> Result<Response, ApiError> {
    Query::read(&request.query, query::NONE)?;
    let api = request.api;
    let timeout = api.options.body_timeout;
    let body = body::read(&request.headers, request.body, BODY_BYTES_MAX, timeout).await?;
    let mut execute = execute_request(&body)?;
    execute.trace_id = trace::amzn_trace_id(&request.headers);
    execute.traceparent = trace::traceparent(&request.headers);
    if sse::is_wanted(&request.headers) {
        let invocation = api.platform.start(execute).await?;
        return Ok(logs::of_execution(invocation));
    }
    // The connection's task waits for it, and for nothing else.
    execute.is_attended = true;
    let outcome = api.platform.execute(execute).await?;
    Ok(reply::json_text(StatusCode::OK, print(&outcome)?))
}

pub(super) fn execute_request(bytes: &Bytes) -> Result<ExecuteRequest, ApiError> {
    let body: ExecuteBody<'_> = body::parse(bytes)?;
    let function = match (&body.id, &body.name) {
        (Some(id), None) => FunctionRef::Id(id.parse()?),
        (None, Some(name)) => FunctionRef::Name(name.parse()?),
        _ => {
            return Err(ApiError::invalid(
                "Give either `id` or `name` of the function.",
            ));
        }
    };
    let mut request = ExecuteRequest::new(function);
    if let Some(qualifier) = &body.qualifier {
        request.qualifier = qualifier.parse()?;
    }
    request.runtime = runtime(body.use_gvisor, body.runtime.as_deref())?;
    request.timeout = timeout(body.timeout_ms)?;
    request.payload = payload(bytes, body.args, body.event)?;
    Ok(request)
}

/// What a function is called with; `event` is a part of `bytes`.
pub(super) fn payload(
    bytes: &Bytes,
    args: Option<Vec<String>>,
    event: Option<&RawValue>,
) -> Result<Payload, ApiError> {
    match (args, event) {
        (Some(_), Some(_)) => Err(ApiError::invalid(
            "Give `args` (for a script) or `event` (for a handler), not both.",
        )),
        (Some(args), None) => Ok(Payload::Args(args)),
        (None, Some(event)) => Ok(Payload::Event(event_bytes(bytes, event)?)),
        (None, None) => Ok(Payload::Empty),
    }
}

/// `runtime`, of which `use_gvisor` is the short form.
pub(super) fn runtime(
    use_gvisor: Option<bool>,
    runtime: Option<&str>,
) -> Result<Option<RuntimeName>, ApiError> {
    let named = runtime.map(str::parse::<RuntimeName>).transpose()?;
    // `false` is a wish as well: the core refuses it where the function's own runtime is
    // gVisor, because nothing may run in a weaker sandbox than its owner chose.
    let short = use_gvisor.map(|gvisor| {
        if gvisor {
            RuntimeName::gvisor()
        } else {
            RuntimeName::docker()
        }
    });
    match (short, named) {
        (Some(short), Some(named)) if short != named => Err(ApiError::invalid(
            "`use_gvisor` and `runtime` contradict each other; one of them is enough.",
        )),
        (short, named) => Ok(named.or(short)),
    }
}

fn timeout(timeout_ms: Option<u64>) -> Result<Option<Duration>, ApiError> {
    match timeout_ms {
        Some(ms) if !(1..=limits::TIMEOUT_MAX_MS).contains(&ms) => Err(ApiError::invalid(
            "`timeout_ms` is 1 to 900000 milliseconds.",
        )),
        ms => Ok(ms.map(Duration::from_millis)),
    }
}

/// The event as a part of the body that it came in: not a byte is copied.
fn event_bytes(body: &Bytes, event: &RawValue) -> Result<Bytes, ApiError> {
    let text = event.get();
    if text.len() > limits::EVENT_BYTES_MAX {
        return Err(ApiError::new(
            ErrorKind::PayloadTooLarge,
            format!(
                "The event has {} bytes; at most {} are allowed.",
                text.len(),
                limits::EVENT_BYTES_MAX
            ),
            "Send less; put large data where the function can fetch it.",
        ));
    }
    Ok(body.slice_ref(text.as_bytes()))
}

/// The answer up to `output`...
#[derive(Serialize, JsonSchema)]
pub(super) struct OutcomeHead {
    #[schemars(with = "Id")]
    request_id: RequestId,
    #[schemars(with = "Id")]
    function_id: FunctionId,
    version: u32,
    #[schemars(with = "Statuses")]
    status: Status,
}

/// ... and from there on.
#[derive(Serialize, JsonSchema)]
pub(super) struct OutcomeTail<'a> {
    stdout: &'a str,
    stdout_truncated: bool,
    stderr: &'a str,
    stderr_truncated: bool,
    exit_code: Option<i32>,
    #[schemars(with = "Option<FailureView>")]
    error: Option<&'a FunctionError>,
    #[schemars(with = "Starts")]
    start: StartKind,
    #[schemars(with = "Name")]
    runtime: &'a RuntimeName,
    #[schemars(with = "Option<Terminations>")]
    termination: Option<Termination>,
    queue_ms: f64,
    boot_ms: f64,
    init_ms: f64,
    run_ms: f64,
    total_ms: f64,
    max_memory_mib: Option<u32>,
}

/// Prints the answer around the function's result, which is JSON already and is neither
/// parsed nor printed again.
pub(super) fn print(outcome: &Outcome) -> Result<Bytes, ApiError> {
    let head = OutcomeHead {
        request_id: outcome.request_id,
        function_id: outcome.function_id,
        version: outcome.version,
        status: outcome.status,
    };
    let timings = &outcome.timings;
    let tail = OutcomeTail {
        stdout: &outcome.stdout.text,
        stdout_truncated: outcome.stdout.truncated,
        stderr: &outcome.stderr.text,
        stderr_truncated: outcome.stderr.truncated,
        exit_code: outcome.exit_code,
        error: outcome.error.as_ref(),
        start: outcome.start,
        runtime: &outcome.runtime,
        termination: outcome.termination,
        queue_ms: millis::from_duration(timings.queue),
        boot_ms: millis::from_duration(timings.boot),
        init_ms: millis::from_duration(timings.init),
        run_ms: millis::from_duration(timings.run),
        total_ms: millis::from_duration(timings.total),
        max_memory_mib: outcome.max_memory_mib,
    };
    let output = outcome.output.as_deref().unwrap_or(b"null");
    let text = outcome.stdout.text.len() + outcome.stderr.text.len();
    let mut printed = Vec::with_capacity(768 + output.len() + text);
    let result = serde_json::to_writer(&mut printed, &head).and_then(|()| {
        printed.pop();
        printed.extend_from_slice(b",\"output\":");
        printed.extend_from_slice(output);
        let seam = printed.len();
        serde_json::to_writer(&mut printed, &tail)?;
        // The tail's opening brace stands where its objects join.
        printed[seam] = b',';
        Ok(())
    });
    match result {
        Ok(()) => Ok(printed.into()),
        Err(error) => {
            tracing::error!(%error, "an outcome could not be printed");
            Err(ApiError::new(
                ErrorKind::Internal,
                "The outcome could not be printed.",
                "This is a defect of the platform; its log says more.",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ExecuteRequest, ApiError> {
        execute_request(&Bytes::from(json.to_owned()))
    }

    #[test]
    fn an_event_is_handed_on_as_it_was_sent() {
        for event in ["null", "{ \"a\" : 1.0e2 }", "[1,  2]", "\"\\u00e9\"", "0"] {
            let request = read(&format!("{{\"name\":\"f\",\"event\":{event}}}")).unwrap();
            assert_eq!(
                request.payload,
                Payload::Event(Bytes::from(event.to_owned()))
            );
        }
        assert_eq!(read("{\"name\":\"f\"}").unwrap().payload, Payload::Empty);
        assert_eq!(
            read("{\"name\":\"f\",\"args\":[]}").unwrap().payload,
            Payload::Args(Vec::new())
        );
    }

    #[test]
    fn the_runtime_has_a_short_form_that_must_agree() {
        assert_eq!(runtime(None, None).unwrap(), None);
        assert_eq!(
            runtime(Some(true), None).unwrap(),
            Some(RuntimeName::gvisor())
        );
        assert_eq!(
            runtime(Some(false), None).unwrap(),
            Some(RuntimeName::docker())
        );
        assert_eq!(
            runtime(Some(true), Some("gvisor")).unwrap(),
            Some(RuntimeName::gvisor())
        );
        assert!(runtime(Some(true), Some("docker")).is_err());
        assert!(runtime(Some(false), Some("gvisor")).is_err());
        assert!(runtime(None, Some("../x")).is_err());
    }

    #[test]
    fn requests_that_say_too_much_or_too_little_are_refused() {
        let id = FunctionId::new();
        for bad in [
            "{}".to_owned(),
            format!("{{\"id\":\"{id}\",\"name\":\"f\"}}"),
            "{\"id\":\"f\"}".to_owned(),
            "{\"name\":\"f\",\"args\":[],\"event\":{}}".to_owned(),
            "{\"name\":\"f\",\"args\":[1]}".to_owned(),
            "{\"name\":\"f\",\"args\":\"x\"}".to_owned(),
            "{\"name\":\"f\",\"timeout_ms\":0}".to_owned(),
            "{\"name\":\"f\",\"timeout_ms\":900001}".to_owned(),
            "{\"name\":\"f\",\"timeout_ms\":-1}".to_owned(),
            "{\"name\":\"f\",\"use_gvisor\":\"yes\"}".to_owned(),
            "{\"name\":\"f\",\"event\":{},\"event\":{}}".to_owned(),
            "{\"name\":\"f\",\"payload\":{}}".to_owned(),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        assert!(read(&format!("{{\"id\":\"{id}\"}}")).is_ok());
    }

    #[test]
    fn a_deep_event_costs_no_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(read(&format!("{{\"name\":\"f\",\"event\":{deep}}}")).is_ok());
    }
}
