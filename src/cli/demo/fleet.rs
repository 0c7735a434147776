use std::collections::HashMap;

use crate::rpc::proto;

const TOWNS: [&str; 24] = [
    "Aalborg", "Bruges", "Cork", "Delft", "Esbjerg", "Faro", "Girona", "Haarlem", "Imola", "Jaca", "Kotor", "Lugano",
    "Marburg", "Novara", "Odense", "Parma", "Quimper", "Ronda", "Siena", "Tartu", "Uppsala", "Vejle", "Worms", "Zadar",
];

const REGIONS: [&str; 4] = ["north", "east", "south", "west"];

/// The demo's branch number `number`, counted from 1.
pub(super) fn branch(number: u32) -> proto::Branch {
    let index = (number - 1) as usize;
    let round = index / TOWNS.len();
    let town = TOWNS[index % TOWNS.len()];
    let name = if round == 0 { town.to_owned() } else { format!("{town} {}", round + 1) };
    let size = if index.is_multiple_of(3) { "large" } else { "small" };
    proto::Branch {
        code: format!("BR{number:03}"),
        name,
        provider: proto::Provider::Sqlite.into(),
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
        let branches: Vec<_> = (1..=10_000).map(branch).collect();
        let codes: HashSet<_> = branches.iter().map(|branch| &branch.code).collect();
        let names: HashSet<_> = branches.iter().map(|branch| &branch.name).collect();
        assert_eq!((codes.len(), names.len()), (10_000, 10_000));
        assert_eq!((branches[0].code.as_str(), branches[24].name.as_str()), ("BR001", "Aalborg 2"));
        assert!(codes.iter().all(|code| code.parse::<crate::domain::BranchCode>().is_ok()));
    }
}
