use std::str::FromStr;

use super::portable::SCHEMA_FILE;
use super::problem::shown;
use super::suggest::nearest;
use crate::domain::{MigrationId, Provider};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    /// What to run.
    Up,
    /// What undoes it.
    Down,
}

/// A file's name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName {
    /// The stem.
    pub(super) id: MigrationId,
    /// The only provider the file is for; `None` for a general file.
    pub(super) provider: Option<Provider>,
    /// Up or down.
    pub(super) direction: Direction,
}

/// Names that people give to providers elsewhere.
const ALIASES: [(&str, Provider); 9] = [
    ("pg", Provider::Postgres),
    ("pgsql", Provider::Postgres),
    ("psql", Provider::Postgres),
    ("postgresql", Provider::Postgres),
    ("sqlite3", Provider::Sqlite),
    ("mariadb", Provider::MySql),
    ("mssql", Provider::SqlServer),
    ("tsql", Provider::SqlServer),
    ("sql-server", Provider::SqlServer),
];

const FORM: &str = "use <number>_<Name>[.<provider>].yaml, .up.sql, .down.sql or .sql, or R__<name>[.<provider>].sql";

/// Whether a file of this name, which fits, holds portable operations.
pub(super) fn is_portable(name: &str) -> bool {
    name.ends_with(".yaml")
}

/// Whether the folder may hold a file or folder of this name without it being a migration.
pub(super) fn is_ignored(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.starts_with('.') || name == SCHEMA_FILE || lower.starts_with("readme") || lower.ends_with(".md")
}

/// Takes a file's name apart; the error is what is wrong with it and what to do.
pub(super) fn parse(name: &str) -> Result<FileName, (String, String)> {
    let unfit = |hint: String| (format!("'{}' is not a migration file's name", shown(name)), hint);
    let lower = name.to_ascii_lowercase();
    if let Some(base) = name.strip_suffix(".yaml") {
        return portable(name, base);
    }
    if let Some(cut) = [".yaml", ".yml"].iter().find(|end| lower.ends_with(*end)).map(|end| name.len() - end.len()) {
        return Err(unfit(format!("rename it to '{}.yaml'", shown(name.get(..cut).unwrap_or_default()))));
    }
    let Some(base) = name.strip_suffix(".sql") else {
        let hint =
            if lower.ends_with(".sql") { format!("rename it to '{}'", shown(&lower_end(name))) } else { FORM.into() };
        return Err(unfit(hint));
    };
    let mut parts = base.split('.');
    let stem = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let (infix, direction) = match rest.as_slice() {
        [] => (None, None),
        ["up"] => (None, Some(Direction::Up)),
        ["down"] => (None, Some(Direction::Down)),
        [infix] => (Some(*infix), None),
        [infix, "up"] => (Some(*infix), Some(Direction::Up)),
        [infix, "down"] => (Some(*infix), Some(Direction::Down)),
        [direction @ ("up" | "down"), infix] => {
            let meant = format!("{stem}.{infix}.{direction}.sql");
            return Err(unfit(format!("the provider comes first: '{}'", shown(&meant))));
        }
        _ => return Err(unfit(FORM.into())),
    };
    let id = MigrationId::from_str(stem).map_err(|error| (shown(&error.to_string()), FORM.to_owned()))?;
    let provider = infix.map(provider_of).transpose()?;
    if id.is_repeatable() && direction.is_some() {
        let hint = format!("name it '{}.sql'", shown(base.trim_end_matches(".up").trim_end_matches(".down")));
        let message = match direction {
            Some(Direction::Down) => "a repeatable migration has no down file",
            _ => "a repeatable migration has neither .up nor .down in its name",
        };
        return Err((
            message.to_owned(),
            if direction == Some(Direction::Down) { "delete it".to_owned() } else { hint },
        ));
    }
    Ok(FileName { id, provider, direction: direction.unwrap_or(Direction::Up) })
}

