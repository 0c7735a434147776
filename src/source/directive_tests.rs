use super::*;
use crate::domain::Provider;
use crate::source::script;

fn read_as(place: Place, text: &str) -> (Directives, Vec<Problem>) {
    let reading = script::read(Provider::Postgres, "f.sql", text);
    let mut problems = reading.problems;
    let found = read("f.sql", text, &reading.comments, place, &mut problems);
    (found, problems)
}

fn good(text: &str) -> Directives {
    let (found, problems) = read_as(Place::Allowed, text);
    assert!(problems.is_empty(), "{text}\n{problems:?}");
    found
}

fn bad(text: &str) -> Vec<String> {
    read_as(Place::Allowed, text).1.into_iter().map(|each| each.to_string()).collect()
}

#[test]
fn all_keys() {
    let text = "-- Copyright\n--branchkeeper: transaction-mode=none timeout=10m\n/* x */\n\
                -- Branchkeeper : depends-on=1_A,2_B  description=\"Who sold it: żółw = x\"\n;\nSELECT 1;";
    let found = good(text);
    assert_eq!(found.transaction_mode, Some(TransactionMode::None));
    assert_eq!(found.timeout, Some(Duration::from_secs(600)));
    assert_eq!(found.description, "Who sold it: żółw = x");
    let places: Vec<_> = found.depends_on.iter().map(|(id, place)| (id.as_str(), *place)).collect();
    assert_eq!(places, [("1_A", (4, 30)), ("2_B", (4, 34))]);
}

#[test]
fn what_is_no_directive_is_left_alone() {
    let text = "-- branchkeeper runs this before 12:00\n-- see: a=b\n-- branch: main\nSELECT '\n-- branchkeeper: x=1\n', $$\n\
                -- branchkeeper: x=1\n$$; -- branch: x=1\n";
    assert_eq!(good(text), Directives::default());
}

#[test]
fn mistakes_are_named_with_their_place() {
    let table = [
        ("-- branchkeeper: timeot=5s\na", "f.sql:1:18: 'timeot' is not a directive's key (did you mean 'timeout'?)"),
        (
            "-- branchkeeper: colour=red\na",
            "f.sql:1:18: 'colour' is not a directive's key (use transaction-mode, timeout, depends-on, description; quote a value that has spaces)",
        ),
        (
            "\n-- branchkeeper: transaction-mode=PerMigraton\na",
            "f.sql:2:35: 'PerMigraton' is not a transaction mode (did you mean 'PerMigration'?)",
        ),
        ("-- branchkeeper: timeout=5\na", "f.sql:1:26: '5' is not a time limit (write it like 300s, 10m or 1h)"),
        (
            "-- branchkeeper: timeout=25h\na",
            "f.sql:1:26: the time limit '25h' is not between 1s and 24h (write it like 300s, 10m or 1h)",
        ),
        ("-- branchkeeper: timeout\na", "f.sql:1:18: timeout has no value (write timeout=value)"),
        (
            "-- branchkeeper: timeout=1s\n-- branchkeeper: timeout=2s\na",
            "f.sql:2:18: timeout is set twice, first on line 1 (keep one of the two)",
        ),
        (
            "-- branchkeeper: depends-on=1_A,x\na",
            "f.sql:1:33: 'x' is not a migration's id (write depends-on=<number>_<Name>,<number>_<Name>)",
        ),
        ("-- branchkeeper: depends-on=1_A,1_A\na", "f.sql:1:33: depends-on names 1_A twice (remove one of the two)"),
        (
            "-- branchkeeper: description=\"a b\na",
            "f.sql:1:30: the value of description lacks its closing quote (add a '\"')",
        ),
        ("-- branchkeeper:\na", "f.sql:1:17: this directive is empty (write '-- branchkeeper: key=value')"),
        (
            "-- branchkeeper timeout=1s\na",
            "f.sql:1:4: this directive lacks its colon (write '-- branchkeeper: key=value')",
        ),
        ("-- branchkeper: timeout=1s\na", "f.sql:1:4: 'branchkeper' is no directive (did you mean 'branchkeeper:'?)"),
        (
            "/* branchkeeper: timeout=1s */ a",
            "f.sql:1:4: a directive stands in a block comment (write '-- branchkeeper: key=value')",
        ),
        (
            "a; -- branchkeeper: timeout=1s",
            "f.sql:1:7: this directive comes after the first statement has begun (move it before the first statement)",
        ),
        (
            "CREATE\n-- branchkeeper: timeout=1s\nx;",
            "f.sql:2:4: this directive comes after the first statement has begun (move it before the first statement)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(bad(text), [expected], "{text}");
    }
}

#[test]
fn every_mistake_is_reported() {
    assert_eq!(bad("-- branchkeeper: a=1 timeout=x depends-on=1_A, 2_B\na").len(), 4);
    let long = format!("-- branchkeeper: description={}\na", "x".repeat(MAX_DESCRIPTION + 1));
    assert_eq!(bad(&long).len(), 1);
}

#[test]
fn the_number_of_problems_is_bounded() {
    assert_eq!(bad(&("-- branchkeeper: x=1\n".repeat(1_000) + "a")).len(), MAX_PROBLEMS);
}

#[test]
fn a_down_file_has_none() {
    let (_, problems) = read_as(Place::Refused, "-- branchkeeper: timeout=1s\na");
    assert_eq!(problems[0].message, "a down file has no directives of its own");
}

#[test]
fn time_limits() {
    let seconds = |text: &str| parse_timeout(text).ok().map(|limit| limit.as_secs());
    assert_eq!(seconds("300s"), Some(300));
    assert_eq!(seconds("24h"), Some(86_400));
    for bad in ["0s", "s", "", "1", "1d", "86401s", "-1s", "1.5h", "99999999999999999999s", "5124095576030432h", "1 s"]
    {
        assert_eq!(seconds(bad), None, "{bad}");
    }
}
