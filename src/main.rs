//! The program `branchkeeper`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    branchkeeper::cli::main().await
}
