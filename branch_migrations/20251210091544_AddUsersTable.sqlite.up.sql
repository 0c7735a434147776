-- branchkeeper: description="The people who work the tills" depends-on=20251205143022_AddUserIdToSales

CREATE TABLE "Users" (
    "Id"           TEXT    NOT NULL,
    "Username"     TEXT    NOT NULL,
    "DisplayName"  TEXT    NOT NULL,
    "Role"         TEXT    NOT NULL DEFAULT 'Cashier',
    "PasswordHash" TEXT,
    "PinHash"      TEXT,
    "IsActive"     INTEGER NOT NULL DEFAULT 1 CHECK ("IsActive" IN (0, 1)),
    "LastLoginAt"  TEXT,
    "RowVersion"   INTEGER NOT NULL DEFAULT 1,
    "CreatedAt"    TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"    TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"    TEXT,
    "SyncedAt"     TEXT,
    CONSTRAINT "PK_Users" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_Users_Username" CHECK (length(trim("Username")) > 0),
    CONSTRAINT "CK_Users_Role" CHECK ("Role" IN ('Cashier', 'Supervisor', 'Manager', 'Administrator'))
);
CREATE UNIQUE INDEX "UX_Users_Username" ON "Users" (lower("Username")) WHERE "DeletedAt" IS NULL;
