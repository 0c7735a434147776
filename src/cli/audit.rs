//! Who did what.

use std::time::Duration;

use clap::Subcommand;

use super::Context;
use super::args::up_to;
use super::client::{PATIENT, QUICK, answer};
use super::failure::{Failure, Outcome};
use super::output::text::{one_line, or_dash, time};
use super::output::{Cell, Column, Json, Style, Table};
use crate::config::parse_duration;
use crate::rpc::proto;

/// What `audit` takes.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  branchkeeper audit
  branchkeeper audit --who jwt:ann --since 7d
  branchkeeper audit --branch BR001 --action UpdateBranch --output json
  branchkeeper audit verify

Times are RFC 3339 text such as 2026-05-01T00:00:00Z, or a span before now such as 7d.")]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    /// Only by this identity, such as jwt:ann or token:deploy
    #[arg(long, value_name = "WHO", default_value = "")]
    who: String,
    /// Only this action, such as CreateBranch
    #[arg(long, value_name = "ACTION", default_value = "")]
    action: String,
    /// Only about this branch, by its code
    #[arg(long, value_name = "CODE", default_value = "")]
    branch: String,
    /// Only from this moment on
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<prost_types::Timestamp>,
    /// Only before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<prost_types::Timestamp>,
    /// The most entries to show, 1 to 1000
    #[arg(long, value_name = "N", default_value = "50", value_parser = up_to(1_000))]
    limit: u32,
}

/// What else to do with the record.
#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Verify that no entry was changed, removed or put in between
    #[command(after_help = "\
Examples:
  branchkeeper audit verify
  branchkeeper audit verify --output json")]
    Verify,
}

/// Shows or verifies the record.
pub(crate) async fn run(context: &Context, args: AuditArgs) -> Result<Outcome, Failure> {
    match args.command {
        Some(AuditCommand::Verify) => verify(context).await,
        None => list(context, args).await,
    }
}

async fn list(context: &Context, args: AuditArgs) -> Result<Outcome, Failure> {
    let request = proto::ListAuditEventsRequest {
        page_size: args.limit,
        page_token: String::new(),
        who: args.who,
        action: args.action,
        subject: args.branch,
        since: args.since,
        until: args.until,
    };
    let found = answer(QUICK, context.connect().await?.audit.list_audit_events(request)).await?;
    if context.printer.is_json() {
        context.printer.json(&Json(&found))?;
        return Ok(Outcome::Done);
    }
    if found.events.is_empty() {
        context.printer.line("No entries.")?;
        return Ok(Outcome::Done);
    }
    context.printer.table(&table(&found.events))?;
    if !found.next_page_token.is_empty() {
        context.printer.line(&format!("The newest {}; --limit shows more.", args.limit))?;
    }
    Ok(Outcome::Done)
}

fn table(events: &[proto::AuditEvent]) -> Table {
    let mut table = Table::new([
        Column::new("#").right(),
        Column::new("TIME"),
        Column::new("WHO"),
        Column::new("FROM").optional(2),
        Column::new("ACTION"),
        Column::new("SUBJECT"),
        Column::new("OUTCOME"),
        Column::new("DETAIL").optional(1),
    ]);
    for event in events {
        let style = if event.outcome == "ok" { Style::Good } else { Style::Bad };
        table.row([
            Cell::from(event.sequence.to_string()),
            Cell::from(time(event.time.as_ref())),
            Cell::from(or_dash(&one_line(&event.who))),
            Cell::from(or_dash(&event.peer)),
            Cell::from(one_line(&event.action)),
            Cell::from(or_dash(&one_line(&event.subject))),
            Cell::styled(one_line(&event.outcome), style),
            Cell::from(or_dash(&one_line(&event.detail))),
        ]);
    }
    table
}

async fn verify(context: &Context) -> Result<Outcome, Failure> {
    let request = proto::VerifyAuditRequest {};
    let report = answer(PATIENT, context.connect().await?.audit.verify_audit(request)).await?;
    if context.printer.is_json() {
        context.printer.json(&Json(&report))?;
    } else if report.is_whole {
        let pruned = match report.pruned_sequence {
            0 => String::new(),
            last => format!(", after the {last} that were cleared away because of their age"),
        };
        context.printer.line(&format!("The record is whole: {} entries{pruned}.", report.verified))?;
        context.printer.line(&format!("It ends with entry {}, hash {}.", report.sequence, or_dash(&report.hash)))?;
    } else {
        let problem = one_line(&report.problem);
        let line = format!("The record is not whole: entry {}: {problem}.", report.broken_sequence);
        context.printer.line(&context.printer.paint(&line, Style::Bad))?;
    }
    Ok(Outcome::of(report.is_whole))
}

/// Reads a moment, or a span before now.
fn moment(text: &str) -> Result<prost_types::Timestamp, String> {
    let at = match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.timestamp(),
        Err(_) => {
            let span: Duration = parse_duration(text)
                .map_err(|_| "write a time like 2026-05-01T00:00:00Z, or a span before now like 7d".to_owned())?;
            chrono::Utc::now().timestamp().saturating_sub(i64::try_from(span.as_secs()).unwrap_or(i64::MAX))
        }
    };
    Ok(prost_types::Timestamp { seconds: at.max(0), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_spans() {
        assert_eq!(moment("1970-01-01T01:00:00+00:30").unwrap().seconds, 1_800);
        let week = moment("7d").unwrap().seconds;
        assert!((chrono::Utc::now().timestamp() - week - 7 * 86_400).abs() < 60);
        assert!(moment("yesterday").unwrap_err().contains("7d"));
    }
}
