use std::net::SocketAddr;

use branchkeeper::rpc::proto::{GetBranchRequest, PendingRequest, RetryRequest, StatusRequest};
use prost::Message;

/// The path of Pending.
pub(crate) const PENDING: &str = "/branchkeeper.v1.MigrationService/Pending";
/// The path of Status.
pub(crate) const STATUS: &str = "/branchkeeper.v1.MigrationService/Status";

/// What is called, where, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The process that answers.
    pub(crate) process: u32,
    /// A bearer token, or nothing.
    pub(crate) token: String,
    pub(crate) call: Call,
    /// The code that the answers have.
    pub(crate) expected: &'static str,
}

/// A call.
#[derive(Clone)]
pub(crate) enum Call {
    /// Pending of these branches, in turn.
    Pending(Vec<String>),
    /// Status of all.
    Status,
    /// Two calls that look a branch up, find none and do nothing further. Retry leaves an audit entry, GetBranch none.
    RetryUnknown,
    GetUnknown,
}

const NOBODY: &str = "NOBODY";
/// The largest page.
pub(crate) const ALL: u32 = 1_000;

impl Call {
    /// The method's path.
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Pending(_) => PENDING,
            Self::Status => STATUS,
            Self::RetryUnknown => "/branchkeeper.v1.MigrationService/Retry",
            Self::GetUnknown => "/branchkeeper.v1.BranchService/GetBranch",
        }
    }

    /// The messages to send in turn, as JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Pending(branches) => {
                let all: Vec<_> = branches.iter().map(|branch| serde_json::json!({ "branch": branch })).collect();
                serde_json::Value::from(all).to_string()
            }
            Self::Status => serde_json::json!({ "page_size": ALL }).to_string(),
            Self::RetryUnknown | Self::GetUnknown => serde_json::json!({ "branch": NOBODY }).to_string(),
        }
    }

    /// The same messages as bytes.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Pending(branches) => {
                branches.iter().map(|branch| PendingRequest { branch: branch.clone() }.encode_to_vec()).collect()
            }
            Self::Status => vec![StatusRequest { page_size: ALL, ..StatusRequest::default() }.encode_to_vec()],
            Self::RetryUnknown => vec![RetryRequest { branch: NOBODY.into() }.encode_to_vec()],
            Self::GetUnknown => vec![GetBranchRequest { branch: NOBODY.into() }.encode_to_vec()],
        }
    }
}

/// The processor time that a process has used so far, in seconds.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The program's name, in brackets, may have spaces.
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    // User and system time, in hundredths of a second on every Linux.
    (ticks(11) + ticks(12)) / 100.0
}
