//! The rules of the house that a machine can check: which layer may know which, and how large a file may grow.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so like this")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each folder of `src/` and the folders whose items it may name.
const LAYERS: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("config", &["domain"]),
    ("telemetry", &["config", "domain"]),
    ("source", &["domain"]),
    ("provider", &["domain"]),
    ("notify", &["domain"]),
    ("store", &["domain"]),
    ("engine", &["source", "provider", "notify", "store", "domain"]),
    ("web", &["engine", "domain"]),
    ("rpc", &["web", "engine", "domain"]),
    ("app", &["config", "telemetry", "rpc", "web", "engine", "source", "provider", "notify", "store", "domain"]),
    ("cli", &["app", "config", "telemetry", "rpc", "source", "domain"]),
];

/// The longest file, in lines.
const MAX_LINES: usize = 400;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn layer_of(path: &Path) -> String {
    let inside = path.strip_prefix(source()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_point_only_down_the_layers() {
    let mut wrong = Vec::new();
    for path in rust_files(&source()) {
        let layer = layer_of(&path);
        if layer == "lib" || layer == "main" {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            wrong.push(format!("{} belongs to no layer", path.display()));
            continue;
        };
        let code = code(&path);
        for (other, _) in LAYERS.iter().filter(|(name, _)| *name != layer && !allowed.contains(name)) {
            if code.contains(&format!("crate::{other}")) {
                wrong.push(format!("{} names crate::{other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_below_rpc_knows_protobuf() {
    let below = ["domain", "config", "telemetry", "source", "provider", "notify", "store", "engine"];
    for path in rust_files(&source()).iter().filter(|path| below.contains(&layer_of(path).as_str())) {
        let code = code(path);
        for word in ["prost", "tonic"] {
            assert!(!code.contains(word), "{} knows {word}", path.display());
        }
    }
}

#[test]
fn the_domain_does_no_input_or_output() {
    for path in rust_files(&source().join("domain")) {
        let code = code(&path);
        for word in ["std::fs", "std::net", "tokio", "sqlx", "std::env", "tracing"] {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn the_engine_knows_no_provider_s_sql() {
    for path in rust_files(&source().join("engine")) {
        assert!(!code(&path).contains("sqlx"), "{} uses sqlx", path.display());
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = rust_files(&source())
        .into_iter()
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_readme_names_every_configuration_key() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let keys = branchkeeper::config::key_names().map(str::to_owned);
    for key in keys.chain(branchkeeper::config::notify_target_key_names()) {
        assert!(readme.contains(&format!("| `{key}` |")), "README.md does not tell of {key}");
    }
}

/// The cells of the tables in a document whose first cell is a word in code.
fn rows(document: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

#[test]
fn the_document_of_errors_has_every_reason_and_no_other() {
    let rows = rows("docs/errors.md");
    let told: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let known: Vec<&str> = branchkeeper::rpc::REASONS.iter().map(|reason| reason.name).collect();
    assert_eq!(told, known);
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        assert!(["yes", "no", "with `request_id`"].iter().any(|word| row[4].starts_with(word)), "{row:?}");
    }
}

#[test]
fn no_test_talks_to_the_program_behind_the_back_of_the_search_for_secrets() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for folder in ["it", "abuse"] {
        for path in rust_files(&tests.join(folder)).iter().filter(|path| !path.starts_with(tests.join("it/support"))) {
            let text = fs::read_to_string(path).unwrap();
            for word in
                ["CARGO_BIN_EXE", "TcpStream::connect(station", "TcpStream::connect(served", "UnixStream::connect"]
            {
                assert!(!text.contains(word), "{} says {word}: use what support/ has for it", path.display());
            }
        }
    }
}
