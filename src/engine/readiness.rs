/// Whether the service can do its work, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Head office answers.
    pub head_office: bool,
    /// The migrations folder can be used as it is now.
    pub catalogue: bool,
    /// The service is stopping.
    pub draining: bool,
    /// What is wrong, for people; empty when nothing is.
    pub detail: String,
}

impl Readiness {
    /// The state before anything was looked at.
    pub fn unknown() -> Self {
        Self { head_office: false, catalogue: false, draining: false, detail: "starting".into() }
    }

    /// Whether requests can be served.
    pub fn ready(&self) -> bool {
        self.head_office && self.catalogue && !self.draining
    }
}
