//! What a catalog says in the same words on every server, so that one expectation fits all.

use std::collections::BTreeSet;

use branchkeeper::domain::Provider;

use super::catalog::Place;

/// Tables, columns, keys, indexes and views, one fact a line; nothing on SQL Server, whose facts nobody has written down.
pub(super) async fn facts(place: &mut Place) -> BTreeSet<String> {
    let queries: &[&str] = match place.provider() {
        Provider::Sqlite => &SQLITE,
        Provider::Postgres => &POSTGRES,
        Provider::SqlServer => &[],
        Provider::MySql => &MYSQL,
    };
    let mut all = BTreeSet::new();
    for query in queries {
        all.extend(place.lines(query).await);
    }
    if place.provider() == Provider::Sqlite {
        let tables = "SELECT sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK%'";
        all.extend(place.lines(tables).await.iter().flat_map(|sql| checks(sql)));
        let tables = "SELECT name || '\n' || sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%/* %'";
        all.extend(place.lines(tables).await.iter().flat_map(|text| comments(text)));
    }
    all.retain(|line| !line.is_empty() && !line.contains("__MigrationsHistory"));
    all
}

/// The comments in a SQLite table's text, which follows its name in a line of its own.
pub(super) fn comments(text: &str) -> Vec<String> {
    let (table, sql) = text.split_once('\n').unwrap_or_default();
    let comment = |line: &str| {
        let (before, comment) = line.rsplit_once(" /* ")?;
        let column = if before.starts_with("CREATE") { "" } else { before.split('"').nth(1)? };
        Some(format!("comment {table}.{column} {}", comment.split_once(" */")?.0))
    };
    sql.lines().filter_map(comment).collect()
}

/// The names of a SQLite table's checks, which are in its text only.
fn checks(sql: &str) -> Vec<String> {
    let named =
        sql.split("CONSTRAINT \"").skip(1).filter_map(|part| part.split_once("\" CHECK (")).map(|(name, _)| name);
    named.filter(|name| !name.contains('"')).map(|name| format!("check {name}")).collect()
}

const SQLITE: [&str; 7] = [
    "SELECT 'type ' || m.name || '.' || c.name || ' ' || c.type FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
     WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    "SELECT type || ' ' || name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'",
    "SELECT 'column ' || m.name || '.' || c.name || iif(c.\"notnull\", ' not null', '') || iif(c.dflt_value IS NULL, '', ' default')
        || iif(c.pk AND m.sql LIKE '%AUTOINCREMENT%', ' identity', '') || iif(c.hidden IN (2, 3), ' generated', '')
     FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    "SELECT 'primary key ' || m.name || ' (' || (SELECT group_concat(name, ', ') FROM
        (SELECT name FROM pragma_table_info(m.name) WHERE pk ORDER BY pk)) || ')' FROM sqlite_master m WHERE m.type = 'table'",
    "SELECT 'unique ' || m.name || ' (' || (SELECT group_concat(name, ', ') FROM
        (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')'
     FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.\"unique\" AND i.origin <> 'pk'",
    "SELECT 'index ' || m.name || '.' || i.name || ' (' || (SELECT group_concat(name, ', ') FROM
        (SELECT coalesce(name, 'expression') || iif(\"desc\", ' desc', '') AS name FROM pragma_index_xinfo(i.name)
         WHERE key ORDER BY seqno)) || ')' || iif(i.partial, ' where', '')
     FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'c'",
    "SELECT 'key ' || name || ' (' || group_concat(\"from\", ', ') || ') to ' || parent || ' (' || group_concat(\"to\", ', ')
        || ') delete ' || on_delete || ' update ' || on_update
     FROM (SELECT m.name, f.id, f.\"table\" AS parent, f.\"from\", f.\"to\", f.on_delete, f.on_update
           FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq)
     GROUP BY name, id",
];

