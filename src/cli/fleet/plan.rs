use super::super::Context;
use super::super::args::up_to;
use super::super::client::{PATIENT, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{count, one_line};
use super::super::output::{Cell, Column, Json, Style, Table, notice};
use crate::rpc::proto;

/// What `plan` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper plan BR001                          what `up BR001` would run
  branchkeeper plan BR001 --to 20251205143022
  branchkeeper plan BR001 --down --steps 2         what `down BR001 --steps 2` would run
  branchkeeper plan BR001 --sql                    every statement in full

Changes nothing. Statements with the same number under TX take effect together or not at all; '-' marks one that takes
effect by itself. `up` and `down` take the digest with --plan-digest, and refuse if the plan has changed by then.")]
pub(crate) struct PlanArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
    /// Up: stop after this migration. Down: everything after it, it stays applied itself
    #[arg(long, value_name = "ID", conflicts_with = "steps")]
    to: Option<String>,
    /// Plan a rollback
    #[arg(long)]
    down: bool,
    /// Undo so many migrations, those applied last first [default: 1]
    #[arg(long, value_name = "N", value_parser = up_to(10_000), requires = "down")]
    steps: Option<u32>,
    /// Print the statements in full instead of a table
    #[arg(long)]
    sql: bool,
}

/// Shows what would run.
pub(crate) async fn plan(context: &Context, args: PlanArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let direction = if args.down { proto::Direction::Down } else { proto::Direction::Up };
    let request = proto::PlanRequest {
        branch: args.branch,
        target_migration: args.to.unwrap_or_default(),
        direction: direction.into(),
        steps: args.steps.unwrap_or_default(),
        transaction_mode: 0,
    };
    let found = answer(PATIENT, client.migrations.plan(request)).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Json(&found))?;
        return Ok(Outcome::Done);
    }
    for warning in &found.warnings {
        notice(&format!("warning: {}", one_line(warning)));
    }
    let code = one_line(&found.branch_code);
    if found.migrations.is_empty() {
        printer.line(&format!("{code}: {}", printer.paint("nothing to do", Style::Good)))?;
    } else {
        match args.sql {
            true => printer.raw(script(&found).as_bytes())?,
            false => printer.table(&table(&found))?,
        }
        printer.line(&format!("{code}: {}", printer.paint(&totals(&found), style(&found))))?;
    }
    printer.line(&format!("digest: {}", one_line(&found.digest)))?;
    Ok(Outcome::Done)
}

fn style(found: &proto::PlanResponse) -> Style {
    let risky = |each: &proto::PlannedStatement| each.destructive || each.blocking;
    if statements(found).any(risky) { Style::Busy } else { Style::Plain }
}

fn statements(found: &proto::PlanResponse) -> impl Iterator<Item = &proto::PlannedStatement> {
    found.migrations.iter().flat_map(|migration| &migration.statements)
}

/// A statement a row, the migration's name where it begins.
fn table(found: &proto::PlanResponse) -> Table {
    let mut table = Table::new([
        Column::new("MIGRATION").flexible(16),
        Column::new("LINE").right().optional(1),
        Column::new("TX").right(),
        Column::new("STATEMENT").flexible(20),
        Column::new("MARK").if_any(),
        Column::new("NOTE").flexible(16).if_any(),
    ]);
    for migration in &found.migrations {
        let info = migration.info.clone().unwrap_or_default();
        for (index, statement) in migration.statements.iter().enumerate() {
            table.row([
                if index == 0 { Cell::from(&info.id) } else { Cell::default() },
                statement.line.to_string().into(),
                if statement.transactional { statement.transaction.to_string() } else { "-".to_owned() }.into(),
                Cell::from(one_line(&statement.sql)),
                mark(statement),
                Cell::from(&statement.note),
            ]);
        }
        if migration.statements.is_empty() {
            table.row([Cell::from(&info.id), "".into(), "".into(), "(only its record is missing)".into()]);
        }
    }
    table
}

