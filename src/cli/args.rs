use std::collections::HashMap;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use super::branch::BranchCommand;
use super::client::DEFAULT_SERVER;
use super::credential::Credential;
use super::failure::Failure;
use super::notify::NotifyCommand;
use super::output::Format;
use super::{access, audit, demo, fleet, folder, probe, rekey, serve};
use crate::domain::Provider;
use crate::rpc::proto;

/// Keeps the schema of a whole fleet of branch databases in step.
#[derive(Debug, Parser)]
#[command(name = "branchkeeper", version, after_help = EXAMPLES, propagate_version = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  branchkeeper demo                                 see it at work
  branchkeeper serve                                run the service
  branchkeeper branch add BR001 --provider sqlite   register a branch
  branchkeeper up --all                             migrate every active branch
  branchkeeper status                               see where they stand

Exit codes:
  0    done
  1    the run ended with failures, the schema or folder is invalid, or something
       on this machine went wrong
  2    wrong usage
  3    the service could not be reached, or refused the request
  130  interrupted";

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The service to talk to
    #[arg(long, global = true, value_name = "URL", env = "BRANCHKEEPER_SERVER", default_value = DEFAULT_SERVER)]
    #[arg(hide_env_values = true)]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) credential: Credential,
    /// How to write the answer
    ///
    /// JSON has the names of the contract's fields (proto/branchkeeper/v1), and every field is always there: timestamps
    /// are RFC 3339 text in UTC, durations numbers of seconds, enumeration values their names ('Completed',
    /// 'postgres'), what is not set is null. Streams of events are one object a line.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// No colours; NO_COLOR does the same
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service
    Serve(serve::ServeArgs),
    /// Try it out: a service with sample branches, migrated before your eyes
    Demo(demo::DemoArgs),
    /// Register branches and look at the register
    #[command(subcommand)]
    Branch(Box<BranchCommand>),
    /// Apply pending migrations
    Up(fleet::UpArgs),
    /// Undo the migrations of a branch that were applied last
    Down(fleet::DownArgs),
    /// Show exactly what `up` or `down` would run
    Plan(fleet::PlanArgs),
    /// Show where the branches stand
    Status(fleet::StatusArgs),
    /// Show the migrations that a branch lacks
    Pending(fleet::PendingArgs),
    /// Show the migrations that a branch's ledger records
    History(fleet::HistoryArgs),
    /// Compare a branch's ledger and tables with the catalogue
    Validate(fleet::ValidateArgs),
    /// Forget a branch's failures and try it again now
    Retry(fleet::RetryArgs),
    /// Say what became of a statement whose outcome is unknown
    Resolve(fleet::ResolveArgs),
    /// List runs, newest first
    Runs(fleet::RunsArgs),
    /// Follow a run, from its beginning or from an event
    Watch(fleet::WatchArgs),
    /// Stop a run
    Cancel(fleet::CancelArgs),
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(access::TokenCommand),
    /// Encrypt all stored passwords with the current key
    Rekey(rekey::RekeyArgs),
    /// Show who did what, and verify that record
    Audit(audit::AuditArgs),
    /// Begin a new migration: writes its up and down files
    New(folder::NewArgs),
    /// Read the migrations folder and report every problem in it; needs no service
    Check(folder::CheckArgs),
    /// Try out who is told of things, and look at what became of it
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Ask whether the service is well; for probes
    Health(probe::HealthArgs),
    /// Print completions for a shell
    Completions(probe::CompletionsArgs),
}

/// The providers, as a flag's values.
pub(crate) fn provider_parser() -> impl TypedValueParser<Value = Provider> {
    let names = Provider::ALL.map(Provider::as_str);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Provider>())
}

/// The contract's value for a provider.
pub(crate) fn provider_value(provider: Provider) -> proto::Provider {
    match provider {
        Provider::Sqlite => proto::Provider::Sqlite,
        Provider::SqlServer => proto::Provider::Sqlserver,
        Provider::Postgres => proto::Provider::Postgres,
        Provider::MySql => proto::Provider::Mysql,
    }
}

/// Reads `key=value`.
pub(crate) fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write a label as KEY=VALUE".into()),
    }
}

/// Labels as the contract has them; a key may be given once.
pub(crate) fn label_map(pairs: &[(String, String)]) -> Result<HashMap<String, String>, Failure> {
    let mut labels = HashMap::new();
    for (key, value) in pairs {
        if labels.insert(key.clone(), value.clone()).is_some_and(|earlier| earlier != *value) {
            return Err(Failure::usage(format!("the label '{key}' is given twice"), "give each key once"));
        }
    }
    Ok(labels)
}

/// The value parser of a flag that counts things: `1..=most`.
pub(crate) fn up_to(most: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(most))
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
