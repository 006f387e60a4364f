//! Writes the host's answers.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{CodeFormat, Function};
use crate::runtime::{InitializeSandbox, InvokeSandbox};

const ACCEPTED_BODY: &str = "{\"status\":\"OK\"}\n";

/// Writes `202 Accepted`.
pub(crate) fn accepted(out: &mut BytesMut) {
    head(
        out,
        format_args!(
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ACCEPTED_BODY}",
            ACCEPTED_BODY.len(),
        ),
    );
}

/// Writes `413`, AWS's answer to a response over the limit.
pub(crate) fn too_large(out: &mut BytesMut) {
    const BODY: &str = "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n";
    head(
        out,
        format_args!(
            "HTTP/1.1 413 Payload Too Large\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len(),
        ),
    );
}

/// Writes an event.
pub(crate) fn event(out: &mut BytesMut, request: &InvokeSandbox) {
    head(
        out,
        format_args!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Lambda-Runtime-Aws-Request-Id: {}\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: {}\r\n",
            request.payload.len(),
            request.request_id,
            request.deadline_unix_ms,
            request.invoked_function_arn,
        ),
    );
    // It comes from a client: one that could break out of the header is not handed on.
    if let Some(trace_id) = &request.trace_id
        && trace_id.len() <= 256
        && trace_id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    {
        head(out, format_args!("Lambda-Runtime-Trace-Id: {trace_id}\r\n"));
    }
    if let Some(traceparent) = &request.traceparent {
        head(
            out,
            format_args!("Lambda-Runtime-Traceparent: {traceparent}\r\n"),
        );
    }
    out.put_slice(b"\r\n");
    out.put_slice(&request.payload);
}

#[derive(Serialize)]
struct InitConfig<'a> {
    function_name: &'a str,
    function_version: String,
    invoked_function_arn: String,
    memory_limit_mib: u32,
    log_group_name: String,
    log_stream_name: String,
    handler: Option<&'a str>,
    env: &'a std::collections::BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fresh_process: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keep_processes: bool,
    code: InitCode,
}

#[derive(Serialize)]
struct InitCode {
    format: &'static str,
}

/// Writes configuration and code. `log_stream_name` is the sandbox's.
pub(crate) fn init(
    out: &mut BytesMut,
    request: &InitializeSandbox,
    log_stream_name: String,
) -> Result<()> {
    let function = &*request.function;
    let config = InitConfig {
        function_name: function.name.as_str(),
        function_version: function.version.to_string(),
        invoked_function_arn: function_arn(function),
        memory_limit_mib: function.config.memory_mib,
        log_group_name: format!("/aws/lambda/{}", function.name),
        log_stream_name,
        handler: function.config.handler.as_deref(),
        env: &function.config.env,
        // A script's every execution is one anyway.
        fresh_process: function.config.fresh_process && function.config.handler.is_some(),
        keep_processes: function.config.keep_processes && function.config.handler.is_some(),
        code: InitCode {
            format: match &request.code {
                Some((CodeFormat::Inline, _)) => "inline",
                Some((CodeFormat::Zip, _)) => "zip",
                None => "directory",
            },
        },
    };
    let config = serde_json::to_vec(&config).map_err(|error| {
        Error::internal("protocol_encode", "A configuration cannot be encoded.").source(error)
    })?;
    let code = request
        .code
        .as_ref()
        .map(|(_, bytes)| &bytes[..])
        .unwrap_or_default();
    head(
        out,
        format_args!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Lambda-Init-Config-Length: {}\r\n\r\n",
            config.len() + code.len(),
            config.len(),
        ),
    );
    out.put_slice(&config);
    out.put_slice(code);
    Ok(())
}

/// The function's name in AWS's form; region and account are placeholders.
pub(crate) fn function_arn(function: &Function) -> String {
    format!(
        "arn:aws:lambda:local:000000000000:function:{}",
        function.name
    )
}

fn head(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    // Writing into a growing buffer cannot fail.
    let _ = out.write_fmt(text);
}
