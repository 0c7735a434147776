DROP INDEX `IX_Sales_UserId` ON `Sales`;
ALTER TABLE `Sales` DROP COLUMN `UserId`;
