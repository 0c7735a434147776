//! Frames without end, and bytes that are none.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::frames::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PREFACE, RST_STREAM, Raw, SETTINGS, call_headers, frame,
};
use crate::kit::{Looks, MIB, PENDING, Seen, abused, abused_until, one_at_a_time, station};
use crate::support::Station;

/// How long each flood lasts at least, unless the service ends it.
const LONG: Duration = Duration::from_secs(1);
/// How often others are looked at meanwhile, at least.
const ENOUGH: u32 = 3;
/// What a flood may cost.
const BOUND: u64 = 48 * MIB;
/// What a connection ends with whose client sends too much of what costs the service something.
const ENHANCE_YOUR_CALM: u32 = 11;

/// What one flood came to.
#[derive(Debug)]
struct Flood {
    frames: usize,
    /// The code of the GOAWAY with which the service ended it, if it did.
    goodbye: Option<u32>,
    ended: bool,
}

/// Sends `frames` again and again for a while, `make` being told how often it was asked, and reads what comes if asked to.
async fn flood(station: &Station, reads: bool, make: impl Fn(u32) -> Vec<u8>, looks: &Looks) -> Flood {
    let Raw { reader, mut writer } = Raw::open(station, &[]).await;
    let mut reader = Some(reader);
    let reading = reads.then(|| tokio::spawn(reader.take().unwrap().goodbye()));
    let begun = Instant::now();
    let (mut frames, mut ended) = (0, false);
    for round in 0.. {
        let bytes = make(round);
        // A client that does not read is not read either: then writing stands still, which is what should happen.
        match tokio::time::timeout(LONG, writer.write_all(&bytes)).await {
            Ok(Ok(())) => frames += 1,
            Ok(Err(_)) => ended = true,
            Err(_) => {}
        }
        if ended || (begun.elapsed() > LONG && looks.load(Ordering::Relaxed) >= ENOUGH) {
            break;
        }
    }
    let goodbye = match reading {
        Some(reading) if ended => tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap(),
        Some(reading) => {
            reading.abort();
            None
        }
        None => None,
    };
    Flood { frames, goodbye, ended }
}

/// Several of the same floods at once.
async fn floods(station: &Station, reads: bool, make: impl Fn(u32) -> Vec<u8>) -> (Vec<Flood>, Seen) {
    let all = async |looks: Looks| {
        let mut done = Vec::new();
        // Those that the service ends at once begin anew, so that there is time to look at others.
        while done.is_empty() || looks.load(Ordering::Relaxed) < ENOUGH {
            done.extend(futures_util::future::join_all((0..3).map(|_| flood(station, reads, &make, &looks))).await);
        }
        done
    };
    let (floods, seen) = abused_until(station, BOUND, all).await;
    assert!(seen.during >= ENOUGH && seen.again == 0, "nobody else has noticed: {seen:?}");
    (floods, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_settings_without_end() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let pings = frame(PING, 0, 0, b"whoareu?").repeat(1000);
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(1000);
    let empty = [frame(HEADERS, END_HEADERS, 1, &call_headers(PENDING)), frame(DATA, 0, 1, &[]).repeat(1000)].concat();
    for (name, bytes) in [("pings", &pings), ("settings", &settings)] {
        for reads in [true, false] {
            let (floods, _) = floods(&station, reads, |_| bytes.clone()).await;
            println!("{name}, read {reads}: {floods:?}");
        }
    }
    // Frames with nothing in them are not put up with.
    let (floods, _) = floods(&station, true, |_| empty.clone()).await;
    println!("empty frames: {:?}", floods.first());
    assert!(floods.iter().all(|flood| flood.ended), "{floods:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_as_soon_as_they_are_opened() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let block = call_headers(PENDING);
    let opened = |stream: u32| frame(HEADERS, END_HEADERS, stream, &block);
    let reset = |stream: u32| frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    // Both at once: the connection ends.
    let streams = |round: u32| (0..50).map(move |one| (round * 50 + one) * 2 + 1);
    let at_once = |round: u32| streams(round).flat_map(|stream| [opened(stream), reset(stream)].concat()).collect();
    let (floods_, _) = floods(&station, true, at_once).await;
    println!("at once: {:?}", floods_.first());
    assert!(floods_.iter().all(|flood| flood.goodbye == Some(ENHANCE_YOUR_CALM)), "{floods_:?}");

    // After the call has begun.
    let late = |round: u32| {
        let before = round.checked_sub(1).into_iter().flat_map(|before| streams(before).map(reset));
        before.chain(streams(round).map(opened)).flatten().collect()
    };
    let (floods_, _) = floods(&station, true, late).await;
    println!("later: {:?}", floods_.first());
    assert!(floods_.iter().all(|flood| flood.goodbye == Some(ENHANCE_YOUR_CALM)), "{floods_:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let more = [&[0, 10][..], b"x-filler-0", &[100], &[b'x'; 100]].concat().repeat(100);
    let make = |round: u32| match round {
        0 => frame(HEADERS, 0, 1, &call_headers(PENDING)),
        _ => frame(CONTINUATION, 0, 1, &more),
    };
    let (floods, _) = floods(&station, true, make).await;
    println!("headers: {:?}", floods.first());
    assert!(floods.iter().all(|flood| flood.ended && flood.frames < 10_000), "{floods:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let seed: u64 = std::env::var("BRANCHKEEPER_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("BRANCHKEEPER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let abuse = async {
        for number in 0..600 {
            let mut bytes = vec![0; random.random_range(1..20_000)];
            random.fill_bytes(&mut bytes);
            // Some get past the beginning, and some are frames of a kind that exists.
            let start = match number % 3 {
                0 => Vec::new(),
                1 => PREFACE.to_vec(),
                _ => [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat(),
            };
            let body = match number % 2 {
                0 => bytes,
                _ => bytes
                    .chunks(50)
                    .flat_map(|chunk| frame(chunk[0] % 10, chunk[0] / 10, u32::from(chunk[0] % 5), chunk))
                    .collect(),
            };
            let mut stream = station.connect().await;
            // The service may hang up at any time.
            let _ = stream.write_all(&[start, body].concat()).await;
            let _ = stream.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_millis(5), stream.read(&mut [0; 1000])).await;
        }
    };
    let ((), seen) = abused(&station, BOUND, abuse).await;
    assert!(seen.during >= ENOUGH && seen.again == 0, "{seen:?}");
}
