//! Trying Branchkeeper out with one command: a service with branches made up on the spot, migrated before your eyes.
//!
//! The demo's service is the real one and the demo talks to it as any client does. It reads no configuration file and
//! has a folder of its own, made anew every time, so that it never touches a real fleet.

mod fleet;
mod folder;
mod servers;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::servers::Server;
use super::Context;
use super::args::up_to;
use super::client::{Client, QUICK, answer};
use super::credential::Credential;
use super::failure::{Failure, Outcome};
use super::fleet::{all_pages, print_status};
use super::output::text::count;
use super::output::{Style, notice};
use super::progress::{Origin, View, follow_until};
use super::serve::{PlaceArgs, config_failure, start_log, stop_on_signal};
use crate::config::{Config, LogLevel, load};
use crate::domain::Provider;
use crate::rpc::proto;

/// What `demo` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper demo
  branchkeeper demo --branches 200 --listen 127.0.0.1:0
  branchkeeper demo --providers 'postgres://keeper@127.0.0.1:5432?passwordref=env:PG_PASSWORD' \\
      'mysql://keeper@127.0.0.1:3306?passwordref=env:MYSQL_PASSWORD'

The branches take turns on SQLite and the servers of --providers. Each has a new database there, whose name begins with
branchkeeper_demo and a mark of this demo, so that nothing existing is touched; they stay when the demo ends. A name
behind the URL's last '/' takes the place of branchkeeper_demo.

Serves until Ctrl-C. Its files are in the folder 'demo' of the data folder, which is emptied at each start; no
configuration file is read, and nothing is migrated but what the demo itself migrates.")]
pub(crate) struct DemoArgs {
    /// How many branches to make up, 1 to 10000
    #[arg(long, value_name = "N", default_value = "8", value_parser = up_to(10_000))]
    branches: u32,
    /// Servers to show besides SQLite: postgres://, mysql://, mariadb:// or sqlserver:// URLs without a password,
    /// which '?passwordref=env:NAME' or '?passwordref=file:PATH' names
    #[arg(long, value_name = "URL", num_args = 1..)]
    providers: Vec<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// How many branches are registered at once.
const AT_ONCE: usize = 16;
/// How many branches the status table shows.
const SHOWN: usize = 20;

/// Runs the demo.
pub(crate) async fn run(context: &Context, args: &DemoArgs) -> Result<Outcome, Failure> {
    let servers = servers::read(&args.providers, &format!("{:06x}", rand::random::<u32>() & 0xff_ffff))?;
    let mut config = demo_config(&args.place)?;
    check_migrations(&config.migrations)?;
    check_port(config.server.listen)?;
    let folder = folder::fresh(&config.data.join("demo"))?;
    config.data = folder.path().to_owned();
    start_log(&config);

    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    let (ready, is_ready) = oneshot::channel();
    let service = tokio::spawn(crate::app::run(config, stop.clone(), ready));
    let shown = match is_ready.await {
        Ok(address) => show(context, args, &servers, address, &folder, &stop).await,
        // Why is what the service itself returns.
        Err(_) => Ok(Outcome::Done),
    };
    if let Err(failure) = &shown
        && !matches!(failure, Failure::Interrupted)
    {
        stop.cancel();
    }
    let served = service.await.context("the service ended abnormally")?;
    signals.abort();
    served?;
    match shown {
        // Ctrl-C is how a demo ends.
        Err(Failure::Interrupted) => Ok(Outcome::Done),
        shown => shown,
    }
}

fn demo_config(place: &PlaceArgs) -> Result<Config, Failure> {
    let short = ["BRANCHKEEPER_LISTEN", "BRANCHKEEPER_DATA", "BRANCHKEEPER_MIGRATIONS"];
    let variables = short.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let mut config = load(None, variables, &place.overrides()).map_err(|error| config_failure(&error))?;
    // The orchestrator would be done before anybody sees a bar.
    config.auto_migrate.enabled = false;
    // That it is not ready while it starts and stops is no news here.
    config.log.level = LogLevel::Error;
    Ok(config)
}

fn check_migrations(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    if !folder.is_dir() {
        let message = format!("there are no migrations to show: the folder {shown} does not exist");
        return Err(Failure::usage(message, "run the demo where branch_migrations is, or name one with --migrations"));
    }
    match crate::source::load(folder) {
        Ok(_) => Ok(()),
        Err(problems) => {
            let found = count(problems.0.len() as u64, "problem", "problems");
            let hint = format!("`branchkeeper check --migrations {shown}` lists them");
            Err(Failure::usage(format!("the migrations in {shown} cannot be used: {found}"), hint))
        }
    }
}

/// Before anything is touched: another demo, or a real service, may be running.
fn check_port(listen: SocketAddr) -> Result<(), Failure> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(Failure::Local(anyhow!(
            "{listen} is taken, perhaps by another branchkeeper; stop that one, or take a free port with \
             --listen 127.0.0.1:0"
        ))),
        Err(error) => Err(Failure::Local(anyhow!("cannot listen on {listen}: {error}"))),
    }
}

