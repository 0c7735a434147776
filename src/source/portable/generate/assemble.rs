//! Puts parts together to statements: clauses of one `ALTER TABLE` where the server commits each by itself, edits of one
//! rebuild where it has to build the table anew.

use super::super::super::Problem;
use super::super::super::script;
use super::super::dialect::{Altering, Comments, Dialect};
use super::super::model::MySqlOptions;
use super::super::yaml::At;
use super::touch::{self, Touch};
use super::{Made, Piece};
use crate::domain::{Effect, ObjectName, Risk, Statement, TableEdit, TableRebuild};

pub(super) fn assemble(dialect: &Dialect, file: &str, made: Vec<Made>) -> Result<Vec<Statement>, Vec<Problem>> {
    let mut out = Assembly { dialect, file, open: None, statements: Vec::new(), problems: Vec::new() };
    for made in made {
        out.add(made);
    }
    out.close();
    if out.problems.is_empty() { Ok(out.statements) } else { Err(out.problems) }
}

/// A statement that may still grow.
struct Open {
    at: At,
    /// Of the operations that came after the first.
    lines: Vec<u32>,
    table: ObjectName,
    is_fresh: bool,
    grows: Grows,
}

enum Grows {
    Alter { clauses: Vec<String>, touches: Vec<Touch>, options: MySqlOptions },
    Rebuild { edits: Vec<TableEdit>, words: Vec<String>, indexes: Vec<LaterIndex> },
}

/// An index that is made right after a rebuild of its table.
struct LaterIndex {
    at: At,
    sql: String,
    is_unique: bool,
}

struct Assembly<'a> {
    dialect: &'a Dialect,
    file: &'a str,
    open: Option<Open>,
    statements: Vec<Statement>,
    problems: Vec<Problem>,
}

