//! Clients that ask for much and read nothing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use http::Request;
use prost::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, WINDOW_UPDATE, call_headers, frame, setting,
};
use crate::kit::{MIB, abused, station_with};
use crate::support::{Station, apply_all, pb, sqlite_branch};

pub(super) const WATCH_RUN: &str = "/branchkeeper.v1.MigrationService/WatchRun";
/// The time after which an answer is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// A service that gives up answers soon, and the id of a run with some 6,000 events.
pub(super) async fn long_run(prepare: impl FnOnce(&mut Station)) -> (Station, String) {
    let station = station_with(&[("SERVER__SLOW_READER_TIMEOUT", "4s")], prepare).await;
    let many: String = (0..300).map(|number| format!("CREATE TABLE T{number} (Id INTEGER);\n")).collect();
    station.migration("2_Many.sql", &many);
    for number in 2..20 {
        station.register(sqlite_branch(&format!("BR{number:03}"))).await;
    }
    let events = apply_all(&station, pb::ApplyAllRequest { include_statements: true, ..Default::default() }).await;
    assert!(events.len() > 19 * 300, "{} events", events.len());
    (station, events[0].run_id.clone())
}

/// The message of a call that watches the run, as it travels.
pub(super) fn watch(run_id: &str) -> Bytes {
    let request =
        pb::WatchRunRequest { run_id: run_id.to_owned(), include_statements: true, ..pb::WatchRunRequest::default() };
    let message = request.encode_to_vec();
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat().into()
}

/// Opens streams that watch the run, on one connection, which is read; what comes on them is not.
async fn unread(station: &Station, run_id: &str, count: usize) -> Vec<RecvStream> {
    let stream = station.connect().await;
    // A window for each stream, as small as by default, and one for the connection that is never in the way.
    let mut builder = h2::client::Builder::new();
    let (mut client, connection) =
        builder.initial_window_size(65_535).initial_connection_window_size(1 << 30).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut open = Vec::new();
    for _ in 0..count {
        let request = Request::post(format!("http://test{WATCH_RUN}")).header("content-type", "application/grpc");
        client = client.ready().await.unwrap();
        let (answer, mut stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
        stream.send_data(watch(run_id), true).unwrap();
        open.push(answer.await.unwrap().into_body());
    }
    open
}

/// Takes what comes on a stream, lets the service send more only if `reads`, and gives how the stream ended: all bytes, and its `grpc-status` and `grpc-message`, or the reset.
async fn read(mut stream: RecvStream, reads: bool) -> (usize, Result<(String, String), h2::Error>) {
    let mut bytes = 0;
    while let Some(data) = stream.data().await {
        match data {
            Ok(data) if reads => {
                bytes += data.len();
                stream.flow_control().release_capacity(data.len()).unwrap();
            }
            Ok(data) => bytes += data.len(),
            Err(error) => return (bytes, Err(error)),
        }
    }
    let text =
        |trailers: &http::HeaderMap, name| trailers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let trailers = stream.trailers().await.map(|trailers| trailers.unwrap());
    (bytes, trailers.map(|trailers| (text(&trailers, "grpc-status"), text(&trailers, "grpc-message"))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_reads_is_given_up_and_then_reset() {
    let (station, run_id) = long_run(|_| {}).await;
    let whole = read(unread(&station, &run_id, 1).await.remove(0), true).await;
    assert_eq!(whole.1.unwrap().0, "0");
    let abuse = async {
        let begun = Instant::now();
        let first = async |count| unread(&station, &run_id, count).await;
        tokio::join!(
            // One that reads on in time misses nothing.
            async {
                let stream = first(1).await.remove(0);
                tokio::time::sleep(PATIENCE / 4).await;
                read(stream, true).await
            },
            // One that reads on a little late hears why it ended.
            async {
                let stream = first(1).await.remove(0);
                tokio::time::sleep(PATIENCE * 3 / 2).await;
                read(stream, true).await
            },
            // Those that never do are reset.
            async {
                let open = first(200).await;
                let all = futures_util::future::join_all(open.into_iter().map(|stream| read(stream, false)));
                let all = tokio::time::timeout(PATIENCE * 8, all).await.expect("they are reset");
                (all, begun.elapsed())
            },
        )
    };
    let ((in_time, late, (never, took)), seen) = abused(&station, 96 * MIB, abuse).await;
    assert_eq!((in_time.0, in_time.1.unwrap().0.as_str()), (whole.0, "0"));
    let (status, message) = late.1.unwrap();
    assert!(
        status == "14" && message.contains("nothing%20of%20the%20answer") && late.0 < whole.0,
        "{status} {message}"
    );
    for (bytes, end) in &never {
        let error = end.as_ref().unwrap_err();
        assert!(error.reason() == Some(h2::Reason::CANCEL) && *bytes < whole.0 / 2, "{bytes} {error}");
    }
    assert!(took >= PATIENCE * 2, "{took:?}");
    assert!(seen.during > 5 && seen.again == 0, "{seen:?}");
    // Their places are free again: as many can be opened as before.
    drop(unread(&station, &run_id, 200).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_nobody_reads_is_closed() {
    let (station, run_id) = long_run(|_| {}).await;
    let open = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut stream = station.overhear(socket.connect(station.address()).await.unwrap());
        // Windows that are never in the way: the service may send as fast as it can, only nobody takes it.
        let huge = (1_u32 << 31) - 1;
        let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &setting(4, huge))].concat();
        bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(huge - 65_535).to_be_bytes()));
        for number in 0..10 {
            bytes.extend(frame(HEADERS, END_HEADERS, number * 2 + 1, &call_headers(WATCH_RUN)));
            bytes.extend(frame(DATA, END_STREAM, number * 2 + 1, &watch(&run_id)));
        }
        stream.write_all(&bytes).await.unwrap();
        stream
    };
    let abuse = async {
        let begun = Instant::now();
        let mut streams = Vec::new();
        for _ in 0..2 {
            streams.push(open().await);
        }
        for mut stream in streams {
            // Whether it still stands is found out by writing: reading would take what nobody is to take.
            while stream.write_all(&frame(PING, 0, 0, b"whoareu?")).await.is_ok() {
                assert!(begun.elapsed() < PATIENCE * 10, "it is still open");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        begun.elapsed()
    };
    let (took, seen) = abused(&station, 96 * MIB, abuse).await;
    println!("closed after {took:?}");
    assert!(took >= PATIENCE, "{took:?}");
    assert!(seen.during > 5 && seen.again == 0, "{seen:?}");
}
