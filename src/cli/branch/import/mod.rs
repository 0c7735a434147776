//! Registering and changing many branches at once, from a file that says how the register should be.

mod file;
mod plan;
mod report;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use super::super::Context;
use super::super::client::{Client, QUICK, answer_in_turn};
use super::super::failure::{Failure, Outcome, describe};
use super::super::output::notice;
use super::super::output::text::{count, one_line};
use super::look::all_branches;
use crate::rpc::proto;
use plan::{Plan, Update};
use report::Report;

/// What `branch import` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper branch import fleet.yaml --dry-run
  branchkeeper branch import fleet.yaml
  branchkeeper branch import fleet.yaml --prune

The file is a list of branches; '-' reads it from standard input:

  - code: BR001
    name: Old Town
    provider: sqlite
    labels: { region: south }
  - code: BR002
    provider: postgres
    connection:
      server: { host: db, database: br002, username: keeper, password_ref: env:BR002_PASSWORD }
  - code: BR003
    provider: postgres
    url: postgres://keeper@db:5432/br003
    password_ref: file:/run/secrets/br003
    is_active: false

Branches that are missing are registered, those that differ are changed; what the file does not say about a branch is
left as it is, but a connection is always taken as a whole. The whole file is checked before anything is changed, so it can be imported again at any time.")]
pub(crate) struct ImportArgs {
    /// The file, at most 16 MiB and 20,000 branches
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also forget the branches that the file does not name; asks first. Their databases are never touched
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
}

/// Makes the register as the file says.
pub(super) async fn import(context: &Context, args: ImportArgs) -> Result<Outcome, Failure> {
    let name = args.file.display().to_string();
    let text = file::read(&args.file).map_err(|message| Failure::usage(format!("{name}: {message}"), ""))?;
    let wanted = file::parse(&text).map_err(|problems| refused(&name, &problems))?;
    let mut client = context.connect().await?;
    let existing = all_branches(&mut client, proto::ListBranchesRequest::default(), usize::MAX).await?.branches;
    let plan = plan::plan(wanted, &existing, args.prune).map_err(|problems| refused(&name, &problems))?;
    let mut report = Report::new(context.printer, args.dry_run);
    if args.dry_run {
        report.would(&plan)?;
    } else {
        if !plan.removals.is_empty() && !args.yes && !confirmed(&plan.removals)? {
            notice("Nothing was changed.");
            return Ok(Outcome::BadNews);
        }
        carry_out(&client, &plan, &mut report).await?;
    }
    report.finish(&plan)?;
    Ok(if report.is_refused() { Outcome::Refused } else { Outcome::Done })
}

/// Removals come first: what they leave may be what another branch is to take.
async fn carry_out(client: &Client, plan: &Plan, report: &mut Report) -> Result<(), Failure> {
    for code in &plan.removals {
        let request = proto::DeleteBranchRequest { branch: code.clone() };
        let call = || {
            let (mut branches, request) = (client.branches.clone(), request.clone());
            async move { branches.delete_branch(request).await }
        };
        let result = answer_in_turn(QUICK, call).await;
        report.removed(code, passed(result)?)?;
    }
    for branch in &plan.creations {
        let request = proto::CreateBranchRequest { branch: Some(branch.clone()) };
        let call = || {
            let (mut branches, request) = (client.branches.clone(), request.clone());
            async move { branches.create_branch(request).await }
        };
        let result = answer_in_turn(QUICK, call).await;
        report.created(&branch.code, passed(result)?)?;
    }
    for Update { branch, value, fields } in &plan.updates {
        let request = proto::UpdateBranchRequest {
            branch: branch.clone(),
            value: Some(value.clone()),
            update_mask: Some(prost_types::FieldMask { paths: fields.iter().map(|each| (*each).to_owned()).collect() }),
        };
        let call = || {
            let (mut branches, request) = (client.branches.clone(), request.clone());
            async move { branches.update_branch(request).await }
        };
        let result = answer_in_turn(QUICK, call).await;
        report.updated(&value.code, fields, passed(result)?)?;
    }
    Ok(())
}

/// One branch's refusal does not stop the others; a service that is gone does.
fn passed<T>(result: Result<T, Failure>) -> Result<Result<(), String>, Failure> {
    match result {
        Ok(_) => Ok(Ok(())),
        Err(Failure::Refused(status)) if status.code() != tonic::Code::Unavailable => Ok(Err(describe(&status))),
        Err(failure) => Err(failure),
    }
}

fn refused(name: &str, problems: &[file::Problem]) -> Failure {
    const SHOWN: usize = 50;
    let line = |problem: &file::Problem| format!("\n  {name}:{}: {}", problem.line, problem.message);
    let mut lines: String = problems.iter().take(SHOWN).map(line).collect();
    if problems.len() > SHOWN {
        lines.push_str(&format!("\n  and {} more", problems.len() - SHOWN));
    }
    let found = count(problems.len() as u64, "problem", "problems");
    Failure::usage(
        format!("{name} has {found}, and nothing was changed{lines}"),
        "`branchkeeper branch import --help` shows what the file looks like",
    )
}

/// Lists what is to be forgotten and asks whether to go on.
fn confirmed(removals: &[String]) -> Result<bool, Failure> {
    const SHOWN: usize = 100;
    let branches = count(removals.len() as u64, "branch is", "branches are");
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = format!("{branches} not in the file and would be forgotten, and there is nobody to ask");
        return Err(Failure::usage(message, "look with --dry-run, then say --yes; nothing was changed"));
    }
    notice(&format!("{branches} not in the file:"));
    for code in removals.iter().take(SHOWN) {
        notice(&format!("  {}", one_line(code)));
    }
    if removals.len() > SHOWN {
        notice(&format!("  and {} more", removals.len() - SHOWN));
    }
    let mut out = io::stderr().lock();
    write!(out, "Forget them (their databases stay as they are) and import the file? [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
