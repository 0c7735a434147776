//! Procedures that end the transaction of whoever calls them, also where their own work took back what would have told of it.

use branchkeeper::rpc::proto::FailureClass;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::doubt::Branch;
use crate::ended::{FIRST, LAST, begin, migration, on_each, result, until, wait, with_audit};
use crate::support::{Fate, Product, mariadb, mysql, pb, postgres, sqlserver_server};

on_each!(
    a_procedure_that_took_its_caller_back_and_died_is_told,
    a_procedure_that_failed_after_it_took_its_caller_back_is_told,
);

/// Makes a procedure of these statements, past the code under test.
async fn procedure(branch: &Branch, name: &str, statements: &[&str]) {
    let body = statements.join("; ");
    let text = match branch.database.server.product {
        Product::SqlServer => format!("CREATE PROCEDURE {name} AS BEGIN {body}; END"),
        _ => format!("CREATE PROCEDURE {name}() BEGIN {body}; END"),
    };
    branch.sql(&text).await;
}

fn call(branch: &Branch, name: &str) -> String {
    match branch.database.server.product {
        Product::SqlServer => format!("EXEC {name}"),
        _ => format!("CALL {name}()"),
    }
}

/// What a procedure consists of that takes back what its caller did, commits something else and goes on for five seconds.
async fn treacherous(branch: &Branch, name: &str) {
    let (before, after) = ("INSERT INTO audit VALUES (8)", "INSERT INTO audit VALUES (9)");
    let wait = wait(branch, 5);
    match branch.database.server.product {
        Product::SqlServer => {
            procedure(branch, name, &[before, "ROLLBACK", after, &wait, "BEGIN TRANSACTION"]).await;
        }
        _ => procedure(branch, name, &[before, "ROLLBACK", after, "COMMIT", &wait]).await,
    }
}

/// Neither a mark nor a row of the ledger could tell of it, only the announcement.
async fn a_procedure_that_took_its_caller_back_and_died_is_told(mut branch: Branch) {
    with_audit(&branch).await;
    treacherous(&branch, "ends").await;
    let call = call(&branch, "ends");
    migration(&branch, "2_Call", &[FIRST, &call, LAST]);
    begin(&branch).await;
    until(&branch, "audit WHERE n = 9").await;
    branch.station.kill();
    branch.station.start().await;
    let error = result(&branch).await.errors.remove(0);
    expect_doubt(&branch, &error, &call);
    let error = branch.asks(error.line).await;
    expect_doubt(&branch, &error, &call);
    let counts = [branch.count("audit WHERE n = 9").await, branch.count("audit WHERE n = 1").await];
    assert_eq!(counts, [1, 1], "what came before was committed first, and nothing ran twice");
    branch.resolve(true).await;
    branch.succeeds().await;
    let counts = [branch.count("audit WHERE n = 2").await, branch.count("audit WHERE n = 9").await];
    assert_eq!(counts, [1, 1], "the rest ran, and nothing ran twice");
}

fn expect_doubt(branch: &Branch, error: &pb::MigrationError, call: &str) {
    let line = if branch.database.server.product == Product::SqlServer { 3 } else { 2 };
    let found = (error.class(), &*error.migration_id, &*error.file, error.line, &*error.statement);
    assert_eq!(found, (FailureClass::Ambiguous, "2_Call", "2_Call.sql", line, call), "{error:?}");
}

