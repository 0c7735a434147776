use super::super::Context;
use super::super::args::{label_map, parse_label, provider_parser, provider_value};
use super::super::client::{QUICK, answer};
use super::super::failure::{Failure, Outcome};
use super::super::output::{Json, text::one_line};
use super::connection::ConnectionArgs;
use super::look::print_branch;
use super::values::{connection_value, provider};
use crate::domain::{BranchCode, Provider};
use crate::rpc::proto;
use crate::rpc::proto::connection::Kind;

/// What `branch add` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper branch add BR001 --provider sqlite --name 'Old Town' --label region=south
  branchkeeper branch add BR002 --provider postgres --url postgres://me@db/br002 --password-ref env:PW
  branchkeeper branch add BR003 --provider postgres --host db --database br003 --user keeper --password-file pw

An active branch is due at once: its database is created and migrated without anyone asking, unless the service is
configured otherwise.")]
pub(crate) struct AddArgs {
    /// The branch's code: letters, digits, '.', '_' and '-'
    #[arg(value_name = "CODE")]
    code: BranchCode,
    /// The kind of server that it lives on
    #[arg(long, value_name = "PROVIDER", value_parser = provider_parser())]
    provider: Provider,
    /// What people call it
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
    /// A label; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Leave it out of `up --all` and of automatic migration
    #[arg(long)]
    inactive: bool,
    /// The environment that it belongs to [default: the service's own]
    #[arg(long, value_name = "TEXT", default_value = "")]
    environment: String,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Registers a branch.
pub(super) async fn add(context: &Context, args: AddArgs) -> Result<Outcome, Failure> {
    let connection = args.connection.message(args.provider, None)?;
    // The service knows the default file itself; sending none keeps that its business.
    let is_default = connection.kind == Some(Kind::Sqlite(proto::SqliteConnection::default()));
    let branch = proto::Branch {
        code: args.code.to_string(),
        name: args.name,
        provider: provider_value(args.provider).into(),
        connection: (!is_default).then_some(connection),
        labels: label_map(&args.labels)?,
        is_active: Some(!args.inactive),
        environment: args.environment,
        ..Default::default()
    };
    let mut client = context.connect().await?;
    let request = proto::CreateBranchRequest { branch: Some(branch) };
    let created = answer(QUICK, client.branches.create_branch(request)).await?.branch.unwrap_or_default();
    if context.printer.is_json() {
        context.printer.json(&Json(&created))?;
    } else {
        let (code, id) = (one_line(&created.code), one_line(&created.id));
        context.printer.line(&format!("Branch {code} is registered as {id}."))?;
    }
    Ok(Outcome::Done)
}

/// What `branch update` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper branch update BR001 --name 'New Town' --label region=north --remove-label size
  branchkeeper branch update BR002 --port 5433
  branchkeeper branch update BR003 --inactive

Only what is given changes. The provider cannot change.")]
#[command(group = clap::ArgGroup::new("activity").multiple(false))]
pub(crate) struct UpdateArgs {
    /// The branch, by code or id
    #[arg(value_name = "CODE")]
    branch: String,
    /// A new code
    #[arg(long, value_name = "CODE")]
    code: Option<BranchCode>,
    /// A new name; empty for none
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A label to set; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// A label to take away; may be given again
    #[arg(long = "remove-label", value_name = "KEY")]
    remove_labels: Vec<String>,
    /// Work on it again in `up --all` and automatic migration
    #[arg(long, group = "activity")]
    active: bool,
    /// Leave it out of `up --all` and of automatic migration
    #[arg(long, group = "activity")]
    inactive: bool,
    /// A new environment; empty for the service's own
    #[arg(long, value_name = "TEXT")]
    environment: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Changes a branch.
pub(super) async fn update(context: &Context, args: UpdateArgs) -> Result<Outcome, Failure> {
    let labels = label_map(&args.labels)?;
    let mut client = context.connect().await?;
    let request = proto::GetBranchRequest { branch: args.branch.clone() };
    let mut value = answer(QUICK, client.branches.get_branch(request)).await?.branch.unwrap_or_default();
    let mut paths = Vec::new();
    if let Some(code) = args.code {
        value.code = code.to_string();
        paths.push("code");
    }
    if let Some(name) = args.name {
        value.name = name;
        paths.push("name");
    }
    if !labels.is_empty() || !args.remove_labels.is_empty() {
        value.labels.retain(|key, _| !args.remove_labels.contains(key));
        value.labels.extend(labels);
        paths.push("labels");
    }
    if args.active || args.inactive {
        value.is_active = Some(args.active);
        paths.push("is_active");
    }
    if let Some(environment) = args.environment {
        value.environment = environment;
        paths.push("environment");
    }
    if !args.connection.is_empty() {
        let Some(provider) = provider(value.provider) else {
            return Err(Failure::usage("the branch's provider is unknown to this version", "use a newer branchkeeper"));
        };
        value.connection = Some(args.connection.message(provider, connection_value(value.connection.as_ref()))?);
        paths.push("connection");
    }
    if paths.is_empty() {
        return Err(Failure::usage(
            "nothing to change was given",
            "`branchkeeper branch update --help` lists the flags",
        ));
    }
    let request = proto::UpdateBranchRequest {
        branch: args.branch,
        value: Some(value),
        update_mask: Some(prost_types::FieldMask { paths: paths.into_iter().map(str::to_owned).collect() }),
    };
    let branch = answer(QUICK, client.branches.update_branch(request)).await?.branch.unwrap_or_default();
    print_branch(context, &branch)?;
    Ok(Outcome::Done)
}

/// What `branch remove` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper branch remove BR001
  branchkeeper branch remove BR001 BR002

The service forgets the branches. Their databases are never touched.")]
pub(crate) struct RemoveArgs {
    /// The branches, by code or id
    #[arg(value_name = "CODE", required = true)]
    branches: Vec<String>,
}

/// Forgets branches, up to the first that is refused.
pub(super) async fn remove(context: &Context, args: RemoveArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    for branch in &args.branches {
        let request = proto::DeleteBranchRequest { branch: branch.clone() };
        answer(QUICK, client.branches.delete_branch(request)).await?;
        if !context.printer.is_json() {
            context.printer.line(&format!("Branch {branch} is forgotten; its database is as it was."))?;
        }
    }
    if context.printer.is_json() {
        context.printer.json(&serde_json::json!({ "removed": args.branches }))?;
    }
    Ok(Outcome::Done)
}
