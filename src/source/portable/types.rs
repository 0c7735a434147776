use std::collections::HashSet;

use super::expression::quoted;
use crate::domain::Provider;

/// A type that every server has some form of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogicalType {
    Uuid,
    String(u32),
    Text,
    SmallInt,
    Int,
    BigInt,
    Decimal(u32, u32),
    Double,
    Bool,
    Date,
    Timestamp,
    TimestampTz,
    Bytes,
    Json,
    Enum(Vec<String>),
}

/// A logical type's row in the mapping.
pub(super) struct Mapping {
    /// The type as it is written.
    pub(super) word: &'static str,
    /// The servers' types, in the order of [`Provider::ALL`]: SQLite, SQL Server, PostgreSQL, MySQL and MariaDB.
    pub(super) sql: [&'static str; 4],
    /// What to know about it.
    #[cfg_attr(not(test), allow(dead_code, reason = "only the documentation shows it, which a test writes"))]
    pub(super) note: &'static str,
}

/// The whole mapping. The documentation shows this table.
pub(super) const MAPPINGS: [Mapping; 15] = [
    map("uuid", ["TEXT", "uniqueidentifier", "uuid", "char(36)"], "as text: lower case with dashes"),
    map(
        "string(n)",
        ["TEXT", "nvarchar({n})", "varchar({n})", "varchar({n})"],
        "n from 1 to 4000 characters; SQLite keeps any length",
    ),
    map("text", ["TEXT", "nvarchar(max)", "text", "longtext"], "any length"),
    map("smallint", ["INTEGER", "smallint", "smallint", "smallint"], "16 bits"),
    map("int", ["INTEGER", "int", "integer", "int"], "32 bits"),
    map("bigint", ["INTEGER", "bigint", "bigint", "bigint"], "64 bits"),
    map(
        "decimal(p,s)",
        ["DECIMAL({n}, {s})", "decimal({n},{s})", "numeric({n},{s})", "decimal({n},{s})"],
        "p from 1 to 38; SQLite is exact to 15 digits",
    ),
    map("double", ["REAL", "float(53)", "double precision", "double"], "64 bits, binary"),
    map("bool", ["INTEGER", "bit", "boolean", "boolean"], "SQLite: 0 or 1, which a check ensures"),
    map("date", ["TEXT", "date", "date", "date"], "SQLite: ISO 8601 text"),
    map(
        "timestamp",
        ["TEXT", "datetime2(6)", "timestamp", "datetime(6)"],
        "date and time without zone; SQLite: ISO 8601 text",
    ),
    map(
        "timestamptz",
        ["TEXT", "datetimeoffset(6)", "timestamptz", "datetime(6)"],
        "a moment; MySQL, MariaDB and SQLite keep it in UTC",
    ),
    map("bytes", ["BLOB", "varbinary(max)", "bytea", "longblob"], "any length"),
    map(
        "json",
        ["TEXT", "nvarchar(max)", "jsonb", "json"],
        "SQLite and SQL Server: text that a check ensures to be JSON",
    ),
    map(
        "enum(a, b)",
        ["TEXT", "nvarchar({n})", "varchar({n})", "varchar({n})"],
        "one of these texts, which a check ensures; 20 characters or as many as the longest has",
    ),
];

const fn map(word: &'static str, sql: [&'static str; 4], note: &'static str) -> Mapping {
    Mapping { word, sql, note }
}

/// The longest `string(n)`: what SQL Server and an index of MySQL still take.
const LONGEST: u32 = 4000;
const MOST_DIGITS: u32 = 38;
const MOST_DECIMALS: u32 = 30;
/// The room that an enum has at least, so that longer words can be added later.
const ENUM_ROOM: u32 = 20;

