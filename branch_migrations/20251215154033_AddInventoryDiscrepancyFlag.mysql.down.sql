DROP INDEX `IX_Sales_HasInventoryDiscrepancy` ON `Sales`;
ALTER TABLE `Sales` DROP COLUMN `HasInventoryDiscrepancy`;
