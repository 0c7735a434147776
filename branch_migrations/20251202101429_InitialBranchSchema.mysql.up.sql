-- branchkeeper: description="Catalogue, stock, sales, purchases, expenses, settings and the queue to head office"
--
-- Conventions of every table:
--   Id          made by the till that creates the row, so that branches never wait for each other
--   RowVersion  raised by one with every change; the higher version wins when copies meet
--   DeletedAt   set instead of deleting, so that the deletion reaches head office as well
--   SyncedAt    when head office last confirmed the row; NULL while it has not
--
-- MySQL and MariaDB have no type of their own for an id, which is the lower-case text of a UUID, and no index over part
-- of a table: a generated column that is NULL outside of that part takes its place. Moments are in UTC. Text compares
-- byte by byte, as in the other kinds of database.

CREATE TABLE `Categories` (
    `Id`         CHAR(36)     NOT NULL,
    `ParentId`   CHAR(36),
    `Name`       VARCHAR(120) NOT NULL,
    `SortOrder`  INT          NOT NULL DEFAULT 0,
    `RowVersion` BIGINT       NOT NULL DEFAULT 1,
    `CreatedAt`  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`  DATETIME(6),
    `SyncedAt`   DATETIME(6),
    CONSTRAINT `PK_Categories` PRIMARY KEY (`Id`),
    CONSTRAINT `FK_Categories_Parent` FOREIGN KEY (`ParentId`) REFERENCES `Categories` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_Categories_Name` CHECK (CHAR_LENGTH(TRIM(`Name`)) > 0),
    CONSTRAINT `CK_Categories_Parent` CHECK (`ParentId` <> `Id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_Categories_ParentId` ON `Categories` (`ParentId`);

CREATE TABLE `Suppliers` (
    `Id`         CHAR(36)      NOT NULL,
    `Name`       VARCHAR(200)  NOT NULL,
    `TaxNumber`  VARCHAR(40),
    `Email`      VARCHAR(254),
    `Phone`      VARCHAR(40),
    `Address`    VARCHAR(500),
    `IsActive`   BOOLEAN       NOT NULL DEFAULT TRUE,
    `RowVersion` BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`  DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`  DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`  DATETIME(6),
    `SyncedAt`   DATETIME(6),
    CONSTRAINT `PK_Suppliers` PRIMARY KEY (`Id`),
    CONSTRAINT `CK_Suppliers_Name` CHECK (CHAR_LENGTH(TRIM(`Name`)) > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_Suppliers_Name` ON `Suppliers` (`Name`);

CREATE TABLE `Customers` (
    `Id`                  CHAR(36)      NOT NULL,
    `Name`                VARCHAR(200)  NOT NULL,
    `Email`               VARCHAR(254),
    `Phone`               VARCHAR(40),
    `Address`             VARCHAR(500),
    `LoyaltyNumber`       VARCHAR(40),
    `CreditLimit`         DECIMAL(18,2) NOT NULL DEFAULT 0,
    `RowVersion`          BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`           DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`           DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`           DATETIME(6),
    `SyncedAt`            DATETIME(6),
    `ActiveLoyaltyNumber` VARCHAR(40)   GENERATED ALWAYS AS (CASE WHEN `DeletedAt` IS NULL THEN `LoyaltyNumber` END) VIRTUAL,
    CONSTRAINT `PK_Customers` PRIMARY KEY (`Id`),
    CONSTRAINT `CK_Customers_Name` CHECK (CHAR_LENGTH(TRIM(`Name`)) > 0),
    CONSTRAINT `CK_Customers_CreditLimit` CHECK (`CreditLimit` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_Customers_Name` ON `Customers` (`Name`);
CREATE INDEX `IX_Customers_Phone` ON `Customers` (`Phone`);
-- A number or code may be given out again once its row is deleted: then the generated column is NULL.
CREATE UNIQUE INDEX `UX_Customers_LoyaltyNumber` ON `Customers` (`ActiveLoyaltyNumber`);

CREATE TABLE `Products` (
    `Id`            CHAR(36)      NOT NULL,
    `CategoryId`    CHAR(36)      NOT NULL,
    `SupplierId`    CHAR(36),
    `Sku`           VARCHAR(64)   NOT NULL,
    `Barcode`       VARCHAR(64),
    `Name`          VARCHAR(200)  NOT NULL,
    `Description`   TEXT,
    `Unit`          VARCHAR(20)   NOT NULL DEFAULT 'each',
    `CostPrice`     DECIMAL(18,2) NOT NULL DEFAULT 0,
    `SalePrice`     DECIMAL(18,2) NOT NULL,
    `TaxRate`       DECIMAL(5,2)  NOT NULL DEFAULT 0,
    `StockQuantity` DECIMAL(18,3) NOT NULL DEFAULT 0,
    `ReorderLevel`  DECIMAL(18,3) NOT NULL DEFAULT 0,
    `IsActive`      BOOLEAN       NOT NULL DEFAULT TRUE,
    `RowVersion`    BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`     DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`     DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`     DATETIME(6),
    `SyncedAt`      DATETIME(6),
    `ActiveSku`     VARCHAR(64)   GENERATED ALWAYS AS (CASE WHEN `DeletedAt` IS NULL THEN `Sku` END) VIRTUAL,
    `ActiveBarcode` VARCHAR(64)   GENERATED ALWAYS AS (CASE WHEN `DeletedAt` IS NULL THEN `Barcode` END) VIRTUAL,
    CONSTRAINT `PK_Products` PRIMARY KEY (`Id`),
    CONSTRAINT `FK_Products_Category` FOREIGN KEY (`CategoryId`) REFERENCES `Categories` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `FK_Products_Supplier` FOREIGN KEY (`SupplierId`) REFERENCES `Suppliers` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_Products_Name` CHECK (CHAR_LENGTH(TRIM(`Name`)) > 0),
    CONSTRAINT `CK_Products_CostPrice` CHECK (`CostPrice` >= 0),
    CONSTRAINT `CK_Products_SalePrice` CHECK (`SalePrice` >= 0),
    CONSTRAINT `CK_Products_TaxRate` CHECK (`TaxRate` BETWEEN 0 AND 100),
    CONSTRAINT `CK_Products_ReorderLevel` CHECK (`ReorderLevel` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX `UX_Products_Sku` ON `Products` (`ActiveSku`);
CREATE UNIQUE INDEX `UX_Products_Barcode` ON `Products` (`ActiveBarcode`);
CREATE INDEX `IX_Products_CategoryId` ON `Products` (`CategoryId`);
CREATE INDEX `IX_Products_SupplierId` ON `Products` (`SupplierId`);
CREATE INDEX `IX_Products_Name` ON `Products` (`Name`);

CREATE TABLE `ProductImages` (
    `Id`            CHAR(36)     NOT NULL,
    `ProductId`     CHAR(36)     NOT NULL,
    `FileName`      VARCHAR(255) NOT NULL,
    `ContentType`   VARCHAR(100) NOT NULL,
    `ContentHash`   CHAR(64)     NOT NULL,
    `SizeBytes`     BIGINT       NOT NULL,
    `SortOrder`     INT          NOT NULL DEFAULT 0,
    `IsPrimary`     BOOLEAN      NOT NULL DEFAULT FALSE,
    `RowVersion`    BIGINT       NOT NULL DEFAULT 1,
    `CreatedAt`     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`     DATETIME(6),
    `SyncedAt`      DATETIME(6),
    `ActivePrimary` BOOLEAN      GENERATED ALWAYS AS (CASE WHEN `IsPrimary` AND `DeletedAt` IS NULL THEN 1 END) VIRTUAL,
    CONSTRAINT `PK_ProductImages` PRIMARY KEY (`Id`),
    CONSTRAINT `FK_ProductImages_Product` FOREIGN KEY (`ProductId`) REFERENCES `Products` (`Id`) ON DELETE CASCADE,
    CONSTRAINT `CK_ProductImages_ContentHash` CHECK (CHAR_LENGTH(`ContentHash`) = 64),
    CONSTRAINT `CK_ProductImages_SizeBytes` CHECK (`SizeBytes` > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_ProductImages_ProductId` ON `ProductImages` (`ProductId`, `SortOrder`);
CREATE UNIQUE INDEX `UX_ProductImages_Primary` ON `ProductImages` (`ProductId`, `ActivePrimary`);

CREATE TABLE `Sales` (
    `Id`             CHAR(36)      NOT NULL,
    `ReceiptNumber`  VARCHAR(40)   NOT NULL,
    `CustomerId`     CHAR(36),
    `Status`         VARCHAR(20)   NOT NULL DEFAULT 'Completed',
    `PaymentMethod`  VARCHAR(20)   NOT NULL,
    `SubtotalAmount` DECIMAL(18,2) NOT NULL,
    `DiscountAmount` DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TaxAmount`      DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TotalAmount`    DECIMAL(18,2) NOT NULL,
    `PaidAmount`     DECIMAL(18,2) NOT NULL DEFAULT 0,
    `Note`           VARCHAR(500),
    `SoldAt`         DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `RowVersion`     BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`      DATETIME(6),
    `SyncedAt`       DATETIME(6),
    CONSTRAINT `PK_Sales` PRIMARY KEY (`Id`),
    CONSTRAINT `UQ_Sales_ReceiptNumber` UNIQUE (`ReceiptNumber`),
    CONSTRAINT `FK_Sales_Customer` FOREIGN KEY (`CustomerId`) REFERENCES `Customers` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_Sales_Status` CHECK (`Status` IN ('Open', 'Completed', 'Voided', 'Refunded')),
    CONSTRAINT `CK_Sales_PaymentMethod` CHECK (`PaymentMethod` IN ('Cash', 'Card', 'Transfer', 'Voucher', 'Credit', 'Mixed')),
    CONSTRAINT `CK_Sales_DiscountAmount` CHECK (`DiscountAmount` >= 0),
    CONSTRAINT `CK_Sales_TotalAmount` CHECK (`TotalAmount` = `SubtotalAmount` - `DiscountAmount` + `TaxAmount`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_Sales_SoldAt` ON `Sales` (`SoldAt`);
CREATE INDEX `IX_Sales_CustomerId` ON `Sales` (`CustomerId`, `SoldAt`);

CREATE TABLE `SaleLineItems` (
    `Id`             CHAR(36)      NOT NULL,
    `SaleId`         CHAR(36)      NOT NULL,
    `ProductId`      CHAR(36)      NOT NULL,
    `LineNumber`     INT           NOT NULL,
    `Quantity`       DECIMAL(18,3) NOT NULL,
    `UnitPrice`      DECIMAL(18,2) NOT NULL,
    `DiscountAmount` DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TaxAmount`      DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TotalAmount`    DECIMAL(18,2) NOT NULL,
    `RowVersion`     BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`      DATETIME(6),
    `SyncedAt`       DATETIME(6),
    CONSTRAINT `PK_SaleLineItems` PRIMARY KEY (`Id`),
    CONSTRAINT `UQ_SaleLineItems_LineNumber` UNIQUE (`SaleId`, `LineNumber`),
    CONSTRAINT `FK_SaleLineItems_Sale` FOREIGN KEY (`SaleId`) REFERENCES `Sales` (`Id`) ON DELETE CASCADE,
    CONSTRAINT `FK_SaleLineItems_Product` FOREIGN KEY (`ProductId`) REFERENCES `Products` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_SaleLineItems_LineNumber` CHECK (`LineNumber` > 0),
    -- A returned article is a line of negative quantity.
    CONSTRAINT `CK_SaleLineItems_Quantity` CHECK (`Quantity` <> 0),
    CONSTRAINT `CK_SaleLineItems_UnitPrice` CHECK (`UnitPrice` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_SaleLineItems_ProductId` ON `SaleLineItems` (`ProductId`);

CREATE TABLE `Purchases` (
    `Id`             CHAR(36)      NOT NULL,
    `PurchaseNumber` VARCHAR(40)   NOT NULL,
    `SupplierId`     CHAR(36)      NOT NULL,
    `InvoiceNumber`  VARCHAR(60),
    `Status`         VARCHAR(20)   NOT NULL DEFAULT 'Draft',
    `SubtotalAmount` DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TaxAmount`      DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TotalAmount`    DECIMAL(18,2) NOT NULL DEFAULT 0,
    `OrderedAt`      DATETIME(6),
    `ReceivedAt`     DATETIME(6),
    `RowVersion`     BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`      DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`      DATETIME(6),
    `SyncedAt`       DATETIME(6),
    CONSTRAINT `PK_Purchases` PRIMARY KEY (`Id`),
    CONSTRAINT `UQ_Purchases_PurchaseNumber` UNIQUE (`PurchaseNumber`),
    CONSTRAINT `FK_Purchases_Supplier` FOREIGN KEY (`SupplierId`) REFERENCES `Suppliers` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_Purchases_Status` CHECK (`Status` IN ('Draft', 'Ordered', 'Received', 'Cancelled')),
    CONSTRAINT `CK_Purchases_ReceivedAt` CHECK (`Status` <> 'Received' OR `ReceivedAt` IS NOT NULL),
    CONSTRAINT `CK_Purchases_TotalAmount` CHECK (`TotalAmount` = `SubtotalAmount` + `TaxAmount`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_Purchases_SupplierId` ON `Purchases` (`SupplierId`, `OrderedAt`);

CREATE TABLE `PurchaseLineItems` (
    `Id`               CHAR(36)      NOT NULL,
    `PurchaseId`       CHAR(36)      NOT NULL,
    `ProductId`        CHAR(36)      NOT NULL,
    `LineNumber`       INT           NOT NULL,
    `Quantity`         DECIMAL(18,3) NOT NULL,
    `ReceivedQuantity` DECIMAL(18,3) NOT NULL DEFAULT 0,
    `UnitCost`         DECIMAL(18,2) NOT NULL,
    `TaxAmount`        DECIMAL(18,2) NOT NULL DEFAULT 0,
    `TotalAmount`      DECIMAL(18,2) NOT NULL,
    `RowVersion`       BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`        DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`        DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`        DATETIME(6),
    `SyncedAt`         DATETIME(6),
    CONSTRAINT `PK_PurchaseLineItems` PRIMARY KEY (`Id`),
    CONSTRAINT `UQ_PurchaseLineItems_LineNumber` UNIQUE (`PurchaseId`, `LineNumber`),
    CONSTRAINT `FK_PurchaseLineItems_Purchase` FOREIGN KEY (`PurchaseId`) REFERENCES `Purchases` (`Id`) ON DELETE CASCADE,
    CONSTRAINT `FK_PurchaseLineItems_Product` FOREIGN KEY (`ProductId`) REFERENCES `Products` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_PurchaseLineItems_LineNumber` CHECK (`LineNumber` > 0),
    CONSTRAINT `CK_PurchaseLineItems_Quantity` CHECK (`Quantity` > 0),
    CONSTRAINT `CK_PurchaseLineItems_ReceivedQuantity` CHECK (`ReceivedQuantity` >= 0),
    CONSTRAINT `CK_PurchaseLineItems_UnitCost` CHECK (`UnitCost` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_PurchaseLineItems_ProductId` ON `PurchaseLineItems` (`ProductId`);

CREATE TABLE `ExpenseCategories` (
    `Id`         CHAR(36)     NOT NULL,
    `Name`       VARCHAR(120) NOT NULL,
    `IsActive`   BOOLEAN      NOT NULL DEFAULT TRUE,
    `RowVersion` BIGINT       NOT NULL DEFAULT 1,
    `CreatedAt`  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`  DATETIME(6),
    `SyncedAt`   DATETIME(6),
    `ActiveName` VARCHAR(120) GENERATED ALWAYS AS (CASE WHEN `DeletedAt` IS NULL THEN `Name` END) VIRTUAL,
    CONSTRAINT `PK_ExpenseCategories` PRIMARY KEY (`Id`),
    CONSTRAINT `CK_ExpenseCategories_Name` CHECK (CHAR_LENGTH(TRIM(`Name`)) > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX `UX_ExpenseCategories_Name` ON `ExpenseCategories` (`ActiveName`);

CREATE TABLE `Expenses` (
    `Id`                CHAR(36)      NOT NULL,
    `ExpenseCategoryId` CHAR(36)      NOT NULL,
    `SupplierId`        CHAR(36),
    `Description`       VARCHAR(500)  NOT NULL,
    `Amount`            DECIMAL(18,2) NOT NULL,
    `TaxAmount`         DECIMAL(18,2) NOT NULL DEFAULT 0,
    `PaymentMethod`     VARCHAR(20)   NOT NULL DEFAULT 'Cash',
    `SpentAt`           DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `RowVersion`        BIGINT        NOT NULL DEFAULT 1,
    `CreatedAt`         DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`         DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `DeletedAt`         DATETIME(6),
    `SyncedAt`          DATETIME(6),
    CONSTRAINT `PK_Expenses` PRIMARY KEY (`Id`),
    CONSTRAINT `FK_Expenses_ExpenseCategory` FOREIGN KEY (`ExpenseCategoryId`) REFERENCES `ExpenseCategories` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `FK_Expenses_Supplier` FOREIGN KEY (`SupplierId`) REFERENCES `Suppliers` (`Id`) ON DELETE RESTRICT,
    CONSTRAINT `CK_Expenses_Amount` CHECK (`Amount` > 0),
    CONSTRAINT `CK_Expenses_TaxAmount` CHECK (`TaxAmount` BETWEEN 0 AND `Amount`),
    CONSTRAINT `CK_Expenses_PaymentMethod` CHECK (`PaymentMethod` IN ('Cash', 'Card', 'Transfer'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_Expenses_ExpenseCategoryId` ON `Expenses` (`ExpenseCategoryId`, `SpentAt`);
CREATE INDEX `IX_Expenses_SupplierId` ON `Expenses` (`SupplierId`);
CREATE INDEX `IX_Expenses_SpentAt` ON `Expenses` (`SpentAt`);

CREATE TABLE `Settings` (
    `Key`        VARCHAR(100) NOT NULL,
    `Value`      TEXT         NOT NULL,
    `RowVersion` BIGINT       NOT NULL DEFAULT 1,
    `CreatedAt`  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `UpdatedAt`  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `SyncedAt`   DATETIME(6),
    CONSTRAINT `PK_Settings` PRIMARY KEY (`Key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Changes on their way to head office, sent in the order of Id and deleted once they are confirmed.
CREATE TABLE `SyncQueue` (
    `Id`            BIGINT       NOT NULL AUTO_INCREMENT,
    `EntityName`    VARCHAR(60)  NOT NULL,
    `EntityId`      VARCHAR(100) NOT NULL,
    `Operation`     VARCHAR(10)  NOT NULL,
    `RowVersion`    BIGINT       NOT NULL,
    `Payload`       JSON         NOT NULL,
    `Attempts`      INT          NOT NULL DEFAULT 0,
    `NextAttemptAt` DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    `LastError`     TEXT,
    `CreatedAt`     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    CONSTRAINT `PK_SyncQueue` PRIMARY KEY (`Id`),
    CONSTRAINT `UQ_SyncQueue_Entity` UNIQUE (`EntityName`, `EntityId`, `RowVersion`),
    CONSTRAINT `CK_SyncQueue_Operation` CHECK (`Operation` IN ('Insert', 'Update', 'Delete')),
    CONSTRAINT `CK_SyncQueue_Attempts` CHECK (`Attempts` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX `IX_SyncQueue_NextAttemptAt` ON `SyncQueue` (`NextAttemptAt`, `Id`);
