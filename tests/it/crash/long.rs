//! Statements that take longer than drivers wait by themselves.

use super::kills;
use crate::doubt::Branch;
use crate::support::{skip, sqlserver_server};

/// Thirty seconds are what most of SQL Server's drivers wait for a command.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_on_sqlserver_takes_as_long_as_it_takes() {
    if kills() < 100 {
        return skip::say("a statement of 35 seconds: only among the long tests of make crash");
    }
    let Some(server) = sqlserver_server().await else { return };
    let branch = Branch::on(server).await;
    let text = "CREATE TABLE audit (n INT);\nGO\nWAITFOR DELAY '00:00:35';\nGO\nINSERT INTO audit VALUES (1);\n";
    branch.station.migration("1_Long.sqlserver.sql", text);
    branch.succeeds().await;
    assert_eq!(branch.count("audit").await, 1);
}