impl Assembly<'_> {
    fn add(&mut self, made: Made) {
        let Made { at, piece, is_fresh } = made;
        match piece {
            Piece::Whole(sql) => {
                self.close();
                self.statement(at, &sql, is_fresh);
            }
            Piece::Rows(sql) => {
                self.close();
                self.statement(at, &sql, is_fresh);
                if let Some(last) = self.statements.last_mut() {
                    last.enforces_keys = true;
                }
            }
            Piece::Alone(sql) => {
                self.close();
                self.statement(at, &sql, is_fresh);
                if let Some(last) = self.statements.last_mut() {
                    last.alone.get_or_insert(Effect::Idempotent);
                }
            }
            Piece::Drop { table, sql, with } => {
                self.close();
                self.statement(at, &sql, is_fresh);
                if let Some(last) = self.statements.last_mut() {
                    last.rebuild = Some(TableRebuild { table, edits: vec![TableEdit::DropTable { with }] });
                }
            }
            Piece::Raw(statements) => {
                self.close();
                self.statements.extend(statements);
            }
            Piece::Index { table, sql, is_unique } => match &mut self.open {
                Some(Open { table: open, grows: Grows::Rebuild { indexes, .. }, .. }) if *open == table => {
                    indexes.push(LaterIndex { at, sql, is_unique });
                }
                _ => self.add(Made { at, piece: Piece::Whole(sql), is_fresh }),
            },
            Piece::Alter { table, edit: Some((edit, words)), .. } if self.is_rebuilding(&table) => {
                self.add(Made { at, piece: Piece::Edit { table, edit, words }, is_fresh });
            }
            Piece::Alter { table, clause, touches: more, options: wanted, .. } => {
                let merges = self.dialect.altering == Altering::Whole;
                if let Some(Open {
                    at: first,
                    lines,
                    table: open,
                    grows: Grows::Alter { clauses, touches, options },
                    ..
                }) = &mut self.open
                    && merges
                    && *open == table
                    && *options == wanted
                    && !touch::exclude(touches, &more)
                {
                    add_line(lines, first.0, at.0);
                    clauses.push(clause);
                    touches.extend(more);
                    return;
                }
                self.close();
                let grows = Grows::Alter { clauses: vec![clause], touches: more, options: wanted };
                self.open = Some(Open { at, lines: Vec::new(), table, is_fresh, grows });
            }
            Piece::Edit { table, edit, words: said } => {
                if let Some(Open {
                    at: first, lines, table: open, grows: Grows::Rebuild { edits, words, indexes }, ..
                }) = &mut self.open
                    && *open == table
                    && !indexes.iter().any(|index| edit.may_need(index))
                {
                    add_line(lines, first.0, at.0);
                    edits.push(edit);
                    words.push(said);
                    return;
                }
                self.close();
                let grows = Grows::Rebuild { edits: vec![edit], words: vec![said], indexes: Vec::new() };
                self.open = Some(Open { at, lines: Vec::new(), table, is_fresh, grows });
            }
        }
    }

    fn is_rebuilding(&self, table: &ObjectName) -> bool {
        matches!(&self.open, Some(Open { table: open, grows: Grows::Rebuild { .. }, .. }) if open == table)
    }

    fn close(&mut self) {
        let Some(Open { at, lines, table, is_fresh, grows }) = self.open.take() else { return };
        match grows {
            Grows::Alter { clauses, options, .. } => {
                let mut clauses = clauses;
                clauses.extend(options.algorithm.map(|word| format!("ALGORITHM={word}")));
                clauses.extend(options.lock.map(|word| format!("LOCK={word}")));
                let name = self.dialect.object(&table);
                let sql = match clauses.as_slice() {
                    [one] => format!("ALTER TABLE {name} {one}"),
                    many => format!("ALTER TABLE {name}\n    {}", many.join(",\n    ")),
                };
                let before = self.statements.len();
                self.statement(at, &sql, is_fresh);
                self.statements.iter_mut().skip(before).for_each(|each| each.further_lines.clone_from(&lines));
            }
            Grows::Rebuild { edits, words, indexes } => {
                let rebuild = TableRebuild { table, edits };
                let table = &rebuild.table;
                let words = words.join("; ");
                let sql = match rebuild.is_of_indexes() {
                    true => format!("{words} on table {}", table.name),
                    false => format!("rebuild table {}: {words}", table.name),
                };
                let risk = risk(&rebuild, is_fresh);
                self.statements.push(Statement {
                    line: at.0,
                    column: at.1,
                    further_lines: lines,
                    is_generated: true,
                    risk,
                    rebuild: Some(rebuild),
                    ..Statement::new(sql)
                });
                for index in indexes {
                    self.statement(index.at, &index.sql, is_fresh);
                }
            }
        }
    }

    /// Reads a statement as one from a file would be, so that the same is known of it.
    fn statement(&mut self, at: At, sql: &str, is_fresh: bool) {
        let reading = script::read(self.dialect.provider, self.file, sql);
        let provider = self.dialect.provider;
        match (reading.problems.first(), reading.statements.as_slice()) {
            (None, [statement]) => {
                let mut statement = Statement { line: at.0, column: at.1, is_generated: true, ..statement.clone() };
                if self.dialect.comments == Comments::Remark && sql.ends_with("*/") {
                    // SQLite keeps it as part of the column's text.
                    sql.clone_into(&mut statement.sql);
                }
                if is_fresh {
                    statement.risk.blocks = None;
                }
                self.statements.push(statement);
            }
            (Some(problem), _) => {
                let message = format!("what this becomes on {provider} can't be run: {}", problem.message);
                self.problems.push(Problem::at(self.file, at, message, "mend the SQL texts that it holds"));
            }
            (None, statements) => {
                let message =
                    format!("what this becomes on {provider} is {} statements instead of one", statements.len());
                self.problems.push(Problem::at(self.file, at, message, "mend the SQL texts that it holds"));
            }
        }
    }
}

impl TableEdit {
    /// Whether it may not work before this index, which comes before it, is there: a foreign key to the table itself needs
    /// a unique one, and an index has to be there to be renamed.
    fn may_need(&self, index: &LaterIndex) -> bool {
        match self {
            Self::AddConstraint { definition, .. } => index.is_unique && definition.starts_with("FOREIGN KEY"),
            Self::RenameIndex { .. } => true,
            _ => false,
        }
    }
}

/// An operation of several parts is named once.
fn add_line(lines: &mut Vec<u32>, first: u32, line: u32) {
    if line != first && !lines.contains(&line) {
        lines.push(line);
    }
}

/// What a rebuild loses, and whom it holds up.
fn risk(rebuild: &TableRebuild, is_fresh: bool) -> Risk {
    let TableRebuild { table, edits } = rebuild;
    let dropped = edits.iter().filter_map(|edit| match edit {
        TableEdit::DropColumn { name } => Some(format!("the column {name} of {table} and what it holds")),
        _ => None,
    });
    let dropped: Vec<_> = dropped.collect();
    let until = if rebuild.is_of_indexes() { "the index is built anew" } else { "{table} is built anew" };
    let until = until.replace("{table}", &table.to_string());
    Risk {
        destroys: (!dropped.is_empty()).then(|| dropped.join("; ")),
        blocks: (!is_fresh).then(|| format!("writes to the database wait until {until}")),
    }
}
