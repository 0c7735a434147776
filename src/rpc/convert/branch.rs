use std::collections::BTreeMap;

use crate::domain::{
    self, Branch, BranchCode, BranchId, BranchRef, BranchUpdate, Connection, PasswordChange, Provider, Secret,
    Selector, ServerConnection, SqliteConnection, Time, Violations,
};
use crate::engine::{BranchFilter, ConnectionTest, NewBranch, Page, Rekeyed, TestTarget};
use crate::rpc::proto;

use super::enums::{provider, provider_to_proto, ssl_mode, ssl_mode_to_proto};
use super::fields::{Fields, PROVIDERS};
use super::time::{duration, timestamp};

/// The branch that a CreateBranch request describes, checked as far as that can be done without a database.
pub(in crate::rpc) fn new_branch(request: proto::CreateBranchRequest) -> Result<NewBranch, Violations> {
    let mut fields = Fields::default();
    let Some(branch) = request.branch else {
        fields.bad("branch", "must be given, with at least code and provider");
        return fields.finish(None);
    };
    if !branch.id.is_empty() {
        fields.bad("branch.id", "must be empty; the service gives ids");
    }
    let code = fields.parse::<BranchCode>("branch.code", &branch.code);
    let kind = fields.choice("branch.provider", branch.provider, provider, PROVIDERS);
    if let Some(kind) = kind
        && kind != Provider::Sqlite
        && branch.connection.is_none()
    {
        fields.bad("branch.connection", format!("must be given: {kind} has no default connection"));
    }
    let (connection, password) = branch
        .connection
        .map(|value| (connection(&mut fields, "branch.connection", &value), password(&value)))
        .unwrap_or_default();
    let labels = branch.labels.into_iter().collect();
    let draft = Draft {
        provider: kind,
        name: &branch.name,
        connection: connection.as_ref(),
        labels: &labels,
        environment: &branch.environment,
    };
    draft.check(&mut fields, "branch");
    let new = code.zip(kind).map(|(code, provider)| NewBranch {
        code,
        name: branch.name,
        provider,
        connection,
        password,
        labels,
        is_active: branch.is_active.unwrap_or(true),
        environment: branch.environment,
    });
    fields.finish(new)
}

/// Which branch an UpdateBranch request means, and which parts of it to change to what.
pub(in crate::rpc) fn update_branch(
    request: proto::UpdateBranchRequest,
) -> Result<(BranchRef, BranchUpdate), Violations> {
    let mut fields = Fields::default();
    let which = fields.branch("branch", &request.branch);
    let paths = request.update_mask.unwrap_or_default().paths;
    if paths.is_empty() {
        fields.bad("update_mask", format!("must name what to change: {CHANGEABLE}"));
    }
    if request.value.is_none() {
        fields.bad("value", "must be given");
    }
    let mut value = request.value.unwrap_or_default();
    let mut update = BranchUpdate::default();
    // Each path is taken once, so that a mask of a million paths costs no more than one of each.
    for path in paths.iter().collect::<std::collections::BTreeSet<_>>() {
        match path.as_str() {
            "code" => update.code = fields.parse("value.code", &value.code),
            "name" => update.name = Some(std::mem::take(&mut value.name)),
            "labels" => update.labels = Some(std::mem::take(&mut value.labels).into_iter().collect()),
            "environment" => update.environment = Some(std::mem::take(&mut value.environment)),
            "is_active" => {
                update.is_active = value.is_active;
                if value.is_active.is_none() {
                    fields.bad("value.is_active", "must be given, because the mask names it");
                }
            }
            "connection" => match value.connection.take() {
                Some(given) => {
                    update.password = password_change(&given);
                    update.connection = connection(&mut fields, "value.connection", &given);
                }
                None => fields.bad("value.connection", "must be given, because the mask names it"),
            },
            other => mask_violation(&mut fields, other),
        }
        if fields.0.0.len() > MAX_MASK_VIOLATIONS {
            break;
        }
    }
    let nothing = BTreeMap::new();
    let draft = Draft {
        provider: None,
        name: update.name.as_deref().unwrap_or_default(),
        connection: update.connection.as_ref(),
        labels: update.labels.as_ref().unwrap_or(&nothing),
        environment: update.environment.as_deref().unwrap_or_default(),
    };
    draft.check(&mut fields, "value");
    fields.finish(which.map(|which| (which, update)))
}

