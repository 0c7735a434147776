-- Children before parents.
DROP TABLE `SyncQueue`;
DROP TABLE `Settings`;
DROP TABLE `Expenses`;
DROP TABLE `ExpenseCategories`;
DROP TABLE `PurchaseLineItems`;
DROP TABLE `Purchases`;
DROP TABLE `SaleLineItems`;
DROP TABLE `Sales`;
DROP TABLE `ProductImages`;
DROP TABLE `Products`;
DROP TABLE `Customers`;
DROP TABLE `Suppliers`;
DROP TABLE `Categories`;
