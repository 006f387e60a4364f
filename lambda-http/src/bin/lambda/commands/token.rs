//! `lambda token`

use std::process::ExitCode;
use std::sync::Arc;

use lambda_core::Store;
use lambda_core::model::{Token, TokenId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{
    Cli, ConfigArgs, ServerArgs, TokenCommand, TokenCreateArgs, TokenListArgs, TokenRevokeArgs,
    TokenStoreArgs,
};
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::terminal;

/// A token as the API shows it.
#[derive(Serialize, Deserialize)]
struct View {
    id: String,
    name: String,
    scopes: Vec<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl View {
    fn new(token: &Token, secret: Option<String>) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            created_at: token.created_at.to_string(),
            secret,
        }
    }
}

pub(crate) async fn run(cli: &Cli, command: &TokenCommand) -> Result<ExitCode> {
    match command {
        TokenCommand::Create(args) => create(cli, args).await,
        TokenCommand::List(args) => list(cli, args).await,
        TokenCommand::Revoke(args) => revoke(cli, args).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Where tokens are.
enum Place {
    Server(Box<Client>),
    Store(Arc<dyn Store>),
}

impl Place {
    async fn open(cli: &Cli, args: &TokenStoreArgs) -> Result<Self> {
        if let Some(url) = &args.url {
            let server = ServerArgs {
                url: url.clone(),
                ca_file: args.ca_file.clone(),
                token_file: args.token_file.clone(),
            };
            return Ok(Self::Server(Box::new(Client::new(cli, &server)?)));
        }
        let config = ConfigArgs {
            config: args.config.clone(),
            store: args.store.clone(),
            allowed_images: Vec::new(),
            allowed_networks: Vec::new(),
        };
        let config = Config::load(cli.data_dir.as_deref(), &config)?;
        if config.is_database_still_to_be_made() {
            return Err(Failure::new(format!(
                "There is no database in {} yet.",
                config.data_dir.display()
            ))
            .hint("Start `lambda serve` once, or name the store or the server: --store, --url."));
        }
        Ok(Self::Store(lambda_store::open(&config.store_url).await?))
    }

    async fn close(self) {
        if let Self::Store(store) = self {
            store.close().await;
        }
    }
}

async fn create(cli: &Cli, args: &TokenCreateArgs) -> Result<()> {
    let place = Place::open(cli, &args.place).await?;
    let made = match &place {
        Place::Server(client) => {
            let body = json!({ "name": args.name, "scopes": args.scopes });
            client
                .post("/tokens", body.to_string().into())
                .await?
                .parse()?
        }
        Place::Store(store) => {
            let (token, secret) = Token::create(&args.name, args.scopes.clone())?;
            store.token_create(token.clone()).await?;
            View::new(&token, Some(secret))
        }
    };
    place.close().await;
    if cli.json {
        return terminal::print(&print(&made)?);
    }
    // The secret alone, so that a script can take it: TOKEN=$(lambda token create ...).
    terminal::print(made.secret.as_deref().unwrap_or_default())?;
    terminal::note(&format!(
        "This is shown this once. Revoke it with `lambda token revoke {}`.",
        made.id
    ))
}

async fn list(cli: &Cli, args: &TokenListArgs) -> Result<()> {
    let place = Place::open(cli, &args.place).await?;
    let tokens: Vec<View> = match &place {
        Place::Server(client) => client.get("/tokens").await?.parse()?,
        Place::Store(store) => {
            let tokens = store.token_list().await?;
            tokens.iter().map(|token| View::new(token, None)).collect()
        }
    };
    place.close().await;
    if cli.json {
        return terminal::print(&print(&tokens)?);
    }
    let rows: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let created: String = token.created_at.chars().take(16).collect();
            vec![
                token.id,
                terminal::visible(&token.name).into_owned(),
                token.scopes.join(", "),
                created.replace('T', " "),
            ]
        })
        .collect();
    terminal::print(&terminal::table(
        &["ID", "NAME", "SCOPES", "CREATED"],
        &rows,
    ))
}

async fn revoke(cli: &Cli, args: &TokenRevokeArgs) -> Result<()> {
    let place = Place::open(cli, &args.place).await?;
    for id in &args.ids {
        revoke_one(&place, *id).await?;
        if !cli.json {
            terminal::print(&format!("Revoked {id}."))?;
        }
    }
    place.close().await;
    if cli.json {
        return terminal::print(&print(&json!({ "revoked": args.ids }))?);
    }
    Ok(())
}

async fn revoke_one(place: &Place, id: TokenId) -> Result<()> {
    match place {
        Place::Server(client) => {
            client.delete(&format!("/tokens/{id}")).await?;
        }
        Place::Store(store) => store.token_delete(id).await?,
    }
    Ok(())
}

fn print(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Failure::new(format!("The answer cannot be printed: {error}.")))
}
