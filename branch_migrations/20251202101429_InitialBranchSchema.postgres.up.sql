-- branchkeeper: description="Catalogue, stock, sales, purchases, expenses, settings and the queue to head office"
--
-- Conventions of every table:
--   Id          made by the till that creates the row, so that branches never wait for each other
--   RowVersion  raised by one with every change; the higher version wins when copies meet
--   DeletedAt   set instead of deleting, so that the deletion reaches head office as well
--   SyncedAt    when head office last confirmed the row; NULL while it has not

CREATE TABLE "Categories" (
    "Id"          uuid         NOT NULL,
    "ParentId"    uuid,
    "Name"        varchar(120) NOT NULL,
    "SortOrder"   integer      NOT NULL DEFAULT 0,
    "RowVersion"  bigint       NOT NULL DEFAULT 1,
    "CreatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "DeletedAt"   timestamptz,
    "SyncedAt"    timestamptz,
    CONSTRAINT "PK_Categories" PRIMARY KEY ("Id"),
    CONSTRAINT "FK_Categories_Parent" FOREIGN KEY ("ParentId") REFERENCES "Categories" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Categories_Name" CHECK (length(trim("Name")) > 0),
    CONSTRAINT "CK_Categories_Parent" CHECK ("ParentId" <> "Id")
);
CREATE INDEX "IX_Categories_ParentId" ON "Categories" ("ParentId");

CREATE TABLE "Suppliers" (
    "Id"          uuid         NOT NULL,
    "Name"        varchar(200) NOT NULL,
    "TaxNumber"   varchar(40),
    "Email"       varchar(254),
    "Phone"       varchar(40),
    "Address"     varchar(500),
    "IsActive"    boolean      NOT NULL DEFAULT true,
    "RowVersion"  bigint       NOT NULL DEFAULT 1,
    "CreatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "DeletedAt"   timestamptz,
    "SyncedAt"    timestamptz,
    CONSTRAINT "PK_Suppliers" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_Suppliers_Name" CHECK (length(trim("Name")) > 0)
);
CREATE INDEX "IX_Suppliers_Name" ON "Suppliers" ("Name");

CREATE TABLE "Customers" (
    "Id"            uuid          NOT NULL,
    "Name"          varchar(200)  NOT NULL,
    "Email"         varchar(254),
    "Phone"         varchar(40),
    "Address"       varchar(500),
    "LoyaltyNumber" varchar(40),
    "CreditLimit"   numeric(18,2) NOT NULL DEFAULT 0,
    "RowVersion"    bigint        NOT NULL DEFAULT 1,
    "CreatedAt"     timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"     timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"     timestamptz,
    "SyncedAt"      timestamptz,
    CONSTRAINT "PK_Customers" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_Customers_Name" CHECK (length(trim("Name")) > 0),
    CONSTRAINT "CK_Customers_CreditLimit" CHECK ("CreditLimit" >= 0)
);
CREATE INDEX "IX_Customers_Name" ON "Customers" ("Name");
CREATE INDEX "IX_Customers_Phone" ON "Customers" ("Phone");
-- A number or code may be given out again once its row is deleted.
CREATE UNIQUE INDEX "UX_Customers_LoyaltyNumber" ON "Customers" ("LoyaltyNumber") WHERE "DeletedAt" IS NULL;

CREATE TABLE "Products" (
    "Id"            uuid          NOT NULL,
    "CategoryId"    uuid          NOT NULL,
    "SupplierId"    uuid,
    "Sku"           varchar(64)   NOT NULL,
    "Barcode"       varchar(64),
    "Name"          varchar(200)  NOT NULL,
    "Description"   text,
    "Unit"          varchar(20)   NOT NULL DEFAULT 'each',
    "CostPrice"     numeric(18,2) NOT NULL DEFAULT 0,
    "SalePrice"     numeric(18,2) NOT NULL,
    "TaxRate"       numeric(5,2)  NOT NULL DEFAULT 0,
    "StockQuantity" numeric(18,3) NOT NULL DEFAULT 0,
    "ReorderLevel"  numeric(18,3) NOT NULL DEFAULT 0,
    "IsActive"      boolean       NOT NULL DEFAULT true,
    "RowVersion"    bigint        NOT NULL DEFAULT 1,
    "CreatedAt"     timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"     timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"     timestamptz,
    "SyncedAt"      timestamptz,
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
    "Id"          uuid         NOT NULL,
    "ProductId"   uuid         NOT NULL,
    "FileName"    varchar(255) NOT NULL,
    "ContentType" varchar(100) NOT NULL,
    "ContentHash" char(64)     NOT NULL,
    "SizeBytes"   bigint       NOT NULL,
    "SortOrder"   integer      NOT NULL DEFAULT 0,
    "IsPrimary"   boolean      NOT NULL DEFAULT false,
    "RowVersion"  bigint       NOT NULL DEFAULT 1,
    "CreatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "DeletedAt"   timestamptz,
    "SyncedAt"    timestamptz,
    CONSTRAINT "PK_ProductImages" PRIMARY KEY ("Id"),
    CONSTRAINT "FK_ProductImages_Product" FOREIGN KEY ("ProductId") REFERENCES "Products" ("Id") ON DELETE CASCADE,
    CONSTRAINT "CK_ProductImages_ContentHash" CHECK (length("ContentHash") = 64),
    CONSTRAINT "CK_ProductImages_SizeBytes" CHECK ("SizeBytes" > 0)
);
CREATE INDEX "IX_ProductImages_ProductId" ON "ProductImages" ("ProductId", "SortOrder");
CREATE UNIQUE INDEX "UX_ProductImages_Primary" ON "ProductImages" ("ProductId") WHERE "IsPrimary" AND "DeletedAt" IS NULL;

