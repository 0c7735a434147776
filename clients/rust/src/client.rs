use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::error::Error;
use crate::follow::{Following, RunEvents, follow};
use crate::options::{ConnectError, Options};
use crate::retry::{Attempts, Kind};
use crate::rules::Defaults;
pub use crate::rules::Transport;
use crate::semantics::MAX_MESSAGE_BYTES;
use crate::v1::access_service_client::AccessServiceClient;
use crate::v1::audit_service_client::AuditServiceClient;
use crate::v1::branch_service_client::BranchServiceClient;
use crate::v1::migration_service_client::MigrationServiceClient;
use crate::v1::notification_service_client::NotificationServiceClient;
use crate::v1::{ApplyAllRequest, ApplyRequest, ApplyResponse, WatchRunRequest};

/// A connection to the service. Cheap to clone; the clones share the connection.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    deadline: Duration,
    run_deadline: Duration,
}

impl Client {
    /// A client of the service at `target`, such as `keeper:50051` or `https://keeper.example`. It does not wait for the
    /// service; [`Client::wait_ready`] does. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The options do not go together, or a file cannot be read.
    pub fn connect(target: &str, options: &Options) -> Result<Self, ConnectError> {
        let (endpoint, token) = options.endpoint(target)?;
        let (deadline, run_deadline) = (options.deadline, options.run_deadline);
        let defaults = Defaults { token, deadline, run_deadline };
        let transport = Transport::new(endpoint.connect_lazy(), Arc::new(defaults));
        Ok(Self { transport, deadline, run_deadline })
    }

    /// The register of branches.
    pub fn branches(&self) -> BranchServiceClient<Transport> {
        BranchServiceClient::new(self.transport()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Migrating, and where branches stand.
    pub fn migrations(&self) -> MigrationServiceClient<Transport> {
        MigrationServiceClient::new(self.transport()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Who did what.
    pub fn audit(&self) -> AuditServiceClient<Transport> {
        AuditServiceClient::new(self.transport()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Who may call.
    pub fn access(&self) -> AccessServiceClient<Transport> {
        AccessServiceClient::new(self.transport()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// What people are told of.
    pub fn notifications(&self) -> NotificationServiceClient<Transport> {
        NotificationServiceClient::new(self.transport()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// For stubs of other services: their calls get the token and the deadline too.
    pub fn transport(&self) -> Transport {
        self.transport.clone()
    }

    /// Does a call of a stub within the client's deadline, and again where its `kind` and the status say that this is
    /// safe:
    ///
    /// ```no_run
    /// # async fn example(client: branchkeeper_client::Client) -> Result<(), branchkeeper_client::Error> {
    /// use branchkeeper_client::{Kind, v1::PendingRequest};
    /// let request = PendingRequest { branch: "BR001".into() };
    /// let answer = client.call(Kind::Read, || {
    ///     let (mut stub, request) = (client.migrations(), request.clone());
    ///     async move { stub.pending(request).await }
    /// });
    /// println!("{}", answer.await?.count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The call failed for good.
    pub async fn call<T, F, C>(&self, kind: Kind, call: F) -> Result<T, Error>
    where
        F: FnMut() -> C,
        C: Future<Output = Result<Response<T>, Status>>,
    {
        self.call_within(kind, self.deadline, call).await
    }

    /// As [`Client::call`], within another deadline.
    ///
    /// # Errors
    /// The call failed for good.
    pub async fn call_within<T, F, C>(&self, kind: Kind, limit: Duration, mut call: F) -> Result<T, Error>
    where
        F: FnMut() -> C,
        C: Future<Output = Result<Response<T>, Status>>,
    {
        let mut attempts = Attempts::new(kind, limit);
        loop {
            let answer = match tokio::time::timeout_at(attempts.end(), call()).await {
                Ok(answer) => answer,
                Err(_) => return Err(Error::new(Code::DeadlineExceeded, "the deadline passed before the answer came")),
            };
            match answer {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => tokio::time::sleep(attempts.wait(status.into())?).await,
            }
        }
    }

    /// Migrates one branch and answers when that is done. A request without `request_id` gets one, so that it is safe to
    /// repeat, which happens by itself. A migration that fails is not an error: look at `result`.
    ///
    /// # Errors
    /// The request could not be carried out.
    pub async fn apply(&self, request: ApplyRequest) -> Result<ApplyResponse, Error> {
        self.apply_within(request, self.run_deadline).await
    }

    /// As [`Client::apply`], within another deadline.
    ///
    /// # Errors
    /// The request could not be carried out.
    pub async fn apply_within(&self, mut request: ApplyRequest, limit: Duration) -> Result<ApplyResponse, Error> {
        name(&mut request.request_id);
        self.call_within(Kind::Named, limit, || {
            let (mut stub, mut request) = (self.migrations(), Request::new(request.clone()));
            request.set_timeout(limit);
            async move { stub.apply(request).await }
        })
        .await
    }

    /// Migrates all active branches that the request selects, and gives the run's events, each once and in order. It
    /// ends after run_finished, or with an error.
    ///
    /// The run begins when the stream is first polled. A connection that breaks is made again, and the stream goes on
    /// after the last event seen. Dropping it does not stop the run: CancelRun does.
    pub fn apply_all(&self, mut request: ApplyAllRequest) -> RunEvents {
        name(&mut request.request_id);
        follow(Following::begin(self.clone(), request))
    }

    /// Gives the events of a run after a sequence number, to the run's end, over broken connections as
    /// [`Client::apply_all`].
    pub fn watch_run(&self, request: WatchRunRequest) -> RunEvents {
        follow(Following::at(self.clone(), request))
    }
}

fn name(request_id: &mut String) {
    if request_id.is_empty() {
        *request_id = Uuid::new_v4().to_string();
    }
}
