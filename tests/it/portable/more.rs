//! What the pages show no example of: title, what is there before, the migration.

const NOTHING: &str = "up:\n  - sql: SELECT 1\n";

pub(super) const MORE: [(&str, &str, &str); 7] = [
    (
        "Actions",
        NOTHING,
        "up:
  - create_table:
      name: Parents
      columns:
        Id:   { type: int, primary_key: true }
        Code: { type: string(20) }
      unique: [{ columns: [Id, Code] }]
  - create_table:
      name: Children
      columns:
        Id: { type: int, primary_key: true }
        A:  { type: int, references: { table: Parents, columns: [Id], on_delete: cascade, on_update: cascade } }
  - create_table:
      name: Strays
      columns:
        Id: { type: int, primary_key: true }
        B:  { type: int, nullable: true, references: Parents(Id), on_delete: set_null }
  - create_table:
      name: Pairs
      columns:
        Id: { type: int, primary_key: true }
        C:  { type: int, default: 1 }
        D:  { type: string(20), nullable: true }
      foreign_keys:
        - { columns: [C, D], references: 'Parents(Id, Code)', on_delete: restrict, name: FK_Pairs }
        - { columns: [C], references: Parents(Id), on_delete: set_default, providers: [sqlite, postgres, sqlserver] }
",
    ),
    (
        "Keys and order",
        NOTHING,
        "up:
  - create_table:
      name: Lines
      columns:
        Sale:   { type: int }
        Number: { type: smallint }
        Item:   { type: string(40) }
        Count:  { type: int, default: 1 }
      primary_key: [Number, Sale]
      indexes:
        - { columns: [Item desc, Count], unique: true, name: UX_Lines }
        - { columns: [Count, Item desc], name: IX_Lines }
",
    ),
    (
        "Numbers",
        NOTHING,
        "up:
  - create_table:
      name: Numbers
      columns:
        Id:     { type: bigint, identity: always, primary_key: true }
        Net:    { type: \"decimal(12,2)\" }
        Gross:  { type: \"decimal(14,4)\", generated: Net * 2, stored: true }
",
    ),
    (
        "Odd names",
        NOTHING,
        "up:
  - create_table:
      name: 'Order \"x\" `y` [z]'
      columns:
        'select':      { type: int, primary_key: true }
        'it''s \"so\"': { type: string(20), unique: true }
        'ŁÓDŹ':        { type: int, nullable: true, references: 'Order \"x\" `y` [z](select)' }
      indexes:
        - { columns: ['ŁÓDŹ', 'select desc'] }
",
    ),
    (
        "Long names",
        NOTHING,
        "up:
  - create_table:
      name: AVeryLongNameOfATableThatNobodyWouldChoose
      columns:
        Id:                                  { type: int, primary_key: true }
        AColumnWithANameThatIsNotShortEither: { type: string(20), unique: true }
        AnotherColumnWithSuchANameAsWell:     { type: int }
      indexes:
        - { columns: [AColumnWithANameThatIsNotShortEither desc, AnotherColumnWithSuchANameAsWell] }
        - { columns: [AColumnWithANameThatIsNotShortEither, AnotherColumnWithSuchANameAsWell] }
",
    ),
    (
        "Several changes of one table",
        "up:
  - create_table:
      name: Sales
      columns:
        Id:    { type: int, primary_key: true }
        Shop:  { type: int, nullable: true }
        Total: { type: \"decimal(12,2)\", default: 0 }
",
        "up:
  - alter_column: { table: Sales, name: Shop, type: int, nullable: false, default: 1, was: { type: int, nullable: true, default: null } }
  - add_column: { table: Sales, name: Note, type: string(40), nullable: true }
  - create_index: { table: Sales, columns: [Note desc], name: IX_Note }
  - add_check: { table: Sales, name: CK_Total, check: '\"Total\" >= 0' }
  - add_unique: { table: Sales, columns: [Shop, Id], name: UQ_Shop }
",
    ),
    (
        "Values that are made up",
        "up:
  - create_table:
      name: Things
      columns:
        Id:   { type: int, primary_key: true }
        Code: { type: uuid, nullable: true }
",
        "up:
  - add_column: { table: Things, name: First, type: int, nullable: true }
  - add_column: { table: Things, name: Mark, type: uuid, default: uuid }
  - add_column: { table: Things, name: Second, type: int, nullable: true }
  - alter_column: { table: Things, name: Code, default: uuid, was: { type: uuid, nullable: true, default: null } }
  - add_column: { table: Things, name: Third, type: int, nullable: true }
",
    ),
];
