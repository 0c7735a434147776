//! What answers are made of.

/// The bits that say what a token DONE means.
const MORE: u16 = 0x1;
const FAILED: u16 = 0x2;
const COUNTED: u16 = 0x10;
const STOPPED: u16 = 0x20;

/// An error as the server sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault<'a> {
    pub(crate) number: u32,
    pub(crate) state: u8,
    /// The severity.
    pub(crate) class: u8,
    pub(crate) text: &'a str,
    /// Where it happened; empty for the batch itself.
    pub(crate) procedure: &'a str,
    pub(crate) line: u32,
}

impl Default for Fault<'_> {
    fn default() -> Self {
        Self { number: 50000, state: 1, class: 16, text: "it failed", procedure: "", line: 1 }
    }
}

/// An answer, token by token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens(Vec<u8>);

impl Tokens {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A result of one row, whose values are numbers, texts and, where there is nothing, NULL.
    pub(crate) fn row(self, values: &[Option<&str>]) -> Self {
        self.rows(values, 1).next()
    }

    /// A result that has the same row so many times, up to there: its end is missing.
    pub(crate) fn rows(mut self, values: &[Option<&str>], times: u64) -> Self {
        self.0.push(0x81);
        self.0.extend(u16::try_from(values.len()).unwrap().to_le_bytes());
        for number in 0..values.len() {
            // No user type; may be NULL; NVARCHAR of 4000 characters in some collation.
            self.0.extend([0, 0, 0, 0, 1, 0, 0xe7, 0x40, 0x1f, 9, 4, 0xd0, 0, 0x34]);
            self.short(&format!("c{number}"));
        }
        for _ in 0..times {
            self.0.push(0xd1);
            for value in values {
                match value {
                    None => self.0.extend([0xff, 0xff]),
                    Some(text) => {
                        let text = wide(text);
                        self.0.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
                        self.0.extend(text);
                    }
                }
            }
        }
        self
    }

    /// The end of a result. Another follows.
    pub(crate) fn next(self) -> Self {
        self.done(MORE | COUNTED, 1)
    }

    /// An error. More may follow.
    pub(crate) fn fault(mut self, fault: Fault<'_>) -> Self {
        self.message(0xaa, fault);
        self.done(MORE | FAILED, 0)
    }

    /// Something that is only said, as PRINT does.
    pub(crate) fn remark(mut self, text: &str) -> Self {
        self.message(0xab, Fault { number: 0, class: 0, text, ..Fault::default() });
        self
    }

    /// Sends the client, which was let in, to another server.
    pub(crate) fn elsewhere(mut self, host: &str, port: u16) -> Self {
        let mut change = vec![20];
        let name = wide(host);
        change.extend(u16::try_from(5 + name.len()).unwrap().to_le_bytes());
        change.push(0);
        change.extend(port.to_le_bytes());
        change.extend(u16::try_from(name.len() / 2).unwrap().to_le_bytes());
        change.extend(name);
        change.extend([0, 0]);
        self.0.push(0xe3);
        self.0.extend(u16::try_from(change.len()).unwrap().to_le_bytes());
        self.0.extend(change);
        self
    }

    /// The client is let in.
    pub(crate) fn welcome(mut self) -> Self {
        let name = "Microsoft SQL Server";
        self.0.push(0xad);
        self.0.extend(u16::try_from(1 + 4 + 1 + name.len() * 2 + 4).unwrap().to_le_bytes());
        self.0.extend([1, 0x74, 0, 0, 4]);
        self.short(name);
        self.0.extend([16, 0, 0, 0]);
        self
    }

    /// The work was stopped, as the client had asked.
    pub(super) fn stopped() -> Vec<u8> {
        Self::new().done(STOPPED, 0).0
    }

    /// Everything, with its end.
    pub(super) fn finished(&self) -> Vec<u8> {
        self.clone().done(0, 0).0
    }

    fn done(mut self, status: u16, rows: u64) -> Self {
        self.0.push(0xfd);
        self.0.extend(status.to_le_bytes());
        self.0.extend([0, 0]);
        self.0.extend(rows.to_le_bytes());
        self
    }

    fn message(&mut self, kind: u8, fault: Fault<'_>) {
        let text = wide(fault.text);
        let length = 4 + 2 + 2 + text.len() + 1 + wide("db").len() + 1 + wide(fault.procedure).len() + 4;
        self.0.push(kind);
        self.0.extend(u16::try_from(length).unwrap().to_le_bytes());
        self.0.extend(fault.number.to_le_bytes());
        self.0.extend([fault.state, fault.class]);
        self.0.extend(u16::try_from(text.len() / 2).unwrap().to_le_bytes());
        self.0.extend(text);
        self.short("db");
        self.short(fault.procedure);
        self.0.extend(fault.line.to_le_bytes());
    }

    /// A text of at most 255 characters.
    fn short(&mut self, text: &str) {
        let text = wide(text);
        self.0.push(u8::try_from(text.len() / 2).unwrap());
        self.0.extend(text);
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
