use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not a valid code or id. The text says what is wrong and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $new:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id; ids made later sort later.
            pub fn generate() -> Self {
                Self(Uuid::$new())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| {
                    IdError(format!("'{}' is not a UUID", super::shorten(text, 60)))
                })
            }
        }
    };
}

uuid_id!(
    /// A branch's identity, given by head office when the branch is registered.
    BranchId,
    now_v7
);
uuid_id!(
    /// A run's identity.
    RunId,
    now_v7
);

/// A branch's code: the short name people use for it, unique without regard to case.
///
/// 1 to 64 characters, ASCII letters, digits, `.`, `_` and `-`, beginning with a letter or digit. It is used in file
/// paths and on command lines, hence the narrow alphabet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BranchCode(String);

impl BranchCode {
    /// The longest code, in characters.
    pub const MAX: usize = 64;

    /// The code as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which codes are compared for uniqueness.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for BranchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for BranchCode {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() {
            return Err(IdError("a branch code must not be empty".into()));
        }
        if text.len() > Self::MAX {
            return Err(IdError(format!(
                "a branch code has at most {} characters, this one has {}",
                Self::MAX,
                text.chars().count()
            )));
        }
        if !text.chars().all(allowed) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(IdError(format!(
                "'{}' is not a branch code; use letters, digits, '.', '_' and '-', beginning with a letter or digit",
                super::shorten(text, Self::MAX)
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// How a request names a branch: by its UUID or by its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchRef {
    /// By identity.
    Id(BranchId),
    /// By code, compared without regard to case.
    Code(BranchCode),
}

impl FromStr for BranchRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Code),
        }
    }
}

impl fmt::Display for BranchRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Code(code) => code.fmt(f),
        }
    }
}

/// A client's own name for a request, which makes sending it twice safe. 1 to 128 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let printable = text.chars().all(|c| c.is_ascii_graphic());
        if text.is_empty() || text.len() > 128 || !printable {
            return Err(IdError("a request id has 1 to 128 printable ASCII characters without spaces".into()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A migration's id: the stem of its file name, `<number>_<Name>` or `R__<name>` for a repeatable one.
///
/// Versioned ids sort by their number, then by name; repeatable ones come after all versioned ones, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MigrationId {
    text: String,
    version: Option<u64>,
}

impl MigrationId {
    /// The longest id, in characters; the ledger's column has this width.
    pub const MAX: usize = 150;

    /// The number of a versioned migration; `None` for a repeatable one.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// Whether the migration runs again whenever its content changes.
    pub fn is_repeatable(&self) -> bool {
        self.version.is_none()
    }

    /// The part after the number: `InitialBranchSchema` of `20251202101429_InitialBranchSchema`.
    pub fn name(&self) -> &str {
        match self.version {
            None => self.text.trim_start_matches("R__"),
            Some(_) => self.text.split_once('_').map_or("", |(_, name)| name),
        }
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for MigrationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = |name: &str| {
            !name.is_empty()
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        if text.len() > Self::MAX {
            return Err(IdError(format!("a migration id has at most {} characters", Self::MAX)));
        }
        let bad = || {
            IdError(format!(
                "'{}' is not a migration id; it is <number>_<Name> or R__<name>, of letters, digits, '_' and '-'",
                super::shorten(text, Self::MAX)
            ))
        };
        if let Some(name) = text.strip_prefix("R__") {
            return fits(name).then(|| Self { text: text.to_owned(), version: None }).ok_or_else(bad);
        }
        let (digits, name) = text.split_once('_').ok_or_else(bad)?;
        if !fits(name) || !digits.chars().all(|c| c.is_ascii_digit()) {
            return Err(bad());
        }
        let version = digits.parse().map_err(|_| bad())?;
        Ok(Self { text: text.to_owned(), version: Some(version) })
    }
}

impl TryFrom<String> for MigrationId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<MigrationId> for String {
    fn from(id: MigrationId) -> Self {
        id.text
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Ord for MigrationId {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |id: &Self| (id.version.is_none(), id.version);
        key(self).cmp(&key(other)).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for MigrationId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MigrationId {
        text.parse().unwrap()
    }

    #[test]
    fn migrations_sort_by_number_and_repeatables_last() {
        let mut ids = [id("R__views"), id("10_b"), id("9_z"), id("0010_a")];
        ids.sort();
        let texts: Vec<_> = ids.iter().map(MigrationId::as_str).collect();
        assert_eq!(texts, ["9_z", "0010_a", "10_b", "R__views"]);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for bad in ["", "x", "_x", "12", "12_", "12__x", "a_b", "R__", "99999999999999999999_x", "1_a b", "1_a/../b"] {
            assert!(bad.parse::<MigrationId>().is_err(), "{bad}");
        }
        assert_eq!(id("20251202101429_InitialBranchSchema").name(), "InitialBranchSchema");
        assert_eq!(id("R__reporting_views").name(), "reporting_views");
    }

    #[test]
    fn codes_keep_to_their_alphabet() {
        for bad in ["", "..", "-a", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<BranchCode>().is_err(), "{bad}");
        }
        assert_eq!("Br-001".parse::<BranchCode>().unwrap().folded(), "br-001");
    }

    #[test]
    fn a_branch_is_named_by_id_or_code() {
        let id = BranchId::generate();
        assert_eq!(id.to_string().parse::<BranchRef>().unwrap(), BranchRef::Id(id));
        assert!(matches!("BR001".parse::<BranchRef>().unwrap(), BranchRef::Code(_)));
    }
}
