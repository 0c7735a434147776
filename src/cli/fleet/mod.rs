//! Commands about migrations: applying them, and seeing where branches stand.

mod branch_views;
mod down;
mod overview;
mod resolve;
mod runs;
mod up;
mod waiting;

pub(crate) use branch_views::{HistoryArgs, PendingArgs, RetryArgs, ValidateArgs, history, pending, retry, validate};
pub(crate) use down::{DownArgs, down};
pub(crate) use overview::{StatusArgs, all_pages, print_status, status};
pub(crate) use resolve::{ResolveArgs, resolve};
pub(crate) use runs::{CancelArgs, RunsArgs, WatchArgs, cancel, runs, watch};
pub(crate) use up::{UpArgs, up};
