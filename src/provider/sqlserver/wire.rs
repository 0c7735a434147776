use std::time::Duration;

use futures_util::TryStreamExt;
use socket2::{SockRef, TcpKeepalive};
use tiberius::error::Error;
use tiberius::{Client, Config, QueryItem, SqlBrowser};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::dialect::{SETTINGS, literal};
use super::failure::{Said, failure};
use super::heard::{Heard, listen};
use super::options::{encryption, options};
use super::place::find;
use crate::domain::BranchCode;
use crate::provider::connection::{Cause, Ended, Failure, GRACE, Overdue, Reply, Row, Sink};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::message::END;
use crate::provider::server::{ServerPlace, kill};
use crate::provider::stop::Stop;

/// The database that every server has.
const MASTER: &str = "master";

type Driver = Client<Compat<TcpStream>>;

/// A host and a port.
type Address = (String, u16);

/// A connection to a SQL Server database.
pub(in crate::provider) struct Wire {
    client: Driver,
    /// As the connection was made, encryption included.
    config: Config,
    /// The server that has the session, where it is another than the place's.
    routed: Option<Address>,
    place: ServerPlace,
    /// The server's number for this session.
    id: i64,
}

impl Wire {
    /// Connects to a database of the place. A server that has no connection to spare is asked again within `limit`.
    pub(in crate::provider) async fn open(
        code: &BranchCode,
        place: &ServerPlace,
        database: &str,
        limit: Duration,
    ) -> Result<Self, ProviderError> {
        let opened = Self::open_as(code, place, database, limit).await;
        match opened {
            Err(error) if error.kind == ErrorKind::DatabaseMissing && database != MASTER => {
                Err(why_closed(code, place, database, limit).await.unwrap_or(error))
            }
            opened => opened,
        }
    }

    async fn open_as(
        code: &BranchCode,
        place: &ServerPlace,
        database: &str,
        limit: Duration,
    ) -> Result<Self, ProviderError> {
        let config = options(code, place, database).await?;
        let attempt = || async {
            // The driver's handshake is too large a future for a stack.
            let (opened, heard) = listen(Box::pin(open(&config, place))).await;
            opened.map_err(|error| failure(&error, &heard, place, true).error)
        };
        let (client, config, routed, id) = place.connect(limit, attempt).await?;
        Ok(Self { client, config, routed, place: place.clone(), id })
    }

    pub(in crate::provider) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        // A procedure's text would keep what only separates.
        let text = text.strip_suffix(END).unwrap_or(text);
        let reason = tokio::select! {
            biased;
            (result, heard) = listen(Box::pin(exchange(&mut self.client, text, sink))) => {
                return result.map_err(|error| self.explain(&error, &heard, text));
            }
            reason = stop.reached() => reason,
        };
        let what = match overdue {
            Overdue::Kill => {
                self.stop_work().await;
                "the statement".into()
            }
            Overdue::Abandon => format!("work on {}", self.place.address()),
        };
        // Whether the server was done just before it was stopped can't be told, so nobody uses the session again.
        Err(Failure { error: reason.error(&what), cause: Cause::Other, at: None, ended: Ended::Lost })
    }

    fn explain(&self, error: &Error, heard: &[Heard], text: &str) -> Failure {
        let at = match error {
            Error::Server(token) => find(text, &Said::from(token)),
            _ => None,
        };
        Failure { at, ..failure(error, heard, &self.place, false) }
    }

    /// Stops what the session does, by the protocol's own means and, where they are not heeded, from a second connection.
    async fn stop_work(&mut self) {
        let (attention, _) = listen(tokio::time::timeout(GRACE, Box::pin(self.client.cancel_query()))).await;
        if matches!(attention, Ok(Ok(()))) {
            return;
        }
        // The session's number says nothing to a server that has sent us on.
        let (config, place, routed) = (&self.config, &self.place, self.routed.as_ref());
        let connect = || async { connect(config, place, routed).await.map(|(client, ..)| client) };
        let killed = kill(connect, [format!("KILL {}", self.id)], |second, text| {
            Box::pin(async move { drop(exchange(second, &text, &mut |_| {}).await) })
        });
        listen(Box::pin(killed)).await;
    }

    pub(in crate::provider) async fn close(self) {
        // Whatever goes wrong here, the server ends the session when it sees the socket closed.
        let _ = tokio::time::timeout(Duration::from_secs(1), listen(self.client.close())).await;
    }
}

