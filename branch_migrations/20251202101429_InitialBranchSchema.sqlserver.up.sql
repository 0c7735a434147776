-- branchkeeper: description="Catalogue, stock, sales, purchases, expenses, settings and the queue to head office"
--
-- Conventions of every table:
--   Id          made by the till that creates the row, so that branches never wait for each other
--   RowVersion  raised by one with every change; the higher version wins when copies meet
--   DeletedAt   set instead of deleting, so that the deletion reaches head office as well
--   SyncedAt    when head office last confirmed the row; NULL while it has not
--
-- Moments are in UTC. Defaults have names of their own, because a column can't be dropped before its default. Text compares
-- as the database's collation says.

CREATE TABLE [Categories] (
    [Id]         uniqueidentifier  NOT NULL,
    [ParentId]   uniqueidentifier  NULL,
    [Name]       nvarchar(120)     NOT NULL,
    [SortOrder]  int               NOT NULL CONSTRAINT [DF_Categories_SortOrder] DEFAULT 0,
    [RowVersion] bigint            NOT NULL CONSTRAINT [DF_Categories_RowVersion] DEFAULT 1,
    [CreatedAt]  datetime2(6)      NOT NULL CONSTRAINT [DF_Categories_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]  datetime2(6)      NOT NULL CONSTRAINT [DF_Categories_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]  datetime2(6)      NULL,
    [SyncedAt]   datetime2(6)      NULL,
    CONSTRAINT [PK_Categories] PRIMARY KEY ([Id]),
    CONSTRAINT [FK_Categories_Parent] FOREIGN KEY ([ParentId]) REFERENCES [Categories] ([Id]),
    CONSTRAINT [CK_Categories_Name] CHECK (LEN(LTRIM([Name])) > 0),
    CONSTRAINT [CK_Categories_Parent] CHECK ([ParentId] <> [Id])
);
GO
CREATE INDEX [IX_Categories_ParentId] ON [Categories] ([ParentId]);
GO

CREATE TABLE [Suppliers] (
    [Id]         uniqueidentifier NOT NULL,
    [Name]       nvarchar(200)    NOT NULL,
    [TaxNumber]  nvarchar(40)     NULL,
    [Email]      nvarchar(254)    NULL,
    [Phone]      nvarchar(40)     NULL,
    [Address]    nvarchar(500)    NULL,
    [IsActive]   bit              NOT NULL CONSTRAINT [DF_Suppliers_IsActive] DEFAULT 1,
    [RowVersion] bigint           NOT NULL CONSTRAINT [DF_Suppliers_RowVersion] DEFAULT 1,
    [CreatedAt]  datetime2(6)     NOT NULL CONSTRAINT [DF_Suppliers_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]  datetime2(6)     NOT NULL CONSTRAINT [DF_Suppliers_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]  datetime2(6)     NULL,
    [SyncedAt]   datetime2(6)     NULL,
    CONSTRAINT [PK_Suppliers] PRIMARY KEY ([Id]),
    CONSTRAINT [CK_Suppliers_Name] CHECK (LEN(LTRIM([Name])) > 0)
);
GO
CREATE INDEX [IX_Suppliers_Name] ON [Suppliers] ([Name]);
GO

CREATE TABLE [Customers] (
    [Id]            uniqueidentifier NOT NULL,
    [Name]          nvarchar(200)    NOT NULL,
    [Email]         nvarchar(254)    NULL,
    [Phone]         nvarchar(40)     NULL,
    [Address]       nvarchar(500)    NULL,
    [LoyaltyNumber] nvarchar(40)     NULL,
    [CreditLimit]   decimal(18,2)    NOT NULL CONSTRAINT [DF_Customers_CreditLimit] DEFAULT 0,
    [RowVersion]    bigint           NOT NULL CONSTRAINT [DF_Customers_RowVersion] DEFAULT 1,
    [CreatedAt]     datetime2(6)     NOT NULL CONSTRAINT [DF_Customers_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]     datetime2(6)     NOT NULL CONSTRAINT [DF_Customers_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]     datetime2(6)     NULL,
    [SyncedAt]      datetime2(6)     NULL,
    CONSTRAINT [PK_Customers] PRIMARY KEY ([Id]),
    CONSTRAINT [CK_Customers_Name] CHECK (LEN(LTRIM([Name])) > 0),
    CONSTRAINT [CK_Customers_CreditLimit] CHECK ([CreditLimit] >= 0)
);
GO
CREATE INDEX [IX_Customers_Name] ON [Customers] ([Name]);
GO
CREATE INDEX [IX_Customers_Phone] ON [Customers] ([Phone]);
GO
-- A number or code may be given out again once its row is deleted. Rows without one do not stand in each other's way.
CREATE UNIQUE INDEX [UX_Customers_LoyaltyNumber] ON [Customers] ([LoyaltyNumber])
    WHERE [DeletedAt] IS NULL AND [LoyaltyNumber] IS NOT NULL;