impl LogicalType {
    /// The words of all types, for suggestions.
    pub(super) fn words() -> impl Iterator<Item = &'static str> {
        MAPPINGS.iter().map(|mapping| mapping.word.split('(').next().unwrap_or(mapping.word))
    }

    /// Reads a type; the error is what is wrong with it, and `None` when the word is unknown.
    pub(super) fn parse(text: &str) -> Result<Self, Option<String>> {
        let (word, arguments) = match text.trim().split_once('(') {
            Some((word, rest)) => {
                let inner = rest.trim_end().strip_suffix(')').ok_or(Some("lacks its ')'".to_owned()))?;
                (word.trim(), Some(inner))
            }
            None => (text.trim(), None),
        };
        let simple = match word {
            "uuid" => Self::Uuid,
            "text" => Self::Text,
            "smallint" => Self::SmallInt,
            "int" => Self::Int,
            "bigint" => Self::BigInt,
            "double" => Self::Double,
            "bool" => Self::Bool,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::TimestampTz,
            "bytes" => Self::Bytes,
            "json" => Self::Json,
            "string" => return Self::string(&numbers(arguments)),
            "decimal" => return Self::decimal(&numbers(arguments)),
            "enum" => return Self::choice(arguments.unwrap_or_default()),
            _ => return Err(None),
        };
        if arguments.is_some() { Err(Some(format!("{word} takes no length"))) } else { Ok(simple) }
    }

    /// What a server's own type is called here.
    pub(super) fn elsewhere(text: &str) -> Option<String> {
        let (word, arguments) = text.trim().split_once('(').unwrap_or((text.trim(), ""));
        let arguments = arguments.trim_end_matches(')').trim();
        let or = |default: &str| if arguments.is_empty() { default.to_owned() } else { arguments.to_owned() };
        Some(match word.trim().to_lowercase().as_str() {
            "integer" | "int4" | "mediumint" | "number" => "int".to_owned(),
            "int8" | "long" | "int64" => "bigint".to_owned(),
            "int2" | "tinyint" | "short" => "smallint".to_owned(),
            "serial" | "bigserial" => "bigint' with 'identity: true".to_owned(),
            "boolean" | "bit" => "bool".to_owned(),
            "varchar" | "nvarchar" | "char" | "nchar" | "character varying" | "str" => match arguments {
                "max" => "text".to_owned(),
                _ => format!("string({})", or("40")),
            },
            "longtext" | "mediumtext" | "clob" | "ntext" => "text".to_owned(),
            "numeric" | "dec" | "money" => format!("decimal({})", or("18,2")),
            "float" | "real" | "double precision" => "double".to_owned(),
            "datetime" | "datetime2" | "time" => "timestamp".to_owned(),
            "datetimeoffset" | "timestamp with time zone" => "timestamptz".to_owned(),
            "blob" | "longblob" | "bytea" | "binary" | "varbinary" => "bytes".to_owned(),
            "jsonb" => "json".to_owned(),
            "guid" | "uniqueidentifier" => "uuid".to_owned(),
            _ => return None,
        })
    }

    fn string(arguments: &[&str]) -> Result<Self, Option<String>> {
        match arguments {
            [n] => match n.parse() {
                Ok(n @ 1..=LONGEST) => Ok(Self::String(n)),
                _ => Err(Some(format!("a string has from 1 to {LONGEST} characters; longer ones are 'text'"))),
            },
            _ => Err(Some("needs a length: string(40)".to_owned())),
        }
    }

    fn decimal(arguments: &[&str]) -> Result<Self, Option<String>> {
        let bad =
            || Some(format!("needs digits and decimals: decimal(18,2), at most {MOST_DIGITS} and {MOST_DECIMALS}"));
        match arguments {
            [p, s] => match (p.parse(), s.parse()) {
                (Ok(p @ 1..=MOST_DIGITS), Ok(s @ 0..=MOST_DECIMALS)) if s <= p => Ok(Self::Decimal(p, s)),
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }

    fn choice(arguments: &str) -> Result<Self, Option<String>> {
        let values = words(arguments)?;
        if values.is_empty() || values.iter().any(|value| value.is_empty() || value.chars().count() > 200) {
            return Err(Some("needs its values: enum(Open, Done)".to_owned()));
        }
        if values.len() > 200 {
            return Err(Some("has more than 200 values; a table of their own serves better".to_owned()));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = values.iter().find(|value| !seen.insert(value.as_str())) {
            return Err(Some(format!("has the value '{twice}' twice")));
        }
        Ok(Self::Enum(values))
    }

    /// The word that it is written with.
    pub(super) fn word(&self) -> &'static str {
        Self::words().nth(self.row()).unwrap_or_default()
    }

    fn row(&self) -> usize {
        match self {
            Self::Uuid => 0,
            Self::String(_) => 1,
            Self::Text => 2,
            Self::SmallInt => 3,
            Self::Int => 4,
            Self::BigInt => 5,
            Self::Decimal(..) => 6,
            Self::Double => 7,
            Self::Bool => 8,
            Self::Date => 9,
            Self::Timestamp => 10,
            Self::TimestampTz => 11,
            Self::Bytes => 12,
            Self::Json => 13,
            Self::Enum(_) => 14,
        }
    }

    /// The server's type.
    pub(super) fn sql(&self, provider: Provider) -> String {
        let index = Provider::ALL.iter().position(|each| *each == provider).unwrap_or_default();
        let template = MAPPINGS.get(self.row()).and_then(|mapping| mapping.sql.get(index)).copied().unwrap_or_default();
        let (n, s) = match self {
            Self::String(n) => (*n, 0),
            Self::Decimal(p, s) => (*p, *s),
            Self::Enum(values) => {
                let length = |value: &String| match provider {
                    Provider::SqlServer => value.encode_utf16().count(),
                    _ => value.chars().count(),
                };
                let longest = values.iter().map(length).max().unwrap_or_default();
                (u32::try_from(longest).unwrap_or(LONGEST).max(ENUM_ROOM), 0)
            }
            _ => return template.to_owned(),
        };
        template.replace("{n}", &n.to_string()).replace("{s}", &s.to_string())
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::SmallInt | Self::Int | Self::BigInt | Self::Decimal(..) | Self::Double)
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// Whether a moment fits in.
    pub(super) fn is_time(&self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampTz)
    }
}

