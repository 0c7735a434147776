//! Every message about a wrong file, as it is shown: `tests/golden/portable_errors.txt` holds files behind `===` and what is
//! said of them behind `---`. `UPDATE_GOLDEN=1` writes the messages anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::domain::Provider;

fn messages(yaml: &str) -> String {
    let document = match super::read("1_A.yaml", yaml) {
        Ok(document) => document,
        Err(problems) => return problems.iter().fold(String::new(), |out, problem| out + &format!("{problem}\n")),
    };
    let mut found: Vec<String> = Vec::new();
    for provider in Provider::ALL {
        for problem in super::scripts(provider, "1_A.yaml", &document).err().unwrap_or_default() {
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
