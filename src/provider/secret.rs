use std::io::Read;

use crate::domain::{BranchCode, BranchId, SealError, SealedPassword, Sealer, Secret, SecretRef};

use super::error::{ErrorKind, ProviderError};

const LIMIT: u64 = 64 * 1024;

/// Where a branch's password comes from.
#[derive(Clone)]
pub(super) enum PasswordSource {
    /// There is none.
    None,
    /// It is kept elsewhere.
    Reference(SecretRef),
    /// It is stored, encrypted.
    Stored(Box<StoredPassword>),
}

/// A stored password, with what decrypts it.
#[derive(Clone)]
pub(super) struct StoredPassword {
    pub(super) sealed: SealedPassword,
    pub(super) branch: BranchId,
    pub(super) code: BranchCode,
    pub(super) sealer: Sealer,
}

impl PasswordSource {
    /// The password, fetched now; `None` when there is none.
    pub(super) async fn password(&self) -> Result<Option<Secret>, ProviderError> {
        match self {
            Self::None => Ok(None),
            Self::Reference(reference) => resolve(reference).await.map(Some),
            Self::Stored(stored) => stored.open().map(Some),
        }
    }
}

impl StoredPassword {
    fn open(&self) -> Result<Secret, ProviderError> {
        self.sealer.open(self.branch, &self.sealed).map_err(|error| {
            let text = format!("the password of branch '{}' can't be decrypted: {error}", self.code);
            ProviderError::new(ErrorKind::Authentication, text).hint(match error {
                SealError::UnknownKey(_) => {
                    "name that key in secrets.key_ref or secrets.old_key_refs, or give the branch's password again"
                }
                _ => "give the branch's password again",
            })
        })
    }
}

/// Fetches the secret that `reference` names. Called for every connection, so that a changed password needs no restart.
pub(super) async fn resolve(reference: &SecretRef) -> Result<Secret, ProviderError> {
    let refuse = |what: String| Err(ProviderError::new(ErrorKind::Authentication, what).hint("correct password_ref"));
    let text = match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(text) => text,
            Err(_) => return refuse(format!("the environment variable {name} of password_ref is not set as text")),
        },
        SecretRef::File(path) => {
            let name = path.clone();
            let read = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
                let mut text = String::new();
                std::fs::File::open(&name)?.take(LIMIT).read_to_string(&mut text)?;
                Ok(text)
            });
            match read.await.map_err(std::io::Error::other).flatten() {
                Ok(text) => text.strip_suffix('\n').map_or(&*text, |t| t.strip_suffix('\r').unwrap_or(t)).to_owned(),
                Err(error) => return refuse(format!("the file {path} of password_ref can't be read: {error}")),
            }
        }
    };
    if text.contains('\0') {
        return refuse(format!("the password at {reference} contains a zero byte"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_without_its_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "s3cret\r\n").unwrap();
        let reference = SecretRef::File(path.to_str().unwrap().into());
        assert_eq!(resolve(&reference).await.unwrap().expose(), "s3cret");
        let missing = resolve(&SecretRef::File("/nowhere/at/all".into())).await.unwrap_err();
        assert_eq!(missing.kind, ErrorKind::Authentication);
        let unset = resolve(&SecretRef::Env("BRANCHKEEPER_NO_SUCH_VARIABLE".into())).await.unwrap_err();
        assert!(unset.message.contains("BRANCHKEEPER_NO_SUCH_VARIABLE"));
    }
}
