//! What can be done to head office without a service: making the first token.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::location;
use crate::config::Config;
use crate::domain::{ApiToken, Clock, Role, Secret, SystemClock};
use crate::engine::{NewToken, make_token};
use crate::store::{AuditEntry, HeadOffice};

/// Makes an API token straight in head office. An embedded one must not be in use by a service.
pub async fn create_token(
    config: &Config,
    name: &str,
    role: Role,
    life: Option<Duration>,
) -> anyhow::Result<(ApiToken, Secret)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store =
        HeadOffice::open(&location(config), Arc::clone(&clock)).await.context("head office cannot be opened")?;
    let made = make(&store, &*clock, NewToken { name: name.to_owned(), role, life }).await;
    store.close().await;
    made
}

async fn make(store: &HeadOffice, clock: &dyn Clock, new: NewToken) -> anyhow::Result<(ApiToken, Secret)> {
    let who = "offline";
    let (token, text) = make_token(store, clock, new, who).await?;
    let detail = serde_json::json!({ "id": token.id, "role": token.role.as_str(), "expires": token.expire_time });
    let entry = AuditEntry {
        sequence: 0,
        time: clock.now(),
        who: who.to_owned(),
        role: String::new(),
        peer: String::new(),
        action: "CreateToken".to_owned(),
        subject: token.name.clone(),
        request_id: String::new(),
        run_id: String::new(),
        detail: detail.to_string(),
        outcome: "ok".to_owned(),
        hash: String::new(),
    };
    store.audit(entry).await.context("the token was made, but the audit record could not be written")?;
    Ok((token, text))
}
