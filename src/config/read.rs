use std::io::Read;
use std::path::{Path, PathBuf};

use super::concerns::Config;
use super::error::ConfigError;
use super::load::{ConfigFile, Overrides, load};

/// The file that is read when it exists and none is named.
pub const DEFAULT_FILE: &str = "branchkeeper.toml";

/// The variable that names the file.
const FILE_VARIABLE: &str = "BRANCHKEEPER_CONFIG";

/// The largest configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

impl Config {
    /// Reads the configuration of this process.
    ///
    /// The file is `file`, or what `BRANCHKEEPER_CONFIG` names, either of which has to exist; otherwise
    /// `branchkeeper.toml` in the working directory, if there is one.
    pub fn read(file: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let named = file.map(Path::to_owned).or_else(|| {
            let value = std::env::var_os(FILE_VARIABLE).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        });
        let (path, required) = named.map_or((PathBuf::from(DEFAULT_FILE), false), |path| (path, true));
        let name = path.display().to_string();
        let text = read_file(&path, required).map_err(|message| ConfigError::one(&name, message))?;
        let file = text.as_deref().map(|text| ConfigFile { name: &name, text });
        load(file, variables()?, overrides)
    }
}

fn read_file(path: &Path, required: bool) -> Result<Option<String>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
        Err(error) => return Err(format!("the configuration file cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("the configuration file cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("the configuration file has more than {MAX_FILE} bytes"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "the configuration file is not UTF-8 text".into())
}

/// Our own variables; what others put into the environment is none of our business, even if it is not text.
fn variables() -> Result<Vec<(String, String)>, ConfigError> {
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if !name.starts_with("BRANCHKEEPER_") {
            continue;
        }
        let value = value.into_string().map_err(|_| ConfigError::one(&name, "the value is not UTF-8 text"))?;
        found.push((name, value));
    }
    Ok(found)
}
