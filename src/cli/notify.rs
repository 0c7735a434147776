//! Commands about notifications: trying out their targets, and looking at what became of them.

use super::Context;
use super::args::up_to;
use super::client::{PATIENT, QUICK, answer};
use super::failure::{Failure, Outcome};
use super::output::text::{duration, one_line, or_dash, time};
use super::output::{Cell, Column, Json, Style, Table, names};
use crate::rpc::proto;
use crate::rpc::proto::notification_service_client::NotificationServiceClient;

/// What can be done about notifications.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum NotifyCommand {
    /// Send a test message to one target, or to all of them
    Test(TestArgs),
    /// List notifications and where they stand, newest first
    List(ListArgs),
}

/// What `notify test` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper notify test
  branchkeeper notify test hq

The targets are those that the service has in its configuration, under notify.targets. Exit code 0 when every one took
the message, 1 when one did not.")]
pub(crate) struct TestArgs {
    /// The target; without it, all of them
    #[arg(value_name = "TARGET", default_value = "", hide_default_value = true)]
    target: String,
}

/// What `notify list` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper notify list
  branchkeeper notify list --state pending --state failed
  branchkeeper notify list --target hq --output json")]
pub(crate) struct ListArgs {
    /// Only those in this state; may be given again
    #[arg(long = "state", value_enum, value_name = "STATE")]
    states: Vec<State>,
    /// Only those to this target
    #[arg(long, value_name = "TARGET", default_value = "", hide_default_value = true)]
    target: String,
    /// The most to show, 1 to 1000
    #[arg(long, value_name = "N", default_value = "20", value_parser = up_to(1_000))]
    limit: u32,
}

/// Where a notification stands, as a flag's value.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum State {
    Pending,
    Delivered,
    Failed,
    HeldBack,
}

impl State {
    fn value(self) -> proto::NotificationState {
        match self {
            Self::Pending => proto::NotificationState::Pending,
            Self::Delivered => proto::NotificationState::Delivered,
            Self::Failed => proto::NotificationState::Failed,
            Self::HeldBack => proto::NotificationState::HeldBack,
        }
    }
}

/// Does what was asked for.
pub(crate) async fn run(context: &Context, command: NotifyCommand) -> Result<Outcome, Failure> {
    let mut client = NotificationServiceClient::new(context.connect().await?.line);
    match command {
        NotifyCommand::Test(args) => {
            let request = proto::TestNotificationRequest { target: args.target };
            show_tests(context, &answer(PATIENT, client.test_notification(request)).await?)
        }
        NotifyCommand::List(args) => {
            let request = proto::ListNotificationsRequest {
                page_size: args.limit,
                page_token: String::new(),
                states: args.states.iter().map(|state| state.value().into()).collect(),
                target: args.target,
            };
            show_list(context, &answer(QUICK, client.list_notifications(request)).await?, args.limit)
        }
    }
}

fn show_tests(context: &Context, found: &proto::TestNotificationResponse) -> Result<Outcome, Failure> {
    let outcome = Outcome::of(found.results.iter().all(|test| test.delivered));
    if context.printer.is_json() {
        context.printer.json(&Json(found))?;
        return Ok(outcome);
    }
    if found.results.is_empty() {
        context
            .printer
            .line("No targets are configured; add one to the service's configuration, under notify.targets.")?;
    }
    for test in &found.results {
        let (word, style) = if test.delivered { ("delivered", Style::Good) } else { ("failed", Style::Bad) };
        let word = context.printer.paint(word, style);
        let took = duration(test.latency.as_ref());
        let why = if test.message.is_empty() { String::new() } else { format!(": {}", one_line(&test.message)) };
        context.printer.line(&format!("{}: {word} in {took}{why}", one_line(&test.target)))?;
    }
    Ok(outcome)
}

fn show_list(context: &Context, found: &proto::ListNotificationsResponse, limit: u32) -> Result<Outcome, Failure> {
    if context.printer.is_json() {
        context.printer.json(&Json(found))?;
        return Ok(Outcome::Done);
    }
    if found.notifications.is_empty() {
        context.printer.line("No notifications.")?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new([
        Column::new("TIME").optional(2),
        Column::new("TARGET"),
        Column::new("STATE"),
        Column::new("TRIES").right(),
        Column::new("SUMMARY").flexible(20),
        Column::new("ERROR").flexible(10).optional(1),
    ]);
    for each in &found.notifications {
        table.row([
            time(each.create_time.as_ref()).into(),
            Cell::from(&each.target),
            Cell::styled(names::notification_state(each.state), names::notification_state_style(each.state)),
            each.attempts.to_string().into(),
            Cell::from(&each.summary),
            or_dash(&each.error).into(),
        ]);
    }
    context.printer.table(&table)?;
    if !found.next_page_token.is_empty() {
        context.printer.line(&format!("The newest {limit}; --limit shows more."))?;
    }
    Ok(Outcome::Done)
}
