//! Changes of columns that exist.

use super::super::super::conversion::{can_refer, goes_over};
use super::super::super::model::{Column, Rule, Table, Traits};
use super::super::super::types::LogicalType;
use super::super::super::yaml::At;
use super::super::Generator;
use super::keys::changes_type;
use crate::domain::{ObjectName, Provider};

impl Generator<'_, '_> {
    pub(super) fn check_altered(
        &mut self,
        at: At,
        table: &ObjectName,
        column: &str,
        to: &Traits,
        was: Option<&Traits>,
    ) {
        let Some(table) = self.known.table(table).cloned() else { return };
        if !self.has_column(at, &table, column) {
            return;
        }
        let Some(known) = table.columns.iter().find(|each| each.name == column) else { return };
        self.check_identity_stays(at, known, to, was);
        if known.generated.is_some() && self.provider() != Provider::Postgres {
            let message = format!("'{column}' is a generated column, which can't be altered there");
            self.unable(at, message, "drop the column and add it again");
        }
        let is_key = table.constraints.iter().any(|each| match &each.rule {
            Rule::Primary(columns) => columns.iter().any(|each| each == column),
            _ => false,
        });
        if is_key && to.is_nullable == Some(true) {
            let message = format!("'{column}' is part of the primary key, which is never NULL");
            self.unable(at, message, "drop the primary key first");
        }
        let kind = to.kind.as_ref().unwrap_or(&known.kind);
        if let Some(Some(default)) = &to.default
            && known.generated.is_none()
        {
            self.check_value(at, "default", kind, &known.native, default);
        }
        self.check_new_type(at, &table, known, to);
        self.check_altered_type(at, &table, known, to);
    }

    fn check_identity_stays(&mut self, at: At, known: &Column, to: &Traits, was: Option<&Traits>) {
        let column = &known.name;
        for said in [Some(to), was].into_iter().flatten().filter_map(|traits| traits.identity) {
            if said.is_some() != known.identity.is_some() {
                let is = if known.identity.is_some() { "is an identity column" } else { "is no identity column" };
                self.unable(at, format!("'{column}' {is}, which can't be changed"), "say what it is");
            }
        }
        if known.identity.is_some() {
            let kind_is_whole = to.kind.as_ref().is_none_or(LogicalType::is_whole);
            if matches!(to.default, Some(Some(_))) || to.is_nullable == Some(true) || !kind_is_whole {
                let hint = "an identity column stays a whole number, without a default and without NULL";
                self.unable(at, format!("'{column}' is an identity column"), hint);
            }
        }
    }

    fn check_new_type(&mut self, at: At, table: &Table, known: &Column, to: &Traits) {
        let (provider, column) = (self.provider(), &known.name);
        if !changes_type(provider, known, to) {
            return;
        }
        let is_own = known.native.contains_key(&provider) || to.native.contains_key(&provider);
        if let Some(kind) = to.kind.as_ref().filter(|kind| !is_own && !goes_over(provider, &known.kind, kind)) {
            let (old, new) = (known.kind.word(), kind.word());
            let message = format!("values of the type {old} can't go over into {new} as they are ('{column}')");
            self.unable(at, message, "add a column of the new type, fill it with an update, and drop this one");
        }
        let computed = self.computed_from(table, column);
        if !computed.is_empty() && matches!(provider, Provider::Postgres | Provider::SqlServer) {
            let message = format!("the type of '{column}' can't be changed while {} reads it", computed.join(", "));
            self.unable(at, message, "drop that first, and add it again afterwards");
        }
        let stops_referring = to.kind.as_ref().is_some_and(|kind| !is_own && !can_refer(provider, &known.kind, kind));
        if provider == Provider::MySql || (provider == Provider::Postgres && stops_referring) {
            self.check_referring(at, table, column);
        }
    }

    /// Says that a foreign key is over the column or refers to it: InnoDB changes no type then, PostgreSQL to none that the
    /// other side can't be compared with.
    fn check_referring(&mut self, at: At, table: &Table, column: &str) {
        let own = table
            .constraints
            .iter()
            .filter(|each| matches!(&each.rule, Rule::Foreign(key) if key.columns.iter().any(|name| name == column)));
        let referring = self.known.referring(&table.name).into_iter();
        let others = referring.filter(|(.., key)| key.target.iter().any(|name| name == column));
        let mut keys: Vec<String> =
            own.chain(others.map(|(_, constraint, _)| constraint)).filter_map(|each| each.name.clone()).collect();
        keys.dedup();
        if !keys.is_empty() {
            let message = format!("'{column}' can't be changed while the foreign key {} is about it", keys.join(", "));
            self.unable(at, message, "drop the key first, and add it again when both sides have the new type");
        }
    }
}
