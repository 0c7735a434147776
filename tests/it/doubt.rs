//! What a transaction of MySQL or MariaDB could not hold, and what a journal can't know: nothing is run a second time
//! unasked, and whoever is asked is told precisely about what.

use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::{FailureClass, MigrationStatus, ResolveRequest};
use sqlx::{AssertSqlSafe, Row};

use crate::support::{
    Database, Fate, Product, Proxy, Server, Station, apply, mariadb, mysql, outcome, own, pb, server_branch, sqlserver,
    status_of,
};

/// Every test function named here runs on MariaDB and on MySQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some(server) = super::mariadb().await else { return };
                super::$name(super::Branch::on(server).await).await;
            })*
        }
        mod on_mysql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some(server) = super::mysql().await else { return };
                super::$name(super::Branch::on(server).await).await;
            })*
        }
    };
}

on_both!(
    what_no_transaction_takes_back_is_journaled,
    rows_that_a_failed_statement_left_are_told,
    a_value_that_is_gone_stops_the_migration,
    a_truncation_that_nobody_heard_of_is_not_repeated,
    tables_that_changed_places_are_told_apart,
    an_index_with_a_name_of_its_own_is_found,
    several_migrations_in_one_transaction_need_one,
    accounts_that_come_together_are_told_from_those_that_do_not,
);

/// A service with one branch, reached through a proxy.
pub(crate) struct Branch {
    pub(crate) station: Station,
    pub(crate) proxy: Proxy,
    pub(crate) database: Database,
}

impl Branch {
    pub(crate) async fn on(server: &'static Server) -> Self {
        let database = server.fresh_database().await;
        let proxy = Proxy::to(&server.host, server.port).await;
        let mut station = Station::new();
        station.variable("BRANCH_PASSWORD", &server.password);
        station.set("RETRY__MAX_ATTEMPTS", "100");
        station.set("LOCK__LEASE", "5s");
        station.start().await;
        let mut branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
        if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
            (server.port, server.ssl_mode) = (proxy.port().into(), pb::SslMode::Disable.into());
        }
        station.register(branch).await;
        Self { station, proxy, database }
    }

    pub(crate) async fn sql(&self, text: &str) {
        if self.database.server.product == Product::SqlServer {
            return sqlserver::execute(self.database.server, &self.database.name, text).await.unwrap();
        }
        let mut connection = self.database.server.mysql_connect_to(&self.database.name).await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    }

    pub(crate) async fn count(&self, of: &str) -> i64 {
        if self.database.server.product == Product::SqlServer {
            let mut connection = sqlserver::connect(self.database.server, &self.database.name).await.unwrap();
            let rows = sqlserver::rows(&mut connection, &format!("SELECT COUNT(*) FROM {of}")).await.unwrap();
            return rows[0][0].as_deref().unwrap().parse().unwrap();
        }
        let mut connection = self.database.server.mysql_connect_to(&self.database.name).await;
        let text = AssertSqlSafe(format!("SELECT COUNT(*) FROM {of}"));
        sqlx::query(text).fetch_one(&mut connection).await.unwrap().get(0)
    }

    /// The first column of the rows that MySQL or MariaDB answers with.
    pub(crate) async fn rows(&self, text: &str) -> Vec<String> {
        let mut connection = self.database.server.mysql_connect_to(&self.database.name).await;
        let rows = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get_unchecked(0)).collect()
    }

    pub(crate) async fn succeeds(&self) {
        let result = outcome(&self.station, "BR001").await;
        assert!(result.success, "{result:?}");
    }

    pub(crate) async fn fails(&self) -> pb::MigrationError {
        outcome(&self.station, "BR001").await.errors.remove(0)
    }

    pub(crate) async fn resolve(&self, applied: bool) {
        let answer = ResolveRequest { branch: "BR001".into(), migration_id: String::new(), applied: Some(applied) };
        self.station.migrations().await.resolve(answer).await.unwrap();
    }

    /// What an attempt comes to once nobody holds the branch any more: a service that was started anew takes up the run that
    /// was cut off. What this calls `held` is tried again too.
    pub(crate) async fn once_free(&self, held: impl Fn(&pb::MigrationResult) -> bool) -> pb::MigrationResult {
        let begun = Instant::now();
        loop {
            let answer = apply(&self.station, "BR001").await;
            match &answer {
                Ok(answer) => {
                    if let Some(result) = answer.result.clone().filter(|result| !held(result)) {
                        return result;
                    }
                }
                Err(status) => assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}"),
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "the branch stays locked: {answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A person is asked, however often the migration is asked for.
    pub(crate) async fn asks(&self, line: u32) -> pb::MigrationError {
        let first = self.once_free(|_| false).await.errors.remove(0);
        let again = self.once_free(|_| false).await.errors.remove(0);
        for error in [&first, &again] {
            assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, line), "{error:?}");
            assert!(error.hint.contains("branchkeeper resolve BR001 --applied"), "{error:?}");
        }
        let status = status_of(&self.station, "BR001").await;
        assert_eq!(status.status(), MigrationStatus::RequiresManualIntervention);
        first
    }
}

