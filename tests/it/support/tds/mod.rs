//! A counterpart that speaks just enough of SQL Server's protocol, TDS, to write down what a client says and to answer with
//! what a test wants. It knows no SQL: what a statement does is shown by real servers only.

mod conversation;
mod handshake;
mod packet;
mod token;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, version::TLS12};

pub(crate) use conversation::SESSION;
pub(crate) use token::{Fault, Tokens};

/// What a client has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It asked for this much encryption: 0 for the login alone, 1 for all, 2 for none, 3 for all and nothing less.
    Encryption(u8),
    Login(Login),
    Batch(String),
    /// Stop what you do.
    Attention,
    /// It closed the connection.
    Goodbye,
}

/// Who logs in, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) application: String,
    /// The server's name, as the client knows it.
    pub(crate) server: String,
    pub(crate) database: String,
    /// Whether it came encrypted.
    pub(crate) encrypted: bool,
    /// Whether what follows is encrypted.
    pub(crate) stays_encrypted: bool,
}

/// What a batch is answered with.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Tokens(Tokens),
    /// Nothing, until the client asks to stop.
    Silence,
    /// Nothing, whatever the client does.
    Deaf,
    /// Nothing, until [`Counterpart::speak`].
    Later(Tokens),
}

/// What a login is answered with; `None` when it is let in.
type Reception = dyn Fn(&Login) -> Option<Tokens> + Send + Sync;
/// What a batch is answered with; `None` for the usual.
type Answers = dyn Fn(&str) -> Option<Answer> + Send + Sync;

/// What a client meets.
pub(crate) struct Manners {
    /// With which certificate it encrypts; `None` when it does not.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) login: Box<Reception>,
    pub(crate) batch: Box<Answers>,
}

impl Manners {
    /// Lets everybody in, does not encrypt, and answers with what this says.
    pub(crate) fn answering(batch: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self { tls: None, login: Box::new(|_| None), batch: Box::new(batch) }
    }

    /// Answers everything in the usual way, those who log in as this says.
    pub(crate) fn greeting(login: impl Fn(&Login) -> Option<Tokens> + Send + Sync + 'static) -> Self {
        Self { login: Box::new(login), ..Self::answering(|_| None) }
    }

    /// Encrypts with this certificate and key, both PEM.
    pub(crate) fn encrypting(mut self, (certificate, key): &(String, String)) -> Self {
        use tokio_rustls::rustls::pki_types::pem::PemObject;
        use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let certificates = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        // As SQL Server does it within its own protocol. Nothing of the handshake may come behind its end.
        let config = ServerConfig::builder_with_protocol_versions(&[&TLS12]).with_no_client_auth();
        self.tls = Some(TlsAcceptor::from(Arc::new(config.with_single_cert(certificates, key).unwrap())));
        self
    }
}

/// Listens on a free port of this machine until it is dropped.
pub(crate) struct Counterpart {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    manners: Manners,
    heard: Mutex<Vec<(usize, Heard)>>,
    /// How much was heard.
    count: watch::Sender<usize>,
    speaks: watch::Sender<bool>,
}

impl Counterpart {
    pub(crate) async fn with(manners: Manners) -> Self {
        Self::at("127.0.0.1", manners).await
    }

    /// At an address of this machine.
    pub(crate) async fn at(host: &str, manners: Manners) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            manners,
            heard: Mutex::default(),
            count: watch::Sender::new(0),
            speaks: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    /// Everything that was said so far, and on the how manieth connection, from 0.
    pub(crate) fn heard(&self) -> Vec<(usize, Heard)> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// The batches of a connection so far.
    pub(crate) fn batches(&self, connection: usize) -> Vec<String> {
        let of = self.heard().into_iter().filter(|(number, _)| *number == connection);
        of.filter_map(|(_, heard)| if let Heard::Batch(text) = heard { Some(text) } else { None }).collect()
    }

    /// The logins so far.
    pub(crate) fn logins(&self) -> Vec<Login> {
        let all = self.heard().into_iter();
        all.filter_map(|(_, heard)| if let Heard::Login(login) = heard { Some(login) } else { None }).collect()
    }

    /// Waits until something like this was said.
    pub(crate) async fn until(&self, like: impl Fn(usize, &Heard) -> bool) {
        let mut count = self.shared.count.subscribe();
        let there =
            count.wait_for(|_| self.shared.heard.lock().unwrap().iter().any(|(number, said)| like(*number, said)));
        let waited = tokio::time::timeout(Duration::from_secs(30), there).await.map(drop);
        waited.unwrap_or_else(|_| panic!("it was not said: {:?}", self.heard()));
    }

    /// Gives the answers that were held back.
    pub(crate) fn speak(&self) {
        self.shared.speaks.send_replace(true);
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn write_down(&self, connection: usize, heard: Heard) {
        self.heard.lock().unwrap().push((connection, heard));
        self.count.send_modify(|count| *count += 1);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    for number in 0.. {
        let Ok((client, _)) = listener.accept().await else { return };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            client.set_nodelay(true).unwrap();
            // A client that ends its connection in the middle ends the conversation.
            let _ = conversation::hold(client, number, &shared).await;
            shared.write_down(number, Heard::Goodbye);
        });
    }
}
