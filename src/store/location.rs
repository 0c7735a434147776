use std::fmt;
use std::path::PathBuf;

/// Where head office is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file in this data folder, which is made when it does not exist. For one process.
    Embedded(PathBuf),
    /// A PostgreSQL database, `postgres://user:password@host:port/database`. For any number of replicas.
    Postgres(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(folder) => write!(f, "embedded in {}", folder.display()),
            Self::Postgres(url) => {
                // Only what follows the account and comes before the options: neither can hold a password.
                let known = ["postgres://", "postgresql://"].into_iter().find_map(|scheme| url.strip_prefix(scheme));
                let place = known.and_then(|rest| rest.split(['?', '#']).next());
                let place = place.map(|place| place.rsplit_once('@').map_or(place, |(_, place)| place));
                write!(f, "PostgreSQL at {}", place.unwrap_or("***"))
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_print() {
        for url in [
            "postgres://ann:hunter2@db:5432/head",
            "postgresql://ann:p@hunter2@db/head",
            "postgres://db/head?password=hunter2",
            "hunter2",
        ] {
            let location = Location::Postgres(url.into());
            let text = format!("{location} {location:?}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        let location = Location::Postgres("postgres://ann:x@db:5432/head?sslmode=require".into());
        assert_eq!(location.to_string(), "PostgreSQL at db:5432/head");
    }
}
