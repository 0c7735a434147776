//! Waiting for the answer about a single branch, whose run may take long.

use std::time::Duration;

use tonic::{Response, Status};

use super::super::Context;
use super::super::failure::{Failure, transport_reason};
use super::super::output::notice;

/// How long a single branch is waited for. The run is the service's; this only bounds our patience.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How often a single branch's answer is asked for again after the connection broke.
const MAX_ATTEMPTS: u32 = 8;

/// The answer, unless somebody presses Ctrl-C.
pub(super) async fn or_interrupted<T>(
    context: &Context,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        answer = tokio::time::timeout(LONGEST, answer) => match answer {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded("the run takes longer than a week").into()),
        },
        () = super::super::progress::interrupted() => {
            let (runs, cancel) = (context.suggest("runs"), context.suggest("cancel RUN"));
            notice(&format!("\nDetached. The run goes on in the service: `{runs}` shows it, `{cancel}` stops it."));
            Err(Failure::Interrupted)
        }
    }
}

/// Asks again when the connection breaks: the request has a name, so the answer is that of the same run.
pub(super) async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut attempt = 1;
    loop {
        let status = match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        let Some(reason) = transport_reason(&status).filter(|_| attempt < MAX_ATTEMPTS) else {
            return Err(status.into());
        };
        notice(&format!("connection lost ({reason}); asking again, attempt {attempt} of {}", MAX_ATTEMPTS - 1));
        tokio::time::sleep(Duration::from_millis(250).saturating_mul(1 << attempt.min(4))).await;
        attempt += 1;
    }
}