/// MariaDB's settings for one statement only surround it.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_with_settings_of_its_own_is_journaled() {
    let Some(server) = mariadb().await else { return };
    let branch = Branch::on(server).await;
    branch.station.migration("1_Audit.sql", "CREATE TABLE audit (n INT);\n");
    let text = "INSERT INTO audit (n) VALUES (1);\n\
                SET STATEMENT max_statement_time=60 FOR ALTER TABLE audit MODIFY n BIGINT;\n\
                SET STATEMENT max_statement_time=60 FOR INSERT INTO audit (n) VALUES (2);\n";
    branch.station.migration("2_Change.sql", text);
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 2);
}

async fn what_no_transaction_takes_back_is_journaled(branch: Branch) {
    let tables = "CREATE TABLE log (n INT) ENGINE = MyISAM;\nCREATE TABLE t (n INT PRIMARY KEY);\n\
                  CREATE TABLE u (n INT);\n\
                  CREATE TRIGGER u_log AFTER INSERT ON u FOR EACH ROW INSERT INTO log VALUES (NEW.n);\n";
    branch.station.migration("1_Tables.mysql.sql", tables);
    branch.succeeds().await;
    let rows = |last: i64| {
        format!(
            "INSERT INTO log VALUES (1);\nINSERT INTO u VALUES (2);\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES ({last});\n"
        )
    };
    branch.station.migration("2_Rows.sql", &rows(1));
    for _ in 0..3 {
        let error = branch.fails().await;
        assert_eq!((error.class(), error.line, error.statements_done), (FailureClass::Sql, 4, 2), "{error:?}");
        assert!(error.hint.contains("statements before it stay"), "{error:?}");
        assert_eq!((branch.count("log").await, branch.count("u").await, branch.count("t").await), (2, 1, 0));
    }
    branch.station.migration("2_Rows.sql", &rows(2));
    branch.succeeds().await;
    assert_eq!((branch.count("log").await, branch.count("t").await), (2, 2));

    // A table that the migration itself has made.
    let text = "CREATE TABLE own (n INT) ENGINE = MyISAM;\nINSERT INTO own VALUES (1);\nINSERT INTO t VALUES (1);\n";
    branch.station.migration("3_Own.sql", text);
    for _ in 0..2 {
        let error = branch.fails().await;
        assert_eq!((error.class(), error.line, error.statements_done), (FailureClass::Sql, 3, 2), "{error:?}");
        assert_eq!(branch.count("own").await, 1);
    }
}

async fn rows_that_a_failed_statement_left_are_told(branch: Branch) {
    branch.station.migration("1_Log.sql", "CREATE TABLE log (n INT PRIMARY KEY) ENGINE = MyISAM;\n");
    branch.succeeds().await;
    branch.station.migration("2_Rows.sql", "INSERT INTO log VALUES (1), (2), (1);\n");
    let error = branch.asks(1).await;
    assert!(error.message.contains("Duplicate"), "{error:?}");
    assert_eq!((branch.count("log").await, &*error.provider_code), (2, "1062"), "{error:?}");
}

async fn several_migrations_in_one_transaction_need_one(branch: Branch) {
    branch.station.migration("1_Log.sql", "CREATE TABLE log (n INT) ENGINE = MyISAM;\n");
    branch.succeeds().await;
    branch.station.migration("2_One.sql", "SELECT 1;\n");
    branch.station.migration("3_Two.sql", "SELECT 1;\nINSERT INTO log VALUES (1);\n");
    let request = pb::ApplyRequest {
        branch: "BR001".into(),
        transaction_mode: pb::TransactionMode::AllInOne.into(),
        ..pb::ApplyRequest::default()
    };
    let result = branch.station.migrations().await.apply(request).await.unwrap().into_inner().result.unwrap();
    let error = &result.errors[0];
    assert_eq!((&*error.migration_id, error.line), ("3_Two", 2), "{error:?}");
    assert!(error.message.contains("knows no transactions"), "{error:?}");
    assert_eq!(branch.count("log").await, 0);
    branch.succeeds().await;
    assert_eq!(branch.count("log").await, 1);
}

