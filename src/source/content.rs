use std::borrow::Cow;

use super::Problem;
use super::place::Places;

/// A file's text from its bytes: UTF-8 without byte order mark and NUL, every newline a `\n`, so that what is executed
/// does not depend on how the file was checked out.
pub(super) fn decode(file: &str, mut bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Problem::at(file, (1, 1), "is UTF-16", "save it as UTF-8"));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        let before = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        let before = normal(&before);
        let place = Places::new(&before).at(before.len());
        Problem::at(file, place, format!("is not UTF-8: byte 0x{byte:02x}"), "save it as UTF-8")
    })?;
    let text = match normal(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(normal) => normal,
    };
    match text.find('\0') {
        Some(offset) => {
            let place = Places::new(&text).at(offset);
            Err(Problem::at(file, place, "contains a NUL character", "remove it; save the file as plain UTF-8 text"))
        }
        None => Ok(text),
    }
}

/// `text` with `\r\n` and lone `\r` as `\n`, the same as the checksum sees it.
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

/// Whether there is anything but white space and `--` and `/* */` comments. For the files that nobody splits: those of
/// providers that this build does not support.
pub(super) fn has_statement(text: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) =
            rest.strip_prefix("/*").filter(|text| !text.starts_with('!') && !text.starts_with("M!"))
        {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            return !rest.is_empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_and_newlines_are_normalised() {
        assert_eq!(decode("f", b"\xef\xbb\xbfa\r\nb\rc\n".to_vec()).unwrap(), "a\nb\nc\n");
    }

    #[test]
    fn bad_bytes_are_placed() {
        let place = |bytes: &[u8]| {
            let problem = decode("f", bytes.to_vec()).unwrap_err();
            (problem.line, problem.column)
        };
        assert_eq!(place(b"a\r\nb\r\n\xc5\xbcx\xff"), (3, 3));
        assert_eq!(place(b"a\r\nb\0"), (2, 2));
        assert_eq!(place(b"\xff\xfea\0"), (1, 1));
        assert_eq!(place(b"\xef\xbb\xbf\xff"), (1, 1));
        assert_eq!(place(b"x\n\xc5"), (2, 1));
    }

    #[test]
    fn comments_are_no_statements() {
        for empty in ["", " \n\t", "-- a", "-- a\n/* b\n */ --", "/* open"] {
            assert!(!has_statement(empty), "{empty:?}");
        }
        for statement in ["-- a\n x", "/* a */ /*!40101 SET NAMES utf8mb4 */", "/*M!100100 x */"] {
            assert!(has_statement(statement), "{statement:?}");
        }
        assert!(!has_statement("/*Made by hand*/"));
    }
}
