//! Clients that ask for much and read nothing, over HTTP/1.1 and over TLS.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::kit::{MIB, abused};
use crate::readers::{PATIENCE, WATCH_RUN, long_run, watch};
use crate::support::Station;

/// What the machine itself may hold for a connection is less than this, in bytes.
const MUCH: usize = 16 * MIB as usize;
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

/// Asks, reads nothing, and gives how long after it had taken the last of the requests the service closed the connection. What
/// is left of `requests` is sent as long as the service takes it: until what it has answered is too much for the system,
/// which takes as long as the service needs for so many answers.
async fn until_closed(mut stream: impl AsyncWrite + Unpin, requests: Vec<u8>) -> Duration {
    let mut begun = Instant::now();
    let mut rest = &requests[..];
    loop {
        assert!(
            begun.elapsed() < PATIENCE * 10,
            "it is still open; {} of {} bytes were not taken",
            rest.len(),
            requests.len()
        );
        // Whether it still stands is found out by writing: reading would take what nobody is to take.
        match tokio::time::timeout(Duration::from_millis(200), stream.write(rest)).await {
            Ok(Ok(written)) if rest.len() > written => {
                rest = &rest[written..];
                begun = Instant::now();
            }
            Ok(Ok(_)) => rest = b" ",
            Ok(Err(_)) => return begun.elapsed(),
            Err(_) => {}
        }
        if tokio::time::timeout(Duration::from_millis(200), stream.flush()).await.is_ok_and(|flushed| flushed.is_err())
        {
            return begun.elapsed();
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
                match secure {
                    false => until_closed(stream, requests).await,
                    true => until_closed(station.shake_hands(stream, &["http/1.1"]).await, requests).await,
                }
            });
            futures_util::future::join_all(clients).await
        };
        let (took, seen) = abused(&station, BOUND, abuse).await;
        println!("TLS {secure}: an answer has {length} bytes; closed after {took:?}");
        // The system took some more of the requests after the service had stopped.
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
