use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Checksum, Migration, MigrationId, ObjectName, Provider, TableChange};

/// Every migration the service knows, as it reads for each provider.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    views: [ProviderCatalogue; Provider::ALL.len()],
}

impl Catalogue {
    /// A catalogue from one list of migrations per provider; each list is put in order here.
    pub fn new(mut migrations_of: impl FnMut(Provider) -> Vec<Migration>) -> Self {
        Self { views: Provider::ALL.map(|provider| ProviderCatalogue::new(migrations_of(provider))) }
    }

    /// The migrations as they read for `provider`.
    pub fn of(&self, provider: Provider) -> &ProviderCatalogue {
        let index = Provider::ALL.iter().position(|each| *each == provider).unwrap_or_default();
        &self.views[index]
    }
}

/// The migrations of one provider, in the order in which they are applied. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProviderCatalogue {
    migrations: Arc<[Arc<Migration>]>,
    digest: Checksum,
}

impl Default for ProviderCatalogue {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl ProviderCatalogue {
    /// Puts `migrations` in order and takes their digest.
    pub fn new(mut migrations: Vec<Migration>) -> Self {
        migrations.sort_by(|a, b| a.id.cmp(&b.id));
        let digest = Checksum::of_parts(migrations.iter().flat_map(|m| [m.id.as_str(), m.checksum.as_str()]));
        Self { migrations: migrations.into_iter().map(Arc::new).collect(), digest }
    }

    /// The migrations in order.
    pub fn migrations(&self) -> &[Arc<Migration>] {
        &self.migrations
    }

    /// The migration of this id.
    pub fn get(&self, id: &MigrationId) -> Option<&Arc<Migration>> {
        let index = self.migrations.binary_search_by(|m| m.id.cmp(id)).ok()?;
        self.migrations.get(index)
    }

    /// The numbered migration that is applied last.
    pub fn newest(&self) -> Option<&MigrationId> {
        self.migrations.iter().rev().map(|migration| &migration.id).find(|id| !id.is_repeatable())
    }

    /// A digest of ids and checksums. A branch observed to be up to date with this digest has nothing to do.
    pub fn digest(&self) -> &Checksum {
        &self.digest
    }

    /// The migration that `text` names: a whole id, or the number of a versioned one.
    pub fn find(&self, text: &str) -> Option<&Arc<Migration>> {
        match text.parse::<u64>() {
            Ok(version) => self.migrations.iter().find(|m| m.id.version() == Some(version)),
            Err(_) => self.migrations.iter().find(|m| m.id.as_str() == text),
        }
    }

    /// The tables that exist once the migrations that `applied` accepts have run, and no other has.
    pub fn tables(&self, mut applied: impl FnMut(&MigrationId) -> bool) -> BTreeSet<ObjectName> {
        let mut tables = BTreeSet::new();
        for migration in self.migrations.iter().filter(|m| applied(&m.id)) {
            for change in migration.up.statements.iter().flat_map(|s| &s.tables) {
                match change {
                    TableChange::Created(name) => drop(tables.insert(name.clone())),
                    TableChange::Dropped(name) => drop(tables.remove(name)),
                    TableChange::Renamed(from, to) => {
                        if tables.remove(from) {
                            tables.insert(to.clone());
                        }
                    }
                }
            }
        }
        tables
    }
}
