-- branchkeeper: description="The people who work the tills" depends-on=20251205143022_AddUserIdToSales

CREATE TABLE "Users" (
    "Id"           uuid         NOT NULL,
    "Username"     varchar(60)  NOT NULL,
    "DisplayName"  varchar(120) NOT NULL,
    "Role"         varchar(20)  NOT NULL DEFAULT 'Cashier',
    "PasswordHash" varchar(255),
    "PinHash"      varchar(255),
    "IsActive"     boolean      NOT NULL DEFAULT true,
    "LastLoginAt"  timestamptz,
    "RowVersion"   bigint       NOT NULL DEFAULT 1,
    "CreatedAt"    timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"    timestamptz  NOT NULL DEFAULT now(),
    "DeletedAt"    timestamptz,
    "SyncedAt"     timestamptz,
    CONSTRAINT "PK_Users" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_Users_Username" CHECK (length(trim("Username")) > 0),
    CONSTRAINT "CK_Users_Role" CHECK ("Role" IN ('Cashier', 'Supervisor', 'Manager', 'Administrator'))
);
CREATE UNIQUE INDEX "UX_Users_Username" ON "Users" (lower("Username")) WHERE "DeletedAt" IS NULL;
