//! A service with canned answers, whose streams break when a test wants them to.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use branchkeeper::rpc::proto::branch_service_server::{BranchService, BranchServiceServer};
use branchkeeper::rpc::proto::migration_service_server::{MigrationService, MigrationServiceServer};
use branchkeeper::rpc::proto::run_event::Event;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::support::pb;

pub(crate) const RUN: &str = "0198c2f4-7a31-7c1e-9f42-0d1c2b3a4e5f";

/// What a stream does after its next events.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    /// It breaks, as when the connection is lost.
    Break,
    /// It ends without an error before the run is over.
    End,
    /// It stays open and silent.
    Hang,
    /// It is refused for good.
    Refuse,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) events: Vec<pb::RunEvent>,
    /// What the next streams do: this many events from where they were asked to begin, and then that.
    pub(crate) script: VecDeque<(usize, Then)>,
    /// Let a stream begin this many events before where it was asked to.
    pub(crate) overlap: usize,
    pub(crate) branches: BTreeMap<String, pb::Branch>,
    pub(crate) result: pb::MigrationResult,
    pub(crate) valid: bool,
    /// The requests that came in, in short.
    pub(crate) calls: Vec<String>,
}

/// The fake service.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn note(&self, call: impl Into<String>) {
        self.with(|state| state.calls.push(call.into()));
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.with(|state| state.calls.clone())
    }

    /// Starts serving, and returns where.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<BranchServiceServer<Self>>().await;
        reporter.set_not_serving::<MigrationServiceServer<Self>>().await;
        let server = tonic::transport::Server::builder()
            .add_service(health)
            .add_service(BranchServiceServer::new(self.clone()))
            .add_service(MigrationServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        format!("http://{address}")
    }

    fn stream(&self, after: i64) -> Result<Response<Events>, Status> {
        let (events, then) = self.with(|state| {
            let from = usize::try_from(after).unwrap().saturating_sub(state.overlap);
            let rest: Vec<_> = state.events.iter().skip(from).cloned().collect();
            match state.script.pop_front() {
                Some((count, then)) => (rest.into_iter().take(count).collect(), Some(then)),
                None => (rest, None),
            }
        });
        if let Some(Then::Refuse) = then {
            return Err(refusal(Code::NotFound, "there is no such run any more", "list the runs"));
        }
        let events: Vec<pb::RunEvent> = events;
        let items = futures_util::stream::iter(events.into_iter().map(Ok));
        use futures_util::StreamExt as _;
        let end: Events = match then {
            Some(Then::Break) => Box::pin(futures_util::stream::iter([Err(Status::unavailable("the cable is cut"))])),
            Some(Then::Hang) => Box::pin(futures_util::stream::pending()),
            _ => Box::pin(futures_util::stream::empty()),
        };
        Ok(Response::new(Box::pin(items.chain(end))))
    }
}

type Events = Pin<Box<dyn futures_util::Stream<Item = Result<pb::RunEvent, Status>> + Send>>;
type Answers<T> = Pin<Box<dyn futures_util::Stream<Item = Result<T, Status>> + Send>>;

/// A refusal as the real service makes them.
pub(crate) fn refusal(code: Code, message: &str, hint: &str) -> Status {
    let mut details = ErrorDetails::new();
    let metadata = HashMap::from([("hint".to_owned(), hint.to_owned())]);
    details.set_error_info("SOME_REASON", "branchkeeper", metadata);
    Status::with_error_details(code, format!("{message}; {hint}"), details)
}

