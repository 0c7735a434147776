//! From the model to one server's statements.

mod alter;
mod assemble;
mod check;
mod comment;
mod data;
mod index;
mod table;
mod touch;
mod whole;

use std::collections::HashSet;

use self::touch::Touch;
use super::super::Problem;
use super::super::script::{self, MAX_PROBLEMS};
use super::dialect::{Dialect, How, of};
use super::expression::translate;
use super::known::Known;
use super::model::{MySqlOptions, Operation, SqlText, What};
use super::yaml::At;
use crate::domain::{ObjectName, Provider, Statement, TableEdit, render};

/// The statements that these operations, which are in order, become on a server.
pub(super) fn generate(
    provider: Provider,
    file: &str,
    operations: &[Operation],
    known: &mut Known<'_>,
) -> Result<Vec<Statement>, Vec<Problem>> {
    let mut generator = Generator {
        dialect: of(provider),
        file,
        operation: None,
        later: &[],
        fresh: HashSet::new(),
        known,
        unkeyed: None,
        made: Vec::new(),
        problems: Vec::new(),
    };
    for (index, operation) in operations.iter().enumerate() {
        generator.operation = Some(operation);
        generator.later = operations.get(index + 1..).unwrap_or_default();
        generator.check(operation);
        generator.operation(operation);
        generator.known.learn(provider, operation);
    }
    generator.check_unkeyed(None);
    if generator.problems.is_empty() {
        assemble::assemble(generator.dialect, file, generator.made)
    } else {
        Err(generator.problems)
    }
}

/// A part of what an operation becomes.
#[derive(Debug)]
struct Made {
    at: At,
    piece: Piece,
    /// Whether its table is made by this same migration: nobody waits for it.
    is_fresh: bool,
}

#[derive(Debug)]
enum Piece {
    /// A clause of `ALTER TABLE`, and what it is about.
    Alter {
        table: ObjectName,
        clause: String,
        touches: Vec<Touch>,
        options: MySqlOptions,
        /// What it is as part of a rebuild, where one is under way.
        edit: Option<(TableEdit, String)>,
    },
    /// An index of a table, which a rebuild of that table need not wait for.
    Index {
        table: ObjectName,
        sql: String,
        is_unique: bool,
    },
    Whole(String),
    /// A statement that changes rows.
    Rows(String),
    /// A statement that can be run again, and that is better run outside of a transaction.
    Alone(String),
    /// Part of a rebuild, and what it is in words.
    Edit {
        table: ObjectName,
        edit: TableEdit,
        words: String,
    },
    /// Dropping a table that nothing may refer to but the tables that are dropped after it.
    Drop {
        table: ObjectName,
        sql: String,
        with: Vec<String>,
    },
    /// Statements that are ready.
    Raw(Vec<Statement>),
}

struct Generator<'a, 'k> {
    dialect: &'static Dialect,
    file: &'a str,
    operation: Option<&'a Operation>,
    /// The operations after it.
    later: &'a [Operation],
    /// Tables made by this migration: nobody waits for them, and they hold nothing.
    fresh: HashSet<ObjectName>,
    /// The tables as they are before the operation.
    known: &'a mut Known<'k>,
    /// Where a key went without which MySQL cannot number the rows of the table.
    unkeyed: Option<(At, ObjectName)>,
    made: Vec<Made>,
    problems: Vec<Problem>,
}

