use std::collections::BTreeMap;
use std::path::Path;

use super::checks::{self, Files, Groups};
use super::content::{self, has_statement};
use super::directive::{self, Directives, Place};
use super::file_name::{Direction, is_portable};
use super::folder::{self, Listing};
use super::portable::{self, Known};
use super::problem::{Problem, Problems};
use super::script;
use crate::domain::{Catalogue, Checksum, Irreversible, Migration, MigrationId, Provider, Script};

/// Reads a folder of migrations. Ok only if nothing at all is wrong; otherwise every problem at once.
///
/// Only the providers that this build supports get a view of their own; files for the others are checked as far as
/// their text allows. Synchronous: reads every file.
pub fn load(folder: &Path) -> Result<Catalogue, Problems> {
    load_listing(folder, folder::list(folder))
}

pub(super) fn load_listing(folder: &Path, listing: Listing) -> Result<Catalogue, Problems> {
    let mut problems = listing.problems;
    let groups = checks::group(&listing.files, &mut problems);
    let mut migrations: BTreeMap<Provider, Vec<Migration>> = BTreeMap::new();
    let mut known: BTreeMap<Provider, Known<'_>> = BTreeMap::new();
    for (id, files) in &groups {
        let texts = read_files(folder, files, &mut problems);
        let mut files =
            Reader { groups: &groups, id, files, texts: &texts, read: BTreeMap::new(), irreversible: BTreeMap::new() };
        files.read_all(&mut known, &mut problems);
        for provider in Provider::ALL {
            if let Some(migration) = files.migration(provider) {
                migrations.entry(provider).or_default().push(migration);
            }
        }
    }
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(Problems(problems));
    }
    let catalogue = Catalogue::new(|provider| {
        let mut list = migrations.remove(&provider).unwrap_or_default();
        if provider == Provider::Sqlite {
            script::unify_case(list.iter_mut().flat_map(|each| &mut each.up.statements));
        }
        list
    });
    Ok(catalogue)
}

struct Text {
    text: String,
    checksum: Checksum,
}

fn read_files<'f>(folder: &Path, files: &'f Files, problems: &mut Vec<Problem>) -> BTreeMap<&'f str, Text> {
    let mut texts = BTreeMap::new();
    for (_, file) in files.iter() {
        match folder::read(folder, file).and_then(|bytes| content::decode(file, bytes)) {
            Ok(text) => drop(texts.insert(file, Text { checksum: Checksum::of_text(&text), text })),
            Err(problem) => problems.push(problem),
        }
    }
    texts
}

/// One migration's files as they read for each provider.
struct Reader<'a> {
    groups: &'a Groups,
    id: &'a MigrationId,
    files: &'a Files,
    texts: &'a BTreeMap<&'a str, Text>,
    read: BTreeMap<(Direction, Provider), (Script, Directives)>,
    irreversible: BTreeMap<Provider, Irreversible>,
}