/// A run over branches, the failing ones as named.
pub(crate) fn run_over(codes: &[&str], failing: &[&str]) -> (Vec<pb::RunEvent>, pb::MigrationResult) {
    let total = codes.len() as u32;
    let mut bodies = vec![Event::RunStarted(pb::RunStarted { branches_total: total })];
    let mut errors = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let branch_code = (*code).to_owned();
        let error = failing.contains(code).then(|| pb::MigrationError {
            branch_code: branch_code.clone(),
            migration_id: "2_b".into(),
            class: pb::FailureClass::Sql.into(),
            message: "near \"CREAT\": syntax error".into(),
            hint: "correct the file".into(),
            file: "2_b.up.sql".into(),
            line: 12,
            ..Default::default()
        });
        errors.extend(error.clone());
        bodies.push(Event::BranchStarted(pb::BranchStarted {
            branch_code: branch_code.clone(),
            provider: pb::Provider::Sqlite.into(),
            pending_migrations: 1,
            ..Default::default()
        }));
        let status = if error.is_some() { pb::MigrationStatus::Failed } else { pb::MigrationStatus::Completed };
        bodies.push(Event::BranchFinished(pb::BranchFinished {
            branch_code,
            status: status.into(),
            applied_migrations: vec!["1_a".into()],
            error,
            duration: Some(prost_types::Duration { seconds: 0, nanos: 5_000_000 }),
            branches_done: index as u32 + 1,
            branches_total: total,
            ..Default::default()
        }));
    }
    let failed = errors.len() as u32;
    let result = pb::MigrationResult {
        success: failed == 0,
        applied_migrations: codes.iter().map(|code| format!("[{code}] 1_a")).collect(),
        errors,
        duration: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
        branches_processed: total,
        branches_succeeded: total - failed,
        branches_failed: failed,
        ..Default::default()
    };
    bodies.push(Event::RunFinished(pb::RunFinished { result: Some(result.clone()) }));
    let event = |(index, body)| pb::RunEvent {
        run_id: RUN.into(),
        sequence: index as i64 + 1,
        time: Some(prost_types::Timestamp { seconds: 1_764_670_469, nanos: 0 }),
        event: Some(body),
    };
    (bodies.into_iter().enumerate().map(event).collect(), result)
}

#[tonic::async_trait]
impl BranchService for Fake {
    async fn create_branch(
        &self,
        request: Request<pb::CreateBranchRequest>,
    ) -> Result<Response<pb::CreateBranchResponse>, Status> {
        let mut branch = request.into_inner().branch.unwrap();
        self.note(format!("create {}", branch.code));
        if branch.name == "refuse me" {
            return Err(refusal(Code::AlreadyExists, "the database is taken", "use another"));
        }
        branch.id = format!("id-{}", branch.code);
        let old = self.with(|state| state.branches.insert(branch.code.clone(), branch.clone()));
        assert!(old.is_none());
        Ok(Response::new(pb::CreateBranchResponse { branch: Some(branch) }))
    }

    async fn get_branch(
        &self,
        request: Request<pb::GetBranchRequest>,
    ) -> Result<Response<pb::GetBranchResponse>, Status> {
        let code = request.into_inner().branch;
        self.note(format!("get {code}"));
        let branch = self.with(|state| state.branches.get(&code).cloned());
        let none = || refusal(Code::NotFound, &format!("there is no branch '{code}'"), "list them");
        Ok(Response::new(pb::GetBranchResponse { branch: Some(branch.ok_or_else(none)?) }))
    }

    async fn list_branches(
        &self,
        request: Request<pb::ListBranchesRequest>,
    ) -> Result<Response<pb::ListBranchesResponse>, Status> {
        let request = request.into_inner();
        // Pages of two, however many are asked for, so that paging is seen to work.
        let size = 2.min(request.page_size as usize);
        let from: usize = request.page_token.parse().unwrap_or(0);
        self.note(format!("list {from}"));
        let (branches, count) =
            self.with(|state| (state.branches.values().skip(from).take(size).cloned().collect(), state.branches.len()));
        let next_page_token = if from + size < count { (from + size).to_string() } else { String::new() };
        Ok(Response::new(pb::ListBranchesResponse { branches, next_page_token }))
    }

    async fn update_branch(
        &self,
        request: Request<pb::UpdateBranchRequest>,
    ) -> Result<Response<pb::UpdateBranchResponse>, Status> {
        let request = request.into_inner();
        let value = request.value.unwrap();
        self.note(format!("update {} {}", value.code, request.update_mask.unwrap().paths.join(",")));
        self.with(|state| state.branches.insert(value.code.clone(), value.clone()));
        Ok(Response::new(pb::UpdateBranchResponse { branch: Some(value) }))
    }

