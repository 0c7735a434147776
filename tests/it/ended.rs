//! A transaction that one of its statements has ended, on the servers where that can happen: nothing is run a second time
//! unasked, also where nobody was left to find it out.

use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::FailureClass;

use crate::doubt::Branch;
use crate::support::{Fate, Product, pb};

/// Every test function named here runs on MariaDB, on MySQL and on SQL Server.
macro_rules! on_each {
    ($($name:ident),* $(,)?) => {
        $crate::ended::on_each!(on_mariadb mariadb $($name)*);
        $crate::ended::on_each!(on_mysql mysql $($name)*);
        $crate::ended::on_each!(on_sqlserver sqlserver_server $($name)*);
    };
    ($module:ident $server:ident $($name:ident)*) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some(server) = $crate::support::$server().await else { return };
                super::$name($crate::doubt::Branch::on(server).await).await;
            })*
        }
    };
}

pub(crate) use on_each;

on_each!(
    a_transaction_that_was_ended_is_a_persons_to_settle,
    a_failure_after_the_transaction_was_ended_is_told_as_such,
    a_doubt_that_the_journal_did_not_hear_of_is_told_again,
    what_was_cut_off_after_its_transaction_had_ended_is_told,
    a_crash_after_the_transaction_had_ended_is_told,
    a_crash_in_a_transaction_that_held_asks_nobody,
);

pub(crate) const FIRST: &str = "INSERT INTO audit VALUES (1)";
pub(crate) const LAST: &str = "INSERT INTO audit VALUES (2)";

/// A statement that ends the transaction, makes a table and takes so many seconds for it. It does not look like it: MySQL and MariaDB
/// each skip another comment.
fn sneaky(branch: &Branch, seconds: u32) -> String {
    match branch.database.server.product {
        Product::MariaDb => {
            format!("/*!80000 SELECT 1 */ /*M!100000 CREATE TABLE sneaky AS SELECT SLEEP({seconds}) AS a */")
        }
        Product::MySql => format!("/*M!100000 SELECT 1 */ CREATE TABLE sneaky AS SELECT SLEEP({seconds}) AS a"),
        _ => {
            let wait = wait(branch, seconds).replace('\'', "''");
            format!("EXEC('COMMIT; {wait}; CREATE TABLE sneaky (a INT); BEGIN TRANSACTION')")
        }
    }
}

/// Whether the text is seen to be one that ends the transaction, so that it was announced and only it is in doubt.
fn is_seen(branch: &Branch) -> bool {
    branch.database.server.product == Product::SqlServer
}

/// The line of what is in doubt.
fn line(branch: &Branch) -> u32 {
    if is_seen(branch) { 3 } else { 1 }
}

/// Takes back by hand what was in doubt.
async fn take_back(branch: &Branch) {
    if !is_seen(branch) {
        branch.sql("DELETE FROM audit").await;
    }
}

pub(crate) fn wait(branch: &Branch, seconds: u32) -> String {
    match branch.database.server.product {
        Product::SqlServer => format!("WAITFOR DELAY '00:00:{seconds:02}'"),
        _ => format!("DO SLEEP({seconds})"),
    }
}

/// A file of these statements.
pub(crate) fn script(branch: &Branch, statements: &[&str]) -> String {
    let end = if branch.database.server.product == Product::SqlServer { "\nGO\n" } else { ";\n" };
    statements.iter().map(|statement| format!("{statement}{end}")).collect()
}

pub(crate) async fn with_audit(branch: &Branch) {
    branch.station.migration("1_Audit.sql", "CREATE TABLE audit (n INT);\n");
    branch.succeeds().await;
}

pub(crate) fn migration(branch: &Branch, id: &str, statements: &[&str]) {
    branch.station.migration(&format!("{id}.sql"), &script(branch, statements));
}

/// What an attempt comes to once nobody holds the branch any more.
pub(crate) async fn result(branch: &Branch) -> pb::MigrationResult {
    // Some servers drop a session that asks for a lock in vain too often.
    let classes = [FailureClass::Locked, FailureClass::Connection];
    branch.once_free(|result| result.errors.first().is_some_and(|error| classes.contains(&error.class()))).await
}

async fn a_transaction_that_was_ended_is_a_persons_to_settle(branch: Branch) {
    with_audit(&branch).await;
    migration(&branch, "2_Sneaky", &[FIRST, &sneaky(&branch, 0), LAST]);
    let error = branch.asks(line(&branch)).await;
    assert_eq!((&*error.migration_id, &*error.file), ("2_Sneaky", "2_Sneaky.sql"), "{error:?}");
    let which = if is_seen(&branch) { "statement 2" } else { "statements 1 to 3" };
    assert!(error.message.contains("ended the transaction") && error.message.contains(which), "{error:?}");
    assert_eq!(branch.count("audit WHERE n = 1").await, 1, "nothing ran twice");

    // All of it took effect, so it counts as done.
    branch.resolve(true).await;
    branch.succeeds().await;
    assert_eq!(branch.count("audit WHERE n = 1").await, 1);

    // Or none of it did, because a person has taken it back; then the corrected file is run.
    branch.sql("DROP TABLE sneaky").await;
    branch.sql("DELETE FROM audit").await;
    migration(&branch, "3_Again", &[FIRST, &sneaky(&branch, 0), LAST]);
    branch.asks(line(&branch)).await;
    branch.sql("DROP TABLE sneaky").await;
    take_back(&branch).await;
    migration(&branch, "3_Again", &[FIRST, LAST]);
    branch.asks(line(&branch)).await;
    branch.resolve(false).await;
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 2);
}

