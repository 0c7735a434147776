//! What rows and columns are like after portable migrations, where a server left to itself would lose something.

use branchkeeper::domain::Provider;

use super::catalog::{Place, catalogue};

const BEFORE: &str = "up:
  - create_table:
      name: Tickets
      columns:
        Id:    { type: int, identity: true, primary_key: true }
        Name:  { type: string(10), comment: Whose it is }
        Flag:  { type: bool, default: false }
        Extra: { type: json, nullable: true }
        At:    { type: timestamptz, nullable: true }
        State: { type: \"enum('a,b', 'it''s')\", default: \"it's\" }
  - insert:
      table: Tickets
      rows:
        - { Id: 5, Name: 12.50, Flag: 1, Extra: '{}', At: \"2024-01-02T03:04:05+02:00\", State: 'a,b' }
";
const CHANGED: &str = "up:
  - drop_primary_key: { table: Tickets, providers: [sqlserver] }
  - alter_column: { table: Tickets, name: Id, type: bigint, nullable: false, identity: true }
  - add_primary_key: { table: Tickets, columns: [Id], providers: [sqlserver] }
  - alter_column: { table: Tickets, name: Name, type: string(20), nullable: false, default: x, comment: Whose it is }
  - alter_column: { table: Tickets, name: Flag, type: int, nullable: false, default: 0 }
  - alter_column: { table: Tickets, name: Extra, type: text, nullable: true, default: null }
  - update: { table: Tickets, set: { State: \"it's\" }, where: Name = '12.50' }
  - insert: { table: Tickets, rows: [{ Name: after }, { Flag: 7, Extra: no JSON }] }
";
const BACK: &str = "up:
  - delete: { table: Tickets, where: Flag = 7 }
  - alter_column: { table: Tickets, name: Flag, type: bool, nullable: false, default: false }
  - alter_column: { table: Tickets, name: Extra, type: json, nullable: true, default: null }
  - drop_primary_key: { table: Tickets, providers: [postgres, mysql, sqlserver] }
  - add_primary_key: { table: Tickets, columns: [Id, Name], providers: [postgres, mysql, sqlserver] }
  - insert: { table: Tickets, rows: [{ Name: last }] }
";

/// One text from a query with names in double quotes.
async fn ask(place: &mut Place, expression: &str, rest: &str) -> String {
    let kind = match place.provider() {
        Provider::Sqlite | Provider::Postgres => "text",
        Provider::MySql => "char",
        Provider::SqlServer => "nvarchar(100)",
    };
    let sql = format!("SELECT CAST({expression} AS {kind}) FROM \"Tickets\" {rest}");
    let sql = if place.provider() == Provider::MySql { sql.replace('"', "`") } else { sql };
    place.lines(&sql).await.join(",")
}

async fn refuses(place: &mut Place, row: &str) -> bool {
    let sql = format!("INSERT INTO \"Tickets\" (\"Name\", \"Flag\", \"Extra\") VALUES {row}");
    let sql = if place.provider() == Provider::MySql { sql.replace('"', "`") } else { sql };
    let text = format!("up:\n  - sql: |\n      {sql}\n");
    let catalogue = catalogue(&[("1_Row.yaml", &text)]).unwrap();
    let [row] = catalogue.of(place.provider()).migrations() else { panic!("one migration") };
    place.try_run(&row.up).await.is_err()
}

#[tokio::test]
async fn numbers_comments_and_checks_survive_a_change_of_type() {
    let all = catalogue(&[("1_Before.yaml", BEFORE), ("2_Changed.yaml", CHANGED), ("3_Back.yaml", BACK)]);
    let all = all.unwrap_or_else(|problems| panic!("{problems}"));
    for mut place in Place::all().await {
        let name = place.name();
        let [before, changed, back] = all.of(place.provider()).migrations() else { panic!("{name}: not three") };
        place.run(&before.up).await;
        assert_eq!(ask(&mut place, "\"Name\"", "").await, "12.50", "{name}: a text is kept as it is written");
        let at = ask(&mut place, "\"At\"", "").await;
        let is_utc = at.contains("01:04:05") || (name == "PostgreSQL" && at.contains(":04:05+"));
        assert!(is_utc || place.provider() == Provider::SqlServer, "{name}: {at}");
        assert_eq!(ask(&mut place, "\"State\"", "").await, "a,b", "{name}");

        place.run(&changed.up).await;
        let after = ask(&mut place, "\"Id\"", "WHERE \"Name\" = 'after'").await;
        assert!(after.parse::<u64>().is_ok_and(|number| number > 5), "{name}: numbered {after} after 5");
        assert_eq!(ask(&mut place, "\"State\"", "WHERE \"Name\" = '12.50'").await, "it's", "{name}");
        assert_eq!(ask(&mut place, "COUNT(*)", "WHERE \"Flag\" = 7").await, "1", "{name}");
        let is_commented = place.catalog().await.iter().any(|line| line.contains("Whose it is"));
        assert!(is_commented || place.provider() == Provider::Sqlite, "{name}: the comment is gone");

        place.run(&back.up).await;
        let last = ask(&mut place, "\"Id\"", "WHERE \"Name\" = 'last'").await;
        assert!(last.parse::<u64>().is_ok_and(|number| number > 5), "{name}: numbered {last} after 5");
        assert!(
            refuses(&mut place, "('j', 0, 'no JSON')").await || refuses(&mut place, "('j', false, 'no JSON')").await
        );
        if place.provider() == Provider::Sqlite {
            assert!(refuses(&mut place, "('b', 7, NULL)").await, "the check of a bool is back");
            assert!(!refuses(&mut place, "('b', 1, NULL)").await);
        }
    }
}
