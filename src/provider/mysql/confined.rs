//! Which statements do nothing outside the database that they run in.

/// The kinds of things that `CREATE`, `ALTER` and `DROP` make inside a database.
const INSIDE: [&str; 12] = [
    "TABLE",
    "TABLES",
    "TEMPORARY",
    "INDEX",
    "UNIQUE",
    "FULLTEXT",
    "SPATIAL",
    "VIEW",
    "TRIGGER",
    "PROCEDURE",
    "FUNCTION",
    "SEQUENCE",
];

/// What may stand between `CREATE` and the kind of thing.
const BETWEEN: [&str; 8] = ["OR", "REPLACE", "ALGORITHM", "DEFINER", "SQL", "ONLINE", "IGNORE", "OFFLINE"];

/// Whether a statement can only change the database that it runs in, as far as its first words tell.
pub(super) fn stays_inside(sql: &str) -> bool {
    let mut words = Words(sql);
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    match verb.as_str() {
        "SELECT" => !has(sql, "OUTFILE") && !has(sql, "DUMPFILE"),
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "WITH" | "VALUES" | "DO" | "CALL" | "TRUNCATE" | "RENAME" => true,
        "ANALYZE" | "OPTIMIZE" | "CHECK" => true,
        "SET" => {
            let elsewhere = ["GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "DEFAULT", "RESOURCE", "ROLE"];
            let first = words.next().unwrap_or_default().to_ascii_uppercase();
            !elsewhere.contains(&first.as_str()) && !has(sql, "@@GLOBAL") && !has(sql, "@@PERSIST")
        }
        "CREATE" | "ALTER" | "DROP" => {
            let kind = words.by_ref().map(str::to_ascii_uppercase).find(|word| {
                let between = BETWEEN.contains(&word.as_str());
                // The values of ALGORITHM, DEFINER and SQL SECURITY.
                let value = ["UNDEFINED", "MERGE", "TEMPTABLE", "SECURITY", "INVOKER", "CURRENT_USER"];
                !between && !value.contains(&word.as_str())
            });
            kind.is_some_and(|kind| INSIDE.contains(&kind.as_str())) && !has(sql, "SONAME")
        }
        _ => false,
    }
}

/// Whether a text reaches into one of these databases by name.
pub(super) fn reaches(sql: &str, databases: &[String]) -> bool {
    let folded = sql.to_lowercase();
    let harmless = ["information_schema", "performance_schema"];
    let mut others = databases.iter().filter(|name| !harmless.contains(&name.to_lowercase().as_str()));
    folded.contains("use ") && Words(sql).next().is_some_and(|word| word.eq_ignore_ascii_case("USE"))
        || others.any(|name| qualifies(&folded, &name.to_lowercase()))
}

/// Whether the name stands before a dot.
fn qualifies(text: &str, name: &str) -> bool {
    let part_of_name = |ch: char| ch.is_alphanumeric() || ch == '_' || ch == '$';
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let rest = text.get(at + name.len()..).unwrap_or_default();
        let rest = rest.strip_prefix(['`', '"']).unwrap_or(rest).trim_start();
        before.is_none_or(|ch| !part_of_name(ch)) && rest.starts_with('.')
    })
}

/// A definition without the user in whose name it runs: the copy is the current user's.
pub(super) fn strip_definer(sql: &str) -> String {
    let Some(at) = sql.find("DEFINER=") else { return sql.to_owned() };
    // Only in the head: a body may hold the word in a string.
    let head = sql.get(..at).unwrap_or_default();
    if head.contains(['(', '\'', '"']) {
        return sql.to_owned();
    }
    let rest = sql.get(at + "DEFINER=".len()..).unwrap_or_default();
    let mut quoted = false;
    let end = rest.char_indices().find(|(_, ch)| {
        quoted ^= *ch == '`';
        !quoted && ch.is_whitespace()
    });
    let rest = end.and_then(|(end, _)| rest.get(end..)).unwrap_or_default();
    format!("{head}{}", rest.trim_start())
}

fn has(sql: &str, word: &str) -> bool {
    sql.to_ascii_uppercase().contains(word)
}

/// The words at a statement's beginning; comments and anything quoted are stepped over.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.0.trim_start();
            if let Some(rest) = text.strip_prefix("/*").filter(|rest| !rest.starts_with(['!', 'M'])) {
                self.0 = rest.split_once("*/").map_or("", |(_, rest)| rest);
            } else if text.starts_with("--") || text.starts_with('#') {
                self.0 = text.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(rest) = text.strip_prefix('`') {
                self.0 = rest.split_once('`').map_or("", |(_, rest)| rest);
            } else {
                let word = |ch: char| ch.is_alphanumeric() || ch == '_' || ch == '$';
                let begin = text.find(word)?;
                if begin > 0 && text.get(..begin).is_some_and(|before| before.contains(['`', '(', '\'', '"'])) {
                    self.0 = text.get(1..).unwrap_or_default();
                    continue;
                }
                let text = text.get(begin..)?;
                let end = text.find(|ch| !word(ch)).unwrap_or(text.len());
                self.0 = text.get(end..).unwrap_or_default();
                return text.get(..end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_inside_its_database() {
        for sql in [
            "CREATE TABLE t (a INT)",
            "/* x */ create or replace view v as select 1",
            "CREATE ALGORITHM=MERGE DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT 1",
            "CREATE DEFINER=`root`@`localhost` TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
            "ALTER TABLE t ADD c INT",
            "DROP INDEX i ON t",
            "SET @@SESSION.sql_mode = ''",
            "-- note\nUPDATE t SET a = 1",
            "CREATE UNIQUE INDEX i ON t (a)",
        ] {
            assert!(stays_inside(sql), "{sql}");
        }
        for sql in [
            "CREATE DATABASE d",
            "DROP SCHEMA d",
            "GRANT ALL ON t TO u",
            "CREATE USER u",
            "SET GLOBAL max_connections = 1",
            "SET @@GLOBAL.max_connections = 1",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t",
            "FLUSH TABLES",
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "",
        ] {
            assert!(!stays_inside(sql), "{sql}");
        }
    }

    #[test]
    fn names_of_databases_are_found_before_dots() {
        let databases = ["shop".to_owned(), "information_schema".to_owned()];
        for sql in ["SELECT * FROM shop.t", "INSERT INTO `Shop` . `t` VALUES (1)", "USE shop"] {
            assert!(reaches(sql, &databases), "{sql}");
        }
        for sql in ["SELECT * FROM workshop.t", "SELECT shop FROM t", "SELECT 1 FROM information_schema.TABLES"] {
            assert!(!reaches(sql, &databases), "{sql}");
        }
    }

    #[test]
    fn a_definer_is_left_out() {
        let view = "CREATE ALGORITHM=UNDEFINED DEFINER=`a b`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1";
        assert_eq!(strip_definer(view), "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1");
        let body = "CREATE PROCEDURE p() SELECT 'DEFINER=x '";
        assert_eq!(strip_definer(body), body);
    }
}
