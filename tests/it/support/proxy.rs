//! A TCP proxy that breaks connections the way networks do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What happens to the connection that sends a certain text to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is cut before the server gets the text.
    Unsent,
    /// It is cut after the server has carried the text out and before the client hears of it.
    Unheard,
}

/// Stands between clients and one server until it is dropped. Connections that exist then go on by themselves.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    target: String,
    weather: watch::Sender<Weather>,
    trap: Mutex<Option<([Vec<u8>; 2], Fate)>>,
    sprung: AtomicUsize,
    accepted: AtomicUsize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    cuts: u64,
    lost: u64,
    forgotten: u64,
    stalled_up: bool,
    stalled_down: bool,
    refusing: bool,
}

impl Proxy {
    /// A proxy on a free port of this machine.
    pub(crate) async fn to(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            target: format!("{host}:{port}"),
            weather: watch::Sender::new(Weather::default()),
            trap: Mutex::new(None),
            sprung: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        });
        let port = listener.local_addr().unwrap().port();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Closes every present connection on both sides.
    pub(crate) fn cut(&self) {
        self.shared.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Closes every present connection towards the client. The server is not told, as when a router forgets a connection.
    pub(crate) fn lose_clients(&self) {
        self.shared.weather.send_modify(|weather| weather.lost += 1);
    }

    /// Carries nothing more for the present connections, and tells neither side, as a firewall that has forgotten them.
    pub(crate) fn forget(&self) {
        self.shared.weather.send_modify(|weather| weather.forgotten += 1);
    }

    /// Holds back what goes this way, on all connections, until [`Proxy::flow`].
    pub(crate) fn stall(&self, way: Way) {
        self.shared.weather.send_modify(|weather| match way {
            Way::Up => weather.stalled_up = true,
            Way::Down => weather.stalled_down = true,
        });
    }

    /// Ends every stall and lets new connections in.
    pub(crate) fn flow(&self) {
        self.shared.weather.send_modify(|weather| {
            (weather.stalled_up, weather.stalled_down, weather.refusing) = (false, false, false);
        });
    }

    /// Closes new connections at once, until [`Proxy::flow`].
    pub(crate) fn refuse(&self) {
        self.shared.weather.send_modify(|weather| weather.refusing = true);
    }

    /// The next connection that sends `text` to the server, within one packet and in UTF-8 or, as SQL Server has it,
    /// UTF-16, meets this fate; once.
    pub(crate) fn trap(&self, text: &str, fate: Fate) {
        let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        *self.shared.trap.lock().unwrap() = Some(([text.as_bytes().to_vec(), wide], fate));
    }

    /// How many traps have caught a connection.
    pub(crate) fn sprung(&self) -> usize {
        self.shared.sprung.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.weather.borrow().refusing {
            continue;
        }
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(carry(client, Arc::clone(&shared)));
    }
}

/// Carries one connection until one side ends it or it is cut.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let born = *shared.weather.borrow();
    let Ok(mut server) = TcpStream::connect(&shared.target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let unheard = AtomicBool::new(false);
    let (mut cutting, mut losing) = (shared.weather.subscribe(), shared.weather.subscribe());
    let mut forgetting = shared.weather.subscribe();
    let lost = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            _ = forgetting.wait_for(|now| now.forgotten > born.forgotten) => false,
            () = pump(Way::Up, from_client, to_server, &shared, &unheard) => false,
            () = pump(Way::Down, from_server, to_client, &shared, &unheard) => false,
            _ = cutting.wait_for(|now| now.cuts > born.cuts) => false,
            _ = losing.wait_for(|now| now.lost > born.lost) => true,
        }
    };
    if shared.weather.borrow().forgotten > born.forgotten {
        let _ = cutting.wait_for(|now| now.cuts > born.cuts).await;
        return;
    }
    drop(client);
    if lost {
        let mut nobody = [0; 4096];
        let listening = async { while server.read(&mut nobody).await.is_ok_and(|read| read > 0) {} };
        tokio::select! {
            () = listening => {}
            _ = cutting.wait_for(|now| now.cuts > born.cuts) => {}
        }
    }
}

async fn pump(way: Way, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, shared: &Shared, unheard: &AtomicBool) {
    let mut weather = shared.weather.subscribe();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let stalled = |now: &Weather| if way == Way::Up { now.stalled_up } else { now.stalled_down };
        if weather.wait_for(|now| !stalled(now)).await.is_err() {
            return;
        }
        let fate = if way == Way::Up { shared.caught(&buffer[..read]) } else { None };
        // The server's answer to what was caught ends here.
        if fate == Some(Fate::Unsent) || (way == Way::Down && unheard.load(Ordering::SeqCst)) {
            return;
        }
        unheard.fetch_or(fate == Some(Fate::Unheard), Ordering::SeqCst);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn caught(&self, sent: &[u8]) -> Option<Fate> {
        let mut trap = self.trap.lock().unwrap();
        let holds = |text: &Vec<u8>| sent.windows(text.len()).any(|window| window == text);
        trap.as_ref().filter(|(texts, _)| texts.iter().any(holds))?;
        self.sprung.fetch_add(1, Ordering::SeqCst);
        trap.take().map(|(_, fate)| fate)
    }
}
