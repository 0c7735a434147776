use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::Client;
use crate::error::Error;
use crate::semantics::{READY_CHECK, READY_TIMEOUT};

/// The name of the service to wait for before migrating.
pub const MIGRATION_SERVICE: &str = "branchkeeper.v1.MigrationService";

impl Client {
    /// Waits until the service is there and ready to migrate, at most 60 s.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED, saying what was seen last; any status that waiting does not help.
    pub async fn wait_ready(&self) -> Result<(), Error> {
        self.wait_ready_for(MIGRATION_SERVICE, READY_TIMEOUT).await
    }

    /// As [`Client::wait_ready`], for any service's name (an empty one means the service as a whole) and time.
    ///
    /// # Errors
    /// As [`Client::wait_ready`].
    pub async fn wait_ready_for(&self, service: &str, limit: Duration) -> Result<(), Error> {
        let end = Instant::now() + limit;
        let mut pause = Duration::from_millis(100);
        let mut stub = HealthClient::new(self.transport());
        loop {
            let check = READY_CHECK.min(end.saturating_duration_since(Instant::now()));
            let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
            request.set_timeout(check);
            let seen = match tokio::time::timeout(check, stub.check(request)).await {
                Ok(Ok(answer)) => match answer.into_inner().status() {
                    ServingStatus::Serving => return Ok(()),
                    other => other.as_str_name().to_owned(),
                },
                Ok(Err(status)) => match Error::from(status) {
                    error if matches!(error.code, Code::NotFound | Code::Unavailable | Code::DeadlineExceeded) => {
                        error.to_string()
                    }
                    error => return Err(error),
                },
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() + pause >= end {
                let text = format!("'{service}' was not ready within {limit:?}; the last answer was {seen}");
                return Err(Error::new(Code::DeadlineExceeded, text));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}
