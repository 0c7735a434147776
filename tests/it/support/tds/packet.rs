//! Packets: eight bytes of head, and a part of a message.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The kinds of messages.
pub(super) const BATCH: u8 = 1;
pub(super) const ANSWER: u8 = 4;
pub(super) const ATTENTION: u8 = 6;
pub(super) const LOGIN: u8 = 16;
pub(super) const PRELOGIN: u8 = 18;

/// The length of a packet's head, in bytes.
pub(super) const HEAD: usize = 8;
/// The longest packet until something else was agreed on, in bytes.
const LONGEST: usize = 4096;

/// The bits of a packet's status.
const LAST: u8 = 1;

/// Reads one message, of one or more packets: its kind and what it says.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut message = Vec::new();
    loop {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).await?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let before = message.len();
        message.resize(before + length.checked_sub(HEAD).expect("a packet is as long as its head"), 0);
        from.read_exact(&mut message[before..]).await?;
        if head[1] & LAST != 0 {
            return Ok((head[0], message));
        }
    }
}

/// Writes one message, in as many packets as it takes.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), kind: u8, message: &[u8]) -> io::Result<()> {
    to.write_all(&packets(kind, message)).await?;
    to.flush().await
}

pub(super) fn packets(kind: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let parts = message.chunks(LONGEST - HEAD);
    let count = parts.len();
    for (number, part) in parts.enumerate() {
        let status = if number + 1 == count { LAST } else { 0 };
        let length = u16::try_from(HEAD + part.len()).unwrap().to_be_bytes();
        let number = u8::try_from(number % 256).unwrap();
        bytes.extend([kind, status, length[0], length[1], 0, 51, number, 0]);
        bytes.extend(part);
    }
    bytes
}
