/// Where a name stands in a text, if it stands there once.
pub(super) fn only_word(text: &str, name: &str) -> Option<usize> {
    let mut places = words(text, name);
    let first = places.next()?;
    places.next().is_none().then_some(first)
}

/// Whether a name stands in a text, letter case aside.
pub(super) fn has_word(text: &str, name: &str) -> bool {
    words(&text.to_lowercase(), &name.to_lowercase()).next().is_some()
}

/// Where a name stands in a text, and not as a part of a longer one.
fn words<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + use<'t> {
    let part_of_name = |ch: char| ch.is_alphanumeric() || ch == '_' || ch == '$';
    let places = text.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back().is_none_or(|ch| !part_of_name(ch));
        before && text[at + name.len()..].chars().next().is_none_or(|ch| !part_of_name(ch))
    });
    places.filter(move |_| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_when_it_stands_there_once() {
        assert_eq!(only_word("SELECT nonsense FROM nonsensical", "nonsense"), Some(7));
        assert_eq!(only_word("SELECT x, x", "x"), None);
        assert_eq!(only_word("SELECT 1", ""), None);
        assert!(has_word("INSERT INTO `Żółw x` VALUES (1)", "żółw X") && !has_word("INSERT INTO logs", "log"));
    }
}
