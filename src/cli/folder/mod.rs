//! Commands that work on the migrations folder and need no service.

mod check;
mod scaffold;

use std::path::PathBuf;

pub(crate) use check::{CheckArgs, check};
pub(crate) use scaffold::{NewArgs, new};

use super::failure::Failure;
use super::serve::config_failure;
use crate::config::{Config, Overrides};

/// The migrations folder: as given, or else as the service would find it.
fn migrations_folder(given: Option<&str>) -> Result<PathBuf, Failure> {
    let overrides = Overrides { migrations: given.map(str::to_owned), ..Overrides::default() };
    Config::read(None, &overrides).map(|config| config.migrations).map_err(|error| config_failure(&error))
}