CREATE TABLE "Sales" (
    "Id"             uuid          NOT NULL,
    "ReceiptNumber"  varchar(40)   NOT NULL,
    "CustomerId"     uuid,
    "Status"         varchar(20)   NOT NULL DEFAULT 'Completed',
    "PaymentMethod"  varchar(20)   NOT NULL,
    "SubtotalAmount" numeric(18,2) NOT NULL,
    "DiscountAmount" numeric(18,2) NOT NULL DEFAULT 0,
    "TaxAmount"      numeric(18,2) NOT NULL DEFAULT 0,
    "TotalAmount"    numeric(18,2) NOT NULL,
    "PaidAmount"     numeric(18,2) NOT NULL DEFAULT 0,
    "Note"           varchar(500),
    "SoldAt"         timestamptz   NOT NULL DEFAULT now(),
    "RowVersion"     bigint        NOT NULL DEFAULT 1,
    "CreatedAt"      timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"      timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"      timestamptz,
    "SyncedAt"       timestamptz,
    CONSTRAINT "PK_Sales" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_Sales_ReceiptNumber" UNIQUE ("ReceiptNumber"),
    CONSTRAINT "FK_Sales_Customer" FOREIGN KEY ("CustomerId") REFERENCES "Customers" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Sales_Status" CHECK ("Status" IN ('Open', 'Completed', 'Voided', 'Refunded')),
    CONSTRAINT "CK_Sales_PaymentMethod" CHECK ("PaymentMethod" IN ('Cash', 'Card', 'Transfer', 'Voucher', 'Credit', 'Mixed')),
    CONSTRAINT "CK_Sales_DiscountAmount" CHECK ("DiscountAmount" >= 0),
    CONSTRAINT "CK_Sales_TotalAmount" CHECK ("TotalAmount" = "SubtotalAmount" - "DiscountAmount" + "TaxAmount")
);
CREATE INDEX "IX_Sales_SoldAt" ON "Sales" ("SoldAt");
CREATE INDEX "IX_Sales_CustomerId" ON "Sales" ("CustomerId", "SoldAt");

CREATE TABLE "SaleLineItems" (
    "Id"             uuid          NOT NULL,
    "SaleId"         uuid          NOT NULL,
    "ProductId"      uuid          NOT NULL,
    "LineNumber"     integer       NOT NULL,
    "Quantity"       numeric(18,3) NOT NULL,
    "UnitPrice"      numeric(18,2) NOT NULL,
    "DiscountAmount" numeric(18,2) NOT NULL DEFAULT 0,
    "TaxAmount"      numeric(18,2) NOT NULL DEFAULT 0,
    "TotalAmount"    numeric(18,2) NOT NULL,
    "RowVersion"     bigint        NOT NULL DEFAULT 1,
    "CreatedAt"      timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"      timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"      timestamptz,
    "SyncedAt"       timestamptz,
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
    "Id"             uuid          NOT NULL,
    "PurchaseNumber" varchar(40)   NOT NULL,
    "SupplierId"     uuid          NOT NULL,
    "InvoiceNumber"  varchar(60),
    "Status"         varchar(20)   NOT NULL DEFAULT 'Draft',
    "SubtotalAmount" numeric(18,2) NOT NULL DEFAULT 0,
    "TaxAmount"      numeric(18,2) NOT NULL DEFAULT 0,
    "TotalAmount"    numeric(18,2) NOT NULL DEFAULT 0,
    "OrderedAt"      timestamptz,
    "ReceivedAt"     timestamptz,
    "RowVersion"     bigint        NOT NULL DEFAULT 1,
    "CreatedAt"      timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"      timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"      timestamptz,
    "SyncedAt"       timestamptz,
    CONSTRAINT "PK_Purchases" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_Purchases_PurchaseNumber" UNIQUE ("PurchaseNumber"),
    CONSTRAINT "FK_Purchases_Supplier" FOREIGN KEY ("SupplierId") REFERENCES "Suppliers" ("Id") ON DELETE RESTRICT,
    CONSTRAINT "CK_Purchases_Status" CHECK ("Status" IN ('Draft', 'Ordered', 'Received', 'Cancelled')),
    CONSTRAINT "CK_Purchases_ReceivedAt" CHECK ("Status" <> 'Received' OR "ReceivedAt" IS NOT NULL),
    CONSTRAINT "CK_Purchases_TotalAmount" CHECK ("TotalAmount" = "SubtotalAmount" + "TaxAmount")
);
CREATE INDEX "IX_Purchases_SupplierId" ON "Purchases" ("SupplierId", "OrderedAt");

