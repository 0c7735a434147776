//! Every type in every place where a type can stand, each a small migration.

/// A type as it is written, and values that it takes.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) values: &'static [&'static str],
    /// Whether another one stands for it wherever values do not matter.
    is_like_another: bool,
}

const fn kind(word: &'static str, values: &'static [&'static str]) -> Kind {
    Kind { word, values, is_like_another: false }
}

const fn like(word: &'static str, values: &'static [&'static str]) -> Kind {
    Kind { word, values, is_like_another: true }
}

const KINDS: [Kind; 21] = [
    kind("uuid", &["0e6a3c5e-8d1f-4b52-9d0a-2f6f0a1b7c3d", "0E6A3C5E-8D1F-4B52-9D0A-2F6F0A1B7C3D"]),
    like("string(1)", &["x", "'😀'", "'\\'"]),
    kind("string(40)", &["it's", "'a \\ \"b\" $(c) `d` ]'", "\"two\\nlines\\\\\"", "''", "12.50", "true"]),
    kind("string(4000)", &["x"]),
    kind("text", &["it's", "'\\'", "''", "'-- no /* comment */; $$'"]),
    like("smallint", &["-32768", "32767"]),
    kind("int", &["-2147483648", "2147483647", "0"]),
    kind("bigint", &["-9223372036854775808", "9223372036854775807"]),
    kind("'decimal(12,2)'", &["-1.50", "9999999999.99", "1e3"]),
    like("'decimal(38,10)'", &["-1234567890123456789012345678.0123456789"]),
    like("'decimal(38,0)'", &["-99999999999999999999999999999999999999"]),
    like("'decimal(30,30)'", &["0.000000000000000000000000000001"]),
    kind("double", &["-1.5e-300", "1e300", "0.1", "7"]),
    kind("bool", &["true", "false"]),
    kind("date", &["1899-12-31", "0001-01-01", "9999-12-31"]),
    kind(
        "timestamp",
        &[
            "1899-12-31T23:59:59",
            "'2024-02-29 12:00:00.123456'",
            "2024-02-29",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.999999",
        ],
    ),
    kind(
        "timestamptz",
        &["1899-12-31T23:59:59Z", "2024-02-29T12:00:00.123456+05:30", "2024-02-29", "9999-12-31T23:59:59Z"],
    ),
    kind("bytes", &["'0x'", "'0x00ff5C27'"]),
    kind("json", &["'{}'", "'[1, \"it''s \\\\ 😀\", null]'", "'\"text\"'", "'1'"]),
    kind("'enum(red, green)'", &["red"]),
    like("\"enum('a,b', 'it''s', 'c\\\\d')\"", &["\"it's\"", "'a,b'", "'c\\d'"]),
];
/// What might be written as a value of any type.
const VALUES: [&str; 18] = [
    "x",
    "'0'",
    "0",
    "-1",
    "2",
    "1.5",
    "1e3",
    "40000",
    "3000000000",
    "99999999999999999999999999999999999999",
    "true",
    "now",
    "uuid",
    "null",
    "{ sql: NULL }",
    "'2024-12-31'",
    "'{'",
    "''",
];
const WHOLE: [&str; 3] = ["smallint", "int", "bigint"];

/// A small migration: a table with a column, and what is done with it. In all texts `{t}` stands for the table's name,
/// `{c}` for the column's, `{n}` for what makes further names unique.
#[derive(Debug, Clone, Default)]
pub(super) struct Case {
    pub(super) place: String,
    pub(super) kind: &'static str,
    /// Operations before the table is made.
    pub(super) first: Vec<String>,
    pub(super) columns: Vec<String>,
    /// Items of the lists `unique`, `indexes`, `foreign_keys` and `checks` of the table.
    pub(super) items: Vec<(&'static str, String)>,
    /// Further keys of the table.
    pub(super) keys: Vec<String>,
    /// Operations afterwards.
    pub(super) then: Vec<String>,
    /// Whether the table has to be one of its own, without a column Id.
    pub(super) is_alone: bool,
}

impl Case {
    fn new(place: impl Into<String>, kind: &'static str) -> Self {
        Self { place: place.into(), kind, ..Self::default() }
    }

    fn with(self, traits: &str) -> Self {
        let kind = self.kind;
        self.column(&format!("{{c}}: {{ type: {kind}{traits} }}"))
    }

    fn column(mut self, column: &str) -> Self {
        self.columns.push(column.to_owned());
        self
    }

    fn item(mut self, list: &'static str, item: &str) -> Self {
        self.items.push((list, item.to_owned()));
        self
    }

    fn key(mut self, key: &str) -> Self {
        self.keys.push(key.to_owned());
        self
    }

    fn first(mut self, operation: impl Into<String>) -> Self {
        self.first.push(operation.into());
        self
    }

    fn then(mut self, operation: impl Into<String>) -> Self {
        self.then.push(operation.into());
        self
    }

    fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// A row, so that what follows meets data.
    fn filled(self, value: &str) -> Self {
        self.then(format!("insert: {{ table: {{t}}, rows: [{{ Id: {{n}}, {{c}}: {value} }}] }}"))
    }
}

pub(super) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for kind in &KINDS {
        columns(&mut all, kind);
        values(&mut all, kind);
        if kind.is_like_another {
            continue;
        }
        keys(&mut all, kind);
        indexes(&mut all, kind);
        computed(&mut all, kind);
        changes(&mut all, kind);
        additions(&mut all, kind);
        others(&mut all, kind);
    }
    all
}

fn columns(all: &mut Vec<Case>, &Kind { word, .. }: &Kind) {
    all.push(Case::new("nullable", word).with(", nullable: true"));
    all.push(Case::new("not null", word).with(""));
    all.push(Case::new("comment", word).with(", comment: \"It's \\\\ a */ 😀\""));
    all.push(
        Case::new("native", word).with(
            ", nullable: true, native: { sqlite: TEXT, postgres: text, mysql: longtext, sqlserver: nvarchar(max) }",
        ),
    );
}

/// What fits and what does not, as a default, in a new row and in a changed one.
fn values(all: &mut Vec<Case>, Kind { word, values, .. }: &Kind) {
    for value in values.iter().chain(&VALUES) {
        let place = |what: &str| format!("{what} {value}");
        let row = format!("{{ Id: {{n}}, {{c}}: {value} }}");
        let insert = format!("insert: {{ table: {{t}}, rows: [{row}] }}");
        let default = Case::new(place("default"), word).with(&format!(", nullable: true, default: {value}"));
        all.push(default.then("insert: { table: {t}, rows: [{ Id: {n} }] }"));
        let update = format!("update: {{ table: {{t}}, set: {{ {{c}}: {value} }}, where: '\"Id\" = {{n}}' }}");
        all.push(Case::new(place("row"), word).with(", nullable: true").then(insert).then(update));
        let added =
            format!("add_column: {{ table: {{t}}, name: {{c}}, type: {word}, nullable: true, default: {value} }}");
        all.push(
            Case::new(place("added default"), word).then("insert: { table: {t}, rows: [{ Id: {n} }] }").then(added),
        );
        let set = format!("alter_column: {{ table: {{t}}, name: {{c}}, default: {value} }}");
        all.push(Case::new(place("changed default"), word).with(", nullable: true").then(set));
    }
}

fn keys(all: &mut Vec<Case>, &Kind { word, values, .. }: &Kind) {
    let value = values[0];
    let primary = Case::new("primary key", word).alone().with(", primary_key: true");
    all.push(primary.then(format!("insert: {{ table: {{t}}, rows: [{{ {{c}}: {value} }}] }}")));
    all.push(
        Case::new("part of the primary key", word).alone().with("").column("Id: int").key("primary_key: [{c}, Id]"),
    );
    all.push(
        Case::new("added primary key", word).alone().with("").then("add_primary_key: { table: {t}, columns: [{c}] }"),
    );
    let dropped = Case::new("dropped primary key", word).alone().with(", primary_key: true");
    all.push(dropped.then("drop_primary_key: { table: {t} }"));
    for (identity, more) in
        [("true", ", primary_key: true"), ("always", ", primary_key: true"), ("true", ""), ("true", ", unique: true")]
    {
        let place = format!("identity: {identity}{more}");
        all.push(
            Case::new(place, word)
                .alone()
                .with(&format!(", identity: {identity}{more}"))
                .column("Other: { type: int, nullable: true }"),
        );
    }
    if WHOLE.contains(&word) {
        let numbered = || {
            Case::new("numbered", word)
                .alone()
                .with(", identity: true, primary_key: true")
                .column("Other: { type: int, nullable: true }")
        };
        all.push(numbered().then("insert: { table: {t}, rows: [{ Other: 1 }, { {c}: 7, Other: 2 }, { Other: 3 }] }"));
        for other in WHOLE {
            all.push(Case { place: "numbered, altered".into(), ..numbered() }.then(format!("alter_column: {{ table: {{t}}, name: {{c}}, type: {other}, nullable: false, identity: true, default: null }}")));
        }
    }
    all.push(Case::new("unique", word).with(", unique: true, nullable: true"));
    all.push(Case::new("part of a unique", word).with(", nullable: true").item("unique", "[{c}, Id]"));
    all.push(
        Case::new("added unique", word)
            .with(", nullable: true")
            .then("add_unique: { table: {t}, name: UQ{n}, columns: [{c}] }"),
    );
    all.push(
        Case::new("dropped unique", word)
            .with("")
            .item("unique", "{ name: UQ{n}, columns: [{c}] }")
            .then("drop_unique: { table: {t}, name: UQ{n} }"),
    );
    let parent = |more: &str| {
        format!("create_table: {{ name: P{{n}}, columns: {{ Id: {{ type: int }}, K: {{ type: {word}{more} }} }} }}")
    };
    all.push(
        Case::new("foreign key", word)
            .first(parent(", primary_key: true"))
            .with(", nullable: true, references: P{n}(K)"),
    );
    all.push(
        Case::new("foreign key to a unique", word)
            .first(parent(", unique: true"))
            .with(", nullable: true, references: P{n}(K), on_delete: set_null"),
    );
    let added = Case::new("added foreign key", word).first(parent(", primary_key: true")).with(", nullable: true");
    all.push(
        added.then(
            "add_foreign_key: { table: {t}, name: FK{n}, columns: [{c}], references: P{n}(K), on_delete: cascade }",
        ),
    );
    let dropped = Case::new("dropped foreign key", word).first(parent(", primary_key: true")).with(", nullable: true");
    let dropped = dropped.item("foreign_keys", "{ name: FK{n}, columns: [{c}], references: P{n}(K) }");
    all.push(dropped.then("drop_foreign_key: { table: {t}, name: FK{n} }"));
    let parents = parent(", primary_key: true");
    all.push(Case::new("foreign key in a new column", word).first(parents).then(format!(
        "add_column: {{ table: {{t}}, name: {{c}}, type: {word}, nullable: true, references: P{{n}}(K) }}"
    )));
    let itself = Case::new("foreign key to itself", word).alone().with(", primary_key: true");
    all.push(itself.column(&format!("Up: {{ type: {word}, nullable: true, references: {{t}}({{c}}) }}")));
    let bare = format!("create_table: {{ name: P{{n}}, columns: {{ K: {word} }} }}");
    all.push(Case::new("foreign key to no key", word).first(bare).with(", nullable: true, references: P{n}(K)"));
    for to in &KINDS {
        let other =
            format!("create_table: {{ name: P{{n}}, columns: {{ K: {{ type: {}, primary_key: true }} }} }}", to.word);
        all.push(
            Case::new(format!("foreign key to {}", to.word), word)
                .first(other)
                .with(", nullable: true, references: P{n}(K)"),
        );
    }
    referred(all, word);
    for action in ["no_action", "restrict", "cascade", "set_null", "set_default"] {
        if word == "int" {
            let referring = Case::new(format!("on_delete {action}"), word).first(parent(", primary_key: true"));
            all.push(referring.with(&format!(
                ", nullable: true, default: 1, references: P{{n}}(K), on_delete: {action}, on_update: {action}"
            )));
        }
    }
}

/// What a foreign key means for the columns on its sides.
fn referred(all: &mut Vec<Case>, word: &'static str) {
    let parent = || {
        format!(
            "create_table: {{ name: P{{n}}, columns: {{ K: {{ type: {word}, primary_key: true }}, U: {{ type: int, nullable: true }} }} }}"
        )
    };
    let referring = |place: &str, more: &str| {
        Case::new(place, word)
            .first(parent())
            .with(", nullable: true")
            .item("foreign_keys", &format!("{{ name: FK{{n}}, columns: [{{c}}], references: P{{n}}(K){more} }}"))
    };
    let cascading = ", on_delete: cascade, on_update: cascade";
    all.push(referring("dropped parent", "").then("drop_table: { name: P{n} }"));
    all.push(
        referring("dropped parent after its key", "")
            .then("drop_foreign_key: { table: {t}, name: FK{n} }")
            .then("drop_table: { name: P{n} }"),
    );
    all.push(
        referring("renamed parent", "")
            .then("rename_table: { name: P{n}, to: U{n} }")
            .then("rename_table: { name: U{n}, to: P{n} }"),
    );
    all.push(
        referring("renamed parent, dropped", "")
            .then("rename_table: { name: P{n}, to: U{n} }")
            .then("drop_table: { name: U{n} }"),
    );
    all.push(referring("renamed column of the parent", "").then("rename_column: { table: P{n}, name: K, to: L }"));
    all.push(referring("dropped column of the parent", "").then("drop_column: { table: P{n}, name: K }"));
    all.push(referring("dropped key of the parent", "").then("drop_primary_key: { table: P{n} }"));
    all.push(
        referring("altered column of the parent", "")
            .then("alter_column: { table: P{n}, name: K, type: text, nullable: false, default: null }"),
    );
    all.push(
        referring("altered column of a foreign key", "")
            .then("alter_column: { table: {t}, name: {c}, type: text, nullable: true, default: null }"),
    );
    all.push(referring("dropped column of a foreign key", "").then("drop_column: { table: {t}, name: {c} }"));
    all.push(
        referring("renamed column of a foreign key", "").then("rename_column: { table: {t}, name: {c}, to: D{n} }"),
    );
    let index = "{ name: IX{n}, columns: [{c}] }";
    all.push(
        referring("dropped index of a foreign key", "")
            .item("indexes", index)
            .then("drop_index: { table: {t}, name: IX{n} }"),
    );
    for (place, more) in [("", ""), (" with actions", cascading), (" that sets NULL", ", on_delete: set_null")] {
        let check = "add_check: { table: {t}, name: CK{n}, check: '\"{c}\" IS NOT NULL OR \"Id\" > 0' }";
        all.push(referring(&format!("checked foreign key{place}"), more).then(check));
        let stored = "add_column: { table: {t}, name: G{n}, type: bool, generated: '\"{c}\" IS NULL', stored: true }";
        all.push(referring(&format!("stored of a foreign key{place}"), more).then(stored));
        let computed =
            format!("G{{n}}: {{ type: {word}, generated: '\"{{c}}\"', stored: true, references: P{{n}}(K){more} }}");
        let of = Case::new(format!("foreign key of a stored{place}"), word).first(parent());
        all.push(of.with(", nullable: true").column(&computed));
    }
}

fn indexes(all: &mut Vec<Case>, &Kind { word, .. }: &Kind) {
    let nullable = ", nullable: true";
    for (place, index) in [
        ("index", "columns: [{c}]"),
        ("descending index", "columns: ['{c} desc']"),
        ("index of several", "columns: [Id, '{c} desc']"),
        ("unique index", "columns: [{c}], unique: true"),
        ("partial index", "columns: [{c}], where: '\"Id\" > 0'"),
        ("index where it is", "columns: [Id], where: '\"{c}\" IS NOT NULL'"),
        ("included", "columns: [Id], include: [{c}]"),
        ("index over an expression", "columns: [{ sql: '\"{c}\" IS NULL' }]"),
        ("index over it in parentheses", "columns: [{ sql: '(\"{c}\")' }]"),
    ] {
        let made = format!("{{ name: IX{{n}}, {index} }}");
        all.push(Case::new(place, word).with(nullable).item("indexes", &made));
        let later = format!("create_index: {{ table: {{t}}, name: IX{{n}}, {index} }}");
        all.push(Case::new(format!("later {place}"), word).with(nullable).then(later));
    }
    let indexed = || Case::new("", word).with(nullable).item("indexes", "{ name: IX{n}, columns: [{c}] }");
    let dropped = indexed().then("drop_index: { table: {t}, name: IX{n} }");
    all.push(Case { place: "dropped index".into(), ..dropped });
    let renamed = indexed().then("rename_index: { table: {t}, name: IX{n}, to: IY{n} }");
    all.push(Case { place: "renamed index".into(), ..renamed });
    let gone = indexed().then("drop_column: { table: {t}, name: {c} }");
    all.push(Case { place: "dropped column of an index".into(), ..gone });
    let moved = indexed().then("rename_column: { table: {t}, name: {c}, to: D{n} }");
    all.push(Case { place: "renamed column of an index".into(), ..moved });
}

fn computed(all: &mut Vec<Case>, &Kind { word, values, .. }: &Kind) {
    for (way, stored) in [("stored", ", stored: true"), ("virtual", "")] {
        for (what, expression) in [("it", "'\"{c}\"'"), ("a condition on it", "'\"{c}\" IS NULL'")] {
            let of = if what == "it" { word } else { "bool" };
            let computed = format!("G{{n}}: {{ type: {of}, generated: {expression}{stored} }}");
            let table = || Case::new(format!("{way} of {what}"), word).with(", nullable: true");
            all.push(table().column(&computed).filled(values[0]));
            let added =
                format!("add_column: {{ table: {{t}}, name: G{{n}}, type: {of}, generated: {expression}{stored} }}");
            let later = table().filled(values[0]).then(added);
            all.push(Case { place: format!("added {way} of {what}"), ..later });
        }
        let computed = format!("G{{n}}: {{ type: {word}, generated: '\"{{c}}\"'{stored} }}");
        let table =
            |place: &str| Case::new(format!("{place} {way} of it"), word).with(", nullable: true").column(&computed);
        all.push(table("index over a").item("indexes", "{ name: IX{n}, columns: [G{n}] }"));
        all.push(table("unique over a").item("unique", "[G{n}]"));
        all.push(table("check of a").then("add_check: { table: {t}, name: CK{n}, check: '\"G{n}\" IS NOT NULL' }"));
        all.push(table("dropped").then("drop_column: { table: {t}, name: G{n} }"));
        all.push(table("source dropped of a").then("drop_column: { table: {t}, name: {c} }"));
        all.push(table("source renamed of a").then("rename_column: { table: {t}, name: {c}, to: D{n} }"));
        all.push(table("renamed").then("rename_column: { table: {t}, name: G{n}, to: H{n} }"));
        all.push(table("source altered of a").then(format!(
            "alter_column: {{ table: {{t}}, name: {{c}}, type: {word}, nullable: true, default: null }}"
        )));
        let parent =
            format!("create_table: {{ name: P{{n}}, columns: {{ K: {{ type: {word}, primary_key: true }} }} }}");
        all.push(
            table("foreign key of a").first(parent).item("foreign_keys", "{ columns: [G{n}], references: P{n}(K) }"),
        );
        let key = Case::new(format!("primary key of a {way} of it"), word).alone().with("").column(&computed);
        all.push(key.key("primary_key: [G{n}]"));
    }
    let literal = Case::new("generated of a value", word);
    all.push(literal.column(&format!("{{c}}: {{ type: {word}, generated: 'NULL', stored: true }}")));
}

fn changes(all: &mut Vec<Case>, &Kind { word, values, .. }: &Kind) {
    let value = values[0];
    for to in &KINDS {
        let said = format!(
            "alter_column: {{ table: {{t}}, name: {{c}}, type: {}, nullable: true, default: null, was: {{ type: {word}, nullable: true, default: null }} }}",
            to.word
        );
        let from = Case::new(format!("altered to {}", to.word), word).with(", nullable: true");
        all.push(from.then(said));
    }
    let was = format!("was: {{ type: {word}, nullable: true, default: null }}");
    let same = |place: &str, change: &str| {
        let change = format!("alter_column: {{ table: {{t}}, name: {{c}}, type: {word}, {change}, {was} }}");
        Case::new(place, word).with(", nullable: true").filled(value).then(change)
    };
    if !word.contains("enum") {
        all.push(same("altered to NOT NULL", "nullable: false, default: null"));
        all.push(same("altered default", &format!("nullable: true, default: {value}")));
        all.push(same("altered comment", "nullable: true, default: null, comment: \"It's\""));
    }
    let trait_of = |place: &str, traits: &str, change: &str| {
        Case::new(place, word).with(traits).then(format!("alter_column: {{ table: {{t}}, name: {{c}}, {change} }}"))
    };
    all.push(trait_of("altered nullability alone", "", "nullable: true"));
    all.push(trait_of("dropped default", &format!(", default: {value}"), "default: null"));
    all.push(trait_of("altered comment alone", ", comment: old", "comment: new"));
    all.push(trait_of("dropped comment alone", ", comment: old", "comment: null"));
    all.push(
        Case::new("renamed", word)
            .with(", nullable: true")
            .filled(value)
            .then("rename_column: { table: {t}, name: {c}, to: D{n} }"),
    );
    all.push(
        Case::new("dropped", word)
            .with(", nullable: true")
            .filled(value)
            .then("drop_column: { table: {t}, name: {c} }"),
    );
    let checked = Case::new("check", word).with(", nullable: true, check: '\"{c}\" IS NOT NULL OR \"{c}\" = \"{c}\"'");
    all.push(checked.filled(value));
    let added = Case::new("added check", word).with(", nullable: true").filled(value);
    all.push(
        added
            .then("add_check: { table: {t}, name: CK{n}, check: '\"{c}\" IS NOT NULL' }")
            .then("drop_check: { table: {t}, name: CK{n} }"),
    );
    let same_key =
        format!("alter_column: {{ table: {{t}}, name: {{c}}, type: {word}, nullable: false, default: null }}");
    all.push(Case::new("altered key", word).alone().with(", primary_key: true").then(same_key.clone()));
    let parent = format!("create_table: {{ name: P{{n}}, columns: {{ K: {{ type: {word}, primary_key: true }} }} }}");
    let referring = Case::new("altered foreign key", word).first(parent).with(", nullable: true, references: P{n}(K)");
    all.push(referring.then(same_key.replace("nullable: false", "nullable: true")));
}

fn additions(all: &mut Vec<Case>, &Kind { word, values, .. }: &Kind) {
    let add = |traits: &str| format!("add_column: {{ table: {{t}}, name: {{c}}, type: {word}{traits} }}");
    let value = values[0];
    let row = "insert: { table: {t}, rows: [{ Id: {n} }] }";
    for (what, traits) in [
        ("", String::new()),
        ("nullable", ", nullable: true".to_owned()),
        ("default", format!(", default: {value}")),
        ("nullable, default", format!(", nullable: true, default: {value}")),
        ("unique", ", nullable: true, unique: true".to_owned()),
        ("check", ", nullable: true, check: '\"{c}\" IS NULL'".to_owned()),
        ("comment", ", nullable: true, comment: \"it's\"".to_owned()),
        ("identity", ", identity: true".to_owned()),
        ("primary key", ", primary_key: true".to_owned()),
    ] {
        all.push(Case::new(format!("added, {what}"), word).then(add(&traits)));
        all.push(Case::new(format!("added to rows, {what}"), word).then(row).then(add(&traits)));
    }
}

fn others(all: &mut Vec<Case>, &Kind { word, values, .. }: &Kind) {
    let value = values[0];
    let view = "create_view: { name: V{n}, query: 'SELECT \"{c}\" FROM \"{t}\"' }";
    let viewed = Case::new("view", word).with(", nullable: true").then(view);
    all.push(
        viewed
            .then("create_view: { name: V{n}, query: 'SELECT \"{c}\" FROM \"{t}\" WHERE \"Id\" > 0', replace: true }")
            .then("drop_view: { name: V{n} }"),
    );
    let rename = Case::new("renamed table", word).alone().with(", nullable: true, unique: true").column("Id: int");
    all.push(rename.then("rename_table: { name: {t}, to: U{n} }").then("rename_table: { name: U{n}, to: {t} }"));
    let rows = Case::new("rows", word).with(", nullable: true");
    let rows = rows.then(format!(
        "insert: {{ table: {{t}}, rows: [{{ Id: {{n}}, {{c}}: {value} }}, {{ Id: 1{{n}}, {{c}}: null }}] }}"
    ));
    all.push(
        rows.then("delete: { table: {t}, where: '\"{c}\" IS NULL' }")
            .then("update: { table: {t}, set: { {c}: { sql: '\"{c}\"' } }, all: true }"),
    );
    all.push(Case::new("dropped table", word).alone().with("").then("drop_table: { name: {t} }"));
    let expression = Case::new("default by SQL", word).with(", nullable: true, default: { sql: 'NULL' }");
    all.push(expression.then("insert: { table: {t}, rows: [{ Id: {n} }] }"));
    let odd = format!("'Odd \"{{n}}\" `x` [y] ż': {{ type: {word}, nullable: true, comment: odd }}");
    let odd = Case::new("odd name", word).column(&odd).item("indexes", "{ name: 'I \"`]'' {n}', columns: [Id] }");
    all.push(odd.then("rename_column: { table: {t}, name: 'Odd \"{n}\" `x` [y] ż', to: 'select \"{n}\" ''`]' }"));
}
