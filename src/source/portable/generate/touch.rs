//! What the clauses of an `ALTER TABLE` are about, and which of them one statement can hold.

use super::super::expression::names_in;
use super::super::model::{Constraint, Index, IndexWhat, Rule, SqlText};
use crate::domain::Provider;

/// Something that a clause is about. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Touch {
    way: Way,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Makes the column.
    Adds,
    /// Changes a column that keeps its name.
    Alters,
    /// Drops or renames the column, or gives another one its name.
    Moves,
    /// Reads the column.
    Uses,
    /// Makes, drops or renames the index or constraint.
    Part,
    DropsKey,
    AddsKey,
    /// Gives a column a default that is another in every row.
    MakesUp,
}

impl Touch {
    fn new(way: Way, name: &str) -> Self {
        Self { way, name: name.to_lowercase() }
    }

    pub(super) fn adds(column: &str) -> Self {
        Self::new(Way::Adds, column)
    }

    pub(super) fn alters(column: &str) -> Self {
        Self::new(Way::Alters, column)
    }

    pub(super) fn moves(column: &str) -> Self {
        Self::new(Way::Moves, column)
    }

    pub(super) fn part(name: &str) -> Self {
        Self::new(Way::Part, name)
    }

    pub(super) fn drops_key() -> Self {
        Self::new(Way::DropsKey, "")
    }

    pub(super) fn makes_up() -> Self {
        Self::new(Way::MakesUp, "")
    }

    /// Every name in an expression may be a column.
    pub(super) fn read_by(text: &SqlText, provider: Provider) -> Vec<Self> {
        let names = text.of(provider).map(|(text, _)| names_in(text)).unwrap_or_default();
        names.into_iter().map(|name| Self { way: Way::Uses, name }).collect()
    }

    pub(super) fn of_index(name: &str, index: &Index, provider: Provider) -> Vec<Self> {
        let mut all = vec![Self::part(name)];
        for part in &index.parts {
            match &part.what {
                IndexWhat::Column(column) => all.push(Self::new(Way::Uses, column)),
                IndexWhat::Expression(text) => all.extend(Self::read_by(text, provider)),
            }
        }
        all
    }

    pub(super) fn of_constraint(name: &str, constraint: &Constraint, provider: Provider) -> Vec<Self> {
        let (first, columns) = match &constraint.rule {
            Rule::Primary(columns) => (Self::new(Way::AddsKey, ""), columns.as_slice()),
            Rule::Unique(columns) => (Self::part(name), columns.as_slice()),
            Rule::Foreign(key) => (Self::part(name), key.columns.as_slice()),
            Rule::Check { expression, .. } => {
                let mut all = Self::read_by(expression, provider);
                all.push(Self::part(name));
                return all;
            }
        };
        let mut all = vec![first];
        all.extend(columns.iter().map(|column| Self::new(Way::Uses, column)));
        all
    }

    /// Whether one statement cannot hold both, the other one coming later.
    fn excludes(&self, later: &Self) -> bool {
        if matches!((self.way, later.way), (Way::MakesUp, _) | (_, Way::MakesUp)) {
            return false;
        }
        let is_part = |way| matches!(way, Way::Part);
        let is_key = |way| matches!(way, Way::DropsKey | Way::AddsKey);
        if self.name != later.name || is_part(self.way) != is_part(later.way) || is_key(self.way) != is_key(later.way) {
            return false;
        }
        // A server looks at all new columns before it looks at keys, and at all old ones for what is dropped.
        !matches!(
            (self.way, later.way),
            (Way::Adds | Way::Alters | Way::Uses, Way::Uses) | (Way::Uses, Way::Alters) | (Way::DropsKey, Way::AddsKey)
        )
    }
}

/// Whether a statement with these clauses cannot hold the later one.
pub(super) fn exclude(earlier: &[Touch], later: &[Touch]) -> bool {
    let any = |touches: &[Touch], way| touches.iter().any(|touch| touch.way == way);
    // MySQL with a binary log adds no column, not even another one, in a statement that makes values up.
    if any(earlier, Way::MakesUp) && any(later, Way::Adds) || any(earlier, Way::Adds) && any(later, Way::MakesUp) {
        return true;
    }
    earlier.iter().any(|one| later.iter().any(|other| one.excludes(other)))
}
