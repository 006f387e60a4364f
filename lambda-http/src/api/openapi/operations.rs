//! What each operation reads and answers.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::Schemas;
use crate::api::execute::{ExecuteBody, OutcomeHead, OutcomeTail};
use crate::api::function_types::{FunctionBody, FunctionView};
use crate::api::health::Health;
use crate::api::history::{AliasBody, AliasView};
use crate::api::invocations::{Cancelling, InvocationDetail, InvocationPage};
use crate::api::metrics::SummaryBody;
use crate::api::pool::PoolView;
use crate::api::ready::Readiness;
use crate::api::test::CallFields;
use crate::api::tokens::{TokenBody, TokenView};
use crate::api::{invoke, upload};
use crate::prometheus;
use crate::query;
use crate::route::Operation;

/// An operation, as far as the table of routes does not tell.
pub(super) struct Description {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static str],
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<(u16, Value)>,
    /// Besides those that any operation like it has.
    pub(super) errors: &'static [u16],
    /// A body or a query names something that may not be there.
    pub(super) may_miss: bool,
}

/// What is read.
pub(super) struct Body {
    pub(super) required: bool,
    pub(super) content: Value,
}

impl Description {
    fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            query: query::NONE,
            body: None,
            answers: Vec::new(),
            errors: &[],
            may_miss: false,
        }
    }

    fn query(mut self, names: &'static [&'static str]) -> Self {
        self.query = names;
        self
    }

    fn body(mut self, content: Value) -> Self {
        let required = true;
        self.body = Some(Body { required, content });
        self
    }

    fn json(self, schema: Value) -> Self {
        self.body(json!({ "application/json": { "schema": schema } }))
    }

    fn answer(mut self, status: u16, description: &str, schema: Value) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        let answer = json!({ "description": description, "content": content });
        self.answers.push((status, answer));
        self
    }

    /// The answer is a stream of events, or may be one where it is a document otherwise.
    fn events(mut self) -> Self {
        let stream = json!({ "schema": { "type": "string" } });
        match self.answers.first_mut() {
            Some((_, answer)) => answer["content"]["text/event-stream"] = stream,
            None => self.answers.push((
                200,
                json!({
                    "description": "Server-sent events.",
                    "content": { "text/event-stream": stream },
                }),
            )),
        }
        self
    }

    fn nothing(mut self) -> Self {
        let answer = json!({ "description": "Done." });
        self.answers.push((204, answer));
        self
    }

    fn errors(mut self, statuses: &'static [u16]) -> Self {
        self.errors = statuses;
        self
    }

    fn may_miss(mut self) -> Self {
        self.may_miss = true;
        self
    }
}

