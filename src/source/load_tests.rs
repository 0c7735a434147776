use std::fs;

use tempfile::TempDir;

use super::*;
use crate::domain::{ObjectName, TransactionMode};
use crate::source::{MAX_FILE_BYTES, counts};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn good(files: &[(&str, &str)]) -> Catalogue {
    match load(folder(files).path()) {
        Ok(catalogue) => catalogue,
        Err(problems) => panic!("{problems}"),
    }
}

fn bad(files: &[(&str, &str)]) -> Vec<String> {
    let problems = load(folder(files).path()).unwrap_err();
    problems.0.iter().map(ToString::to_string).collect()
}

fn ids(catalogue: &Catalogue, provider: Provider) -> Vec<&str> {
    catalogue.of(provider).migrations().iter().map(|each| each.id.as_str()).collect()
}

fn up<'c>(catalogue: &'c Catalogue, provider: Provider, id: &str) -> (&'c str, &'c str) {
    let migration = catalogue.of(provider).find(id).unwrap();
    (&migration.up.file, &migration.up.statements[0].sql)
}

#[test]
fn an_empty_folder_is_in_order() {
    let catalogue = good(&[("README.md", "#"), (".gitkeep", "")]);
    assert!(Provider::ALL.iter().all(|provider| catalogue.of(*provider).migrations().is_empty()));
}

#[test]
fn files_come_together_for_each_provider() {
    let catalogue = good(&[
        ("9_First.sql", "a"),
        ("10_Both.up.sql", "b;"),
        ("10_Both.postgres.up.sql", "p;"),
        ("10_Both.down.sql", "d;"),
        ("11_Only.postgres.up.sql", "o;"),
        ("11_Only.down.sql", "[;"),
        ("12_Other.sqlserver.up.sql", "n;\nGO\nn"),
        ("13_Mine.mysql.up.sql", "m;"),
        ("R__views.sqlite.sql", "v;"),
    ]);
    assert_eq!(ids(&catalogue, Provider::Sqlite), ["9_First", "10_Both", "R__views"]);
    assert_eq!(ids(&catalogue, Provider::Postgres), ["9_First", "10_Both", "11_Only"]);
    assert_eq!(ids(&catalogue, Provider::MySql), ["9_First", "10_Both", "13_Mine"]);
    assert_eq!(ids(&catalogue, Provider::SqlServer), ["9_First", "10_Both", "12_Other"]);
    assert_eq!(up(&catalogue, Provider::Sqlite, "10"), ("10_Both.up.sql", "b"));
    assert_eq!(up(&catalogue, Provider::Postgres, "10"), ("10_Both.postgres.up.sql", "p"));
    let both = catalogue.of(Provider::Postgres).find("10").unwrap();
    assert_eq!(both.down.as_ref().unwrap().file, "10_Both.down.sql");
    assert_eq!(both.checksum, Checksum::of_text("p;"));
    assert!(catalogue.of(Provider::Sqlite).find("9").unwrap().down.is_none());
    let counts = counts(&catalogue);
    assert_eq!((counts[0].provider, counts[0].versioned, counts[0].repeatable), (Provider::Sqlite, 2, 1));
    assert_eq!((counts[1].provider, counts[1].versioned, counts[1].statements), (Provider::SqlServer, 3, 4));
    assert_eq!((counts[2].versioned, counts[2].reversible, counts[2].statements), (3, 2, 3));
}

#[test]
fn directives_and_dependencies_reach_the_migration() {
    let text = "-- branchkeeper: transaction-mode=None timeout=5s depends-on=9_A description=\"Why not\"\nb";
    let catalogue = good(&[("9_A.sql", "a"), ("10_B.sql", text)]);
    let migration = catalogue.of(Provider::Postgres).find("10").unwrap();
    assert_eq!(migration.transaction_mode, Some(TransactionMode::None));
    assert_eq!(migration.timeout.unwrap().as_secs(), 5);
    assert_eq!(migration.depends_on, ["9_A".parse().unwrap()]);
    assert_eq!(migration.description, "Why not");
}

