DROP TABLE `Users`;
