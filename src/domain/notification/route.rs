use std::collections::BTreeMap;
use std::time::Duration;

use super::{Notification, NotificationKind};

/// What one target is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// The target's name.
    pub target: String,
    /// The kinds it wants; empty means all.
    pub kinds: Vec<NotificationKind>,
    /// Branches in these environments only, without regard to case; empty means all.
    pub environments: Vec<String>,
    /// Branches with all of these labels only.
    pub labels: BTreeMap<String, String>,
}

/// What is told to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    /// One for each target.
    pub routes: Vec<Route>,
    /// The service's own environment, for branches that name none.
    pub environment: String,
    /// The same trouble of the same branch is told once within this time.
    pub window: Duration,
    /// The most notifications that wait to be delivered; further ones are only counted.
    pub max_pending: u32,
}

impl Routes {
    /// Whether anybody wants to know anything.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The targets that get `notification`. Filters on branches leave what is not about a branch alone.
    pub fn targets<'a>(&'a self, notification: &'a Notification) -> impl Iterator<Item = &'a str> {
        let routes = self.routes.iter().filter(|route| route.wants(notification));
        routes.map(|route| route.target.as_str())
    }
}

impl Route {
    fn wants(&self, notification: &Notification) -> bool {
        if !self.kinds.is_empty() && !self.kinds.contains(&notification.kind) {
            return false;
        }
        let Some(branch) = &notification.branch else { return true };
        let here = |environment: &String| environment.eq_ignore_ascii_case(&branch.environment);
        let in_environment = self.environments.is_empty() || self.environments.iter().any(here);
        in_environment && self.labels.iter().all(|(key, value)| branch.labels.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BranchNotice, MigrationStatus, Provider, Time};

    fn about(environment: &str, region: &str) -> Notification {
        let branch = BranchNotice {
            id: crate::domain::BranchId::generate(),
            code: "BR001".parse().unwrap(),
            name: String::new(),
            provider: Provider::Sqlite,
            environment: environment.into(),
            labels: [("region".to_owned(), region.to_owned())].into(),
            status: MigrationStatus::Failed,
            attempts: 1,
            next_attempt_time: None,
            run_id: None,
            error: None,
        };
        Notification {
            kind: NotificationKind::BranchFailed,
            branch: Some(branch),
            ..Notification::of_test(Time::UNIX_EPOCH)
        }
    }

    #[test]
    fn filters_choose_the_targets() {
        let route = |target: &str| Route { target: target.into(), ..Route::default() };
        let routes = Routes {
            routes: vec![
                route("all"),
                Route { kinds: vec![NotificationKind::RunFinished], ..route("runs") },
                Route { environments: vec!["Production".into()], ..route("production") },
                Route { labels: [("region".to_owned(), "north".to_owned())].into(), ..route("north") },
            ],
            environment: "development".into(),
            window: Duration::from_secs(60),
            max_pending: 100,
        };
        let told = |notification: &Notification| routes.targets(notification).collect::<Vec<_>>().join(" ");
        assert_eq!(told(&about("production", "south")), "all production");
        assert_eq!(told(&about("staging", "north")), "all north");
        let folder = Notification::of_catalogue(&[], Time::UNIX_EPOCH);
        assert_eq!(told(&folder), "all production north");
    }
}