fn numbers(arguments: Option<&str>) -> Vec<&str> {
    arguments.map(|inner| inner.split(',').map(str::trim).collect()).unwrap_or_default()
}

/// The values of an enum: words, or texts between single quotes, in which a quote is written twice.
fn words(arguments: &str) -> Result<Vec<String>, Option<String>> {
    let mut found = Vec::new();
    let mut rest = arguments.trim();
    if rest.is_empty() {
        return Ok(found);
    }
    loop {
        let after;
        if rest.starts_with('\'') {
            let (value, behind) = quoted(rest, '\'').ok_or(Some("has a value whose ' is never closed".to_owned()))?;
            found.push(value);
            after = behind.trim_start();
            if !(after.is_empty() || after.starts_with(',')) {
                return Err(Some("has something behind a quoted value that is no comma".to_owned()));
            }
        } else {
            let (value, _) = rest.split_once(',').unwrap_or((rest, ""));
            let value = value.trim();
            if value.contains('\'') {
                return Err(Some(format!("has the value {value}, which needs quotes: 'it''s'")));
            }
            found.push(value.to_owned());
            after = rest.find(',').and_then(|comma| rest.get(comma..)).unwrap_or_default();
        }
        match after.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_mapping_is_a_type() {
        for (row, mapping) in MAPPINGS.iter().enumerate() {
            let text = mapping.word.replace("(n)", "(40)").replace("(p,s)", "(18,2)");
            let kind = LogicalType::parse(&text).unwrap();
            assert_eq!(kind.row(), row, "{text}");
            for provider in Provider::ALL {
                let sql = kind.sql(provider);
                assert!(!sql.is_empty() && !sql.contains('{'), "{text}: {sql}");
            }
            assert!(!mapping.note.is_empty());
        }
    }

    #[test]
    fn bad_types_say_why() {
        assert_eq!(LogicalType::parse("strng(4)"), Err(None));
        for bad in [
            "string",
            "string(0)",
            "string(4001)",
            "string(4",
            "decimal(2)",
            "decimal(39,1)",
            "decimal(2,3)",
            "int(4)",
            "enum()",
            "enum(a,)",
            "enum(a, a)",
            "enum(a, 'a')",
            "enum('a)",
            "enum('a' b)",
            "enum(it's)",
        ] {
            assert!(matches!(LogicalType::parse(bad), Err(Some(_))), "{bad}");
        }
        assert_eq!(LogicalType::parse(" decimal( 18 , 2 ) "), Ok(LogicalType::Decimal(18, 2)));
        let values = ["a,b", "it's", "c d", " (e)"].map(str::to_owned).to_vec();
        assert_eq!(LogicalType::parse("enum('a,b', 'it''s', c d,' (e)')"), Ok(LogicalType::Enum(values)));
    }
}
