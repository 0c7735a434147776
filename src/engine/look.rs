//! The look at a branch that comes before its lease.
//!
//! Most branches of most runs have nothing to do, and a look tells: one connection, one query, nothing written. A lease
//! would cost head office two writes for each of them.

use super::apply::{Attempt, Broken};
use super::report::Report;
use crate::domain::{EventBody, Ledger, Plan, RunRequest};
use crate::provider::{ErrorKind, Session, Spare};
use crate::store::KnownState;

/// A connection, and the branch's ledger as it was read there.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) ledger: Ledger,
}

/// What a look has come to.
pub(super) enum Looked {
    /// There is nothing to do, which is all that the run wants to know of the branch.
    UpToDate,
    /// A lease is needed: there is something to do, or a failure to be recorded. The connection is of use for that.
    Due(Box<Result<Opened, Broken>>),
    /// A lease is needed, and everything has to be begun anew.
    Unknown,
}

impl Looked {
    fn due(opened: Result<Opened, Broken>) -> Self {
        Self::Due(Box::new(opened))
    }

    /// There is something to do, and not over a connection of others.
    async fn to_do(opened: Opened) -> Self {
        if opened.session.is_borrowed() {
            opened.session.close().await;
            return Self::Unknown;
        }
        Self::due(Ok(opened))
    }
}

/// Whether a look may come before the lease: where nobody has one, and the run wants nothing that has to be found out
/// under one.
pub(super) fn may_look(request: &RunRequest, known: &KnownState) -> bool {
    !request.dry_run && request.rollback.is_none() && known.is_free && known.state.hold.is_none()
}

impl Attempt<'_> {
    /// Looks whether there is anything to do. What was seen is in `report` where there is nothing.
    /// It goes over the `spare` connection where that serves, and leaves one there where it can.
    pub(super) async fn look(&self, report: &mut Report, spare: &mut Option<Spare>) -> Looked {
        let endpoint = match self.endpoint() {
            Ok(endpoint) => endpoint,
            Err(broken) => return Looked::due(Err(broken)),
        };
        let mut opened = match Session::connect_over(&endpoint, &self.settings.provider, spare.take()).await {
            // To create it is a change.
            Err(error) if error.kind == ErrorKind::DatabaseMissing => return Looked::Unknown,
            Err(error) => return Looked::due(Err(self.broken(error))),
            Ok(session) => match self.read(session).await {
                Ok(opened) => opened,
                Err(broken) => return Looked::due(Err(broken)),
            },
        };
        let Ok(plan) = self.plan(&opened.ledger, report) else { return Looked::to_do(opened).await };
        let wanted = async |opened: &mut Opened| {
            self.check_digest(&mut opened.session, &opened.ledger, &plan, report).await.is_ok()
        };
        if !plan.is_empty() || !wanted(&mut opened).await {
            return Looked::to_do(opened).await;
        }
        report.see(self.catalogue, &opened.ledger, self.run_id);
        self.tell_start(&plan);
        *spare = opened.session.leave().await;
        Looked::UpToDate
    }

    /// Reads the ledger in a new session.
    pub(super) async fn read(&self, mut session: Session) -> Result<Opened, Broken> {
        match session.ledger().await {
            Ok(ledger) => Ok(Opened { session, ledger }),
            Err(error) => {
                session.close().await;
                Err(self.broken(error))
            }
        }
    }

    /// Tells that work on the branch begins.
    pub(super) fn tell_start(&self, plan: &Plan) {
        self.recorder.event(EventBody::BranchStarted {
            branch_code: self.branch.code.clone(),
            provider: self.branch.provider,
            pending_migrations: u32::try_from(plan.migrations().count()).unwrap_or(u32::MAX),
            direction: self.direction(),
        });
    }
}
