use futures_util::stream::BoxStream;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status};

use crate::engine::Manager;

use super::calls::{caller, to_the_end};
use super::convert::{self, branch_ref, branch_status_to_proto, migration_to_proto, run_to_proto};
use super::events::Followers;
use super::pages::Sizes;
use super::proto;
use super::status::{invalid, status_of};

/// `branchkeeper.v1.MigrationService` over the engine.
#[derive(Debug, Clone)]
pub(super) struct MigrationService {
    manager: Manager,
    followers: Followers,
    sizes: Sizes,
}

impl MigrationService {
    pub(super) fn new(manager: Manager, followers: Followers, sizes: Sizes) -> Self {
        Self { manager, followers, sizes }
    }
}

#[tonic::async_trait]
impl proto::migration_service_server::MigrationService for MigrationService {
    async fn apply(&self, request: Request<proto::ApplyRequest>) -> Result<Response<proto::ApplyResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().branch);
        caller.request_id(&request.get_ref().request_id);
        let command = convert::apply_command(request.into_inner()).map_err(invalid)?;
        let _slot = self.followers.slot()?;
        let run = to_the_end(async move { manager.apply(command, &caller).await }).await?;
        let run = run_to_proto(run);
        Ok(Response::new(proto::ApplyResponse { run_id: run.id, result: run.result }))
    }

    type ApplyAllStream = BoxStream<'static, Result<proto::ApplyAllResponse, Status>>;

    async fn apply_all(
        &self,
        request: Request<proto::ApplyAllRequest>,
    ) -> Result<Response<Self::ApplyAllStream>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.request_id(&request.get_ref().request_id);
        let command = convert::apply_all_command(request.into_inner()).map_err(invalid)?;
        let slot = self.followers.slot()?;
        let include_statements = command.include_statements;
        let run = to_the_end(async move { manager.apply_all(command, &caller).await }).await?;
        let events = self.followers.follow(slot, self.manager.clone(), run.id, 0, include_statements);
        let answers = events.map(|event| event.map(|event| proto::ApplyAllResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn pending(
        &self,
        request: Request<proto::PendingRequest>,
    ) -> Result<Response<proto::PendingResponse>, Status> {
        let which = branch_ref(&request.get_ref().branch).map_err(invalid)?;
        let lacking = self.manager.pending(&which).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(proto::PendingResponse {
            branch_id: lacking.branch.id.to_string(),
            branch_code: lacking.branch.code.to_string(),
            count: u32::try_from(lacking.migrations.len()).unwrap_or(u32::MAX),
            pending_migrations: lacking.migrations.iter().map(|migration| migration_to_proto(migration)).collect(),
        }))
    }

    async fn history(
        &self,
        request: Request<proto::HistoryRequest>,
    ) -> Result<Response<proto::HistoryResponse>, Status> {
        let which = branch_ref(&request.get_ref().branch).map_err(invalid)?;
        let history = self.manager.history(&which).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(convert::history_to_proto(history)))
    }

    async fn validate(
        &self,
        request: Request<proto::ValidateRequest>,
    ) -> Result<Response<proto::ValidateResponse>, Status> {
        let which = branch_ref(&request.get_ref().branch).map_err(invalid)?;
        let (branch, findings) = self.manager.validate(&which).await.map_err(|error| status_of(&error))?;
        let is_valid = convert::is_valid(&findings);
        Ok(Response::new(proto::ValidateResponse {
            branch_id: branch.id.to_string(),
            branch_code: branch.code.to_string(),
            is_valid,
            status: if is_valid { "Valid" } else { "Invalid" }.to_owned(),
            findings: findings.into_iter().map(convert::finding_to_proto).collect(),
        }))
    }

    async fn status(&self, request: Request<proto::StatusRequest>) -> Result<Response<proto::StatusResponse>, Status> {
        let (filter, mut page) = convert::status_query(request.into_inner()).map_err(invalid)?;
        loop {
            let found = self.manager.standing(&filter, &page).await.map_err(|error| status_of(&error))?;
            let now = chrono::Utc::now();
            let (totals, total_branches) = convert::totals_to_proto(&found.totals);
            let branches =
                found.branches.items.iter().map(|(branch, state)| branch_status_to_proto(branch, state, now));
            let answer = proto::StatusResponse {
                branches: branches.collect(),
                totals,
                total_branches,
                next_page_token: found.branches.next_token.clone(),
            };
            if self.sizes.fits(&answer, &mut page)? {
                return Ok(Response::new(answer));
            }
        }
    }

    async fn retry(&self, request: Request<proto::RetryRequest>) -> Result<Response<proto::RetryResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().branch);
        let which = branch_ref(&request.get_ref().branch).map_err(invalid)?;
        let (branch, state) = to_the_end(async move { manager.retry(&which, &caller).await }).await?;
        let status = branch_status_to_proto(&branch, &state, chrono::Utc::now());
        Ok(Response::new(proto::RetryResponse { status: Some(status) }))
    }

    async fn resolve(
        &self,
        request: Request<proto::ResolveRequest>,
    ) -> Result<Response<proto::ResolveResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().branch);
        let command = convert::resolve_command(request.into_inner()).map_err(invalid)?;
        let (branch, state) = to_the_end(async move { manager.resolve(command, &caller).await }).await?;
        let status = branch_status_to_proto(&branch, &state, chrono::Utc::now());
        Ok(Response::new(proto::ResolveResponse { status: Some(status) }))
    }

    async fn plan(&self, request: Request<proto::PlanRequest>) -> Result<Response<proto::PlanResponse>, Status> {
        let command = convert::plan_command(request.into_inner()).map_err(invalid)?;
        let view = self.manager.plan(command).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(convert::plan_to_proto(view)))
    }

    async fn rollback(
        &self,
        request: Request<proto::RollbackRequest>,
    ) -> Result<Response<proto::RollbackResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().branch);
        caller.request_id(&request.get_ref().request_id);
        let command = convert::rollback_command(request.into_inner()).map_err(invalid)?;
        let _slot = self.followers.slot()?;
        let run = to_the_end(async move { manager.rollback(command, &caller).await }).await?;
        let run = run_to_proto(run);
        Ok(Response::new(proto::RollbackResponse { run_id: run.id, result: run.result }))
    }

    async fn get_run(&self, request: Request<proto::GetRunRequest>) -> Result<Response<proto::GetRunResponse>, Status> {
        let id = convert::run_id(&request.get_ref().run_id).map_err(invalid)?;
        let run = self.manager.run(id).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(proto::GetRunResponse { run: Some(run_to_proto(run)) }))
    }

    async fn list_runs(
        &self,
        request: Request<proto::ListRunsRequest>,
    ) -> Result<Response<proto::ListRunsResponse>, Status> {
        let (states, mut page) = convert::run_list(request.into_inner()).map_err(invalid)?;
        loop {
            let found = self.manager.runs(&states, &page).await.map_err(|error| status_of(&error))?;
            let runs = found.items.into_iter().map(run_to_proto).collect();
            let answer = proto::ListRunsResponse { runs, next_page_token: found.next_token };
            if self.sizes.fits(&answer, &mut page)? {
                return Ok(Response::new(answer));
            }
        }
    }

    type WatchRunStream = BoxStream<'static, Result<proto::WatchRunResponse, Status>>;

    async fn watch_run(
        &self,
        request: Request<proto::WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        let request = request.into_inner();
        let (id, after) = convert::watch(&request).map_err(invalid)?;
        let slot = self.followers.slot()?;
        // A run that does not exist is told at once, not as the end of a stream.
        self.manager.run(id).await.map_err(|error| status_of(&error))?;
        let events = self.followers.follow(slot, self.manager.clone(), id, after, request.include_statements);
        let answers = events.map(|event| event.map(|event| proto::WatchRunResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn cancel_run(
        &self,
        request: Request<proto::CancelRunRequest>,
    ) -> Result<Response<proto::CancelRunResponse>, Status> {
        let (manager, caller) = (self.manager.clone(), caller(&request));
        caller.about(&request.get_ref().run_id);
        let id = convert::run_id(&request.get_ref().run_id).map_err(invalid)?;
        let run = to_the_end(async move { manager.cancel_run(id, &caller).await }).await?;
        Ok(Response::new(proto::CancelRunResponse { run: Some(run_to_proto(run)) }))
    }
}
