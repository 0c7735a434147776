use super::super::Context;
use super::super::args::{label_map, parse_label, provider_parser, provider_value};
use super::super::client::{Client, PATIENT, QUICK, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::text::{duration, labels, one_line, rfc3339};
use super::super::output::{Cell, Column, Json, Style, Table, names};
use super::connection::ConnectionArgs;
use super::values::describe;
use crate::domain::Provider;
use crate::rpc::proto;

/// The largest page that the service gives.
const PAGE: u32 = 1_000;

/// What `branch list` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper branch list
  branchkeeper branch list --label region=south --provider postgres
  branchkeeper branch list --inactive --output json")]
#[command(group = clap::ArgGroup::new("activity").multiple(false))]
pub(crate) struct ListArgs {
    /// Only branches with this label; may be given again, then all have to match
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Only branches on this provider; may be given again
    #[arg(long = "provider", value_name = "PROVIDER", value_parser = provider_parser())]
    providers: Vec<Provider>,
    /// Only active branches
    #[arg(long, group = "activity")]
    active: bool,
    /// Only inactive branches
    #[arg(long, group = "activity")]
    inactive: bool,
    /// The most branches to show [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// Lists branches.
pub(super) async fn list(context: &Context, args: ListArgs) -> Result<Outcome, Failure> {
    let request = proto::ListBranchesRequest {
        labels: label_map(&args.labels)?,
        providers: args.providers.iter().map(|provider| provider_value(*provider).into()).collect(),
        is_active: (args.active || args.inactive).then_some(args.active),
        ..Default::default()
    };
    let mut client = context.connect().await?;
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let found = all_branches(&mut client, request, limit).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Json(&found))?;
    } else if found.branches.is_empty() {
        printer.line("No branches.")?;
    } else {
        printer.table(&branches_table(&found.branches))?;
        if !found.next_page_token.is_empty() {
            printer.line(&format!("The first {}; --limit shows more.", found.branches.len()))?;
        }
    }
    Ok(Outcome::Done)
}

