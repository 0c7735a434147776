//! Branches' passwords at rest: encrypted where a branch is created or changed, and again under a new key.

use super::caller::Caller;
use super::error::EngineError;
use super::manager::Manager;
use crate::domain::{Branch, BranchCode, BranchId, Connection, PasswordChange, SealError, Sealer, Secret};
use crate::store::SealedBranch;

/// The longest password, in bytes.
const MAX_PASSWORD: usize = 4_096;
/// How many branches are read, and written in one transaction.
const BATCH: u32 = 100;
/// How often the whole register is gone through, for branches that were changed meanwhile.
const MAX_PASSES: usize = 5;
/// The most branches named.
const MAX_NAMED: usize = 100;

/// What encrypting all passwords anew came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// The id of the key that passwords are encrypted with now.
    pub key_id: String,
    /// How many were encrypted anew.
    pub rewritten: u64,
    /// How many were under that key already.
    pub current: u64,
    /// How many could not be decrypted, and stayed as they were.
    pub unreadable: u64,
    /// The first 100 branches of those.
    pub unreadable_branches: Vec<BranchCode>,
    /// How many were changed by somebody else again and again, and are not under that key yet.
    pub overtaken: u64,
}

/// Encrypts a branch's password. `field` is its connection's path in the request.
pub(super) fn seal(
    sealer: &Sealer,
    branch: BranchId,
    connection: &mut Connection,
    password: &Secret,
    field: &str,
) -> Result<(), EngineError> {
    let field = format!("{field}.server.password");
    let Connection::Server(server) = connection else {
        return Err(EngineError::invalid(&field, "is not for a file"));
    };
    let text = password.expose();
    if text.len() > MAX_PASSWORD {
        let text = format!("has {} bytes; at most {MAX_PASSWORD} are allowed", text.len());
        return Err(EngineError::invalid(&field, text));
    }
    if text.contains('\0') {
        return Err(EngineError::invalid(&field, "contains a zero byte"));
    }
    server.sealed_password = Some(sealer.seal(branch, password).map_err(|error| match error {
        SealError::NoKey => EngineError::invalid(
            &field,
            "is not accepted, because the service has no key to encrypt it with; put the password into an environment \
             variable or a file of the service and give password_ref = env:NAME or file:PATH, or configure \
             secrets.key_ref",
        ),
        other => EngineError::internal(other),
    })?);
    Ok(())
}

/// Puts into `after` the password that the branch has from now on.
pub(super) fn carry_over(
    sealer: &Sealer,
    before: &Branch,
    after: &mut Branch,
    change: &PasswordChange,
    field: &str,
) -> Result<(), EngineError> {
    if let PasswordChange::Set(password) = change {
        return seal(sealer, after.id, &mut after.connection, password, field);
    }
    let (Connection::Server(old), Connection::Server(new)) = (&before.connection, &mut after.connection) else {
        return Ok(());
    };
    if *change == PasswordChange::Forget || new.password_ref.is_some() {
        new.sealed_password = None;
        return Ok(());
    }
    if old.sealed_password.is_some() && !old.trusts_same_server(new, before.provider) {
        return Err(EngineError::invalid(
            &format!("{field}.server.password"),
            "must be given again, because the connection now leads elsewhere (host, port, username, ssl_mode, \
             ssl_ca_file or options changed), and a stored password is shown to nobody else; or give password_ref",
        ));
    }
    new.sealed_password.clone_from(&old.sealed_password);
    Ok(())
}

impl Manager {
    /// Encrypts every stored password anew that is not under the current key, in small transactions. A branch that
    /// somebody changes meanwhile is left to that change and looked at again. What was done stays done when it is
    /// interrupted, and calling again does the rest.
    pub async fn rekey(&self, caller: &Caller) -> Result<Rekeyed, EngineError> {
        let key_id = self.0.settings.provider.sealer.current_id().ok_or(EngineError::NoSecretsKey)?.to_owned();
        let mut all = Rekeyed { key_id, ..Rekeyed::default() };
        for _ in 0..MAX_PASSES {
            let pass = self.rekey_pass().await?;
            // What an earlier pass rewrote counts as current in this one.
            all.current = pass.current.saturating_sub(all.rewritten);
            all.rewritten += pass.rewritten;
            (all.unreadable, all.unreadable_branches) = (pass.unreadable, pass.unreadable_branches);
            all.overtaken = pass.overtaken;
            if pass.rewritten == 0 && pass.overtaken == 0 {
                break;
            }
        }
        tracing::info!(
            key = %all.key_id, rewritten = all.rewritten, current = all.current, unreadable = all.unreadable,
            "stored passwords were encrypted anew"
        );
        let detail = serde_json::json!({
            "key": all.key_id, "rewritten": all.rewritten, "unreadable": all.unreadable, "overtaken": all.overtaken,
        });
        self.audit(caller, "Rekey", "", detail).await;
        Ok(all)
    }

    async fn rekey_pass(&self) -> Result<Rekeyed, EngineError> {
        let shared = &self.0;
        let sealer = &shared.settings.provider.sealer;
        let mut pass = Rekeyed::default();
        let mut after = None;
        loop {
            if shared.soft.is_cancelled() {
                return Err(EngineError::Draining);
            }
            let batch = shared.store.sealed_branches(after, BATCH).await?;
            let Some(last) = batch.last() else { return Ok(pass) };
            after = Some(last.id);
            let mut changed = Vec::new();
            for branch in batch {
                match reseal(sealer, &branch) {
                    Ok(None) => pass.current += 1,
                    Ok(Some(connection)) => changed.push((branch, connection)),
                    Err(error) => {
                        tracing::warn!(branch = %branch.code, %error, "a stored password stays as it is");
                        pass.unreadable += 1;
                        if pass.unreadable_branches.len() < MAX_NAMED {
                            pass.unreadable_branches.push(branch.code);
                        }
                    }
                }
            }
            let written = shared.store.reseal_branches(&changed).await?;
            pass.rewritten += written;
            pass.overtaken += changed.len() as u64 - written;
        }
    }
}

/// The branch's connection under the current key; `None` when it is that already.
fn reseal(sealer: &Sealer, branch: &SealedBranch) -> Result<Option<Connection>, SealError> {
    let mut server = branch.server.clone();
    let Some(sealed) = &server.sealed_password else { return Ok(None) };
    // One that claims to be under the current key has to be readable too.
    let password = sealer.open(branch.id, sealed)?;
    if sealer.current_id() == Some(sealed.key_id()) {
        return Ok(None);
    }
    server.sealed_password = Some(sealer.seal(branch.id, &password)?);
    Ok(Some(Connection::Server(server)))
}
