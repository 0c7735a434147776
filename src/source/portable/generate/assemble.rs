//! Puts parts together to statements: clauses of one `ALTER TABLE` where the server commits each by itself, edits of one
//! rebuild where it has to build the table anew.

use super::super::super::Problem;
use super::super::super::script;
use super::super::dialect::{Altering, Dialect};
use super::super::model::MySqlOptions;
use super::super::yaml::At;
use super::{Made, Piece};
use crate::domain::{ObjectName, Risk, Statement, TableEdit, TableRebuild};

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
    table: ObjectName,
    risk: Risk,
    grows: Grows,
}

enum Grows {
    Alter { clauses: Vec<String>, touches: Vec<String>, options: MySqlOptions },
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
        let Made { at, piece, risk } = made;
        match piece {
            Piece::Whole(sql) => {
                self.close();
                self.statement(at, &sql, risk);
            }
            Piece::Raw(statements) => {
                self.close();
                self.statements.extend(statements);
            }
            Piece::Alter { table, clause, touches: more, options: wanted } => {
                let merges = self.dialect.altering == Altering::Whole;
                if let Some(Open { table: open, risk: all, grows: Grows::Alter { clauses, touches, options }, .. }) =
                    &mut self.open
                    && merges
                    && *open == table
                    && *options == wanted
                    && !more.iter().any(|name| touches.contains(name))
                {
                    clauses.push(clause);
                    touches.extend(more);
                    join(all, risk);
                    return;
                }
                self.close();
                let grows = Grows::Alter { clauses: vec![clause], touches: more, options: wanted };
                self.open = Some(Open { at, table, risk, grows });
            }
            Piece::Edit { table, edit, words: said } => {
                if let Some(Open { table: open, risk: all, grows: Grows::Rebuild { edits, words }, .. }) =
                    &mut self.open
                    && *open == table
                {
                    edits.push(edit);
                    words.push(said);
                    join(all, risk);
                    return;
                }
                self.close();
                let grows = Grows::Rebuild { edits: vec![edit], words: vec![said] };
                self.open = Some(Open { at, table, risk, grows });
            }
        }
    }

    fn close(&mut self) {
        let Some(Open { at, table, risk, grows }) = self.open.take() else { return };
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
                self.statement(at, &sql, risk);
            }
            Grows::Rebuild { edits, words } => {
                let sql = format!("rebuild table {}: {}", table.name, words.join("; "));
                let rebuild = Some(TableRebuild { table, edits });
                self.statements.push(Statement {
                    line: at.0,
                    column: at.1,
                    is_generated: true,
                    risk,
                    rebuild,
                    ..Statement::new(sql)
                });
            }
        }
    }

    /// Reads a statement as one from a file would be, so that the same is known of it.
    fn statement(&mut self, at: At, sql: &str, risk: Risk) {
        let reading = script::read(self.dialect.provider, self.file, sql);
        let provider = self.dialect.provider;
        match (reading.problems.first(), reading.statements.as_slice()) {
            (None, [statement]) => {
                self.statements.push(Statement {
                    line: at.0,
                    column: at.1,
                    is_generated: true,
                    risk,
                    ..statement.clone()
                });
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

fn join(all: &mut Risk, more: Risk) {
    for (one, other) in [(&mut all.destroys, more.destroys), (&mut all.blocks, more.blocks)] {
        match (one.as_mut(), other) {
            (Some(text), Some(other)) if !text.contains(&other) => {
                text.push_str("; ");
                text.push_str(&other);
            }
            (None, other) => *one = other,
            _ => {}
        }
    }
}
