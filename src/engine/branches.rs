//! The register of branches.

use std::collections::BTreeMap;
use std::time::Duration;

use super::audit::shown;
use super::caller::Caller;
use super::error::EngineError;
use super::manager::{Manager, busy};
use super::passwords;
use crate::domain::{
    Branch, BranchCode, BranchId, BranchRef, BranchUpdate, Connection, Provider, Secret, SqliteConnection,
    validate_branch,
};
use crate::provider::{self, Endpoint, ErrorKind};
use crate::store::{BranchFilter, Page, Paged};

/// A branch to register.
#[derive(Debug, Clone)]
pub struct NewBranch {
    /// Its code.
    pub code: BranchCode,
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: Provider,
    /// Its connection; `None` means the provider's default, which only SQLite has.
    pub connection: Option<Connection>,
    /// The password to store, encrypted; `None` means none.
    pub password: Option<Secret>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether ApplyAll and the orchestrator work on it.
    pub is_active: bool,
    /// Its environment.
    pub environment: String,
}

/// A connection to try.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum TestTarget {
    /// A registered branch's.
    Branch(BranchRef),
    /// One that is not registered, with the password that was given for it.
    Connection(Provider, Connection, Option<Secret>),
}

/// What trying a connection showed.
#[derive(Debug, Clone)]
pub struct ConnectionTest {
    /// Whether the server let us in.
    pub reachable: bool,
    /// Whether the database is there.
    pub database_exists: bool,
    /// The server's version.
    pub server_version: String,
    /// How long it took.
    pub latency: Duration,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Manager {
    /// Registers a branch. An active one is due at once.
    pub async fn create_branch(&self, new: NewBranch, caller: &Caller) -> Result<Branch, EngineError> {
        let now = self.now();
        let connection = match (new.connection, new.provider) {
            (Some(connection), _) => connection,
            (None, Provider::Sqlite) => Connection::Sqlite(SqliteConnection::default()),
            (None, _) => return Err(EngineError::invalid("branch.connection", "must be given for this provider")),
        };
        let mut branch = Branch {
            id: BranchId::generate(),
            code: new.code,
            name: new.name,
            provider: new.provider,
            connection,
            labels: new.labels,
            is_active: new.is_active,
            environment: new.environment,
            create_time: now,
            update_time: now,
        };
        let fingerprint = self.checked(&branch, "branch")?;
        if let Some(password) = &new.password {
            let sealer = &self.0.settings.provider.sealer;
            passwords::seal(sealer, branch.id, &mut branch.connection, password, "branch.connection")?;
        }
        self.0.store.create_branch(&branch, &fingerprint).await?;
        tracing::info!(branch = %branch.code, provider = %branch.provider, "branch registered");
        let detail =
            serde_json::json!({ "provider": branch.provider.as_str(), "connection": shown(&branch.connection) });
        self.audit(caller, "CreateBranch", branch.code.as_str(), detail).await;
        if branch.is_active {
            self.0.wake.notify_one();
        }
        Ok(branch)
    }

    /// The branch of this code or id.
    pub async fn branch(&self, which: &BranchRef) -> Result<Branch, EngineError> {
        let found = self.0.store.branch(which).await?;
        found.ok_or_else(|| EngineError::UnknownBranch(which.to_string()))
    }

    /// Branches by code, page by page.
    pub async fn branches(&self, filter: &BranchFilter, page: &Page) -> Result<Paged<Branch>, EngineError> {
        Ok(self.0.store.branches(filter, page).await?)
    }

    /// Changes parts of a branch.
    pub async fn update_branch(
        &self,
        which: &BranchRef,
        update: BranchUpdate,
        caller: &Caller,
    ) -> Result<Branch, EngineError> {
        let before = self.branch(which).await?;
        let parts = update.parts();
        let password = update.password.clone();
        let mut branch = Branch { update_time: self.now(), ..update.apply_to(before.clone()) };
        let fingerprint = self.checked(&branch, "value")?;
        let sealer = &self.0.settings.provider.sealer;
        passwords::carry_over(sealer, &before, &mut branch, &password, "value.connection")?;
        self.0.store.update_branch(&branch, &fingerprint).await.map_err(|error| busy(&before, error))?;
        tracing::info!(branch = %branch.code, "branch changed");
        let mut detail = serde_json::json!({ "changed": parts });
        if before.code != branch.code {
            detail["code_before"] = before.code.as_str().into();
        }
        if before.connection != branch.connection {
            detail["connection"] = shown(&branch.connection);
        }
        self.audit(caller, "UpdateBranch", branch.code.as_str(), detail).await;
        if branch.is_active {
            self.0.wake.notify_one();
        }
        Ok(branch)
    }

    /// Forgets a branch; its database is not touched.
    pub async fn delete_branch(&self, which: &BranchRef, caller: &Caller) -> Result<(), EngineError> {
        let branch = self.branch(which).await?;
        self.0.store.delete_branch(branch.id).await.map_err(|error| busy(&branch, error))?;
        tracing::info!(branch = %branch.code, "branch forgotten");
        self.audit(caller, "DeleteBranch", branch.code.as_str(), serde_json::Value::Null).await;
        Ok(())
    }

    /// Tries a connection without changing anything.
    pub async fn test_connection(&self, target: TestTarget) -> Result<ConnectionTest, EngineError> {
        let now = self.now();
        let branch = match target {
            TestTarget::Branch(which) => self.branch(&which).await?,
            TestTarget::Connection(provider, mut connection, password) => {
                let id = BranchId::generate();
                if let Some(password) = password {
                    let sealer = &self.0.settings.provider.sealer;
                    passwords::seal(sealer, id, &mut connection, &password, "connection")?;
                }
                Branch {
                    id,
                    code: "connection-test".parse().map_err(EngineError::internal)?,
                    name: String::new(),
                    provider,
                    connection,
                    labels: BTreeMap::new(),
                    is_active: false,
                    environment: String::new(),
                    create_time: now,
                    update_time: now,
                }
            }
        };
        validate_branch(&branch, "").map_err(EngineError::Invalid)?;
        let settings = &self.0.settings.provider;
        let endpoint = match Endpoint::of(&branch, settings) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                return Ok(ConnectionTest {
                    reachable: false,
                    database_exists: false,
                    server_version: String::new(),
                    latency: Duration::ZERO,
                    message: error.message,
                    hint: error.hint,
                });
            }
        };
        let report = provider::test(&endpoint, settings).await;
        Ok(ConnectionTest {
            reachable: report.reachable,
            database_exists: report.database_exists,
            server_version: report.server_version,
            latency: report.latency,
            message: report.message,
            hint: report.hint,
        })
    }

    /// Checks a branch and gives the fingerprint of its database.
    fn checked(&self, branch: &Branch, prefix: &str) -> Result<String, EngineError> {
        validate_branch(branch, prefix).map_err(EngineError::Invalid)?;
        let settings = &self.0.settings.provider;
        match Endpoint::of(branch, settings) {
            Ok(endpoint) => Ok(endpoint.fingerprint()),
            Err(error) if error.kind == ErrorKind::Internal => Err(EngineError::internal(error)),
            Err(error) => {
                let kind = if branch.provider == Provider::Sqlite { "sqlite" } else { "server" };
                let text =
                    if error.hint.is_empty() { error.message } else { format!("{}; {}", error.message, error.hint) };
                Err(EngineError::invalid(&format!("{prefix}.connection.{kind}"), text))
            }
        }
    }
}