async fn show(
    context: &Context,
    args: &DemoArgs,
    servers: &[Server],
    address: SocketAddr,
    folder: &folder::Fresh,
    stop: &CancellationToken,
) -> Result<Outcome, Failure> {
    let credential = Credential::default();
    let context = Context { server: format!("http://{address}"), credential, printer: context.printer };
    let files = folder.path().display();
    notice(&format!("Branchkeeper serves on {address}. Its files are in {files}, made anew for each demo.\n"));
    let mut client = context.connect().await?;
    register(&client, args.branches, servers).await?;
    let branches = count(args.branches, "branch", "branches");
    notice(&format!("Registered {branches} on {}. Migrating all of them:\n", shown(args.branches, servers)));

    let request = proto::ApplyAllRequest { request_id: format!("demo-{}", uuid::Uuid::new_v4()), ..Default::default() };
    let mut view = View::new(context.printer);
    let result = follow_until(stop.cancelled(), &context, &client, Origin::Start(request), &mut view).await?;
    if !context.printer.is_json() {
        context.printer.line("")?;
        let status = all_pages(&mut client, proto::StatusRequest::default(), SHOWN).await?;
        print_status(&context, &status)?;
        context.printer.line(&what_next(&context, address))?;
    }
    notice("Serving until Ctrl-C.");
    stop.cancelled().await;
    notice("Stopping.");
    Ok(Outcome::of(result.success))
}

/// Where the branches live, and what could be shown besides.
fn shown(branches: u32, servers: &[Server]) -> String {
    let places = std::iter::once("SQLite".to_owned()).chain(servers.iter().map(Server::describe));
    let places: Vec<String> = places.take(branches as usize).collect();
    let absent = Provider::ALL.into_iter().filter(|provider| *provider != Provider::Sqlite);
    let absent = absent.filter(|provider| servers.iter().all(|server| server.provider != *provider));
    let absent: Vec<&str> = absent.map(servers::title).collect();
    let places = places.join(", ");
    if absent.is_empty() { places } else { format!("{places} (not on {}: see --providers)", absent.join(", ")) }
}

async fn register(client: &Client, branches: u32, servers: &[Server]) -> Result<(), Failure> {
    let create = |number| {
        let mut client = client.branches.clone();
        let request = proto::CreateBranchRequest { branch: Some(fleet::branch(number, servers)) };
        async move { answer(QUICK, client.create_branch(request)).await.map(drop) }
    };
    stream::iter((1..=branches).map(create)).buffer_unordered(AT_ONCE).try_collect().await
}

fn what_next(context: &Context, address: SocketAddr) -> String {
    let title = |text: &str| context.printer.paint(text, Style::Heading);
    let service = "branchkeeper.v1.MigrationService";
    let command = |text: &str| context.suggest(text);
    format!(
        "
{try_next}
  grpcurl -plaintext {address} list
  grpcurl -plaintext {address} {service}/Status
  grpcurl -plaintext {address} {service}/ApplyAll
  grpcurl -plaintext -d '{{\"branch\": \"BR001\"}}' {address} {service}/History

{or_with}
  {status}
  {history}
  {validate}
  {add}
  {up}
",
        try_next = title("Try next, in another terminal:"),
        or_with = title("Or with its own command line:"),
        status = command("status"),
        history = command("history BR001"),
        validate = command("validate BR001"),
        add = command("branch add NEW01 --provider sqlite --name 'A new one'"),
        up = command("up --all"),
    )
}
