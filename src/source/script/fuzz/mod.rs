//! Scripts that nobody would write, by the hundred thousand: whatever the text, the splitter keeps its promises.
//!
//! Each dialect begins with a corpus of what is hard about it. Scripts that are changed at random and show something new —
//! a kind of statement after another, a problem not seen yet — join the corpus, so that the search goes deeper.
//! `FUZZ_SECONDS` sets how long each dialect is searched (3), `FUZZ_SEED` repeats a search.

#![allow(clippy::print_stdout, reason = "a search says how it can be repeated")]

mod corpus;
mod mutate;
mod promises;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Reading, normal, read};
use crate::domain::Provider;

/// The longest script that is tried, in bytes.
const LONGEST: usize = 4_000;
/// The most scripts that are kept for further changes.
const MOST: usize = 3_000;

fn search(provider: Provider) {
    let seconds = std::env::var("FUZZ_SECONDS").ok().map_or(3, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("FUZZ_SEED").ok().map_or_else(rand::random, |text| text.parse().unwrap());
    println!("{provider}: FUZZ_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut seen = HashSet::new();
    let mut kept: Vec<String> = corpus::of(provider).map(str::to_owned).collect();
    for text in &kept {
        check(provider, text, seed);
        seen.extend(behaviour(provider, text));
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut tried = 0u64;
    while Instant::now() < until {
        let mut text = kept[random.random_range(0..kept.len())].clone();
        for _ in 0..random.random_range(1..=4) {
            let other = &kept[random.random_range(0..kept.len())];
            text = mutate::once(&mut random, provider, &text, other);
        }
        mutate::shorten(&mut text, LONGEST);
        check(provider, &text, seed);
        tried += 1;
        let shown = behaviour(provider, &text);
        if kept.len() < MOST && shown.iter().any(|each| !seen.contains(each)) {
            kept.push(text);
        }
        seen.extend(shown);
    }
    println!("{provider}: {tried} scripts, {} kept", kept.len());
    assert!(tried > 100, "{provider}: only {tried} scripts in {seconds} s");
}

/// Fails with the shortest script that it finds to break the same promise.
fn check(provider: Provider, text: &str, seed: u64) {
    let broken = |text: &str| {
        let kept = catch_unwind(AssertUnwindSafe(|| promises::broken(provider, text)));
        kept.unwrap_or_else(|_| Some("it panics".into()))
    };
    let Some(mut promise) = broken(text) else { return };
    let mut shortest = text.to_owned();
    let mut length = shortest.len();
    while length > 0 {
        let mut at = 0;
        while at < shortest.len() {
            let end = (at + length).min(shortest.len());
            let is_cut = shortest.is_char_boundary(at) && shortest.is_char_boundary(end);
            let less = if is_cut { format!("{}{}", &shortest[..at], &shortest[end..]) } else { shortest.clone() };
            match broken(&less).filter(|_| is_cut) {
                Some(still) => (shortest, promise) = (less, still),
                None => at += length,
            }
        }
        length /= 2;
    }
    panic!("{provider}: {promise}\nFUZZ_SEED={seed}\n{shortest:?}");
}

/// What the splitter made of the text, as a set of marks.
fn behaviour(provider: Provider, text: &str) -> Vec<u64> {
    let text = normal(text);
    let Reading { statements, comments, problems } = read(provider, "f", &text);
    let mark = |parts: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        parts(&mut hasher);
        hasher.finish()
    };
    // Words that only chance has made say nothing new.
    let is_word = |word: &&str| word.len() <= 10 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let kind = |sql: &str| sql.split_whitespace().next().filter(is_word).unwrap_or("?").to_owned();
    let mut before = String::new();
    let mut marks = Vec::new();
    for statement in &statements {
        let (now, sizes) = (kind(&statement.sql), (statement.sql.len().ilog2(), statement.sql.lines().count().min(8)));
        let effect = statement.alone.as_ref().map(std::mem::discriminant);
        marks.push(mark(&|hasher| (&before, &now, effect, statement.session.is_some()).hash(hasher)));
        marks.push(mark(&|hasher| (sizes, effect, statement.tables.len().min(4)).hash(hasher)));
        before = now;
    }
    for problem in &problems {
        let shown = problem.to_string();
        let words: Vec<&str> = shown.split_whitespace().skip(1).take(6).collect();
        marks.push(mark(&|hasher| (statements.len().min(4), &words).hash(hasher)));
    }
    marks.push(mark(&|hasher| (statements.len().min(16), comments.len().min(8), problems.len().min(8)).hash(hasher)));
    marks
}

#[test]
fn sqlite_scripts_are_split_as_promised() {
    search(Provider::Sqlite);
}

#[test]
fn postgres_scripts_are_split_as_promised() {
    search(Provider::Postgres);
}

#[test]
fn mysql_scripts_are_split_as_promised() {
    search(Provider::MySql);
}

#[test]
fn sqlserver_scripts_are_split_as_promised() {
    search(Provider::SqlServer);
}
