use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::super::url::parse_url;
use crate::domain::{
    Branch, BranchCode, BranchId, Connection, Provider, SecretRef, ServerConnection, SqliteConnection, Time, shorten,
    validate_branch,
};

/// The largest file, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The most branches in one file.
const MAX_BRANCHES: usize = 20_000;
/// The most parts (keys, values, lists) that a file may have: enough for the most branches with many labels each.
const MAX_NODES: usize = 1_500_000;

/// Something in the file that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The line, from 1.
    pub(super) line: u64,
    /// What is wrong. Never holds a value that might be a password.
    pub(super) message: String,
}

/// A branch as the file wants it; `None` leaves a part as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) line: u64,
    pub(super) code: BranchCode,
    pub(super) provider: Provider,
    pub(super) name: Option<String>,
    pub(super) connection: Option<Connection>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) is_active: Option<bool>,
    pub(super) environment: Option<String>,
}

/// An entry of the list as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    provider: String,
    name: Option<String>,
    url: Option<String>,
    /// Goes with a URL, which cannot say it.
    password_ref: Option<SecretRef>,
    connection: Option<Connection>,
    labels: Option<BTreeMap<String, String>>,
    is_active: Option<bool>,
    environment: Option<String>,
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err("is larger than 16 MiB; split it".into());
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".into())
}

/// Reads the branches out of the file's text, and checks everything that can be checked without the service.
pub(super) fn parse(text: &str) -> Result<Vec<Wanted>, Vec<Problem>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: MAX_NODES * 2,
            max_anchors: 1_000,
            max_aliases: 1_000,
            max_documents: 1,
        },
    };
    let entries: Vec<Spanned<Entry>> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        // Without the snippet, which would show what is written there.
        let message = shorten(&error.without_snippet().to_string(), 300);
        vec![Problem { line, message }]
    })?;
    if entries.is_empty() || entries.len() > MAX_BRANCHES {
        let message = format!("the file has {} branches; 1 to {MAX_BRANCHES} are allowed", entries.len());
        return Err(vec![Problem { line: 1, message }]);
    }
    let mut problems = Vec::new();
    let mut wanted = Vec::with_capacity(entries.len());
    for entry in entries {
        let line = entry.referenced.line();
        let mut problem = |message: String| problems.push(Problem { line, message });
        match check(entry.value, line) {
            Ok(branch) => wanted.push(branch),
            Err(messages) => messages.into_iter().for_each(&mut problem),
        }
    }
    duplicates(&wanted, &mut problems);
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() { Ok(wanted) } else { Err(problems) }
}

fn check(entry: Entry, line: u64) -> Result<Wanted, Vec<String>> {
    let mut problems = Vec::new();
    let code = entry.code.parse::<BranchCode>().map_err(|error| problems.push(error.to_string())).ok();
    let provider = entry.provider.parse::<Provider>().map_err(|error| problems.push(error)).ok();
    let (Some(code), Some(provider)) = (code, provider) else { return Err(problems) };
    let named = |message: &str| format!("{code}: {message}");
    let connection = match (entry.connection, entry.url) {
        (Some(_), Some(_)) => return Err(vec![named("give a connection or a url, not both")]),
        (None, Some(url)) => {
            let read = parse_url(provider, &url).map_err(|message| vec![named(&message)])?;
            Some(Connection::Server(ServerConnection { password_ref: entry.password_ref, ..read }))
        }
        (_, None) if entry.password_ref.is_some() => {
            return Err(vec![named("password_ref goes with a url; in a connection it stands under server")]);
        }
        (None, None) if provider != Provider::Sqlite => {
            return Err(vec![named("a branch on a server needs a connection or a url")]);
        }
        (connection, None) => connection,
    };
    let wanted = Wanted {
        line,
        code,
        provider,
        name: entry.name,
        connection,
        labels: entry.labels,
        is_active: entry.is_active,
        environment: entry.environment,
    };
    match validate_branch(&wanted.as_branch(), "") {
        Ok(()) => Ok(wanted),
        Err(found) => {
            let message = |field: &str, text: &str| format!("{}: {} {text}", wanted.code, field.trim_matches('.'));
            Err(found.0.iter().map(|violation| message(&violation.field, &violation.description)).collect())
        }
    }
}

impl Wanted {
    /// The connection of a branch that is new.
    pub(super) fn connection_or_default(&self) -> Connection {
        self.connection.clone().unwrap_or_else(|| Connection::Sqlite(SqliteConnection::default()))
    }

    /// The branch as far as the file says, so that the rules for branches can be applied to it.
    fn as_branch(&self) -> Branch {
        Branch {
            id: BranchId::generate(),
            code: self.code.clone(),
            name: self.name.clone().unwrap_or_default(),
            provider: self.provider,
            connection: self.connection_or_default(),
            labels: self.labels.clone().unwrap_or_default(),
            is_active: self.is_active.unwrap_or(true),
            environment: self.environment.clone().unwrap_or_default(),
            create_time: Time::UNIX_EPOCH,
            update_time: Time::UNIX_EPOCH,
        }
    }

