/// Turns byte offsets of a text into lines and columns. Asking in ascending order costs one pass over the text in all.
#[derive(Debug, Clone)]
pub(super) struct Places<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
    column: u32,
}

impl<'a> Places<'a> {
    /// Places in `text`, whose newlines are `\n`.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1, column: 1 }
    }

    /// Line and column of the character at `offset`, both from 1, columns in characters.
    pub(super) fn at(&mut self, offset: usize) -> (u32, u32) {
        if offset < self.offset {
            *self = Self::new(self.text);
        }
        let between = self.text.get(self.offset..offset).unwrap_or_default();
        for byte in between.bytes() {
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // The bytes of a character after its first do not count.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
        }
        self.offset += between.len();
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let mut places = Places::new("żab\n\ną.");
        assert_eq!(places.at(0), (1, 1));
        assert_eq!(places.at(2), (1, 2));
        assert_eq!(places.at(5), (2, 1));
        assert_eq!(places.at(8), (3, 2));
        assert_eq!(places.at(2), (1, 2));
    }
}
