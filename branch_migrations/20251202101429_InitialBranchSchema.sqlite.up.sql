-- branchkeeper: description="Catalogue, stock, sales, purchases, expenses, settings and the queue to head office"
--
-- Conventions of every table:
--   Id          made by the till that creates the row, so that branches never wait for each other
--   RowVersion  raised by one with every change; the higher version wins when copies meet
--   DeletedAt   set instead of deleting, so that the deletion reaches head office as well
--   SyncedAt    when head office last confirmed the row; NULL while it has not
--
-- SQLite has no type of its own for these: an id is the lower-case text of a UUID, a moment is ISO 8601 text in UTC with
-- milliseconds, yes and no are 1 and 0. A DECIMAL is kept as an integer or a float, exact to 15 digits, which is why
-- sums of money are compared rounded to cents.

CREATE TABLE "Categories" (
    "Id"          TEXT           NOT NULL,
    "ParentId"    TEXT,
    "Name"        TEXT           NOT NULL,
    "SortOrder"   INTEGER        NOT NULL DEFAULT 0,
    "RowVersion"  INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"   TEXT,
    "SyncedAt"    TEXT,
    CONSTRAINT "PK_Categories" PRIMARY KEY ("Id"),
    CONSTRAINT "FK_Categories_Parent" FOREIGN KEY ("ParentId") REFERENCES "Categories" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Categories_Name" CHECK (length(trim("Name")) > 0),
    CONSTRAINT "CK_Categories_Parent" CHECK ("ParentId" <> "Id")
);
CREATE INDEX "IX_Categories_ParentId" ON "Categories" ("ParentId");

CREATE TABLE "Suppliers" (
    "Id"          TEXT           NOT NULL,
    "Name"        TEXT           NOT NULL,
    "TaxNumber"   TEXT,
    "Email"       TEXT,
    "Phone"       TEXT,
    "Address"     TEXT,
    "IsActive"    INTEGER        NOT NULL DEFAULT 1 CHECK ("IsActive" IN (0, 1)),
    "RowVersion"  INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"   TEXT,
    "SyncedAt"    TEXT,
    CONSTRAINT "PK_Suppliers" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_Suppliers_Name" CHECK (length(trim("Name")) > 0)
);
CREATE INDEX "IX_Suppliers_Name" ON "Suppliers" ("Name");

CREATE TABLE "Customers" (
    "Id"            TEXT           NOT NULL,
    "Name"          TEXT           NOT NULL,
    "Email"         TEXT,
    "Phone"         TEXT,
    "Address"       TEXT,
    "LoyaltyNumber" TEXT,
    "CreditLimit"   DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "RowVersion"    INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"     TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"     TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"     TEXT,
    "SyncedAt"      TEXT,
    CONSTRAINT "PK_Customers" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_Customers_Name" CHECK (length(trim("Name")) > 0),
    CONSTRAINT "CK_Customers_CreditLimit" CHECK ("CreditLimit" >= 0)
);
CREATE INDEX "IX_Customers_Name" ON "Customers" ("Name");
CREATE INDEX "IX_Customers_Phone" ON "Customers" ("Phone");
-- A number or code may be given out again once its row is deleted.
CREATE UNIQUE INDEX "UX_Customers_LoyaltyNumber" ON "Customers" ("LoyaltyNumber") WHERE "DeletedAt" IS NULL;

