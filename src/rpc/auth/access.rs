//! The one table that says which method needs what.

use crate::domain::Role;

/// What a method needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rpc) enum Need {
    /// Nothing, unless health is closed by configuration: then any role.
    Health,
    /// Nothing, unless reflection is closed by configuration: then any role.
    Reflection,
    /// Any role.
    Look,
    /// HeadOfficeAdmin, although nothing is changed: the answer, or what the service does for it, is not for everybody.
    Manage,
    /// HeadOfficeAdmin; calls are kept in the audit record.
    Change,
}

impl Need {
    /// The weakest role that will do.
    pub(in crate::rpc) fn role(self) -> Role {
        match self {
            Self::Health | Self::Reflection | Self::Look => Role::Viewer,
            Self::Manage | Self::Change => Role::Admin,
        }
    }
}

use Need::{Change, Health, Look, Manage, Reflection};

/// Every method of every service, and the plain HTTP routes.
pub(in crate::rpc) const TABLE: &[(&str, Need)] = &[
    ("/branchkeeper.v1.MigrationService/Apply", Change),
    ("/branchkeeper.v1.MigrationService/ApplyAll", Change),
    ("/branchkeeper.v1.MigrationService/Pending", Look),
    ("/branchkeeper.v1.MigrationService/History", Look),
    ("/branchkeeper.v1.MigrationService/Validate", Look),
    ("/branchkeeper.v1.MigrationService/Status", Look),
    ("/branchkeeper.v1.MigrationService/Retry", Change),
    ("/branchkeeper.v1.MigrationService/Resolve", Change),
    ("/branchkeeper.v1.MigrationService/Plan", Look),
    ("/branchkeeper.v1.MigrationService/Rollback", Change),
    ("/branchkeeper.v1.MigrationService/GetRun", Look),
    ("/branchkeeper.v1.MigrationService/ListRuns", Look),
    ("/branchkeeper.v1.MigrationService/WatchRun", Look),
    ("/branchkeeper.v1.MigrationService/CancelRun", Change),
    ("/branchkeeper.v1.BranchService/CreateBranch", Change),
    ("/branchkeeper.v1.BranchService/GetBranch", Look),
    ("/branchkeeper.v1.BranchService/ListBranches", Look),
    ("/branchkeeper.v1.BranchService/UpdateBranch", Change),
    ("/branchkeeper.v1.BranchService/DeleteBranch", Change),
    // It makes the service call other machines, with its own secrets.
    ("/branchkeeper.v1.BranchService/TestConnection", Manage),
    ("/branchkeeper.v1.BranchService/Rekey", Change),
    ("/branchkeeper.v1.AccessService/CreateToken", Change),
    ("/branchkeeper.v1.AccessService/ListTokens", Manage),
    ("/branchkeeper.v1.AccessService/RevokeToken", Change),
    ("/branchkeeper.v1.AuditService/ListAuditEvents", Look),
    ("/branchkeeper.v1.AuditService/VerifyAudit", Look),
    // It makes the service call other machines, with its own secrets.
    ("/branchkeeper.v1.NotificationService/TestNotification", Manage),
    ("/branchkeeper.v1.NotificationService/ListNotifications", Look),
    ("/grpc.health.v1.Health/Check", Health),
    ("/grpc.health.v1.Health/Watch", Health),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Reflection),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Reflection),
    ("/healthz", Health),
    ("/readyz", Health),
    ("/metrics", Look),
];

/// Every method of this product's own services, as `package.Service/Method`.
pub(in crate::rpc) fn methods() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter_map(|(path, _)| path.strip_prefix('/')).filter(|name| name.starts_with("branchkeeper."))
}

/// What the method at `path` needs. A path that is not in the table is not for anybody but an admin.
pub(in crate::rpc) fn need(path: &str) -> Need {
    TABLE.iter().find(|(known, _)| *known == path).map_or(Manage, |(_, need)| *need)
}

/// The paths of all methods.
#[cfg(test)]
pub(in crate::rpc) fn paths() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(path, _)| *path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_table_has_every_method_and_no_other() {
        let sets = [
            crate::rpc::proto::DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut methods = BTreeSet::from(["/healthz", "/readyz", "/metrics"].map(str::to_owned));
        for file in sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).unwrap().file) {
            for service in &file.service {
                let name = |method: &str| format!("/{}.{}/{method}", file.package(), service.name());
                methods.extend(service.method.iter().map(|method| name(method.name())));
            }
        }
        let known: BTreeSet<String> = TABLE.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(known, methods);
        assert_eq!(known.len(), TABLE.len());
    }

    #[test]
    fn what_is_not_known_is_for_admins() {
        assert_eq!(need("/branchkeeper.v1.MigrationService/Nothing").role(), Role::Admin);
        assert_eq!(need("/branchkeeper.v1.MigrationService/Status").role(), Role::Viewer);
    }
}
