//! What stands in paths and in queries.

use lambda_core::model::limits::{PAGE_DEFAULT, PAGE_MAX};
use lambda_core::model::{Bucket, Language, Status};
use serde_json::{Value, json};

const NAME: &str = "^[A-Za-z0-9_-]{1,64}$";

/// The parameters of a path of the table.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?;
        name.strip_suffix('}')
    });
    names.map(|name| parameter("path", name)).collect()
}

/// A parameter of a query. One that is given empty counts as not given.
pub(super) fn query(name: &str) -> Value {
    let mut parameter = parameter("query", name);
    if name != "limit" {
        parameter["schema"] = json!({ "anyOf": [parameter["schema"], { "const": "" }] });
    }
    parameter
}

fn parameter(place: &str, name: &str) -> Value {
    let (schema, description) = match (place, name) {
        ("path", "invocation" | "token") => (
            json!({ "type": "string", "format": "uuid" }),
            "The id, as it was shown.",
        ),
        ("path", "alias") => (
            json!({ "type": "string", "pattern": NAME }),
            "The alias, which is not a number; `current` is what runs where nobody asks for a version.",
        ),
        (_, "function") => (
            json!({ "type": "string", "pattern": NAME }),
            "The function's id or name.",
        ),
        (_, "limit") => (
            json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT }),
            "How many items a page has at most.",
        ),
        (_, "cursor") => (
            json!({ "type": "string" }),
            "Where the page begins: `next` of the page before, or from its header `Link`.",
        ),
        (_, "qualifier") => (
            json!({ "type": "string", "pattern": NAME }),
            "A version's number, or an alias; without it the current version.",
        ),
        (_, "runtime") => (
            json!({ "type": "string", "pattern": NAME, "examples": ["docker", "gvisor"] }),
            "The runtime.",
        ),
        (_, "from") => (
            json!({ "type": "string", "format": "date-time" }),
            "The first point in time.",
        ),
        (_, "to") => (
            json!({ "type": "string", "format": "date-time" }),
            "The point in time that is not in it any more.",
        ),
        (_, "status") => {
            let words: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
            let word = format!("({}|error)", words.join("|"));
            (
                json!({ "type": "string", "pattern": format!("^{word}(,{word})*$") }),
                "One or several, with commas between; `error` is all but `success`.",
            )
        }
        (_, "bucket") => {
            let words: Vec<_> = Bucket::ALL.iter().map(|bucket| bucket.as_str()).collect();
            (
                json!({ "type": "string", "enum": words }),
                "Adds `series`, with a point for each bucket.",
            )
        }
        (_, "language") => {
            let words: Vec<_> = Language::ALL.map(Language::as_str).into();
            (
                json!({ "type": "string", "enum": words }),
                "Beside an archive.",
            )
        }
        _ => (
            json!({ "type": "string" }),
            "Beside an archive: the function's field of this name, as in a form.",
        ),
    };
    json!({
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    })
}
