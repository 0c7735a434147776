//! Small helpers around the service: its health, and completions for shells.

use clap::CommandFactory;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::Context;
use super::args::Cli;
use super::client::{QUICK, answer};
use super::failure::{Failure, Outcome};
use super::output::Style;

/// What `health` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper health                                          the process lives
  branchkeeper health branchkeeper.v1.MigrationService         it can do its work

Exit code 0 when it serves, 1 when it says that it does not, 3 when it cannot be reached or knows no such service.")]
pub(crate) struct HealthArgs {
    /// The gRPC service to ask for; without it, the process itself
    #[arg(value_name = "SERVICE", default_value = "")]
    service: String,
}

/// Asks `grpc.health.v1`.
pub(crate) async fn health(context: &Context, args: HealthArgs) -> Result<Outcome, Failure> {
    let mut client = HealthClient::new(context.connect().await?.line);
    let request = HealthCheckRequest { service: args.service.clone() };
    let status = answer(QUICK, client.check(request)).await?.status();
    let serving = status == ServingStatus::Serving;
    if context.printer.is_json() {
        let answer = serde_json::json!({ "service": args.service, "status": status.as_str_name() });
        context.printer.json(&answer)?;
    } else {
        let style = if serving { Style::Good } else { Style::Bad };
        context.printer.line(&context.printer.paint(status.as_str_name(), style))?;
    }
    Ok(Outcome::of(serving))
}

/// What `completions` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper completions bash > /etc/bash_completion.d/branchkeeper
  branchkeeper completions zsh > ~/.zfunc/_branchkeeper")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints a shell's completion script.
pub(crate) fn completions(context: &Context, args: &CompletionsArgs) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "branchkeeper", &mut script);
    context.printer.raw(&script)?;
    Ok(Outcome::Done)
}
