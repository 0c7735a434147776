use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::super::Context;
use super::super::args::{label_map, parse_label, provider_parser, provider_value};
use super::super::client::{Client, QUICK, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{ago, count, or_dash};
use super::super::output::{Cell, Column, Json, Style, Table, names};
use crate::domain::{MigrationStatus, Provider};
use crate::rpc::proto;

/// The largest page that the service gives.
const PAGE: u32 = 1_000;

/// What `status` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper status
  branchkeeper status --status failed --status requires-manual-intervention
  branchkeeper status --label region=south --limit 20 --output json

Shows what the service last observed; `history CODE` reads a branch's own ledger.")]
pub(crate) struct StatusArgs {
    /// Only branches in this status; may be given again
    #[arg(long = "status", value_enum, value_name = "STATUS")]
    statuses: Vec<StatusFlag>,
    /// Only branches with this label; may be given again, then all have to match
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Only branches on this provider; may be given again
    #[arg(long = "provider", value_name = "PROVIDER", value_parser = provider_parser())]
    providers: Vec<Provider>,
    /// The most branches to show [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// A status, as a flag's value.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StatusFlag {
    Pending,
    InProgress,
    Completed,
    Failed,
    RequiresManualIntervention,
}

impl StatusFlag {
    fn value(self) -> proto::MigrationStatus {
        match self {
            Self::Pending => proto::MigrationStatus::Pending,
            Self::InProgress => proto::MigrationStatus::InProgress,
            Self::Completed => proto::MigrationStatus::Completed,
            Self::Failed => proto::MigrationStatus::Failed,
            Self::RequiresManualIntervention => proto::MigrationStatus::RequiresManualIntervention,
        }
    }
}

/// Shows where branches stand.
pub(crate) async fn status(context: &Context, args: StatusArgs) -> Result<Outcome, Failure> {
    let request = proto::StatusRequest {
        page_size: 0,
        page_token: String::new(),
        statuses: args.statuses.iter().map(|status| status.value().into()).collect(),
        labels: label_map(&args.labels)?,
        providers: args.providers.iter().map(|provider| provider_value(*provider).into()).collect(),
    };
    let mut client = context.connect().await?;
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let found = all_pages(&mut client, request, limit).await?;
    print_status(context, &found)?;
    Ok(Outcome::Done)
}

/// Prints branches and totals.
pub(crate) fn print_status(context: &Context, found: &proto::StatusResponse) -> std::io::Result<()> {
    let printer = context.printer;
    if printer.is_json() {
        return printer.json(&Json(found));
    }
    if found.branches.is_empty() {
        printer.line("No branches.")?;
    } else {
        printer.table(&status_table(&found.branches, Utc::now()))?;
    }
    if !found.next_page_token.is_empty() {
        printer.line(&format!("The first {}; --limit shows more.", found.branches.len()))?;
    }
    printer.line(&totals_line(found.total_branches, &found.totals))
}

/// Reads pages until there are `limit` branches or no more; `next_page_token` then says whether there would be.
pub(crate) async fn all_pages(
    client: &mut Client,
    mut request: proto::StatusRequest,
    limit: usize,
) -> Result<proto::StatusResponse, Failure> {
    let mut found = proto::StatusResponse::default();
    loop {
        let missing = limit - found.branches.len();
        request.page_size = PAGE.min(u32::try_from(missing).unwrap_or(PAGE));
        let page = answer(QUICK, client.migrations.status(request.clone())).await?;
        let is_last = page.next_page_token.is_empty() || page.branches.is_empty();
        let branches = std::mem::take(&mut found.branches);
        found = page;
        let mut all = branches;
        all.append(&mut found.branches);
        all.truncate(limit);
        found.branches = all;
        if is_last || found.branches.len() >= limit {
            return Ok(found);
        }
        request.page_token.clone_from(&found.next_page_token);
    }
}

/// Branches and where they stand at `now`.
pub(crate) fn status_table(branches: &[proto::BranchStatus], now: DateTime<Utc>) -> Table {
    let mut table = Table::new([
        Column::new("CODE"),
        Column::new("NAME").flexible(8).optional(3).if_any(),
        Column::new("PROVIDER").optional(1),
        Column::new("STATUS"),
        Column::new("LAST MIGRATION").flexible(16),
        Column::new("PENDING").right(),
        Column::new("FAILURES").right().optional(2).if_any(),
        Column::new("ATTEMPTED").optional(4),
        Column::new("ERROR").flexible(12).if_any(),
    ]);
    for branch in branches {
        let (shown, style) = match branch.is_active {
            true if branch.hold.is_some() => (format!("{} (held)", names::status(branch.status)), Style::Busy),
            false => (format!("{} (inactive)", names::status(branch.status)), Style::Faint),
            true => (names::status(branch.status), names::status_style(branch.status)),
        };
        let failures = if branch.retry_count == 0 { String::new() } else { branch.retry_count.to_string() };
        table.row([
            Cell::from(&branch.branch_code),
            Cell::from(&branch.branch_name),
            names::provider(branch.provider).into(),
            Cell::styled(shown, style),
            or_dash(&branch.last_migration_applied).into(),
            branch.pending_count.map_or_else(|| "?".into(), |pending| pending.to_string()).into(),
            failures.into(),
            or_dash(&ago(branch.last_attempt_time.as_ref(), now)).into(),
            Cell::from(branch.error.as_ref().map_or(&branch.error_details, |error| &error.message)),
        ]);
    }
    table
}

/// `8 branches: 7 Completed, 1 Failed`.
fn totals_line(total: u32, totals: &HashMap<String, u32>) -> String {
    let known = MigrationStatus::ALL.map(|status| format!("{status:?}"));
    let present = known.iter().filter_map(|name| totals.get(name).filter(|n| **n > 0).map(|n| format!("{n} {name}")));
    let parts: Vec<String> = present.collect();
    let separator = if parts.is_empty() { "" } else { ": " };
    format!("{}{separator}{}", count(total, "branch", "branches"), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_in_the_order_of_life() {
        let totals = HashMap::from([("Failed".into(), 1), ("Completed".into(), 7), ("Pending".into(), 0)]);
        assert_eq!(totals_line(8, &totals), "8 branches: 7 Completed, 1 Failed");
        assert_eq!(totals_line(0, &HashMap::new()), "0 branches");
    }

    #[test]
    fn a_branch_in_a_row() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let branch = proto::BranchStatus {
            branch_code: "BR001".into(),
            branch_name: "Aalborg".into(),
            provider: proto::Provider::Sqlite.into(),
            status: proto::MigrationStatus::Completed.into(),
            last_migration_applied: "20251215154033_AddInventoryDiscrepancyFlag".into(),
            last_attempt_time: Some(prost_types::Timestamp { seconds: 990, nanos: 0 }),
            pending_count: Some(0),
            is_active: true,
            ..Default::default()
        };
        let good = status_table(std::slice::from_ref(&branch), now).render(Some(80), false);
        let expected = "\
CODE   NAME     PROVIDER  STATUS     LAST MIGRATION           PENDING  ATTEMPTED
BR001  Aalborg  sqlite    Completed  20251215154033_AddInve…        0  10s ago
";
        assert_eq!(good, expected);
        let bad = proto::BranchStatus {
            status: proto::MigrationStatus::RequiresManualIntervention.into(),
            retry_count: 3,
            pending_count: None,
            error_details: "no such table: Products".into(),
            ..branch
        };
        let bad = status_table(&[bad], now).render(Some(80), false);
        let expected = "\
CODE   STATUS                      LAST MIGRATION     PENDING  ERROR
BR001  RequiresManualIntervention  20251215154033_A…        ?  no such table: P…
";
        assert_eq!(bad, expected);
    }
}