/// None: a file of a page, which is no operation.
pub(super) fn describe(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    let new = Description::new;
    Some(match operation {
        Operation::FunctionList => {
            new("functions", "listFunctions", "List functions, newest first")
                .query(query::PAGE)
                .answer(
                    200,
                    "A page; the header Link names the next one.",
                    list::<FunctionView<'_>>(schemas),
                )
        }
        Operation::FunctionCreate => new("functions", "createFunction", "Create a function")
            .query(&upload::QUERY_FIELDS)
            .body(function_body(schemas, true))
            .answer(201, "The function.", schemas.answer::<FunctionView<'_>>())
            .errors(&[409]),
        Operation::FunctionGet => new("functions", "getFunction", "Read a function")
            .query(query::QUALIFIER)
            .answer(
                200,
                "The function; its code, if it is one file.",
                schemas.answer::<FunctionView<'_>>(),
            ),
        Operation::FunctionUpdate => new(
            "functions",
            "updateFunction",
            "Change what is given; appends a version",
        )
        .query(&upload::QUERY_FIELDS)
        .body(function_body(schemas, false))
        .answer(200, "The function.", schemas.answer::<FunctionView<'_>>())
        .errors(&[409, 412]),
        Operation::FunctionDelete => new(
            "functions",
            "deleteFunction",
            "Delete a function with all its versions",
        )
        .nothing(),
        Operation::CodeGet => code(new(
            "functions",
            "getCode",
            "Download the code as it was uploaded",
        )),
        Operation::VersionList => new("versions", "listVersions", "List versions, newest first")
            .query(query::PAGE)
            .answer(
                200,
                "A page; the header Link names the next one.",
                list::<FunctionView<'_>>(schemas),
            ),
        Operation::AliasList => new("versions", "listAliases", "List aliases").answer(
            200,
            "All of them.",
            list::<AliasView>(schemas),
        ),
        Operation::AliasSet => new(
            "versions",
            "setAlias",
            "Point an alias at a version; `current` rolls back",
        )
        .json(schemas.request::<AliasBody>())
        .answer(
            200,
            "The function at that version.",
            schemas.answer::<FunctionView<'_>>(),
        )
        .errors(&[412]),
        Operation::AliasDelete => new(
            "versions",
            "deleteAlias",
            "Delete an alias, not its version",
        )
        .nothing()
        .errors(&[412]),
        Operation::Execute => {
            let outcome = outcome(schemas);
            new(
                "invocations",
                "execute",
                "Run a function, and tell all about it",
            )
            .json(schemas.request::<ExecuteBody<'_>>())
            .answer(200, "However it ended: see `status`.", outcome)
            .events()
            .errors(&[429])
            .may_miss()
        }
        Operation::Test => {
            let outcome = outcome(schemas);
            new("invocations", "test", "Run code that is not deployed, once")
                .body(test_body(schemas))
                .answer(200, "However it ended: see `status`.", outcome)
                .events()
                .errors(&[429])
        }
        Operation::Invoke => invoke(schemas),
        Operation::MetricsList => new(
            "invocations",
            "listInvocations",
            "Records of invocations, newest first",
        )
        .query(query::RECORDS)
        .answer(
            200,
            "A page, and the cursor of the next one.",
            schemas.answer::<InvocationPage<'_>>(),
        )
        .may_miss(),
        Operation::InvocationGet => new(
            "invocations",
            "getInvocation",
            "One record, with the end of what was written",
        )
        .answer(200, "The record.", schemas.answer::<InvocationDetail<'_>>()),
        Operation::InvocationLogs => new(
            "invocations",
            "followInvocation",
            "What an invocation writes, live",
        )
        .events()
        .nothing()
        .errors(&[429]),
        Operation::FunctionLogs => new(
            "invocations",
            "followFunction",
            "What a function's invocations write, live",
        )
        .events()
        .errors(&[429]),
        Operation::InvocationCancel => new("invocations", "cancelInvocation", "Kill an invocation")
            .answer(202, "It will end soon.", schemas.answer::<Cancelling>()),
        Operation::MetricsSummary => new("metrics", "getSummary", "Figures over invocations")
            .query(query::FIGURES)
            .answer(200, "The figures.", schemas.answer::<SummaryBody<'_>>())
            .may_miss(),
        Operation::MetricsPrometheus => {
            let mut description = new("metrics", "scrapeMetrics", "Metrics for Prometheus");
            let content = json!({ (prometheus::CONTENT_TYPE): { "schema": { "type": "string" } } });
            let answer =
                json!({ "description": "In the OpenMetrics text format.", "content": content });
            description.answers.push((200, answer));
            description
        }
        Operation::Pool => new("operations", "getPool", "The sandboxes there are")
            .answer(200, "This process's.", schemas.answer::<PoolView<'_>>())
            .may_miss(),
        Operation::TokenList => new("tokens", "listTokens", "List tokens, oldest first").answer(
            200,
            "All of them, without their secrets.",
            list::<TokenView<'_>>(schemas),
        ),
        Operation::TokenCreate => new("tokens", "createToken", "Make a token")
            .json(schemas.request::<TokenBody>())
            .answer(
                201,
                "With its secret, this once.",
                schemas.answer::<TokenView<'_>>(),
            ),
        Operation::TokenDelete => new("tokens", "deleteToken", "Revoke a token").nothing(),
        Operation::Ready => {
            let readiness = schemas.answer::<Readiness>();
            new(
                "operations",
                "ready",
                "Whether functions can be deployed and run",
            )
            .answer(200, "They can.", readiness.clone())
            .answer(503, "They cannot.", readiness)
        }
        Operation::Health => new("operations", "health", "Whether the process answers").answer(
            200,
            "It does.",
            schemas.answer::<Health>(),
        ),
        Operation::OpenApi => new("operations", "openapi", "This document").answer(
            200,
            "OpenAPI 3.1.",
            json!({ "type": "object" }),
        ),
        Operation::Docs(_) | Operation::Page | Operation::Asset => return None,
    })
}

fn list<T: JsonSchema>(schemas: &mut Schemas) -> Value {
    json!({ "type": "array", "items": schemas.answer::<T>() })
}

/// An outcome is printed in two parts with the function's result, which is JSON already, between.
fn outcome(schemas: &mut Schemas) -> Value {
    json!({
        "allOf": [schemas.part::<OutcomeHead>(), schemas.part::<OutcomeTail<'_>>()],
        "properties": { "output": { "description": "The function's result: any JSON value." } },
        "required": ["output"],
        "unevaluatedProperties": false,
    })
}

fn code(description: Description) -> Description {
    let mut description = description.query(query::QUALIFIER);
    let content = json!({
        "application/zip": { "schema": { "type": "string", "format": "binary" } },
        "text/plain": { "schema": { "type": "string" } },
    });
    let answer = json!({ "description": "A zip archive, or one source file.", "content": content });
    description.answers.push((200, answer));
    description
}

fn invoke(schemas: &mut Schemas) -> Description {
    let failure = schemas.answer::<invoke::Envelope<'_>>();
    let any = json!({ "description": "Any JSON value." });
    let mut description = Description::new(
        "invocations",
        "invoke",
        "Run a function: the event in, the result out",
    )
    .query(query::INVOKE)
    .answer(200, "The function's result.", any.clone())
    .answer(502, "The function failed.", failure.clone())
    .answer(504, "The function ran into its timeout.", failure)
    .errors(&[429]);
    description.body = Some(Body {
        // Without one the event is null.
        required: false,
        content: json!({ "application/json": { "schema": any } }),
    });
    description
}

/// A function's fields in the three ways that they may come in.
fn function_body(schemas: &mut Schemas, is_new: bool) -> Value {
    let change = schemas.request::<FunctionBody>();
    let fields = match is_new {
        true => json!({
            "allOf": [change],
            "required": ["name", "language"],
            "properties": { "name": { "type": "string" }, "language": { "type": "string" } },
            "oneOf": [
                { "required": ["code"], "properties": { "code": { "type": "string" } } },
                {
                    "required": ["code_zip_base64"],
                    "properties": { "code_zip_base64": { "type": "string" } },
                },
            ],
        }),
        false => change,
    };
    let required: &[&str] = match is_new {
        true => &["file", "name", "language"],
        false => &[],
    };
    json!({
        "application/json": { "schema": fields },
        "multipart/form-data": { "schema": form(required) },
        "application/zip": { "schema": { "type": "string", "format": "binary" } },
    })
}

fn form(required: &[&str]) -> Value {
    json!({
        "type": "object",
        "description": "The fields of the JSON body; those that are no text as JSON.",
        "properties": {
            "file": {
                "type": "string", "format": "binary",
                "description": "A zip archive, or one source file.",
            },
            "name": { "type": "string" },
            "language": { "type": "string" },
            "handler": { "type": "string" },
        },
        "required": required,
    })
}

/// A function and a call of it in one object.
fn test_body(schemas: &mut Schemas) -> Value {
    let function = schemas.request_part::<FunctionBody>();
    let call = schemas.request_part::<CallFields<'_>>();
    let mut properties = function["properties"].clone();
    if let (Some(all), Some(own)) = (properties.as_object_mut(), call["properties"].as_object()) {
        all.extend(own.clone());
    }
    let fields = json!({
        "type": "object",
        "properties": properties,
        "required": ["language"],
        "oneOf": [{ "required": ["code"] }, { "required": ["code_zip_base64"] }],
        "additionalProperties": false,
    });
    json!({
        "application/json": { "schema": fields },
        "multipart/form-data": { "schema": form(&["file", "language"]) },
    })
}