const POSTGRES: [&str; 8] = [
    "SELECT concat('type ', c.relname, '.', a.attname, ' ', format_type(a.atttypid, a.atttypmod))
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped",
    "SELECT concat('check ', conname) FROM pg_constraint WHERE contype = 'c' AND connamespace = quote_ident(current_schema())::regnamespace
     UNION ALL SELECT concat('comment ', c.relname, '.', a.attname, ' ', d.description) FROM pg_description d
     JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass AND c.relkind = 'r'
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace",
    "SELECT CASE table_type WHEN 'VIEW' THEN 'view ' ELSE 'table ' END || table_name FROM information_schema.tables
     WHERE table_schema = current_schema()",
    "SELECT concat('column ', c.table_name, '.', c.column_name, CASE c.is_nullable WHEN 'NO' THEN ' not null' END,
        CASE WHEN c.column_default IS NOT NULL THEN ' default' END, CASE c.is_identity WHEN 'YES' THEN ' identity' END,
        CASE c.is_generated WHEN 'ALWAYS' THEN ' generated' END)
     FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'",
    "SELECT format('%s %s (%s)', CASE c.contype WHEN 'p' THEN 'primary key' ELSE 'unique' END, t.relname,
        (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k (id, n)
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.id))
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
     WHERE c.contype IN ('p', 'u') AND c.connamespace = quote_ident(current_schema())::regnamespace",
    "SELECT format('unique %s (%s)', t.relname, (SELECT string_agg(coalesce(a.attname, 'expression'), ', ' ORDER BY n)
        FROM generate_series(1, i.indnkeyatts) n
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1] AND a.attnum > 0))
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
     WHERE i.indisunique AND NOT i.indisprimary AND t.relnamespace = quote_ident(current_schema())::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype = 'u')",
    "SELECT concat('index ', t.relname, '.', x.relname, ' (', (SELECT string_agg(
            CASE i.indkey[n - 1] WHEN 0 THEN 'expression' ELSE a.attname END
            || CASE WHEN pg_index_column_has_property(i.indexrelid, n, 'desc') THEN ' desc' ELSE '' END, ', ' ORDER BY n)
         FROM generate_series(1, i.indnkeyatts) n
         LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1]), ')',
        CASE WHEN i.indnatts > i.indnkeyatts THEN ' and more' END, CASE WHEN i.indpred IS NOT NULL THEN ' where' END)
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
     WHERE t.relnamespace = quote_ident(current_schema())::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))",
    "SELECT format('key %s (%s) to %s (%s) delete %s update %s', t.relname,
        (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k (id, n)
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.id), p.relname,
        (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k (id, n)
         JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.id),
        m.words[strpos('arcnd', c.confdeltype::text)], m.words[strpos('arcnd', c.confupdtype::text)])
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class p ON p.oid = c.confrelid,
        (SELECT ARRAY['NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'] AS words) m
     WHERE c.contype = 'f' AND c.connamespace = quote_ident(current_schema())::regnamespace",
];

const MYSQL_TABLES: &str = "SELECT CONCAT(IF(table_type = 'VIEW', 'view ', 'table '), table_name)
     FROM information_schema.tables WHERE table_schema = DATABASE()";
const MYSQL_COLUMNS: &str = "SELECT CONCAT('column ', c.table_name, '.', c.column_name, IF(c.is_nullable = 'NO', ' not null', ''),
        IF(COALESCE(c.column_default, 'NULL') = 'NULL', '', ' default'), IF(c.extra LIKE '%auto_increment%', ' identity', ''),
        IF(COALESCE(c.generation_expression, '') = '', '', ' generated'))
     FROM information_schema.columns c JOIN information_schema.tables t
     ON t.table_schema = c.table_schema AND t.table_name = c.table_name
     WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'";
const MYSQL_KEYS: &str = "SELECT CONCAT(IF(index_name = 'PRIMARY', 'primary key ', 'unique '), table_name, ' (',
        GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')')
     FROM information_schema.statistics WHERE table_schema = DATABASE() AND NOT non_unique GROUP BY table_name, index_name";
const MYSQL_FOREIGN: &str = "SELECT CONCAT('key ', k.table_name, ' (', GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position SEPARATOR ', '),
        ') to ', k.referenced_table_name, ' (', GROUP_CONCAT(k.referenced_column_name ORDER BY k.ordinal_position SEPARATOR ', '),
        ') delete ', r.delete_rule, ' update ', r.update_rule)
     FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
     ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
     WHERE k.table_schema = DATABASE() GROUP BY k.table_name, k.constraint_name, k.referenced_table_name, r.delete_rule, r.update_rule";
/// Indexes with the names of foreign keys are made and kept by the server as it likes.
const MYSQL_INDEXES: &str = "SELECT CONCAT('index ', table_name, '.', index_name, ' (',
        GROUP_CONCAT(CONCAT(COALESCE(column_name, 'expression'), IF(collation = 'D', ' desc', '')) ORDER BY seq_in_index SEPARATOR ', '), ')')
     FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY'
        AND index_name NOT LIKE 'FK\\_%' GROUP BY table_name, index_name";

const MYSQL_TYPES: &str = "SELECT CONCAT('type ', c.table_name, '.', c.column_name, ' ', c.column_type)
     FROM information_schema.columns c JOIN information_schema.tables t
     ON t.table_schema = c.table_schema AND t.table_name = c.table_name
     WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'";
const MYSQL_CHECKS: &str = "SELECT CONCAT('check ', constraint_name) FROM information_schema.check_constraints
     WHERE constraint_schema = DATABASE()";
const MYSQL_COMMENTS: &str = "SELECT CONCAT('comment ', table_name, '.', column_name, ' ', column_comment)
     FROM information_schema.columns WHERE table_schema = DATABASE() AND column_comment <> ''
     UNION ALL SELECT CONCAT('comment ', table_name, '. ', table_comment) FROM information_schema.tables
     WHERE table_schema = DATABASE() AND table_comment <> '' AND table_type = 'BASE TABLE'";

const MYSQL: [&str; 8] =
    [MYSQL_TYPES, MYSQL_CHECKS, MYSQL_COMMENTS, MYSQL_TABLES, MYSQL_COLUMNS, MYSQL_KEYS, MYSQL_FOREIGN, MYSQL_INDEXES];
