//! HTTP/2 frames, written by hand: what no well-behaved library sends. RFC 9113 and, for headers, RFC 7541.

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use crate::support::{Overheard, Station};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// The flag of a block of headers that is whole.
pub(super) const END_HEADERS: u8 = 4;
/// The flag of what ends its stream.
pub(super) const END_STREAM: u8 = 1;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The code of a reset by a client that has changed its mind.
pub(super) const CANCEL: u32 = 8;

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A setting, such as 4, the window of each stream.
pub(super) fn setting(id: u16, value: u32) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(value.to_be_bytes());
    bytes
}

/// The block of headers of a gRPC call.
pub(super) fn call_headers(path: &str) -> Vec<u8> {
    // From the static table: `POST`, `http`; then names of it with values as they are.
    let mut block = vec![0x83, 0x86, 0x04];
    let mut text = |text: &str| {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend(text.as_bytes());
    };
    text(path);
    let mut with = |name: &str, value: &str| {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    };
    with(":authority", "test");
    with("content-type", "application/grpc");
    with("te", "trailers");
    block
}

/// A connection on which HTTP/2 has begun.
pub(super) struct Raw {
    pub(super) reader: Frames,
    pub(super) writer: WriteHalf<Overheard<TcpStream>>,
}

impl Raw {
    /// Connects, and says what HTTP/2 begins with.
    pub(super) async fn open(station: &Station, settings: &[u8]) -> Self {
        let (reader, mut writer) = tokio::io::split(station.connect().await);
        writer.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await.unwrap();
        Self { reader: Frames(reader), writer }
    }
}

/// The frames that the service sends.
pub(super) struct Frames(ReadHalf<Overheard<TcpStream>>);

impl Frames {
    /// Kind, flags, stream and payload of the next one; `None` when the connection has ended, however.
    pub(super) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some((head[3], head[4], stream, payload))
    }

    /// Reads until the connection ends, and gives the code of the last GOAWAY.
    pub(super) async fn goodbye(mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, _, _, payload)) = self.next().await {
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        code
    }
}