/// It fails, so the service is there to see it, but nothing that could be asked tells of what it committed.
async fn a_procedure_that_failed_after_it_took_its_caller_back_is_told(branch: Branch) {
    with_audit(&branch).await;
    let (before, after) = ("INSERT INTO audit VALUES (8)", "INSERT INTO audit VALUES (9)");
    match branch.database.server.product {
        Product::SqlServer => {
            let back = ["ROLLBACK", after, "BEGIN TRANSACTION", "INSERT INTO nowhere VALUES (1)"];
            procedure(&branch, "ends", &[&[before], &back[..]].concat()).await;
        }
        _ => {
            let back = ["ROLLBACK", after, "COMMIT", "INSERT INTO nowhere VALUES (1)"];
            procedure(&branch, "ends", &[&[before], &back[..]].concat()).await;
        }
    }
    let call = call(&branch, "ends");
    migration(&branch, "2_Call", &[FIRST, &call, LAST]);
    let error = branch.fails().await;
    expect_doubt(&branch, &error, &call);
    assert!(error.message.contains("nowhere"), "what went wrong is told too: {error:?}");
    branch.asks(error.line).await;
    assert_eq!(branch.count("audit WHERE n = 9").await, 1, "nothing ran twice");
}

/// A branch on SQL Server, and the procedures `ends`, which ends the transaction, `outer_ends`, which calls it, and `plain`,
/// which does neither.
async fn with_procedures() -> Option<Branch> {
    let branch = Branch::on(sqlserver_server().await?).await;
    with_audit(&branch).await;
    procedure(&branch, "ends", &["SAVE TRANSACTION a", "ROLLBACK TRANSACTION b"]).await;
    procedure(&branch, "outer_ends", &["EXEC dbo.[ends]"]).await;
    let plain = "INSERT INTO audit VALUES (3) /* COMMIT */";
    procedure(&branch, "plain", &[plain, "PRINT 'ROLLBACK'", "SAVE TRANSACTION a", "ROLLBACK TRANSACTION a"]).await;
    Some(branch)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlserver_what_ends_no_transaction_shares_one() {
    let Some(branch) = with_procedures().await else { return };
    let made = "EXEC('CREATE PROCEDURE made AS INSERT INTO audit VALUES (4)')";
    let spelled = "DECLARE @name sysname = N'audit'; EXEC(N'UPDATE [' + @name + N'] SET n = 1 WHERE n = 1')";
    let statements =
        [FIRST, "plain", made, "EXEC made", spelled, "EXEC sp_executesql N'UPDATE audit SET n = 1 WHERE n = 1'"];
    migration(&branch, "2_Calls", &[&statements[..], &["INSERT INTO nowhere VALUES (1)"]].concat());
    let error = branch.fails().await;
    assert_eq!((error.class(), error.statements_done), (FailureClass::Sql, 0), "{error:?}");
    assert_eq!(branch.count("audit").await, 0, "all of it was one transaction");
    migration(&branch, "2_Calls", &statements);
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 3);
    // Where nothing is called, nothing is asked; the server's own procedures are known.
    branch.proxy.trap("sys.sql_modules", Fate::Unsent);
    migration(
        &branch,
        "3_None",
        &[FIRST, "EXEC sp_rename 'audit', 'audits', 'OBJECT'", "sp_rename 'audits', 'audit', 'OBJECT'"],
    );
    branch.succeeds().await;
    assert_eq!((branch.proxy.sprung(), branch.count("audit").await), (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlserver_what_may_end_the_transaction_is_announced() {
    let Some(branch) = with_procedures().await else { return };
    let text = "DECLARE @text nvarchar(100) = N'INSERT INTO audit VALUES (5)'; EXEC(@text)";
    for (number, call) in
        ["EXEC plain; EXEC outer_ends", "outer_ends", "EXEC nowhere_to_be_found", text].into_iter().enumerate()
    {
        let id = format!("{}_Call", number + 2);
        migration(&branch, &id, &[FIRST, "EXEC plain", call, LAST]);
        branch.proxy.trap(call, Fate::Unsent);
        let error = branch.asks(5).await;
        let found = (&*error.migration_id, &*error.statement, error.statements_done);
        assert_eq!(found, (&*id, call, 2), "{error:?}");
        assert_eq!((branch.count("audit WHERE n = 1").await, branch.count("audit WHERE n = 3").await), (1, 1));
        // None of it took effect, and the file can't be changed any more: a person says that it counts as done.
        branch.resolve(true).await;
        branch.succeeds().await;
        branch.sql("DELETE FROM audit").await;
    }
    // What ran through is recorded with its own transaction.
    migration(&branch, "7_Text", &[FIRST, text, LAST]);
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 3);
    // A procedure of the same migration is not in the catalog yet.
    let making = ["CREATE PROCEDURE late AS ROLLBACK", FIRST, "EXEC late"];
    migration(&branch, "8_Late", &making);
    branch.proxy.trap("EXEC late", Fate::Unsent);
    let error = branch.asks(5).await;
    assert_eq!(error.statements_done, 2, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlserver_one_transaction_for_all_calls_nothing_that_may_end_it() {
    let Some(branch) = with_procedures().await else { return };
    migration(&branch, "2_One", &["CREATE PROCEDURE late AS INSERT INTO audit VALUES (6)"]);
    migration(&branch, "3_Two", &["EXEC late", "EXEC outer_ends"]);
    let request = || pb::ApplyRequest {
        branch: "BR001".into(),
        transaction_mode: pb::TransactionMode::AllInOne.into(),
        ..pb::ApplyRequest::default()
    };
    let result = branch.station.migrations().await.apply(request()).await.unwrap().into_inner().result.unwrap();
    let error = &result.errors[0];
    assert_eq!((&*error.migration_id, error.line), ("3_Two", 3), "{error:?}");
    assert!(error.message.contains("may end the transaction"), "{error:?}");
    migration(&branch, "3_Two", &["EXEC late"]);
    let result = branch.station.migrations().await.apply(request()).await.unwrap().into_inner().result.unwrap();
    assert!(result.success, "{result:?}");
    assert_eq!(branch.count("audit").await, 1);
}

/// A syntax error is found before anything is done, but not that of a text which a procedure executes.
#[tokio::test(flavor = "multi_thread")]
async fn on_mysql_and_mariadb_a_procedure_that_executed_what_is_no_sql_is_told() {
    for server in [mariadb().await, mysql().await].into_iter().flatten() {
        let branch = Branch::on(server).await;
        with_audit(&branch).await;
        procedure(&branch, "odd", &["INSERT INTO audit VALUES (9)", "COMMIT", "PREPARE s FROM 'SELEC 1'"]).await;
        for (id, call) in [("2_Odd", "CALL odd()"), ("3_Odd.mysql", "/*!50003 CALL odd() */")] {
            migration(&branch, id, &[call]);
            let error = branch.asks(1).await;
            assert!(error.file.starts_with(id) && branch.count("audit").await == 1, "nothing ran twice: {error:?}");
            branch.resolve(true).await;
            branch.succeeds().await;
            branch.sql("DELETE FROM audit").await;
        }
    }
}

/// Why nothing is asked about what `INSERT`, `UPDATE`, `DELETE` and `SELECT` set off there.
#[tokio::test(flavor = "multi_thread")]
async fn on_mysql_and_mariadb_triggers_and_functions_end_no_transaction() {
    for server in [mariadb().await, mysql().await].into_iter().flatten() {
        let database = server.fresh_database().await;
        let mut connection = server.mysql_connect_to(&database.name).await;
        let mut run = async |text: &str| {
            let done = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await;
            done.err().map(|error| error.to_string()).unwrap_or_default()
        };
        for text in ["CREATE TABLE t (n INT)", "CREATE TABLE u (n INT)"] {
            assert_eq!(run(text).await, "");
        }
        let refused = ["1422", "1336"];
        for (name, body) in [
            ("a", "BEGIN INSERT INTO t VALUES (8); ROLLBACK; END"),
            ("b", "CREATE TABLE v (n INT)"),
            ("c", "BEGIN PREPARE s FROM 'COMMIT'; EXECUTE s; END"),
        ] {
            assert_eq!(run(&format!("CREATE PROCEDURE {name}() {body}")).await, "");
            let trigger = format!("CREATE TRIGGER t{name} BEFORE INSERT ON u FOR EACH ROW CALL {name}()");
            let function =
                format!("CREATE FUNCTION f{name}() RETURNS INT DETERMINISTIC BEGIN CALL {name}(); RETURN 1; END");
            assert_eq!((run(&trigger).await, run(&function).await), Default::default());
            for text in ["INSERT INTO u VALUES (1)".to_owned(), format!("SELECT f{name}()")] {
                let error = run(&text).await;
                assert!(refused.iter().any(|code| error.contains(code)), "{text}: {error}");
            }
            assert_eq!(run(&format!("DROP TRIGGER t{name}")).await, "");
        }
        let direct = run("CREATE TRIGGER d BEFORE INSERT ON u FOR EACH ROW BEGIN COMMIT; END").await;
        assert!(direct.contains("1422"), "{direct}");
    }
}

/// Why nothing is asked on PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_procedures_end_no_transaction_of_others() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let mut connection = server.connect_to(&database.name).await;
    let make = "CREATE TABLE t (n INT); CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN ROLLBACK; COMMIT; END $$; \
                CREATE PROCEDURE q() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'COMMIT'; END $$";
    connection.execute(sqlx::raw_sql(make)).await.unwrap();
    for call in ["CALL p()", "DO $$ BEGIN COMMIT; END $$", "CALL q()"] {
        let mut transaction = connection.begin().await.unwrap();
        let error = transaction.execute(call).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(String::from)).unwrap_or_default();
        assert!(["2D000", "0A000"].contains(&&*code), "{call}: {error}");
        transaction.rollback().await.unwrap();
    }
}

/// What a plan says of its statements: which transaction each is part of, and whether it is part of one.
async fn planned(branch: &Branch) -> (Vec<(u32, bool)>, pb::PlanResponse) {
    let request = pb::PlanRequest { branch: "BR001".into(), ..pb::PlanRequest::default() };
    let plan = branch.station.migrations().await.plan(request).await.unwrap().into_inner();
    let statements = plan.migrations.iter().flat_map(|migration| &migration.statements);
    (statements.map(|statement| (statement.transaction, statement.transactional)).collect(), plan)
}

/// The digest of the plan that was shown is that of the plan that is run.
async fn runs_as_planned(branch: &Branch, plan: pb::PlanResponse) {
    let request = pb::ApplyRequest { branch: "BR001".into(), plan_digest: plan.digest, ..pb::ApplyRequest::default() };
    let result = branch.station.migrations().await.apply(request).await.unwrap().into_inner().result.unwrap();
    assert!(result.success, "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql_and_mariadb_a_plan_shows_what_no_transaction_takes_back() {
    for server in [mariadb().await, mysql().await].into_iter().flatten() {
        let branch = Branch::on(server).await;
        with_audit(&branch).await;
        branch.sql("CREATE TABLE log (n INT) ENGINE = MyISAM").await;
        migration(&branch, "2_Rows", &[FIRST, "INSERT INTO log VALUES (1)", LAST, LAST]);
        migration(&branch, "3_Rows", &[FIRST, LAST]);
        let (statements, plan) = planned(&branch).await;
        assert_eq!(statements, [(1, true), (2, false), (3, true), (3, true), (4, true), (4, true)]);
        assert!(plan.warnings.iter().any(|warning| warning.starts_with("2_Rows has 1 statement")), "{plan:?}");
        runs_as_planned(&branch, plan).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlserver_a_plan_shows_what_has_a_transaction_of_its_own() {
    let Some(branch) = with_procedures().await else { return };
    migration(&branch, "2_Made", &["CREATE PROCEDURE made AS INSERT INTO audit VALUES (4)", "EXEC made"]);
    let text = "DECLARE @text nvarchar(100) = N'INSERT INTO audit VALUES (5)'; EXEC(@text)";
    migration(&branch, "3_Calls", &["EXEC made", "EXEC plain", text, LAST]);
    let (statements, plan) = planned(&branch).await;
    assert_eq!(statements, [(1, true), (1, true), (2, true), (2, true), (3, true), (4, true)]);
    runs_as_planned(&branch, plan).await;
}
