//! One caller who wants everything.

use std::time::{Duration, Instant};

use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::kit::{MIB, PENDING, abused, another, station};
use crate::support::pb::migration_service_client::MigrationServiceClient;
use crate::support::{Program, Station, details, pb, refused};

fn pending() -> pb::PendingRequest {
    pb::PendingRequest { branch: "BR001".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_too_often_is_told_to_wait_and_nobody_else() {
    let station = station(&[("SERVER__REQUESTS_PER_SECOND", "20"), ("SERVER__REQUEST_BURST", "40")]).await;
    // Several connections are one caller all the same.
    let mut greedy = [station.migrations().await, station.migrations().await, station.migrations().await];
    let mut health = HealthClient::new(station.channel().await);
    let begun = Instant::now();
    let abuse = async {
        let (mut allowed, mut waits) = (0_u32, Vec::new());
        for number in 0..1500 {
            match greedy[number % 3].pending(pending()).await {
                Ok(_) => allowed += 1,
                Err(status) => {
                    let status = refused::<()>(Err(status), Code::ResourceExhausted, "RATE_LIMITED");
                    waits.push(details(&status).retry_info().unwrap().retry_delay.unwrap());
                }
            }
        }
        health.check(HealthCheckRequest::default()).await.expect("health is never refused");
        (allowed, waits)
    };
    // From another address, and so with a rate of its own.
    let quiet = another(&station).await;
    let (allowed, waits) = abuse.await;
    let most = 40.0 + 20.0 * begun.elapsed().as_secs_f64() + 1.0;
    println!("{allowed} allowed, at most {most}; {} refused", waits.len());
    assert!(f64::from(allowed) <= most && waits.len() > 500, "{allowed} allowed, {} refused", waits.len());
    assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(50)), "no wait is longer than one token takes");
    MigrationServiceClient::new(quiet).pending(pending()).await.expect("another caller has a rate of its own");
    // Who waits as long as it was told is served.
    tokio::time::sleep(Duration::from_millis(60)).await;
    greedy[0].pending(pending()).await.unwrap();
    let lines = station.log().lines().filter(|line| line.contains("over its rate")).count();
    let most = 1 + begun.elapsed().as_secs() / 10;
    assert!(lines >= 1 && lines as u64 <= most, "the log grows with what is refused: {lines} lines");
    assert!(station.log().lines().filter(|line| line.contains("\"refused\"")).count() < 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_looked_at_only_so_often() {
    let mut station = Station::new();
    station.set("AUTH__TOKENS", "true");
    station.set("AUTH__FAILURES_PER_SECOND", "5");
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    let create =
        Program::new(["token", "create", "ann", "--role", "viewer", "--data"]).arg(station.data_folder()).run();
    let good = String::from_utf8(create.stdout).unwrap().trim().to_owned();
    assert!(good.starts_with("bk_"), "{}", String::from_utf8_lossy(&create.stderr));
    station.start().await;
    let channel = station.channel().await;
    let call = async |token: String| {
        let mut request = Request::new(pb::StatusRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        MigrationServiceClient::new(channel.clone()).status(request).await.map(drop)
    };
    call(good.to_owned()).await.unwrap();
    let begun = Instant::now();
    let mut unseen = 0;
    for number in 0..2000 {
        let status: Status = call(format!("bk_{number:064x}")).await.unwrap_err();
        match status.code() {
            Code::Unauthenticated => {}
            _ => {
                let status = refused::<()>(Err(status), Code::ResourceExhausted, "RATE_LIMITED");
                assert!(details(&status).retry_info().is_some());
                unseen += 1;
            }
        }
    }
    let most = 50.0 + 5.0 * begun.elapsed().as_secs_f64() + 1.0;
    println!("{unseen} of 2000 were not looked at; {most} might have been looked at");
    assert!(f64::from(2000 - unseen) <= most);
    call(good.to_owned()).await.expect("a credential that is known to be good is still looked at");
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.expect("health is open");
    let told = station.log().lines().filter(|line| line.contains("the caller is not known")).count();
    assert!(told as f64 <= most, "{told} lines");
    let wrong = format!("bk_{:064x}", 1);
    assert!(!station.log().contains(&wrong) && !station.log().contains(&good));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_leaves_half_of_the_places_to_others() {
    let station = station(&[("SERVER__MAX_CONCURRENT_REQUESTS", "20")]).await;
    // Calls whose message never comes hold their places.
    let abuse = async {
        let stream = station.connect().await;
        let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut open = Vec::new();
        for _ in 0..60 {
            let request =
                http::Request::post(format!("http://test{PENDING}")).header("content-type", "application/grpc");
            send = send.ready().await.unwrap();
            open.push(send.send_request(request.body(()).unwrap(), false).unwrap());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut refused = 0;
        for (answer, _) in &mut open {
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(1), answer).await {
                assert_eq!(answer.unwrap().headers()["grpc-status"], "8");
                refused += 1;
            }
        }
        (refused, open)
    };
    let ((refused, open), seen) = abused(&station, 32 * MIB, abuse).await;
    assert_eq!(refused, 50, "60 calls, and 20 places");
    assert!(seen.during > 2 && seen.again == 0, "{seen:?}");
    drop(open);
}
