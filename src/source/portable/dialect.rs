//! What the servers' SQL differs in: texts and facts. The logic over them stands in `generate`.

use super::model::{ConstraintKind, Value};
use super::types::LogicalType;
use crate::domain::{ObjectName, Provider};

/// How a change is written. In a text, `{table}`, `{column}`, `{name}`, `{index}`, `{to}` and the like stand for what is
/// changed; names that end in `_text` are string literals.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// A clause of `ALTER TABLE`.
    Alter(&'static str),
    /// A statement of its own.
    Whole(&'static str),
    /// By building the table anew.
    Rebuild,
}

/// How an index is made while others write.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Online {
    /// After `INDEX`.
    pub(super) word: &'static str,
    /// At the end of the statement.
    pub(super) end: &'static str,
    /// What asks the server first whether its edition can do it, around the statement `{sql_text}` and the end `{end_text}`;
    /// empty where every edition can.
    pub(super) asked: &'static str,
}

/// Which indexes a server knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct IndexFeatures {
    pub(super) partial: bool,
    pub(super) included: bool,
    pub(super) expressions: bool,
    /// Made as a clause of `ALTER TABLE` and inside `CREATE TABLE`.
    pub(super) belongs_to_table: bool,
    pub(super) online: Online,
    pub(super) drop_online: &'static str,
}

/// How comments are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// `COMMENT ON`.
    Statement,
    /// Extended properties.
    Property,
    /// In the definition.
    Clause,
    /// SQL comments inside the definition, which SQLite keeps as it is written.
    Remark,
}

/// How a column is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Altering {
    /// Trait by trait.
    ByTrait,
    /// Type and nullability in one statement, the default as a constraint of its own.
    SqlServer,
    /// The whole definition.
    Whole,
    Rebuild,
}

