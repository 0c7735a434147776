use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How a mail server speaks.
#[derive(Clone)]
pub(super) enum Speech {
    /// In the clear, offering nothing.
    Plain,
    /// In the clear until it is asked for TLS.
    StartTls(TlsAcceptor),
    /// TLS from the beginning.
    Tls(TlsAcceptor),
}

/// A mail that was taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Mail {
    /// Whether it came over TLS.
    pub(super) secure: bool,
    /// What the client signed in with, as it was sent.
    pub(super) auth: String,
    /// MAIL FROM and RCPT TO.
    pub(super) envelope: Vec<String>,
    pub(super) text: String,
}

/// A small mail server in the test's own process. Ends with the test's runtime.
pub(super) struct MailServer {
    pub(super) address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl MailServer {
    pub(super) async fn start(speech: Speech) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (speech, taken) = (speech.clone(), Arc::clone(&taken));
                tokio::spawn(async move {
                    // A client that goes away, as one does that trusts no certificate, is no failure.
                    let _ = serve(Box::new(stream), speech, &taken).await;
                });
            }
        });
        Self { address, mails }
    }

    pub(super) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

async fn serve(stream: Box<dyn Stream>, speech: Speech, taken: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    let mut mail = Mail::default();
    let mut stream = BufReader::new(stream);
    let mut acceptor = None;
    match speech {
        Speech::Plain => {}
        Speech::StartTls(tls) => acceptor = Some(tls),
        Speech::Tls(tls) => {
            stream = BufReader::new(Box::new(tls.accept(stream.into_inner()).await?));
            mail.secure = true;
        }
    }
    stream.write_all(b"220 here\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        let answer: &[u8] = match line.split(' ').next().unwrap_or_default() {
            "EHLO" if acceptor.is_some() && !mail.secure => b"250-here\r\n250 STARTTLS\r\n",
            "EHLO" => b"250-here\r\n250 AUTH PLAIN\r\n",
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await?;
                let tls = acceptor.take().unwrap();
                stream = BufReader::new(Box::new(tls.accept(stream.into_inner()).await?));
                mail.secure = true;
                continue;
            }
            "AUTH" => {
                mail.auth = line;
                b"235 welcome\r\n"
            }
            "MAIL" | "RCPT" => {
                mail.envelope.push(line);
                b"250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                while !mail.text.ends_with("\r\n.\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).await?;
                    mail.text.push(byte[0].into());
                }
                taken.lock().unwrap().push(mail.clone());
                mail.text.clear();
                b"250 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"500 what?\r\n",
        };
        stream.write_all(answer).await?;
    }
}
