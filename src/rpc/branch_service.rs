use tonic::{Request, Response, Status};

use crate::engine::Manager;

use super::calls::{caller, to_the_end};
use super::convert::{self, branch_ref, branch_to_proto};
use super::pages::Sizes;
use super::proto;
use super::status::{invalid, status_of};

/// `branchkeeper.v1.BranchService` over the engine.
#[derive(Debug, Clone)]
pub(super) struct BranchService {
    manager: Manager,
    sizes: Sizes,
}

impl BranchService {
    pub(super) fn new(manager: Manager, sizes: Sizes) -> Self {
        Self { manager, sizes }
    }
}

#[tonic::async_trait]
impl proto::branch_service_server::BranchService for BranchService {
    async fn create_branch(
        &self,
        request: Request<proto::CreateBranchRequest>,
    ) -> Result<Response<proto::CreateBranchResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(request.get_ref().branch.as_ref().map_or("", |branch| &branch.code));
        let new = convert::new_branch(request.into_inner()).map_err(invalid)?;
        let branch = to_the_end(async move { manager.create_branch(new, &caller).await }).await?;
        Ok(Response::new(proto::CreateBranchResponse { branch: Some(branch_to_proto(branch)) }))
    }

    async fn get_branch(
        &self,
        request: Request<proto::GetBranchRequest>,
    ) -> Result<Response<proto::GetBranchResponse>, Status> {
        let which = branch_ref(&request.get_ref().branch).map_err(invalid)?;
        let branch = self.manager.branch(&which).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(proto::GetBranchResponse { branch: Some(branch_to_proto(branch)) }))
    }

    async fn list_branches(
        &self,
        request: Request<proto::ListBranchesRequest>,
    ) -> Result<Response<proto::ListBranchesResponse>, Status> {
        let (filter, mut page) = convert::branch_filter(request.into_inner()).map_err(invalid)?;
        loop {
            let found = self.manager.branches(&filter, &page).await.map_err(|error| status_of(&error))?;
            let branches = found.items.into_iter().map(branch_to_proto).collect();
            let answer = proto::ListBranchesResponse { branches, next_page_token: found.next_token };
            if self.sizes.fits(&answer, &mut page)? {
                return Ok(Response::new(answer));
            }
        }
    }

    async fn update_branch(
        &self,
        request: Request<proto::UpdateBranchRequest>,
    ) -> Result<Response<proto::UpdateBranchResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().branch);
        let (which, update) = convert::update_branch(request.into_inner()).map_err(invalid)?;
        let branch = to_the_end(async move { manager.update_branch(&which, update, &caller).await }).await?;
        Ok(Response::new(proto::UpdateBranchResponse { branch: Some(branch_to_proto(branch)) }))
    }

    async fn delete_branch(
        &self,
        request: Request<proto::DeleteBranchRequest>,
    ) -> Result<Response<proto::DeleteBranchResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().branch);
        let which = branch_ref(&request.get_ref().branch).map_err(invalid)?;
        to_the_end(async move { manager.delete_branch(&which, &caller).await }).await?;
        Ok(Response::new(proto::DeleteBranchResponse {}))
    }

    async fn test_connection(
        &self,
        request: Request<proto::TestConnectionRequest>,
    ) -> Result<Response<proto::TestConnectionResponse>, Status> {
        let target = convert::test_target(request.into_inner()).map_err(invalid)?;
        let test = self.manager.test_connection(target).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(convert::connection_test_to_proto(test)))
    }
    async fn rekey(&self, request: Request<proto::RekeyRequest>) -> Result<Response<proto::RekeyResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        let done = to_the_end(async move { manager.rekey(&caller).await }).await?;
        Ok(Response::new(convert::rekeyed_to_proto(done)))
    }
}