impl Reader<'_> {
    fn read_all(&mut self, known: &mut BTreeMap<Provider, Known<'_>>, problems: &mut Vec<Problem>) {
        for (direction, file) in self.files.iter() {
            let Some(text) = self.texts.get(file) else { continue };
            let uses = |provider: &Provider| {
                let is_reached = self.files.of(Direction::Up, *provider).is_some();
                is_reached && self.files.of(direction, *provider) == Some(file)
            };
            let readers: Vec<Provider> = Provider::ALL.into_iter().filter(uses).collect();
            if is_portable(file) {
                self.read_portable(file, &text.text, &readers, known, problems);
                continue;
            }
            if !has_statement(&text.text) {
                problems.push(empty(file));
                continue;
            }
            let mut found = Vec::new();
            for provider in &readers {
                if direction == Direction::Up {
                    known.entry(*provider).or_default().forget(&text.text);
                }
                found.push((*provider, self.read_one(direction, file, &text.text, *provider)));
            }
            problems.extend(merge(readers.len(), found, in_the_name));
        }
    }

    fn read_one(&mut self, direction: Direction, file: &str, text: &str, provider: Provider) -> Vec<Problem> {
        let reading = script::read(provider, file, text);
        let mut problems = reading.problems;
        if reading.statements.is_empty() && problems.is_empty() {
            problems.push(empty(file));
        }
        let place = if direction == Direction::Up { Place::Allowed } else { Place::Refused };
        let directives = directive::read(file, text, &reading.comments, place, &mut problems);
        problems.extend(self.dependencies(file, provider, &directives));
        let script = Script { file: file.to_owned(), statements: reading.statements };
        self.read.insert((direction, provider), (script, directives));
        problems
    }

    fn read_portable(
        &mut self,
        file: &str,
        text: &str,
        readers: &[Provider],
        known: &mut BTreeMap<Provider, Known<'_>>,
        problems: &mut Vec<Problem>,
    ) {
        let document = match portable::read(file, text) {
            Ok(document) => document,
            Err(found) => return problems.extend(found),
        };
        let directives = Directives {
            transaction_mode: document.transaction_mode,
            timeout: document.timeout,
            depends_on: document.depends_on.clone(),
            description: document.description.clone(),
        };
        let (mut dependencies, mut refused) = (Vec::new(), Vec::new());
        for provider in readers {
            dependencies.push((*provider, self.dependencies(file, *provider, &directives)));
            let down_file = self.files.of(Direction::Down, *provider);
            if let (Some(down_file), true) = (down_file, document.has_down()) {
                let message = format!("undoes a migration that has a 'down' of its own in {file}");
                problems.push(Problem::of_file(down_file, message, "keep one of the two"));
            }
            match portable::scripts(*provider, file, &document, known.entry(*provider).or_default()) {
                Ok(scripts) => {
                    self.read.insert((Direction::Up, *provider), (scripts.up, directives.clone()));
                    if down_file.is_none() {
                        let down = scripts.down.map(|down| (down, Directives::default()));
                        down.map(|down| self.read.insert((Direction::Down, *provider), down));
                        scripts.irreversible.map(|reason| self.irreversible.insert(*provider, reason));
                    }
                }
                Err(problems) => refused.push((*provider, problems)),
            }
        }
        problems.extend(merge(readers.len(), dependencies, in_the_name));
        let in_the_operation = |_: &str| "say with 'providers' where the operation is meant for".to_owned();
        problems.extend(merge(readers.len(), refused, in_the_operation));
    }

    fn dependencies(&self, file: &str, provider: Provider, directives: &Directives) -> Vec<Problem> {
        let check = |(needs, at): &(MigrationId, (u32, u32))| {
            let (message, hint) = checks::dependency(self.groups, provider, self.id, needs)?;
            Some(Problem::at(file, *at, message, hint))
        };
        directives.depends_on.iter().filter_map(check).collect()
    }

    fn migration(&mut self, provider: Provider) -> Option<Migration> {
        let checksum = self.texts.get(self.files.of(Direction::Up, provider)?)?.checksum.clone();
        let (up, directives) = self.read.remove(&(Direction::Up, provider))?;
        Some(Migration {
            id: self.id.clone(),
            description: directives.description,
            checksum,
            transaction_mode: directives.transaction_mode,
            timeout: directives.timeout,
            depends_on: directives.depends_on.into_iter().map(|(id, _)| id).collect(),
            up,
            down: self.read.remove(&(Direction::Down, provider)).map(|(script, _)| script),
            irreversible: self.irreversible.remove(&provider),
        })
    }
}

fn empty(file: &str) -> Problem {
    Problem::of_file(file, "has no statement", "where there is nothing to do, write 'SELECT 1;'")
}

fn in_the_name(providers: &str) -> String {
    format!("if it is not meant for {providers}, put the provider that it is meant for into its name")
}

/// The problems that a file's readers found, each once. Those that only some of them found say whose they are, and
/// `elsewhere` what to do when it is not meant for these.
fn merge(readers: usize, found: Vec<(Provider, Vec<Problem>)>, elsewhere: impl Fn(&str) -> String) -> Vec<Problem> {
    let mut by_problem: BTreeMap<Problem, Vec<&'static str>> = BTreeMap::new();
    for (provider, problems) in found {
        for problem in problems {
            by_problem.entry(problem).or_default().push(provider.as_str());
        }
    }
    let named = |(mut problem, providers): (Problem, Vec<&str>)| {
        // What an operation cannot become names its provider itself.
        let says_so = providers.iter().any(|provider| problem.message.contains(&format!(" on {provider}: ")));
        if providers.len() < readers && !says_so {
            let providers = listed(&providers);
            problem.message = format!("for {providers}: {}", problem.message);
            let not_meant = elsewhere(&providers);
            problem.hint = if problem.hint.is_empty() { not_meant } else { format!("{}; {not_meant}", problem.hint) };
        }
        problem
    };
    by_problem.into_iter().map(named).collect()
}

/// Names as a sentence lists them: `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