GO

CREATE TABLE [Products] (
    [Id]            uniqueidentifier  NOT NULL,
    [CategoryId]    uniqueidentifier  NOT NULL,
    [SupplierId]    uniqueidentifier  NULL,
    [Sku]           nvarchar(64)      NOT NULL,
    [Barcode]       nvarchar(64)      NULL,
    [Name]          nvarchar(200)     NOT NULL,
    [Description]   nvarchar(max)     NULL,
    [Unit]          nvarchar(20)      NOT NULL CONSTRAINT [DF_Products_Unit] DEFAULT N'each',
    [CostPrice]     decimal(18,2)     NOT NULL CONSTRAINT [DF_Products_CostPrice] DEFAULT 0,
    [SalePrice]     decimal(18,2)     NOT NULL,
    [TaxRate]       decimal(5,2)      NOT NULL CONSTRAINT [DF_Products_TaxRate] DEFAULT 0,
    [StockQuantity] decimal(18,3)     NOT NULL CONSTRAINT [DF_Products_StockQuantity] DEFAULT 0,
    [ReorderLevel]  decimal(18,3)     NOT NULL CONSTRAINT [DF_Products_ReorderLevel] DEFAULT 0,
    [IsActive]      bit               NOT NULL CONSTRAINT [DF_Products_IsActive] DEFAULT 1,
    [RowVersion]    bigint            NOT NULL CONSTRAINT [DF_Products_RowVersion] DEFAULT 1,
    [CreatedAt]     datetime2(6)      NOT NULL CONSTRAINT [DF_Products_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]     datetime2(6)      NOT NULL CONSTRAINT [DF_Products_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]     datetime2(6)      NULL,
    [SyncedAt]      datetime2(6)      NULL,
    CONSTRAINT [PK_Products] PRIMARY KEY ([Id]),
    CONSTRAINT [FK_Products_Category] FOREIGN KEY ([CategoryId]) REFERENCES [Categories] ([Id]),
    CONSTRAINT [FK_Products_Supplier] FOREIGN KEY ([SupplierId]) REFERENCES [Suppliers] ([Id]),
    CONSTRAINT [CK_Products_Name] CHECK (LEN(LTRIM([Name])) > 0),
    CONSTRAINT [CK_Products_CostPrice] CHECK ([CostPrice] >= 0),
    CONSTRAINT [CK_Products_SalePrice] CHECK ([SalePrice] >= 0),
    CONSTRAINT [CK_Products_TaxRate] CHECK ([TaxRate] BETWEEN 0 AND 100),
    CONSTRAINT [CK_Products_ReorderLevel] CHECK ([ReorderLevel] >= 0)
);
GO
CREATE UNIQUE INDEX [UX_Products_Sku] ON [Products] ([Sku]) WHERE [DeletedAt] IS NULL;
GO
CREATE UNIQUE INDEX [UX_Products_Barcode] ON [Products] ([Barcode])
    WHERE [DeletedAt] IS NULL AND [Barcode] IS NOT NULL;
GO
CREATE INDEX [IX_Products_CategoryId] ON [Products] ([CategoryId]);
GO
CREATE INDEX [IX_Products_SupplierId] ON [Products] ([SupplierId]);
GO
CREATE INDEX [IX_Products_Name] ON [Products] ([Name]);
GO

