//! What the service measures, for Prometheus.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};

use super::exposition::{Exposition, Kind};
use crate::engine::{Manager, Measures};

/// How long head office is waited for: less than scrapers wait for the page.
const LOOK: Duration = Duration::from_secs(5);

/// Adds to the page what others have measured.
pub type Others = Arc<dyn Fn(&mut Exposition) + Send + Sync>;

/// The route `/metrics`: the state of the fleet as head office knows it, this process, and what `others` add. It answers
/// also while head office is away, and then says so instead of telling of the fleet.
pub fn metrics(manager: Manager, others: Others) -> Router {
    Router::new().route("/metrics", get(page)).with_state((manager, others))
}

async fn page(State((manager, others)): State<(Manager, Others)>) -> Response {
    let mut page = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    page.family("branchkeeper_info", Kind::Gauge, "The program's version.").sample(&[("version", version)], 1);
    let ready = manager.readiness().borrow().ready();
    page.family("branchkeeper_ready", Kind::Gauge, "Whether the service can do its work, as /readyz says.")
        .sample(&[], u8::from(ready));
    let measures = tokio::time::timeout(LOOK, manager.measures()).await.ok().and_then(Result::ok);
    page.family("branchkeeper_head_office_up", Kind::Gauge, "Whether head office could be asked just now.")
        .sample(&[], u8::from(measures.is_some()));
    if let Some(measures) = measures {
        fleet(&mut page, &measures);
    }
    process(&mut page);
    others(&mut page);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(Exposition::MEDIA_TYPE)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, page.into_text()).into_response()
}

/// What all replicas of a head office say alike.
fn fleet(page: &mut Exposition, measures: &Measures) {
    let mut branches = page.family("branchkeeper_branches", Kind::Gauge, "Branches in each status.");
    for (status, number) in &measures.branches {
        branches.sample(&[("status", status.as_str())], number);
    }
    page.family("branchkeeper_leases", Kind::Gauge, "Branches that a replica works on: this one, or others.")
        .sample(&[("holder", "this")], measures.own_leases)
        .sample(&[("holder", "others")], measures.other_leases);
    let mut runs = page.family("branchkeeper_runs", Kind::Gauge, "Runs in each state that head office still has.");
    for (state, number) in &measures.runs {
        runs.sample(&[("state", state.as_str())], number);
    }
    let help = "Notifications in each state that head office still has; Pending ones wait to be delivered.";
    let mut messages = page.family("branchkeeper_notifications", Kind::Gauge, help);
    for (state, number) in &measures.messages {
        messages.sample(&[("state", state.as_str())], number);
    }
    let waiting = measures.oldest_pending.and_then(|since| SystemTime::now().duration_since(since.into()).ok());
    let help = "How long the notification has waited that has waited the longest; 0 when none waits.";
    page.family("branchkeeper_notification_wait_seconds", Kind::Gauge, help)
        .sample(&[], waiting.unwrap_or_default().as_secs_f64());
}

/// What any process has, under the names that it has everywhere.
fn process(page: &mut Exposition) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    if let Some(kilobytes) = resident.and_then(|number| number.trim().parse::<u64>().ok()) {
        page.family("process_resident_memory_bytes", Kind::Gauge, "Resident memory.").sample(&[], kilobytes * 1024);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them is this look.
        let number = open.count().saturating_sub(1);
        page.family("process_open_fds", Kind::Gauge, "Open files, connections included.").sample(&[], number);
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    if let Some(limit) = limit.and_then(|number| number.parse::<u64>().ok()) {
        page.family("process_max_fds", Kind::Gauge, "How many files may be open.").sample(&[], limit);
    }
}