CREATE TABLE "PurchaseLineItems" (
    "Id"               uuid          NOT NULL,
    "PurchaseId"       uuid          NOT NULL,
    "ProductId"        uuid          NOT NULL,
    "LineNumber"       integer       NOT NULL,
    "Quantity"         numeric(18,3) NOT NULL,
    "ReceivedQuantity" numeric(18,3) NOT NULL DEFAULT 0,
    "UnitCost"         numeric(18,2) NOT NULL,
    "TaxAmount"        numeric(18,2) NOT NULL DEFAULT 0,
    "TotalAmount"      numeric(18,2) NOT NULL,
    "RowVersion"       bigint        NOT NULL DEFAULT 1,
    "CreatedAt"        timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"        timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"        timestamptz,
    "SyncedAt"         timestamptz,
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
    "Id"          uuid         NOT NULL,
    "Name"        varchar(120) NOT NULL,
    "IsActive"    boolean      NOT NULL DEFAULT true,
    "RowVersion"  bigint       NOT NULL DEFAULT 1,
    "CreatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "DeletedAt"   timestamptz,
    "SyncedAt"    timestamptz,
    CONSTRAINT "PK_ExpenseCategories" PRIMARY KEY ("Id"),
    CONSTRAINT "CK_ExpenseCategories_Name" CHECK (length(trim("Name")) > 0)
);
CREATE UNIQUE INDEX "UX_ExpenseCategories_Name" ON "ExpenseCategories" ("Name") WHERE "DeletedAt" IS NULL;

CREATE TABLE "Expenses" (
    "Id"                uuid          NOT NULL,
    "ExpenseCategoryId" uuid          NOT NULL,
    "SupplierId"        uuid,
    "Description"       varchar(500)  NOT NULL,
    "Amount"            numeric(18,2) NOT NULL,
    "TaxAmount"         numeric(18,2) NOT NULL DEFAULT 0,
    "PaymentMethod"     varchar(20)   NOT NULL DEFAULT 'Cash',
    "SpentAt"           timestamptz   NOT NULL DEFAULT now(),
    "RowVersion"        bigint        NOT NULL DEFAULT 1,
    "CreatedAt"         timestamptz   NOT NULL DEFAULT now(),
    "UpdatedAt"         timestamptz   NOT NULL DEFAULT now(),
    "DeletedAt"         timestamptz,
    "SyncedAt"          timestamptz,
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
    "Key"         varchar(100) NOT NULL,
    "Value"       text         NOT NULL,
    "RowVersion"  bigint       NOT NULL DEFAULT 1,
    "CreatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"   timestamptz  NOT NULL DEFAULT now(),
    "SyncedAt"    timestamptz,
    CONSTRAINT "PK_Settings" PRIMARY KEY ("Key")
);

-- Changes on their way to head office, sent in the order of Id and deleted once they are confirmed.
CREATE TABLE "SyncQueue" (
    "Id"            bigint GENERATED ALWAYS AS IDENTITY,
    "EntityName"    varchar(60)  NOT NULL,
    "EntityId"      varchar(100) NOT NULL,
    "Operation"     varchar(10)  NOT NULL,
    "RowVersion"    bigint       NOT NULL,
    "Payload"       jsonb        NOT NULL,
    "Attempts"      integer      NOT NULL DEFAULT 0,
    "NextAttemptAt" timestamptz  NOT NULL DEFAULT now(),
    "LastError"     text,
    "CreatedAt"     timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT "PK_SyncQueue" PRIMARY KEY ("Id"),
    CONSTRAINT "UQ_SyncQueue_Entity" UNIQUE ("EntityName", "EntityId", "RowVersion"),
    CONSTRAINT "CK_SyncQueue_Operation" CHECK ("Operation" IN ('Insert', 'Update', 'Delete')),
    CONSTRAINT "CK_SyncQueue_Attempts" CHECK ("Attempts" >= 0)
);
CREATE INDEX "IX_SyncQueue_NextAttemptAt" ON "SyncQueue" ("NextAttemptAt", "Id");