CREATE TABLE "Products" (
    "Id"            TEXT           NOT NULL,
    "CategoryId"    TEXT           NOT NULL,
    "SupplierId"    TEXT,
    "Sku"           TEXT           NOT NULL,
    "Barcode"       TEXT,
    "Name"          TEXT           NOT NULL,
    "Description"   TEXT,
    "Unit"          TEXT           NOT NULL DEFAULT 'each',
    "CostPrice"     DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "SalePrice"     DECIMAL(18, 2) NOT NULL,
    "TaxRate"       DECIMAL(5, 2)  NOT NULL DEFAULT 0,
    "StockQuantity" DECIMAL(18, 3) NOT NULL DEFAULT 0,
    "ReorderLevel"  DECIMAL(18, 3) NOT NULL DEFAULT 0,
    "IsActive"      INTEGER        NOT NULL DEFAULT 1 CHECK ("IsActive" IN (0, 1)),
    "RowVersion"    INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"     TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"     TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"     TEXT,
    "SyncedAt"      TEXT,
    CONSTRAINT "PK_Products" PRIMARY KEY ("Id"),
    CONSTRAINT "FK_Products_Category" FOREIGN KEY ("CategoryId") REFERENCES "Categories" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "FK_Products_Supplier" FOREIGN KEY ("SupplierId") REFERENCES "Suppliers" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Products_Name" CHECK (length(trim("Name")) > 0),
    CONSTRAINT "CK_Products_CostPrice" CHECK ("CostPrice" >= 0),
    CONSTRAINT "CK_Products_SalePrice" CHECK ("SalePrice" >= 0),
    CONSTRAINT "CK_Products_TaxRate" CHECK ("TaxRate" BETWEEN 0 AND 100),
    CONSTRAINT "CK_Products_ReorderLevel" CHECK ("ReorderLevel" >= 0)
);
CREATE UNIQUE INDEX "UX_Products_Sku" ON "Products" ("Sku") WHERE "DeletedAt" IS NULL;
CREATE UNIQUE INDEX "UX_Products_Barcode" ON "Products" ("Barcode") WHERE "DeletedAt" IS NULL;
CREATE INDEX "IX_Products_CategoryId" ON "Products" ("CategoryId");
CREATE INDEX "IX_Products_SupplierId" ON "Products" ("SupplierId");
CREATE INDEX "IX_Products_Name" ON "Products" ("Name");

CREATE TABLE "ProductImages" (
    "Id"          TEXT           NOT NULL,
    "ProductId"   TEXT           NOT NULL,
    "FileName"    TEXT           NOT NULL,
    "ContentType" TEXT           NOT NULL,
    "ContentHash" TEXT           NOT NULL,
    "SizeBytes"   INTEGER        NOT NULL,
    "SortOrder"   INTEGER        NOT NULL DEFAULT 0,
    "IsPrimary"   INTEGER        NOT NULL DEFAULT 0 CHECK ("IsPrimary" IN (0, 1)),
    "RowVersion"  INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"   TEXT,
    "SyncedAt"    TEXT,
    CONSTRAINT "PK_ProductImages" PRIMARY KEY ("Id"),
    CONSTRAINT "FK_ProductImages_Product" FOREIGN KEY ("ProductId") REFERENCES "Products" ("Id") ON DELETE CASCADE,
    CONSTRAINT "CK_ProductImages_ContentHash" CHECK (length("ContentHash") = 64),
    CONSTRAINT "CK_ProductImages_SizeBytes" CHECK ("SizeBytes" > 0)
);
CREATE INDEX "IX_ProductImages_ProductId" ON "ProductImages" ("ProductId", "SortOrder");
CREATE UNIQUE INDEX "UX_ProductImages_Primary" ON "ProductImages" ("ProductId") WHERE "IsPrimary" AND "DeletedAt" IS NULL;

CREATE TABLE "Sales" (
    "Id"             TEXT           NOT NULL,
    "ReceiptNumber"  TEXT           NOT NULL,
    "CustomerId"     TEXT,
    "Status"         TEXT           NOT NULL DEFAULT 'Completed',
    "PaymentMethod"  TEXT           NOT NULL,
    "SubtotalAmount" DECIMAL(18, 2) NOT NULL,
    "DiscountAmount" DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TaxAmount"      DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TotalAmount"    DECIMAL(18, 2) NOT NULL,
    "PaidAmount"     DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "Note"           TEXT,
    "SoldAt"         TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "RowVersion"     INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"      TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"      TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"      TEXT,
    "SyncedAt"       TEXT,
    CONSTRAINT "PK_Sales" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_Sales_ReceiptNumber" UNIQUE ("ReceiptNumber"),
    CONSTRAINT "FK_Sales_Customer" FOREIGN KEY ("CustomerId") REFERENCES "Customers" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Sales_Status" CHECK ("Status" IN ('Open', 'Completed', 'Voided', 'Refunded')),
    CONSTRAINT "CK_Sales_PaymentMethod" CHECK ("PaymentMethod" IN ('Cash', 'Card', 'Transfer', 'Voucher', 'Credit', 'Mixed')),
    CONSTRAINT "CK_Sales_DiscountAmount" CHECK ("DiscountAmount" >= 0),
    CONSTRAINT "CK_Sales_TotalAmount" CHECK (round("TotalAmount" - "SubtotalAmount" + "DiscountAmount" - "TaxAmount", 2) = 0)
);
CREATE INDEX "IX_Sales_SoldAt" ON "Sales" ("SoldAt");
CREATE INDEX "IX_Sales_CustomerId" ON "Sales" ("CustomerId", "SoldAt");