CREATE TABLE [ProductImages] (
    [Id]          uniqueidentifier NOT NULL,
    [ProductId]   uniqueidentifier NOT NULL,
    [FileName]    nvarchar(255)    NOT NULL,
    [ContentType] nvarchar(100)    NOT NULL,
    [ContentHash] char(64)         NOT NULL,
    [SizeBytes]   bigint           NOT NULL,
    [SortOrder]   int              NOT NULL CONSTRAINT [DF_ProductImages_SortOrder] DEFAULT 0,
    [IsPrimary]   bit              NOT NULL CONSTRAINT [DF_ProductImages_IsPrimary] DEFAULT 0,
    [RowVersion]  bigint           NOT NULL CONSTRAINT [DF_ProductImages_RowVersion] DEFAULT 1,
    [CreatedAt]   datetime2(6)     NOT NULL CONSTRAINT [DF_ProductImages_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]   datetime2(6)     NOT NULL CONSTRAINT [DF_ProductImages_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]   datetime2(6)     NULL,
    [SyncedAt]    datetime2(6)     NULL,
    CONSTRAINT [PK_ProductImages] PRIMARY KEY ([Id]),
    CONSTRAINT [FK_ProductImages_Product] FOREIGN KEY ([ProductId]) REFERENCES [Products] ([Id]) ON DELETE CASCADE,
    CONSTRAINT [CK_ProductImages_ContentHash] CHECK (LEN([ContentHash]) = 64),
    CONSTRAINT [CK_ProductImages_SizeBytes] CHECK ([SizeBytes] > 0)
);
GO
CREATE INDEX [IX_ProductImages_ProductId] ON [ProductImages] ([ProductId], [SortOrder]);
GO
CREATE UNIQUE INDEX [UX_ProductImages_Primary] ON [ProductImages] ([ProductId]) WHERE [IsPrimary] = 1 AND [DeletedAt] IS NULL;
GO

CREATE TABLE [Sales] (
    [Id]             uniqueidentifier  NOT NULL,
    [ReceiptNumber]  nvarchar(40)      NOT NULL,
    [CustomerId]     uniqueidentifier  NULL,
    [Status]         nvarchar(20)      NOT NULL CONSTRAINT [DF_Sales_Status] DEFAULT N'Completed',
    [PaymentMethod]  nvarchar(20)      NOT NULL,
    [SubtotalAmount] decimal(18,2)     NOT NULL,
    [DiscountAmount] decimal(18,2)     NOT NULL CONSTRAINT [DF_Sales_DiscountAmount] DEFAULT 0,
    [TaxAmount]      decimal(18,2)     NOT NULL CONSTRAINT [DF_Sales_TaxAmount] DEFAULT 0,
    [TotalAmount]    decimal(18,2)     NOT NULL,
    [PaidAmount]     decimal(18,2)     NOT NULL CONSTRAINT [DF_Sales_PaidAmount] DEFAULT 0,
    [Note]           nvarchar(500)     NULL,
    [SoldAt]         datetime2(6)      NOT NULL CONSTRAINT [DF_Sales_SoldAt] DEFAULT SYSUTCDATETIME(),
    [RowVersion]     bigint            NOT NULL CONSTRAINT [DF_Sales_RowVersion] DEFAULT 1,
    [CreatedAt]      datetime2(6)      NOT NULL CONSTRAINT [DF_Sales_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]      datetime2(6)      NOT NULL CONSTRAINT [DF_Sales_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]      datetime2(6)      NULL,
    [SyncedAt]       datetime2(6)      NULL,
    CONSTRAINT [PK_Sales] PRIMARY KEY ([Id]),
    CONSTRAINT [UQ_Sales_ReceiptNumber] UNIQUE ([ReceiptNumber]),
    CONSTRAINT [FK_Sales_Customer] FOREIGN KEY ([CustomerId]) REFERENCES [Customers] ([Id]),
    CONSTRAINT [CK_Sales_Status] CHECK ([Status] IN (N'Open', N'Completed', N'Voided', N'Refunded')),
    CONSTRAINT [CK_Sales_PaymentMethod] CHECK ([PaymentMethod] IN (N'Cash', N'Card', N'Transfer', N'Voucher', N'Credit', N'Mixed')),
    CONSTRAINT [CK_Sales_DiscountAmount] CHECK ([DiscountAmount] >= 0),
    CONSTRAINT [CK_Sales_TotalAmount] CHECK ([TotalAmount] = [SubtotalAmount] - [DiscountAmount] + [TaxAmount])
);
GO
CREATE INDEX [IX_Sales_SoldAt] ON [Sales] ([SoldAt]);
GO
CREATE INDEX [IX_Sales_CustomerId] ON [Sales] ([CustomerId], [SoldAt]);
GO

