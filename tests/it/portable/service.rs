//! Portable migrations through the whole service.

use crate::support::{self, Station, outcome, server_branch, sqlite_branch};

const TABLES: &str = "description: Sales
up:
  - create_table:
      name: Sales
      columns:
        Id:   { type: bigint, identity: true, primary_key: true }
        Shop: { type: int, nullable: true }
      indexes:
        - { columns: [Shop, Id desc] }
";
const COLUMNS: &str = "up:
  - add_column: { table: Sales, name: Note, type: string(400), nullable: true }
  - add_column: { table: Sales, name: IsPaid, type: bool, default: false }
  - create_index: { table: Sales, columns: [Note], online: true }
";
const ELSEWHERE: &str = "up:
  - sql: { sqlserver: SELECT 1 }
";
const ROWS: &str = "up:
  - insert: { table: Sales, rows: [{ Shop: 1, IsPaid: true }, { Shop: null, IsPaid: false, Note: now and then }] }
  - insert: { table: Sales, rows: [{ Id: 100, Shop: 2, IsPaid: true }] }
  - update: { table: Sales, set: { Note: \"0010\" }, where: '\"Shop\" = 1' }
";

#[tokio::test]
async fn every_server_applies_the_same_files() {
    // The servers first: they take free ports, and the service's is free until it starts.
    let servers = [
        Some(support::postgres().await),
        support::mariadb().await,
        support::mysql().await,
        support::sqlserver_server().await,
    ];
    let mut station = Station::new();
    for (name, yaml) in [("1_Tables", TABLES), ("2_Columns", COLUMNS), ("3_Elsewhere", ELSEWHERE), ("4_Rows", ROWS)] {
        station.migration(&format!("{name}.yaml"), yaml);
    }
    let mut databases = Vec::new();
    let mut branches = vec![sqlite_branch("BR001")];
    for (index, server) in servers.into_iter().flatten().enumerate() {
        let database = server.fresh_database().await;
        let variable = format!("BRANCH_PASSWORD_{index}");
        station.variable(&variable, &server.password);
        branches.push(server_branch(&format!("BR10{index}"), server, &database.name, &format!("env:{variable}")));
        databases.push(database);
    }
    station.start().await;
    for branch in branches {
        let code = branch.code.clone();
        station.register(branch).await;
        let result = outcome(&station, &code).await;
        assert!(result.success, "{code}: {result:?}");
        assert_eq!(result.applied_migrations.len(), 4, "{code}: {result:?}");
        assert!(outcome(&station, &code).await.applied_migrations.is_empty(), "{code}");
    }
}

#[tokio::test]
async fn a_statement_that_fails_is_placed_at_its_operation() {
    let mut station = Station::new();
    station.migration("1_Tables.yaml", TABLES);
    station.migration(
        "2_Wrong.yaml",
        "up:\n  - sql: SELECT 1\n  - insert: { table: Sales, rows: [{ Id: 1, Shop: 1 }, { Id: 1, Shop: 2 }] }\n",
    );
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let result = outcome(&station, "BR001").await;
    let error = format!("{:?}", result);
    assert!(!result.success && error.contains("2_Wrong.yaml") && error.contains("line: 3"), "{error}");
}
