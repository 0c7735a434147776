use tonic::{Request, Response, Status};

use crate::engine::Manager;

use super::calls::{caller, to_the_end};
use super::convert;
use super::pages::Sizes;
use super::proto;
use super::status::{invalid, status_of};

/// `branchkeeper.v1.AccessService` over the engine.
#[derive(Debug, Clone)]
pub(super) struct AccessService {
    manager: Manager,
    sizes: Sizes,
}

impl AccessService {
    pub(super) fn new(manager: Manager, sizes: Sizes) -> Self {
        Self { manager, sizes }
    }
}

#[tonic::async_trait]
impl proto::access_service_server::AccessService for AccessService {
    async fn create_token(
        &self,
        request: Request<proto::CreateTokenRequest>,
    ) -> Result<Response<proto::CreateTokenResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().name);
        let new = convert::new_token(request.into_inner()).map_err(invalid)?;
        let (token, secret) = to_the_end(async move { manager.create_token(new, &caller).await }).await?;
        let token = Some(convert::token_to_proto(token));
        Ok(Response::new(proto::CreateTokenResponse { token, secret: secret.expose().to_owned() }))
    }

    async fn list_tokens(
        &self,
        request: Request<proto::ListTokensRequest>,
    ) -> Result<Response<proto::ListTokensResponse>, Status> {
        let mut page = convert::token_list(request.into_inner()).map_err(invalid)?;
        loop {
            let found = self.manager.tokens(&page).await.map_err(|error| status_of(&error))?;
            let tokens = found.items.into_iter().map(convert::token_to_proto).collect();
            let answer = proto::ListTokensResponse { tokens, next_page_token: found.next_token };
            if self.sizes.fits(&answer, &mut page)? {
                return Ok(Response::new(answer));
            }
        }
    }

    async fn revoke_token(
        &self,
        request: Request<proto::RevokeTokenRequest>,
    ) -> Result<Response<proto::RevokeTokenResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        let which = convert::token_ref(request.into_inner()).map_err(invalid)?;
        caller.about(&which);
        let token = to_the_end(async move { manager.revoke_token(&which, &caller).await }).await?;
        Ok(Response::new(proto::RevokeTokenResponse { token: Some(convert::token_to_proto(token)) }))
    }
}