pub(super) struct Dialect {
    pub(super) provider: Provider,
    /// What opens and closes a quoted name; the closing one is doubled inside.
    pub(super) quotes: (char, char),
    pub(super) longest_name: usize,
    /// Whether names are measured in bytes rather than characters.
    pub(super) counts_bytes: bool,
    pub(super) has_schemas: bool,
    pub(super) text_prefix: &'static str,
    pub(super) escapes_backslash: bool,
    /// How false and true are written.
    pub(super) flags: [&'static str; 2],
    /// The present day, time and moment.
    pub(super) now: [&'static str; 3],
    pub(super) uuid: &'static str,
    /// What counts the characters of a text.
    pub(super) length_function: &'static str,
    /// Behind the `)` of `CREATE TABLE`.
    pub(super) table_end: &'static str,
    pub(super) null_word: &'static str,
    pub(super) has_restrict: bool,
    pub(super) indexes: IndexFeatures,
    pub(super) comments: Comments,
    pub(super) altering: Altering,
    pub(super) add_column: &'static str,
    pub(super) drop_column: How,
    pub(super) rename_table: How,
    pub(super) rename_column: How,
    pub(super) rename_index: How,
    pub(super) drop_index: How,
    pub(super) add_constraint: How,
    /// Behind a constraint that is added without checking the rows that exist, and what checks them later.
    pub(super) unchecked: Option<(&'static str, &'static str)>,
    /// By kind: primary key, unique, check, foreign key.
    pub(super) drop_constraint: [How; 4],
    /// What makes a view in place of another, behind what drops the other where the server needs that.
    pub(super) replace_view: (Option<&'static str>, &'static str),
    /// The most rows of one INSERT.
    pub(super) rows: usize,
    /// What it takes to insert rows by `{sql}` whose numbers the server would give itself, and the same where nobody
    /// knows whether it would.
    pub(super) insert: [&'static str; 2],
}

pub(super) fn of(provider: Provider) -> &'static Dialect {
    match provider {
        Provider::Sqlite => &SQLITE,
        Provider::SqlServer => &SQL_SERVER,
        Provider::Postgres => &POSTGRES,
        Provider::MySql => &MYSQL,
    }
}

static SQLITE: Dialect = Dialect {
    provider: Provider::Sqlite,
    quotes: ('"', '"'),
    longest_name: 128,
    counts_bytes: false,
    has_schemas: false,
    text_prefix: "",
    escapes_backslash: false,
    flags: ["0", "1"],
    now: ["(date('now'))", "(strftime('%Y-%m-%dT%H:%M:%f', 'now'))", "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"],
    uuid: "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))",
    length_function: "length",
    table_end: "",
    null_word: "",
    has_restrict: true,
    indexes: IndexFeatures {
        partial: true,
        included: false,
        expressions: true,
        belongs_to_table: false,
        online: Online { word: "", end: "", asked: "" },
        drop_online: "",
    },
    comments: Comments::Remark,
    altering: Altering::Rebuild,
    add_column: "ADD COLUMN {definition}",
    drop_column: How::Rebuild,
    rename_table: How::Whole("ALTER TABLE {table} RENAME TO {to}"),
    rename_column: How::Whole("ALTER TABLE {table} RENAME COLUMN {column} TO {to}"),
    rename_index: How::Rebuild,
    drop_index: How::Whole("DROP INDEX {name}"),
    add_constraint: How::Rebuild,
    unchecked: None,
    drop_constraint: [How::Rebuild; 4],
    replace_view: (Some("DROP VIEW IF EXISTS {table}"), "CREATE VIEW"),
    rows: 500,
    insert: ["{sql}"; 2],
};

static POSTGRES: Dialect = Dialect {
    provider: Provider::Postgres,
    quotes: ('"', '"'),
    longest_name: 63,
    counts_bytes: true,
    has_schemas: true,
    text_prefix: "",
    escapes_backslash: false,
    flags: ["false", "true"],
    now: ["((now() AT TIME ZONE 'utc')::date)", "(now() AT TIME ZONE 'utc')", "now()"],
    uuid: "gen_random_uuid()",
    length_function: "length",
    table_end: "",
    null_word: "",
    has_restrict: true,
    indexes: IndexFeatures {
        partial: true,
        included: true,
        expressions: true,
        belongs_to_table: false,
        online: Online { word: " CONCURRENTLY", end: "", asked: "" },
        drop_online: " CONCURRENTLY",
    },
    comments: Comments::Statement,
    altering: Altering::ByTrait,
    add_column: "ADD COLUMN {definition}",
    drop_column: How::Alter("DROP COLUMN {column}"),
    rename_table: How::Whole("ALTER TABLE {table} RENAME TO {to}"),
    rename_column: How::Whole("ALTER TABLE {table} RENAME COLUMN {column} TO {to}"),
    rename_index: How::Whole("ALTER INDEX {index} RENAME TO {to}"),
    drop_index: How::Whole("DROP INDEX{online} {index}"),
    add_constraint: How::Alter("ADD {definition}"),
    unchecked: Some((" NOT VALID", "ALTER TABLE {table} VALIDATE CONSTRAINT {name}")),
    drop_constraint: [How::Alter("DROP CONSTRAINT {name}"); 4],
    replace_view: (None, "CREATE OR REPLACE VIEW"),
    rows: 500,
    insert: ["{sql}"; 2],
};

static SQL_SERVER: Dialect = Dialect {
    provider: Provider::SqlServer,
    quotes: ('[', ']'),
    longest_name: 128,
    counts_bytes: false,
    has_schemas: true,
    text_prefix: "N",
    escapes_backslash: false,
    flags: ["0", "1"],
    now: ["(CONVERT(date, SYSUTCDATETIME()))", "(SYSUTCDATETIME())", "(SYSDATETIMEOFFSET())"],
    uuid: "(NEWID())",
    length_function: "LEN",
    table_end: "",
    null_word: " NULL",
    has_restrict: false,
    indexes: IndexFeatures {
        partial: true,
        included: true,
        expressions: false,
        belongs_to_table: false,
        online: Online {
            word: "",
            end: " WITH (ONLINE = ON)",
            // Enterprise with Developer and Evaluation, and the two of Azure.
            asked: concat!(
                "DECLARE @index nvarchar(max) = {sql_text};\n",
                "IF CAST(SERVERPROPERTY('EngineEdition') AS int) IN (3, 5, 8) SET @index += {end_text};\n",
                "EXEC sp_executesql @index",
            ),
        },
        drop_online: "",
    },
    comments: Comments::Property,
    altering: Altering::SqlServer,
    add_column: "ADD {definition}",
    drop_column: How::Whole(concat!(
        "DECLARE @drop nvarchar(max) = N'';\n",
        "SELECT @drop += N'ALTER TABLE {table_in_text} DROP CONSTRAINT ' + QUOTENAME(k.name) + N';'\n",
        "FROM (SELECT d.name FROM sys.default_constraints d\n",
        "      JOIN sys.columns c ON c.object_id = d.parent_object_id AND c.column_id = d.parent_column_id\n",
        "      WHERE d.parent_object_id = OBJECT_ID({table_text}) AND c.name = {column_text}\n",
        // A table's own check says 0 for its column, whatever it is about.
        "      UNION ALL SELECT k.name FROM sys.check_constraints k\n",
        "      JOIN INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE u\n",
        "          ON u.CONSTRAINT_SCHEMA = SCHEMA_NAME(k.schema_id) AND u.CONSTRAINT_NAME = k.name\n",
        "      WHERE k.parent_object_id = OBJECT_ID({table_text}) GROUP BY k.name\n",
        "      HAVING MIN(u.COLUMN_NAME) = {column_text} AND MAX(u.COLUMN_NAME) = {column_text}) k;\n",
        "EXEC sp_executesql @drop;\n",
        "ALTER TABLE {table} DROP COLUMN {column}",
    )),
    rename_table: How::Whole("EXEC sp_rename {table_text}, {to_text}, N'OBJECT'"),
    rename_column: How::Whole("EXEC sp_rename {path_text}, {to_text}, N'COLUMN'"),
    rename_index: How::Whole("EXEC sp_rename {path_text}, {to_text}, N'INDEX'"),
    drop_index: How::Whole("DROP INDEX {name} ON {table}"),
    add_constraint: How::Alter("ADD {definition}"),
    unchecked: None,
    drop_constraint: [How::Alter("DROP CONSTRAINT {name}"); 4],
    replace_view: (None, "CREATE OR ALTER VIEW"),
    rows: 500,
    insert: [
        "SET IDENTITY_INSERT {table} ON;\n{sql};\nSET IDENTITY_INSERT {table} OFF",
        concat!(
            "DECLARE @own bit = 0;\n",
            "IF EXISTS (SELECT 1 FROM sys.identity_columns\n",
            "    WHERE object_id = OBJECT_ID({table_text}) AND name IN ({columns})) SET @own = 1;\n",
            "IF @own = 1 SET IDENTITY_INSERT {table} ON;\n",
            "{sql};\n",
            "IF @own = 1 SET IDENTITY_INSERT {table} OFF",
        ),
    ],
};

static MYSQL: Dialect = Dialect {
    provider: Provider::MySql,
    quotes: ('`', '`'),
    longest_name: 64,
    counts_bytes: false,
    has_schemas: false,
    text_prefix: "",
    escapes_backslash: true,
    flags: ["FALSE", "TRUE"],
    now: ["(UTC_DATE())", "(UTC_TIMESTAMP(6))", "(UTC_TIMESTAMP(6))"],
    uuid: "(UUID())",
    length_function: "CHAR_LENGTH",
    table_end: " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    null_word: "",
    has_restrict: true,
    indexes: IndexFeatures {
        partial: false,
        included: false,
        expressions: false,
        belongs_to_table: true,
        online: Online { word: "", end: ", ALGORITHM=INPLACE, LOCK=NONE", asked: "" },
        drop_online: "",
    },
    comments: Comments::Clause,
    altering: Altering::Whole,
    add_column: "ADD COLUMN {definition}",
    drop_column: How::Alter("DROP COLUMN {column}"),
    rename_table: How::Whole("ALTER TABLE {table} RENAME TO {to}"),
    rename_column: How::Alter("RENAME COLUMN {column} TO {to}"),
    rename_index: How::Alter("RENAME INDEX {name} TO {to}"),
    drop_index: How::Alter("DROP INDEX {name}"),
    add_constraint: How::Alter("ADD {definition}"),
    unchecked: None,
    drop_constraint: [
        How::Alter("DROP PRIMARY KEY"),
        How::Alter("DROP INDEX {name}"),
        How::Alter("DROP CONSTRAINT {name}"),
        How::Alter("DROP FOREIGN KEY {name}"),
    ],
    replace_view: (None, "CREATE OR REPLACE VIEW"),
    rows: 500,
    insert: ["{sql}"; 2],
};

impl Dialect {
    /// A name in the server's quotes.
    pub(super) fn quote(&self, name: &str) -> String {
        let (open, close) = self.quotes;
        let mut out = String::with_capacity(name.len() + 2);
        out.push(open);
        for ch in name.chars() {
            if ch == close {
                out.push(ch);
            }
            out.push(ch);
        }
        out.push(close);
        out
    }

    pub(super) fn object(&self, name: &ObjectName) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.quote(schema), self.quote(&name.name)),
            None => self.quote(&name.name),
        }
    }

    pub(super) fn list(&self, names: &[String]) -> String {
        names.iter().map(|name| self.quote(name)).collect::<Vec<_>>().join(", ")
    }

    /// A text as a literal.
    pub(super) fn text(&self, text: &str) -> String {
        let mut escaped = text.replace('\'', "''");
        if self.escapes_backslash {
            escaped = escaped.replace('\\', "\\\\");
        }
        if self.provider == Provider::SqlServer {
            // The splitter takes '$(' for a variable of sqlcmd, and the server a backslash at a line's end for a
            // continuation.
            let whole = escaped.len();
            for (from, to) in [("$(", "$' + N'("), ("\\\n", "\\' + N'\n"), ("\\\r", "\\' + N'\r")] {
                escaped = escaped.replace(from, to);
            }
            if escaped.len() > whole {
                return format!("(N'{escaped}')");
            }
        }
        format!("{}'{escaped}'", self.text_prefix)
    }

    /// A value whose SQL does not depend on more than its type.
    pub(super) fn value(&self, value: &Value, kind: Option<&LogicalType>) -> Option<String> {
        Some(match value {
            Value::Null => "NULL".to_owned(),
            Value::Text(text) => self.text(text),
            Value::Number(text) => text.clone(),
            Value::Flag(flag) => self.flags[usize::from(*flag)].to_owned(),
            Value::Bytes(digits) => match self.provider {
                Provider::Sqlite | Provider::MySql => format!("X'{digits}'"),
                Provider::Postgres => format!("'\\x{digits}'"),
                Provider::SqlServer => format!("0x{digits}"),
            },
            Value::Uuid => self.uuid.to_owned(),
            Value::Now => {
                let [day, time, moment] = self.now;
                match kind {
                    Some(LogicalType::Date) => day,
                    Some(LogicalType::Timestamp) => time,
                    _ => moment,
                }
                .to_owned()
            }
            Value::Sql(_) => return None,
        })
    }

    pub(super) fn how_to_drop(&self, kind: ConstraintKind) -> How {
        let [primary, unique, check, foreign] = self.drop_constraint;
        match kind {
            ConstraintKind::Primary => primary,
            ConstraintKind::Unique => unique,
            ConstraintKind::Check => check,
            ConstraintKind::Foreign => foreign,
        }
    }
}