impl<'a> Generator<'a, '_> {
    fn operation(&mut self, operation: &'a Operation) {
        match &operation.what {
            What::CreateTable(table) => self.create_table(table),
            What::DropTable { table } => self.drop_table(table),
            What::RenameTable { table, to } => self.rename_table(table, to),
            What::AddColumn { table, column, constraints } => self.add_column(table, column, constraints),
            What::DropColumn { table, column, is_plain } => self.drop_column(table, column, *is_plain),
            What::RenameColumn { table, column, to } => self.rename_column(table, column, to),
            What::AlterColumn { table, column, to, was } => self.alter_column(table, column, to, was.as_ref()),
            What::CreateIndex { table, index } => self.create_index(table, index, operation.is_online),
            What::DropIndex { table, name } => self.drop_index(table, name),
            What::RenameIndex { table, name, to } => self.rename_index(table, name, to),
            What::AddConstraint { table, constraint } => self.add_constraint(table, constraint, operation.is_online),
            What::DropConstraint { table, name, kind } => self.drop_constraint(table, name.as_deref(), *kind),
            What::CreateView { view, query, replaces } => self.create_view(view, query, *replaces),
            What::DropView { view } => {
                let view = self.object(view);
                self.whole(format!("DROP VIEW {view}"));
            }
            What::Insert { table, rows } => self.insert(table, rows),
            What::Update { table, set, filter } => self.update(table, set, filter.as_ref()),
            What::Delete { table, filter } => self.delete(table, filter.as_ref()),
            What::Sql(raw) => self.raw(raw),
        }
    }

    /// The tables that operations after this one drop.
    fn dropped_later(&self) -> impl Iterator<Item = &'a ObjectName> + use<'a> {
        self.later.iter().filter_map(|each| match &each.what {
            What::DropTable { table } => Some(table),
            _ => None,
        })
    }

    /// The columns of a table, as far as they are known.
    fn columns_of(&self, table: &ObjectName) -> Vec<String> {
        let known = self.known.table(table);
        known.map(|table| table.columns.iter().map(|each| each.name.clone()).collect()).unwrap_or_default()
    }

    fn at(&self) -> At {
        self.operation.map_or((1, 1), |operation| operation.at)
    }

    fn word(&self) -> &'static str {
        self.operation.map_or("", |operation| operation.word)
    }

    fn provider(&self) -> Provider {
        self.dialect.provider
    }

    /// Says that this server cannot do what the operation asks for.
    fn unable(&mut self, at: At, message: impl std::fmt::Display, hint: impl Into<String>) {
        let message = format!("{} on {}: {message}", self.word(), self.provider());
        self.problem(at, message, hint);
    }

    fn problem(&mut self, at: At, message: String, hint: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::at(self.file, at, message, hint));
        }
    }

    fn add(&mut self, piece: Piece, is_fresh: bool) {
        self.made.push(Made { at: self.at(), piece, is_fresh });
    }

    fn whole(&mut self, sql: String) {
        self.add(Piece::Whole(sql), false);
    }

    /// A statement that changes rows.
    fn rows(&mut self, sql: String) {
        self.add(Piece::Rows(sql), false);
    }

    /// A statement about a table.
    fn whole_on(&mut self, table: &ObjectName, sql: String) {
        self.add(Piece::Whole(sql), self.fresh.contains(table));
    }

    fn clause(&mut self, table: &ObjectName, clause: String, touches: Vec<Touch>) {
        self.clause_or(table, clause, touches, None);
    }

    /// A clause of `ALTER TABLE`, or part of a rebuild of the table that is under way.
    fn clause_or(
        &mut self,
        table: &ObjectName,
        clause: String,
        mut touches: Vec<Touch>,
        edit: Option<(TableEdit, String)>,
    ) {
        if clause.contains(self.dialect.uuid) {
            touches.push(Touch::makes_up());
        }
        let options = match self.operation {
            Some(operation) if self.provider() == Provider::MySql => operation.mysql.clone(),
            _ => MySqlOptions::default(),
        };
        let piece = Piece::Alter { table: table.clone(), clause, touches, options, edit };
        self.add(piece, self.fresh.contains(table));
    }

    fn edit(&mut self, table: &ObjectName, edit: TableEdit, words: String) {
        // Checks that the server has no schemas.
        self.object(table);
        self.add(Piece::Edit { table: table.clone(), edit, words }, self.fresh.contains(table));
    }

    /// Writes a change of a table the way the server has it; false when that is a rebuild.
    fn change(&mut self, how: How, table: &ObjectName, values: &[(&str, &str)], touches: Vec<Touch>) -> bool {
        let name = self.object(table);
        let mut all = vec![("table", name.as_str())];
        all.extend(values);
        match how {
            How::Alter(text) => self.clause(table, render(text, &all), touches),
            How::Whole(text) => self.whole_on(table, render(text, &all)),
            How::Rebuild => return false,
        }
        true
    }

    /// A table's or view's quoted name.
    fn object(&mut self, name: &ObjectName) -> String {
        let at = self.at();
        if name.schema.is_some() && !self.dialect.has_schemas {
            let message = format!("the name {name} has a schema, which this server does not know");
            self.unable(at, message, "leave the schema out, or say with 'providers' where the operation is for");
        }
        self.fits(at, &name.name);
        self.dialect.object(name)
    }

    /// Programs have to know the names of tables and columns, so these are not cut.
    fn fits(&mut self, at: At, name: &str) {
        if self.dialect.length(name) > self.dialect.longest_name {
            let unit = if self.dialect.counts_bytes { "bytes" } else { "characters" };
            let message = format!("the name '{name}' has more than {} {unit}", self.dialect.longest_name);
            self.unable(at, message, "choose a shorter name");
        }
    }

    fn column_name(&mut self, at: At, name: &str) -> String {
        self.fits(at, name);
        self.dialect.quote(name)
    }

    /// The quoted name of a constraint or index, cut where it is too long.
    fn bounded(&self, name: &str) -> String {
        self.dialect.quote(&self.dialect.bounded(name))
    }

    /// An SQL text for this server.
    fn sql(&mut self, text: &SqlText, columns: &[&str]) -> String {
        let dialect = self.dialect;
        self.sql_with(text, columns, |name| dialect.quote(name))
    }

    /// The same, where `written` says how names are written in a general text.
    fn sql_with(&mut self, text: &SqlText, columns: &[&str], written: impl Fn(&str) -> String) -> String {
        match text.of(self.provider()) {
            None => {
                let hint = format!("add '{}: …', or 'sql: …' for all the others", self.provider());
                self.unable(text.at, "there is no SQL for this provider", hint);
                String::new()
            }
            Some((own, false)) => own.to_owned(),
            Some((general, true)) => match translate(self.dialect, general, columns, written) {
                Ok(sql) => sql,
                Err(wrong) => {
                    let message = format!("{}: the SQL can't be used: {wrong}", self.word());
                    let hint = "mend it, or write it in the servers' own words under their names";
                    self.problem(text.at, message, hint);
                    String::new()
                }
            },
        }
    }

    /// Statements in the server's own words, with the lines of the file.
    fn raw(&mut self, raw: &super::model::RawSql) {
        let Some(text) = raw.of(self.provider()) else { return };
        let reading = script::read(self.provider(), self.file, &text.text);
        let (at, keeps_lines) = (text.at, text.keeps_lines);
        let moved = |line: u32, column: u32| {
            if keeps_lines && line > 0 { (at.0 + line - 1, at.1 + column.max(1) - 1) } else { at }
        };
        for problem in &reading.problems {
            let place = moved(problem.line, problem.column);
            let hint = problem.hint.replace("'-- branchkeeper: transaction-mode=None'", "'transaction_mode: None'");
            self.problem(place, problem.message.clone(), hint);
        }
        if reading.statements.is_empty() && reading.problems.is_empty() {
            self.unable(at, "the text has no statement", "remove the operation, or write one");
        }
        let mut statements = reading.statements;
        for statement in &mut statements {
            (statement.line, statement.column) = moved(statement.line, statement.column);
        }
        self.add(Piece::Raw(statements), false);
    }
}
