use std::collections::BTreeMap;

use super::file_name::{self, Direction};
use super::folder::Entry;
use super::problem::{Problem, shown};
use super::suggest::nearest;
use crate::domain::{MigrationId, Provider};

/// The files of one migration; `None` for a provider stands for the general file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files(BTreeMap<(Direction, Option<Provider>), String>);

impl Files {
    /// The file that `provider` uses: its own one before the general one.
    pub(super) fn of(&self, direction: Direction, provider: Provider) -> Option<&str> {
        let own = self.0.get(&(direction, Some(provider)));
        own.or_else(|| self.0.get(&(direction, None))).map(String::as_str)
    }

    /// Every file with its direction.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Direction, &str)> {
        self.0.iter().map(|((direction, _), file)| (*direction, file.as_str()))
    }

    fn has_up(&self) -> bool {
        self.0.keys().any(|(direction, _)| *direction == Direction::Up)
    }

    fn first(&self) -> &str {
        self.0.values().next().map_or("", String::as_str)
    }
}

/// The migrations of a folder, by id.
pub(super) type Groups = BTreeMap<MigrationId, Files>;

/// Puts files together to migrations and finds everything that is wrong with their names.
pub(super) fn group(entries: &[Entry], problems: &mut Vec<Problem>) -> Groups {
    let mut groups = Groups::new();
    for entry in entries {
        let name = match file_name::parse(&entry.name) {
            Ok(name) => name,
            Err((message, hint)) => {
                problems.push(Problem::of_file(shown(&entry.name), message, hint));
                continue;
            }
        };
        let files = groups.entry(name.id).or_default();
        if let Some(first) = files.0.get(&(name.direction, name.provider)) {
            let message = format!("is the same migration file as {first}");
            problems.push(Problem::of_file(&entry.name, message, "keep one of the two"));
        } else {
            files.0.insert((name.direction, name.provider), entry.name.clone());
        }
    }
    check_unique(&groups, problems);
    check_downs(&groups, problems);
    groups
}

fn check_unique(groups: &Groups, problems: &mut Vec<Problem>) {
    let mut numbers: BTreeMap<u64, &MigrationId> = BTreeMap::new();
    let mut names: BTreeMap<String, &MigrationId> = BTreeMap::new();
    for (id, files) in groups.iter().filter(|(_, files)| files.has_up()) {
        let (earlier, what, hint) = match id.version() {
            Some(number) => (numbers.get(&number).copied(), "number", "give it a number of its own"),
            None => (names.get(&id.as_str().to_lowercase()).copied(), "name", "letter case does not tell names apart"),
        };
        if let Some(earlier) = earlier {
            problems.push(Problem::of_file(files.first(), format!("has the same {what} as {earlier}"), hint));
            continue;
        }
        match id.version() {
            Some(number) => drop(numbers.insert(number, id)),
            None => drop(names.insert(id.as_str().to_lowercase(), id)),
        }
    }
}

fn check_downs(groups: &Groups, problems: &mut Vec<Problem>) {
    for (id, files) in groups {
        for ((direction, provider), file) in &files.0 {
            let reaches = match provider {
                Some(provider) => files.of(Direction::Up, *provider).is_some(),
                None => files.has_up(),
            };
            if *direction == Direction::Up || reaches {
                continue;
            }
            let message = match provider {
                Some(provider) if files.has_up() => format!("undoes a migration that has no up file for {provider}"),
                _ => "is a down file without an up file".to_owned(),
            };
            let neighbours = groups.iter().filter(|(other, files)| files.has_up() && other.version() == id.version());
            let hint = match neighbours.map(|(other, _)| other.as_str()).next() {
                Some(other) if !files.has_up() => format!("did you mean {other}?"),
                _ => "add the up file, or delete this one".to_owned(),
            };
            problems.push(Problem::of_file(file, message, hint));
        }
    }
}

/// What is wrong with `id` depending on `needs`, for one provider: message and hint.
pub(super) fn dependency(
    groups: &Groups,
    provider: Provider,
    id: &MigrationId,
    needs: &MigrationId,
) -> Option<(String, String)> {
    // Beyond this, comparing with every id takes longer than the suggestion is worth.
    const COMPARED: usize = 5_000;
    if needs == id {
        return Some((format!("{id} depends on itself"), "remove it from depends-on".to_owned()));
    }
    match groups.get(needs) {
        Some(files) if files.of(Direction::Up, provider).is_none() => Some((
            format!("depends on {needs}, which has no up file for {provider}"),
            format!("add {needs}.{provider}.up.sql, or remove it from depends-on"),
        )),
        Some(_) if needs > id => Some((
            format!("depends on {needs}, which comes later"),
            "a migration can only depend on earlier ones".to_owned(),
        )),
        Some(_) => None,
        None => {
            let known = groups.keys().take(COMPARED).map(MigrationId::as_str);
            let same_number =
                groups.keys().find(|other| other.version().is_some() && other.version() == needs.version());
            let hint = match same_number.map(MigrationId::as_str).or_else(|| nearest(needs.as_str(), known)) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "name a migration of this folder".to_owned(),
            };
            Some((format!("depends on {needs}, which is not in the folder"), hint))
        }
    }
}
