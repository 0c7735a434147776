-- branchkeeper: description="Sales of more than was in stock, to be looked into"

-- A till that is offline sells what lies on the counter, whatever the stock says.
ALTER TABLE [Sales] ADD [HasInventoryDiscrepancy] bit NOT NULL
    CONSTRAINT [DF_Sales_HasInventoryDiscrepancy] DEFAULT 0;
GO
CREATE INDEX [IX_Sales_HasInventoryDiscrepancy] ON [Sales] ([SoldAt]) WHERE [HasInventoryDiscrepancy] = 1;
GO
