DROP INDEX "IX_Sales_HasInventoryDiscrepancy";
ALTER TABLE "Sales" DROP COLUMN "HasInventoryDiscrepancy";