CREATE TABLE "SaleLineItems" (
    "Id"             TEXT           NOT NULL,
    "SaleId"         TEXT           NOT NULL,
    "ProductId"      TEXT           NOT NULL,
    "LineNumber"     INTEGER        NOT NULL,
    "Quantity"       DECIMAL(18, 3) NOT NULL,
    "UnitPrice"      DECIMAL(18, 2) NOT NULL,
    "DiscountAmount" DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TaxAmount"      DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TotalAmount"    DECIMAL(18, 2) NOT NULL,
    "RowVersion"     INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"      TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"      TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"      TEXT,
    "SyncedAt"       TEXT,
    CONSTRAINT "PK_SaleLineItems" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_SaleLineItems_LineNumber" UNIQUE ("SaleId", "LineNumber"),
    CONSTRAINT "FK_SaleLineItems_Sale" FOREIGN KEY ("SaleId") REFERENCES "Sales" ("Id") ON DELETE CASCADE,
    CONSTRAINT "FK_SaleLineItems_Product" FOREIGN KEY ("ProductId") REFERENCES "Products" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_SaleLineItems_LineNumber" CHECK ("LineNumber" > 0),
    -- A returned article is a line of negative quantity.
    CONSTRAINT "CK_SaleLineItems_Quantity" CHECK ("Quantity" <> 0),
    CONSTRAINT "CK_SaleLineItems_UnitPrice" CHECK ("UnitPrice" >= 0)
);
CREATE INDEX "IX_SaleLineItems_ProductId" ON "SaleLineItems" ("ProductId");

CREATE TABLE "Purchases" (
    "Id"             TEXT           NOT NULL,
    "PurchaseNumber" TEXT           NOT NULL,
    "SupplierId"     TEXT           NOT NULL,
    "InvoiceNumber"  TEXT,
    "Status"         TEXT           NOT NULL DEFAULT 'Draft',
    "SubtotalAmount" DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TaxAmount"      DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TotalAmount"    DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "OrderedAt"      TEXT,
    "ReceivedAt"     TEXT,
    "RowVersion"     INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"      TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"      TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"      TEXT,
    "SyncedAt"       TEXT,
    CONSTRAINT "PK_Purchases" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_Purchases_PurchaseNumber" UNIQUE ("PurchaseNumber"),
    CONSTRAINT "FK_Purchases_Supplier" FOREIGN KEY ("SupplierId") REFERENCES "Suppliers" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Purchases_Status" CHECK ("Status" IN ('Draft', 'Ordered', 'Received', 'Cancelled')),
    CONSTRAINT "CK_Purchases_ReceivedAt" CHECK ("Status" <> 'Received' OR "ReceivedAt" IS NOT NULL),
    CONSTRAINT "CK_Purchases_TotalAmount" CHECK (round("TotalAmount" - "SubtotalAmount" - "TaxAmount", 2) = 0)
);
CREATE INDEX "IX_Purchases_SupplierId" ON "Purchases" ("SupplierId", "OrderedAt");

CREATE TABLE "PurchaseLineItems" (
    "Id"               TEXT           NOT NULL,
    "PurchaseId"       TEXT           NOT NULL,
    "ProductId"        TEXT           NOT NULL,
    "LineNumber"       INTEGER        NOT NULL,
    "Quantity"         DECIMAL(18, 3) NOT NULL,
    "ReceivedQuantity" DECIMAL(18, 3) NOT NULL DEFAULT 0,
    "UnitCost"         DECIMAL(18, 2) NOT NULL,
    "TaxAmount"        DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "TotalAmount"      DECIMAL(18, 2) NOT NULL,
    "RowVersion"       INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"        TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"        TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"        TEXT,
    "SyncedAt"         TEXT,
    CONSTRAINT "PK_PurchaseLineItems" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_PurchaseLineItems_LineNumber" UNIQUE ("PurchaseId", "LineNumber"),
    CONSTRAINT "FK_PurchaseLineItems_Purchase" FOREIGN KEY ("PurchaseId") REFERENCES "Purchases" ("Id") ON DELETE CASCADE,
    CONSTRAINT "FK_PurchaseLineItems_Product" FOREIGN KEY ("ProductId") REFERENCES "Products" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_PurchaseLineItems_LineNumber" CHECK ("LineNumber" > 0),
    CONSTRAINT "CK_PurchaseLineItems_Quantity" CHECK ("Quantity" > 0),
    CONSTRAINT "CK_PurchaseLineItems_ReceivedQuantity" CHECK ("ReceivedQuantity" >= 0),
    CONSTRAINT "CK_PurchaseLineItems_UnitCost" CHECK ("UnitCost" >= 0)
);
CREATE INDEX "IX_PurchaseLineItems_ProductId" ON "PurchaseLineItems" ("ProductId");