async fn a_failure_after_the_transaction_was_ended_is_told_as_such(branch: Branch) {
    with_audit(&branch).await;
    migration(&branch, "2_Sneaky", &[FIRST, &sneaky(&branch, 0), "INSERT INTO nowhere VALUES (2)"]);
    let error = branch.fails().await;
    assert_eq!(error.class(), FailureClass::Ambiguous, "{error:?}");
    assert!(error.message.contains("ended the transaction"), "{error:?}");
    assert!(error.message.contains("nowhere") != is_seen(&branch), "what is seen stops there: {error:?}");
    branch.asks(line(&branch)).await;
    assert_eq!(branch.count("audit").await, 1);
}

/// The connection breaks when the journal is told that a person has to look.
async fn a_doubt_that_the_journal_did_not_hear_of_is_told_again(branch: Branch) {
    with_audit(&branch).await;
    migration(&branch, "2_Sneaky", &[FIRST, &sneaky(&branch, 0), FIRST]);
    let doubt = if is_seen(&branch) { "intent = N'together" } else { "state = 'partial'" };
    for fate in [Fate::Unsent, Fate::Unheard] {
        branch.proxy.trap(doubt, fate);
        let sprung = branch.proxy.sprung();
        let error = branch.asks(line(&branch)).await;
        assert_eq!(branch.proxy.sprung(), sprung + 1);
        assert!(error.hint.contains("resolve BR001 --applied"), "{error:?}");
        assert!(branch.count("audit").await > 0, "what was committed stays");
        branch.sql("DROP TABLE sneaky").await;
        take_back(&branch).await;
        branch.resolve(false).await;
    }
}

/// The connection is gone before the server's answer to the statement is there.
async fn what_was_cut_off_after_its_transaction_had_ended_is_told(branch: Branch) {
    with_audit(&branch).await;
    let sneaky = sneaky(&branch, 0);
    migration(&branch, "2_Sneaky", &[FIRST, &sneaky, LAST]);
    branch.proxy.trap(&sneaky, Fate::Unheard);
    let first = branch.fails().await;
    // What was announced is looked after at once.
    let class = if is_seen(&branch) { FailureClass::Ambiguous } else { FailureClass::Connection };
    assert_eq!((first.class(), branch.proxy.sprung()), (class, 1), "{first:?}");
    let error = result(&branch).await.errors.remove(0);
    assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, line(&branch)), "{error:?}");
    branch.asks(line(&branch)).await;
    assert_eq!((branch.count("audit WHERE n = 1").await, branch.count("audit WHERE n = 2").await), (1, 0));
    if !is_seen(&branch) {
        branch.sql(LAST).await;
    }
    branch.resolve(true).await;
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 2, "nothing ran twice");
}

async fn a_crash_after_the_transaction_had_ended_is_told(mut branch: Branch) {
    with_audit(&branch).await;
    migration(&branch, "2_Sneaky", &[FIRST, &sneaky(&branch, 5), LAST]);
    begin(&branch).await;
    // Others see the row as soon as it is committed, and no sooner.
    until(&branch, "audit WHERE n = 1").await;
    if is_seen(&branch) {
        // That was the segment before; the mark of the statement's own is seen once the statement has committed it.
        until(&branch, "[__MigrationsHistoryLock] WHERE unit IS NOT NULL").await;
    }
    branch.station.kill();
    branch.station.start().await;
    let error = result(&branch).await.errors.remove(0);
    assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, line(&branch)), "{error:?}");
    branch.asks(line(&branch)).await;
    assert_eq!(branch.count("audit WHERE n = 1").await, 1, "nothing ran twice");
    take_back(&branch).await;
    migration(&branch, "2_Sneaky", &[FIRST, LAST]);
    branch.resolve(false).await;
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 2);
}

async fn a_crash_in_a_transaction_that_held_asks_nobody(mut branch: Branch) {
    with_audit(&branch).await;
    migration(&branch, "2_Slow", &[FIRST, &wait(&branch, 3), LAST]);
    let request = pb::ApplyAllRequest { include_statements: true, ..pb::ApplyAllRequest::default() };
    let mut events = branch.station.migrations().await.apply_all(request).await.unwrap().into_inner();
    loop {
        let event = events.message().await.unwrap().unwrap().event.unwrap().event;
        if matches!(event, Some(pb::run_event::Event::StatementFinished(_))) {
            break;
        }
    }
    branch.station.kill();
    branch.station.start().await;
    let done = result(&branch).await;
    assert!(done.success, "{done:?}");
    assert_eq!(branch.count("audit").await, 2, "once, and nobody was asked");
}

/// Has the branch migrated, and does not wait for that.
pub(crate) async fn begin(branch: &Branch) {
    let mut client = branch.station.migrations().await;
    let request = pb::ApplyRequest { branch: "BR001".into(), ..pb::ApplyRequest::default() };
    tokio::spawn(async move { client.apply(request).await });
}

/// Waits until there is a row.
pub(crate) async fn until(branch: &Branch, of: &str) {
    let begun = Instant::now();
    while branch.count(of).await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no row of {of}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
