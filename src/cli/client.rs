use std::future::Future;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use super::failure::{Failure, innermost};
use crate::rpc::proto::branch_service_client::BranchServiceClient;
use crate::rpc::proto::migration_service_client::MigrationServiceClient;

/// Where the service is looked for when nothing else is said.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:50051";

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read: a full page of branches with long errors stays well below it.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// How long to wait for answers that the service has at hand.
pub(crate) const QUICK: Duration = Duration::from_secs(60);

/// How long to wait for answers that need a branch's database, which may be far away.
pub(crate) const PATIENT: Duration = Duration::from_secs(180);

/// A connection to the service.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The register of branches.
    pub(crate) branches: BranchServiceClient<Channel>,
    /// Migrating and looking.
    pub(crate) migrations: MigrationServiceClient<Channel>,
    /// For services of others, such as health.
    pub(crate) channel: Channel,
}

impl Client {
    /// Connects to the service at `server`, a URL or just a host and port.
    pub(crate) async fn connect(server: &str) -> Result<Self, Failure> {
        let url = server_url(server)?;
        let bad = |_| Failure::usage(format!("'{url}' is not a server's address"), ADDRESS_HINT);
        let endpoint = Endpoint::from_shared(url.clone()).map_err(bad)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            // A peer that died without a word is found out, however long a run is silent.
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT * 2, endpoint.connect()).await;
        let reason = match connected {
            Ok(Ok(channel)) => return Ok(Self::over(channel)),
            Ok(Err(error)) => innermost(&error),
            Err(_) => "it does not answer".to_owned(),
        };
        Err(Failure::Unreachable {
            message: format!("no service can be reached at {url}: {reason}"),
            hint: "start one with `branchkeeper serve`, or name another with --server or BRANCHKEEPER_SERVER".into(),
        })
    }

    fn over(channel: Channel) -> Self {
        let branches = BranchServiceClient::new(channel.clone());
        let migrations = MigrationServiceClient::new(channel.clone());
        Self {
            branches: branches.max_decoding_message_size(MAX_ANSWER),
            migrations: migrations.max_decoding_message_size(MAX_ANSWER),
            channel,
        }
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn answer<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(Failure::Unreachable {
            message: format!("the service did not answer within {}", crate::config::format_duration(limit)),
            hint: "`branchkeeper health` shows whether it is well; its log may say more".into(),
        }),
    }
}

const ADDRESS_HINT: &str = "write it like http://127.0.0.1:50051";

fn server_url(server: &str) -> Result<String, Failure> {
    let server = server.trim();
    let server = if server.is_empty() { DEFAULT_SERVER } else { server };
    let url = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    if url.starts_with("https://") {
        return Err(Failure::usage("TLS is not supported yet", "use an http:// address on a network that you trust"));
    }
    let authority = url.parse::<http::Uri>().ok().and_then(|uri| {
        let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        let authority = uri.authority()?.as_str();
        (plain && !authority.contains('@') && !authority.starts_with(':')).then(|| authority.to_owned())
    });
    // A wrong one is not repeated: somebody may have written a password into it.
    let wrong = || Failure::usage("what --server or BRANCHKEEPER_SERVER says is not a server's address", ADDRESS_HINT);
    authority.map(|authority| format!("http://{authority}")).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_urls_or_addresses() {
        let cases = [
            ("", DEFAULT_SERVER),
            ("http://keeper:7", "http://keeper:7"),
            ("http://keeper:7/", "http://keeper:7"),
            ("127.0.0.1:7", "http://127.0.0.1:7"),
            ("[::1]:7", "http://[::1]:7"),
        ];
        for (given, expected) in cases {
            assert_eq!(server_url(given).unwrap(), expected);
        }
        for bad in ["https://keeper:7", "ftp://keeper", "http://", "http://a b", "http://k:7/x", "http://u:hunter2@k:7"]
        {
            let failure = server_url(bad).unwrap_err();
            assert!(matches!(failure, Failure::Usage { .. }) && !failure.report().contains("hunter2"), "{bad}");
        }
    }
}