/// The paths that an update mask may name.
const CHANGEABLE: &str = "code, name, connection, labels, is_active, environment";
/// A mask with more bad paths than this is not read any further.
const MAX_MASK_VIOLATIONS: usize = 20;

fn mask_violation(fields: &mut Fields, path: &str) {
    let shown = domain::shorten(path, 60);
    let description = match path.split('.').next().unwrap_or_default() {
        "provider" => {
            "names provider, which is fixed once the branch exists; delete the branch and create it anew".into()
        }
        "id" | "create_time" | "update_time" => format!("names '{shown}', which only the service sets"),
        whole @ ("connection" | "labels") => format!("names '{shown}'; {whole} is changed as a whole, so name {whole}"),
        _ => format!("names '{shown}', which is not a part that can change; use {CHANGEABLE}"),
    };
    fields.bad("update_mask", description);
}

/// Which branches a ListBranches request asks for, and which page of them.
pub(in crate::rpc) fn branch_filter(request: proto::ListBranchesRequest) -> Result<(BranchFilter, Page), Violations> {
    let mut fields = Fields::default();
    let page = fields.page(request.page_size, request.page_token);
    let labels = fields.labels("labels", request.labels);
    let providers = fields.providers(&request.providers);
    let selector = Selector { branches: Vec::new(), labels, providers };
    fields.finish(Some((BranchFilter { selector, is_active: request.is_active }, page)))
}

/// What a TestConnection request wants tried.
pub(in crate::rpc) fn test_target(request: proto::TestConnectionRequest) -> Result<TestTarget, Violations> {
    use proto::test_connection_request::Target;
    let mut fields = Fields::default();
    let target = match request.target {
        None => {
            fields.bad("target", "must be given: branch, or connection and provider");
            None
        }
        Some(Target::Branch(text)) => fields.branch("branch", &text).map(TestTarget::Branch),
        Some(Target::Connection(given)) => {
            let kind = fields.choice("provider", request.provider, provider, PROVIDERS);
            let password = password(&given);
            let connection = connection(&mut fields, "connection", &given);
            if let Some(Connection::Sqlite(SqliteConnection { path })) = &connection
                && path.is_empty()
            {
                fields.bad(
                    "connection.sqlite.path",
                    "must not be empty without a branch, whose code it would be made of",
                );
            }
            let nothing = BTreeMap::new();
            let connection_only =
                Draft { provider: kind, name: "", connection: connection.as_ref(), labels: &nothing, environment: "" };
            connection_only.check(&mut fields, "");
            kind.zip(connection).map(|(kind, connection)| TestTarget::Connection(kind, connection, password))
        }
    };
    fields.finish(target)
}

fn password(value: &proto::Connection) -> Option<Secret> {
    match &value.kind {
        Some(proto::connection::Kind::Server(server)) if !server.password.is_empty() => {
            Some(Secret::new(server.password.as_str()))
        }
        _ => None,
    }
}

fn password_change(value: &proto::Connection) -> PasswordChange {
    match (password(value), &value.kind) {
        (Some(password), _) => PasswordChange::Set(password),
        (None, Some(proto::connection::Kind::Server(server))) if server.has_password == Some(false) => {
            PasswordChange::Forget
        }
        (None, _) => PasswordChange::Keep,
    }
}

fn connection(fields: &mut Fields, prefix: &str, value: &proto::Connection) -> Option<Connection> {
    use proto::connection::Kind;
    match &value.kind {
        None => {
            fields.bad(prefix, "must hold sqlite or server");
            None
        }
        Some(Kind::Sqlite(sqlite)) => Some(Connection::Sqlite(SqliteConnection { path: sqlite.path.clone() })),
        Some(Kind::Server(server)) => Some(Connection::Server(server_connection(fields, prefix, server))),
    }
}

