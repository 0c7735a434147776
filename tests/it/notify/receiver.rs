use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::until;

/// How a receiver behaves.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// It answers with this status.
    Status(u16),
    /// It answers with this status and header line.
    With(u16, String),
    /// It takes the request and never answers.
    Hang,
    /// It takes the request and closes the connection.
    Close,
    /// It says that all is well, and then sends its body one byte at a time, without end.
    SlowBody,
    /// It says that all is well, and sends as much as anybody reads.
    HugeBody,
}

/// A request that came in whole.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    script: VecDeque<Answer>,
    usual: Option<Answer>,
    sent: u64,
}

/// An HTTP server in the test's own process. Ends with the test's runtime.
pub(super) struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// One that takes everything.
    pub(super) async fn start() -> Self {
        Self::answering(Answer::Status(204)).await
    }

    /// One that behaves like this unless told otherwise.
    pub(super) async fn answering(usual: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { usual: Some(usual), ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    /// Behaves like this from now on.
    pub(super) fn answer(&self, usual: Answer) {
        self.state.lock().unwrap().usual = Some(usual);
    }

    /// Behaves like this for the next requests, before it is as usual again.
    pub(super) fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().script.extend(answers);
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hooks/hunter2", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How many bytes of bodies somebody took.
    pub(super) fn sent(&self) -> u64 {
        self.state.lock().unwrap().sent
    }

    /// Waits until so many requests are there.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Request> {
        until(&format!("{count} requests"), async || Some(self.requests()).filter(|all| all.len() >= count)).await
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(request) = read(&mut stream).await else { return };
    let answer = {
        let mut state = state.lock().unwrap();
        state.requests.push(request);
        state.script.pop_front().or_else(|| state.usual.clone()).unwrap()
    };
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} As told\r\n{more}connection: close\r\n\r\n");
    match answer {
        Answer::Status(status) => drop(stream.write_all(head(status, "").as_bytes()).await),
        Answer::With(status, line) => drop(stream.write_all(head(status, &format!("{line}\r\n")).as_bytes()).await),
        Answer::Hang => std::future::pending().await,
        Answer::Close => {}
        Answer::SlowBody => {
            let mut text = head(200, "").into_bytes();
            while stream.write_all(&text).await.is_ok() {
                text = b"x".to_vec();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Answer::HugeBody => {
            let _ = stream.write_all(head(200, "").as_bytes()).await;
            let chunk = vec![b'x'; 16 * 1024];
            while stream.write_all(&chunk).await.is_ok() {
                state.lock().unwrap().sent += chunk.len() as u64;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            let whole = end + 4 + length.unwrap_or(0);
            if bytes.len() >= whole {
                return Some(Request { head, body: bytes[end + 4..whole].to_vec() });
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
