//! Running the service until it is told to stop.

use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::failure::{Failure, Outcome};
use crate::config::{Config, ConfigError, LogFormat, Overrides};
use crate::telemetry;

/// What `serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper serve
  branchkeeper serve --listen 127.0.0.1:6000 --data /var/lib/branchkeeper
  BRANCHKEEPER__LOG__FORMAT=json branchkeeper serve --config /etc/branchkeeper.toml

Later ones win: defaults, branchkeeper.toml, variables BRANCHKEEPER__SECTION__KEY, BRANCHKEEPER_LISTEN,
BRANCHKEEPER_DATA and BRANCHKEEPER_MIGRATIONS, flags. SIGTERM and Ctrl-C stop the service when the branches being
worked on have come to a safe point; a second one stops it at once.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The configuration file [env: BRANCHKEEPER_CONFIG] [default: branchkeeper.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where the service listens and where its files are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaceArgs {
    /// Where to listen [env: BRANCHKEEPER_LISTEN] [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// The folder of the service's own files [env: BRANCHKEEPER_DATA] [default: data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// The folder with the migrations [env: BRANCHKEEPER_MIGRATIONS] [default: branch_migrations]
    #[arg(long, value_name = "DIR")]
    pub(crate) migrations: Option<String>,
}

impl PlaceArgs {
    /// The same, as the configuration takes it.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen.clone(), data: self.data.clone(), migrations: self.migrations.clone() }
    }
}

/// Runs the service.
pub(crate) async fn run(args: &ServeArgs) -> Result<Outcome, Failure> {
    let config =
        Config::read(args.config.as_deref(), &args.place.overrides()).map_err(|error| config_failure(&error))?;
    start_log(&config);
    let shutdown = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(shutdown.clone()));
    let (ready, is_ready) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(address) = is_ready.await {
            tracing::info!(%address, "serving");
        }
    });
    let result = crate::app::run(config, shutdown, ready).await;
    signals.abort();
    result?;
    Ok(Outcome::Done)
}

/// A configuration that cannot be used, as a wrong use.
pub(crate) fn config_failure(error: &ConfigError) -> Failure {
    let hint = "every key with its default is in the README, under Configuration";
    match error.problems.as_slice() {
        [only] => Failure::usage(only.to_string(), hint),
        many => {
            let lines: String = many.iter().map(|problem| format!("\n  {problem}")).collect();
            Failure::usage(format!("the configuration has {} problems{lines}", many.len()), hint)
        }
    }
}

/// Starts the log as configured.
pub(crate) fn start_log(config: &Config) {
    let format = match config.log.format {
        LogFormat::Auto => telemetry::Format::detect(),
        LogFormat::Human => telemetry::Format::Human,
        LogFormat::Json => telemetry::Format::Json,
    };
    telemetry::init(format, config.log.level.as_str());
}

/// The first signal asks for a graceful end by cancelling `shutdown`; the second one ends the process.
pub(crate) async fn stop_on_signal(shutdown: CancellationToken) {
    let Ok(mut signals) = Signals::listen() else {
        tracing::warn!("signals cannot be listened for; the service ends without a graceful shutdown");
        return;
    };
    let signal = signals.next().await;
    tracing::info!(signal, "stopping: branches being worked on come to a safe point first; once more to stop at once");
    shutdown.cancel();
    let signal = signals.next().await;
    tracing::warn!(signal, "stopped at once");
    std::process::exit(130);
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
