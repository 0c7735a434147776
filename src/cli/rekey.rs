//! Stored passwords under a new key.

use super::Context;
use super::client::{PATIENT, answer};
use super::failure::{Failure, Outcome};
use super::output::text::one_line;
use super::output::{Json, notice};
use crate::rpc::proto;

/// What `rekey` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  branchkeeper rekey

To change the key: start every service with the new one in secrets.key_ref and the one before in secrets.old_key_refs,
then do this; once it says that none is left, take the old one away. Branches stay in use meanwhile, and doing it again
does what is left. Exit code 1 when passwords are left under another key.")]
pub(crate) struct RekeyArgs {}

/// Does it.
pub(crate) async fn run(context: &Context, _: RekeyArgs) -> Result<Outcome, Failure> {
    let mut client = context.connect().await?;
    let done = answer(PATIENT, client.branches.rekey(proto::RekeyRequest {})).await?;
    let all_done = done.unreadable == 0 && done.overtaken == 0;
    if context.printer.is_json() {
        context.printer.json(&Json(&done))?;
        return Ok(Outcome::of(all_done));
    }
    context.printer.line(&format!(
        "Passwords encrypted anew with key {}: {}; under it already: {}.",
        one_line(&done.key_id),
        done.rewritten,
        done.current
    ))?;
    if done.unreadable > 0 {
        let named = one_line(&done.unreadable_branches.join(", "));
        let more = if done.unreadable > done.unreadable_branches.len() as u64 { ", and others" } else { "" };
        notice(&format!(
            "{} cannot be decrypted: {named}{more}. Name their key in secrets.old_key_refs, or give their passwords again.",
            done.unreadable
        ));
    }
    if done.overtaken > 0 {
        notice(&format!("{} were changed meanwhile; do it again.", done.overtaken));
    }
    Ok(Outcome::of(all_done))
}