#[test]
fn a_windows_checkout_reads_the_same() {
    let unix = good(&[("1_A.sql", "-- x\nINSERT INTO a VALUES ('b\nc');\n d;\n")]);
    let windows = good(&[("1_A.sql", "\u{feff}-- x\r\nINSERT INTO a VALUES ('b\r\nc');\r\n d;\r\n")]);
    for provider in Provider::ALL {
        assert_eq!(unix.of(provider).migrations(), windows.of(provider).migrations());
        assert_eq!(unix.of(provider).digest(), windows.of(provider).digest());
    }
}

#[test]
fn everything_wrong_with_names_is_reported_at_once() {
    let found = bad(&[
        ("1_A.sql", "a"),
        ("1_A.up.sql", "a"),
        ("0010_B.sql", "a"),
        ("10_C.sql", "a"),
        ("10_C.down.sql", "a"),
        ("11_D.down.sql", "a"),
        ("12_E.postgres.up.sql", "a"),
        ("12_E.sqlite.down.sql", "a"),
        ("13_Foo.up.sql", "a"),
        ("13_Fo.down.sql", "a"),
        ("R__v.sql", "a"),
        ("R__V.sql", "a"),
        ("R__w.down.sql", "a"),
        ("14_F.yml", "up:"),
        ("15_G.oracle.sql", "a"),
        ("notes.txt", "a"),
    ]);
    let expected = [
        "10_C.sql: has the same number as 0010_B (give it a number of its own)",
        "11_D.down.sql: is a down file without an up file (add the up file, or delete this one)",
        "12_E.sqlite.down.sql: undoes a migration that has no up file for sqlite (add the up file, or delete this one)",
        "13_Fo.down.sql: is a down file without an up file (did you mean 13_Foo?)",
        "14_F.yml: '14_F.yml' is not a migration file's name (rename it to '14_F.yaml')",
        "15_G.oracle.sql: 'oracle' is neither a provider nor up or down (use sqlite, sqlserver, postgres, mysql)",
        "1_A.up.sql: is the same migration file as 1_A.sql (keep one of the two)",
        "R__v.sql: has the same name as R__V (letter case does not tell names apart)",
        "R__w.down.sql: a repeatable migration has no down file (delete it)",
        "notes.txt: 'notes.txt' is not a migration file's name (use <number>_<Name>[.<provider>].yaml, .up.sql, .down.sql or .sql, or R__<name>[.<provider>].sql)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn everything_wrong_with_contents_is_reported_at_once() {
    let folder = folder(&[
        ("1_A.sql", ""),
        ("2_B.sql", "-- only\n/* comments */;"),
        ("3_C.mysql.sql", "-- only"),
        ("4_D.sql", "a\nb\0"),
        ("6_F.sql", "a;\nBEGIN;"),
        ("7_G.sql", "CREATE TABLE a (b"),
        ("8_H.sql", "-- branchkeeper: timeout=1\na"),
        ("9_I.postgres.sql", "'"),
        ("9_I.down.sql", "-- branchkeeper: timeout=1s\na"),
    ]);
    fs::write(folder.path().join("5_E.sql"), b"a\n\xff").unwrap();
    let problems = load(folder.path()).unwrap_err();
    let expected = "\
1_A.sql: has no statement (where there is nothing to do, write 'SELECT 1;')
2_B.sql: has no statement (where there is nothing to do, write 'SELECT 1;')
3_C.mysql.sql: has no statement (where there is nothing to do, write 'SELECT 1;')
4_D.sql:2:2: contains a NUL character (remove it; save the file as plain UTF-8 text)
5_E.sql:2:1: is not UTF-8: byte 0xff (save it as UTF-8)
6_F.sql:2:1: for sqlite, postgres and mysql: BEGIN is refused: Branchkeeper controls the transaction (remove it; '-- branchkeeper: transaction-mode=None' at the head of the file runs it without one; if it is not meant for sqlite, postgres and mysql, put the provider that it is meant for into its name)
7_G.sql:1:16: for postgres: this parenthesis is never closed (a ';' inside parentheses does not end the statement; if it is not meant for postgres, put the provider that it is meant for into its name)
8_H.sql:1:26: '1' is not a time limit (write it like 300s, 10m or 1h)
9_I.down.sql:1:4: a down file has no directives of its own (put it into the up file)
9_I.postgres.sql:1:1: the string that begins here is never closed (close it with ')";
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn dependencies_have_to_exist_and_come_before() {
    let on = |ids: &str| format!("-- branchkeeper: depends-on={ids}\na");
    let found = bad(&[
        ("1_A.sql", "a"),
        ("2_B.postgres.sql", "a"),
        ("3_C.sql", &on("1_A,2_B")),
        ("4_D.sql", &on("4_D,5_E,1_AA")),
        ("5_E.sql", &on("nothing_at,99_None")),
        ("R__v.sql", &on("5_E")),
    ]);
    let expected = [
        "3_C.sql:1:33: for mysql: depends on 2_B, which has no up file for mysql (add 2_B.mysql.up.sql, or remove it from depends-on; if it is not meant for mysql, put the provider that it is meant for into its name)",
        "3_C.sql:1:33: for sqlite: depends on 2_B, which has no up file for sqlite (add 2_B.sqlite.up.sql, or remove it from depends-on; if it is not meant for sqlite, put the provider that it is meant for into its name)",
        "3_C.sql:1:33: for sqlserver: depends on 2_B, which has no up file for sqlserver (add 2_B.sqlserver.up.sql, or remove it from depends-on; if it is not meant for sqlserver, put the provider that it is meant for into its name)",
        "4_D.sql:1:29: 4_D depends on itself (remove it from depends-on)",
        "4_D.sql:1:33: depends on 5_E, which comes later (a migration can only depend on earlier ones)",
        "4_D.sql:1:37: depends on 1_AA, which is not in the folder (did you mean 1_A?)",
        "5_E.sql:1:29: 'nothing_at' is not a migration's id (write depends-on=<number>_<Name>,<number>_<Name>)",
        "5_E.sql:1:40: depends on 99_None, which is not in the folder (name a migration of this folder)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn folders_and_odd_files_are_problems() {
    let folder = folder(&[("1_A.sql", "a")]);
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let large = fs::File::create(folder.path().join("2_B.sql")).unwrap();
    large.set_len(MAX_FILE_BYTES + 1).unwrap();
    let found = load(folder.path()).unwrap_err().to_string();
    assert_eq!(
        found,
        "2_B.sql: is larger than 16 MiB (spread it over several migrations)\n\
         sub: is a folder (migrations lie flat in one folder; move its files up or the folder elsewhere)"
    );
}

#[cfg(unix)]
#[test]
fn links_to_files_are_followed() {
    use std::os::unix::fs::symlink;
    let elsewhere = folder(&[("data", "a;b")]);
    let folder = folder(&[]);
    symlink(elsewhere.path().join("data"), folder.path().join("1_A.sql")).unwrap();
    assert_eq!(load(folder.path()).unwrap().of(Provider::Sqlite).migrations()[0].up.statements.len(), 2);
    symlink(elsewhere.path().join("gone"), folder.path().join("2_B.sql")).unwrap();
    symlink(elsewhere.path(), folder.path().join("3_C.sql")).unwrap();
    let problems = load(folder.path()).unwrap_err();
    let files: Vec<_> = problems.0.iter().map(|each| each.file.as_str()).collect();
    assert_eq!(files, ["2_B.sql", "3_C.sql"]);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_are_problems() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder(&[]);
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"1_\xff.sql")), "a").unwrap();
    assert_eq!(load(folder.path()).unwrap_err().0[0].message, "has a name that is not UTF-8");
}

#[test]
fn a_missing_folder_is_a_problem() {
    let parent = folder(&[("file", "")]);
    let missing = load(&parent.path().join("gone")).unwrap_err();
    assert_eq!(missing.0[0].message, "the migrations folder can't be read: entity not found");
    assert!(load(&parent.path().join("file")).is_err());
}

#[test]
fn sqlite_tables_are_tracked_without_regard_to_case() {
    let catalogue = good(&[("1_A.sqlite.sql", "CREATE TABLE Foo(a)"), ("2_B.sqlite.sql", "DROP TABLE foo")]);
    assert!(catalogue.of(Provider::Sqlite).tables(|_| true).is_empty());
}

#[test]
fn portable_files_read_for_every_provider() {
    let yaml = "description: Notes\ndepends_on: 1_A\ntransaction_mode: None\ntimeout: 5m\nup:\n  - sql: { postgres: |\n      a;\n      b }\n";
    let yaml = yaml.replace("{ postgres: |\n      a;\n      b }", "\n      postgres: |\n        a;\n        b");
    let table = "up:\n  - create_table: { name: T, columns: { Id: { type: int, primary_key: true } } }\n  - drop_table: { name: U }\n";
    let catalogue = good(&[
        ("1_A.sql", "a"),
        ("2_B.yaml", &yaml),
        ("3_C.yaml", table),
        ("3_C.sqlite.up.sql", "own"),
        ("4_D.yaml", "up:\n  - add_column: { table: T, name: N, type: int, nullable: true }\n"),
        ("4_D.mysql.down.sql", "mine"),
    ]);
    let of = |provider, id: &str| Migration::clone(catalogue.of(provider).find(id).unwrap());
    let postgres = of(Provider::Postgres, "2");
    assert_eq!((postgres.description.as_str(), postgres.timeout.unwrap().as_secs()), ("Notes", 300));
    assert_eq!(postgres.transaction_mode, Some(TransactionMode::None));
    assert_eq!(postgres.depends_on, ["1_A".parse().unwrap()]);
    let places: Vec<_> =
        postgres.up.statements.iter().map(|each| (each.sql.as_str(), each.line, each.column)).collect();
    assert_eq!(places, [("a", 8, 9), ("b", 9, 9)]);
    assert!(of(Provider::Sqlite, "2").up.statements.is_empty());
    assert_eq!(postgres.checksum, Checksum::of_text(&yaml));
    assert_eq!(postgres.checksum, of(Provider::MySql, "2").checksum);
    assert_eq!(postgres.irreversible.unwrap(), "line 6: sql can't be undone by itself; write 'down:'");

    let own = of(Provider::Sqlite, "3");
    assert_eq!((own.up.statements[0].sql.as_str(), own.down, own.irreversible), ("own", None, None));
    let made = of(Provider::Postgres, "3");
    assert_eq!(made.up.statements[0].tables, [crate::domain::TableChange::Created(ObjectName::bare("T"))]);
    assert_eq!((made.up.statements[1].line, made.up.statements[1].column), (3, 5));
    assert!(made.up.statements[1].risk.destroys.is_some() && made.down.is_none());
    let mysql = of(Provider::MySql, "4");
    assert_eq!(mysql.down.unwrap().file, "4_D.mysql.down.sql");
    assert!(mysql.up.statements[0].alone.is_some());
    assert_eq!(of(Provider::Postgres, "4").down.unwrap().statements.len(), 1);
}

#[test]
fn portable_files_share_the_rules_of_the_folder() {
    let column = "up:\n  - add_column: { table: T, name: N, type: int, nullable: true }\n";
    let found = bad(&[
        ("1_A.yaml", column),
        ("1_A.up.sql", "a"),
        ("2_B.yaml", &format!("{column}down:\n")),
        ("2_B.down.sql", "a"),
        ("3_C.yaml", &format!("depends_on: [9_Z]\n{column}")),
        ("4_D.yaml", ""),
    ]);
    let expected = [
        "1_A.yaml: is the same migration file as 1_A.up.sql (keep one of the two)",
        "2_B.down.sql: undoes a migration that has a 'down' of its own in 2_B.yaml (keep one of the two)",
        "3_C.yaml:1:14: depends on 9_Z, which is not in the folder (name a migration of this folder)",
        "4_D.yaml: holds nothing (write 'up:' and operations under it)",
    ];
    assert_eq!(found, expected);
}
