use super::super::Context;
use super::super::failure::{Failure, Outcome};
use super::super::output::text::count;
use super::super::output::{Column, Style, Table, notice};
use super::migrations_folder;
use crate::source::{Counts, Problems};

/// What `check` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper check
  branchkeeper check --migrations ./branch_migrations --output json

Exit code 0 when the folder can be used, 1 when it has problems; every problem is listed, one a line.")]
pub(crate) struct CheckArgs {
    /// The folder with the migrations [env: BRANCHKEEPER_MIGRATIONS] [default: branch_migrations]
    #[arg(long, value_name = "DIR")]
    migrations: Option<String>,
}

/// Reads the migrations folder and reports what is wrong with it.
pub(crate) fn check(context: &Context, args: &CheckArgs) -> Result<Outcome, Failure> {
    let folder = migrations_folder(args.migrations.as_deref())?;
    let folder_name = folder.display().to_string();
    match crate::source::load(&folder) {
        Ok(catalogue) => {
            good(context, &folder_name, &crate::source::counts(&catalogue))?;
            Ok(Outcome::Done)
        }
        Err(problems) => {
            bad(context, &folder_name, &problems)?;
            Ok(Outcome::BadNews)
        }
    }
}

fn good(context: &Context, folder: &str, counts: &[Counts]) -> std::io::Result<()> {
    if context.printer.is_json() {
        let provider = |counts: &Counts| {
            serde_json::json!({
                "provider": counts.provider.as_str(),
                "versioned": counts.versioned,
                "repeatable": counts.repeatable,
                "reversible": counts.reversible,
                "statements": counts.statements,
            })
        };
        let providers: Vec<_> = counts.iter().map(provider).collect();
        let none: [(); 0] = [];
        return context.printer.json(&serde_json::json!({
            "folder": folder, "is_valid": true, "problems": none, "providers": providers,
        }));
    }
    let right = |title| Column::new(title).right();
    let mut table = Table::new([
        Column::new("PROVIDER"),
        right("MIGRATIONS"),
        right("REPEATABLE"),
        right("REVERSIBLE"),
        right("STATEMENTS"),
    ]);
    for each in counts {
        let numbers = [each.versioned, each.repeatable, each.reversible, each.statements].map(|n| n.to_string().into());
        table.row([each.provider.as_str().into()].into_iter().chain(numbers));
    }
    context.printer.table(&table)?;
    context.printer.line(&format!("{folder}: {}", context.printer.paint("no problems", Style::Good)))
}

fn bad(context: &Context, folder: &str, problems: &Problems) -> std::io::Result<()> {
    if context.printer.is_json() {
        let problem = |problem: &crate::source::Problem| {
            serde_json::json!({
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "hint": problem.hint,
            })
        };
        let listed: Vec<_> = problems.0.iter().map(problem).collect();
        let none: [(); 0] = [];
        return context.printer.json(&serde_json::json!({
            "folder": folder, "is_valid": false, "problems": listed, "providers": none,
        }));
    }
    for problem in &problems.0 {
        context.printer.line(&problem.to_string())?;
    }
    notice(&format!("error: {folder} has {}", count(problems.0.len() as u64, "problem", "problems")));
    Ok(())
}
