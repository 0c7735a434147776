use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::Role;

/// Who asks, and what is known about the call for the audit record.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The name that runs and audit entries carry, such as `jwt:ann` or `token:deploy`.
    pub name: String,
    /// In which role; `None` for the service itself.
    pub role: Option<Role>,
    /// Where the call came from; empty for the service itself.
    pub peer: String,
    note: Arc<Mutex<Note>>,
}

/// What the call is about, as far as that is known yet. Clones of a caller share it.
#[derive(Debug, Default)]
struct Note {
    subject: String,
    request_id: String,
    kept: bool,
}

impl Caller {
    /// A caller of this name, of whom nothing else is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A caller in a role, from somewhere.
    pub fn new(name: impl Into<String>, role: Option<Role>, peer: impl Into<String>) -> Self {
        Self { name: name.into(), role, peer: peer.into(), note: Arc::default() }
    }

    /// Notes what the call is about, such as a branch's code; the last word counts.
    pub fn about(&self, subject: &str) {
        self.with(|note| note.subject = crate::domain::shorten(subject, 200));
    }

    /// Notes the client's own name for the request.
    pub fn request_id(&self, id: &str) {
        self.with(|note| note.request_id = crate::domain::shorten(id, 200));
    }

    pub(super) fn subject(&self) -> String {
        self.with(|note| note.subject.clone())
    }

    pub(super) fn noted_request_id(&self) -> String {
        self.with(|note| note.request_id.clone())
    }

    /// Notes that the call has its entry in the audit record; false when it had one already.
    pub(super) fn keep(&self) -> bool {
        self.with(|note| !std::mem::replace(&mut note.kept, true))
    }

    /// Whether the call has its entry in the audit record.
    pub(super) fn is_kept(&self) -> bool {
        self.with(|note| note.kept)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Note) -> T) -> T {
        work(&mut self.note.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
