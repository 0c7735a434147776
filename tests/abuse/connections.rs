//! Connections without number, and such on which nothing happens.

use std::io::ErrorKind;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::frames::{END_HEADERS, HEADERS, PREFACE, Raw, SETTINGS, call_headers, frame};
use crate::kit::{MIB, PENDING, abused, one_at_a_time, station};

/// How many connections are opened.
const MANY: usize = 10_000;
/// How long opening them may take.
const LONG: Duration = Duration::from_secs(45);
/// The files that a process has open besides.
const OTHERS: usize = 200;

/// How many connections this process may open: as many as are wanted, after raising its limit, or fewer, said aloud.
fn allowed() -> usize {
    let own = std::process::id().to_string();
    let raise = format!("--nofile={}:", MANY + OTHERS);
    let raised = Command::new("prlimit").args(["--pid", &own, &raise]).output();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: usize = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let allowed = MANY.min(soft.saturating_sub(OTHERS));
    if allowed < MANY {
        println!("lowered: {allowed} connections instead of {MANY}: this process may open {soft} files ({raised:?})");
    }
    allowed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let many = allowed();
    // Some say nothing at all, some hardly begin, some begin HTTP/2, some begin a call whose message never comes.
    let (nothing, little) = (Vec::new(), b"PRI".to_vec());
    let begun = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let called = [&begun[..], &frame(HEADERS, END_HEADERS, 1, &call_headers(PENDING))].concat();
    let abuse = async {
        // Several at a time: one whose first packet finds the queue full waits a second before it sends another.
        let (next, started) = (AtomicUsize::new(0), Instant::now());
        let opened = futures_util::future::join_all((0..64).map(|_| async {
            let mut open = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= many || started.elapsed() > LONG {
                    return open;
                }
                let mut stream = station.connect().await;
                let sent = match number % 4 {
                    0 => &nothing[..],
                    1 => &little,
                    2 => &begun,
                    _ => &called,
                };
                // The service may have closed it already.
                let _ = stream.write_all(sent).await;
                open.push(stream);
            }
        }));
        let open: Vec<_> = opened.await.into_iter().flatten().collect();
        // They stay for a while, and others are served meanwhile.
        tokio::time::sleep(Duration::from_secs(1)).await;
        open
    };
    let (mut open, seen) = abused(&station, 96 * MIB, abuse).await;
    if open.len() < many {
        println!("lowered: {} connections instead of {many}: this machine made no more in {LONG:?}", open.len());
    }
    let many = open.len();
    assert!(many >= 2000 && seen.during > 5, "{seen:?}");
    let mut standing = 0;
    for stream in &mut open {
        let mut buffer = [0; 4096];
        // What was sent is read first; after it, an open connection has nothing and a closed one ends.
        let end =
            std::iter::from_fn(|| Some(stream.try_read(&mut buffer))).take(100).find(|read| !matches!(read, Ok(1..)));
        standing += usize::from(end.is_some_and(|end| end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)));
    }
    println!("{standing} of {many} connections are still open");
    assert!((1..=1100).contains(&standing), "as many as may be, and a few that are leaving");
    drop(open);
    let ((), seen) = abused(&station, 96 * MIB, tokio::time::sleep(Duration::from_millis(300))).await;
    assert!(seen.again == 0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_calls_is_told_goodbye() {
    let station = station(&[("SERVER__IDLE_TIMEOUT", "1s")]).await;
    let begun = Instant::now();
    let idle = Raw::open(&station, &[]).await;
    // A stream on which nothing is said is a call all the same.
    let mut client = HealthClient::new(station.channel().await);
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    let goodbye = tokio::time::timeout(Duration::from_secs(10), idle.reader.goodbye()).await.unwrap();
    assert_eq!(goodbye, Some(0), "GOAWAY without an error");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());

    let mut plain = station.connect().await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(10), plain.read_to_string(&mut answer)).await.unwrap();
    assert!(read.is_ok() && answer.starts_with("HTTP/1.1 200"), "{answer}");

    let more = tokio::time::timeout(Duration::from_millis(1500), watch.message()).await;
    assert!(more.is_err(), "the stream was ended: {more:?}");
    client.check(HealthCheckRequest::default()).await.unwrap();
    // A client whose connection was closed meanwhile does not notice.
    let mut later = station.migrations().await;
    later.pending(crate::support::pb::PendingRequest { branch: "BR001".into() }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    later.pending(crate::support::pb::PendingRequest { branch: "BR001".into() }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_trickle_in_are_not_waited_for() {
    let station = station(&[]).await;
    let slow = |start: &'static [u8]| {
        let connecting = station.connect();
        async move {
            let mut stream = connecting.await;
            stream.write_all(start).await.unwrap();
            let begun = Instant::now();
            let mut buffer = [0; 512];
            loop {
                // One more byte of a header that never ends, each half second.
                if stream.write_all(b"x").await.is_err() {
                    return begun.elapsed();
                }
                match tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await {
                    Ok(Ok(0) | Err(_)) => return begun.elapsed(),
                    _ => assert!(begun.elapsed() < Duration::from_secs(30), "it is waited for"),
                }
            }
        }
    };
    let starts: [&[u8]; 2] = [b"", b"POST /healthz HTTP/1.1\r\nHost: test\r\nX-Slow: "];
    let clients = (0..60).map(|number| slow(starts[number % 2]));
    let (took, seen) = abused(&station, 32 * MIB, futures_util::future::join_all(clients)).await;
    println!("closed after {:?} to {:?}", took.iter().min(), took.iter().max());
    assert!(seen.again == 0, "{seen:?}");
}