CREATE TABLE [SaleLineItems] (
    [Id]             uniqueidentifier NOT NULL,
    [SaleId]         uniqueidentifier NOT NULL,
    [ProductId]      uniqueidentifier NOT NULL,
    [LineNumber]     int              NOT NULL,
    [Quantity]       decimal(18,3)    NOT NULL,
    [UnitPrice]      decimal(18,2)    NOT NULL,
    [DiscountAmount] decimal(18,2)    NOT NULL CONSTRAINT [DF_SaleLineItems_DiscountAmount] DEFAULT 0,
    [TaxAmount]      decimal(18,2)    NOT NULL CONSTRAINT [DF_SaleLineItems_TaxAmount] DEFAULT 0,
    [TotalAmount]    decimal(18,2)    NOT NULL,
    [RowVersion]     bigint           NOT NULL CONSTRAINT [DF_SaleLineItems_RowVersion] DEFAULT 1,
    [CreatedAt]      datetime2(6)     NOT NULL CONSTRAINT [DF_SaleLineItems_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]      datetime2(6)     NOT NULL CONSTRAINT [DF_SaleLineItems_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]      datetime2(6)     NULL,
    [SyncedAt]       datetime2(6)     NULL,
    CONSTRAINT [PK_SaleLineItems] PRIMARY KEY ([Id]),
    CONSTRAINT [UQ_SaleLineItems_LineNumber] UNIQUE ([SaleId], [LineNumber]),
    CONSTRAINT [FK_SaleLineItems_Sale] FOREIGN KEY ([SaleId]) REFERENCES [Sales] ([Id]) ON DELETE CASCADE,
    CONSTRAINT [FK_SaleLineItems_Product] FOREIGN KEY ([ProductId]) REFERENCES [Products] ([Id]),
    CONSTRAINT [CK_SaleLineItems_LineNumber] CHECK ([LineNumber] > 0),
    -- A returned article is a line of negative quantity.
    CONSTRAINT [CK_SaleLineItems_Quantity] CHECK ([Quantity] <> 0),
    CONSTRAINT [CK_SaleLineItems_UnitPrice] CHECK ([UnitPrice] >= 0)
);
GO
CREATE INDEX [IX_SaleLineItems_ProductId] ON [SaleLineItems] ([ProductId]);
GO

CREATE TABLE [Purchases] (
    [Id]             uniqueidentifier NOT NULL,
    [PurchaseNumber] nvarchar(40)     NOT NULL,
    [SupplierId]     uniqueidentifier NOT NULL,
    [InvoiceNumber]  nvarchar(60)     NULL,
    [Status]         nvarchar(20)     NOT NULL CONSTRAINT [DF_Purchases_Status] DEFAULT N'Draft',
    [SubtotalAmount] decimal(18,2)    NOT NULL CONSTRAINT [DF_Purchases_SubtotalAmount] DEFAULT 0,
    [TaxAmount]      decimal(18,2)    NOT NULL CONSTRAINT [DF_Purchases_TaxAmount] DEFAULT 0,
    [TotalAmount]    decimal(18,2)    NOT NULL CONSTRAINT [DF_Purchases_TotalAmount] DEFAULT 0,
    [OrderedAt]      datetime2(6)     NULL,
    [ReceivedAt]     datetime2(6)     NULL,
    [RowVersion]     bigint           NOT NULL CONSTRAINT [DF_Purchases_RowVersion] DEFAULT 1,
    [CreatedAt]      datetime2(6)     NOT NULL CONSTRAINT [DF_Purchases_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]      datetime2(6)     NOT NULL CONSTRAINT [DF_Purchases_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]      datetime2(6)     NULL,
    [SyncedAt]       datetime2(6)     NULL,
    CONSTRAINT [PK_Purchases] PRIMARY KEY ([Id]),
    CONSTRAINT [UQ_Purchases_PurchaseNumber] UNIQUE ([PurchaseNumber]),
    CONSTRAINT [FK_Purchases_Supplier] FOREIGN KEY ([SupplierId]) REFERENCES [Suppliers] ([Id]),
    CONSTRAINT [CK_Purchases_Status] CHECK ([Status] IN (N'Draft', N'Ordered', N'Received', N'Cancelled')),
    CONSTRAINT [CK_Purchases_ReceivedAt] CHECK ([Status] <> N'Received' OR [ReceivedAt] IS NOT NULL),
    CONSTRAINT [CK_Purchases_TotalAmount] CHECK ([TotalAmount] = [SubtotalAmount] + [TaxAmount])
);
GO
CREATE INDEX [IX_Purchases_SupplierId] ON [Purchases] ([SupplierId], [OrderedAt]);
GO

