//! Puts parts together to statements: clauses of one `ALTER TABLE` where the server commits each by itself, edits of one
//! rebuild where it has to build the table anew.

use super::super::super::Problem;
use super::super::super::script;
use super::super::dialect::{Altering, Dialect};
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
    Rebuild { edits: Vec<TableEdit>, words: Vec<String> },
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
            Piece::Alone(sql) => {
                self.close();
                self.statement(at, &sql, is_fresh);
                if let Some(last) = self.statements.last_mut() {
                    last.alone.get_or_insert(Effect::Idempotent);
                }
            }
            Piece::Raw(statements) => {
                self.close();
                self.statements.extend(statements);
            }
            Piece::Alter { table, clause, touches: more, options: wanted } => {
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
                if let Some(Open { at: first, lines, table: open, grows: Grows::Rebuild { edits, words }, .. }) =
                    &mut self.open
                    && *open == table
                {
                    add_line(lines, first.0, at.0);
                    edits.push(edit);
                    words.push(said);
                    return;
                }
                self.close();
                let grows = Grows::Rebuild { edits: vec![edit], words: vec![said] };
                self.open = Some(Open { at, lines: Vec::new(), table, is_fresh, grows });
            }
        }
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
            Grows::Rebuild { edits, words } => {
                let sql = format!("rebuild table {}: {}", table.name, words.join("; "));
                let risk = risk(&table, &edits, is_fresh);
                let rebuild = Some(TableRebuild { table, edits });
                self.statements.push(Statement {
                    line: at.0,
                    column: at.1,
                    further_lines: lines,
                    is_generated: true,
                    risk,
                    rebuild,
                    ..Statement::new(sql)
                });
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

/// An operation of several parts is named once.
fn add_line(lines: &mut Vec<u32>, first: u32, line: u32) {
    if line != first && !lines.contains(&line) {
        lines.push(line);
    }
}

/// What a rebuild loses, and whom it holds up.
fn risk(table: &ObjectName, edits: &[TableEdit], is_fresh: bool) -> Risk {
    let dropped = edits.iter().filter_map(|edit| match edit {
        TableEdit::DropColumn { name } => Some(format!("the column {name} of {table} and what it holds")),
        _ => None,
    });
    let dropped: Vec<_> = dropped.collect();
    Risk {
        destroys: (!dropped.is_empty()).then(|| dropped.join("; ")),
        blocks: (!is_fresh).then(|| format!("writes to the database wait until {table} is built anew")),
    }
}
