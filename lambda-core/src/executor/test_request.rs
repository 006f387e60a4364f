//! Code that is run without being deployed.

use std::time::Duration;

use crate::model::{
    CodeSource, FunctionConfig, FunctionName, Namespace, Payload, RequestId, RuntimeName,
    Traceparent,
};

/// A request to run code that is not deployed, once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TestRequest {
    /// Where it is recorded.
    pub namespace: Namespace,
    /// What the code sees as its function's name. It need not be free.
    pub name: FunctionName,
    /// Everything but the code.
    pub config: FunctionConfig,
    /// The code; a zip archive of at most
    /// [`SENT_PACKAGE_BYTES_MAX`](crate::model::limits::SENT_PACKAGE_BYTES_MAX) bytes that unpacks
    /// to at most [`SENT_UNPACKED_BYTES_MAX`](crate::model::limits::SENT_UNPACKED_BYTES_MAX).
    pub code: CodeSource,
    /// What it is called with.
    pub payload: Payload,
    /// Another sandbox back end than the configuration's; never a weaker one.
    pub runtime: Option<RuntimeName>,
    /// A shorter timeout than the configuration's.
    pub timeout: Option<Duration>,
    /// The invocation's id.
    pub request_id: RequestId,
    /// `X-Amzn-Trace-Id`, handed to the code.
    pub trace_id: Option<String>,
    /// The trace that it is a part of; the code gets it with the invocation as the parent.
    pub traceparent: Option<Traceparent>,
}

impl TestRequest {
    /// Runs `code` with no args, or the event `{}`.
    #[must_use]
    pub fn new(name: FunctionName, config: FunctionConfig, code: CodeSource) -> Self {
        Self {
            namespace: Namespace::default(),
            name,
            config,
            code,
            payload: Payload::Empty,
            runtime: None,
            timeout: None,
            request_id: RequestId::new(),
            trace_id: None,
            traceparent: None,
        }
    }

    /// What it is called with.
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }
}
