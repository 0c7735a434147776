//! What `check` has nothing against, a server takes: every type in every place where one can stand is asked about for
//! each provider, and what is not refused is run. What is refused, and in which words, stands in
//! `tests/golden/portable_refusals.txt`, so that nobody is refused what works; `UPDATE_GOLDEN=1` writes that file anew.
//!
//! All cases are asked about; one in `BRANCHKEEPER_PORTABLE_SHARE` (6) is run, a different part each time, which
//! `BRANCHKEEPER_PORTABLE_SEED` repeats. A share of 1 runs all, which takes minutes.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use branchkeeper::domain::{Catalogue, Migration, Provider};
use branchkeeper::source::Problems;

use self::cases::Case;
use super::catalog::{Place, catalogue};

/// How many cases share a table at most.
const TOGETHER: usize = 24;

fn list(out: &mut String, name: &str, items: &[String]) {
    if !items.is_empty() {
        let _ = writeln!(out, "      {name}: [{}]", items.join(", "));
    }
}

/// The migration of some cases, each with its number, on one table of this name.
fn migration(table: &str, cases: &[(usize, &Case)]) -> String {
    let (mut first, mut columns, mut keys, mut then) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut items: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (number, case) in cases {
        let name = |text: &String| {
            let text = text.replace("{t}", table).replace("{c}", &format!("C{number}"));
            text.replace("{n}", &number.to_string())
        };
        first.extend(case.first.iter().map(name));
        columns.extend(case.columns.iter().map(name));
        keys.extend(case.keys.iter().map(name));
        then.extend(case.then.iter().map(name));
        for (key, item) in &case.items {
            items.entry(key).or_default().push(name(item));
        }
    }
    let mut out = "up:\n".to_owned();
    let operation = |out: &mut String, text: &String| writeln!(out, "  - {text}").unwrap();
    first.iter().for_each(|text| operation(&mut out, text));
    let _ = writeln!(out, "  - create_table:\n      name: {table}\n      columns:");
    if !cases.iter().any(|(_, case)| case.is_alone) {
        out.push_str("        Id: { type: int, primary_key: true }\n");
    }
    columns.iter().for_each(|column| writeln!(out, "        {column}").unwrap());
    keys.iter().for_each(|key| writeln!(out, "      {key}").unwrap());
    items.iter().for_each(|(key, items)| list(&mut out, key, items));
    then.iter().for_each(|text| operation(&mut out, text));
    out
}

fn file(number: usize, provider: Provider) -> String {
    format!("{:05}_Case.{provider}.yaml", number + 1)
}

/// What is said against each case, by number, where anything is.
fn refused(provider: Provider, cases: &[Case]) -> BTreeMap<usize, Problems> {
    let texts: Vec<(String, String)> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| (file(number, provider), migration(&format!("T{number}"), &[(number, case)])))
        .collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (&**name, &**text)).collect();
    let mut found: BTreeMap<usize, Problems> = BTreeMap::new();
    for problem in catalogue(&files).err().unwrap_or_default().0 {
        let number: usize = problem.file.split('_').next().unwrap().parse().unwrap();
        found.entry(number - 1).or_default().0.push(problem);
    }
    found
}

fn load(provider: Provider, table: &str, cases: &[(usize, &Case)]) -> Result<Catalogue, String> {
    let text = migration(table, cases);
    catalogue(&[(&file(0, provider), &text)]).map_err(|problems| format!("{problems}\n{text}"))
}

async fn up_and_down(place: &mut Place, migration: &Migration) -> Result<(), String> {
    place.try_run(&migration.up).await?;
    match &migration.down {
        Some(down) => place.try_run(down).await.map_err(|error| format!("down: {error}")),
        None => Ok(()),
    }
}

/// Runs cases on one table, or, where that fails, in halves, until it is known which fail.
async fn run(place: &mut Place, cases: &[(usize, &Case)], wrong: &mut Vec<String>) {
    let mut open = vec![cases];
    while let Some(cases) = open.pop() {
        let [(number, case), ..] = cases else { continue };
        let done = match load(place.provider(), &format!("T{number}"), cases) {
            // Together they may be too large for a table.
            Err(error) if cases.len() == 1 => Err(error),
            Err(_) => Err(String::new()),
            Ok(all) => {
                let done = up_and_down(place, &all.of(place.provider()).migrations()[0]).await;
                place.clear().await;
                done
            }
        };
        match done {
            Ok(()) => {}
            Err(error) if cases.len() == 1 => wrong.push(format!("{} of {}: {error}", case.place, case.kind)),
            Err(_) => {
                let (one, other) = cases.split_at(cases.len() / 2);
                open.extend([other, one]);
            }
        }
    }
}