/// Reads pages until there are `limit` branches or no more; `next_page_token` then says whether there would be.
pub(super) async fn all_branches(
    client: &mut Client,
    mut request: proto::ListBranchesRequest,
    limit: usize,
) -> Result<proto::ListBranchesResponse, Failure> {
    let mut found = proto::ListBranchesResponse::default();
    loop {
        let missing = limit - found.branches.len();
        request.page_size = PAGE.min(u32::try_from(missing).unwrap_or(PAGE));
        let page = answer(QUICK, client.branches.list_branches(request.clone())).await?;
        let is_last = page.next_page_token.is_empty() || page.branches.is_empty();
        found.next_page_token.clone_from(&page.next_page_token);
        found.branches.extend(page.branches);
        found.branches.truncate(limit);
        if is_last || found.branches.len() >= limit {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

fn branches_table(branches: &[proto::Branch]) -> Table {
    let mut table = Table::new([
        Column::new("CODE"),
        Column::new("NAME").flexible(8).optional(3).if_any(),
        Column::new("PROVIDER"),
        Column::new("ACTIVE").optional(4),
        Column::new("ENVIRONMENT").flexible(8).optional(2).if_any(),
        Column::new("DATABASE").flexible(16),
        Column::new("LABELS").flexible(10).optional(1).if_any(),
    ]);
    for branch in branches {
        table.row([
            Cell::from(&branch.code),
            Cell::from(&branch.name),
            names::provider(branch.provider).into(),
            if branch.is_active == Some(false) { Cell::styled("no", Style::Faint) } else { "yes".into() },
            Cell::from(&branch.environment),
            describe(branch.connection.as_ref()).into(),
            labels(&branch.labels).into(),
        ]);
    }
    table
}

/// What `branch show` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  branchkeeper branch show BR001\n  branchkeeper branch show BR001 --output json")]
pub(crate) struct ShowArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
}

/// Shows one branch.
pub(super) async fn show(context: &Context, args: ShowArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let request = proto::GetBranchRequest { branch: args.branch };
    let branch = answer(QUICK, client.branches.get_branch(request)).await?.branch.unwrap_or_default();
    print_branch(context, &branch)?;
    Ok(Outcome::Done)
}

/// Prints everything about a branch.
pub(super) fn print_branch(context: &Context, branch: &proto::Branch) -> std::io::Result<()> {
    if context.printer.is_json() {
        return context.printer.json(&Json(branch));
    }
    let mut fields = vec![
        ("code", branch.code.clone()),
        ("id", branch.id.clone()),
        ("name", branch.name.clone()),
        ("provider", names::provider(branch.provider)),
        ("database", describe(branch.connection.as_ref())),
    ];
    if let Some(proto::connection::Kind::Server(server)) = branch.connection.as_ref().and_then(|c| c.kind.as_ref()) {
        let stored = server.has_password == Some(true) && server.password_ref.is_empty();
        let password = if stored { "head office, encrypted" } else { &server.password_ref };
        fields.push(("password from", password.to_owned()));
        fields.push(("ssl mode", names::ssl_mode(server.ssl_mode)));
        fields.push(("ssl authority", server.ssl_ca_file.clone()));
    }
    fields.extend([
        ("active", if branch.is_active == Some(false) { "no" } else { "yes" }.to_owned()),
        ("environment", branch.environment.clone()),
        ("labels", labels(&branch.labels)),
        ("created", rfc3339(branch.create_time.as_ref()).unwrap_or_default()),
        ("changed", rfc3339(branch.update_time.as_ref()).unwrap_or_default()),
    ]);
    context.printer.record(&fields)
}

/// What `branch test` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper branch test BR001
  branchkeeper branch test --provider postgres --url postgres://me@db/br002 --password-ref env:PW

The service connects, not this machine. Exit code 0 when the server lets the user in, 1 when not.")]
pub(crate) struct TestArgs {
    /// A registered branch, by code or id
    #[arg(value_name = "CODE", required_unless_present = "provider")]
    branch: Option<String>,
    /// The provider of a connection that is not registered
    #[arg(long, value_name = "PROVIDER", value_parser = provider_parser(), conflicts_with = "branch")]
    provider: Option<Provider>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Tries a connection.
pub(super) async fn test(context: &Context, args: TestArgs) -> Result<Outcome, Failure> {
    use proto::test_connection_request::Target;
    let request = match (args.branch, args.provider) {
        (Some(_), _) if !args.connection.is_empty() => {
            let hint = "leave the connection's flags out, or name a --provider instead of the branch";
            return Err(Failure::usage("a registered branch is tried with its own connection", hint));
        }
        (Some(branch), _) => proto::TestConnectionRequest { target: Some(Target::Branch(branch)), provider: 0 },
        (None, Some(provider)) => {
            let connection = args.connection.message(provider, None)?;
            proto::TestConnectionRequest {
                target: Some(Target::Connection(connection)),
                provider: provider_value(provider).into(),
            }
        }
        (None, None) => return Err(Failure::usage("nothing to try was given", "name a branch, or a --provider")),
    };
    let mut client = context.connect().await?;
    let found = answer(PATIENT, client.branches.test_connection(request)).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Json(&found))?;
        return Ok(Outcome::of(found.reachable));
    }
    let (word, style) = if found.reachable { ("reachable", Style::Good) } else { ("not reachable", Style::Bad) };
    let mut line = printer.paint(word, style);
    if found.reachable {
        let exists = if found.database_exists { "exists" } else { "does not exist yet" };
        let version =
            if found.server_version.is_empty() { String::new() } else { format!(", {}", found.server_version) };
        let took = duration(found.latency.as_ref());
        line.push_str(&one_line(&format!(" in {took}{version}; the database {exists}")));
    }
    printer.line(&line)?;
    for (prefix, text) in [("", &found.message), ("hint: ", &found.hint)] {
        if !text.is_empty() {
            printer.line(&format!("    {prefix}{}", one_line(text)))?;
        }
    }
    Ok(Outcome::of(found.reachable))
}
