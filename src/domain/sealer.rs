use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{BranchId, Checksum, Secret};

/// The length of a key, in bytes.
const KEY: usize = 32;
/// What an encrypted text is for, so that it cannot be taken for another kind of secret.
const PURPOSE: &str = "branchkeeper branch password 1";
/// How many characters of a key's digest name it.
const ID: usize = 16;

/// A branch's password as it is kept: encrypted with AES-256-GCM-SIV, bound to the branch's id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPassword {
    /// The id of the key that it is encrypted with.
    key: String,
    /// Nonce, cipher text and tag, in base64.
    text: String,
}

impl SealedPassword {
    /// The id of the key that it is encrypted with.
    pub fn key_id(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for SealedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPassword(key {})", self.key)
    }
}

/// A key for passwords at rest.
pub struct SealKey {
    id: String,
    key: LessSafeKey,
}

impl SealKey {
    /// Reads a key: 32 bytes as 64 hexadecimal digits or as base64. White space around it is dropped.
    ///
    /// # Errors
    /// What is wrong, without any of the text.
    pub fn parse(text: &Secret) -> Result<Self, String> {
        let text = text.expose().trim();
        let bytes = match hexadecimal(text) {
            Some(bytes) => bytes,
            None => STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).unwrap_or_default(),
        };
        let unusable =
            || format!("is not a key of {KEY} bytes in base64 or hexadecimal; make one: openssl rand -base64 {KEY}");
        if bytes.len() != KEY {
            return Err(unusable());
        }
        let key = UnboundKey::new(&AES_256_GCM_SIV, &bytes).map_err(|_| unusable())?;
        // A digest of 256 random bits tells nothing of them.
        let named = [b"branchkeeper key id\0".as_slice(), &bytes].concat();
        let id = Checksum::of_bytes(&named).as_str().chars().take(ID).collect();
        Ok(Self { id, key: LessSafeKey::new(key) })
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..KEY).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

/// Why a password could not be encrypted or decrypted. Says nothing of the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no key to encrypt with.
    #[error("the service has no key to encrypt passwords with")]
    NoKey,
    /// The password is encrypted with a key that is not there.
    #[error("the password is encrypted with key {0}, which the service does not have")]
    UnknownKey(String),
    /// The text was changed, or belongs to another branch.
    #[error("the stored password was changed since it was encrypted with key {0}, or is another branch's")]
    Forged(String),
    /// The system's random numbers or the cipher failed.
    #[error("the password could not be encrypted")]
    Failed,
}

/// Encrypts branches' passwords with the current key, and decrypts with that and earlier ones. The default has no key.
#[derive(Debug, Clone, Default)]
pub struct Sealer {
    current: Option<Arc<SealKey>>,
    /// The current key and the earlier ones.
    known: Arc<Vec<Arc<SealKey>>>,
}

impl Sealer {
    /// With the key for new passwords, and earlier ones for reading.
    pub fn new(current: Option<SealKey>, earlier: Vec<SealKey>) -> Self {
        let current = current.map(Arc::new);
        let known = current.iter().cloned().chain(earlier.into_iter().map(Arc::new)).collect();
        Self { current, known: Arc::new(known) }
    }

    /// The id of the key for new passwords; `None` when there is none.
    pub fn current_id(&self) -> Option<&str> {
        self.current.as_ref().map(|key| key.id.as_str())
    }

    /// Encrypts a branch's password.
    ///
    /// # Errors
    /// [`SealError::NoKey`], [`SealError::Failed`].
    pub fn seal(&self, branch: BranchId, password: &Secret) -> Result<SealedPassword, SealError> {
        let current = self.current.as_ref().ok_or(SealError::NoKey)?;
        let mut nonce = [0u8; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealError::Failed)?;
        let mut text = password.expose().as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        let sealed = current.key.seal_in_place_append_tag(unique, associated(branch), &mut text);
        sealed.map_err(|_| SealError::Failed)?;
        let text = STANDARD.encode([nonce.as_slice(), &text].concat());
        Ok(SealedPassword { key: current.id.clone(), text })
    }

