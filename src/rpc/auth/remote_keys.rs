//! A key set that is fetched from a URL.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::keys::{VerifyKey, from_jwks};

/// The largest key set, in bytes.
const MAX_SET: usize = 256 * 1024;
/// How long a fetch may take.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// How old the keys may grow before they are fetched again.
const FRESH: Duration = Duration::from_secs(600);
/// How old they may grow when they cannot be fetched: longer, and a key that was withdrawn would never be.
const USABLE: Duration = Duration::from_secs(24 * 3600);

/// The keys at a URL, fetched when they are first needed, when they have grown old, and when a token names one that is
/// not among them.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    url: String,
    client: reqwest::Client,
    every: Duration,
    keys: RwLock<Fetched>,
    /// When a fetch was last tried. Held while one is under way.
    tried: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, Default)]
struct Fetched {
    keys: Arc<Vec<VerifyKey>>,
    at: Option<Instant>,
}

impl Fetched {
    fn is_fresh(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < FRESH)
    }

    fn has(&self, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.keys.iter().any(|key| key.id.as_deref() == Some(id)))
    }
}

impl RemoteKeys {
    /// Keys at `url`, fetched at most once in `every`.
    pub(super) fn new(url: String, every: Duration) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_LIMIT)
            .connect_timeout(FETCH_LIMIT)
            // Whoever can redirect could name the keys.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("branchkeeper/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("auth.jwt.jwks_url cannot be fetched from: {error}"))?;
        Ok(Self { url, client, every, keys: RwLock::default(), tried: Mutex::new(None) })
    }

    /// The keys, fetched again first if they are too old or `id`, which a token names, is not among them.
    pub(super) async fn current(&self, id: Option<&str>) -> Arc<Vec<VerifyKey>> {
        let found = self.kept();
        if found.is_fresh() && found.has(id) {
            return found.keys;
        }
        // While somebody fetches because of age, the others go on with what there is.
        let mut tried = match self.tried.try_lock() {
            Ok(tried) => tried,
            Err(_) if found.at.is_some() && found.has(id) => return found.keys,
            Err(_) => self.tried.lock().await,
        };
        let found = self.kept();
        if !(found.is_fresh() && found.has(id)) && tried.is_none_or(|last| last.elapsed() >= self.every) {
            *tried = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    info!(url = %self.url, keys = keys.len(), "the key set was fetched");
                    let fetched = Fetched { keys: Arc::new(keys), at: Some(Instant::now()) };
                    *self.keys.write().unwrap_or_else(PoisonError::into_inner) = fetched;
                }
                Err(error) => {
                    warn!(url = %self.url, error, "the key set cannot be fetched; what was fetched before stays")
                }
            }
        }
        drop(tried);
        let found = self.kept();
        if found.at.is_some_and(|at| at.elapsed() < USABLE) { found.keys } else { Arc::default() }
    }

    fn kept(&self) -> Fetched {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self) -> Result<Vec<VerifyKey>, String> {
        let said = |error: reqwest::Error| {
            let mut source: &dyn std::error::Error = &error;
            while let Some(inner) = source.source() {
                source = inner;
            }
            source.to_string()
        };
        let mut response = self.client.get(&self.url).send().await.map_err(said)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the answer is {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(said)? {
            if body.len() + part.len() > MAX_SET {
                return Err(format!("the key set has more than {MAX_SET} bytes"));
            }
            body.extend_from_slice(&part);
        }
        from_jwks(&body)
    }
}
