use super::super::Context;
use super::super::args::up_to;
use super::super::client::{QUICK, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{one_line, or_dash, time};
use super::super::output::{Cell, Column, Json, Table, names};
use super::super::progress::{Origin, View, follow};
use crate::domain::RunId;
use crate::rpc::proto;

/// What `runs` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper runs
  branchkeeper runs --state failed --limit 5
  branchkeeper runs --output json")]
pub(crate) struct RunsArgs {
    /// Only runs in this state; may be given again
    #[arg(long = "state", value_enum, value_name = "STATE")]
    states: Vec<State>,
    /// The most runs to show, 1 to 1000
    #[arg(long, value_name = "N", default_value = "20", value_parser = up_to(1_000))]
    limit: u32,
}

/// Where a run stands, as a flag's value.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl State {
    fn value(self) -> proto::RunState {
        match self {
            Self::Queued => proto::RunState::Queued,
            Self::Running => proto::RunState::Running,
            Self::Succeeded => proto::RunState::Succeeded,
            Self::Failed => proto::RunState::Failed,
            Self::Cancelled => proto::RunState::Cancelled,
        }
    }
}

/// Lists runs.
pub(crate) async fn runs(context: &Context, args: RunsArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::ListRunsRequest {
        page_size: args.limit,
        page_token: String::new(),
        states: args.states.iter().map(|state| state.value().into()).collect(),
    };
    let found = answer(QUICK, client.migrations.list_runs(request)).await?;
    if context.printer.is_json() {
        context.printer.json(&Json(&found))?;
        return Ok(Outcome::Done);
    }
    if found.runs.is_empty() {
        context.printer.line("No runs.")?;
        return Ok(Outcome::Done);
    }
    context.printer.table(&runs_table(&found.runs))?;
    if !found.next_page_token.is_empty() {
        context.printer.line(&format!("The newest {}; --limit shows more.", args.limit))?;
    }
    Ok(Outcome::Done)
}

fn runs_table(runs: &[proto::Run]) -> Table {
    let mut table = Table::new([
        Column::new("RUN"),
        Column::new("KIND"),
        Column::new("STATE"),
        Column::new("CREATED").optional(2),
        Column::new("TOOK").right(),
        Column::new("BRANCHES").right(),
        Column::new("FAILED").right(),
        Column::new("BY").flexible(6).optional(1),
    ]);
    for run in runs {
        let result = run.result.as_ref();
        table.row([
            Cell::from(&run.id),
            Cell::from(names::run_kind(run.kind)),
            Cell::styled(names::run_state(run.state), names::run_state_style(run.state)),
            time(run.create_time.as_ref()).into(),
            or_dash(&super::super::output::text::duration(result.and_then(|result| result.duration.as_ref()))).into(),
            run.branches_total.to_string().into(),
            result.map_or_else(|| "-".into(), |result| result.branches_failed.to_string()).into(),
            or_dash(&run.requested_by).into(),
        ]);
    }
    table
}

/// What `watch` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper watch 0198c2f4-7a31-7c1e-9f42-0d1c2b3a4e5f
  branchkeeper watch 0198c2f4-7a31-7c1e-9f42-0d1c2b3a4e5f --after 120 --output json

Exit code 0 when the run ended well, 1 when it ended with failures or was cancelled.")]
pub(crate) struct WatchArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Leave out the events up to this one
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
    /// Show every statement, if the run recorded them
    #[arg(long)]
    statements: bool,
}

/// Follows a run.
pub(crate) async fn watch(context: &Context, args: WatchArgs) -> Result<Outcome, Failure> {
    let client = context.connect().await?;
    let request = proto::WatchRunRequest {
        run_id: args.run.to_string(),
        after_sequence: args.after,
        include_statements: args.statements,
    };
    let mut view = View::new(context.printer);
    let result = follow(context, &client, Origin::Watch(request), &mut view).await?;
    Ok(Outcome::of(result.success))
}

/// What `cancel` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper cancel 0198c2f4-7a31-7c1e-9f42-0d1c2b3a4e5f

Branches that are being worked on stop and are rolled back where that is possible; no further one is begun.")]
pub(crate) struct CancelArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: RunId,
}

/// Stops a run.
pub(crate) async fn cancel(context: &Context, args: CancelArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::CancelRunRequest { run_id: args.run.to_string() };
    let run = answer(QUICK, client.migrations.cancel_run(request)).await?.run.unwrap_or_default();
    if context.printer.is_json() {
        context.printer.json(&Json(&run))?;
    } else {
        let state = context.printer.paint(&names::run_state(run.state), names::run_state_style(run.state));
        context.printer.line(&format!("Run {} is told to stop; it is {state} now.", one_line(&run.id)))?;
    }
    Ok(Outcome::Done)
}
