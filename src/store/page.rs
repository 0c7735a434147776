use std::fmt::Display;

use super::StoreError;
use super::filter::Query;
use crate::domain::{Checksum, Time};

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The most items; 0 means 100, and more than 1,000 are never given.
    pub size: u32,
    /// Where to go on: the token that came with the part before; empty for the beginning.
    pub token: String,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// The token of the next part; empty at the end of the list.
    pub next_token: String,
}

/// The longest token that is looked at.
const MAX_TOKEN: usize = 1024;

impl Page {
    /// How many items to give.
    pub(super) fn limit(&self) -> usize {
        match self.size {
            0 => 100,
            size => size.min(1000) as usize,
        }
    }

    /// The key after which the list goes on; `None` at the beginning. `list` names the list and its filter: a token of
    /// another list, or of this list with another filter, is refused.
    pub(super) fn after(&self, list: &str) -> Result<Option<String>, StoreError> {
        if self.token.is_empty() {
            return Ok(None);
        }
        let read = || {
            let token = (self.token.len() <= MAX_TOKEN).then_some(&self.token)?;
            let (tag, hex) = token.split_at_checked(TAG)?;
            if tag != tag_of(list) || hex.len() % 2 != 0 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            let bytes = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
            String::from_utf8(bytes.collect::<Option<_>>()?).ok()
        };
        read().map(Some).ok_or(StoreError::BadPageToken)
    }
}

impl<T> Paged<T> {
    /// Cuts a list that was read with one item too many, which shows that there is more.
    pub(super) fn cut(mut items: Vec<T>, page: &Page, list: &str, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > page.limit();
        items.truncate(page.limit());
        let next_token = match items.last() {
            Some(last) if more => token_of(list, &key(last)),
            _ => String::new(),
        };
        Self { items, next_token }
    }
}

impl Query {
    /// Appends the order by time and id, newest first, and the limits of a page, and one item more, which shows whether
    /// there is another page.
    pub(super) fn page_by_time(&mut self, column: &str, page: &Page, list: &str) -> Result<(), StoreError> {
        if let Some(key) = page.after(list)? {
            let (time, id) = key.split_once(' ').ok_or(StoreError::BadPageToken)?;
            let time: i64 = time.parse().map_err(|_| StoreError::BadPageToken)?;
            self.push(&format!(" AND ({column}, id) < (")).arg(time).push(", ").arg(id).push(")");
        }
        let limit = i64::try_from(page.limit()).unwrap_or(i64::MAX - 1);
        self.push(&format!(" ORDER BY {column} DESC, id DESC LIMIT ")).arg(limit + 1);
        Ok(())
    }

    /// Appends the order by code of `b`, a branch, and the limits of a page, and one item more.
    pub(super) fn page_by_code(&mut self, page: &Page, list: &str) -> Result<(), StoreError> {
        if let Some(after) = page.after(list)? {
            self.push(" AND b.code_folded > ").arg(after);
        }
        let limit = i64::try_from(page.limit()).unwrap_or(i64::MAX - 1);
        self.push(" ORDER BY b.code_folded LIMIT ").arg(limit + 1);
        Ok(())
    }
}

/// The key of an item in a list by time.
pub(super) fn time_key(time: Time, id: impl Display) -> String {
    format!("{} {id}", time.timestamp_micros())
}

const TAG: usize = 12;

fn tag_of(list: &str) -> String {
    Checksum::of_parts([list]).short().to_owned()
}

fn token_of(list: &str, key: &str) -> String {
    key.bytes().fold(tag_of(list), |token, byte| token + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(token: &str) -> Result<Option<String>, StoreError> {
        Page { size: 0, token: token.into() }.after("branches")
    }

    #[test]
    fn tokens_come_back() {
        let token = token_of("branches", "br-ż");
        assert_eq!(after(&token).unwrap().as_deref(), Some("br-ż"));
        assert_eq!(after("").unwrap(), None);
    }

    #[test]
    fn other_tokens_are_refused() {
        let good = token_of("branches", "br001");
        let long = format!("{good}{}", "00".repeat(1000));
        for bad in [
            "x",
            "żółćżółćżółć",
            &good[..13],
            &token_of("runs", "br001"),
            &format!("{good}f"),
            &format!("{good}zz"),
            &long,
        ] {
            assert!(matches!(after(bad), Err(StoreError::BadPageToken)), "{bad}");
        }
    }

    #[test]
    fn the_last_part_has_no_token() {
        let page = Page { size: 2, token: String::new() };
        let cut = |items: Vec<u32>| Paged::cut(items, &page, "x", u32::to_string);
        assert_eq!(cut(vec![1, 2]).next_token, "");
        let first = cut(vec![1, 2, 3]);
        assert_eq!(first.items, [1, 2]);
        assert_eq!(Page { size: 2, token: first.next_token }.after("x").unwrap().as_deref(), Some("2"));
    }
}
