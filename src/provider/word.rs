/// Where a name stands in a text, if it stands there once.
pub(super) fn only_word(text: &str, name: &str) -> Option<usize> {
    let part_of_name = |ch: char| ch.is_alphanumeric() || ch == '_' || ch == '$';
    let mut places = text.match_indices(name).map(|(at, _)| at).filter(|at| {
        let before = text[..*at].chars().next_back().is_none_or(|ch| !part_of_name(ch));
        before && text[at + name.len()..].chars().next().is_none_or(|ch| !part_of_name(ch))
    });
    let first = places.next().filter(|_| !name.is_empty())?;
    places.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_when_it_stands_there_once() {
        assert_eq!(only_word("SELECT nonsense FROM nonsensical", "nonsense"), Some(7));
        assert_eq!(only_word("SELECT x, x", "x"), None);
        assert_eq!(only_word("SELECT 1", ""), None);
    }
}
