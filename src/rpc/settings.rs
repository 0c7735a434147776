use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::auth::AuthSettings;
use super::connections::TlsSettings;

/// How the server listens, and what it bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address to listen on. Default: 127.0.0.1:50051.
    pub listen: SocketAddr,
    /// A Unix socket to listen on besides. Default: none.
    pub unix_socket: Option<PathBuf>,
    /// TLS for the address. Default: none.
    pub tls: Option<TlsSettings>,
    /// How callers prove who they are. Default: not at all.
    pub auth: AuthSettings,
    /// The largest message received or sent, in bytes. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// The most connections at once; a further one takes the place of one that has nothing to do, or is closed at once.
    /// Default: 1,024.
    pub max_connections: usize,
    /// The most calls and streams at once on one HTTP/2 connection. Default: 256.
    pub max_streams_per_connection: u32,
    /// The most short calls at once, over all connections, each until its answer has been taken; a further one is refused
    /// with RESOURCE_EXHAUSTED. One caller has half of them at most. Default: 512.
    pub concurrency_limit: usize,
    /// The most calls that follow a run at once (Apply, Rollback, and the streams of ApplyAll and WatchRun), which count
    /// apart from the others; a further one is refused with RESOURCE_EXHAUSTED. One caller has half of them at most.
    /// Default: 512.
    pub max_followers: usize,
    /// Web pages that may call the service, by origin, such as `https://hq.example`. Those of this machine (localhost)
    /// always may. Default: none.
    pub allowed_origins: Vec<String>,
    /// The largest list of headers accepted, in bytes. Default: 16 KiB.
    pub max_header_list_bytes: u32,
    /// The time after which a silent HTTP/2 connection is asked for a sign of life. Default: 30 s.
    pub keepalive_interval: Duration,
    /// The time that the client has to give one. Default: 20 s.
    pub keepalive_timeout: Duration,
    /// The time that a new connection has to begin to speak. Default: 10 s.
    pub silence_timeout: Duration,
    /// The time in which a call's message has to arrive whole. Default: 30 s.
    pub request_timeout: Duration,
    /// The time after which an answer of which the client takes nothing is given up, and a connection that it does not
    /// read closed. Default: 1 minute.
    pub slow_reader_timeout: Duration,
    /// The time after which a connection without an open call is closed. Default: 10 minutes.
    pub idle_timeout: Duration,
    /// The calls a second that each caller may make in the long run; 0 means no limit. Default: 500.
    pub requests_per_second: u32,
    /// The calls that each caller may make at once after a rest. Default: 1,000.
    pub request_burst: u32,
    /// The time that calls have to end once the server is to stop; then their connections are cut. Default: 30 s.
    pub shutdown_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            unix_socket: None,
            tls: None,
            auth: AuthSettings::default(),
            max_message_bytes: 4 * 1024 * 1024,
            max_connections: 1024,
            max_streams_per_connection: 256,
            concurrency_limit: 512,
            max_followers: 512,
            allowed_origins: Vec::new(),
            max_header_list_bytes: 16 * 1024,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            slow_reader_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(600),
            requests_per_second: 500,
            request_burst: 1_000,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}