fn server_connection(fields: &mut Fields, prefix: &str, server: &proto::ServerConnection) -> ServerConnection {
    let at = |name: &str| format!("{prefix}.server.{name}");
    if !server.password.is_empty() && !server.password_ref.is_empty() {
        fields.bad(at("password"), "is given together with password_ref; give one of them");
    }
    let port = u16::try_from(server.port).unwrap_or_else(|_| {
        fields.bad(at("port"), format!("is {}; ports go from 1 to 65535, and 0 means the usual one", server.port));
        0
    });
    fields.0.text(&at("password_ref"), &server.password_ref, 1024);
    ServerConnection {
        host: server.host.clone(),
        port: (port != 0).then_some(port),
        database: server.database.clone(),
        schema: server.schema.clone(),
        username: server.username.clone(),
        sealed_password: None,
        password_ref: fields.parse_if_given(&at("password_ref"), &server.password_ref),
        ssl_mode: fields.choice_if_given(&at("ssl_mode"), server.ssl_mode, ssl_mode, SSL_MODES).unwrap_or_default(),
        ssl_ca_file: server.ssl_ca_file.clone(),
        options: server.options.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

const SSL_MODES: &str =
    "SSL_MODE_DISABLE, SSL_MODE_PREFER, SSL_MODE_REQUIRE, SSL_MODE_VERIFY_CA or SSL_MODE_VERIFY_FULL";

/// Those parts of a branch that a request gave, to be put through the domain's own checks together with everything
/// else that is wrong with the request.
struct Draft<'a> {
    provider: Option<Provider>,
    name: &'a str,
    connection: Option<&'a Connection>,
    labels: &'a BTreeMap<String, String>,
    environment: &'a str,
}

impl Draft<'_> {
    fn check(&self, fields: &mut Fields, prefix: &str) {
        // What is missing or was refused already is stood in for by something that is fine.
        let Ok(code) = "placeholder".parse() else { return };
        let connection = self.connection.cloned().unwrap_or_else(|| Connection::Sqlite(SqliteConnection::default()));
        let fitting = match connection {
            Connection::Server(_) => Provider::Postgres,
            Connection::Sqlite(_) => Provider::Sqlite,
        };
        let branch = Branch {
            id: BranchId::generate(),
            code,
            name: self.name.to_owned(),
            provider: self.provider.filter(|_| self.connection.is_some()).unwrap_or(fitting),
            connection,
            labels: self.labels.clone(),
            is_active: true,
            environment: self.environment.to_owned(),
            create_time: Time::UNIX_EPOCH,
            update_time: Time::UNIX_EPOCH,
        };
        if let Err(found) = domain::validate_branch(&branch, prefix) {
            for violation in found.0 {
                fields.bad(violation.field.trim_start_matches('.'), violation.description);
            }
        }
    }
}

/// A branch as the contract shows it: whether there is a stored password, and nothing of it.
pub(in crate::rpc) fn branch_to_proto(branch: Branch) -> proto::Branch {
    proto::Branch {
        id: branch.id.to_string(),
        code: branch.code.to_string(),
        name: branch.name,
        provider: provider_to_proto(branch.provider),
        connection: Some(connection_to_proto(branch.connection)),
        labels: branch.labels.into_iter().collect(),
        is_active: Some(branch.is_active),
        environment: branch.environment,
        create_time: Some(timestamp(branch.create_time)),
        update_time: Some(timestamp(branch.update_time)),
    }
}

fn connection_to_proto(connection: Connection) -> proto::Connection {
    use proto::connection::Kind;
    let kind = match connection {
        Connection::Sqlite(sqlite) => Kind::Sqlite(proto::SqliteConnection { path: sqlite.path }),
        Connection::Server(server) => Kind::Server(proto::ServerConnection {
            host: server.host,
            port: server.port.map_or(0, u32::from),
            database: server.database,
            schema: server.schema,
            username: server.username,
            password: String::new(),
            password_ref: server.password_ref.map(|reference| reference.to_string()).unwrap_or_default(),
            ssl_mode: ssl_mode_to_proto(server.ssl_mode),
            ssl_ca_file: server.ssl_ca_file,
            options: server.options.into_iter().collect(),
            has_password: Some(server.sealed_password.is_some()),
        }),
    };
    proto::Connection { kind: Some(kind) }
}

/// What encrypting all stored passwords anew came to.
pub(in crate::rpc) fn rekeyed_to_proto(done: Rekeyed) -> proto::RekeyResponse {
    proto::RekeyResponse {
        key_id: done.key_id,
        rewritten: done.rewritten,
        current: done.current,
        unreadable: done.unreadable,
        unreadable_branches: done.unreadable_branches.iter().map(ToString::to_string).collect(),
        overtaken: done.overtaken,
    }
}

/// What trying a connection showed.
pub(in crate::rpc) fn connection_test_to_proto(test: ConnectionTest) -> proto::TestConnectionResponse {
    proto::TestConnectionResponse {
        reachable: test.reachable,
        database_exists: test.database_exists,
        server_version: test.server_version,
        latency: Some(duration(test.latency)),
        message: test.message,
        hint: test.hint,
    }
}

#[cfg(test)]
#[path = "branch_tests.rs"]
mod tests;
