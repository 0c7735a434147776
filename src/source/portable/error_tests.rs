//! Every message about a wrong file, as it is shown: `tests/golden/portable_errors.txt` holds files behind `===` and what is
//! said of them behind `---`. `UPDATE_GOLDEN=1` writes the messages anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::domain::Provider;

fn messages(yaml: &str) -> String {
    let document = match super::read("1_A.yaml", yaml) {
        Ok(document) => document,
        Err(problems) => return problems.iter().fold(String::new(), |out, problem| out + &format!("{problem}\n")),
    };
    let mut found: Vec<String> = Vec::new();
    for provider in Provider::ALL {
        for problem in
            super::scripts(provider, "1_A.yaml", &document, &mut Default::default()).err().unwrap_or_default()
        {
            let text = problem.to_string();
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found.iter().fold(String::new(), |out, text| out + text + "\n")
}

#[test]
fn what_is_said_of_wrong_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/portable_errors.txt");
    let found = fs::read_to_string(&path).unwrap();
    let mut made = String::new();
    for case in found.split("===\n").skip(1) {
        let (yaml, _) = case.split_once("---\n\n").or_else(|| case.rsplit_once("---\n")).unwrap();
        let messages = messages(yaml);
        assert!(!messages.is_empty(), "nothing is wrong with\n{yaml}");
        let _ = write!(made, "===\n{yaml}---\n\n{messages}\n");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &made).unwrap();
    } else {
        assert!(found == made, "{} is not up to date:\n{made}", path.display());
    }
}

/// A file with a piece cut out and another put in.
fn damaged(text: &str, at: usize, length: usize, piece: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = at % chars.len();
    let end = (at + length).min(chars.len());
    chars[..at].iter().copied().chain(piece.chars()).chain(chars[end..].iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_read_or_refused(
        page in 0..64usize, at in 0..8_000usize, length in 0..40usize, piece in "[ \n\\[\\]{}:,'\"()#&*|>a-zA-Z0-9-]{0,6}",
    ) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations");
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
        files.sort();
        let text = fs::read_to_string(&files[page % files.len()]).unwrap();
        if let Ok(document) = super::read("1_A.yaml", &damaged(&text, at, length, &piece)) {
            for provider in Provider::ALL {
                let _ = super::scripts(provider, "1_A.yaml", &document, &mut Default::default());
            }
        }
    }
}
