//! How often the service waits for the server, counted between the two.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Product, Server, Station, apply_all, ended, pb, server_branch};

/// Round trips.
pub(crate) struct Trips {
    /// For a branch that has nothing to do, after connecting.
    pub(crate) current: usize,
    /// For one more transactional migration in a run.
    pub(crate) migration: f64,
}

const MIGRATIONS: usize = 10;

/// How a record of encrypted data begins.
const TLS_RECORD: u8 = 23;

/// Migrates one branch through a counter.
pub(crate) async fn count(server: &'static Server) -> Trips {
    let counter = Counter::before(server).await;
    let database = server.fresh_database().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.set("LOG__LEVEL", "warn");
    station.migration("0000_First.sql", "CREATE TABLE t (n INTEGER);\n");
    station.start().await;
    let mut branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
    if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
        (server.port, server.ssl_mode) = (counter.port.into(), pb::SslMode::Disable.into());
    }
    station.register(branch).await;
    let run = async || {
        counter.trips.store(0, Ordering::SeqCst);
        assert!(ended(&apply_all(&station, pb::ApplyAllRequest::default()).await).success);
        counter.trips.load(Ordering::SeqCst)
    };
    run().await;
    let current = run().await;
    let add = |number: usize| {
        let text = (1..=3).map(|n| format!("INSERT INTO t VALUES ({n});\n")).collect::<String>();
        station.migration(&format!("{number:04}_More.sql"), &text);
    };
    add(1);
    let one = run().await;
    (2..2 + MIGRATIONS).for_each(add);
    let many = run().await;
    // PostgreSQL's server is ready once before it is asked anything, and SQL Server's session begins with its settings.
    let connecting = usize::from(!matches!(server.product, Product::MariaDb | Product::MySql));
    Trips { current: current - connecting, migration: (many - one) as f64 / (MIGRATIONS - 1) as f64 }
}

struct Counter {
    port: u16,
    trips: Arc<AtomicUsize>,
}

impl Counter {
    async fn before(server: &'static Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let counter = Self { port: listener.local_addr().unwrap().port(), trips: Arc::default() };
        let trips = Arc::clone(&counter.trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = TcpStream::connect((&*server.host, server.port)).await.unwrap();
                tokio::spawn(carry(client, target, server.product, Arc::clone(&trips)));
            }
        });
        counter
    }
}

/// PostgreSQL's server says after each round trip that it is ready for the next; MySQL's client begins each with the first
/// packet of a numbered series, and SQL Server's ends each with a packet that is marked as the last.
async fn carry(client: TcpStream, server: TcpStream, product: Product, trips: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    if product == Product::SqlServer {
        let up = async {
            let mut head = [0; 8];
            while from_client.read_exact(&mut head).await.is_ok() {
                // The login is encrypted, and its records have a head of their own.
                let length = match head[0] == TLS_RECORD {
                    true => 5 + usize::from(u16::from_be_bytes([head[3], head[4]])),
                    false => usize::from(u16::from_be_bytes([head[2], head[3]])),
                };
                let mut body = vec![0; length - head.len()];
                from_client.read_exact(&mut body).await.unwrap();
                // The end of a batch.
                trips.fetch_add(usize::from(head[0] == 1 && head[1] & 1 == 1), Ordering::SeqCst);
                if to_server.write_all(&head).await.and(to_server.write_all(&body).await).is_err() {
                    break;
                }
            }
            let _ = to_server.shutdown().await;
        };
        let down = tokio::io::copy(&mut from_server, &mut to_client);
        let _ = tokio::join!(up, down);
        return;
    }
    let is_postgres = product == Product::Postgres;
    let up = async {
        let mut head = [0; 4];
        while !is_postgres && from_client.read_exact(&mut head).await.is_ok() {
            let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
            from_client.read_exact(&mut body).await.unwrap();
            // A goodbye is not waited for.
            trips.fetch_add(usize::from(head[3] == 0 && body != [1]), Ordering::SeqCst);
            if to_server.write_all(&head).await.and(to_server.write_all(&body).await).is_err() {
                break;
            }
        }
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let down = async {
        let mut head = [0; 5];
        while is_postgres && from_server.read_exact(&mut head).await.is_ok() {
            let mut body = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4];
            from_server.read_exact(&mut body).await.unwrap();
            trips.fetch_add(usize::from(head[0] == b'Z'), Ordering::SeqCst);
            if to_client.write_all(&head).await.and(to_client.write_all(&body).await).is_err() {
                break;
            }
        }
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    tokio::join!(up, down);
}
