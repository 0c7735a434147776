//! How many files the process may have open, connections included, and how many connections that leaves room for.

/// What the service has open besides connections and what its branches need: the log, head office, listeners, the runtime.
const OTHERS: u64 = 64;
/// What one branch that is worked on may have open: a SQLite database has a log, an index of it and a journal besides, and
/// is opened more than once; a server's database has a few connections.
const EACH_BRANCH: u64 = 8;

/// Raises the limit of open files (`ulimit -n`) as far as the process may, and gives it; `None` where there is none or it is
/// not known.
pub(super) fn raise() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Failing to raise it leaves what there was, which the caller hears of.
        if limit.current != limit.maximum {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        }
        getrlimit(Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}

/// The most connections, at most `wanted`, for which `limit` open files leave room beside `branches` that are worked on at
/// once, an eighth more being on their way out: however low the limit is, a fifth of it.
pub(super) fn affordable(wanted: usize, limit: u64, branches: usize) -> usize {
    let others = OTHERS.saturating_add(EACH_BRANCH.saturating_mul(branches as u64));
    let room = (limit.saturating_sub(others) / 9 * 8).max(limit / 5).max(1);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_what_the_limit_leaves() {
        assert_eq!(affordable(1_000, 1 << 20, 16), 1_000);
        assert_eq!(affordable(1_000, 1_024, 16), (1_024 - 64 - 128) / 9 * 8);
        assert_eq!(affordable(1_000, 128, 16), 25);
        assert_eq!(affordable(1_000, 64, 1_000_000), 12);
        assert_eq!((affordable(1_000, 0, 1), affordable(3, u64::MAX, usize::MAX)), (1, 3));
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let raised = raise();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!((raised, raised), (limit.current, limit.maximum));
    }
}