CREATE TABLE [PurchaseLineItems] (
    [Id]               uniqueidentifier NOT NULL,
    [PurchaseId]       uniqueidentifier NOT NULL,
    [ProductId]        uniqueidentifier NOT NULL,
    [LineNumber]       int              NOT NULL,
    [Quantity]         decimal(18,3)    NOT NULL,
    [ReceivedQuantity] decimal(18,3)    NOT NULL CONSTRAINT [DF_PurchaseLineItems_ReceivedQuantity] DEFAULT 0,
    [UnitCost]         decimal(18,2)    NOT NULL,
    [TaxAmount]        decimal(18,2)    NOT NULL CONSTRAINT [DF_PurchaseLineItems_TaxAmount] DEFAULT 0,
    [TotalAmount]      decimal(18,2)    NOT NULL,
    [RowVersion]       bigint           NOT NULL CONSTRAINT [DF_PurchaseLineItems_RowVersion] DEFAULT 1,
    [CreatedAt]        datetime2(6)     NOT NULL CONSTRAINT [DF_PurchaseLineItems_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]        datetime2(6)     NOT NULL CONSTRAINT [DF_PurchaseLineItems_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]        datetime2(6)     NULL,
    [SyncedAt]         datetime2(6)     NULL,
    CONSTRAINT [PK_PurchaseLineItems] PRIMARY KEY ([Id]),
    CONSTRAINT [UQ_PurchaseLineItems_LineNumber] UNIQUE ([PurchaseId], [LineNumber]),
    CONSTRAINT [FK_PurchaseLineItems_Purchase] FOREIGN KEY ([PurchaseId]) REFERENCES [Purchases] ([Id]) ON DELETE CASCADE,
    CONSTRAINT [FK_PurchaseLineItems_Product] FOREIGN KEY ([ProductId]) REFERENCES [Products] ([Id]),
    CONSTRAINT [CK_PurchaseLineItems_LineNumber] CHECK ([LineNumber] > 0),
    CONSTRAINT [CK_PurchaseLineItems_Quantity] CHECK ([Quantity] > 0),
    CONSTRAINT [CK_PurchaseLineItems_ReceivedQuantity] CHECK ([ReceivedQuantity] >= 0),
    CONSTRAINT [CK_PurchaseLineItems_UnitCost] CHECK ([UnitCost] >= 0)
);
GO
CREATE INDEX [IX_PurchaseLineItems_ProductId] ON [PurchaseLineItems] ([ProductId]);
GO

CREATE TABLE [ExpenseCategories] (
    [Id]         uniqueidentifier NOT NULL,
    [Name]       nvarchar(120)    NOT NULL,
    [IsActive]   bit              NOT NULL CONSTRAINT [DF_ExpenseCategories_IsActive] DEFAULT 1,
    [RowVersion] bigint           NOT NULL CONSTRAINT [DF_ExpenseCategories_RowVersion] DEFAULT 1,
    [CreatedAt]  datetime2(6)     NOT NULL CONSTRAINT [DF_ExpenseCategories_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]  datetime2(6)     NOT NULL CONSTRAINT [DF_ExpenseCategories_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]  datetime2(6)     NULL,
    [SyncedAt]   datetime2(6)     NULL,
    CONSTRAINT [PK_ExpenseCategories] PRIMARY KEY ([Id]),
    CONSTRAINT [CK_ExpenseCategories_Name] CHECK (LEN(LTRIM([Name])) > 0)
);
GO
CREATE UNIQUE INDEX [UX_ExpenseCategories_Name] ON [ExpenseCategories] ([Name]) WHERE [DeletedAt] IS NULL;
GO

