//! What a transaction of MySQL or MariaDB could not hold, and what a journal can't know: nothing is run a second time
//! unasked, and whoever is asked is told precisely about what.

use branchkeeper::rpc::proto::{FailureClass, MigrationStatus, ResolveRequest};
use sqlx::{AssertSqlSafe, Row};

use crate::support::{
    Database, Fate, Product, Proxy, Server, Station, mariadb, mysql, outcome, own, pb, server_branch, status_of,
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
    a_transaction_that_was_ended_is_a_persons_to_settle,
    a_failure_after_the_transaction_was_ended_is_told_as_such,
    a_doubt_that_the_journal_did_not_hear_of_is_told_again,
    what_no_transaction_takes_back_is_journaled,
    rows_that_a_failed_statement_left_are_told,
    a_value_that_is_gone_stops_the_migration,
    a_truncation_that_nobody_heard_of_is_not_repeated,
    tables_that_changed_places_are_told_apart,
    an_index_with_a_name_of_its_own_is_found,
    several_migrations_in_one_transaction_need_one,
);

/// A service with one branch, reached through a proxy.
struct Branch {
    station: Station,
    proxy: Proxy,
    database: Database,
}

impl Branch {
    async fn on(server: &'static Server) -> Self {
        let database = server.fresh_database().await;
        let proxy = Proxy::to(&server.host, server.port).await;
        let mut station = Station::new();
        station.variable("BRANCH_PASSWORD", &server.password);
        station.set("RETRY__MAX_ATTEMPTS", "100");
        station.start().await;
        let mut branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
        if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
            (server.port, server.ssl_mode) = (proxy.port().into(), pb::SslMode::Disable.into());
        }
        station.register(branch).await;
        Self { station, proxy, database }
    }

    fn is_mariadb(&self) -> bool {
        self.database.server.product == Product::MariaDb
    }

    async fn sql(&self, text: &str) {
        let mut connection = self.database.server.mysql_connect_to(&self.database.name).await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    }

    async fn count(&self, of: &str) -> i64 {
        let mut connection = self.database.server.mysql_connect_to(&self.database.name).await;
        let text = AssertSqlSafe(format!("SELECT COUNT(*) FROM {of}"));
        sqlx::query(text).fetch_one(&mut connection).await.unwrap().get(0)
    }

    async fn succeeds(&self) {
        let result = outcome(&self.station, "BR001").await;
        assert!(result.success, "{result:?}");
    }

    async fn fails(&self) -> pb::MigrationError {
        outcome(&self.station, "BR001").await.errors.remove(0)
    }

    async fn resolve(&self, applied: bool) {
        let answer = ResolveRequest { branch: "BR001".into(), migration_id: String::new(), applied: Some(applied) };
        self.station.migrations().await.resolve(answer).await.unwrap();
    }

    /// A person is asked, however often the migration is asked for.
    async fn asks(&self, line: u32) -> pb::MigrationError {
        let first = self.fails().await;
        let again = self.fails().await;
        for error in [&first, &again] {
            assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, line), "{error:?}");
            assert!(error.hint.contains("branchkeeper resolve BR001 --applied"), "{error:?}");
        }
        let status = status_of(&self.station, "BR001").await;
        assert_eq!(status.status(), MigrationStatus::RequiresManualIntervention);
        first
    }
}

/// A statement that makes a table, although its first words say that it only asks: each product skips another comment.
fn sneaky(branch: &Branch) -> &'static str {
    match branch.is_mariadb() {
        true => "/*!80000 SELECT 1 */ /*M!100000 CREATE TABLE sneaky (a INT) */",
        false => "/*M!100000 SELECT 1 */ CREATE TABLE sneaky (a INT)",
    }
}

async fn a_transaction_that_was_ended_is_a_persons_to_settle(branch: Branch) {
    branch.station.migration("1_Audit.sql", "CREATE TABLE audit (n INT);\n");
    let rows = "INSERT INTO audit VALUES (1);\n";
    let more = "INSERT INTO audit VALUES (2);\n";
    branch.station.migration("2_Sneaky.sql", &format!("{rows}{};\n{more}", sneaky(&branch)));
    let error = branch.asks(1).await;
    assert_eq!((&*error.migration_id, &*error.file), ("2_Sneaky", "2_Sneaky.sql"), "{error:?}");
    assert!(error.message.contains("ended the transaction") && error.message.contains("1 to 3"), "{error:?}");
    assert_eq!((branch.count("audit").await, branch.count("sneaky").await), (2, 0), "nothing ran twice");

    // All of it took effect, so it counts as done.
    branch.resolve(true).await;
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 2);

    // Or none of it did, because a person has taken it back; then the corrected file is run.
    branch.sql("DROP TABLE sneaky").await;
    branch.station.migration("3_Again.sql", &format!("{rows}{};\n{more}", sneaky(&branch)));
    branch.asks(1).await;
    branch.sql("DROP TABLE sneaky").await;
    branch.sql("DELETE FROM audit").await;
    branch.station.migration("3_Again.sql", &format!("{rows}{more}"));
    branch.asks(1).await;
    branch.resolve(false).await;
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 2);
}

async fn a_failure_after_the_transaction_was_ended_is_told_as_such(branch: Branch) {
    branch.station.migration("1_Audit.sql", "CREATE TABLE audit (n INT);\n");
    let text = format!("INSERT INTO audit VALUES (1);\n{};\nINSERT INTO nowhere VALUES (2);\n", sneaky(&branch));
    branch.station.migration("2_Sneaky.sql", &text);
    let error = branch.fails().await;
    assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, 3), "{error:?}");
    assert!(error.message.contains("nowhere") && error.message.contains("ended the transaction"), "{error:?}");
    branch.asks(1).await;
    assert_eq!(branch.count("audit").await, 1);
}

/// The connection breaks when the journal is told that a person has to look.
async fn a_doubt_that_the_journal_did_not_hear_of_is_told_again(branch: Branch) {
    branch.station.migration("1_Audit.sql", "CREATE TABLE audit (n INT);\n");
    let rows = "INSERT INTO audit VALUES (1);\n";
    branch.station.migration("2_Sneaky.sql", &format!("{rows}{};\n{rows}", sneaky(&branch)));
    for fate in [Fate::Unsent, Fate::Unheard] {
        branch.proxy.trap("intent = 'together", fate);
        let sprung = branch.proxy.sprung();
        let error = branch.asks(1).await;
        assert_eq!(branch.proxy.sprung(), sprung + 1);
        assert!(error.hint.contains("resolve BR001 --applied"), "{error:?}");
        assert_eq!((branch.count("audit").await, branch.count("sneaky").await), (2, 0), "nothing ran twice");
        branch.sql("DROP TABLE sneaky").await;
        branch.sql("DELETE FROM audit").await;
        branch.resolve(false).await;
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
