//! What can be a key or stand in an index, and how large a row may be.

use super::super::super::known::says;
use super::super::super::model::{Column, Constraint, IndexWhat, Rule, Table, Traits, What};
use super::super::super::types::LogicalType;
use super::super::super::yaml::At;
use super::super::Generator;
use crate::domain::{ObjectName, Provider};

/// The longest entry of an index of InnoDB, in bytes.
const LONGEST_ENTRY: u64 = 3072;
/// The largest row of MySQL and MariaDB without what is kept outside of it, in bytes.
const LARGEST_ROW: u64 = 65_535;
/// The most bytes of a character of `utf8mb4`.
const CHARACTER: u64 = 4;

impl Generator<'_, '_> {
    pub(super) fn check_constraint(&mut self, table: &Table, constraint: &Constraint) {
        let at = constraint.at;
        let columns = super::columns_of(&constraint.rule);
        let mut bytes = 0;
        // InnoDB makes an index of the columns of a foreign key, too.
        let is_mysql = self.provider() == Provider::MySql;
        let is_index = matches!(constraint.rule, Rule::Primary(_) | Rule::Unique(_))
            || (is_mysql && matches!(constraint.rule, Rule::Foreign(_)));
        for name in columns {
            if self.has_column(at, table, name) && is_index {
                bytes += self.check_indexed(at, table, name);
            }
        }
        self.check_index_size(at, bytes);
        match &constraint.rule {
            Rule::Primary(names) => self.check_primary(at, table, names),
            Rule::Foreign(key) => self.check_foreign(table, constraint, key),
            _ => {}
        }
    }

    fn check_primary(&mut self, at: At, table: &Table, names: &[String]) {
        for column in table.columns.iter().filter(|each| names.contains(&each.name)) {
            if column.generated.is_some() {
                if self.provider() != Provider::Postgres {
                    let message = format!("the generated column '{}' can't be part of the primary key", column.name);
                    self.unable(at, message, "make a unique index over it instead");
                }
            } else if column.is_nullable {
                let message = format!("the column '{}' of the primary key may be NULL", column.name);
                self.unable(at, message, "write 'nullable: false'; a primary key is never NULL");
            }
        }
    }

    /// Says that a column can't stand in an index; otherwise how many bytes it takes there at most.
    pub(super) fn check_indexed(&mut self, at: At, table: &Table, name: &str) -> u64 {
        let Some(column) = table.columns.iter().find(|each| each.name == name) else { return 0 };
        let provider = self.provider();
        if column.native.contains_key(&provider) {
            return 0;
        }
        let is_large = match provider {
            Provider::MySql | Provider::SqlServer => {
                matches!(column.kind, LogicalType::Text | LogicalType::Bytes | LogicalType::Json)
            }
            Provider::Sqlite | Provider::Postgres => false,
        };
        if is_large {
            let message = format!("'{name}' is of a type without a length, which no key or index takes");
            self.unable(at, message, "choose string(n), or give the server a type of its own under 'native'");
        }
        bytes(&column.kind)
    }

    pub(super) fn check_index_size(&mut self, at: At, bytes: u64) {
        if self.provider() == Provider::MySql && bytes > LONGEST_ENTRY {
            let message =
                format!("an entry would have up to {bytes} bytes, and no key or index takes more than {LONGEST_ENTRY}");
            self.unable(at, message, "shorten its strings, or index fewer columns");
        }
    }

    /// MySQL numbers rows only by a column that a key begins with.
    pub(super) fn check_identity(&mut self, table: &Table) {
        if self.provider() != Provider::MySql {
            return;
        }
        for column in table.columns.iter().filter(|each| !is_numbered(table, each)) {
            let message = format!("a key or index has to begin with the identity column '{}'", column.name);
            self.unable(column.at, message, "make it the primary key");
        }
    }

    pub(super) fn check_size(&mut self, at: At, table: &Table) {
        if self.provider() != Provider::MySql {
            return;
        }
        let mysql = Provider::MySql;
        let kept = table.columns.iter().filter(|each| !each.native.contains_key(&mysql));
        let size: u64 = kept.map(|each| in_row(&each.kind)).sum();
        if size > LARGEST_ROW {
            let message = format!("its rows could have {size} bytes, and no row may have more than {LARGEST_ROW}");
            self.unable(at, message, "make long strings 'text', which is kept outside of the row");
        }
    }

    pub(super) fn check_dropped_key(&mut self, at: At, table: &ObjectName) {
        let Some(table) = self.known.table(table) else { return };
        let name = table.name.clone();
        let is_other = |each: &&Constraint| !matches!(each.rule, Rule::Primary(_));
        let constraints = table.constraints.iter().filter(is_other).cloned().collect();
        let rest = Table { constraints, ..table.clone() };
        match self.provider() {
            Provider::Sqlite if rest.columns.iter().any(|each| each.identity.is_some()) => {
                let hint = "say with 'providers' where it is for; SQLite numbers rows by the primary key only";
                self.unable(at, format!("the rows of {name} would not be numbered any more"), hint);
            }
            Provider::MySql if rest.columns.iter().any(|each| !is_numbered(&rest, each)) => {
                self.unkeyed = Some((at, name));
            }
            _ => {}
        }
    }