CREATE TABLE [Expenses] (
    [Id]                uniqueidentifier  NOT NULL,
    [ExpenseCategoryId] uniqueidentifier  NOT NULL,
    [SupplierId]        uniqueidentifier  NULL,
    [Description]       nvarchar(500)     NOT NULL,
    [Amount]            decimal(18,2)     NOT NULL,
    [TaxAmount]         decimal(18,2)     NOT NULL CONSTRAINT [DF_Expenses_TaxAmount] DEFAULT 0,
    [PaymentMethod]     nvarchar(20)      NOT NULL CONSTRAINT [DF_Expenses_PaymentMethod] DEFAULT N'Cash',
    [SpentAt]           datetime2(6)      NOT NULL CONSTRAINT [DF_Expenses_SpentAt] DEFAULT SYSUTCDATETIME(),
    [RowVersion]        bigint            NOT NULL CONSTRAINT [DF_Expenses_RowVersion] DEFAULT 1,
    [CreatedAt]         datetime2(6)      NOT NULL CONSTRAINT [DF_Expenses_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]         datetime2(6)      NOT NULL CONSTRAINT [DF_Expenses_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]         datetime2(6)      NULL,
    [SyncedAt]          datetime2(6)      NULL,
    CONSTRAINT [PK_Expenses] PRIMARY KEY ([Id]),
    CONSTRAINT [FK_Expenses_ExpenseCategory] FOREIGN KEY ([ExpenseCategoryId]) REFERENCES [ExpenseCategories] ([Id]),
    CONSTRAINT [FK_Expenses_Supplier] FOREIGN KEY ([SupplierId]) REFERENCES [Suppliers] ([Id]),
    CONSTRAINT [CK_Expenses_Amount] CHECK ([Amount] > 0),
    CONSTRAINT [CK_Expenses_TaxAmount] CHECK ([TaxAmount] BETWEEN 0 AND [Amount]),
    CONSTRAINT [CK_Expenses_PaymentMethod] CHECK ([PaymentMethod] IN (N'Cash', N'Card', N'Transfer'))
);
GO
CREATE INDEX [IX_Expenses_ExpenseCategoryId] ON [Expenses] ([ExpenseCategoryId], [SpentAt]);
GO
CREATE INDEX [IX_Expenses_SupplierId] ON [Expenses] ([SupplierId]);
GO
CREATE INDEX [IX_Expenses_SpentAt] ON [Expenses] ([SpentAt]);
GO

CREATE TABLE [Settings] (
    [Key]        nvarchar(100) NOT NULL,
    [Value]      nvarchar(max) NOT NULL,
    [RowVersion] bigint        NOT NULL CONSTRAINT [DF_Settings_RowVersion] DEFAULT 1,
    [CreatedAt]  datetime2(6)  NOT NULL CONSTRAINT [DF_Settings_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]  datetime2(6)  NOT NULL CONSTRAINT [DF_Settings_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [SyncedAt]   datetime2(6)  NULL,
    CONSTRAINT [PK_Settings] PRIMARY KEY ([Key])
);
GO

-- Changes on their way to head office, sent in the order of Id and deleted once they are confirmed.
CREATE TABLE [SyncQueue] (
    [Id]            bigint IDENTITY(1, 1) NOT NULL,
    [EntityName]    nvarchar(60)          NOT NULL,
    [EntityId]      nvarchar(100)         NOT NULL,
    [Operation]     nvarchar(10)          NOT NULL,
    [RowVersion]    bigint                NOT NULL,
    [Payload]       nvarchar(max)         NOT NULL,
    [Attempts]      int                   NOT NULL CONSTRAINT [DF_SyncQueue_Attempts] DEFAULT 0,
    [NextAttemptAt] datetime2(6)          NOT NULL CONSTRAINT [DF_SyncQueue_NextAttemptAt] DEFAULT SYSUTCDATETIME(),
    [LastError]     nvarchar(max)         NULL,
    [CreatedAt]     datetime2(6)          NOT NULL CONSTRAINT [DF_SyncQueue_CreatedAt] DEFAULT SYSUTCDATETIME(),
    CONSTRAINT [PK_SyncQueue] PRIMARY KEY ([Id]),
    CONSTRAINT [UQ_SyncQueue_Entity] UNIQUE ([EntityName], [EntityId], [RowVersion]),
    CONSTRAINT [CK_SyncQueue_Operation] CHECK ([Operation] IN (N'Insert', N'Update', N'Delete')),
    CONSTRAINT [CK_SyncQueue_Payload] CHECK (ISJSON([Payload]) = 1),
    CONSTRAINT [CK_SyncQueue_Attempts] CHECK ([Attempts] >= 0)
);
GO
CREATE INDEX [IX_SyncQueue_NextAttemptAt] ON [SyncQueue] ([NextAttemptAt], [Id]);
GO
