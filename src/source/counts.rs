use crate::domain::{Catalogue, Provider};

/// How much of a catalogue there is for one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// The provider.
    pub provider: Provider,
    /// Versioned migrations.
    pub versioned: usize,
    /// Repeatable migrations.
    pub repeatable: usize,
    /// Versioned migrations that can be undone.
    pub reversible: usize,
    /// Statements of all up files.
    pub statements: usize,
}

/// Counts a catalogue's migrations for each provider.
pub fn counts(catalogue: &Catalogue) -> Vec<Counts> {
    let count = |provider| {
        let migrations = catalogue.of(provider).migrations();
        let repeatable = migrations.iter().filter(|each| each.id.is_repeatable()).count();
        Counts {
            provider,
            versioned: migrations.len() - repeatable,
            repeatable,
            reversible: migrations.iter().filter(|each| each.down.is_some()).count(),
            statements: migrations.iter().map(|each| each.up.statements.len()).sum(),
        }
    };
    Provider::ALL.into_iter().map(count).collect()
}