fn mark(statement: &proto::PlannedStatement) -> Cell {
    match (statement.destructive, statement.blocking) {
        (true, true) => Cell::styled("DESTROYS, blocks", Style::Bad),
        (true, false) => Cell::styled("DESTROYS", Style::Bad),
        (false, true) => Cell::styled("blocks", Style::Busy),
        (false, false) => Cell::default(),
    }
}

/// The statements as they would run, with comments that say where they come from and what they commit with.
fn script(found: &proto::PlanResponse) -> String {
    let mut text = String::new();
    let mut last = 0;
    for migration in &found.migrations {
        let info = migration.info.clone().unwrap_or_default();
        text.push_str(&format!("-- {} ({})\n", one_line(&info.id), one_line(&migration.file)));
        for statement in &migration.statements {
            if statement.transaction != last {
                last = statement.transaction;
                text.push_str(&match statement.transactional {
                    true => format!("-- transaction {last}\n"),
                    false => "-- outside any transaction\n".to_owned(),
                });
            }
            if !statement.note.is_empty() {
                text.push_str(&format!("-- line {}: {}\n", statement.line, one_line(&statement.note)));
            }
            // Line by line, so that nothing in a file can steer the terminal.
            let lines: Vec<String> = statement.sql.lines().map(printable).collect();
            text.push_str(&lines.join("\n"));
            text.push_str("\n;\n");
        }
    }
    text
}

fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn totals(found: &proto::PlanResponse) -> String {
    let all = statements(found);
    let (mut number, mut destructive, mut blocking) = (0u64, 0u64, 0u64);
    for statement in all {
        number += 1;
        destructive += u64::from(statement.destructive);
        blocking += u64::from(statement.blocking);
    }
    let what = if found.direction == i32::from(proto::Direction::Down) { "undo" } else { "apply" };
    let migrations = count(found.migrations.len() as u64, "migration", "migrations");
    let mut text = format!("{migrations} to {what}, {}", count(number, "statement", "statements"));
    if destructive > 0 {
        text.push_str(&format!(", {destructive} destructive"));
    }
    if blocking > 0 {
        text.push_str(&format!(", {blocking} blocking"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> proto::PlanResponse {
        let statement = |sql: &str, line, transaction| proto::PlannedStatement {
            sql: sql.into(),
            line,
            transaction,
            transactional: true,
            ..Default::default()
        };
        let drop = proto::PlannedStatement {
            destructive: true,
            note: "destroys the table Sales and its rows".into(),
            ..statement("DROP TABLE\n  Sales", 2, 1)
        };
        let alone = proto::PlannedStatement { transactional: false, ..statement("VACUUM", 3, 2) };
        proto::PlanResponse {
            branch_code: "BR001".into(),
            direction: proto::Direction::Down.into(),
            migrations: vec![proto::PlannedMigration {
                info: Some(proto::MigrationInfo { id: "20251205143022_AddUserIdToSales".into(), ..Default::default() }),
                statements: vec![statement("DELETE FROM Users\x1b[2J WHERE Id = 7", 1, 1), drop, alone],
                file: "20251205143022_AddUserIdToSales.down.sql".into(),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    #[test]
    fn a_plan_fits_the_terminal_and_marks_what_destroys() {
        let expected = "\
MIGRATION         LINE  TX  STATEMENT             MARK      NOTE
20251205143022_…     1   1  DELETE FROM Users�[…
                     2   1  DROP TABLE Sales      DESTROYS  destroys the ta…
                     3   -  VACUUM
";
        assert_eq!(table(&sample()).render(Some(76), false), expected);
        assert_eq!(totals(&sample()), "1 migration to undo, 3 statements, 1 destructive");
    }

    #[test]
    fn the_script_says_what_commits_together() {
        let expected = "\
-- 20251205143022_AddUserIdToSales (20251205143022_AddUserIdToSales.down.sql)
-- transaction 1
DELETE FROM Users\u{fffd}[2J WHERE Id = 7
;
-- line 2: destroys the table Sales and its rows
DROP TABLE
  Sales
;
-- outside any transaction
VACUUM
;
";
        assert_eq!(script(&sample()), expected);
    }
}
