//! API tokens.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::Context;
use super::client::{QUICK, answer};
use super::failure::{Failure, Outcome};
use super::output::text::{or_dash, time};
use super::output::{Cell, Column, Json, Style, Table, names, notice};
use super::serve::config_failure;
use crate::config::{Config, Overrides, parse_duration};
use crate::domain::Role;
use crate::rpc::proto;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once
    Create(CreateArgs),
    /// List tokens, newest first
    #[command(after_help = "\
Examples:
  branchkeeper token list
  branchkeeper token list --output json")]
    List,
    /// Revoke a token
    Revoke(RevokeArgs),
}

/// What `token create` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper token create deploy --role admin --data /var/lib/branchkeeper     the first one, without a service
  branchkeeper token create dashboard --role viewer --expires 90d
  branchkeeper --server unix:///run/branchkeeper.sock token create deploy --role admin

The token alone goes to standard output. It is not kept and cannot be shown again. With --data or --config the token is
made straight in head office; an embedded one must not be in use by a service then. The service accepts API tokens when
auth.tokens is set.")]
pub(crate) struct CreateArgs {
    /// Its name: letters, digits, '.', '_' and '-'
    #[arg(value_name = "NAME")]
    name: String,
    /// What its bearer may do
    #[arg(long, value_enum, value_name = "ROLE")]
    role: RoleArg,
    /// How long it is accepted, such as 90d; without it, until it is revoked
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    expires: Option<Duration>,
    /// Work on the head office in this data folder, without a service
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Work on the head office of this configuration, without a service
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A role, as a flag's value.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    /// HeadOfficeAdmin: everything
    Admin,
    /// HeadOfficeViewer: read only
    Viewer,
}

/// What `token revoke` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper token revoke deploy")]
pub(crate) struct RevokeArgs {
    /// Its name or id
    // Not called token, which is what everywhere stands for the caller's own.
    #[arg(value_name = "TOKEN")]
    which: String,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: TokenCommand) -> Result<Outcome, Failure> {
    match command {
        TokenCommand::Create(args) => create(context, args).await,
        TokenCommand::List => list(context).await,
        TokenCommand::Revoke(args) => revoke(context, args).await,
    }
}

async fn create(context: &Context, args: CreateArgs) -> Result<Outcome, Failure> {
    if args.data.is_some() || args.config.is_some() {
        return create_offline(context, args).await;
    }
    let role = match args.role {
        RoleArg::Admin => proto::Role::HeadOfficeAdmin,
        RoleArg::Viewer => proto::Role::HeadOfficeViewer,
    };
    let life = args.expires.map(|life| prost_types::Duration {
        seconds: i64::try_from(life.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(life.subsec_nanos()).unwrap_or_default(),
    });
    let request = proto::CreateTokenRequest { name: args.name, role: role.into(), life };
    let made = answer(QUICK, context.connect().await?.access.create_token(request)).await?;
    if context.printer.is_json() {
        context.printer.json(&Json(&made))?;
        return Ok(Outcome::Done);
    }
    context.printer.line(&made.secret)?;
    tell();
    Ok(Outcome::Done)
}

async fn create_offline(context: &Context, args: CreateArgs) -> Result<Outcome, Failure> {
    let overrides = Overrides { data: args.data, ..Overrides::default() };
    let config = Config::read(args.config.as_deref(), &overrides).map_err(|error| config_failure(&error))?;
    let role = match args.role {
        RoleArg::Admin => Role::Admin,
        RoleArg::Viewer => Role::Viewer,
    };
    let (token, secret) = crate::app::create_token(&config, &args.name, role, args.expires).await?;
    if context.printer.is_json() {
        let made = serde_json::json!({ "token": { "id": token.id, "name": token.name }, "secret": secret.expose() });
        context.printer.json(&made)?;
        return Ok(Outcome::Done);
    }
    context.printer.line(secret.expose())?;
    tell();
    Ok(Outcome::Done)
}

fn tell() {
    notice("This is the only time that the token is shown; keep it where only its user can read it.");
}

async fn list(context: &Context) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let mut tokens = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListTokensRequest { page_size: 1_000, page_token };
        let found = answer(QUICK, client.access.list_tokens(request)).await?;
        tokens.extend(found.tokens);
        page_token = found.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if context.printer.is_json() {
        context.printer.json(&Json(&proto::ListTokensResponse { tokens, next_page_token: String::new() }))?;
    } else if tokens.is_empty() {
        context.printer.line("No tokens.")?;
    } else {
        context.printer.table(&table(&tokens))?;
    }
    Ok(Outcome::Done)
}

fn table(tokens: &[proto::ApiToken]) -> Table {
    let mut table = Table::new([
        Column::new("NAME"),
        Column::new("ROLE"),
        Column::new("STATE"),
        Column::new("CREATED").optional(2),
        Column::new("BY").optional(1),
        Column::new("EXPIRES"),
        Column::new("LAST USED").optional(3),
    ]);
    let now = chrono::Utc::now().timestamp();
    for token in tokens {
        let expired = token.expire_time.is_some_and(|end| end.seconds <= now);
        let (state, style) = match (&token.revoke_time, expired) {
            (Some(_), _) => ("revoked", Style::Bad),
            (None, true) => ("expired", Style::Bad),
            (None, false) => ("valid", Style::Good),
        };
        let moment = |at: &Option<prost_types::Timestamp>| or_dash(&time(at.as_ref())).to_owned();
        table.row([
            Cell::from(token.name.as_str()),
            Cell::from(names::role(token.role)),
            Cell::styled(state, style),
            Cell::from(moment(&token.create_time)),
            Cell::from(token.created_by.as_str()),
            Cell::from(moment(&token.expire_time)),
            Cell::from(moment(&token.last_used_time)),
        ]);
    }
    table
}

async fn revoke(context: &Context, args: RevokeArgs) -> Result<Outcome, Failure> {
    let request = proto::RevokeTokenRequest { token: args.which };
    let revoked = answer(QUICK, context.connect().await?.access.revoke_token(request)).await?;
    if context.printer.is_json() {
        context.printer.json(&Json(&revoked))?;
    } else {
        let name = revoked.token.map(|token| token.name).unwrap_or_default();
        context.printer.line(&format!("Token {name} is revoked; other instances refuse it within 5 seconds."))?;
    }
    Ok(Outcome::Done)
}
