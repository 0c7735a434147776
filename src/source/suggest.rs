/// The candidate that `word` most likely was meant to be, when one is near enough to be worth naming.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no typing mistakes, and the comparison takes time in the product of both lengths.
    const LONGEST: usize = 200;
    let word: Vec<char> = word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let allowed = (word.len() / 3).clamp(1, 4);
    let distances = candidates.into_iter().filter_map(|candidate| {
        let chars: Vec<char> = candidate.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
        if chars.len().abs_diff(word.len()) > allowed {
            return None;
        }
        let far = distance(&word, &chars);
        (far <= allowed).then_some((far, candidate))
    });
    distances.min_by_key(|(far, _)| *far).map(|(_, candidate)| candidate)
}

/// How many single-character insertions, deletions and replacements lead from one word to the other (Levenshtein).
pub(super) fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let keys = ["transaction-mode", "timeout", "depends-on", "description"];
        assert_eq!(nearest("transaction_mode", keys), Some("transaction-mode"));
        assert_eq!(nearest("TIMOUT", keys), Some("timeout"));
        assert_eq!(nearest("dependson", keys), Some("depends-on"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"x".repeat(100_000), keys), None);
    }
}
