//! Messages of 100 MB.

use std::io::Write;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use h2::SendStream;
use http::Request;

use crate::kit::{Looks, MIB, PENDING, abused, abused_until, one_at_a_time, station};
use crate::support::Station;

const LARGE: usize = 100 * 1024 * 1024;
/// What eight of them at once may cost: each connection takes in 1 MiB that nobody has asked for.
const BOUND: u64 = 64 * MIB;

/// What a message begins with: whether it is compressed, and its length.
fn prefix(compressed: bool, length: usize) -> Bytes {
    let mut bytes = vec![u8::from(compressed)];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.into()
}

/// Sends `piece` over and over until it was `length` bytes, as fast as the service takes it, or until it wants no more. The
/// stream stays open.
async fn send(stream: &mut SendStream<Bytes>, piece: &Bytes, mut length: usize) {
    while length > 0 {
        stream.reserve_capacity(piece.len().min(length));
        let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else { return };
        let now = room.min(piece.len()).min(length);
        if stream.send_data(piece.slice(..now), false).is_err() {
            return;
        }
        length -= now;
    }
}

/// Makes a call whose message begins like `beginning` and has `length` bytes more; gives its `grpc-status`.
async fn call(station: &Station, beginning: Bytes, piece: Bytes, length: usize, gzip: bool) -> String {
    let (client, connection) = h2::client::handshake(station.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://test{PENDING}")).header("content-type", "application/grpc");
    if gzip {
        request = request.header("grpc-encoding", "gzip");
    }
    let mut client = client.ready().await.unwrap();
    let (answer, mut stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
    stream.send_data(beginning, false).unwrap();
    let sending = async {
        send(&mut stream, &piece, length).await;
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = answer => answer,
        () = sending => unreachable!("it never ends"),
    };
    connection.abort();
    let answer = answer.unwrap();
    answer.headers()["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_100_mb() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let zeros = Bytes::from(vec![0; 64 * 1024]);

    // One that only says that it is large, and then sends nothing; one that really is; and one that would be.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..LARGE / zeros.len() {
        packed.write_all(&zeros).unwrap();
    }
    let packed = Bytes::from(packed.finish().unwrap());
    println!("100 MB of zeros are {} KB when they are compressed", packed.len() / 1000);
    let each = [
        ("only its length", prefix(false, LARGE), zeros.clone(), 0, false),
        ("all of it", prefix(false, LARGE), zeros.clone(), LARGE, false),
        ("compressed", prefix(true, packed.len()), packed.clone(), packed.len(), true),
    ];
    for (name, beginning, piece, length, gzip) in each {
        let again = async |looks: Looks| {
            let mut answers = Vec::new();
            while answers.is_empty() || looks.load(Ordering::Relaxed) < 3 {
                let calls = (0..8).map(|_| call(&station, beginning.clone(), piece.clone(), length, gzip));
                answers.extend(futures_util::future::join_all(calls).await);
            }
            answers
        };
        let (answers, seen) = abused_until(&station, BOUND, again).await;
        println!("{name}: {} times, {:?}", answers.len(), answers.first());
        assert!(answers.iter().all(|status| status == "8" || (gzip && status == "3")), "{name}: {answers:?}");
        assert!(seen.during >= 3 && seen.again == 0, "{seen:?}");
    }

    // Many at once that are as large as may be, and not quite whole.
    let most = 4 * 1024 * 1024;
    let almost = async {
        let calls = (0..12).map(|_| call(&station, prefix(false, most), zeros.clone(), most - 1, false));
        tokio::time::timeout(std::time::Duration::from_secs(2), futures_util::future::join_all(calls)).await.is_err()
    };
    let (waits, seen) = abused(&station, 12 * 2 * 4 * MIB + BOUND, almost).await;
    assert!(waits && seen.during > 2 && seen.again == 0, "{seen:?}");
}
