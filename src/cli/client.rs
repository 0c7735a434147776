use std::future::Future;
use std::time::Duration;

use tokio_rustls::rustls;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tonic_types::StatusExt;

use super::credential::{Bearer, Credential};
use super::failure::{Failure, innermost};
use crate::rpc::DOMAIN;
use crate::rpc::proto::access_service_client::AccessServiceClient;
use crate::rpc::proto::audit_service_client::AuditServiceClient;
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

/// What to do when nothing answers.
const START: &str = "start one with `branchkeeper serve`, or name another with --server or BRANCHKEEPER_SERVER";
/// What to do when something answers with which hands cannot be shaken.
const TRUST: &str = "something listens there; name the authority behind its certificate with --tls-ca, a name that is in the \
                     certificate with --server, and a certificate of your own, where it asks for one, with --tls-cert and \
                     --tls-key";

/// A connection that carries the caller's token, if there is one.
pub(crate) type Line = InterceptedService<Channel, Bearer>;

/// Whether TLS is what an error is about, wherever in it that is said.
fn is_about_trust(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inside.is_some_and(|inside| inside.is::<rustls::Error>()) {
            return true;
        }
        next = error.source();
    }
    false
}

/// A connection to the service.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The register of branches.
    pub(crate) branches: BranchServiceClient<Line>,
    /// Migrating and looking.
    pub(crate) migrations: MigrationServiceClient<Line>,
    /// API tokens.
    pub(crate) access: AccessServiceClient<Line>,
    /// Who did what.
    pub(crate) audit: AuditServiceClient<Line>,
    /// For services of others, such as health.
    pub(crate) line: Line,
}

impl Client {
    /// Connects to the service at `server`, a URL or just a host and port, and shows the credential there.
    pub(crate) async fn connect(server: &str, credential: &Credential) -> Result<Self, Failure> {
        let url = server_url(server)?;
        let bearer = credential.bearer()?;
        if url.starts_with("http://") && bearer.is_some() && !is_local(&url) {
            return Err(Failure::usage(
                "the token would travel to another machine readable for all",
                "use an https:// address; a proxy on this machine may do TLS for one that has none",
            ));
        }
        let bad = |_| Failure::usage(format!("'{url}' is not a server's address"), ADDRESS_HINT);
        let mut endpoint = Endpoint::from_shared(url.clone()).map_err(bad)?;
        if url.starts_with("https://") {
            let tls = credential.tls()?;
            endpoint = endpoint.tls_config(tls).map_err(|error| {
                let message = format!("the certificates cannot be used: {}", innermost(&error));
                Failure::usage(message, "check --tls-ca, --tls-cert and --tls-key")
            })?;
        }
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            // A peer that died without a word is found out, however long a run is silent.
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT * 2, endpoint.connect()).await;
        let (reason, hint) = match connected {
            Ok(Ok(channel)) => return Ok(Self::over(InterceptedService::new(channel, Bearer::new(bearer)))),
            Ok(Err(error)) if is_about_trust(&error) => (innermost(&error), TRUST),
            Ok(Err(error)) => (innermost(&error), START),
            Err(_) => ("it does not answer".to_owned(), START),
        };
        Err(Failure::Unreachable {
            message: format!("no service can be reached at {url}: {reason}"),
            hint: hint.into(),
        })
    }

    fn over(line: Line) -> Self {
        Self {
            branches: BranchServiceClient::new(line.clone()).max_decoding_message_size(MAX_ANSWER),
            migrations: MigrationServiceClient::new(line.clone()).max_decoding_message_size(MAX_ANSWER),
            access: AccessServiceClient::new(line.clone()).max_decoding_message_size(MAX_ANSWER),
            audit: AuditServiceClient::new(line.clone()).max_decoding_message_size(MAX_ANSWER),
            line,
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

/// As [`answer`], for calls of which a person asks for many at once. One that was refused before it began, because they are
/// more than a caller may send, is sent again when the service says so, within `limit`.
pub(crate) async fn answer_in_turn<T, F>(limit: Duration, call: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        let ended = answer(limit, call()).await;
        let Err(Failure::Refused(status)) = &ended else { return ended };
        let Some(wait) = turn(status).filter(|wait| tokio::time::Instant::now() + *wait < deadline) else {
            return ended;
        };
        tokio::time::sleep(wait).await;
    }
}

/// When the turn of a call comes that was one too many.
fn turn(status: &Status) -> Option<Duration> {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN && info.reason == "RATE_LIMITED");
    let wait = details.retry_info().and_then(|info| info.retry_delay).unwrap_or(Duration::from_secs(1));
    info.map(|_| wait.max(Duration::from_millis(10)))
}

const ADDRESS_HINT: &str = "write it like http://127.0.0.1:50051, https://hq.example:50051 or unix:///run/bk.sock";

fn server_url(server: &str) -> Result<String, Failure> {
    let server = server.trim();
    let server = if server.is_empty() { DEFAULT_SERVER } else { server };
    if let Some(path) = server.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return if path.is_empty() || path.contains('\0') {
            Err(Failure::usage("the Unix socket has no path", ADDRESS_HINT))
        } else {
            Ok(format!("unix://{path}"))
        };
    }
    let url = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let parts = url.parse::<http::Uri>().ok().and_then(|uri| {
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?.to_owned();
        let plain = uri.path() == "/" && uri.query().is_none();
        let authority = uri.authority()?.as_str();
        (plain && !authority.contains('@') && !authority.starts_with(':')).then(|| format!("{scheme}://{authority}"))
    });
    // A wrong one is not repeated: somebody may have written a password into it.
    parts.ok_or_else(|| {
        Failure::usage("what --server or BRANCHKEEPER_SERVER says is not a server's address", ADDRESS_HINT)
    })
}

/// Whether a URL means this machine.
fn is_local(url: &str) -> bool {
    let host = url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stay_on_this_machine_unless_they_are_encrypted() {
        for local in ["http://127.0.0.1:7", "http://LOCALHOST", "http://[::1]:7"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["http://keeper:7", "http://10.0.0.1", "http://localhost.example:1"] {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn servers_are_urls_or_addresses() {
        let cases = [
            ("", DEFAULT_SERVER),
            ("http://keeper:7", "http://keeper:7"),
            ("http://keeper:7/", "http://keeper:7"),
            ("127.0.0.1:7", "http://127.0.0.1:7"),
            ("[::1]:7", "http://[::1]:7"),
            ("https://keeper:7", "https://keeper:7"),
            ("unix:///run/bk.sock", "unix:///run/bk.sock"),
            ("unix:bk.sock", "unix://bk.sock"),
        ];
        for (given, expected) in cases {
            assert_eq!(server_url(given).unwrap(), expected);
        }
        for bad in ["unix:", "ftp://keeper", "http://", "http://a b", "http://k:7/x", "http://u:hunter2@k:7"] {
            let failure = server_url(bad).unwrap_err();
            assert!(matches!(failure, Failure::Usage { .. }) && !failure.report().contains("hunter2"), "{bad}");
        }
    }
}