/// Sends one batch and reads the answer to its end: an error in it comes behind everything else.
async fn exchange(client: &mut Driver, text: &str, sink: &mut Sink<'_>) -> Result<(), Error> {
    let mut replies = Box::pin(client.simple_query(text)).await?;
    while let Some(item) = replies.try_next().await? {
        if let QueryItem::Row(row) = item {
            sink(Reply::Row(Row::SqlServer(row)));
        }
    }
    sink(Reply::Done);
    Ok(())
}

/// Connects, and gives the session the settings that the server's own tools give it.
async fn open(config: &Config, place: &ServerPlace) -> Result<(Driver, Config, Option<Address>, i64), Error> {
    let mut declined = None;
    for level in encryption(place.ssl_mode) {
        let mut config = config.clone();
        config.encryption(*level);
        let (mut client, config, routed) = match connect(&config, place, None).await {
            Err(Error::Protocol(text)) if text.contains("requested encryption level") => {
                declined = Some(Error::Tls("the server does not encrypt".into()));
                continue;
            }
            connected => connected?,
        };
        let mut id = None;
        let mut sink = |reply| {
            if let Reply::Row(row) = reply {
                id = row.number(0);
            }
        };
        exchange(&mut client, &format!("{SETTINGS};\nSELECT @@SPID"), &mut sink).await?;
        let id = id.ok_or_else(|| Error::Protocol("the server gives no session number".into()))?;
        return Ok((client, config, routed, id));
    }
    Err(declined.unwrap_or_else(|| Error::Tls("there is nothing to try".into())))
}

/// Connects, to where the server sends us if it does, or to where it has sent us before. The configuration and the address
/// returned are those of the connection.
async fn connect(
    config: &Config,
    place: &ServerPlace,
    routed: Option<&Address>,
) -> Result<(Driver, Config, Option<Address>), Error> {
    let tcp = match (routed, &place.instance) {
        (Some((host, port)), _) => TcpStream::connect((&**host, *port)).await?,
        (None, Some(_)) => TcpStream::connect_named(config).await?,
        (None, None) => TcpStream::connect((place.host.trim_matches(['[', ']']), place.port)).await?,
    };
    prepare(&tcp)?;
    match Box::pin(Client::connect(config.clone(), tcp.compat_write())).await {
        Err(Error::Routing { host, port }) if routed.is_none() => {
            let mut config = config.clone();
            config.host(&host);
            config.port(port);
            let tcp = TcpStream::connect((&*host, port)).await?;
            prepare(&tcp)?;
            let client = Box::pin(Client::connect(config.clone(), tcp.compat_write())).await?;
            Ok((client, config, Some((host, port))))
        }
        connected => Ok((connected?, config.clone(), routed.cloned())),
    }
}

/// Small packets go at once, and a silent connection is kept alive, so that no firewall forgets it and a peer that vanished
/// is noticed within two minutes.
fn prepare(tcp: &TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}

/// Why a database could not be opened that exists; `None` when it does not, or nobody can tell.
async fn why_closed(code: &BranchCode, place: &ServerPlace, database: &str, limit: Duration) -> Option<ProviderError> {
    let mut wire = Wire::open_as(code, place, MASTER, limit).await.ok()?;
    let name = literal(database);
    let question = format!("SELECT d.state_desc FROM sys.databases AS d WHERE d.database_id = DB_ID({name})");
    let mut state = None;
    let mut sink = |reply| {
        if let Reply::Row(row) = reply {
            state = Some(row.text_or_empty(0));
        }
    };
    let asked = wire.send(&question, &Stop::after(limit), Overdue::Abandon, &mut sink).await;
    wire.close().await;
    asked.ok()?;
    let (at, state) = (place.address(), state?);
    Some(match &*state {
        "ONLINE" => {
            let text = format!("{at} does not let '{}' into the database '{database}'", place.username);
            let hint = format!("create a user for '{}' in it: CREATE USER … FOR LOGIN …", place.username);
            ProviderError::new(ErrorKind::Authentication, text).hint(hint)
        }
        "RECOVERING" | "RESTORING" | "COPYING" => {
            let text = format!("the database '{database}' at {at} is not open yet: {state}");
            ProviderError::new(ErrorKind::Busy, text).hint("retry when that is done")
        }
        _ => {
            let text = format!("the database '{database}' at {at} is not open: {state}");
            ProviderError::new(ErrorKind::Unreachable, text).hint("bring it online")
        }
    })
}
