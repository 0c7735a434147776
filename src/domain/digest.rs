use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    hex(context.finish().as_ref())
}

/// SHA-256 of a migration's content, in lower-case hexadecimal.
///
/// The content is hashed after a byte order mark is dropped and `\r\n` and lone `\r` become `\n`, so that a checkout on
/// Windows has the checksum of the same file on Linux.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checksum(String);

impl Checksum {
    /// The checksum of a file's text.
    pub fn of_text(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let normal = text.replace("\r\n", "\n").replace('\r', "\n");
        Self(sha256([normal.as_bytes()]))
    }

    /// A digest over a list of texts, in order; used for a whole catalogue and for fingerprints.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        // A zero byte ends each part, so that moving text from one part to the next changes the digest.
        Self(sha256(parts.into_iter().flat_map(|part| [part.as_bytes(), &[0u8]])))
    }

    /// The plain SHA-256 of bytes, nothing normalised.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(sha256([bytes]))
    }

    /// A checksum as it was stored; nothing is checked, because a ledger may hold another tool's text.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 characters, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first 16 hexadecimal digits of a statement's SHA-256: enough to tell whether a journaled statement is still the
/// same, short enough that a migration of thousands of statements fits its ledger row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatementDigest(String);

impl StatementDigest {
    /// The digest of a statement's text, blind to the newline style.
    pub fn of(sql: &str) -> Self {
        let mut text = Checksum::of_text(sql).0;
        text.truncate(16);
        Self(text)
    }

    /// A digest as the journal stored it.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newline_style_and_byte_order_mark_do_not_matter() {
        let unix = Checksum::of_text("a\nb\n");
        assert_eq!(unix, Checksum::of_text("a\r\nb\r\n"));
        assert_eq!(unix, Checksum::of_text("\u{feff}a\nb\n"));
        assert_ne!(unix, Checksum::of_text("a\nb"));
    }

    #[test]
    fn it_is_sha_256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Checksum::of_text("").as_str(), empty);
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Checksum::of_parts(["ab", "c"]), Checksum::of_parts(["a", "bc"]));
    }
}
