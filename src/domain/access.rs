use std::fmt;

use super::Time;

/// What somebody who calls the service may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Look at everything, change nothing.
    Viewer,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 2] = [Self::Viewer, Self::Admin];

    /// The name in tokens, in the configuration and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "HeadOfficeViewer",
            Self::Admin => "HeadOfficeAdmin",
        }
    }

    /// The role of this name; `None` for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is kept of an API token. The token itself is not: head office has its SHA-256 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its identity, a UUID.
    pub id: String,
    /// What people call it; unique among the tokens that are not revoked.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub create_time: Time,
    /// From when on it is not accepted any more; `None` means never.
    pub expire_time: Option<Time>,
    /// When it was last used, to the hour; `None` means never.
    pub last_used_time: Option<Time>,
    /// When it was revoked; `None` means that it was not.
    pub revoke_time: Option<Time>,
}

impl ApiToken {
    /// What every token begins with, so that people and secret scanners know one when they see one.
    pub const PREFIX: &'static str = "bk_";

    /// The most characters of a name.
    pub const MAX_NAME: usize = 64;

    /// Whether it is accepted at `now`.
    pub fn is_valid(&self, now: Time) -> bool {
        self.revoke_time.is_none() && self.expire_time.is_none_or(|end| now < end)
    }

    /// Checks a name for a new token: letters, digits, `.`, `_` and `-`, as branch codes have them.
    pub fn check_name(name: &str) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > Self::MAX_NAME || !name.chars().all(fits) {
            return Err(format!("must have 1 to {} letters, digits, '.', '_' and '-'", Self::MAX_NAME));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_roles_come_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        for bad in ["", "headofficeadmin", "Admin", "HeadOfficeAdmin "] {
            assert_eq!(Role::from_name(bad), None, "{bad}");
        }
        assert!(Role::Admin > Role::Viewer);
    }

    #[test]
    fn a_token_ends_at_its_moment_or_when_it_is_revoked() {
        let at = |seconds| Time::from_timestamp(seconds, 0).unwrap();
        let token = ApiToken {
            id: String::new(),
            name: "ci".into(),
            role: Role::Viewer,
            created_by: String::new(),
            create_time: at(0),
            expire_time: Some(at(10)),
            last_used_time: None,
            revoke_time: None,
        };
        assert!(token.is_valid(at(9)) && !token.is_valid(at(10)));
        assert!(!ApiToken { revoke_time: Some(at(1)), ..token.clone() }.is_valid(at(2)));
        assert!(ApiToken { expire_time: None, ..token }.is_valid(at(1_000_000)));
    }

    #[test]
    fn names_are_plain() {
        assert!(ApiToken::check_name("ci-deploy_2.x").is_ok());
        for bad in ["", "two words", "a:b", "ż", &"x".repeat(65)] {
            assert!(ApiToken::check_name(bad).is_err(), "{bad}");
        }
    }
}
