use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use tonic::Request;
use tonic::transport::Endpoint;

use crate::support::Raw;
use crate::target::{Target, processor_seconds};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// ghz, pinned.
    Ghz,
    /// A loop of our own, where ghz cannot be had.
    Own,
}

/// What a load has measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) mean: Duration,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    /// The processor time that the called process used for one call.
    pub(crate) processor: Duration,
}

impl Load {
    /// ghz, unless it cannot be had or is not wanted.
    pub(crate) fn choose(own: bool) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ghz");
        let installed = !own && Command::new(script).arg("--installed").status().is_ok_and(|status| status.success());
        if installed {
            return Self::Ghz;
        }
        println!("SKIPPED ghz: it is not used; the calls are made by a loop of this program instead");
        Self::Own
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ghz => "ghz",
            Self::Own => "own loop",
        }
    }

    /// Calls for this long, from as many callers at once, each over a connection of its own.
    pub(crate) async fn run(self, target: &Target, callers: usize, span: Duration) -> Measured {
        let (before, begun) = (processor_seconds(target.process), Instant::now());
        let mut seen = match self {
            Self::Ghz => ghz(target, callers, span),
            Self::Own => own(target, callers, span).await,
        };
        let used = processor_seconds(target.process) - before;
        assert!(seen.times.len() > callers, "only {} calls in {:?}", seen.times.len(), begun.elapsed());
        seen.times.sort_unstable();
        let at = |part: f64| seen.times[((seen.times.len() - 1) as f64 * part) as usize];
        let count = seen.times.len() as f64;
        Measured {
            per_second: count / seen.took.as_secs_f64(),
            mean: seen.times.iter().sum::<Duration>().div_f64(count),
            median: at(0.5),
            p99: at(0.99),
            processor: Duration::from_secs_f64(used / count),
        }
    }
}

struct Seen {
    times: Vec<Duration>,
    took: Duration,
}

/// The part of ghz's report that is read.
#[derive(Deserialize)]
struct Report {
    /// Nanoseconds.
    total: u64,
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    /// Nanoseconds.
    latency: u64,
    status: String,
}

fn ghz(target: &Target, callers: usize, span: Duration) -> Seen {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("scripts/ghz"));
    command
        .current_dir(root)
        .args(["--insecure", "--import-paths", "proto", "--proto"])
        .arg(if target.call.path().contains("BranchService") {
            "proto/branchkeeper/v1/branch_service.proto"
        } else {
            "proto/branchkeeper/v1/migration_service.proto"
        })
        .args(["--call", target.call.path().trim_start_matches('/'), "--data", &target.call.json()])
        .args(["--concurrency", &callers.to_string(), "--connections", &callers.to_string()])
        .args(["--duration", &format!("{}ms", span.as_millis()), "--duration-stop", "wait", "--format", "json"]);
    if !target.token.is_empty() {
        let metadata = serde_json::json!({ "authorization": format!("Bearer {}", target.token) });
        command.args(["--metadata", &metadata.to_string()]);
    }
    let output = command.arg(target.address.to_string()).output().unwrap();
    assert!(output.status.success(), "ghz: {}", String::from_utf8_lossy(&output.stderr));
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    // ghz names codes without a space: NotFound.
    for detail in &report.details {
        assert_eq!(detail.status, target.expected, "an answer to {}", target.call.path());
    }
    let times = report.details.iter().map(|detail| Duration::from_nanos(detail.latency)).collect();
    Seen { times, took: Duration::from_nanos(report.total) }
}

async fn own(target: &Target, callers: usize, span: Duration) -> Seen {
    let messages: Vec<Bytes> = target.call.bytes().into_iter().map(Bytes::from).collect();
    let mut clients = Vec::new();
    for _ in 0..callers {
        let endpoint = Endpoint::from_shared(format!("http://{}", target.address)).unwrap();
        clients.push(tonic::client::Grpc::new(endpoint.connect().await.unwrap()));
    }
    let begun = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        let (target, messages) = (target.clone(), messages.clone());
        all.spawn(async move {
            let mut times = Vec::new();
            for message in messages.iter().cycle().skip(number % messages.len()) {
                if begun.elapsed() >= span {
                    break;
                }
                let mut request = Request::new(message.clone());
                if !target.token.is_empty() {
                    request.metadata_mut().insert("authorization", format!("Bearer {}", target.token).parse().unwrap());
                }
                client.ready().await.unwrap();
                let sent = Instant::now();
                let answer = client.unary(request, target.call.path().parse().unwrap(), Raw).await;
                times.push(sent.elapsed());
                let code = answer.map_or_else(|status| format!("{:?}", status.code()), |_| "OK".to_owned());
                assert!(code.eq_ignore_ascii_case(target.expected), "{code} from {}", target.call.path());
            }
            times
        });
    }
    let times = all.join_all().await.into_iter().flatten().collect();
    Seen { times, took: begun.elapsed() }
}