    /// Decrypts a branch's password.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`], [`SealError::Forged`].
    pub fn open(&self, branch: BranchId, sealed: &SealedPassword) -> Result<Secret, SealError> {
        let key = self.known.iter().find(|key| key.id == sealed.key);
        let key = key.ok_or_else(|| SealError::UnknownKey(sealed.key.clone()))?;
        let opened = || {
            let mut bytes = STANDARD.decode(&sealed.text).ok()?;
            let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let plain = key.key.open_in_place(nonce, associated(branch), text).ok()?;
            std::str::from_utf8(plain).ok().map(Secret::new)
        };
        opened().ok_or_else(|| SealError::Forged(sealed.key.clone()))
    }
}

fn associated(branch: BranchId) -> Aad<String> {
    Aad::from(format!("{PURPOSE}\0{branch}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey::parse(&Secret::new(STANDARD.encode([byte; KEY]))).unwrap()
    }

    #[test]
    fn what_was_encrypted_is_decrypted_for_its_branch_alone() {
        let sealer = Sealer::new(Some(key(1)), Vec::new());
        let (branch, other) = (BranchId::generate(), BranchId::generate());
        for text in ["hunter2", "", "päss wörd\n", &"x".repeat(4096)] {
            let sealed = sealer.seal(branch, &Secret::new(text)).unwrap();
            assert_eq!(sealer.open(branch, &sealed).unwrap().expose(), text);
            assert!(matches!(sealer.open(other, &sealed), Err(SealError::Forged(_))));
        }
        let twice = [(); 2].map(|()| sealer.seal(branch, &Secret::new("hunter2")).unwrap());
        assert_ne!(twice[0], twice[1], "each has a nonce of its own");
        assert!(!format!("{twice:?} {sealer:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_can_be_changed_in_the_stored_text() {
        let sealer = Sealer::new(Some(key(1)), Vec::new());
        let branch = BranchId::generate();
        let sealed = sealer.seal(branch, &Secret::new("hunter2")).unwrap();
        let bytes = STANDARD.decode(&sealed.text).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = SealedPassword { text: STANDARD.encode(changed), ..sealed.clone() };
            assert_eq!(sealer.open(branch, &changed), Err(SealError::Forged(sealed.key.clone())), "byte {at}");
        }
        for short in ["", "AAAA", "%", &sealed.text[..20]] {
            let short = SealedPassword { text: short.into(), ..sealed.clone() };
            assert!(sealer.open(branch, &short).is_err());
        }
    }

    #[test]
    fn earlier_keys_are_for_reading() {
        let branch = BranchId::generate();
        let sealed = Sealer::new(Some(key(1)), Vec::new()).seal(branch, &Secret::new("hunter2")).unwrap();
        let later = Sealer::new(Some(key(2)), vec![key(1)]);
        assert_eq!(later.open(branch, &sealed).unwrap().expose(), "hunter2");
        assert_eq!(Some(later.seal(branch, &Secret::new("x")).unwrap().key_id()), later.current_id());
        let error = Sealer::new(Some(key(2)), Vec::new()).open(branch, &sealed).unwrap_err();
        assert_eq!(error, SealError::UnknownKey(sealed.key_id().to_owned()));
        assert_eq!(Sealer::default().seal(branch, &Secret::new("x")), Err(SealError::NoKey));
        // A text that claims to be of another key is not of that key.
        let claimed = SealedPassword { key: key(2).id, ..sealed };
        assert!(matches!(later.open(branch, &claimed), Err(SealError::Forged(_))));
    }

    #[test]
    fn keys_are_32_bytes_in_two_ways_of_writing() {
        let bytes: Vec<u8> = (0..32).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let base64 = STANDARD.encode(&bytes);
        let ids = [hex.clone(), base64.clone(), format!("{base64}\n"), base64.trim_end_matches('=').to_owned()]
            .map(|text| SealKey::parse(&Secret::new(text)).unwrap().id);
        assert!(ids.iter().all(|id| *id == ids[0] && id.len() == ID), "{ids:?}");
        assert!(!hex.to_lowercase().contains(&ids[0]));
        for bad in ["", "hunter2", &hex[..62], &base64[..40], &hex.replace('0', "g")] {
            let error = SealKey::parse(&Secret::new(bad)).unwrap_err();
            assert!(error.contains("openssl rand") && (bad.is_empty() || !error.contains(bad)), "{error}");
        }
    }
}
