//! `lambda deploy`

use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lambda_core::CodePackage;
use lambda_core::model::CodeSource;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::function_path;
use crate::cli::{Cli, DeployArgs};
use crate::client::Client;
use crate::failure::{Failure, Result};
use crate::own_server::{self, Missing};
use crate::terminal;

#[derive(Deserialize)]
struct Deployed {
    id: String,
    name: String,
    version: u32,
    handler: Option<String>,
}

pub(crate) async fn run(cli: &Cli, args: &DeployArgs) -> Result<ExitCode> {
    let package = CodePackage::read(&args.path, args.handler.as_deref()).map_err(unreadable)?;
    own_server::with_client(cli, &args.server, Missing::Make, async |client| {
        deploy(cli, args, package, client).await
    })
    .await
}

async fn deploy(
    cli: &Cli,
    args: &DeployArgs,
    package: CodePackage,
    client: &Client,
) -> Result<ExitCode> {
    for path in &package.skipped {
        terminal::note(&format!("note: {path} is no regular file and is left out"))?;
    }
    let name = match (&args.name, &package.name) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.to_string(),
        (None, None) => {
            return Err(Failure::usage("The file's name makes no function's name.")
                .hint("Give one with --name."));
        }
    };
    let mut body = fields(args)?;
    let language = args
        .language
        .clone()
        .or_else(|| package.language.map(|language| language.to_string()));
    if let Some(language) = language {
        body.insert("language".to_owned(), language.into());
    }
    insert_code(&mut body, package)?;

    let existing = match client.get(&function_path(&name)).await {
        Ok(answer) => Some(answer.parse::<Deployed>()?.id),
        Err(failure) if failure.code == "ResourceNotFoundException" => None,
        Err(failure) => return Err(failure),
    };
    let answer =
        match &existing {
            Some(id) => client.put(&function_path(id), print(&body)).await?,
            None => {
                if !body.contains_key("language") {
                    return Err(Failure::usage("The language cannot be told from the files.").hint(
                    "Give --language python or --language javascript; a script needs main.py, \
                     main.mjs or main.js.",
                ));
                }
                body.insert("name".to_owned(), name.into());
                client.post("/functions", print(&body)).await?
            }
        };
    if cli.json {
        terminal::print(&String::from_utf8_lossy(&answer.body))?;
    } else {
        let deployed: Deployed = answer.parse()?;
        terminal::print(&summary(&deployed, existing.is_some()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(deployed: &Deployed, existed: bool) -> String {
    let Deployed { name, version, .. } = deployed;
    let done = if existed {
        format!("Updated {name} to version {version}.")
    } else {
        format!("Created {name}, version {version}.")
    };
    let with = match deployed.handler {
        Some(_) => " --event '{}'",
        None => "",
    };
    format!("{done} Run it with `lambda invoke {name}{with}`.")
}

/// What the flags say; what they do not say keeps its value, or gets its default.
fn fields(args: &DeployArgs) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("handler", args.handler.clone().map(Value::from));
    set("description", args.description.clone().map(Value::from));
    set("runtime", args.runtime.clone().map(Value::from));
    set("timeout_ms", args.timeout_ms.map(Value::from));
    set("memory_mib", args.memory_mib.map(Value::from));
    set("cpus", args.cpus.map(Value::from));
    set("tmp_mib", args.tmp_mib.map(Value::from));
    set("concurrency", args.concurrency.map(Value::from));
    set("image", args.image.clone().map(Value::from));
    set("network", args.network.clone().map(Value::from));
    set("fresh_process", args.fresh_process.map(Value::from));
    set("min_warm", args.min_warm.map(Value::from));
    set("keep_processes", args.keep_processes.map(Value::from));
    if !args.env.is_empty() {
        let mut env = Map::new();
        for pair in &args.env {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Failure::usage("--env takes NAME=VALUE.").hint("For instance --env LEVEL=debug.")
            })?;
            env.insert(name.to_owned(), value.into());
        }
        set("env", Some(env.into()));
    }
    Ok(body)
}

/// What is at the path is for the caller to mend.
fn unreadable(error: lambda_core::Error) -> Failure {
    let failure = Failure::usage(error.to_string());
    match error.hint_text() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn insert_code(body: &mut Map<String, Value>, package: CodePackage) -> Result<()> {
    let (field, text) = match package.code {
        CodeSource::Inline(text) => ("code", text),
        CodeSource::Zip(bytes) => ("code_zip_base64", BASE64_STANDARD.encode(bytes)),
        CodeSource::ZipFile(_) => {
            return Err(Failure::new("An open file cannot be sent to the server."));
        }
    };
    body.insert(field.to_owned(), text.into());
    Ok(())
}

fn print(body: &Map<String, Value>) -> bytes::Bytes {
    json!(body).to_string().into()
}
