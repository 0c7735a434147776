use super::super::Context;
use super::super::client::{PATIENT, QUICK, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{count, duration, one_line, or_dash, time};
use super::super::output::{Cell, Column, Json, Style, Table, names};
use super::overview::status_table;
use crate::rpc::proto;

/// What `pending` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  branchkeeper pending BR001\n  branchkeeper pending BR001 --output json")]
pub(crate) struct PendingArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
}

/// Shows what a branch lacks.
pub(crate) async fn pending(context: &Context, args: PendingArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::PendingRequest { branch: args.branch };
    let found = answer(PATIENT, client.migrations.pending(request)).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Json(&found))?;
        return Ok(Outcome::Done);
    }
    let code = one_line(&found.branch_code);
    if found.pending_migrations.is_empty() {
        printer.line(&format!("{code}: {}", printer.paint("nothing is pending", Style::Good)))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new([
        Column::new("MIGRATION").flexible(24),
        Column::new("DESCRIPTION").flexible(12).if_any(),
        Column::new("MODE").if_any(),
        Column::new("DOWN FILE").optional(1),
    ]);
    for migration in &found.pending_migrations {
        let mode = names::transaction_mode(migration.transaction_mode);
        table.row([
            Cell::from(&migration.id),
            Cell::from(&migration.description),
            mode.into(),
            if migration.reversible { "yes" } else { "no" }.into(),
        ]);
    }
    printer.table(&table)?;
    printer.line(&format!("{code}: {} pending", count(found.count, "migration", "migrations")))?;
    Ok(Outcome::Done)
}

/// What `history` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  branchkeeper history BR001\n  branchkeeper history BR001 --output json")]
pub(crate) struct HistoryArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
}

/// Shows what a branch's ledger records.
pub(crate) async fn history(context: &Context, args: HistoryArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::HistoryRequest { branch: args.branch };
    let found = answer(PATIENT, client.migrations.history(request)).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Json(&found))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new([
        Column::new("MIGRATION").flexible(24),
        Column::new("APPLIED"),
        Column::new("TOOK").right(),
        Column::new("VERSION"),
        Column::new("CHECKSUM").optional(1),
    ]);
    for applied in &found.applied_migrations {
        table.row([
            Cell::from(&applied.id),
            time(applied.applied_time.as_ref()).into(),
            duration(applied.duration.as_ref()).into(),
            or_dash(&applied.product_version).into(),
            Cell::styled(applied.checksum.chars().take(12).collect::<String>(), Style::Faint),
        ]);
    }
    for id in &found.pending_migrations {
        table.row([Cell::from(id), Cell::styled("pending", Style::Busy)]);
    }
    if !table.is_empty() {
        printer.table(&table)?;
    }
    if let Some(hold) = &found.hold {
        let undone = hold.migrations.iter().map(|id| one_line(id)).collect::<Vec<_>>().join(", ");
        let again = context.suggest(&format!("up {}", one_line(&found.branch_code)));
        let since = time(hold.since_time.as_ref());
        printer
            .line(&format!("undone at {since} and not applied again unasked: {undone}; `{again}` brings it back"))?;
    }
    let status = printer.paint(&names::status(found.status), names::status_style(found.status));
    let retries = match found.retry_count {
        0 => String::new(),
        failures => format!(", {} in a row", count(failures, "failure", "failures")),
    };
    printer.line(&format!("{}: {status}{retries}", one_line(&found.branch_code)))?;
    if !found.error_details.is_empty() {
        // It begins with the branch's code, which has just been said.
        let details = found.error_details.strip_prefix(&format!("{}: ", found.branch_code));
        printer.line(&format!("    {}", one_line(details.unwrap_or(&found.error_details))))?;
    }
    Ok(Outcome::Done)
}

/// What `validate` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper validate BR001

Exit code 0 when the schema is valid, 1 when it is not.")]
pub(crate) struct ValidateArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
}

/// Compares a branch with the catalogue.
pub(crate) async fn validate(context: &Context, args: ValidateArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::ValidateRequest { branch: args.branch };
    let found = answer(PATIENT, client.migrations.validate(request)).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Json(&found))?;
        return Ok(Outcome::of(found.is_valid));
    }
    // Not a table: the messages say what to do, and are of no use when cut.
    for finding in &found.findings {
        let severity = names::severity(finding.severity).to_ascii_lowercase();
        let style = if severity == "error" { Style::Bad } else { Style::Busy };
        let kind = one_line(&finding.kind);
        printer.line(&format!("{} {kind}: {}", printer.paint(&severity, style), one_line(&finding.message)))?;
    }
    let style = if found.is_valid { Style::Good } else { Style::Bad };
    printer.line(&format!("{}: {}", one_line(&found.branch_code), printer.paint(&found.status, style)))?;
    Ok(Outcome::of(found.is_valid))
}

/// What `retry` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper retry BR001

The branch's failures are forgotten and the orchestrator takes it up at once; `up BR001` does it here and now.")]
pub(crate) struct RetryArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
}

/// Makes a branch due again.
pub(crate) async fn retry(context: &Context, args: RetryArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::RetryRequest { branch: args.branch };
    let status = answer(QUICK, client.migrations.retry(request)).await?.status.unwrap_or_default();
    if context.printer.is_json() {
        context.printer.json(&Json(&status))?;
    } else {
        context.printer.table(&status_table(std::slice::from_ref(&status), chrono::Utc::now()))?;
    }
    Ok(Outcome::Done)
}
