//! What a call costs without Branchkeeper: the same transport, the same messages, an answer that is known beforehand.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use branchkeeper::rpc::ServerSettings;
use branchkeeper::rpc::proto::{PendingRequest, PendingResponse, StatusRequest, StatusResponse};
use futures_util::future::BoxFuture;
use prost::Message;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::support::temp_dir;
use crate::target::{PENDING, STATUS};

/// The argument that makes this program an echo.
pub(crate) const FLAG: &str = "--echo";

/// A process that answers as the service has answered before, and does nothing else.
pub(crate) struct Echo {
    child: Child,
    _folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
}

impl Echo {
    /// One that knows these answers: of Pending by branch, and of Status.
    pub(crate) async fn start(pending: &[PendingResponse], status: &StatusResponse) -> Self {
        let folder = temp_dir();
        for answer in pending {
            std::fs::write(folder.path().join(format!("{}.pending", answer.branch_code)), answer.encode_to_vec())
                .unwrap();
        }
        std::fs::write(folder.path().join("status"), status.encode_to_vec()).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args([FLAG, &address.to_string()]).arg(folder.path()).stdin(Stdio::null());
        let echo = Self { child: command.spawn().unwrap(), _folder: folder, address };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the echo does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        echo
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves what is in the folder until the process is killed, with the transport settings of the service.
pub(crate) async fn serve(address: &str, folder: PathBuf) {
    let mut answers = Answers { pending: HashMap::new(), status: StatusResponse::default() };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some() {
            let answer = PendingResponse::decode(&*bytes).unwrap();
            answers.pending.insert(answer.branch_code.clone(), answer);
        } else {
            answers.status = StatusResponse::decode(&*bytes).unwrap();
        }
    }
    let settings = ServerSettings::default();
    let incoming = TcpIncoming::bind(address.parse().unwrap()).unwrap().with_nodelay(Some(true));
    Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(settings.keepalive_interval))
        .http2_keepalive_timeout(Some(settings.keepalive_timeout))
        .http2_max_header_list_size(settings.max_header_list_bytes)
        .max_concurrent_streams(settings.max_streams_per_connection)
        .add_service(Service(Arc::new(answers)))
        .serve_with_incoming(incoming)
        .await
        .unwrap();
}

struct Answers {
    pending: HashMap<String, PendingResponse>,
    status: StatusResponse,
}

#[derive(Clone)]
struct Service(Arc<Answers>);

impl NamedService for Service {
    const NAME: &'static str = "branchkeeper.v1.MigrationService";
}

/// As generated code does it.
impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answers = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match request.uri().path() {
                PENDING => {
                    let mut grpc = Grpc::new(ProstCodec::default()).accept_compressed(Gzip).send_compressed(Gzip);
                    grpc.unary(Pending(answers), request).await
                }
                STATUS => {
                    let mut grpc = Grpc::new(ProstCodec::default()).accept_compressed(Gzip).send_compressed(Gzip);
                    grpc.unary(All(answers), request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

struct Pending(Arc<Answers>);

impl tonic::server::UnaryService<PendingRequest> for Pending {
    type Response = PendingResponse;
    type Future = std::future::Ready<Result<Response<PendingResponse>, Status>>;

    fn call(&mut self, request: Request<PendingRequest>) -> Self::Future {
        let answer = self.0.pending.get(&request.get_ref().branch);
        std::future::ready(answer.cloned().map(Response::new).ok_or_else(|| Status::not_found("")))
    }
}

struct All(Arc<Answers>);

impl tonic::server::UnaryService<StatusRequest> for All {
    type Response = StatusResponse;
    type Future = std::future::Ready<Result<Response<StatusResponse>, Status>>;

    fn call(&mut self, _: Request<StatusRequest>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.status.clone())))
    }
}
