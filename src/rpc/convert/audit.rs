use crate::domain::Violations;
use crate::engine::{AuditEntry, AuditFilter, ChainReport, Page};
use crate::rpc::proto;

use super::fields::Fields;
use super::time::{moment, timestamp};

/// The longest text to filter by, in characters.
const MAX_TEXT: usize = 200;

/// Which entries of the audit record a request asks for, and which page of them.
pub(in crate::rpc) fn audit_filter(request: proto::ListAuditEventsRequest) -> Result<(AuditFilter, Page), Violations> {
    let mut fields = Fields::default();
    let page = fields.page(request.page_size, request.page_token);
    for (name, text) in [("who", &request.who), ("action", &request.action), ("subject", &request.subject)] {
        fields.0.text(name, text, MAX_TEXT);
    }
    let mut time = |name: &str, given: Option<prost_types::Timestamp>| {
        let given = given?;
        let read = moment(given);
        if read.is_none() {
            fields.bad(name, "is not a possible time");
        }
        read
    };
    let (since, until) = (time("since", request.since), time("until", request.until));
    let filter = AuditFilter { who: request.who, action: request.action, subject: request.subject, since, until };
    fields.finish(Some((filter, page)))
}

/// An entry as the contract shows it.
pub(in crate::rpc) fn audit_to_proto(entry: AuditEntry) -> proto::AuditEvent {
    proto::AuditEvent {
        sequence: entry.sequence,
        time: Some(timestamp(entry.time)),
        who: entry.who,
        role: entry.role,
        peer: entry.peer,
        action: entry.action,
        subject: entry.subject,
        request_id: entry.request_id,
        run_id: entry.run_id,
        detail: entry.detail,
        outcome: entry.outcome,
        hash: entry.hash,
    }
}

/// What verifying the record showed.
pub(in crate::rpc) fn audit_report_to_proto(report: ChainReport) -> proto::VerifyAuditResponse {
    let is_whole = report.broken.is_none();
    let (broken_sequence, problem) = report.broken.unwrap_or_default();
    proto::VerifyAuditResponse {
        is_whole,
        verified: report.verified,
        sequence: report.state.sequence,
        hash: report.state.hash,
        pruned_sequence: report.state.anchor_sequence,
        broken_sequence,
        problem,
    }
}