/// MySQL does all of a statement about accounts or nothing, so nobody has to look. MariaDB does what comes before the fault.
async fn accounts_that_come_together_are_told_from_those_that_do_not(branch: Branch) {
    let is_whole = branch.database.server.product == Product::MySql;
    branch.station.migration("1_Table.sql", "CREATE TABLE t (n INT);\n");
    branch.succeeds().await;
    // Accounts are the server's, and others test there, too.
    let name = |part: &str| format!("{}_{part}", &branch.database.name);
    let (known, made, none, role) = (name("a"), name("b"), name("c"), name("r"));
    branch.sql(&format!("CREATE USER {known}")).await;
    branch.sql(&format!("CREATE ROLE {role}")).await;
    branch.sql(&format!("GRANT INSERT ON t TO {known}")).await;
    let grants = async || {
        let rows = branch.rows(&format!("SHOW GRANTS FOR {known}")).await;
        rows.into_iter().filter(|row| !row.contains("GRANT USAGE")).collect::<String>()
    };
    let before = grants().await;
    assert!(before.contains("INSERT"), "{before}");
    let count = async |of: &str| branch.count(&format!("mysql.user WHERE user = '{of}'")).await;
    let locked = async || branch.rows(&format!("SHOW CREATE USER {known}")).await.concat().contains("ACCOUNT LOCK");
    let lock = format!("ALTER USER {known}, {none} ACCOUNT LOCK");
    for (number, text) in [
        format!("CREATE USER {made}, {known}"),
        format!("CREATE ROLE {made}, {role}"),
        lock.clone(),
        format!("GRANT SELECT ON t TO {known}, {none}"),
        format!("REVOKE INSERT ON t FROM {known}, {none}"),
        format!("DROP USER {known}, {none}"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{}_Accounts", number + 2);
        let is_harmless = text == lock || text.starts_with("GRANT");
        branch.station.migration(&format!("{id}.mysql.sql"), &format!("{text};\n"));
        if is_whole {
            for _ in 0..2 {
                let error = branch.fails().await;
                assert_eq!((error.class(), error.line, error.statements_done), (FailureClass::Sql, 1, 0), "{error:?}");
            }
            assert_eq!((count(&made).await, count(&known).await), (0, 1), "{text}");
            assert_eq!((grants().await, locked().await), (before.clone(), false), "{text}");
            branch.station.migration(&format!("{id}.mysql.sql"), "SELECT 1;\n");
        } else {
            if is_harmless {
                // Doing it again does no harm, so nobody has to look.
                let error = branch.fails().await;
                assert_eq!(error.class(), FailureClass::Sql, "{error:?}");
            } else {
                branch.asks(1).await;
            }
            let changed =
                count(&made).await == 1 || count(&known).await == 0 || grants().await != before || locked().await;
            assert!(changed, "{text}");
            branch.sql(&format!("DROP USER IF EXISTS {made}")).await;
            branch.sql(&format!("DROP ROLE IF EXISTS {made}")).await;
            branch.sql(&format!("CREATE OR REPLACE USER {known}")).await;
            branch.sql(&format!("GRANT INSERT ON t TO {known}")).await;
            if is_harmless {
                branch.sql(&format!("CREATE USER {none}")).await;
            } else {
                branch.resolve(true).await;
            }
        }
        branch.succeeds().await;
        if is_harmless && !is_whole {
            branch.sql(&format!("DROP USER {none}")).await;
            branch.sql(&format!("CREATE OR REPLACE USER {known}")).await;
            branch.sql(&format!("GRANT INSERT ON t TO {known}")).await;
        }
    }
    branch.sql(&format!("DROP USER {known}")).await;
    branch.sql(&format!("DROP ROLE {role}")).await;
}

async fn a_value_that_is_gone_stops_the_migration(branch: Branch) {
    branch
        .station
        .migration("1_Rows.sql", "CREATE TABLE t (n INT);\nCREATE TABLE log (n INT);\nINSERT INTO t VALUES (7);\n");
    branch.succeeds().await;
    let script = |alter: &str, more: &str| {
        format!("SET @n = (SELECT MAX(n) FROM t);\nUPDATE t SET n = 8;\n{alter};\n{more}INSERT INTO log VALUES (@n);\n")
    };
    branch.station.migration("2_Change.sql", &script("ALTER TABLE t ADD COLUMN n INT", ""));
    let error = branch.fails().await;
    assert_eq!((error.class(), error.line, error.statements_done), (FailureClass::Sql, 3, 2), "{error:?}");
    branch.station.migration("2_Change.sql", &script("ALTER TABLE t ADD COLUMN m INT", ""));
    let error = branch.fails().await;
    assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, 4), "{error:?}");
    assert!(error.message.contains("@n") && error.message.contains("(line 1)"), "{error:?}");
    assert_eq!((branch.count("log").await, branch.count("t WHERE n = 8").await), (0, 1));
    branch.station.migration("2_Change.sql", &script("ALTER TABLE t ADD COLUMN m INT", "SET @n = 7;\n"));
    branch.succeeds().await;
    assert_eq!(branch.count("log WHERE n = 7").await, 1);
}

