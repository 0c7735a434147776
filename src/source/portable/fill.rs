//! Templates of SQL.

/// Fills the places of a text.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after
            .split_once('}')
            .and_then(|(key, tail)| Some((values.iter().find(|(name, _)| *name == key)?.1, tail)))
        {
            Some((value, tail)) => {
                out.push_str(value);
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
    use super::super::dialect::of;
    use super::*;
    use crate::domain::Provider;

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        assert_eq!(fill("{a} {b} {c}", &[("a", "{b}"), ("b", "2")]), "{b} 2 {c}");
    }

    #[test]
    fn texts_mean_themselves_on_sql_server() {
        let text = |text: &str| of(Provider::SqlServer).text(text);
        assert_eq!(text("it's"), "N'it''s'");
        assert_eq!(text("$(a)"), "(N'$' + N'(a)')", "it is no variable of sqlcmd");
        assert_eq!(text("a\\\nb"), "(N'a\\' + N'\nb')", "a backslash there joins the lines");
    }
}
