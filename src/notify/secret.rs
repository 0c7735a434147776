use std::io::Read;
use std::path::Path;

use super::DeliveryError;
use crate::domain::{Secret, SecretRef};

/// The most that is read of a file.
const LIMIT: u64 = 64 * 1024;

/// Fetches the secret that `reference` names, without white space around it. Done for every delivery, so that a changed
/// secret needs no restart.
pub(super) async fn resolve(what: &str, reference: &SecretRef) -> Result<Secret, DeliveryError> {
    let text = match reference {
        SecretRef::Env(name) => std::env::var(name)
            .map_err(|_| DeliveryError::new(format!("{what}: the environment variable {name} is not set as text")))?,
        SecretRef::File(path) => {
            let bytes = read(what, Path::new(path)).await?;
            String::from_utf8(bytes).map_err(|_| DeliveryError::new(format!("{what}: {path} is not text")))?
        }
    };
    Ok(Secret::new(text.trim()))
}

/// Reads a file of the configuration, bounded.
pub(super) async fn read(what: &str, path: &Path) -> Result<Vec<u8>, DeliveryError> {
    let name = path.to_owned();
    let read = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(&name)?.take(LIMIT).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = read.await.map_err(std::io::Error::other).flatten();
    bytes.map_err(|error| DeliveryError::new(format!("{what}: {} can't be read: {error}", path.display())))
}
