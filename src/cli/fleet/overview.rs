use std::collections::HashMap;

use super::super::Context;
use super::super::args::{label_map, parse_label, provider_parser, provider_value};
use super::super::client::{Client, QUICK, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{count, or_dash, time};
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
    print(context, &found)?;
    Ok(Outcome::Done)
}

/// Prints branches and totals.
pub(crate) fn print(context: &Context, found: &proto::StatusResponse) -> std::io::Result<()> {
    let printer = context.printer;
    if printer.is_json() {
        return printer.json(&Json(found));
    }
    if found.branches.is_empty() {
        printer.line("No branches.")?;
    } else {
        printer.table(&status_table(&found.branches))?;
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

/// Branches and where they stand.
pub(crate) fn status_table(branches: &[proto::BranchStatus]) -> Table {
    let mut table = Table::new([
        Column::new("CODE"),
        Column::new("NAME").flexible(8),
        Column::new("PROVIDER"),
        Column::new("STATUS"),
        Column::new("LAST MIGRATION").flexible(16),
        Column::new("PENDING").right(),
        Column::new("FAILURES").right(),
        Column::new("LAST ATTEMPT"),
        Column::new("ERROR").flexible(12),
    ]);
    for branch in branches {
        let (shown, style) = match branch.is_active {
            false => (format!("{} (inactive)", names::status(branch.status)), Style::Faint),
            true => (names::status(branch.status), names::status_style(branch.status)),
        };
        table.row([
            Cell::from(&branch.branch_code),
            or_dash(&branch.branch_name).into(),
            names::provider(branch.provider).into(),
            Cell::styled(shown, style),
            or_dash(&branch.last_migration_applied).into(),
            branch.pending_count.map_or_else(|| "-".into(), |pending| pending.to_string()).into(),
            branch.retry_count.to_string().into(),
            time(branch.last_attempt_time.as_ref()).into(),
            or_dash(&branch.error_details).into(),
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
        let branch = proto::BranchStatus {
            branch_code: "BR001".into(),
            provider: proto::Provider::Sqlite.into(),
            status: proto::MigrationStatus::Completed.into(),
            pending_count: Some(0),
            is_active: true,
            ..Default::default()
        };
        let inactive = proto::BranchStatus { is_active: false, pending_count: None, ..branch.clone() };
        let text = status_table(&[branch, inactive]).render(None, false);
        let expected = "\
CODE   NAME  PROVIDER  STATUS                LAST MIGRATION  PENDING  FAILURES  LAST ATTEMPT  ERROR
BR001  -     sqlite    Completed             -                     0         0  -             -
BR001  -     sqlite    Completed (inactive)  -                     -         0  -             -
";
        assert_eq!(text, expected);
    }
}
