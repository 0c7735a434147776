-- branchkeeper: description="The people who work the tills" depends-on=20251205143022_AddUserIdToSales

CREATE TABLE `Users` (
    `Id`             CHAR(36)     NOT NULL,
    `Username`       VARCHAR(60)  NOT NULL,
    `DisplayName`    VARCHAR(120) NOT NULL,
    `Role`           VARCHAR(20)  NOT NULL DEFAULT 'Cashier',
    `PasswordHash`   VARCHAR(255),
    `PinHash`        VARCHAR(255),
    `IsActive`       BOOLEAN      NOT NULL DEFAULT TRUE,
    `LastLoginAt`    DATETIME(6),
    `RowVersion`     BIGINT       NOT NULL DEFAULT 1,
    `CreatedAt`      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`      DATETIME(6),
    `SyncedAt`       DATETIME(6),
    `ActiveUsername` VARCHAR(60)  GENERATED ALWAYS AS (CASE WHEN `DeletedAt` IS NULL THEN LOWER(`Username`) END) VIRTUAL,
    CONSTRAINT `PK_Users` PRIMARY KEY (`Id`),
    CONSTRAINT `CK_Users_Username` CHECK (CHAR_LENGTH(TRIM(`Username`)) > 0),
    CONSTRAINT `CK_Users_Role` CHECK (`Role` IN ('Cashier', 'Supervisor', 'Manager', 'Administrator'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX `UX_Users_Username` ON `Users` (`ActiveUsername`);
