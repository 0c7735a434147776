use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::super::Context;
use super::super::args::provider_parser;
use super::super::failure::{Failure, Outcome};
use super::migrations_folder;
use crate::domain::{MigrationId, Provider};
use crate::source::{SCHEMA_FILE, json_schema};

/// What `new` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper new AddDiscountToSales
  branchkeeper new AddSearch --sql
  branchkeeper new AddReporting --provider postgres

Writes <yyyyMMddHHmmss>_<NAME>.yaml, whose operations become each provider's own SQL, and beside it the schema by which
editors complete it. With --sql it writes <NAME>.up.sql and .down.sql, with --provider such a pair for each provider that is
named. Files that exist are never overwritten.")]
pub(crate) struct NewArgs {
    /// What the migration does: letters, digits, '_' and '-'
    #[arg(value_name = "NAME")]
    name: String,
    /// Write SQL files instead of a portable one
    #[arg(long)]
    sql: bool,
    /// A provider to write SQL files of its own for; may be given again
    #[arg(long = "provider", value_name = "PROVIDER", value_parser = provider_parser())]
    providers: Vec<Provider>,
    /// The folder to write to [env: BRANCHKEEPER_MIGRATIONS] [default: branch_migrations]
    #[arg(long, value_name = "DIR")]
    dir: Option<String>,
}

/// Writes a new migration's files.
pub(crate) fn new(context: &Context, args: &NewArgs) -> Result<Outcome, Failure> {
    let is_sql = args.sql || !args.providers.is_empty();
    let files = plan(&args.name, is_sql, &args.providers, Utc::now())?;
    let folder = migrations_folder(args.dir.as_deref())?;
    std::fs::create_dir_all(&folder).map_err(|error| cannot("create the folder", &folder, &error))?;
    let mut written = Vec::new();
    for (name, content) in &files {
        let path = folder.join(name);
        write_new(&path, content).map_err(|error| cannot("write", &path, &error))?;
        written.push(path.display().to_string());
    }
    let schema = folder.join(SCHEMA_FILE);
    if !is_sql && !schema.exists() {
        write_new(&schema, &json_schema()).map_err(|error| cannot("write", &schema, &error))?;
        written.push(schema.display().to_string());
    }
    if context.printer.is_json() {
        context.printer.json(&serde_json::json!({ "files": written }))?;
    } else {
        for path in written {
            context.printer.line(&path)?;
        }
    }
    Ok(Outcome::Done)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Local(anyhow::anyhow!("cannot {what} {}: {error}", path.display()))
}

fn write_new(path: &Path, content: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(content.as_bytes())
}

/// The files of a migration of this name, made at `now`.
fn plan(
    name: &str,
    is_sql: bool,
    providers: &[Provider],
    now: DateTime<Utc>,
) -> Result<Vec<(String, String)>, Failure> {
    let stem = format!("{}_{name}", now.format("%Y%m%d%H%M%S"));
    if let Err(error) = stem.parse::<MigrationId>() {
        return Err(Failure::usage(
            format!("'{}' cannot name a migration: {error}", crate::domain::shorten(name, 60)),
            "use letters, digits, '_' and '-', beginning with a letter or digit, such as AddUserIdToSales",
        ));
    }
    if !is_sql {
        return Ok(vec![(format!("{stem}.yaml"), portable(name))]);
    }
    let mut providers = providers.to_vec();
    providers.sort_unstable();
    providers.dedup();
    let mut infixes: Vec<String> = providers.iter().map(|provider| format!(".{provider}")).collect();
    if infixes.is_empty() {
        infixes.push(String::new());
    }
    let pair = |infix: String| {
        [(format!("{stem}{infix}.up.sql"), up(name)), (format!("{stem}{infix}.down.sql"), DOWN.to_owned())]
    };
    Ok(infixes.into_iter().flat_map(pair).collect())
}

fn portable(name: &str) -> String {
    format!(
        "# yaml-language-server: $schema={SCHEMA_FILE}\n\
         description: {name}\n\
         # What the migration does, one operation after the other, in place of the []:\n\
         #   - add_column: {{ table: Customers, name: Points, type: int, default: 0 }}\n\
         up: []\n\
         # What undoes it follows from that where it can; otherwise write it under 'down:'.\n"
    )
}

fn up(name: &str) -> String {
    format!(
        "-- branchkeeper: description=\"{name}\"\n\
         -- Other settings may follow on that line: transaction-mode=None timeout=10m depends-on=<id>\n\
         \n\
         -- What the migration does. Each statement ends with a semicolon.\n"
    )
}

const DOWN: &str = "-- What undoes the up file. Delete this file if nothing can.\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_670_469, 0).unwrap()
    }

    fn names(name: &str, providers: &[Provider]) -> Vec<String> {
        plan(name, true, providers, at()).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn files_carry_the_time_and_the_provider() {
        assert_eq!(names("AddX", &[]), ["20251202101429_AddX.up.sql", "20251202101429_AddX.down.sql"]);
        let both = names("AddX", &[Provider::Postgres, Provider::Sqlite, Provider::Postgres]);
        let expected = ["sqlite.up", "sqlite.down", "postgres.up", "postgres.down"];
        assert_eq!(both, expected.map(|infix| format!("20251202101429_AddX.{infix}.sql")));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for bad in ["", "a b", "../x", "-x", "ä", "x.up", &"x".repeat(200)] {
            assert!(matches!(plan(bad, false, &[], at()), Err(Failure::Usage { .. })), "{bad}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_once_it_has_statements() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in plan("AddX", true, &[], at()).unwrap() {
            std::fs::write(folder.path().join(name), content + "SELECT 1;\n").unwrap();
        }
        let catalogue = crate::source::load(folder.path()).unwrap();
        let migrations = catalogue.of(Provider::Sqlite).migrations();
        assert_eq!(migrations.len(), 1);
        assert_eq!(migrations[0].description, "AddX");
        assert_eq!(migrations[0].transaction_mode, None);
    }

    #[test]
    fn the_portable_file_can_be_read_once_it_has_operations() {
        let folder = tempfile::tempdir().unwrap();
        let [(name, content)] = plan("AddX", false, &[], at()).unwrap().try_into().unwrap();
        assert_eq!(name, "20251202101429_AddX.yaml");
        std::fs::write(folder.path().join(&name), &content).unwrap();
        let problems = crate::source::load(folder.path()).unwrap_err().to_string();
        assert_eq!(problems, "20251202101429_AddX.yaml:5:5: up has no operation (write at least one)");
        std::fs::write(folder.path().join(&name), content.replace("up: []", "up:\n  - sql: SELECT 1")).unwrap();
        let catalogue = crate::source::load(folder.path()).unwrap();
        assert_eq!(catalogue.of(Provider::Sqlite).migrations()[0].description, "AddX");
    }

    #[test]
    fn a_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sql");
        write_new(&path, "a").unwrap();
        assert!(write_new(&path, "b").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a");
    }
}
