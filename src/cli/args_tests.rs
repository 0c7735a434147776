use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn refused(line: &str) -> ErrorKind {
    match parse(line) {
        Ok(_) => panic!("'{line}' was accepted"),
        Err(error) => error.kind(),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_examples() {
    fn walk(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.get_subcommands().next().is_some() {
            command.get_subcommands().for_each(|inner| walk(inner, &path));
        } else {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  "), "{path} has no examples");
            assert!(help.contains("branchkeeper "), "{path}");
        }
    }
    Cli::command().get_subcommands().for_each(|command| walk(command, "branchkeeper"));
}

#[test]
fn the_examples_can_be_parsed() {
    fn walk(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines().filter(|line| line.starts_with("  branchkeeper ")) {
            // Without what comes after the command: a remark, or where its output goes.
            let line = line.trim().split("   ").next().unwrap().split(" > ").next().unwrap();
            let line = line.replace("'Old Town'", "Old").replace("'New Town'", "New");
            if let Err(error) = parse(&line) {
                panic!("{line}: {error}");
            }
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Cli::command());
}

#[test]
fn up_takes_branches_or_all_of_them() {
    for good in ["up A", "up A B --to 5 --parallel 1000", "up --all --label a=b --label c=d --provider sqlite"] {
        assert!(parse(&format!("branchkeeper {good}")).is_ok(), "{good}");
    }
    assert_eq!(refused("branchkeeper up"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("branchkeeper up A --all"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("branchkeeper up A --label a=b"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("branchkeeper up --label a=b"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("branchkeeper up --all --label a"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper up --all --parallel 0"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper up --all --parallel 1001"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper up --all --provider oracle"), ErrorKind::InvalidValue);
}

#[test]
fn what_cannot_be_is_refused_before_anybody_is_asked() {
    assert_eq!(refused("branchkeeper branch add bad/code --provider sqlite"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper branch add A"), ErrorKind::MissingRequiredArgument);
    let both = "branchkeeper branch add A --provider postgres --url postgres://u@h/d --host h";
    assert_eq!(refused(both), ErrorKind::ArgumentConflict);
    assert_eq!(refused("branchkeeper branch add A --provider postgres --port 70000"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper branch update A --active --inactive"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("branchkeeper branch test"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("branchkeeper watch not-a-run"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper demo --branches 0"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper demo --branches 10001"), ErrorKind::ValueValidation);
    assert_eq!(refused("branchkeeper status --output xml"), ErrorKind::InvalidValue);
}

#[test]
fn the_server_and_the_format_can_stand_anywhere() {
    let cli = parse("branchkeeper branch list --server http://k:1 --output json --no-color").unwrap();
    assert_eq!(
        (cli.global.server.as_str(), cli.global.output, cli.global.no_color),
        ("http://k:1", Format::Json, true)
    );
}

#[test]
fn labels_are_pairs() {
    assert_eq!(parse_label("a=b=c"), Ok(("a".into(), "b=c".into())));
    assert_eq!(parse_label("a="), Ok(("a".into(), String::new())));
    assert!(parse_label("=b").is_err() && parse_label("a").is_err());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(label_map(&[pair("a", "1"), pair("a", "1")]).unwrap().len(), 1);
    assert!(label_map(&[pair("a", "1"), pair("a", "2")]).is_err());
}
