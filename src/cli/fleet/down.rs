use std::io::IsTerminal;

use super::super::Context;
use super::super::args::up_to;
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{count, duration, one_line};
use super::super::output::{Json, Style, error_lines};
use super::waiting::{or_interrupted, patiently};
use crate::domain::RequestId;
use crate::rpc::proto;
use crate::rpc::proto::rollback_request::Extent;

/// What `down` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper plan BR001 --down                   see what would run
  branchkeeper down BR001                          undo the migration that was applied last
  branchkeeper down BR001 --steps 3                the last three
  branchkeeper down BR001 --to 20251205143022      everything after that one, which stays applied

Refused before anything runs when one of the migrations cannot be undone. What was undone is not applied again unasked:
`up BR001` or `retry BR001` bring it back. Exit code 0 when all was undone, 1 when not.")]
pub(crate) struct DownArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
    /// Undo everything after this migration, named by id or number; it stays applied itself
    #[arg(long, value_name = "ID", conflicts_with = "steps")]
    to: Option<String>,
    /// Undo so many migrations, those applied last first [default: 1]
    #[arg(long, value_name = "N", value_parser = up_to(10_000))]
    steps: Option<u32>,
    /// Run statements that destroy something for good, such as DROP TABLE
    #[arg(long)]
    allow_data_loss: bool,
    /// Refuse if the plan has another digest by now; `plan CODE --down` shows it
    #[arg(long, value_name = "DIGEST", default_value = "", hide_default_value = true)]
    plan_digest: String,
    /// A name of your own for this request: sent again, it shows the same run instead of starting another
    #[arg(long, value_name = "TEXT")]
    request_id: Option<RequestId>,
    /// Do not ask before destroying something
    #[arg(long, short)]
    yes: bool,
}

/// Undoes migrations.
pub(crate) async fn down(context: &Context, args: DownArgs) -> Result<Outcome, Failure> {
    let asks = args.allow_data_loss && !args.yes && !context.printer.is_json() && std::io::stdin().is_terminal();
    if asks && !confirmed(&args.branch)? {
        return Err(Failure::usage("nothing was undone", "answer 'yes', or give --yes"));
    }
    let request_id = args
        .request_id
        .as_ref()
        .map_or_else(|| format!("cli-{}", uuid::Uuid::new_v4()), |request_id| request_id.as_str().to_owned());
    let extent = match (args.to, args.steps) {
        (Some(target), _) => Some(Extent::TargetMigration(target)),
        (None, steps) => steps.map(Extent::Steps),
    };
    let request = proto::RollbackRequest {
        branch: args.branch.clone(),
        allow_data_loss: args.allow_data_loss,
        request_id,
        plan_digest: args.plan_digest,
        extent,
    };
    let client = context.connect().await?;
    let call = || {
        let (mut migrations, request) = (client.migrations.clone(), request.clone());
        async move { migrations.rollback(request).await }
    };
    let answer = or_interrupted(context, patiently(call)).await?;
    let result = answer.result.clone().unwrap_or_default();
    if context.printer.is_json() {
        context.printer.json(&Json(&answer))?;
    } else {
        print(context, &args.branch, &result)?;
    }
    Ok(Outcome::of(result.success))
}

fn confirmed(branch: &str) -> Result<bool, Failure> {
    super::super::output::notice(&format!("This may destroy data of branch {branch} for good. Go on? Type 'yes':"));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

fn print(context: &Context, branch: &str, result: &proto::MigrationResult) -> std::io::Result<()> {
    let printer = context.printer;
    let undone = count(result.rolled_back_migrations.len() as u64, "migration", "migrations");
    for migration in &result.rolled_back_migrations {
        printer.line(&format!("  {}", one_line(migration)))?;
    }
    let (text, style) = match result.success {
        true => (format!("{undone} undone in {}", duration(result.duration.as_ref())), Style::Good),
        false => (format!("failed; {undone} undone"), Style::Bad),
    };
    printer.line(&format!("{branch}: {}", printer.paint(&text, style)))?;
    for line in result.errors.iter().flat_map(error_lines) {
        printer.line(&format!("    {line}"))?;
    }
    if !result.rolled_back_migrations.is_empty() {
        let again = context.suggest(&format!("up {branch}"));
        printer.line(&format!("They are not applied again unasked; `{again}` brings them back."))?;
    }
    Ok(())
}
