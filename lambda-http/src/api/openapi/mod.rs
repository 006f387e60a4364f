//! `GET /openapi.json`: the API, described by OpenAPI 3.1. It is made of the table of routes and
//! of the types that requests are read into and answers are printed from, so it cannot tell of
//! others.

mod operations;
mod parameters;

use std::sync::LazyLock;

use bytes::Bytes;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use warp::reply::Response;

use crate::reply;
use crate::route::{Access, ROUTES, Route};

use operations::{Body, Description};

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

pub(super) fn get() -> Response {
    reply::json_text(hyper::StatusCode::OK, DOCUMENT.clone())
}

/// Makes schemas, and collects those that others refer to.
pub(super) struct Schemas {
    /// Of what is read.
    requests: SchemaGenerator,
    /// Of what is printed.
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            requests: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
        }
    }

    fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// The schema itself, for one that is a part of another.
    fn part<T: JsonSchema>(&mut self) -> Value {
        T::json_schema(&mut self.answers).to_value()
    }

    /// The same of what is read.
    fn request_part<T: JsonSchema>(&mut self) -> Value {
        T::json_schema(&mut self.requests).to_value()
    }

    /// All that was referred to.
    fn into_definitions(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        for (name, mut schema) in self.answers.take_definitions(true) {
            close(&mut schema);
            // A type that is both read and printed would need two names.
            assert!(all.insert(name.clone(), schema).is_none(), "{name} twice");
        }
        all
    }
}

/// An answer has the fields that are described, and no others.
fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut()
        && object.contains_key("properties")
    {
        object
            .entry("additionalProperties")
            .or_insert(Value::Bool(false));
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let error = schemas.answer::<crate::error::Envelope<'static>>();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let description = operations::describe(route.operation, &mut schemas);
        // The page's files are no operations.
        let Some(description) = description else {
            continue;
        };
        // The older one of two paths to one operation.
        let mut description = description;
        if route.path == "/metrics" {
            description.id = "listMetrics";
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(route, description);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "lambda",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Serverless functions in Python and JavaScript, in warm sandboxes.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        // Relative to the document, wherever the routes are mounted.
        "servers": [{ "url": "." }],
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "responses": {
                "Error": {
                    "description": "The request was refused, or failed.",
                    "content": { "application/json": { "schema": error } },
                },
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`lambda serve` says at its start where the operator's is.",
                },
            },
        },
    })
}

fn operation(route: &Route, description: Description) -> Value {
    let scopes: Vec<_> = route.access.scopes().iter().map(|s| s.as_str()).collect();
    let security = match route.access {
        Access::Public => json!([]),
        Access::Protected(_) => json!([{ "token": scopes }]),
        // On this machine there need not be one.
        Access::Local(_) | Access::LocalAll(_) => json!([{ "token": scopes }, {}]),
    };
    let mut parameters = parameters::of_path(route.path);
    parameters.extend(description.query.iter().map(|name| parameters::query(name)));
    let mut responses = Map::new();
    for status in errors(route, &description) {
        let error = json!({ "$ref": "#/components/responses/Error" });
        responses.insert(status.to_string(), error);
    }
    for (status, answer) in description.answers {
        responses.insert(status.to_string(), answer);
    }
    let mut operation = json!({
        "operationId": description.id,
        "summary": description.summary,
        "tags": [description.tag],
        "parameters": parameters,
        "security": security,
        "responses": responses,
    });
    if let Some(Body { required, content }) = description.body {
        operation["requestBody"] = json!({ "required": required, "content": content });
    }
    operation
}

/// What any operation may be refused with.
fn errors(route: &Route, description: &Description) -> Vec<u16> {
    // A wrong token is refused everywhere, and so are other hosts and origins.
    let mut statuses = vec![400, 401, 403, 500, 503];
    if route.path.contains('{') || description.may_miss {
        statuses.push(404);
    }
    if description.body.is_some() {
        statuses.extend([408, 413, 415]);
    }
    statuses.extend(description.errors);
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = document();
        let mut described: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let is_file = |route: &&Route| route.operation.is_file();
        let mut routes: Vec<_> = ROUTES
            .iter()
            .filter(|route| !is_file(route))
            .map(|route| (route.path.to_owned(), route.method.to_string()))
            .collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
        for route in ROUTES.iter().filter(is_file) {
            assert_eq!(route.access, Access::Public, "{route:?} is no file");
        }
    }

    #[test]
    fn what_is_referred_to_is_there_and_ids_are_unique() {
        let document = document();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        let mut ids: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|methods| methods.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    fn collect(value: &Value, references: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    references.push(reference.clone());
                }
                object.values().for_each(|value| collect(value, references));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
            _ => {}
        }
    }

    #[test]
    fn names_in_paths_and_scopes_are_described() {
        let document = document();
        let get = &document["paths"]["/functions/{function}"]["get"];
        assert_eq!(get["parameters"][0]["name"], "function");
        assert_eq!(get["parameters"][0]["in"], "path");
        assert_eq!(get["parameters"][1]["name"], "qualifier");
        assert_eq!(get["security"][0]["token"], json!(["functions:read"]));
        let test = &document["paths"]["/functions/test"]["post"];
        let scopes = &test["security"][0]["token"];
        assert_eq!(*scopes, json!(["invoke", "functions:write"]));
        let function = &document["components"]["schemas"]["Function"];
        assert_eq!(function["additionalProperties"], false);
        assert_eq!(function["properties"]["language"]["enum"][0], "python");
    }
}
