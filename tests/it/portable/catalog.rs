//! A database of one test and what its catalog says.

use std::collections::BTreeSet;
use std::path::Path;

use branchkeeper::domain::{Catalogue, Provider, Script};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection, PgConnection, Row, SqliteConnection};

use crate::provider::fixture::{Fixture, Notes, planned, soon, work};
use crate::support;

/// A fresh database.
pub(super) enum Place {
    /// A look at the file, the branch that it is, and how often something was run there.
    Sqlite(SqliteConnection, Box<Fixture>, usize),
    Postgres(PgConnection, support::Database),
    MySql(MySqlConnection, support::Database),
    SqlServer(Box<support::sqlserver::Connection>, support::Database),
}

async fn mysql_connection(database: &support::Database) -> Result<MySqlConnection, sqlx::Error> {
    let mut connection = database.server.mysql_options(&database.name).connect().await?;
    // MySQL would cut what is put together from many columns.
    connection.execute("SET SESSION group_concat_max_len = 1048576").await?;
    Ok(connection)
}

async fn reconnected(database: &support::Database) -> MySqlConnection {
    let begun = std::time::Instant::now();
    loop {
        match mysql_connection(database).await {
            Ok(connection) => return connection,
            Err(error) => assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

impl Place {
    /// One of each server that there is.
    pub(super) async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        let database = support::postgres().await.fresh_database().await;
        all.push(Self::Postgres(database.connect().await, database));
        for server in [support::mariadb().await, support::mysql().await].into_iter().flatten() {
            let database = server.fresh_database().await;
            all.push(Self::MySql(mysql_connection(&database).await.unwrap(), database));
        }
        if let Some(server) = support::sqlserver_server().await
            && !server.keeps_from(support::Gap::SchemaChanges, "portable migrations").await
        {
            let database = server.fresh_database().await;
            let connection = support::sqlserver::connect(server, &database.name).await.unwrap();
            all.push(Self::SqlServer(Box::new(connection), database));
        }
        all
    }

    pub(super) async fn sqlite() -> Self {
        let fixture = Fixture::sqlite();
        fixture.create().await;
        let options = SqliteConnectOptions::new().filename(fixture.path()).foreign_keys(false);
        Self::Sqlite(options.connect().await.unwrap(), Box::new(fixture), 0)
    }

    pub(super) fn provider(&self) -> Provider {
        match self {
            Self::Sqlite(..) => Provider::Sqlite,
            Self::Postgres(..) => Provider::Postgres,
            Self::MySql(..) => Provider::MySql,
            Self::SqlServer(..) => Provider::SqlServer,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Postgres(_, database) | Self::MySql(_, database) | Self::SqlServer(_, database) => {
                database.server.product.name().to_owned()
            }
            Self::Sqlite(..) => "SQLite".to_owned(),
        }
    }

    /// Runs a script's statements one after the other; on SQLite as the provider does, which builds tables anew.
    pub(super) async fn run(&mut self, script: &Script) {
        self.try_run(script).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub(super) async fn try_run(&mut self, script: &Script) -> Result<(), String> {
        if let Self::Sqlite(_, fixture, runs) = self {
            *runs += 1;
            return run_sqlite(fixture, &format!("{runs}_Run"), script).await;
        }
        for statement in &script.statements {
            assert!(statement.rebuild.is_none(), "{}", statement.sql);
            let sql = AssertSqlSafe(statement.sql.clone());
            let text = |error: sqlx::Error| error.to_string();
            let done = match self {
                Self::Sqlite(..) => unreachable!("has run above"),
                Self::Postgres(connection, _) => connection.execute(sql).await.map(drop).map_err(text),
                Self::MySql(connection, _) => connection.execute(sql).await.map(drop).map_err(text),
                Self::SqlServer(connection, _) => support::sqlserver::rows(connection, &statement.sql).await.map(drop),
            };
            done.map_err(|error| {
                format!("{}: {}:{}: {error}\n{}", self.name(), script.file, statement.line, statement.sql)
            })?;
        }
        Ok(())
    }

    /// Runs every migration's way up.
    pub(super) async fn up(&mut self, catalogue: &Catalogue) {
        for migration in catalogue.of(self.provider()).migrations() {
            self.run(&migration.up).await;
        }
    }

    /// The first column of a query's rows.
    pub(super) async fn lines(&mut self, sql: &str) -> Vec<String> {
        if let Self::SqlServer(connection, _) = self {
            let rows = support::sqlserver::rows(connection, sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
            return rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        }
        let text = sql;
        let sql = AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(connection, ..) => {
                connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(connection, _) => {
                connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
            Self::MySql(connection, database) => {
                let asked = connection.fetch_all(sql).await;
                // MariaDB has been seen to crash while its catalog is read and other tests drop databases. It comes back.
                let rows = match asked {
                    Err(sqlx::Error::Io(error)) => {
                        println!("{} went away while its catalog was read: {error}", database.server.product.name());
                        *connection = reconnected(database).await;
                        connection.fetch_all(AssertSqlSafe(text.to_owned())).await.unwrap()
                    }
                    rows => rows.unwrap(),
                };
                // MySQL gives texts of its catalog as bytes.
                let text = |row: &sqlx::mysql::MySqlRow| {
                    String::from_utf8_lossy(row.get_unchecked::<&[u8], _>(0)).into_owned()
                };
                rows.iter().map(text).collect()
            }
            Self::SqlServer(..) => unreachable!("it was asked above"),
        }
    }

    /// Drops all tables and views, whatever refers to them.
    pub(super) async fn clear(&mut self) {
        let (found, quote) = match self {
            Self::Sqlite(..) => (
                "SELECT type || ' \"' || replace(name, '\"', '\"\"') || '\"' FROM sqlite_schema WHERE type IN ('table', 'view')
                 AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '__Migr%' ORDER BY type DESC",
                "DROP ",
            ),
            Self::Postgres(..) => ("SELECT 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'", ""),
            Self::MySql(..) => (
                "SELECT CONCAT(IF(table_type = 'VIEW', 'VIEW `', 'TABLE `'), table_name, '`') FROM information_schema.tables
                 WHERE table_schema = DATABASE()",
                "SET SESSION foreign_key_checks = OFF; DROP ",
            ),
            Self::SqlServer(connection, database) => {
                *database = database.server.fresh_database().await;
                **connection = support::sqlserver::connect(database.server, &database.name).await.unwrap();
                return;
            }
        };
        let statements: Vec<String> = self.lines(found).await.iter().map(|what| format!("{quote}{what}")).collect();
        for text in statements {
            let sql = sqlx::raw_sql(AssertSqlSafe(text));
            match self {
                Self::Sqlite(connection, ..) => drop(connection.execute(sql).await.unwrap()),
                Self::Postgres(connection, _) => drop(connection.execute(sql).await.unwrap()),
                Self::MySql(connection, _) => drop(connection.execute(sql).await.unwrap()),
                Self::SqlServer(..) => unreachable!("has a database of its own"),
            }
        }
        if let Self::MySql(connection, _) = self {
            connection.execute("SET SESSION foreign_key_checks = ON").await.unwrap();
        }
    }

    /// Everything that the catalog says of tables, columns, keys, checks, indexes and views, one fact a line.
    pub(super) async fn catalog(&mut self) -> BTreeSet<String> {
        let queries: &[&str] = match self {
            Self::Sqlite(..) => &SQLITE,
            Self::Postgres(..) => &POSTGRES,
            Self::MySql(_, database) if database.server.product == support::Product::MariaDb => &MARIADB,
            Self::MySql(..) => &MYSQL,
            Self::SqlServer(..) => &SQL_SERVER,
        };
        let mut all = BTreeSet::new();
        for query in queries {
            all.extend(self.lines(query).await);
        }
        if let Self::Sqlite(..) = self {
            for table in self
                .lines("SELECT name || ': ' || sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
                .await
            {
                let name = table.split(':').next().unwrap_or_default();
                all.extend(super::facts::comments(&table.replacen(": ", "\n", 1)));
                all.extend(checks(&table).into_iter().map(|check| format!("check of {name}: {check}")));
            }
        }
        // Branchkeeper's own tables are no part of what is compared.
        all.retain(|line| !line.contains("__MigrationsHistory"));
        all
    }
}

async fn run_sqlite(fixture: &Fixture, id: &str, script: &Script) -> Result<(), String> {
    let (mut session, fence) = fixture.locked().await;
    let one = planned(id, script.statements.iter().cloned());
    let done = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await;
    if done.is_err() {
        let _ = session.unlock(fence).await;
    }
    session.close().await;
    done.map_err(|failed| {
        let statement = failed.statement.and_then(|index| script.statements.get(index));
        let (line, sql) = statement.map_or((0, ""), |statement| (statement.line, &statement.sql));
        format!("SQLite: {}:{line}: {}\n{sql}", script.file, failed.error.message)
    })
}

/// The conditions in a table's SQL, which SQLite shows nowhere else.
fn checks(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, _) in sql.match_indices("CHECK (") {
        let mut depth = 0usize;
        let end = sql[start..].find(|ch| {
            depth = match ch {
                '(' => depth + 1,
                ')' => depth - 1,
                _ => return false,
            };
            depth == 0
        });
        let name = sql[..start].rsplit("CONSTRAINT ").next().filter(|name| name.len() < 80).unwrap_or_default();
        found.push(format!("{}{}", name.trim(), &sql[start..=start + end.unwrap()]));
    }
    found
}

/// A catalogue from files given by name.
pub(super) fn catalogue(files: &[(&str, &str)]) -> Result<Catalogue, branchkeeper::source::Problems> {
    let folder = support::temp_dir();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    branchkeeper::source::load(folder.path())
}

pub(super) fn load(folder: &Path) -> Catalogue {
    branchkeeper::source::load(folder).unwrap_or_else(|problems| panic!("{problems}"))
}

const SQLITE: [&str; 5] = [
    "SELECT type || ' ' || name || ' on ' || tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "SELECT 'columns of ' || m.name || ': ' || (SELECT group_concat(printf('%s %s null=%s default=%s key=%s hidden=%s',
        c.name, replace(c.type, ', ', ','), NOT c.\"notnull\", coalesce(c.dflt_value, '-'), c.pk, c.hidden), ' | ')
        FROM pragma_table_xinfo(m.name) c)
     FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    "SELECT 'key of ' || m.name || ': ' || f.\"from\" || ' to ' || f.\"table\" || '.' || f.\"to\" || ' ' || f.on_delete || ' ' || f.on_update
     FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    "SELECT 'index of ' || m.name || ': ' || CASE i.origin WHEN 'c' THEN i.name ELSE 'a constraint' END || ' unique=' || i.\"unique\" || ' partial=' || i.partial || ' (' ||
        (SELECT group_concat(coalesce(x.name, 'expression') || ' ' || x.\"desc\", ', ') FROM pragma_index_xinfo(i.name) x WHERE x.key) || ')'
     FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table'",
    "SELECT 'condition of ' || name || ': ' || substr(sql, instr(sql, ' WHERE ')) FROM sqlite_master
     WHERE type = 'index' AND sql LIKE '% WHERE %'",
];

const POSTGRES: [&str; 5] = [
    "SELECT 'columns of ' || table_name || ': ' || string_agg(concat_ws(' ', column_name, udt_name, character_maximum_length,
        numeric_precision, numeric_scale, datetime_precision, 'null=' || is_nullable, 'default=' || column_default,
        identity_generation, generation_expression), ' | ' ORDER BY ordinal_position)
     FROM information_schema.columns WHERE table_schema = current_schema() GROUP BY table_name",
    "SELECT format('constraint of %s: %s %s valid=%s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
     FROM pg_constraint WHERE connamespace = quote_ident(current_schema())::regnamespace",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "SELECT 'view ' || viewname || ' ' || definition FROM pg_views WHERE schemaname = current_schema()",
    "SELECT format('comment %s.%s: %s', c.relname, a.attname, d.description) FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
     AND d.classoid = 'pg_class'::regclass LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = nullif(d.objsubid, 0) WHERE c.relnamespace = quote_ident(current_schema())::regnamespace",
];

const MYSQL_COLUMNS: &str =
    "SELECT CONCAT('columns of ', table_name, ': ', GROUP_CONCAT(CONCAT_WS(' ', column_name, column_type, CONCAT('null=', is_nullable),
        CONCAT('default=', column_default), extra, collation_name, generation_expression, column_comment)
        ORDER BY ordinal_position SEPARATOR ' | '))
     FROM information_schema.columns WHERE table_schema = DATABASE() GROUP BY table_name";
const MYSQL_TABLES: &str = "SELECT CONCAT_WS(' ', table_type, table_name, engine, table_collation, table_comment)
     FROM information_schema.tables WHERE table_schema = DATABASE()";
const MYSQL_INDEXES: &str = "SELECT CONCAT('index of ', table_name, ': ', index_name, ' unique=', 1 - non_unique, ' (',
        GROUP_CONCAT(CONCAT(column_name, ' ', collation) ORDER BY seq_in_index), ')')
     FROM information_schema.statistics WHERE table_schema = DATABASE() GROUP BY table_name, index_name, non_unique";
const MYSQL_KEYS: &str =
    "SELECT CONCAT_WS(' ', 'key of', k.table_name, k.constraint_name, k.ordinal_position, k.column_name, k.referenced_table_name,
        k.referenced_column_name, r.delete_rule, r.update_rule)
     FROM information_schema.key_column_usage k LEFT JOIN information_schema.referential_constraints r
     ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name WHERE k.table_schema = DATABASE()";

const MYSQL: [&str; 5] = [
    MYSQL_COLUMNS,
    MYSQL_TABLES,
    MYSQL_INDEXES,
    MYSQL_KEYS,
    "SELECT CONCAT_WS(' ', 'check', constraint_name, check_clause) FROM information_schema.check_constraints
     WHERE constraint_schema = DATABASE()",
];
const MARIADB: [&str; 5] = [
    MYSQL_COLUMNS,
    MYSQL_TABLES,
    MYSQL_INDEXES,
    MYSQL_KEYS,
    "SELECT CONCAT_WS(' ', 'check of', table_name, constraint_name, check_clause) FROM information_schema.check_constraints
     WHERE constraint_schema = DATABASE()",
];

const SQL_SERVER: [&str; 6] = [
    "SELECT CONCAT('column of ', t.name, ': ', c.name, ' ', y.name, ' ', c.max_length, ' ', c.precision, ' ', c.scale, ' null=',
        c.is_nullable, ' identity=', c.is_identity, ' default=', d.name, ' ', d.definition, ' computed=', k.definition)
     FROM sys.tables t JOIN sys.columns c ON c.object_id = t.object_id JOIN sys.types y ON y.user_type_id = c.user_type_id
     LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
     LEFT JOIN sys.computed_columns k ON k.object_id = c.object_id AND k.column_id = c.column_id",
    "SELECT CONCAT('check of ', OBJECT_NAME(parent_object_id), ': ', name, ' ', definition) FROM sys.check_constraints",
    "SELECT CONCAT('key of ', OBJECT_NAME(f.parent_object_id), ': ', f.name, ' ', k.constraint_column_id, ' ',
        COL_NAME(k.parent_object_id, k.parent_column_id), ' to ', OBJECT_NAME(k.referenced_object_id), '.',
        COL_NAME(k.referenced_object_id, k.referenced_column_id), ' ', f.delete_referential_action, ' ',
        f.update_referential_action)
     FROM sys.foreign_keys f JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id",
    "SELECT CONCAT('index of ', t.name, ': ', i.name, ' unique=', i.is_unique, ' where=', i.filter_definition, ' ',
        k.index_column_id, ' ', COL_NAME(k.object_id, k.column_id), ' descending=', k.is_descending_key, ' included=',
        k.is_included_column)
     FROM sys.tables t JOIN sys.indexes i ON i.object_id = t.object_id
     JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id",
    "SELECT CONCAT('view ', v.name, ' ', m.definition) FROM sys.views v JOIN sys.sql_modules m ON m.object_id = v.object_id
     WHERE v.is_ms_shipped = 0",
    "SELECT CONCAT('comment ', OBJECT_NAME(major_id), '.', COL_NAME(major_id, minor_id), ': ', CAST(value AS nvarchar(4000)))
     FROM sys.extended_properties WHERE class = 1",
];