/// `<id>_<Name>[.<provider>].yaml`.
fn portable(name: &str, base: &str) -> Result<FileName, (String, String)> {
    let (stem, infix) = match base.split_once('.') {
        Some((stem, infix)) => (stem, Some(infix)),
        None => (base, None),
    };
    if let Some("up" | "down") = infix {
        let hint = format!("name it '{}.yaml'; it holds both directions", shown(stem));
        return Err((format!("'{}' is not a migration file's name", shown(name)), hint));
    }
    let id = MigrationId::from_str(stem).map_err(|error| (shown(&error.to_string()), FORM.to_owned()))?;
    if id.is_repeatable() {
        let hint = format!("write it as '{}.sql'", shown(base));
        return Err(("a repeatable migration is SQL".to_owned(), hint));
    }
    let provider = infix.map(provider_of).transpose()?;
    Ok(FileName { id, provider, direction: Direction::Up })
}

fn lower_end(name: &str) -> String {
    let cut = name.len().saturating_sub(4);
    name.get(..cut).map_or_else(|| name.to_owned(), |base| format!("{base}.sql"))
}

fn provider_of(infix: &str) -> Result<Provider, (String, String)> {
    if let Some(provider) = Provider::ALL.into_iter().find(|provider| provider.as_str() == infix) {
        return Ok(provider);
    }
    let lower = infix.to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == lower).map(|(_, provider)| provider.as_str());
    let names = Provider::ALL.map(Provider::as_str);
    let message = format!("'{}' is neither a provider nor up or down", shown(infix));
    let hint = match alias.or_else(|| nearest(infix, names.into_iter().chain(["up", "down"]))) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("use {}", names.join(", ")),
    };
    Err((message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit() {
        let table = [
            ("10_A.sql", "10_A", None, Direction::Up),
            ("10_A.up.sql", "10_A", None, Direction::Up),
            ("10_A.down.sql", "10_A", None, Direction::Down),
            ("10_A.postgres.sql", "10_A", Some(Provider::Postgres), Direction::Up),
            ("10_A.mysql.down.sql", "10_A", Some(Provider::MySql), Direction::Down),
            ("10_A.yaml", "10_A", None, Direction::Up),
            ("10_A.postgres.yaml", "10_A", Some(Provider::Postgres), Direction::Up),
            ("R__v.sqlite.sql", "R__v", Some(Provider::Sqlite), Direction::Up),
        ];
        for (name, id, provider, direction) in table {
            let expected = FileName { id: id.parse().unwrap(), provider, direction };
            assert_eq!(parse(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn names_that_do_not_fit_say_why() {
        let table = [
            ("10_A.postgre.up.sql", "did you mean 'postgres'?"),
            ("10_A.pg.up.sql", "did you mean 'postgres'?"),
            ("10_A.Sqlite.up.sql", "did you mean 'sqlite'?"),
            ("10_A.mariadb.sql", "did you mean 'mysql'?"),
            ("10_A.don.sql", "did you mean 'down'?"),
            ("10_A.oracle.sql", "use sqlite, sqlserver, postgres, mysql"),
            ("10_A.up.postgres.sql", "the provider comes first: '10_A.postgres.up.sql'"),
            ("10_A.up.SQL", "rename it to '10_A.up.sql'"),
            ("10_A.sql~", FORM),
            ("10A.sql", FORM),
            ("init.sql", FORM),
            ("10_A.b.c.d.sql", FORM),
            ("10_A.YAML", "rename it to '10_A.yaml'"),
            ("10_A.yml", "rename it to '10_A.yaml'"),
            ("10_A.up.yaml", "name it '10_A.yaml'; it holds both directions"),
            ("R__v.yaml", "write it as 'R__v.sql'"),
            ("10_A.pg.yaml", "did you mean 'postgres'?"),
            ("A.yaml", FORM),
            ("R__v.down.sql", "delete it"),
            ("R__v.sqlite.up.sql", "name it 'R__v.sqlite.sql'"),
            (".sql", FORM),
            ("ż.SQL", "rename it to 'ż.sql'"),
        ];
        for (name, hint) in table {
            assert_eq!(parse(name).unwrap_err().1, hint, "{name}");
        }
    }

    #[test]
    fn only_hidden_files_and_notes_are_ignored() {
        for name in [".gitkeep", ".#10_A.sql", ".10_A.sql.swp", "README", "readme.txt", "NOTES.md", SCHEMA_FILE] {
            assert!(is_ignored(name), "{name}");
        }
        for name in ["10_A.sql", "10_A.sql~", "#10_A.sql#", "LICENSE", "x.txt"] {
            assert!(!is_ignored(name), "{name}");
        }
    }
}
