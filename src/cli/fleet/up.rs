use super::super::Context;
use super::super::args::{label_map, parse_label, provider_parser, provider_value, up_to};
use super::super::client::Client;
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{count, duration};
use super::super::output::{Json, Style, error_lines, notice};
use super::super::progress::{Origin, View, follow};
use super::waiting::{or_interrupted, patiently};
use crate::domain::{Provider, RequestId};
use crate::rpc::proto;

/// What `up` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper up BR001                              one branch, even an inactive one
  branchkeeper up BR001 BR002 --to 20251205143022    two, up to a migration
  branchkeeper up --all                              every active branch
  branchkeeper up --all --label region=south --parallel 8 --stop-on-error

The run belongs to the service: Ctrl-C only stops watching it. Exit code 0 when every branch succeeded, 1 when not.
With --output json one branch gives one document, several give one event a line.")]
pub(crate) struct UpArgs {
    /// The branches, by code or id
    #[arg(value_name = "CODE", required_unless_present = "all", conflicts_with = "all")]
    branches: Vec<String>,
    /// Every active branch
    #[arg(long)]
    all: bool,
    /// Stop after this migration, named by id or number
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// How many branches to work on at once, 1 to 1000 [default: as the service is configured]
    #[arg(long, value_name = "N", value_parser = up_to(1_000))]
    parallel: Option<u32>,
    /// Only branches with this label; may be given again, then all have to match
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label, conflicts_with = "branches")]
    labels: Vec<(String, String)>,
    /// Only branches on this provider; may be given again
    #[arg(long = "provider", value_name = "PROVIDER", value_parser = provider_parser(), conflicts_with = "branches")]
    providers: Vec<Provider>,
    /// Begin no further branch once one has failed
    #[arg(long)]
    stop_on_error: bool,
    /// A name of your own for this request: sent again, it shows the same run instead of starting another
    #[arg(long, value_name = "TEXT")]
    request_id: Option<RequestId>,
    /// Run everything and take it back; one branch only
    #[arg(long, conflicts_with_all = ["all", "plan_digest"])]
    dry_run: bool,
    /// Refuse if the plan has another digest by now; `plan CODE` shows it; one branch only
    #[arg(long, value_name = "DIGEST", default_value = "", hide_default_value = true, conflicts_with = "all")]
    plan_digest: String,
    /// Show every statement; with --all or several branches
    #[arg(long)]
    statements: bool,
}

/// Applies pending migrations.
pub(crate) async fn up(context: &Context, args: UpArgs) -> Result<Outcome, Failure> {
    // Without a name of its own, a request that is sent again after a broken connection would start a second run.
    let request_id = args
        .request_id
        .as_ref()
        .map_or_else(|| format!("cli-{}", uuid::Uuid::new_v4()), |request_id| request_id.as_str().to_owned());
    match args.branches.as_slice() {
        [branch] if args.statements => Err(Failure::usage(
            format!("--statements is for several branches, and only {branch} is named"),
            "leave it out, or use it with --all",
        )),
        [branch] => {
            let request = proto::ApplyRequest {
                branch: branch.clone(),
                target_migration: args.to.unwrap_or_default(),
                transaction_mode: 0,
                request_id,
                dry_run: args.dry_run,
                plan_digest: args.plan_digest,
            };
            one(context, &context.connect().await?, request).await
        }
        _ if args.dry_run || !args.plan_digest.is_empty() => Err(Failure::usage(
            "--dry-run and --plan-digest are for a single branch",
            "name one branch, or leave them out",
        )),
        _ => {
            let request = proto::ApplyAllRequest {
                labels: label_map(&args.labels)?,
                providers: args.providers.into_iter().map(|each| provider_value(each).into()).collect(),
                branches: args.branches,
                target_migration: args.to.unwrap_or_default(),
                max_parallel: args.parallel.unwrap_or_default(),
                stop_on_error: args.stop_on_error,
                include_statements: args.statements,
                request_id,
            };
            many(context, &context.connect().await?, request).await
        }
    }
}

/// Migrates several branches and shows how it goes.
pub(crate) async fn many(
    context: &Context,
    client: &Client,
    request: proto::ApplyAllRequest,
) -> Result<Outcome, Failure> {
    let named = request.branches.len() as u64;
    let mut view = View::new(context.printer);
    let result = follow(context, client, Origin::Start(request), &mut view).await?;
    let covered = u64::from(result.branches_processed) + u64::from(result.branches_skipped);
    if covered < named {
        let left_out = count(named - covered, "branch is", "branches are");
        notice(&format!(
            "{left_out} inactive or named twice and was left out; `up` works on an inactive one by itself"
        ));
    }
    if covered == 0 && named == 0 {
        notice("No active branch was selected; `branchkeeper branch list` shows which there are.");
    }
    Ok(Outcome::of(result.success))
}

async fn one(context: &Context, client: &Client, request: proto::ApplyRequest) -> Result<Outcome, Failure> {
    let branch = request.branch.clone();
    let call = || {
        let (mut migrations, request) = (client.migrations.clone(), request.clone());
        async move { migrations.apply(request).await }
    };
    let answer = or_interrupted(context, patiently(call)).await?;
    let result = answer.result.clone().unwrap_or_default();
    if context.printer.is_json() {
        context.printer.json(&Json(&answer))?;
    } else {
        print_one(context, &branch, &result)?;
    }
    Ok(Outcome::of(result.success))
}

fn print_one(context: &Context, branch: &str, result: &proto::MigrationResult) -> std::io::Result<()> {
    let printer = context.printer;
    let applied = result.applied_migrations.len() as u64;
    let took = duration(result.duration.as_ref());
    for migration in &result.applied_migrations {
        printer.line(&format!("  {}", super::super::output::text::one_line(migration)))?;
    }
    let (text, style) = match (result.success, applied) {
        (true, 0) => ("up to date".to_owned(), Style::Good),
        (true, _) => (format!("{} applied in {took}", count(applied, "migration", "migrations")), Style::Good),
        (false, _) => (format!("failed; {} applied", count(applied, "migration", "migrations")), Style::Bad),
    };
    printer.line(&format!("{branch}: {}", printer.paint(&text, style)))?;
    for line in result.errors.iter().flat_map(error_lines) {
        printer.line(&format!("    {line}"))?;
    }
    Ok(())
}