async fn run_all(
    mut place: Place,
    cases: &[Case],
    refused: &BTreeMap<usize, Problems>,
    (share, seed): (usize, usize),
) -> Vec<String> {
    let begun = std::time::Instant::now();
    let mut groups: BTreeMap<&str, Vec<(usize, &Case)>> = BTreeMap::new();
    let (mut wrong, mut count) = (Vec::new(), 0);
    let runs = |number: &usize| !refused.contains_key(number) && number % share == seed % share;
    for (number, case) in cases.iter().enumerate().filter(|(number, _)| runs(number)) {
        count += 1;
        match case.is_alone {
            true => run(&mut place, &[(number, case)], &mut wrong).await,
            false => groups.entry(case.place.split(' ').next().unwrap()).or_default().push((number, case)),
        }
    }
    for group in groups.values().flat_map(|group| group.chunks(TOGETHER)) {
        run(&mut place, group, &mut wrong).await;
    }
    println!("{}: {count} of {} in {:.1} s", place.name(), cases.len(), begun.elapsed().as_secs_f64());
    wrong.into_iter().map(|error| format!("{}: {error}", place.name())).collect()
}

/// By what is said, and which providers say it, the places and their types.
type Said<'c> = BTreeMap<(String, BTreeSet<Provider>), BTreeMap<&'c str, BTreeSet<&'c str>>>;

/// Every refusal once, with the places and types that it is for.
fn written(cases: &[Case], refused: &BTreeMap<Provider, BTreeMap<usize, Problems>>) -> String {
    let mut by_message = Said::new();
    for (number, case) in cases.iter().enumerate() {
        let mut messages: BTreeMap<String, BTreeSet<Provider>> = BTreeMap::new();
        for (provider, found) in refused {
            for problem in found.get(&number).map(|found| found.0.as_slice()).unwrap_or_default() {
                let text = format!("{} ({})", problem.message, problem.hint);
                let text = text.replace(&format!(" on {provider}: "), " on …: ");
                let own = number.to_string();
                let text = ["T", "C", "D", "G", "H", "P", "U", "V", "IX", "IY", "UQ", "FK", "CK"]
                    .iter()
                    .fold(text, |text, letter| text.replace(&format!("{letter}{own}"), letter));
                messages.entry(text.replace(&own, "n")).or_default().insert(*provider);
            }
        }
        for (message, providers) in messages {
            by_message.entry((message, providers)).or_default().entry(&case.place).or_default().insert(case.kind);
        }
    }
    let kinds: BTreeSet<&str> = cases.iter().map(|case| case.kind).collect();
    let mut out = String::new();
    for ((message, providers), places) in by_message {
        let providers: Vec<&str> = providers.iter().map(|provider| provider.as_str()).collect();
        let _ = writeln!(out, "== {}: {message}", providers.join(", "));
        let mut same: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (place, of) in places {
            let of = match of.len() {
                all if all == kinds.len() => "every type".to_owned(),
                _ => of.into_iter().collect::<Vec<_>>().join(", "),
            };
            same.entry(of).or_default().push(place);
        }
        for (of, places) in same {
            let _ = writeln!(out, "{}: {of}", places.join(" | "));
        }
    }
    out
}

#[tokio::test]
async fn what_is_not_refused_runs() {
    let cases = cases::all();
    let refused: BTreeMap<Provider, BTreeMap<usize, Problems>> =
        Provider::ALL.into_iter().map(|provider| (provider, refused(provider, &cases))).collect();
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let share = variable("BRANCHKEEPER_PORTABLE_SHARE").unwrap_or(6).max(1);
    let seed = variable("BRANCHKEEPER_PORTABLE_SEED").unwrap_or_else(|| usize::from(rand::random::<u16>()));
    println!("BRANCHKEEPER_PORTABLE_SHARE={share} BRANCHKEEPER_PORTABLE_SEED={seed}");
    let places = Place::all().await;
    let runs = places.into_iter().map(|place| {
        let refused = &refused[&place.provider()];
        run_all(place, &cases, refused, (share, seed))
    });
    let wrong = futures_util::future::join_all(runs).await.concat();
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));

    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/portable_refusals.txt");
    let made = written(&cases, &refused);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differ = found.lines().zip(made.lines()).find(|(found, made)| found != made);
    assert!(found == made, "{} is not up to date: {differ:?}", path.display());
}
