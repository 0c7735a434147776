//! Clients that ask for much and read nothing, over HTTP/1.1 and over TLS.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::kit::{MIB, abused};
use crate::readers::{PATIENCE, WATCH_RUN, long_run, watch};
use crate::support::Station;

/// What the machine itself holds of what the service sends on a connection is less than this, in bytes.
const MUCH: usize = 8 * MIB as usize;
/// What clients that read nothing may cost.
const BOUND: u64 = 64 * MIB;

/// Requests for the run's events as a web page makes them.
fn web_calls(run_id: &str, times: usize) -> Vec<u8> {
    let message = watch(run_id);
    let head = format!(
        "POST {WATCH_RUN} HTTP/1.1\r\nHost: test\r\nContent-Type: application/grpc-web+proto\r\nX-Grpc-Web: 1\r\n\
         Content-Length: {}\r\n\r\n",
        message.len()
    );
    [head.as_bytes(), &message].concat().repeat(times)
}

/// Requests for a page that is in nobody's way.
fn page(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}

async fn small(station: &Station) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(station.address()).await.unwrap()
}

/// What the system knows of the service's end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    /// Whether the service has it open.
    open: bool,
    /// How much of what the service has sent waits to be taken, in bytes.
    sent: u64,
}

/// The service's end; `None` when the system knows no such connection.
fn end(service: SocketAddr, client: SocketAddr) -> Option<End> {
    let of = |port: u16| format!(":{port:04X}");
    let (local, remote) = (of(service.port()), of(client.port()));
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ours = row.filter(|row| row.get(1).is_some_and(|at| at.ends_with(&local)) && row[2].ends_with(&remote));
    let row = ours.next()?;
    let (sent, _) = row.get(4)?.split_once(':')?;
    const ESTABLISHED: &str = "01";
    Some(End { open: row[3] == ESTABLISHED, sent: u64::from_str_radix(sent, 16).ok()? })
}

/// Asks, reads nothing, and gives when the service had closed the connection, counted from when it last had anything more to
/// send or took anything of `requests`. How long it takes until the system holds no more says nothing about the service; nor
/// does it when the client learns of the end, which it may not while both directions are full.
async fn until_closed(
    mut stream: impl AsyncWrite + Unpin,
    service: SocketAddr,
    client: SocketAddr,
    requests: Vec<u8>,
) -> Duration {
    let started = Instant::now();
    let mut last = Instant::now();
    let mut sent = None;
    let mut rest = &requests[..];
    loop {
        let now = end(service, client);
        if now.is_some_and(|end| !end.open) {
            return last.elapsed();
        }
        if now != sent && now.is_some() {
            (sent, last) = (now, Instant::now());
        }
        let open = format!("it is still open; {} of {} bytes were not taken", rest.len(), requests.len());
        assert!(last.elapsed() < PATIENCE * 4, "{open}");
        let waits = sent.map(|end| end.sent);
        assert!(started.elapsed() < Duration::from_secs(180), "{open}, {waits:?} bytes wait");
        // Whether it still stands is found out by writing: reading would take what nobody is to take.
        match tokio::time::timeout(Duration::from_millis(200), stream.write(rest)).await {
            Ok(Ok(written)) if rest.len() > written => {
                rest = &rest[written..];
                last = Instant::now();
            }
            Ok(Ok(_)) => rest = b" ",
            Ok(Err(_)) => return last.elapsed(),
            Err(_) => {}
        }
        if tokio::time::timeout(Duration::from_millis(200), stream.flush()).await.is_ok_and(|flushed| flushed.is_err())
        {
            return last.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever reads a whole answer, and slowly, gets it.
async fn whole(station: &Station, stream: impl tokio::io::AsyncRead + AsyncWrite + Unpin, run_id: &str) -> usize {
    let mut stream = station.overhear(stream);
    stream.write_all(&web_calls(run_id, 1)).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    // The end of a chunked body.
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0, "it was closed");
        answer.extend_from_slice(&buffer[..count]);
        // A few times nothing is taken for half the patience that the service has.
        if answer.len() % 7 == 0 {
            tokio::time::sleep(PATIENCE / 8).await;
        }
    }
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("grpc-status:0"),
        "{}",
        &text[text.len().saturating_sub(200)..]
    );
    answer.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_1_and_over_tls_whoever_does_not_read_is_given_up() {
    for secure in [false, true] {
        let (station, run_id) = long_run(|station| {
            if secure {
                station.secure()
            }
        })
        .await;
        let length = match secure {
            false => whole(&station, small(&station).await, &run_id).await,
            true => whole(&station, station.shake_hands(small(&station).await, &["http/1.1"]).await, &run_id).await,
        };
        let calls = web_calls(&run_id, MUCH / length + 1);
        let pages = |path: &str, length: usize| page(path).repeat(MUCH / length);
        let requests = [calls, pages("/healthz", 150), pages("/metrics", 2000), pages("/nothing", 200)];
        let abuse = async {
            let clients = requests.into_iter().map(async |requests| {
                let stream = small(&station).await;
                let (service, client) = (station.address(), stream.local_addr().unwrap());
                match secure {
                    false => until_closed(stream, service, client, requests).await,
                    true => {
                        let stream = station.shake_hands(stream, &["http/1.1"]).await;
                        until_closed(stream, service, client, requests).await
                    }
                }
            });
            futures_util::future::join_all(clients).await
        };
        let (took, seen) = abused(&station, BOUND, abuse).await;
        println!("TLS {secure}: an answer has {length} bytes; closed after {took:?}");
        // The service's own count may have begun a moment before ours.
        assert!(took.iter().all(|took| *took >= PATIENCE / 2), "{took:?}");
        assert!(seen.during > 5 && seen.again == 0, "{seen:?}");
        // Nothing of them is left.
        assert!(whole_again(&station, secure, &run_id).await);
    }
}

/// Whether somebody else is served as before.
async fn whole_again(station: &Station, secure: bool, run_id: &str) -> bool {
    let stream = small(station).await;
    match secure {
        false => whole(station, stream, run_id).await > 0,
        true => whole(station, station.shake_hands(stream, &["http/1.1"]).await, run_id).await > 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_a_stream_that_nobody_reads_is_reset() {
    let (station, run_id) = long_run(Station::secure).await;
    let abuse = async {
        let stream = station.shake_hands(small(&station).await, &["h2"]).await;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(65_535).initial_connection_window_size(1 << 30);
        let (mut client, connection) = builder.handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut open = Vec::new();
        for _ in 0..50 {
            let request =
                http::Request::post(format!("https://test{WATCH_RUN}")).header("content-type", "application/grpc");
            client = client.ready().await.unwrap();
            let (answer, mut stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
            stream.send_data(watch(&run_id), true).unwrap();
            open.push(answer.await.unwrap().into_body());
        }
        let begun = Instant::now();
        let ends = futures_util::future::join_all(open.into_iter().map(async |mut stream: h2::RecvStream| {
            loop {
                match stream.data().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.reason(),
                    None => return None,
                }
            }
        }));
        let ends = tokio::time::timeout(PATIENCE * 8, ends).await.expect("they are reset");
        connection.abort();
        (ends, begun.elapsed())
    };
    let ((ends, took), seen) = abused(&station, BOUND, abuse).await;
    assert!(ends.iter().all(|end| *end == Some(h2::Reason::CANCEL)), "{ends:?}");
    assert!(took >= PATIENCE && seen.during > 5 && seen.again == 0, "{took:?} {seen:?}");
}
