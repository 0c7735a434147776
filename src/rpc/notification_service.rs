use tonic::{Request, Response, Status};

use crate::engine::Manager;

use super::calls::to_the_end;
use super::convert;
use super::pages::Sizes;
use super::proto;
use super::status::{invalid, status_of};

/// `branchkeeper.v1.NotificationService` over the engine.
#[derive(Debug, Clone)]
pub(super) struct NotificationService {
    manager: Manager,
    sizes: Sizes,
}

impl NotificationService {
    pub(super) fn new(manager: Manager, sizes: Sizes) -> Self {
        Self { manager, sizes }
    }
}

#[tonic::async_trait]
impl proto::notification_service_server::NotificationService for NotificationService {
    async fn test_notification(
        &self,
        request: Request<proto::TestNotificationRequest>,
    ) -> Result<Response<proto::TestNotificationResponse>, Status> {
        let manager = self.manager.clone();
        let target = Some(request.into_inner().target).filter(|name| !name.is_empty());
        let results = to_the_end(async move { manager.test_targets(target.as_deref()).await }).await?;
        let results = results.into_iter().map(convert::target_test_to_proto).collect();
        Ok(Response::new(proto::TestNotificationResponse { results }))
    }

    async fn list_notifications(
        &self,
        request: Request<proto::ListNotificationsRequest>,
    ) -> Result<Response<proto::ListNotificationsResponse>, Status> {
        let (filter, mut page) = convert::message_filter(request.into_inner()).map_err(invalid)?;
        loop {
            let found = self.manager.messages(&filter, &page).await.map_err(|error| status_of(&error))?;
            let notifications = found.items.into_iter().map(convert::message_to_proto).collect();
            let answer = proto::ListNotificationsResponse { notifications, next_page_token: found.next_token };
            if self.sizes.fits(&answer, &mut page)? {
                return Ok(Response::new(answer));
            }
        }
    }
}
