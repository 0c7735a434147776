-- branchkeeper: description="Sales of more than was in stock, to be looked into"

-- A till that is offline sells what lies on the counter, whatever the stock says.
ALTER TABLE `Sales` ADD COLUMN `HasInventoryDiscrepancy` BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX `IX_Sales_HasInventoryDiscrepancy` ON `Sales` (`HasInventoryDiscrepancy`, `SoldAt`);