CREATE TABLE "ExpenseCategories" (
    "Id"          TEXT           NOT NULL,
    "Name"        TEXT           NOT NULL,
    "IsActive"    INTEGER        NOT NULL DEFAULT 1 CHECK ("IsActive" IN (0, 1)),
    "RowVersion"  INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"   TEXT,
    "SyncedAt"    TEXT,
    CONSTRAINT "PK_ExpenseCategories" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_ExpenseCategories_Name" CHECK (length(trim("Name")) > 0)
);
CREATE UNIQUE INDEX "UX_ExpenseCategories_Name" ON "ExpenseCategories" ("Name") WHERE "DeletedAt" IS NULL;

CREATE TABLE "Expenses" (
    "Id"                TEXT           NOT NULL,
    "ExpenseCategoryId" TEXT           NOT NULL,
    "SupplierId"        TEXT,
    "Description"       TEXT           NOT NULL,
    "Amount"            DECIMAL(18, 2) NOT NULL,
    "TaxAmount"         DECIMAL(18, 2) NOT NULL DEFAULT 0,
    "PaymentMethod"     TEXT           NOT NULL DEFAULT 'Cash',
    "SpentAt"           TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "RowVersion"        INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"         TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"         TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "DeletedAt"         TEXT,
    "SyncedAt"          TEXT,
    CONSTRAINT "PK_Expenses" PRIMARY KEY ("Id"),
    CONSTRAINT "FK_Expenses_ExpenseCategory" FOREIGN KEY ("ExpenseCategoryId") REFERENCES "ExpenseCategories" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "FK_Expenses_Supplier" FOREIGN KEY ("SupplierId") REFERENCES "Suppliers" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Expenses_Amount" CHECK ("Amount" > 0),
    CONSTRAINT "CK_Expenses_TaxAmount" CHECK ("TaxAmount" BETWEEN 0 AND "Amount"),
    CONSTRAINT "CK_Expenses_PaymentMethod" CHECK ("PaymentMethod" IN ('Cash', 'Card', 'Transfer'))
);
CREATE INDEX "IX_Expenses_ExpenseCategoryId" ON "Expenses" ("ExpenseCategoryId", "SpentAt");
CREATE INDEX "IX_Expenses_SupplierId" ON "Expenses" ("SupplierId");
CREATE INDEX "IX_Expenses_SpentAt" ON "Expenses" ("SpentAt");

CREATE TABLE "Settings" (
    "Key"         TEXT           NOT NULL,
    "Value"       TEXT           NOT NULL,
    "RowVersion"  INTEGER        NOT NULL DEFAULT 1,
    "CreatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "UpdatedAt"   TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "SyncedAt"    TEXT,
    CONSTRAINT "PK_Settings" PRIMARY KEY ("Key")
);

-- Changes on their way to head office, sent in the order of Id and deleted once they are confirmed.
CREATE TABLE "SyncQueue" (
    "Id"            INTEGER        NOT NULL CONSTRAINT "PK_SyncQueue" PRIMARY KEY AUTOINCREMENT,
    "EntityName"    TEXT           NOT NULL,
    "EntityId"      TEXT           NOT NULL,
    "Operation"     TEXT           NOT NULL,
    "RowVersion"    INTEGER        NOT NULL,
    "Payload"       TEXT           NOT NULL CHECK (json_valid("Payload")),
    "Attempts"      INTEGER        NOT NULL DEFAULT 0,
    "NextAttemptAt" TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "LastError"     TEXT,
    "CreatedAt"     TEXT           NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    CONSTRAINT "UQ_SyncQueue_Entity" UNIQUE ("EntityName", "EntityId", "RowVersion"),
    CONSTRAINT "CK_SyncQueue_Operation" CHECK ("Operation" IN ('Insert', 'Update', 'Delete')),
    CONSTRAINT "CK_SyncQueue_Attempts" CHECK ("Attempts" >= 0)
);
CREATE INDEX "IX_SyncQueue_NextAttemptAt" ON "SyncQueue" ("NextAttemptAt", "Id");
