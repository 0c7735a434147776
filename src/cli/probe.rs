//! Small helpers around the service: its health, and completions for shells.

use std::time::Duration;

use clap::CommandFactory;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::Context;
use super::args::Cli;
use super::failure::{Failure, Outcome};
use super::output::Style;
use crate::config::{format_duration, parse_duration};

/// What `health` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper health                                          the process lives
  branchkeeper health branchkeeper.v1.MigrationService         it can do its work
  branchkeeper health --server unix:///run/branchkeeper.sock   the same for a service with TLS, without certificates

Exit code 0 when it serves, 1 when it says that it does not, 3 when it cannot be reached, does not answer in time or
knows no such service.")]
pub(crate) struct HealthArgs {
    /// The gRPC service to ask for; without it, the process itself
    #[arg(value_name = "SERVICE", default_value = "")]
    service: String,
    /// How long all of it may take: a probe that hangs says nothing
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    timeout: Duration,
}

/// Asks `grpc.health.v1`, connecting included, within the time given.
pub(crate) async fn health(context: &Context, args: HealthArgs) -> Result<Outcome, Failure> {
    let asked = async {
        let mut client = HealthClient::new(context.connect().await?.line);
        let request = HealthCheckRequest { service: args.service.clone() };
        Ok::<_, Failure>(client.check(request).await?.into_inner().status())
    };
    let status = match tokio::time::timeout(args.timeout, asked).await {
        Ok(status) => status?,
        Err(_) => {
            let message = format!("the service did not answer within {}", format_duration(args.timeout));
            return Err(Failure::Unreachable {
                message,
                hint: "its log may say why; --timeout changes the time".into(),
            });
        }
    };
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
