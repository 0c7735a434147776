use std::collections::{HashMap, HashSet};

use super::super::super::args::provider_value;
use super::super::values::{connection_message, connection_value, provider};
use super::file::{Problem, Wanted};
use crate::domain::{BranchCode, Connection, Provider, ServerConnection, SqliteConnection};
use crate::rpc::proto;

/// What has to be done to make the register as the file says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Branches to register.
    pub(super) creations: Vec<proto::Branch>,
    /// Branches to change.
    pub(super) updates: Vec<Update>,
    /// Codes of branches that are as they should be.
    pub(super) unchanged: Vec<String>,
    /// Codes of branches to forget.
    pub(super) removals: Vec<String>,
}

/// A change of one branch.
#[derive(Debug, PartialEq)]
pub(super) struct Update {
    /// The branch's id.
    pub(super) branch: String,
    /// The branch as it should be.
    pub(super) value: proto::Branch,
    /// What is different.
    pub(super) fields: Vec<&'static str>,
}

/// Compares what the file wants with what there is. Nothing is done yet.
pub(super) fn plan(wanted: Vec<Wanted>, existing: &[proto::Branch], prune: bool) -> Result<Plan, Vec<Problem>> {
    let by_code: HashMap<String, &proto::Branch> =
        existing.iter().map(|branch| (branch.code.to_ascii_lowercase(), branch)).collect();
    let mut plan = Plan::default();
    let mut problems = Vec::new();
    let mut named = HashSet::new();
    for branch in wanted {
        let folded = branch.code.folded();
        match by_code.get(&folded) {
            None => plan.creations.push(creation(branch)),
            Some(before) if provider(before.provider) != Some(branch.provider) => problems.push(Problem {
                line: branch.line,
                message: format!(
                    "{}: the provider of a registered branch cannot change; remove the branch first",
                    branch.code
                ),
            }),
            Some(before) => {
                let update = update(branch, before);
                if update.fields.is_empty() {
                    plan.unchanged.push(before.code.clone());
                } else {
                    plan.updates.push(update);
                }
            }
        }
        named.insert(folded);
    }
    if prune {
        let gone = existing.iter().filter(|branch| !named.contains(&branch.code.to_ascii_lowercase()));
        plan.removals = gone.map(|branch| branch.code.clone()).collect();
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

fn creation(wanted: Wanted) -> proto::Branch {
    proto::Branch {
        code: wanted.code.to_string(),
        name: wanted.name.unwrap_or_default(),
        provider: provider_value(wanted.provider).into(),
        connection: wanted.connection.map(connection_message),
        labels: wanted.labels.unwrap_or_default().into_iter().collect(),
        is_active: Some(wanted.is_active.unwrap_or(true)),
        environment: wanted.environment.unwrap_or_default(),
        ..Default::default()
    }
}

fn update(wanted: Wanted, before: &proto::Branch) -> Update {
    let mut value = before.clone();
    let mut fields = Vec::new();
    if let Some(name) = wanted.name.filter(|name| *name != before.name) {
        value.name = name;
        fields.push("name");
    }
    if let Some(connection) = wanted.connection {
        let now = connection_value(before.connection.as_ref());
        if now.map(|now| normal(now, wanted.provider, &wanted.code))
            != Some(normal(connection.clone(), wanted.provider, &wanted.code))
        {
            value.connection = Some(connection_message(connection));
            fields.push("connection");
        }
    }
    let labels = wanted.labels.map(|labels| labels.into_iter().collect::<HashMap<_, _>>());
    if let Some(labels) = labels.filter(|labels| *labels != before.labels) {
        value.labels = labels;
        fields.push("labels");
    }
    if let Some(is_active) = wanted.is_active.filter(|is_active| *is_active != before.is_active.unwrap_or(true)) {
        value.is_active = Some(is_active);
        fields.push("is_active");
    }
    if let Some(environment) = wanted.environment.filter(|environment| *environment != before.environment) {
        value.environment = environment;
        fields.push("environment");
    }
    Update { branch: before.id.clone(), value, fields }
}

/// A connection with its defaults filled in, so that what is the same compares as the same.
fn normal(connection: Connection, provider: Provider, code: &BranchCode) -> Connection {
    match connection {
        Connection::Sqlite(sqlite) => Connection::Sqlite(SqliteConnection { path: sqlite.relative_path(code) }),
        Connection::Server(server) => {
            let port = server.port.or(provider.default_port());
            Connection::Server(ServerConnection { port, ..server })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use super::*;

    fn wanted(text: &str) -> Vec<Wanted> {
        parse(text).unwrap()
    }

    fn registered(text: &str) -> Vec<proto::Branch> {
        let branches = wanted(text).into_iter().map(creation);
        branches.enumerate().map(|(n, branch)| proto::Branch { id: format!("id-{n}"), ..branch }).collect()
    }

    const FLEET: &str = "\
- code: BR001
  name: Old Town
  provider: sqlite
  labels: { region: south }
- code: BR002
  provider: postgres
  url: postgres://keeper@db:5432/br002
";

    #[test]
    fn what_is_missing_is_created() {
        let plan = plan(wanted(FLEET), &[], false).unwrap();
        assert_eq!(plan.creations.iter().map(|branch| branch.code.as_str()).collect::<Vec<_>>(), ["BR001", "BR002"]);
        assert_eq!(plan.creations[0].is_active, Some(true));
        assert_eq!(plan.creations[0].connection, None);
    }

    #[test]
    fn importing_again_changes_nothing() {
        let mut existing = registered(FLEET);
        // The service may tell defaults that the file does not.
        let sqlite = proto::SqliteConnection { path: String::new() };
        existing[0].connection = Some(proto::Connection { kind: Some(proto::connection::Kind::Sqlite(sqlite)) });
        let plan = plan(wanted(FLEET), &existing, true).unwrap();
        assert_eq!(plan, Plan { unchanged: vec!["BR001".into(), "BR002".into()], ..Plan::default() });
    }

    #[test]
    fn only_what_differs_is_changed() {
        let text = "\
- { code: br001, provider: sqlite, name: New Town, labels: {} }
- { code: BR002, provider: postgres, url: 'postgres://keeper@db/br002', is_active: false, environment: staging }
";
        let plan = plan(wanted(text), &registered(FLEET), false).unwrap();
        let changed: Vec<_> =
            plan.updates.iter().map(|update| (update.branch.as_str(), update.fields.clone())).collect();
        assert_eq!(changed, [("id-0", vec!["name", "labels"]), ("id-1", vec!["is_active", "environment"])]);
        assert_eq!(plan.updates[0].value.code, "BR001");
        assert!(plan.updates[0].value.labels.is_empty());
    }

    #[test]
    fn a_connection_that_is_not_given_stays() {
        let mut existing = registered("- { code: BR001, provider: sqlite, connection: { sqlite: { path: x.db } } }");
        existing[0].name = "Old".into();
        let plan = plan(wanted("- { code: BR001, provider: sqlite }"), &existing, false).unwrap();
        assert_eq!(plan.unchanged, ["BR001"]);
    }

    #[test]
    fn a_new_connection_is_seen() {
        let text = "- { code: BR002, provider: postgres, url: 'postgres://keeper@db:5433/br002' }";
        let plan = plan(wanted(text), &registered(FLEET), false).unwrap();
        assert_eq!(plan.updates[0].fields, ["connection"]);
    }

    #[test]
    fn others_go_only_when_pruning() {
        let text = "- { code: br002, provider: postgres, url: 'postgres://keeper@db/br002' }";
        assert!(plan(wanted(text), &registered(FLEET), false).unwrap().removals.is_empty());
        assert_eq!(plan(wanted(text), &registered(FLEET), true).unwrap().removals, ["BR001"]);
    }

    #[test]
    fn a_provider_cannot_change() {
        let text = "- { code: BR001, provider: postgres, url: 'postgres://keeper@db/x' }";
        let problems = plan(wanted(text), &registered(FLEET), false).unwrap_err();
        assert!(problems[0].line == 1 && problems[0].message.contains("cannot change"), "{problems:?}");
    }
}
