use std::borrow::Cow;

/// `text` cut to at most `limit` characters, white space folded into single spaces, with an ellipsis where it was cut.
///
/// Used wherever somebody else's text (a statement, a server's message) goes into an error or a row of bounded size.
pub fn shorten(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit * 4));
    let mut count = 0;
    for word in text.split_whitespace() {
        for (index, ch) in word.char_indices() {
            let gap = usize::from(index == 0 && count > 0);
            if count + gap + 1 > limit {
                out.pop();
                out.push('…');
                return out;
            }
            if gap == 1 {
                out.push(' ');
            }
            out.push(ch);
            count += gap + 1;
        }
    }
    out
}

/// `template` with every `{name}` replaced in one pass, so that nothing that is put in is taken for a name.
pub fn render(template: &str, values: &[(&str, &str)]) -> String {
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| Cow::Borrowed(*value));
    render_with(template, value)
}

/// As [`render`], with values that are made up when they are needed. A name without a value stays as it stands.
pub fn render_with<'v>(template: &str, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let found = after.split_once('}').and_then(|(name, tail)| value(name).map(|value| (value, tail)));
        match found {
            Some((value, tail)) => {
                out.push_str(&value);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{render, shorten};

    #[test]
    fn templates_are_filled_in_one_pass() {
        assert_eq!(render("a {x} {y} {z} {", &[("x", "{y}"), ("y", "1")]), "a {y} 1 {z} {");
    }

    #[test]
    fn folds_and_cuts() {
        assert_eq!(shorten("a\n   b", 10), "a b");
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("", 3), "");
        assert_eq!(shorten("żółć żółć", 5), "żół…");
    }
}
