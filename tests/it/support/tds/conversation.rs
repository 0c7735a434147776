//! One connection, from its greeting to its end.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::packet::{ANSWER, ATTENTION, BATCH, LOGIN, PRELOGIN, read, write};
use super::token::Tokens;
use super::{Answer, Heard, Login, Shared, handshake};

/// The number of every session.
pub(crate) const SESSION: &str = "51";

/// How much is encrypted, as it is said in the greeting.
const LOGIN_ONLY: u8 = 0;
const ALL: u8 = 1;
const NOTHING: u8 = 2;

pub(super) async fn hold(mut client: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    let (kind, greeting) = read(&mut client).await?;
    assert_eq!(kind, PRELOGIN, "a client greets");
    let asked = encryption(&greeting);
    shared.write_down(number, Heard::Encryption(asked));
    let answer = match (&shared.manners.tls, asked) {
        (None, _) | (_, NOTHING) => NOTHING,
        (Some(_), LOGIN_ONLY) => LOGIN_ONLY,
        (Some(_), _) => ALL,
    };
    write(&mut client, ANSWER, &greeted(answer)).await?;
    let (tls, asks_for_it) = (&shared.manners.tls, asked != NOTHING);
    let Some(acceptor) = tls.as_ref().filter(|_| asks_for_it) else {
        return talk(client, number, shared, false).await;
    };
    let mut encrypted = handshake::shake(acceptor, client).await?;
    if answer == ALL {
        return talk(encrypted, number, shared, true).await;
    }
    let login = login(&mut encrypted).await?;
    let (wrapped, _) = encrypted.into_inner();
    let mut client = wrapped.inner;
    enter(&mut client, number, shared, logged_in(&login, true, false)).await?;
    work(client, number, shared).await
}

async fn talk(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    number: usize,
    shared: &Shared,
    encrypted: bool,
) -> io::Result<()> {
    let login = login(&mut client).await?;
    enter(&mut client, number, shared, logged_in(&login, encrypted, encrypted)).await?;
    work(client, number, shared).await
}

/// A client that insists on encryption shakes hands instead.
async fn login(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    match read(client).await? {
        (LOGIN, login) => Ok(login),
        (kind, _) => Err(io::Error::other(format!("a message of the kind {kind} is no login"))),
    }
}

async fn enter(client: &mut (impl AsyncWrite + Unpin), number: usize, shared: &Shared, login: Login) -> io::Result<()> {
    let answer = (shared.manners.login)(&login).unwrap_or_else(|| Tokens::new().welcome());
    shared.write_down(number, Heard::Login(login));
    write(client, ANSWER, &answer.finished()).await
}

async fn work(mut client: impl AsyncRead + AsyncWrite + Unpin, number: usize, shared: &Shared) -> io::Result<()> {
    loop {
        let (kind, message) = read(&mut client).await?;
        assert_eq!(kind, BATCH, "nothing runs that could be stopped");
        let text = batch(&message);
        shared.write_down(number, Heard::Batch(text.clone()));
        let answer = (shared.manners.batch)(&text).unwrap_or_else(|| Answer::Tokens(usual(&text)));
        let tokens = match answer {
            Answer::Tokens(tokens) => tokens.finished(),
            Answer::Later(tokens) => {
                let mut speaks = shared.speaks.subscribe();
                speaks.wait_for(|speaks| *speaks).await.map_err(io::Error::other)?;
                tokens.finished()
            }
            Answer::Silence | Answer::Deaf => {
                let (kind, _) = read(&mut client).await?;
                assert_eq!(kind, ATTENTION, "nothing else may be said meanwhile");
                shared.write_down(number, Heard::Attention);
                if matches!(answer, Answer::Deaf) {
                    return read(&mut client).await.map(drop);
                }
                Tokens::stopped()
            }
        };
        write(&mut client, ANSWER, &tokens).await?;
    }
}

/// What is answered where a test does not say otherwise: as a server whose lock is free and whose ledger is empty.
fn usual(text: &str) -> Tokens {
    let (here, lock) = ([Some(SESSION)], [Some(SESSION), Some("1")]);
    if text.contains("APPLOCK_TEST") {
        return Tokens::new().row(&lock);
    }
    if text.contains("COMMIT") && text.contains("SELECT l.fence") {
        // The claim that the tests take their locks with.
        let row = [Some("1"), Some("replica-1"), Some("ho-1"), Some("1"), None, None];
        return Tokens::new().row(&row).row(&lock);
    }
    if text.trim_end().ends_with("SELECT @@SPID") { Tokens::new().row(&here) } else { Tokens::new() }
}

/// The encryption that a greeting asks for.
fn encryption(greeting: &[u8]) -> u8 {
    let mut options = greeting.chunks(5);
    let option = options.find(|option| option[0] == 1).expect("a greeting says how much is to be encrypted");
    greeting[usize::from(u16::from_be_bytes([option[1], option[2]]))]
}

/// The answer to a greeting: the version of the server, and how much is encrypted.
fn greeted(encryption: u8) -> Vec<u8> {
    let mut answer = vec![0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
    answer.extend([16, 0, 0x10, 0, 0, 0, encryption]);
    answer
}

fn logged_in(message: &[u8], encrypted: bool, stays_encrypted: bool) -> Login {
    let text = |at: usize| {
        let number = |at: usize| usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
        let (from, length) = (number(at), number(at + 2) * 2);
        narrow(&message[from..from + length])
    };
    let (user, application, server, database) = (text(40), text(48), text(52), text(68));
    Login { user, application, server, database, encrypted, stays_encrypted }
}

/// A batch's text, which is behind the heads that speak of transactions.
fn batch(message: &[u8]) -> String {
    let heads = u32::from_le_bytes(message[..4].try_into().unwrap());
    narrow(&message[usize::try_from(heads).unwrap()..])
}

fn narrow(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}
