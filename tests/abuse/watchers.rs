//! Callers who open streams that cost next to nothing, without end.

use std::net::{IpAddr, Ipv4Addr};

use tonic::{Code, Streaming};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::kit::{MIB, abused, from_address, station};
use crate::support::{Channel, Station, refused};

/// The most streams of one caller, and of all together.
const EACH: usize = 64;
const ALL: usize = 1024;

/// Opens streams until one is refused, and gives them and how.
async fn watch_without_end(channel: Channel) -> (Vec<Streaming<HealthCheckResponse>>, tonic::Status) {
    let mut client = HealthClient::new(channel);
    let mut open = Vec::new();
    loop {
        match client.watch(HealthCheckRequest::default()).await {
            Ok(stream) => open.push(stream.into_inner()),
            Err(status) => return (open, refused::<()>(Err(status), Code::ResourceExhausted, "OVERLOADED")),
        }
        assert!(open.len() <= ALL, "there is no end");
    }
}

async fn at(station: &Station, number: u8) -> Channel {
    from_address(station, IpAddr::V4(Ipv4Addr::new(127, 0, 7, number))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_health_are_bounded_of_each_caller_and_of_all() {
    let station = station(&[("SERVER__REQUEST_BURST", "5000")]).await;
    let abuse = async {
        // Several connections are one caller all the same.
        let (first, status) = watch_without_end(at(&station, 1).await).await;
        assert!(first.len() == EACH && status.message().contains("64"), "{} {status:?}", first.len());
        let (none, _) = watch_without_end(at(&station, 1).await).await;
        assert!(none.is_empty(), "{}", none.len());
        let mut open = vec![first];
        for caller in 2..=u8::try_from(ALL / EACH).unwrap() {
            open.push(watch_without_end(at(&station, caller).await).await.0);
        }
        assert!(
            open.iter().all(|streams| streams.len() == EACH),
            "{:?}",
            open.iter().map(Vec::len).collect::<Vec<_>>()
        );
        // All together have as many as may be: one more caller has none.
        let (none, status) = watch_without_end(at(&station, 99).await).await;
        assert!(none.is_empty() && status.message().contains("1024"), "{} {status:?}", none.len());
        // Health is answered all the same, to everybody.
        for caller in [1, 99] {
            HealthClient::new(at(&station, caller).await).check(HealthCheckRequest::default()).await.unwrap();
        }
        // They live: each says how things stand.
        for stream in open.iter_mut().flatten() {
            stream.message().await.unwrap().unwrap();
        }
        open
    };
    let (open, seen) = abused(&station, 64 * MIB, abuse).await;
    assert!(seen.during > 2 && seen.again == 0, "{seen:?}");
    // Whoever goes away makes room.
    drop(open);
    let begun = std::time::Instant::now();
    loop {
        let (streams, _) = watch_without_end(at(&station, 99).await).await;
        if streams.len() == EACH {
            break;
        }
        assert!(begun.elapsed().as_secs() < 20, "there are still only {} places", streams.len());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
