//! Where the keys of JSON Web Tokens come from.

use std::path::PathBuf;
use std::sync::Arc;

use super::jwt::{self, Refused, Said};
use super::keys::{VerifyKey, from_jwks, from_pem, from_secret};
use super::remote_keys::RemoteKeys;
use super::settings::JwtSettings;
use crate::domain::{SecretRef, Time};
use crate::rpc::watched::Watched;

/// The keys that are configured, with the rules for tokens.
#[derive(Debug)]
pub(super) struct KeySource {
    settings: JwtSettings,
    fixed: Arc<Vec<VerifyKey>>,
    files: Vec<Watched<Vec<VerifyKey>>>,
    remote: Option<RemoteKeys>,
}

impl KeySource {
    /// Reads the keys for the first time; those at a URL are fetched when they are needed.
    pub(super) fn open(settings: JwtSettings) -> Result<Self, String> {
        let mut fixed = Vec::new();
        let mut files = Vec::new();
        match &settings.secret_ref {
            None => {}
            Some(SecretRef::Env(name)) => {
                let secret = std::env::var(name)
                    .map_err(|_| format!("auth.jwt.secret_ref: the variable {name} is not set as text"))?;
                fixed.push(from_secret(secret.as_bytes()).map_err(|error| format!("auth.jwt.secret_ref: {error}"))?);
            }
            Some(SecretRef::File(path)) => {
                files.push(watch("auth.jwt.secret_ref", path.into(), |bytes| from_secret(bytes).map(|key| vec![key]))?);
            }
        }
        if let Some(path) = settings.public_key_file.clone() {
            files.push(watch("auth.jwt.public_key_file", path, |bytes| from_pem(bytes).map(|key| vec![key]))?);
        }
        if let Some(path) = settings.jwks_file.clone() {
            files.push(watch("auth.jwt.jwks_file", path, from_jwks)?);
        }
        let remote = settings.jwks_url.clone().map(|url| RemoteKeys::new(url, settings.fetch_every)).transpose()?;
        Ok(Self { settings, fixed: Arc::new(fixed), files, remote })
    }

    /// Verifies a token at `now`.
    pub(super) async fn verify(&self, token: &str, now: Time) -> Result<Said, Refused> {
        let mut sets = vec![Arc::clone(&self.fixed)];
        sets.extend(self.files.iter().map(Watched::current));
        let near = jwt::verify(token, sets.iter().flat_map(|set| set.iter()), &self.settings, now);
        let Some(remote) = &self.remote else { return near };
        match near {
            Err(Refused::Algorithm | Refused::UnknownKey(_) | Refused::Signature) => {
                let keys = remote.current(jwt::key_id(token).as_deref()).await;
                jwt::verify(token, keys.iter(), &self.settings, now)
            }
            settled => settled,
        }
    }
}

fn watch(
    key: &'static str,
    path: PathBuf,
    read: impl Fn(&[u8]) -> Result<Vec<VerifyKey>, String> + Send + Sync + 'static,
) -> Result<Watched<Vec<VerifyKey>>, String> {
    let read = move |contents: &[Vec<u8>]| read(contents.first().map(Vec::as_slice).unwrap_or_default());
    Watched::open(key, vec![path], read).map_err(|error| format!("{key}: {error}"))
}
