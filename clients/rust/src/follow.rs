use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::Instant;
use tonic::Code;

use crate::client::Client;
use crate::error::Error;
use crate::retry::{Kind, broken, wait_after};
use crate::semantics::{MAX_ATTEMPTS, REATTACH_FOR};
use crate::v1::run_event::Event;
use crate::v1::{ApplyAllRequest, GetRunRequest, RunEvent, WatchRunRequest};

/// A run's events, each once and in order.
pub type RunEvents = BoxStream<'static, Result<RunEvent, Error>>;

/// Where a stream of a run's events stands, over all its connections.
pub(crate) struct Following {
    client: Client,
    request: ApplyAllRequest,
    run_id: String,
    last: i64,
    include_statements: bool,
    over: bool,
    failures: u32,
    failing_since: Instant,
    connection: Option<BoxStream<'static, Result<Option<RunEvent>, tonic::Status>>>,
}

impl Following {
    pub(crate) fn begin(client: Client, request: ApplyAllRequest) -> Self {
        Self {
            include_statements: request.include_statements,
            client,
            request,
            run_id: String::new(),
            last: 0,
            over: false,
            failures: 0,
            failing_since: Instant::now(),
            connection: None,
        }
    }

    pub(crate) fn at(client: Client, request: WatchRunRequest) -> Self {
        Self {
            run_id: request.run_id,
            last: request.after_sequence,
            include_statements: request.include_statements,
            ..Self::begin(client, ApplyAllRequest::default())
        }
    }

    async fn next(&mut self) -> Result<Option<RunEvent>, Error> {
        while !self.over {
            let failed = match self.receive().await {
                Ok(Some(event)) => {
                    self.run_id.clone_from(&event.run_id);
                    if event.sequence <= self.last {
                        continue;
                    }
                    (self.last, self.failures) = (event.sequence, 0);
                    self.over = matches!(event.event, Some(Event::RunFinished(_)));
                    return Ok(Some(event));
                }
                Ok(None)
                    if !self.run_id.is_empty() && is_over(self.client.clone(), &self.run_id, self.last).await? =>
                {
                    break;
                }
                Ok(None) => Error::new(Code::Unavailable, "the stream ended before the run"),
                Err(status) => Error::from(status),
            };
            self.connection = None;
            self.wait(failed).await?;
        }
        self.connection = None;
        Ok(None)
    }

    /// The next event of the connection, which is made when there is none; `None` when it ended without an error.
    async fn receive(&mut self) -> Result<Option<RunEvent>, tonic::Status> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                none.insert(open(&self.client, &self.request, &self.run_id, self.last, self.include_statements).await?)
            }
        };
        while let Some(answer) = connection.next().await {
            if let Some(event) = answer? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Waits before the stream is opened again; the error when it is not to be.
    async fn wait(&mut self, error: Error) -> Result<(), Error> {
        let now = Instant::now();
        if self.failures == 0 {
            self.failing_since = now;
        }
        self.failures += 1;
        let gave_up = if self.run_id.is_empty() {
            self.failures >= MAX_ATTEMPTS
        } else {
            now.duration_since(self.failing_since) > REATTACH_FOR
        };
        if gave_up || !broken(&error) {
            return Err(error);
        }
        tokio::time::sleep(wait_after(self.failures, &error)).await;
        Ok(())
    }
}

async fn is_over(client: Client, run_id: &str, last: i64) -> Result<bool, Error> {
    let call = || {
        let (mut stub, run_id) = (client.migrations(), run_id.to_owned());
        async move { stub.get_run(GetRunRequest { run_id }).await }
    };
    let run = client.call(Kind::Read, call).await?.run;
    Ok(run.is_some_and(|run| run.end_time.is_some() && run.last_sequence <= last))
}

async fn open(
    client: &Client,
    request: &ApplyAllRequest,
    run_id: &str,
    after_sequence: i64,
    include_statements: bool,
) -> Result<BoxStream<'static, Result<Option<RunEvent>, tonic::Status>>, tonic::Status> {
    let mut stub = client.migrations();
    if run_id.is_empty() {
        let answers = stub.apply_all(request.clone()).await?.into_inner();
        return Ok(answers.map(|answer| answer.map(|answer| answer.event)).boxed());
    }
    let request = WatchRunRequest { run_id: run_id.to_owned(), after_sequence, include_statements };
    let answers = stub.watch_run(request).await?.into_inner();
    Ok(answers.map(|answer| answer.map(|answer| answer.event)).boxed())
}

pub(crate) fn follow(following: Following) -> RunEvents {
    stream::try_unfold(
        following,
        |mut following| async move { Ok(following.next().await?.map(|event| (event, following))) },
    )
    .boxed()
}
