use super::dialect::of;
use crate::domain::Provider;

#[test]
fn texts_mean_themselves_on_sql_server() {
    let text = |text: &str| of(Provider::SqlServer).text(text);
    assert_eq!(text("it's"), "N'it''s'");
    assert_eq!(text("$(a)"), "(N'$' + N'(a)')", "it is no variable of sqlcmd");
    assert_eq!(text("a\\\nb"), "(N'a\\' + N'\nb')", "a backslash there joins the lines");
}
