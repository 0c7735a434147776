//! Migrates the whole fleet from a deployment script, and shows how far it is.
//!
//! Usage: `deploy [TARGET]`; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names. Ends with 0 when every
//! branch succeeded, 1 when some failed, 3 when the service could not do it.

use std::error::Error;
use std::process::ExitCode;

use branchkeeper_client::v1::ApplyAllRequest;
use branchkeeper_client::v1::run_event::Event;
use branchkeeper_client::{Client, Options};
use futures_util::StreamExt;

const WIDTH: usize = 40;

#[tokio::main]
async fn main() -> ExitCode {
    match deploy().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

async fn deploy() -> Result<bool, Box<dyn Error>> {
    let target = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:50051".to_owned());
    let mut options = Options::default();
    if let Some(file) = std::env::var_os("BRANCHKEEPER_TOKEN_FILE") {
        options = options.token_file(file);
    }
    let client = Client::connect(&target, &options)?;
    client.wait_ready().await?;
    let mut events = client.apply_all(ApplyAllRequest::default());
    while let Some(event) = events.next().await {
        match event?.event {
            Some(Event::BranchFinished(done)) => {
                let bar = "#".repeat(WIDTH * done.branches_done as usize / done.branches_total as usize);
                eprint!("\r[{bar:<WIDTH$}] {}/{}", done.branches_done, done.branches_total);
            }
            Some(Event::RunFinished(finished)) => {
                let result = finished.result.unwrap_or_default();
                println!("\n{} succeeded, {} failed", result.branches_succeeded, result.branches_failed);
                for error in &result.errors {
                    println!("{}: {}; {}", error.branch_code, error.message, error.hint);
                }
                return Ok(result.success);
            }
            _ => {}
        }
    }
    Ok(false)
}
