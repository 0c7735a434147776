//! Every key that a portable migration may have. Reading, the check of unknown keys and the editors' schema all go by
//! this one list.

use super::model::Action;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// A single value.
    Text,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A logical type such as `string(40)`.
    Type,
    /// Nothing: `null`.
    Null,
    /// A value of a row or a default: text, number, flag, null, or SQL.
    Value,
    /// A mapping with these keys.
    Object(&'static Object),
    /// A list, which may be empty.
    List(&'static Form),
    /// A list of one or more.
    Some(&'static Form),
    /// A mapping from names to this.
    Named(&'static Form),
    /// One of several forms.
    Either(&'static [Form]),
    /// A list of operations, one or more.
    Operations,
    /// A list of operations, or nothing at all.
    Undoing,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) is_required: bool,
    pub(super) doc: &'static str,
}

/// A mapping with fixed keys, in groups that mappings share.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [&'static [Key]],
}

impl Object {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

const fn key(name: &'static str, form: Form, doc: &'static str) -> Key {
    Key { name, form, is_required: false, doc }
}

const fn needed(name: &'static str, form: Form, doc: &'static str) -> Key {
    Key { name, form, is_required: true, doc }
}

const NAMES: Form = Form::Either(&[Form::Text, Form::Some(&Form::Text)]);
const IDS: Form = Form::Either(&[Form::Text, Form::List(&Form::Text)]);
const SQL: Form = Form::Either(&[Form::Text, Form::Object(&SQL_TEXT)]);
const PROVIDERS: Form = Form::Some(&Form::Word(&["sqlite", "sqlserver", "postgres", "mysql"]));
const IDENTITY: Form = Form::Either(&[Form::Flag, Form::Word(&["always"])]);
const ACTION: Form = Form::Word(&Action::WORDS);

const BY_PROVIDER: [Key; 4] = [
    key("sqlite", Form::Text, "The text for SQLite"),
    key("sqlserver", Form::Text, "The text for SQL Server"),
    key("postgres", Form::Text, "The text for PostgreSQL"),
    key("mysql", Form::Text, "The text for MySQL and MariaDB"),
];
const ONLY: [Key; 1] = [key("providers", PROVIDERS, "The only providers that it is for; all when absent")];
const TABLE: [Key; 1] = [needed("table", Form::Text, "The table, as name or schema.name")];
const NAME: [Key; 1] = [needed("name", Form::Text, "Its name")];
const OPTIONAL_NAME: [Key; 1] = [key("name", Form::Text, "Its name; made from table and columns when absent")];
const OBJECT: [Key; 1] = [needed("name", Form::Text, "The table or view, as name or schema.name")];
const TO: [Key; 1] = [needed("to", Form::Text, "The new name, without a schema")];
const COLUMNS: [Key; 1] = [needed("columns", NAMES, "The columns, in order")];
const ONLINE: [Key; 1] = [key("online", Form::Flag, "Without holding up writers, where the server can")];
const MYSQL: [Key; 1] = [key("mysql", Form::Object(&MYSQL_OPTIONS), "How MySQL and MariaDB are to carry it out")];
const FILTER: [Key; 2] = [key("where", SQL, "Which rows"), key("all", Form::Flag, "Every row; instead of 'where'")];

pub(super) const SQL_TEXT: Object = Object {
    name: "sql text",
    doc: "SQL for all providers under 'sql', for one under its name, which then comes first",
    keys: &[
        &[key("sql", Form::Text, "The text for providers without one of their own; \"double quotes\" enclose names")],
        &BY_PROVIDER,
    ],
};
pub(super) const NATIVE: Object =
    Object { name: "native", doc: "Types in the words of single servers", keys: &[&BY_PROVIDER] };
pub(super) const MYSQL_OPTIONS: Object = Object {
    name: "mysql",
    doc: "How MySQL and MariaDB are to carry out an ALTER TABLE",
    keys: &[&[
        key("algorithm", Form::Word(&["DEFAULT", "INSTANT", "INPLACE", "COPY"]), "ALGORITHM="),
        key("lock", Form::Word(&["DEFAULT", "NONE", "SHARED", "EXCLUSIVE"]), "LOCK="),
    ]],
};
const TRAIT_KEYS: [Key; 6] = [
    key("type", Form::Type, "The logical type"),
    key("native", Form::Object(&NATIVE), "The type in a server's own words, for single providers"),
    key("nullable", Form::Flag, "Whether it may hold NULL"),
    key("default", Form::Value, "A literal, now, uuid, SQL, or null for none"),
    key("identity", IDENTITY, "Whether the server gives its numbers, which stays as it is"),
    key("comment", Form::Either(&[Form::Text, Form::Null]), "What it means, or null for no comment"),
];
pub(super) const TRAITS: Object = Object { name: "was", doc: "What the column was like before", keys: &[&TRAIT_KEYS] };
const REFERENCE_KEYS: [Key; 2] = [
    key("on_delete", ACTION, "What happens to these rows when the row they refer to is deleted"),
    key("on_update", ACTION, "What happens to these rows when the key they refer to changes"),
];
const COLUMN_KEYS: [Key; 12] = [
    needed("type", Form::Type, "The logical type"),
    key("native", Form::Object(&NATIVE), "The type in a server's own words, for single providers"),
    key("nullable", Form::Flag, "Whether it may hold NULL; false when absent"),
    key("default", Form::Value, "A literal, now, uuid, or SQL"),
    key("primary_key", Form::Flag, "Whether it is the primary key"),
    key("unique", Form::Flag, "Whether no value may stand there twice"),
    key("identity", IDENTITY, "Numbers given by the server"),
    key("references", Form::Either(&[Form::Text, Form::Object(&REFERENCES)]), "A foreign key, such as Sales(Id)"),
    key("check", SQL, "A condition on its values"),
    key("generated", SQL, "The expression that its value is computed from"),
    key("stored", Form::Flag, "Whether a generated value is kept; PostgreSQL always does"),
    key("comment", Form::Text, "What it means"),
];
pub(super) const COLUMN: Object =
    Object { name: "a column", doc: "A column of a table", keys: &[&COLUMN_KEYS, &REFERENCE_KEYS, &ONLY] };
pub(super) const REFERENCES: Object = Object {
    name: "references",
    doc: "The table that a foreign key refers to",
    keys: &[
        &[
            needed("table", Form::Text, "The table"),
            key("columns", NAMES, "Its columns; those of the foreign key when absent"),
            key("name", Form::Text, "The foreign key's name"),
        ],
        &REFERENCE_KEYS,
    ],
};
const FOREIGN_KEYS: [Key; 1] = [needed(
    "references",
    Form::Either(&[Form::Text, Form::Object(&REFERENCES)]),
    "The table and its columns: Sales(Id)",
)];
pub(super) const FOREIGN: Object = Object {
    name: "a foreign key",
    doc: "A foreign key of a table",
    keys: &[&OPTIONAL_NAME, &COLUMNS, &FOREIGN_KEYS, &REFERENCE_KEYS, &ONLY],
};
pub(super) const KEY_OF_COLUMNS: Object =
    Object { name: "a key", doc: "A primary key or a unique constraint", keys: &[&OPTIONAL_NAME, &COLUMNS, &ONLY] };
pub(super) const CHECK: Object = Object {
    name: "a check",
    doc: "A condition on every row",
    keys: &[
        &OPTIONAL_NAME,
        &[key("sql", Form::Text, "The condition for providers without one of their own")],
        &BY_PROVIDER,
        &ONLY,
    ],
};
const INDEX_KEYS: [Key; 4] = [
    needed(
        "columns",
        Form::Either(&[Form::Text, Form::Some(&INDEX_PART_FORM)]),
        "Columns in order, such as [SaleId, CreatedAt desc]",
    ),
    key("unique", Form::Flag, "Whether no entry may stand there twice"),
    key("where", SQL, "The rows that it covers; all when absent"),
    key("include", NAMES, "Columns that it carries without being ordered by them"),
];
const INDEX_PART_FORM: Form = Form::Either(&[Form::Text, Form::Object(&SQL_TEXT)]);
pub(super) const INDEX: Object =
    Object { name: "an index", doc: "An index of a table", keys: &[&OPTIONAL_NAME, &INDEX_KEYS, &ONLY] };
const ROW: Form = Form::Named(&Form::Value);

const TABLE_KEYS: [Key; 8] = [
    needed("name", Form::Text, "The table, as name or schema.name"),
    needed("columns", Form::Named(&Form::Either(&[Form::Type, Form::Object(&COLUMN)])), "Its columns, in order"),
    key(
        "primary_key",
        Form::Either(&[Form::Text, Form::Some(&Form::Text), Form::Object(&KEY_OF_COLUMNS)]),
        "The columns of its primary key",
    ),
    key(
        "unique",
        Form::List(&Form::Either(&[Form::Text, Form::Some(&Form::Text), Form::Object(&KEY_OF_COLUMNS)])),
        "Unique constraints",
    ),
    key("foreign_keys", Form::List(&Form::Object(&FOREIGN)), "Foreign keys"),
    key(
        "checks",
        Form::Either(&[
            Form::Named(&Form::Either(&[Form::Text, Form::Object(&CHECK)])),
            Form::List(&Form::Either(&[Form::Text, Form::Object(&CHECK)])),
        ]),
        "Conditions, by name",
    ),
    key("indexes", Form::List(&Form::Object(&INDEX)), "Indexes"),
    key("comment", Form::Text, "What the table is for"),
];

pub(super) const DOCUMENT: Object = Object {
    name: "a migration",
    doc: "A migration that becomes each server's own SQL",
    keys: &[&[
        key("description", Form::Text, "What the migration is for"),
        key(
            "transaction_mode",
            Form::Word(&["PerMigration", "AllInOne", "None"]),
            "How it goes together with transactions",
        ),
        key("timeout", Form::Text, "How long it may take, such as 300s, 10m or 1h"),
        key("depends_on", IDS, "Migrations that must be applied before"),
        needed("up", Form::Operations, "What to do, in order"),
        key("down", Form::Undoing, "What undoes it; derived from 'up' when absent and possible"),
    ]],
};

macro_rules! operation {
    ($name:literal, $doc:literal, $($group:expr),* $(,)?) => {
        Object { name: $name, doc: $doc, keys: &[$($group,)* &ONLY] }
    };
}

/// Every operation by its word.
pub(super) static OPERATIONS: [Object; 24] = [
    operation!("create_table", "Makes a table", &TABLE_KEYS),
    operation!("drop_table", "Drops a table and its rows", &OBJECT),
    operation!("rename_table", "Gives a table another name", &OBJECT, &TO),
    operation!(
        "add_column",
        "Adds a column at the end of a table",
        &TABLE,
        &NAME,
        &COLUMN_KEYS,
        &REFERENCE_KEYS,
        &MYSQL
    ),
    operation!("drop_column", "Drops a column and what it holds", &TABLE, &NAME, &MYSQL),
    operation!("rename_column", "Gives a column another name", &TABLE, &NAME, &TO, &MYSQL),
    operation!(
        "alter_column",
        "Changes a column's type, nullability, default or comment",
        &TABLE,
        &NAME,
        &TRAIT_KEYS,
        &[key(
            "was",
            Form::Object(&TRAITS),
            "What it was before: undoes the change, and tells MySQL and SQL Server what stays"
        )],
        &MYSQL
    ),
    operation!("create_index", "Makes an index", &TABLE, &OPTIONAL_NAME, &INDEX_KEYS, &ONLINE, &MYSQL),
    operation!("drop_index", "Drops an index", &TABLE, &NAME, &ONLINE, &MYSQL),
    operation!("rename_index", "Gives an index another name", &TABLE, &NAME, &TO, &MYSQL),
    operation!("add_primary_key", "Makes columns the primary key", &TABLE, &OPTIONAL_NAME, &COLUMNS, &MYSQL),
    operation!("drop_primary_key", "Drops the primary key", &TABLE, &OPTIONAL_NAME, &MYSQL),
    operation!(
        "add_foreign_key",
        "Adds a foreign key",
        &TABLE,
        &OPTIONAL_NAME,
        &COLUMNS,
        &FOREIGN_KEYS,
        &REFERENCE_KEYS,
        &ONLINE,
        &MYSQL
    ),
    operation!("drop_foreign_key", "Drops a foreign key", &TABLE, &NAME, &MYSQL),
    operation!("add_unique", "Adds a unique constraint", &TABLE, &OPTIONAL_NAME, &COLUMNS, &MYSQL),
    operation!("drop_unique", "Drops a unique constraint", &TABLE, &NAME, &MYSQL),
    operation!(
        "add_check",
        "Adds a condition on every row",
        &TABLE,
        &OPTIONAL_NAME,
        &[needed("check", SQL, "The condition")],
        &ONLINE,
        &MYSQL
    ),
    operation!("drop_check", "Drops a condition", &TABLE, &NAME, &MYSQL),
    operation!(
        "create_view",
        "Makes a view",
        &OBJECT,
        &[
            needed("query", SQL, "Its SELECT"),
            key("replace", Form::Flag, "Whether it takes the place of a view of that name")
        ]
    ),
    operation!("drop_view", "Drops a view", &OBJECT),
    operation!(
        "insert",
        "Inserts rows",
        &TABLE,
        &[needed("rows", Form::Some(&ROW), "Rows, each a mapping from columns to values")]
    ),
    operation!("update", "Changes rows", &TABLE, &[needed("set", ROW, "Columns and their new values")], &FILTER),
    operation!("delete", "Deletes rows", &TABLE, &FILTER),
    SQL_OPERATION,
];

const SQL_OPERATION: Object = Object {
    name: "sql",
    doc: "Statements in the servers' own words, run as they stand",
    keys: &[&[key("sql", Form::Text, "The statements for providers without their own")], &BY_PROVIDER],
};
