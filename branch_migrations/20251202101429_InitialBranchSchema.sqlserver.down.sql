-- Children before parents.
DROP TABLE [SyncQueue];
GO
DROP TABLE [Settings];
GO
DROP TABLE [Expenses];
GO
DROP TABLE [ExpenseCategories];
GO
DROP TABLE [PurchaseLineItems];
GO
DROP TABLE [Purchases];
GO
DROP TABLE [SaleLineItems];
GO
DROP TABLE [Sales];
GO
DROP TABLE [ProductImages];
GO
DROP TABLE [Products];
GO
DROP TABLE [Customers];
GO
DROP TABLE [Suppliers];
GO
DROP TABLE [Categories];
GO
