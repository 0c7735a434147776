use std::collections::HashMap;

use super::servers::Server;
use crate::cli::args::provider_value;
use crate::rpc::proto;

const TOWNS: [&str; 24] = [
    "Aalborg", "Bruges", "Cork", "Delft", "Esbjerg", "Faro", "Girona", "Haarlem", "Imola", "Jaca", "Kotor", "Lugano",
    "Marburg", "Novara", "Odense", "Parma", "Quimper", "Ronda", "Siena", "Tartu", "Uppsala", "Vejle", "Worms", "Zadar",
];

const REGIONS: [&str; 4] = ["north", "east", "south", "west"];

/// The demo's branch number `number`, counted from 1. The branches take turns on SQLite and each of the servers.
pub(super) fn branch(number: u32, servers: &[Server]) -> proto::Branch {
    let index = (number - 1) as usize;
    let code = format!("BR{number:03}");
    let server = (index % (servers.len() + 1)).checked_sub(1).and_then(|index| servers.get(index));
    let round = index / TOWNS.len();
    let town = TOWNS[index % TOWNS.len()];
    let name = if round == 0 { town.to_owned() } else { format!("{town} {}", round + 1) };
    let size = if index.is_multiple_of(3) { "large" } else { "small" };
    proto::Branch {
        connection: server.map(|server| server.connection(&code)),
        code,
        name,
        provider: server.map_or(proto::Provider::Sqlite, |server| provider_value(server.provider)).into(),
        labels: HashMap::from([
            ("region".to_owned(), REGIONS[index % REGIONS.len()].to_owned()),
            ("size".to_owned(), size.to_owned()),
        ]),
        is_active: Some(true),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_branch_has_a_code_and_name_of_its_own() {
        let branches: Vec<_> = (1..=10_000).map(|number| branch(number, &[])).collect();
        let codes: HashSet<_> = branches.iter().map(|branch| &branch.code).collect();
        let names: HashSet<_> = branches.iter().map(|branch| &branch.name).collect();
        assert_eq!((codes.len(), names.len()), (10_000, 10_000));
        assert_eq!((branches[0].code.as_str(), branches[24].name.as_str()), ("BR001", "Aalborg 2"));
        assert!(codes.iter().all(|code| code.parse::<crate::domain::BranchCode>().is_ok()));
    }

    #[test]
    fn the_branches_take_turns_on_the_servers() {
        let urls = ["postgres://k@db", "mysql://k@db"].map(String::from);
        let servers = super::super::servers::read(&urls, "a1b2").unwrap();
        let providers: Vec<_> = (1..=4).map(|number| branch(number, &servers).provider()).collect();
        use proto::Provider::{Mysql, Postgres, Sqlite};
        assert_eq!(providers, [Sqlite, Postgres, Mysql, Sqlite]);
        assert!(branch(1, &servers).connection.is_none() && branch(2, &servers).connection.is_some());
    }
}
