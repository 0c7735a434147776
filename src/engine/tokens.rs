//! API tokens: made, listed, revoked, and recognised.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use uuid::Uuid;

use super::caller::Caller;
use super::error::EngineError;
use super::manager::Manager;
use crate::domain::{ApiToken, Checksum, Clock, Role, Secret, Time};
use crate::store::{HeadOffice, Page, Paged, StoreError};

/// How long a token that was recognised is recognised without asking head office: so long can a token be used after
/// another replica revoked it.
const REMEMBERED: Duration = Duration::from_secs(5);
/// The most tokens remembered.
const MAX_REMEMBERED: usize = 1_024;
/// How coarsely the last use is kept.
const COARSE: TimeDelta = TimeDelta::hours(1);
/// The most random bytes in a token.
const RANDOM: usize = 32;

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// How long it is accepted; `None` means until it is revoked.
    pub life: Option<Duration>,
}

/// The tokens that were recognised a moment ago.
#[derive(Default)]
pub(super) struct KnownTokens(Mutex<HashMap<Checksum, (Instant, ApiToken)>>);

impl fmt::Debug for KnownTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownTokens")
    }
}

impl KnownTokens {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<Checksum, (Instant, ApiToken)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get(&self, hash: &Checksum) -> Option<ApiToken> {
        self.with(|known| known.get(hash).filter(|(until, _)| Instant::now() < *until).map(|(_, token)| token.clone()))
    }

    fn put(&self, hash: Checksum, token: ApiToken) {
        let now = Instant::now();
        self.with(|known| {
            if known.len() >= MAX_REMEMBERED {
                known.retain(|_, (until, _)| now < *until);
            }
            if known.len() < MAX_REMEMBERED {
                known.insert(hash, (now + REMEMBERED, token));
            }
        });
    }

    fn forget_all(&self) {
        self.with(HashMap::clear);
    }
}

/// Makes a token in a head office that nobody may be serving, and gives it with its text, which is not kept.
///
/// # Errors
/// [`EngineError::Invalid`] for a name that is not allowed or taken.
pub async fn make_token(
    store: &HeadOffice,
    clock: &dyn Clock,
    new: NewToken,
    created_by: &str,
) -> Result<(ApiToken, Secret), EngineError> {
    ApiToken::check_name(&new.name).map_err(|problem| EngineError::invalid("name", problem))?;
    let mut random = [0u8; RANDOM];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| EngineError::internal("the system gave no random bytes"))?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = Secret::new(format!("{}{digits}", ApiToken::PREFIX));
    let now = clock.now();
    let token = ApiToken {
        id: Uuid::now_v7().to_string(),
        name: new.name,
        role: new.role,
        created_by: created_by.to_owned(),
        create_time: now,
        expire_time: new.life.map(|life| later(now, life)),
        last_used_time: None,
        revoke_time: None,
    };
    match store.create_token(&token, &Checksum::of_bytes(text.expose().as_bytes())).await {
        Ok(()) => Ok((token, text)),
        Err(StoreError::TokenNameTaken(name)) => {
            Err(EngineError::invalid("name", format!("'{name}' is the name of another token; revoke that one first")))
        }
        Err(error) => Err(error.into()),
    }
}

fn later(now: Time, life: Duration) -> Time {
    TimeDelta::from_std(life).ok().and_then(|life| now.checked_add_signed(life)).unwrap_or(Time::MAX_UTC)
}

impl Manager {
    /// Makes a token. Its text is given once and not kept.
    pub async fn create_token(&self, new: NewToken, caller: &Caller) -> Result<(ApiToken, Secret), EngineError> {
        let (token, text) = make_token(&self.0.store, &*self.0.clock, new, &caller.name).await?;
        tracing::info!(token = %token.name, role = %token.role, who = %caller.name, "API token made");
        let detail = serde_json::json!({ "id": token.id, "role": token.role.as_str(), "expires": token.expire_time });
        self.audit(caller, "CreateToken", &token.name, detail).await;
        Ok((token, text))
    }

    /// Tokens, revoked ones included, the newest first, page by page.
    pub async fn tokens(&self, page: &Page) -> Result<Paged<ApiToken>, EngineError> {
        Ok(self.0.store.tokens(page).await?)
    }

    /// Revokes a token by name or id. One that was revoked already stays as it was.
    pub async fn revoke_token(&self, which: &str, caller: &Caller) -> Result<ApiToken, EngineError> {
        let found = self.0.store.revoke_token(which).await?;
        self.0.tokens.forget_all();
        let token = found.ok_or_else(|| EngineError::UnknownToken(crate::domain::shorten(which, 100)))?;
        tracing::info!(token = %token.name, who = %caller.name, "API token revoked");
        self.audit(caller, "RevokeToken", &token.name, serde_json::json!({ "id": token.id })).await;
        Ok(token)
    }

    /// The token of this text, if it is accepted now.
    pub async fn recognise(&self, text: &str) -> Result<Option<ApiToken>, EngineError> {
        let hash = Checksum::of_bytes(text.as_bytes());
        let now = self.now();
        let (token, fresh) = match self.0.tokens.get(&hash) {
            Some(token) => (token, false),
            None => match self.0.store.token_by_hash(&hash).await? {
                Some(token) => (token, true),
                None => return Ok(None),
            },
        };
        if !token.is_valid(now) {
            return Ok(None);
        }
        if fresh {
            if token.last_used_time.is_none_or(|last| now - last >= COARSE) {
                let (store, id) = (self.0.store.clone(), token.id.clone());
                // Whoever calls need not wait for that.
                self.0.tasks.spawn(async move {
                    if let Err(error) = store.touch_token(&id, now, now - COARSE).await {
                        tracing::debug!(%error, "a token's last use could not be noted");
                    }
                });
            }
            self.0.tokens.put(hash, token.clone());
        }
        Ok(Some(token))
    }
}
