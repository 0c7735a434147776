//! The register of branches.

mod connection;
mod edit;
mod import;
mod look;
mod url;
mod values;

pub(super) use self::url::parse_url;
pub(super) use self::values::connection_message;
use clap::Subcommand;

use super::Context;
use super::failure::{Failure, Outcome};

/// What to do with the register.
#[derive(Debug, Subcommand)]
pub(crate) enum BranchCommand {
    /// Register a branch
    Add(edit::AddArgs),
    /// List branches
    List(look::ListArgs),
    /// Show one branch
    Show(look::ShowArgs),
    /// Change a branch
    Update(edit::UpdateArgs),
    /// Forget branches; their databases are never touched
    Remove(edit::RemoveArgs),
    /// Try a connection without changing anything
    Test(look::TestArgs),
    /// Register and change many branches at once, from a file
    Import(import::ImportArgs),
}

/// Does it.
pub(crate) async fn run(context: &Context, command: BranchCommand) -> Result<Outcome, Failure> {
    match command {
        BranchCommand::Add(args) => edit::add(context, args).await,
        BranchCommand::List(args) => look::list(context, args).await,
        BranchCommand::Show(args) => look::show(context, args).await,
        BranchCommand::Update(args) => edit::update(context, args).await,
        BranchCommand::Remove(args) => edit::remove(context, args).await,
        BranchCommand::Test(args) => look::test(context, args).await,
        BranchCommand::Import(args) => import::import(context, args).await,
    }
}