async fn a_truncation_that_nobody_heard_of_is_not_repeated(branch: Branch) {
    branch.station.migration("1_Rows.sql", "CREATE TABLE t (n INT);\nINSERT INTO t VALUES (1);\n");
    branch.succeeds().await;
    branch.station.migration("2_Empty.sql", "TRUNCATE TABLE t;\nINSERT INTO t VALUES (2);\n");
    branch.proxy.trap("TRUNCATE TABLE t", Fate::Unheard);
    branch.asks(1).await;
    assert_eq!(branch.proxy.sprung(), 1);
    branch.sql("INSERT INTO t VALUES (3)").await;
    branch.asks(1).await;
    assert_eq!(branch.count("t WHERE n = 3").await, 1, "a row that came in meanwhile stays");
    branch.resolve(true).await;
    branch.succeeds().await;
    assert_eq!(branch.count("t").await, 2);
}

async fn tables_that_changed_places_are_told_apart(branch: Branch) {
    let tables = "CREATE TABLE t (old INT);\nCREATE TABLE t_new (new INT);\nCREATE TABLE log (n INT);\n";
    branch.station.migration("1_Tables.sql", tables);
    branch.succeeds().await;
    for (id, fate) in [("2_Swap", Fate::Unheard), ("3_Swap", Fate::Unsent)] {
        let swap = "RENAME TABLE t TO t_old, t_new TO t";
        branch.station.migration(&format!("{id}.sql"), &format!("{swap};\nINSERT INTO log VALUES (1);\n"));
        branch.proxy.trap(swap, fate);
        branch.succeeds().await;
        assert_eq!((branch.count("log").await, branch.count("t_old").await), (1, 0), "{fate:?}");
        branch.sql("DELETE FROM log").await;
        branch.sql("RENAME TABLE t TO t_new, t_old TO t").await;
    }
    assert_eq!(branch.proxy.sprung(), 2);
}

async fn an_index_with_a_name_of_its_own_is_found(branch: Branch) {
    branch.station.migration("1_Table.sql", "CREATE TABLE t (a INT);\n");
    branch.succeeds().await;
    let add = "ALTER TABLE t ADD CONSTRAINT foo UNIQUE KEY bar (a)";
    branch.station.migration("2_Key.sql", &format!("{add};\n"));
    branch.proxy.trap(add, Fate::Unheard);
    branch.succeeds().await;
    assert_eq!(branch.proxy.sprung(), 1);
}

/// Only MariaDB has columns that are added unless they are there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_no_proof() {
    let Some(server) = mariadb().await else { return };
    let branch = Branch::on(server).await;
    branch.station.migration("1_Table.sql", "CREATE TABLE audit (n INT, m INT);\n");
    branch.succeeds().await;
    let add = "ALTER TABLE audit ADD COLUMN IF NOT EXISTS m INT, ADD COLUMN IF NOT EXISTS k INT";
    branch.station.migration("2_Columns.sql", &format!("{add};\n"));
    branch.proxy.trap(add, Fate::Unsent);
    branch.succeeds().await;
    assert_eq!((branch.proxy.sprung(), branch.count("audit WHERE k IS NULL").await), (1, 0), "the column is there");
}

/// A server that reads quotes in its own way gets no script that would mean something else there.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_quotes_otherwise_is_not_sent_them() {
    for product in [Product::MariaDb, Product::MySql] {
        let Some(server) = own(product).await else { continue };
        for (mode, bad) in [("NO_BACKSLASH_ESCAPES", "'a\\'; DROP TABLE t; -- '"), ("ANSI_QUOTES", "\"n\"")] {
            let branch = Branch::on(server).await;
            branch.sql(&format!("SET GLOBAL sql_mode = '{mode}'")).await;
            branch.station.migration("1_Table.mysql.sql", "CREATE TABLE t (n VARCHAR(40));\n");
            branch.succeeds().await;
            branch.station.migration(
                "2_Rows.mysql.sql",
                &format!("INSERT INTO t VALUES ('x');\n\nINSERT INTO t VALUES\n ({bad});\n"),
            );
            let error = branch.fails().await;
            assert_eq!(
                (error.class(), error.line, &*error.file),
                (FailureClass::Sql, 4, "2_Rows.mysql.sql"),
                "{error:?}"
            );
            assert!(error.message.contains(mode), "{error:?}");
            assert_eq!(branch.count("t").await, 0, "nothing of it was run");
            let text = format!("SET sql_mode = '';\nINSERT INTO t VALUES\n ({bad});\n");
            branch.station.migration("2_Rows.mysql.sql", &text);
            branch.succeeds().await;
            assert_eq!(branch.count("t").await, 1);
            branch.sql("SET GLOBAL sql_mode = ''").await;
        }
    }
}
