-- branchkeeper: description="Which user made a sale"

-- No foreign key: a sale may arrive from a till before its user does.
ALTER TABLE `Sales` ADD COLUMN `UserId` CHAR(36);
CREATE INDEX `IX_Sales_UserId` ON `Sales` (`UserId`, `SoldAt`);