    async fn delete_branch(
        &self,
        request: Request<pb::DeleteBranchRequest>,
    ) -> Result<Response<pb::DeleteBranchResponse>, Status> {
        let code = request.into_inner().branch;
        self.note(format!("delete {code}"));
        self.with(|state| state.branches.remove(&code));
        Ok(Response::new(pb::DeleteBranchResponse {}))
    }

    async fn test_connection(
        &self,
        request: Request<pb::TestConnectionRequest>,
    ) -> Result<Response<pb::TestConnectionResponse>, Status> {
        use pb::test_connection_request::Target;
        let reachable = matches!(request.into_inner().target, Some(Target::Branch(code)) if code == "GOOD");
        let answer = pb::TestConnectionResponse {
            reachable,
            latency: Some(prost_types::Duration { seconds: 0, nanos: 2_000_000 }),
            message: if reachable { String::new() } else { "no route to host".into() },
            hint: if reachable { String::new() } else { "check the address".into() },
            ..Default::default()
        };
        Ok(Response::new(answer))
    }

    async fn rekey(&self, _: Request<pb::RekeyRequest>) -> Result<Response<pb::RekeyResponse>, Status> {
        let unreadable_branches = vec!["BR007".to_owned()];
        let answer =
            pb::RekeyResponse { rewritten: 3, current: 1, unreadable: 1, unreadable_branches, ..Default::default() };
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl MigrationService for Fake {
    type ApplyAllStream = Answers<pb::ApplyAllResponse>;
    type WatchRunStream = Answers<pb::WatchRunResponse>;

    async fn apply(&self, request: Request<pb::ApplyRequest>) -> Result<Response<pb::ApplyResponse>, Status> {
        let request = request.into_inner();
        self.note(format!("apply {} to '{}'", request.branch, request.target_migration));
        let result = Some(self.with(|state| state.result.clone()));
        Ok(Response::new(pb::ApplyResponse { run_id: RUN.into(), result }))
    }

    async fn apply_all(&self, request: Request<pb::ApplyAllRequest>) -> Result<Response<Self::ApplyAllStream>, Status> {
        use futures_util::StreamExt as _;
        self.note(format!("apply_all {}", request.into_inner().request_id));
        let events = self.stream(0)?.into_inner();
        let answers = events.map(|event| event.map(|event| pb::ApplyAllResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn watch_run(&self, request: Request<pb::WatchRunRequest>) -> Result<Response<Self::WatchRunStream>, Status> {
        use futures_util::StreamExt as _;
        let request = request.into_inner();
        self.note(format!("watch {} after {}", request.run_id, request.after_sequence));
        let events = self.stream(request.after_sequence)?.into_inner();
        let answers = events.map(|event| event.map(|event| pb::WatchRunResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn resolve(&self, request: Request<pb::ResolveRequest>) -> Result<Response<pb::ResolveResponse>, Status> {
        Err(Status::failed_precondition(format!("nothing is in doubt in '{}'", request.into_inner().branch)))
    }

    async fn rollback(&self, request: Request<pb::RollbackRequest>) -> Result<Response<pb::RollbackResponse>, Status> {
        self.note(format!("rollback {} {:?}", request.get_ref().branch, request.get_ref().extent));
        let rolled_back_migrations = vec!["1_a".into()];
        let result = Some(pb::MigrationResult { success: true, rolled_back_migrations, ..Default::default() });
        Ok(Response::new(pb::RollbackResponse { run_id: RUN.into(), result }))
    }

    async fn plan(&self, request: Request<pb::PlanRequest>) -> Result<Response<pb::PlanResponse>, Status> {
        Err(Status::failed_precondition(format!("no plan for '{}'", request.into_inner().branch)))
    }

    async fn pending(&self, request: Request<pb::PendingRequest>) -> Result<Response<pb::PendingResponse>, Status> {
        let migration =
            pb::MigrationInfo { id: "1_a".into(), name: "a".into(), reversible: true, ..Default::default() };
        Ok(Response::new(pb::PendingResponse {
            branch_code: request.into_inner().branch,
            pending_migrations: vec![migration],
            count: 1,
            ..Default::default()
        }))
    }

    async fn history(&self, request: Request<pb::HistoryRequest>) -> Result<Response<pb::HistoryResponse>, Status> {
        Ok(Response::new(pb::HistoryResponse {
            branch_code: request.into_inner().branch,
            applied_migrations: vec![pb::AppliedMigration { id: "1_a".into(), ..Default::default() }],
            pending_migrations: vec!["2_b".into()],
            status: pb::MigrationStatus::Failed.into(),
            retry_count: 2,
            error_details: "near \"CREAT\"".into(),
            ..Default::default()
        }))
    }

    async fn validate(&self, request: Request<pb::ValidateRequest>) -> Result<Response<pb::ValidateResponse>, Status> {
        let is_valid = self.with(|state| state.valid);
        let finding = pb::Finding {
            severity: pb::Severity::Error.into(),
            kind: "MissingTable".into(),
            message: "the table Sales is missing".into(),
            ..Default::default()
        };
        Ok(Response::new(pb::ValidateResponse {
            branch_code: request.into_inner().branch,
            is_valid,
            status: if is_valid { "Valid" } else { "Invalid" }.into(),
            findings: if is_valid { Vec::new() } else { vec![finding] },
            ..Default::default()
        }))
    }

    async fn status(&self, request: Request<pb::StatusRequest>) -> Result<Response<pb::StatusResponse>, Status> {
        let request = request.into_inner();
        let size = 2.min(request.page_size as usize);
        let from: usize = request.page_token.parse().unwrap_or(0);
        let codes: Vec<String> = self.with(|state| state.branches.keys().cloned().collect());
        let status = |code: &String| pb::BranchStatus {
            branch_code: code.clone(),
            provider: pb::Provider::Sqlite.into(),
            status: pb::MigrationStatus::Completed.into(),
            is_active: true,
            ..Default::default()
        };
        let total = codes.len();
        Ok(Response::new(pb::StatusResponse {
            branches: codes.iter().skip(from).take(size).map(status).collect(),
            totals: HashMap::from([("Completed".to_owned(), total as u32), ("Failed".to_owned(), 0)]),
            total_branches: total as u32,
            next_page_token: if from + size < total { (from + size).to_string() } else { String::new() },
        }))
    }

    async fn retry(&self, request: Request<pb::RetryRequest>) -> Result<Response<pb::RetryResponse>, Status> {
        let status = pb::BranchStatus {
            branch_code: request.into_inner().branch,
            status: pb::MigrationStatus::Pending.into(),
            is_active: true,
            ..Default::default()
        };
        Ok(Response::new(pb::RetryResponse { status: Some(status) }))
    }

    async fn get_run(&self, _: Request<pb::GetRunRequest>) -> Result<Response<pb::GetRunResponse>, Status> {
        Err(Status::unimplemented("the command line does not ask for it"))
    }

    async fn list_runs(&self, _: Request<pb::ListRunsRequest>) -> Result<Response<pb::ListRunsResponse>, Status> {
        let run = pb::Run {
            id: RUN.into(),
            kind: pb::RunKind::ApplyAll.into(),
            state: pb::RunState::Succeeded.into(),
            ..Default::default()
        };
        Ok(Response::new(pb::ListRunsResponse { runs: vec![run], next_page_token: String::new() }))
    }

    async fn cancel_run(
        &self,
        request: Request<pb::CancelRunRequest>,
    ) -> Result<Response<pb::CancelRunResponse>, Status> {
        let id = request.into_inner().run_id;
        self.note(format!("cancel {id}"));
        let run = pb::Run { id, state: pb::RunState::Cancelled.into(), ..Default::default() };
        Ok(Response::new(pb::CancelRunResponse { run: Some(run) }))
    }
}
