//! The keys for stored passwords, from where the configuration says they are.

use std::io::Read;

use anyhow::{Context, anyhow};

use crate::config::Secrets;
use crate::domain::{SealKey, Sealer, Secret, SecretRef};

/// The largest key file that is read, in bytes.
const LIMIT: u64 = 4_096;

/// Reads the keys. They are read once: a service that is to use another key is started anew.
pub(super) fn sealer(secrets: &Secrets) -> anyhow::Result<Sealer> {
    let current = secrets.key_ref.as_ref().map(|reference| key("secrets.key_ref", reference)).transpose()?;
    let earlier = secrets.old_key_refs.iter().map(|reference| key("secrets.old_key_refs", reference));
    Ok(Sealer::new(current, earlier.collect::<anyhow::Result<_>>()?))
}

fn key(name: &str, reference: &SecretRef) -> anyhow::Result<SealKey> {
    let text = match reference {
        SecretRef::Env(variable) => {
            std::env::var(variable).map_err(|_| anyhow!("{name}: the variable {variable} is not set as text"))?
        }
        SecretRef::File(path) => {
            let mut text = String::new();
            let read = std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_string(&mut text));
            read.with_context(|| format!("{name}: the file {path} cannot be read"))?;
            text
        }
    };
    SealKey::parse(&Secret::new(text)).map_err(|problem| anyhow!("{name}: what is at {reference} {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_files_and_faults_name_the_place_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            SecretRef::File(path.to_str().unwrap().into())
        };
        let (good, bad) = (file("good", &format!("{}\n", "0f".repeat(32))), file("bad", "hunter2"));
        let secrets = Secrets { key_ref: Some(good.clone()), old_key_refs: vec![good.clone()] };
        assert!(sealer(&secrets).unwrap().current_id().is_some());
        assert!(sealer(&Secrets::default()).unwrap().current_id().is_none());
        let missing = SecretRef::File("/nowhere/at/all".into());
        let unset = SecretRef::Env("BRANCHKEEPER_NO_SUCH_VARIABLE".into());
        for (wrong, said) in [(bad, "bad is not a key"), (unset, "NO_SUCH_VARIABLE"), (missing, "cannot be read")] {
            let secrets = Secrets { key_ref: Some(good.clone()), old_key_refs: vec![wrong] };
            let error = format!("{:#}", sealer(&secrets).unwrap_err());
            assert!(error.contains("secrets.old_key_refs") && error.contains(said), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
