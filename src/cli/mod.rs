//! The command line: a client of the public API, and the way to start the service.

mod access;
mod args;
mod audit;
mod branch;
mod client;
mod credential;
mod demo;
mod failure;
mod fleet;
mod folder;
mod notify;
mod output;
mod probe;
mod progress;
mod rekey;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use client::Client;
use credential::Credential;
use failure::{Failure, Outcome};
use output::{Printer, notice};

/// What every command works with.
struct Context {
    /// The service's address as it was given.
    server: String,
    credential: Credential,
    printer: Printer,
}

impl Context {
    async fn connect(&self) -> Result<Client, Failure> {
        Client::connect(&self.server, &self.credential).await
    }

    /// A command line to suggest, for the service that this one talked to.
    fn suggest(&self, command: &str) -> String {
        if self.server == client::DEFAULT_SERVER {
            format!("branchkeeper {command}")
        } else {
            format!("branchkeeper --server {} {command}", self.server)
        }
    }
}

/// A worker's stack, in bytes. The futures of a migration are large, above all in debug builds, and whoever overflows ends the
/// whole service. Memory that is not touched costs nothing.
const STACK: usize = 8 * 1024 * 1024;

/// Does what the process's arguments ask for. The exit codes are those of `branchkeeper --help`.
#[allow(unsafe_code, reason = "here alone it is known that there are no other threads")]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whether it is done is a matter of speed alone.
    // SAFETY: there is no other thread yet.
    unsafe { crate::app::sqlite_memory::stop_counting() };
    match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime.block_on(obey(cli)),
        Err(error) => {
            notice(&format!("error: no threads can be started: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn obey(cli: Cli) -> ExitCode {
    let context = Context {
        server: cli.global.server,
        credential: cli.global.credential,
        printer: Printer::new(cli.global.output, cli.global.no_color),
    };
    match run(&context, cli.command).await {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::BadNews) => ExitCode::from(1),
        Ok(Outcome::Refused) => ExitCode::from(3),
        Err(failure) => {
            let report = failure.report();
            if !report.is_empty() {
                notice(&report);
            }
            failure.exit_code()
        }
    }
}

async fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Serve(args) => serve::run(&args).await,
        Command::Demo(args) => demo::run(context, &args).await,
        Command::Branch(command) => branch::run(context, *command).await,
        Command::Up(args) => fleet::up(context, args).await,
        Command::Down(args) => fleet::down(context, args).await,
        Command::Plan(args) => fleet::plan(context, args).await,
        Command::Status(args) => fleet::status(context, args).await,
        Command::Pending(args) => fleet::pending(context, args).await,
        Command::History(args) => fleet::history(context, args).await,
        Command::Validate(args) => fleet::validate(context, args).await,
        Command::Retry(args) => fleet::retry(context, args).await,
        Command::Resolve(args) => fleet::resolve(context, args).await,
        Command::Runs(args) => fleet::runs(context, args).await,
        Command::Watch(args) => fleet::watch(context, args).await,
        Command::Cancel(args) => fleet::cancel(context, args).await,
        Command::Token(command) => access::run(context, command).await,
        Command::Rekey(args) => rekey::run(context, args).await,
        Command::Audit(command) => audit::run(context, command).await,
        Command::New(args) => folder::new(context, &args),
        Command::Notify(command) => notify::run(context, command).await,
        Command::Check(args) => folder::check(context, &args),
        Command::Health(args) => probe::health(context, args).await,
        Command::Completions(args) => probe::completions(context, &args),
    }
}
