DROP INDEX [IX_Sales_UserId] ON [Sales];
GO
ALTER TABLE [Sales] DROP COLUMN [UserId];
GO