    /// MySQL drops the key of a column that it numbers only in the same statement that makes another one.
    pub(in super::super) fn check_unkeyed(&mut self, next: Option<&What>) {
        let Some((at, table)) = self.unkeyed.clone() else { return };
        match next {
            Some(What::AlterColumn { table: other, .. }) if *other == table => return,
            Some(What::AddConstraint { table: other, constraint })
                if *other == table && matches!(constraint.rule, Rule::Primary(_)) => {}
            _ => {
                let provider = self.provider();
                let message = format!(
                    "drop_primary_key on {provider}: the identity column of {table} has to have a key at every moment"
                );
                let hint =
                    "write add_primary_key for the table right behind it, or say with 'providers' where it is for";
                self.problem(at, message, hint);
            }
        }
        self.unkeyed = None;
    }

    /// SQL Server changes no column that a key or index is over, unless a text only becomes longer.
    pub(super) fn check_altered_type(&mut self, at: At, table: &Table, known: &Column, to: &Traits) {
        if self.provider() != Provider::SqlServer || !changes_definition(self.provider(), known, to) {
            return;
        }
        let grows = match (&known.kind, &to.kind) {
            (LogicalType::String(_), None) => true,
            (LogicalType::String(old), Some(LogicalType::String(new))) => new >= old,
            _ => false,
        };
        let is_over = |names: &[String]| names.contains(&known.name);
        let constraints = table.constraints.iter().filter(|each| match &each.rule {
            Rule::Primary(names) => is_over(names),
            Rule::Unique(names) => is_over(names) && !grows,
            Rule::Foreign(key) => is_over(&key.columns),
            Rule::Check { expression, .. } => {
                says(expression, Some(Provider::SqlServer), &known.name)
                    && !grows
                    && changes_type(Provider::SqlServer, known, to)
            }
        });
        let indexes = table.indexes.iter().filter(|each| {
            let is_it = |part: &super::super::super::model::IndexPart| matches!(&part.what, IndexWhat::Column(name) if *name == known.name);
            (each.parts.iter().any(is_it) || is_over(&each.include)) && !grows
        });
        let names = constraints.map(|each| each.name.as_deref()).chain(indexes.map(|each| each.name.as_deref()));
        let used: Vec<&str> = names.map(Option::unwrap_or_default).collect();
        if !used.is_empty() {
            let message = format!("'{}' can't be changed while {} is over it", known.name, used.join(", "));
            self.unable(at, message, "drop that first and make it again afterwards, for this server with 'providers'");
        }
    }
}

/// Whether a column is no identity column, or one that a key or index begins with.
fn is_numbered(table: &Table, column: &Column) -> bool {
    let begins = |names: &[String]| names.first() == Some(&column.name);
    let has_key = table.constraints.iter().any(|each| match &each.rule {
        Rule::Primary(names) | Rule::Unique(names) => begins(names),
        _ => false,
    });
    let mut indexes = table.indexes.iter().filter_map(|each| each.parts.first());
    let is_it = |what: &IndexWhat| matches!(what, IndexWhat::Column(name) if *name == column.name);
    column.identity.is_none() || has_key || indexes.any(|part| is_it(&part.what))
}

/// Whether type or nullability become others than they are.
pub(in super::super) fn changes_definition(provider: Provider, known: &Column, to: &Traits) -> bool {
    changes_type(provider, known, to) || to.is_nullable.is_some_and(|nullable| nullable != known.is_nullable)
}

/// Whether the type becomes another than it is.
pub(in super::super) fn changes_type(provider: Provider, known: &Column, to: &Traits) -> bool {
    let native = known.native.get(&provider);
    let kind = to.kind.as_ref().is_some_and(|kind| kind.sql(provider) != known.kind.sql(provider) || native.is_some());
    let own = to.native.get(&provider).is_some_and(|own| native != Some(own));
    let is_same_own = to.native.get(&provider).is_some_and(|own| native == Some(own));
    own || (kind && !is_same_own)
}

/// What a value takes in an index of MySQL at most.
fn bytes(kind: &LogicalType) -> u64 {
    match kind {
        LogicalType::Uuid => 36 * CHARACTER,
        LogicalType::String(n) => u64::from(*n) * CHARACTER + 2,
        LogicalType::Enum(values) => {
            let longest = values.iter().map(|value| value.chars().count()).max().unwrap_or_default().max(20);
            u64::try_from(longest).unwrap_or_default() * CHARACTER + 2
        }
        LogicalType::SmallInt => 2,
        LogicalType::Int => 4,
        LogicalType::BigInt | LogicalType::Double | LogicalType::Timestamp | LogicalType::TimestampTz => 8,
        LogicalType::Decimal(digits, _) => u64::from(*digits) / 2 + 1,
        LogicalType::Bool => 1,
        LogicalType::Date => 3,
        LogicalType::Text | LogicalType::Bytes | LogicalType::Json => 0,
    }
}

/// What a value takes in a row of MySQL at most.
fn in_row(kind: &LogicalType) -> u64 {
    match kind {
        LogicalType::Text | LogicalType::Bytes | LogicalType::Json => 12,
        kind => bytes(kind),
    }
}
