use tonic::{Request, Response, Status};

use crate::engine::Manager;

use super::convert;
use super::pages::Sizes;
use super::proto;
use super::status::{invalid, status_of};

/// `branchkeeper.v1.AuditService` over the engine.
#[derive(Debug, Clone)]
pub(super) struct AuditService {
    manager: Manager,
    sizes: Sizes,
}

impl AuditService {
    pub(super) fn new(manager: Manager, sizes: Sizes) -> Self {
        Self { manager, sizes }
    }
}

#[tonic::async_trait]
impl proto::audit_service_server::AuditService for AuditService {
    async fn list_audit_events(
        &self,
        request: Request<proto::ListAuditEventsRequest>,
    ) -> Result<Response<proto::ListAuditEventsResponse>, Status> {
        let (filter, mut page) = convert::audit_filter(request.into_inner()).map_err(invalid)?;
        loop {
            let found = self.manager.audit_entries(&filter, &page).await.map_err(|error| status_of(&error))?;
            let events = found.items.into_iter().map(convert::audit_to_proto).collect();
            let answer = proto::ListAuditEventsResponse { events, next_page_token: found.next_token };
            if self.sizes.fits(&answer, &mut page)? {
                return Ok(Response::new(answer));
            }
        }
    }

    async fn verify_audit(
        &self,
        _: Request<proto::VerifyAuditRequest>,
    ) -> Result<Response<proto::VerifyAuditResponse>, Status> {
        let report = self.manager.verify_audit().await.map_err(|error| status_of(&error))?;
        Ok(Response::new(convert::audit_report_to_proto(report)))
    }
}
