use crate::domain;
use crate::rpc::proto;

/// Writes both directions of an enumeration from one list, so that they cannot disagree.
macro_rules! enumeration {
    ($(#[$doc:meta])* $from:ident, $to:ident, $domain:ident <=> $proto:ident { $($left:ident = $right:ident),+ $(,)? }) => {
        $(#[$doc])*
        ///
        /// `None` for 0 and for a number that this build does not know.
        #[allow(dead_code, reason = "some are only ever written")]
        pub(in crate::rpc) fn $from(value: i32) -> Option<domain::$domain> {
            match proto::$proto::try_from(value) {
                $(Ok(proto::$proto::$right) => Some(domain::$domain::$left),)+
                _ => None,
            }
        }

        /// The number on the wire.
        #[allow(dead_code, reason = "some are only ever read")]
        pub(in crate::rpc) fn $to(value: domain::$domain) -> i32 {
            match value {
                $(domain::$domain::$left => proto::$proto::$right as i32,)+
            }
        }
    };
}

enumeration!(
    /// The provider of a number on the wire.
    provider, provider_to_proto, Provider <=> Provider {
        Sqlite = Sqlite, SqlServer = Sqlserver, Postgres = Postgres, MySql = Mysql,
    }
);

enumeration!(
    /// The encryption mode of a number on the wire.
    ssl_mode, ssl_mode_to_proto, SslMode <=> SslMode {
        Disable = Disable, Prefer = Prefer, Require = Require, VerifyCa = VerifyCa, VerifyFull = VerifyFull,
    }
);

enumeration!(
    /// The transaction mode of a number on the wire.
    transaction_mode, transaction_mode_to_proto, TransactionMode <=> TransactionMode {
        PerMigration = PerMigration, AllInOne = AllInOne, None = None,
    }
);

enumeration!(
    /// The status of a number on the wire.
    migration_status, migration_status_to_proto, MigrationStatus <=> MigrationStatus {
        Pending = Pending, InProgress = InProgress, Completed = Completed, Failed = Failed,
        RequiresManualIntervention = RequiresManualIntervention,
    }
);

enumeration!(
    /// The failure class of a number on the wire.
    failure_class, failure_class_to_proto, FailureClass <=> FailureClass {
        Connection = Connection, Authentication = Authentication, Locked = Locked, Timeout = Timeout, Sql = Sql,
        Checksum = Checksum, Catalogue = Catalogue, Ambiguous = Ambiguous, Cancelled = Cancelled, Internal = Internal,
        PlanChanged = PlanChanged,
    }
);

enumeration!(
    /// The severity of a number on the wire.
    severity, severity_to_proto, Severity <=> Severity { Error = Error, Warning = Warning }
);

enumeration!(
    /// The run's kind of a number on the wire.
    run_kind, run_kind_to_proto, RunKind <=> RunKind {
        Apply = Apply, ApplyAll = ApplyAll, AutoMigrate = AutoMigrate, Rollback = Rollback,
    }
);

enumeration!(
    /// The direction of a number on the wire.
    direction, direction_to_proto, Direction <=> Direction { Up = Up, Down = Down }
);

enumeration!(
    /// The run's state of a number on the wire.
    run_state, run_state_to_proto, RunState <=> RunState {
        Queued = Queued, Running = Running, Succeeded = Succeeded, Failed = Failed, Cancelled = Cancelled,
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back() {
        for value in domain::Provider::ALL {
            assert_eq!(provider(provider_to_proto(value)), Some(value));
        }
        for value in domain::MigrationStatus::ALL {
            assert_eq!(migration_status(migration_status_to_proto(value)), Some(value));
        }
        for value in domain::FailureClass::ALL {
            assert_eq!(failure_class(failure_class_to_proto(value)), Some(value));
        }
        for value in domain::RunState::ALL {
            assert_eq!(run_state(run_state_to_proto(value)), Some(value));
        }
        for value in domain::RunKind::ALL {
            assert_eq!(run_kind(run_kind_to_proto(value)), Some(value));
        }
        for value in domain::TransactionMode::ALL {
            assert_eq!(transaction_mode(transaction_mode_to_proto(value)), Some(value));
        }
    }

    #[test]
    fn zero_and_unknown_numbers_are_nothing() {
        for number in [0, -1, 99, i32::MAX, i32::MIN] {
            assert_eq!(provider(number), None);
            assert_eq!(run_state(number), None);
        }
        assert_eq!(run_state(3), None, "the number kept free for a paused run");
    }
}
