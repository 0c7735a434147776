-- branchkeeper: description="The people who work the tills" depends-on=20251205143022_AddUserIdToSales

CREATE TABLE [Users] (
    [Id]           uniqueidentifier NOT NULL,
    [Username]     nvarchar(60) COLLATE Latin1_General_100_CI_AS NOT NULL,
    [DisplayName]  nvarchar(120)    NOT NULL,
    [Role]         nvarchar(20)     NOT NULL CONSTRAINT [DF_Users_Role] DEFAULT N'Cashier',
    [PasswordHash] nvarchar(255)    NULL,
    [PinHash]      nvarchar(255)    NULL,
    [IsActive]     bit              NOT NULL CONSTRAINT [DF_Users_IsActive] DEFAULT 1,
    [LastLoginAt]  datetime2(6)     NULL,
    [RowVersion]   bigint           NOT NULL CONSTRAINT [DF_Users_RowVersion] DEFAULT 1,
    [CreatedAt]    datetime2(6)     NOT NULL CONSTRAINT [DF_Users_CreatedAt] DEFAULT SYSUTCDATETIME(),
    [UpdatedAt]    datetime2(6)     NOT NULL CONSTRAINT [DF_Users_UpdatedAt] DEFAULT SYSUTCDATETIME(),
    [DeletedAt]    datetime2(6)     NULL,
    [SyncedAt]     datetime2(6)     NULL,
    CONSTRAINT [PK_Users] PRIMARY KEY ([Id]),
    CONSTRAINT [CK_Users_Username] CHECK (LEN(LTRIM([Username])) > 0),
    CONSTRAINT [CK_Users_Role] CHECK ([Role] IN (N'Cashier', N'Supervisor', N'Manager', N'Administrator'))
);
GO
CREATE UNIQUE INDEX [UX_Users_Username] ON [Users] ([Username]) WHERE [DeletedAt] IS NULL;
GO
