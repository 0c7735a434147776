//! The reasons that a status of this service can carry in `google.rpc.ErrorInfo`, whose domain is [`DOMAIN`].

/// The domain of every reason.
pub const DOMAIN: &str = "branchkeeper";

/// Why a request could not be carried out, as programs see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The name in `ErrorInfo.reason`. Names are never changed and never mean something else.
    pub name: &'static str,
    /// What it means and what helps, in one line.
    pub meaning: &'static str,
}

macro_rules! reasons {
    ($($constant:ident: $meaning:literal,)+) => {
        $(
            #[doc = $meaning]
            pub(super) const $constant: Reason = Reason { name: stringify!($constant), meaning: $meaning };
        )+

        /// Every reason that there is.
        pub const REASONS: &[Reason] = &[$($constant),+];
    };
}

reasons! {
    BRANCH_NOT_FOUND: "No branch has this code or id; list the branches, or register it.",
    RUN_NOT_FOUND: "No run has this id; list the runs.",
    MIGRATION_NOT_FOUND: "The catalogue has no migration of this id or number for the branch's provider.",
    INVALID_REQUEST: "Fields of the request cannot be accepted; BadRequest lists each of them.",
    BRANCH_CODE_TAKEN: "Another branch has this code; codes are compared without regard to case.",
    DATABASE_TAKEN: "Another branch uses the same database; the metadata names it.",
    REQUEST_ID_REUSED: "The request_id was used for a request of other content; use a new one.",
    BAD_PAGE_TOKEN: "The page token was not given out for this list; begin with the first page.",
    BRANCH_LOCKED: "Somebody else works on the branch; the metadata says who, RetryInfo when to try again.",
    BRANCH_BUSY: "The branch is being worked on and cannot be changed now; wait, or cancel the run.",
    RUN_OVER: "The run has ended and cannot be steered any more.",
    NOTHING_TO_RESOLVE: "No statement of the branch waits for a person; the message says what to do instead.",
    PLAN_CHANGED: "The branch's plan has another digest than the request names; look at the new plan.",
    PLAN_REFUSED: "The branch cannot be migrated or rolled back as asked; the message names every obstacle.",
    CATALOGUE_BROKEN: "The migrations folder cannot be used; repair the files that are named.",
    SECRETS_KEY_MISSING: "No key is configured that stored passwords could be encrypted with; set secrets.key_ref.",
    BRANCH_UNAVAILABLE: "The branch's database could not be asked; the metadata has the class of failure.",
    HEAD_OFFICE_UNAVAILABLE: "The service's own database cannot be reached; try again.",
    DRAINING: "The service is stopping; try again, and watch the run from the last event seen.",
    OVERLOADED: "The service works on as many requests as it may; try again.",
    RATE_LIMITED: "The caller sends more than it may; RetryInfo says when to try again. Nothing was done.",
    SLOW_READER: "The client took nothing of an answer for too long; watch the run from the last event seen.",
    DEADLINE_EXCEEDED: "The client's deadline passed first; work that was begun goes on.",
    UNAUTHENTICATED: "The call carries no credential that is accepted; the service's log says why.",
    PERMISSION_DENIED: "The caller is known and its role does not allow the call.",
    TOKEN_NOT_FOUND: "No API token has this name or id; list the tokens.",
    ORIGIN_REFUSED: "The call comes from a web page whose origin is not among server.allowed_origins.",
    METHOD_NOT_FOUND: "The service has no such method; ask it for its methods by reflection.",
    MALFORMED_MESSAGE: "The request is not a message of the method's type, or not in a supported encoding, or not whole.",
    MESSAGE_TOO_LARGE: "The request is larger than the service accepts.",
    INTERNAL: "A fault of the service; its log has the detail under the id that the metadata gives.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_of_one_style() {
        for (index, reason) in REASONS.iter().enumerate() {
            assert!(reason.name.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{}", reason.name);
            assert!(reason.name.len() <= 63 && reason.meaning.ends_with('.') && !reason.meaning.contains('\n'));
            assert!(REASONS[..index].iter().all(|other| other.name != reason.name), "{}", reason.name);
        }
    }
}
