DROP INDEX [IX_Sales_HasInventoryDiscrepancy] ON [Sales];
GO
ALTER TABLE [Sales] DROP CONSTRAINT [DF_Sales_HasInventoryDiscrepancy], COLUMN [HasInventoryDiscrepancy];
GO
