-- branchkeeper: description="Which user made a sale"

-- No foreign key: a sale may arrive from a till before its user does.
ALTER TABLE [Sales] ADD [UserId] uniqueidentifier NULL;
GO
CREATE INDEX [IX_Sales_UserId] ON [Sales] ([UserId], [SoldAt]);
GO
