use std::time::Duration;

use tonic::{Code, Status, Streaming};

use super::super::Context;
use super::super::client::{Client, QUICK};
use super::super::failure::{Failure, innermost};
use super::super::output::notice;
use super::view::View;
use crate::rpc::proto;
use crate::rpc::proto::run_event::Event;

/// How often re-attaching is tried in a row, without an event in between, before giving up: about 35 seconds.
const MAX_ATTEMPTS: u32 = 10;
/// The wait before the first new attempt; it doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(5);

/// What a stream of events begins with.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// A run that is to be started. It needs a request_id, so that asking again attaches to the same run.
    Start(proto::ApplyAllRequest),
    /// A run that exists.
    Watch(proto::WatchRunRequest),
}

/// Shows a run's events until it is over, and returns its result.
///
/// When the stream breaks it is opened again after the last event that was seen, so that none is lost or shown twice.
/// Ctrl-C detaches: the run goes on, and how to see or stop it is printed.
pub(crate) async fn follow(
    context: &Context,
    client: &Client,
    origin: Origin,
    view: &mut View,
) -> Result<proto::MigrationResult, Failure> {
    let mut follower = Follower::new(client, origin);
    let result = follower.run_until(interrupted(), context, view).await;
    if let Err(Failure::Interrupted) = result {
        notice(&follower.detached(context));
    }
    result
}

/// The same, for a caller that has its own reason to stop and something of its own to say then.
pub(crate) async fn follow_until(
    stop: impl Future<Output = ()>,
    context: &Context,
    client: &Client,
    origin: Origin,
    view: &mut View,
) -> Result<proto::MigrationResult, Failure> {
    Follower::new(client, origin).run_until(stop, context, view).await
}

/// Waits for Ctrl-C; for ever where it cannot be had.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Follower<'a> {
    client: &'a Client,
    origin: Origin,
    /// Empty until the first event says it.
    run_id: String,
    /// The last event that was shown.
    sequence: i64,
    /// Whether the service has accepted the request once: from then on a broken stream is worth another try.
    attached: bool,
}

impl<'a> Follower<'a> {
    fn new(client: &'a Client, origin: Origin) -> Self {
        let (run_id, sequence) = match &origin {
            Origin::Start(_) => (String::new(), 0),
            Origin::Watch(request) => (request.run_id.clone(), request.after_sequence),
        };
        Self { client, origin, run_id, sequence, attached: false }
    }

    async fn run_until(
        &mut self,
        stop: impl Future<Output = ()>,
        context: &Context,
        view: &mut View,
    ) -> Result<proto::MigrationResult, Failure> {
        let result = tokio::select! {
            result = self.run(view) => result,
            () = stop => Err(Failure::Interrupted),
        };
        view.close();
        match result {
            Err(Failure::Unreachable { message, .. }) if self.attached => {
                Err(Failure::Unreachable { message, hint: self.how_to_return(context) })
            }
            result => result,
        }
    }

    async fn run(&mut self, view: &mut View) -> Result<proto::MigrationResult, Failure> {
        let mut attempts = 0;
        loop {
            let before = self.sequence;
            let status = match self.stream(view).await? {
                Ended::Over(result) => return Ok(result),
                Ended::Broken(status) => status,
            };
            attempts = if self.sequence > before { 1 } else { attempts + 1 };
            if !self.attached || !is_passing(&status) {
                return Err(status.into());
            }
            let reason = reason(&status);
            if attempts > MAX_ATTEMPTS {
                let message = format!("the run cannot be followed any further: {reason}");
                return Err(Failure::Unreachable { message, hint: String::new() });
            }
            view.notice(&format!("connection lost ({reason}); attaching again, attempt {attempts} of {MAX_ATTEMPTS}"));
            let doublings = (attempts - 1).min(16);
            tokio::time::sleep(FIRST_WAIT.saturating_mul(1 << doublings).min(MAX_WAIT)).await;
        }
    }

    /// Opens the stream and shows its events as long as it lasts.
    async fn stream(&mut self, view: &mut View) -> Result<Ended, Failure> {
        let opened = match tokio::time::timeout(QUICK, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(Status::unavailable("the service does not answer")),
        };
        let mut events = match opened {
            Ok(events) => events,
            Err(status) => return Ok(Ended::Broken(status)),
        };
        self.attached = true;
        loop {
            let event = match events.next().await {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(Ended::Broken(Status::unavailable("the stream ended before the run"))),
                Err(status) => return Ok(Ended::Broken(status)),
            };
            if event.sequence <= self.sequence {
                continue;
            }
            self.sequence = event.sequence;
            if self.run_id.is_empty() {
                self.run_id.clone_from(&event.run_id);
            }
            view.event(&event)?;
            if let Some(Event::RunFinished(finished)) = event.event {
                return Ok(Ended::Over(finished.result.unwrap_or_default()));
            }
        }
    }

    async fn open(&self) -> Result<Events, Status> {
        let mut client = self.client.migrations.clone();
        match &self.origin {
            Origin::Start(request) if self.run_id.is_empty() => {
                client.apply_all(request.clone()).await.map(|answer| Events::ApplyAll(answer.into_inner()))
            }
            origin => {
                let include_statements = match origin {
                    Origin::Start(request) => request.include_statements,
                    Origin::Watch(request) => request.include_statements,
                };
                let request = proto::WatchRunRequest {
                    run_id: self.run_id.clone(),
                    after_sequence: self.sequence,
                    include_statements,
                };
                client.watch_run(request).await.map(|answer| Events::Watch(answer.into_inner()))
            }
        }
    }

    fn watch_command(&self, context: &Context) -> String {
        match self.sequence {
            0 => context.suggest(&format!("watch {}", self.run_id)),
            sequence => context.suggest(&format!("watch {} --after {sequence}", self.run_id)),
        }
    }

    fn how_to_return(&self, context: &Context) -> String {
        if self.run_id.is_empty() {
            return format!("if the run was accepted, it goes on; `{}` lists it", context.suggest("runs"));
        }
        format!("the run goes on as long as the service does; see the rest with `{}`", self.watch_command(context))
    }

    fn detached(&self, context: &Context) -> String {
        if self.run_id.is_empty() {
            let command = context.suggest("runs");
            return format!("\nDetached. If the run was accepted, it goes on in the service; `{command}` lists it.");
        }
        let cancel = context.suggest(&format!("cancel {}", self.run_id));
        let watch = self.watch_command(context);
        format!("\nDetached. The run goes on in the service.\n  see the rest:  {watch}\n  stop it:       {cancel}")
    }
}

enum Ended {
    Over(proto::MigrationResult),
    Broken(Status),
}

enum Events {
    ApplyAll(Streaming<proto::ApplyAllResponse>),
    Watch(Streaming<proto::WatchRunResponse>),
}

impl Events {
    /// The next event; messages without one, which a newer service might send, are passed over.
    async fn next(&mut self) -> Result<Option<proto::RunEvent>, Status> {
        loop {
            let message = match self {
                Self::ApplyAll(stream) => stream.message().await?.map(|message| message.event),
                Self::Watch(stream) => stream.message().await?.map(|message| message.event),
            };
            match message {
                Some(None) => {}
                Some(event) => return Ok(event),
                None => return Ok(None),
            }
        }
    }
}

/// Whether another attempt may go better. What the service refuses for a reason of its own stays refused.
fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::Aborted
            | Code::DataLoss
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
    )
}

fn reason(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => innermost(source),
        None if status.message().is_empty() => status.code().description().to_owned(),
        None => super::super::output::text::one_line(status.message()),
    }
}