    /// What two branches must not share.
    fn database(&self) -> String {
        match self.connection_or_default() {
            Connection::Sqlite(sqlite) => format!("sqlite {}", sqlite.relative_path(&self.code)),
            Connection::Server(server) => format!(
                "{} {}:{} {} {}",
                self.provider,
                server.host.to_ascii_lowercase(),
                server.port_or_default(self.provider),
                server.database,
                server.schema
            ),
        }
    }
}

fn duplicates(wanted: &[Wanted], problems: &mut Vec<Problem>) {
    let mut codes: HashMap<String, u64> = HashMap::new();
    let mut databases: HashMap<String, &Wanted> = HashMap::new();
    for branch in wanted {
        if let Some(first) = codes.insert(branch.code.folded(), branch.line) {
            let message = format!("{}: the code is used on line {first} already", branch.code);
            problems.push(Problem { line: branch.line, message });
        } else if let Some(first) = databases.insert(branch.database(), branch) {
            let message = format!("{}: {} on line {} uses the same database", branch.code, first.code, first.line);
            problems.push(Problem { line: branch.line, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_read() {
        let text = "\
# The fleet
- code: BR001
  name: Old Town
  provider: sqlite
  labels: { region: south, size: 010 }
- code: BR002
  provider: postgres
  is_active: false
  environment: staging
  connection:
    server: { host: db, port: 5433, database: br002, username: keeper, password_ref: env:P, ssl_mode: verify_full }
- code: BR003
  provider: Postgres
  url: postgres://keeper@db/br003?schema=pos
  password_ref: file:/run/secrets/br003
";
        let wanted = parse(text).unwrap();
        assert_eq!(wanted.iter().map(|branch| branch.line).collect::<Vec<_>>(), [2, 6, 12]);
        assert_eq!(wanted[0].labels.as_ref().unwrap()["size"], "010");
        assert_eq!((wanted[0].connection.as_ref(), wanted[0].is_active), (None, None));
        let Some(Connection::Server(server)) = &wanted[1].connection else { panic!() };
        assert_eq!((server.port, server.database.as_str()), (Some(5433), "br002"));
        let Some(Connection::Server(server)) = &wanted[2].connection else { panic!() };
        assert_eq!((server.host.as_str(), server.schema.as_str()), ("db", "pos"));
        assert_eq!(server.password_ref, Some("file:/run/secrets/br003".parse().unwrap()));
        assert!(parse("- { code: A, provider: sqlite, password_ref: 'env:P' }").is_err());
    }

    #[test]
    fn problems_carry_their_line_and_come_all_at_once() {
        let text = "\
- code: BR001
  provider: sqlite
- code: 'BR 2'
  provider: oracle
- code: BR003
  provider: postgres
- code: br001
  provider: sqlite
- code: BR005
  provider: sqlite
  connection: { sqlite: { path: BR001/Database/BR001.db } }
- code: BR006
  provider: sqlite
  connection: { sqlite: { path: ../x.db } }
- code: BR007
  provider: postgres
  url: postgres://k:hunter2@db/d
";
        let problems = parse(text).unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [3, 3, 5, 7, 9, 12, 15], "{problems:?}");
        let all = format!("{problems:?}");
        for expected in ["'oracle' is not a provider", "used on line 1", "BR001 on line 1 uses the same", "'..'"] {
            assert!(all.contains(expected), "{expected} in {all}");
        }
        assert!(!all.contains("hunter2"));
    }

    #[test]
    fn what_is_not_a_list_of_branches_is_refused_with_its_line() {
        let cases = [
            ("", 1),
            ("[]", 1),
            ("code: BR001", 1),
            ("- code: BR001\n  provider: sqlite\n  colour: red", 3),
            ("- code: BR001", 1),
            ("- code: BR001\n  provider: sqlite\n  is_active: perhaps", 3),
            ("- code: [", 1),
            ("- code: A\n  code: B\n  provider: sqlite", 2),
        ];
        for (text, line) in cases {
            let problems = parse(text).unwrap_err();
            assert_eq!(problems[0].line, line, "{text}: {problems:?}");
        }
    }

    #[test]
    fn a_password_key_is_refused_and_its_value_not_shown() {
        let text = "- code: A\n  provider: postgres\n  connection:\n    server: { host: h, database: d, username: u, password: hunter2 }";
        let all = format!("{:?}", parse(text).unwrap_err());
        assert!(all.contains("password_ref") && !all.contains("hunter2"), "{all}");
        let text = "- code: A\n  provider: postgres\n  connection:\n    server: { host: h, database: d, username: u, password_ref: hunter2 }";
        let all = format!("{:?}", parse(text).unwrap_err());
        assert!(all.contains("env:NAME") && !all.contains("hunter2"), "{all}");
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut text = String::from("- &a [x,x,x,x,x,x,x,x,x,x]\n");
        for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            text.push_str(&format!("- &{to} [{}]\n", vec![format!("*{from}"); 10].join(",")));
        }
        assert!(parse(&text).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_whole_fleet_can_be_read() {
        let entry =
            |n| format!("- code: BR{n}\n  name: Branch {n}\n  provider: sqlite\n  labels: {{a: b, c: d, e: f}}\n");
        let text: String = (0..MAX_BRANCHES).map(entry).collect();
        assert_eq!(parse(&text).unwrap().len(), MAX_BRANCHES);
        let text: String = (0..=MAX_BRANCHES).map(entry).collect();
        assert!(parse(&text).is_err());
    }
}
