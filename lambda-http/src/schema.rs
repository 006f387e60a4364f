//! How GET /openapi.json describes values whose types are the core's. Where the core has a list of
//! words, the description is made of that.

use std::borrow::Cow;

use lambda_core::model::{Language, Scope, StartKind, Status, Termination};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident = $json:expr;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    $json
                }
            }
        )+
    };
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Schema {
    let words: Vec<_> = all.iter().map(|value| word(*value)).collect();
    json_schema!({ "type": "string", "enum": words })
}

described! {
    /// Any JSON.
    Anything = json_schema!({ "description": "Any JSON value." });
    /// An id.
    Id = json_schema!({ "type": "string", "format": "uuid" });
    /// A point in time.
    Time = json_schema!({ "type": "string", "format": "date-time" });
    /// A name of a function, an alias or a runtime.
    Name = json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" });
    /// A version or an alias.
    QualifierText = json_schema!({
        "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$",
        "description": "A version's number, or an alias.",
    });
    /// The runtimes that come with the platform; an embedding application may have others.
    Runtimes = json_schema!({
        "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "examples": ["docker", "gvisor"],
    });
    /// [`Language`]
    Languages = words(&Language::ALL, Language::as_str);
    /// `CodeFormat`
    CodeFormats = json_schema!({ "type": "string", "enum": ["inline", "zip"] });
    /// [`Status`]
    Statuses = words(Status::ALL, Status::as_str);
    /// [`StartKind`]
    Starts = words(StartKind::ALL, StartKind::as_str);
    /// [`Termination`]
    Terminations = words(Termination::ALL, Termination::as_str);
    /// [`Scope`]
    Scopes = words(&Scope::ALL, Scope::as_str);
    /// `BreakerState`
    Breakers = json_schema!({ "type": "string", "enum": ["closed", "open", "half_open"] });
    /// `FunctionError`
    FailureView = json_schema!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "message": { "type": "string" },
            "trace": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["type", "message", "trace"],
        "additionalProperties": false,
    });
    /// `RecorderStatus`
    RecorderView = json_schema!({
        "type": "object",
        "properties": {
            "pending_records": { "type": "integer" },
            "pending_bytes": { "type": "integer" },
            "oldest_pending_at": { "type": ["string", "null"], "format": "date-time" },
            "journal_bytes": { "type": "integer" },
            "journal_bytes_max": { "type": "integer" },
            "shed": { "type": "integer" },
            "shedding_since": { "type": ["string", "null"], "format": "date-time" },
            "rejected": { "type": "integer" },
            "damaged": { "type": "integer" },
            "files_set_aside": { "type": "integer" },
            "store": trouble(),
            "disk": trouble(),
        },
        "required": [
            "pending_records", "pending_bytes", "oldest_pending_at", "journal_bytes",
            "journal_bytes_max", "shed", "shedding_since", "rejected", "damaged",
            "files_set_aside", "store", "disk",
        ],
        "additionalProperties": false,
    });
}

fn trouble() -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "properties": {
            "since": { "type": "string", "format": "date-time" },
            "message": { "type": "string" },
        },
        "required": ["since", "message"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use lambda_core::model::CodeFormat;
    use lambda_core::pool::BreakerState;
    use serde_json::{Value, json};

    use super::*;

    fn schema<T: JsonSchema>() -> Value {
        SchemaGenerator::default()
            .into_root_schema_for::<T>()
            .to_value()
    }

    #[test]
    fn what_is_written_out_here_is_what_is_printed() {
        for format in [CodeFormat::Inline, CodeFormat::Zip] {
            let words = &schema::<CodeFormats>()["enum"];
            assert!(words.as_array().unwrap().contains(&json!(format)));
        }
        for state in [
            BreakerState::Closed,
            BreakerState::Open,
            BreakerState::HalfOpen,
        ] {
            let words = &schema::<Breakers>()["enum"];
            assert!(words.as_array().unwrap().contains(&json!(state)));
        }
        let printed = json!(lambda_core::recorder::RecorderStatus::default());
        let described = schema::<RecorderView>();
        let mut required: Vec<_> = described["required"].as_array().unwrap().clone();
        required.sort_by_key(|name| name.to_string());
        let names: Vec<_> = printed
            .as_object()
            .unwrap()
            .keys()
            .map(|k| json!(k))
            .collect();
        assert_eq!(required, names);
        let failure = lambda_core::model::FunctionError::new("T", "m");
        let described = schema::<FailureView>();
        for name in json!(failure).as_object().unwrap().keys() {
            assert!(described["properties"].get(name).is_some(), "{name}");
        }
    }
}
