use std::collections::BTreeMap;
use std::sync::Arc;

use super::Manager;
use super::error::EngineError;
use crate::domain::{Branch, BranchState, MigrationStatus};
use crate::store::{Page, Paged, StatusFilter};

/// Where branches stand.
#[derive(Debug)]
pub struct Standing {
    /// How many branches of the selection stand in each status, also in those that the filter leaves out.
    pub totals: BTreeMap<MigrationStatus, u64>,
    /// The page of them that was asked for.
    pub branches: Paged<(Branch, BranchState)>,
}

impl Manager {
    /// Where branches stand, page by page, as head office has it after this is called. Callers who ask for the same at once
    /// share a look at it: dashboards of a thousand branches ask all the time.
    pub async fn standing(&self, filter: &StatusFilter, page: &Page) -> Result<Arc<Standing>, EngineError> {
        let key = format!("{filter:?} {page:?}");
        let (manager, filter, page) = (self.clone(), filter.clone(), page.clone());
        let look = async move {
            let all = StatusFilter { statuses: Vec::new(), ..filter.clone() };
            let totals = manager.0.store.totals(&all).await?;
            let branches = manager.0.store.statuses(&filter, &page).await?;
            Ok(Arc::new(Standing { totals, branches }))
        };
        self.0.standings.join(key, look).await
    }
}
