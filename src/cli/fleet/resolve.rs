use super::super::Context;
use super::super::client::{PATIENT, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::Json;
use super::overview::status_table;
use crate::rpc::proto;

/// What `resolve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper resolve BR001 --applied
  branchkeeper resolve BR001 --not-applied

For a branch whose error names a statement of unknown outcome. Look in the branch's database whether that statement took
effect; the orchestrator, or `up BR001`, then goes on after it or runs it again.")]
#[command(group(clap::ArgGroup::new("outcome").required(true).args(["applied", "not_applied"])))]
pub(crate) struct ResolveArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
    /// The statement took effect: it counts as done
    #[arg(long)]
    applied: bool,
    /// It did not: it is run again
    #[arg(long)]
    not_applied: bool,
    /// The migration that the error names; refused if the branch stands at another one
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    migration: String,
}

/// Says what became of a statement.
pub(crate) async fn resolve(context: &Context, args: ResolveArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let applied = args.applied && !args.not_applied;
    let request = proto::ResolveRequest { branch: args.branch, migration_id: args.migration, applied: Some(applied) };
    let status = answer(PATIENT, client.migrations.resolve(request)).await?.status.unwrap_or_default();
    if context.printer.is_json() {
        context.printer.json(&Json(&status))?;
    } else {
        context.printer.table(&status_table(std::slice::from_ref(&status), chrono::Utc::now()))?;
    }
    Ok(Outcome::Done)
}
