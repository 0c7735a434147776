//! What is said to SQL Server, and what is made of its answers, down to the packets: a counterpart that knows the protocol
//! and no SQL takes the server's place. It shows what a real server can't be made to show, and something where there is none.

use std::net::UdpSocket;
use std::time::Duration;

use branchkeeper::domain::{Connection, ObjectName, Provider, ServerConnection, SslMode};
use branchkeeper::provider::{
    Endpoint, ErrorKind, ExecutionError, Fence, Outcome, ProviderError, Session, Settings, create,
};

use super::fixture::{Notes, claim, planned, soon, sql, work};
use crate::support::tds::{Answer, Counterpart, Fault, Heard, Login, Manners, SESSION, Tokens};
use crate::support::{Authority, temp_dir};

fn connection(counterpart: &Counterpart) -> ServerConnection {
    ServerConnection {
        host: "127.0.0.1".into(),
        port: Some(counterpart.port),
        database: "shop".into(),
        username: "keeper".into(),
        ..ServerConnection::default()
    }
}

fn settings() -> Settings {
    Settings { connect_timeout: Duration::from_secs(10), ..Settings::default() }
}

fn endpoint(server: ServerConnection) -> Endpoint {
    let code = "BR001".parse().unwrap();
    Endpoint::resolve(&code, Provider::SqlServer, &Connection::Server(server), &settings()).unwrap()
}

async fn connect(server: ServerConnection) -> Result<Session, ProviderError> {
    Session::connect(&endpoint(server), &settings()).await
}

async fn locked(counterpart: &Counterpart) -> (Session, Fence) {
    let mut session = connect(connection(counterpart)).await.unwrap();
    let fence = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
    (session, fence)
}

/// A counterpart that answers this statement so and everything else in the usual way. Since it does not encrypt, a session
/// is its second connection: the first had asked for it.
async fn answering(statement: &'static str, answer: Answer) -> Counterpart {
    Counterpart::with(Manners::answering(move |text| (text == statement).then(|| answer.clone()))).await
}

const FIRST: usize = 1;
const SECOND: usize = 2;
const ENDLESS: &str = "WAITFOR DELAY '10:00:00'";

/// What becomes of a migration of one statement.
async fn run(counterpart: &Counterpart, statement: &str) -> Result<(), ExecutionError> {
    let (mut session, fence) = locked(counterpart).await;
    let one = planned("1_one", [sql(statement)]);
    session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await
}

/// Lets time pass, as far as deadlines know, while nothing is under way but waiting.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Stops the endless statement of a migration, and lets `meanwhile` have its way until it is stopped.
async fn stopped(counterpart: &Counterpart, server: ServerConnection, meanwhile: impl AsyncFnOnce()) -> ExecutionError {
    let mut session = connect(server).await.unwrap();
    let fence = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
    let one = planned("1_one", [sql(ENDLESS)]);
    let stop = soon();
    let (works, mut notes) = ([work(&one)], Notes::default());
    let run = session.run_atomic(&fence, &works, false, &stop, &mut notes);
    let cancel = async {
        counterpart.until(|_, heard| *heard == Heard::Batch(ENDLESS.into())).await;
        stop.cancel.cancel();
        counterpart.until(|_, heard| *heard == Heard::Attention).await;
        meanwhile().await;
    };
    let (result, ()) = tokio::join!(run, cancel);
    assert_eq!(session.ledger().await.unwrap_err().kind, ErrorKind::Lost, "nobody uses the session again");
    result.unwrap_err()
}

#[tokio::test]
async fn an_attention_stops_a_statement_and_ends_its_session() {
    let counterpart = answering(ENDLESS, Answer::Silence).await;
    let error = stopped(&counterpart, connection(&counterpart), async || {}).await;
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Cancelled, Outcome::RolledBack));
    counterpart.until(|number, heard| (number, heard) == (FIRST, &Heard::Goodbye)).await;
    let last: Vec<Heard> = counterpart.heard().into_iter().map(|(_, heard)| heard).rev().take(3).collect();
    assert_eq!(last, [Heard::Goodbye, Heard::Attention, Heard::Batch(ENDLESS.into())], "nothing else was needed");
}

#[tokio::test]
async fn a_session_that_heeds_no_attention_is_killed() {
    let counterpart = answering(ENDLESS, Answer::Deaf).await;
    let kill = Heard::Batch(format!("KILL {SESSION}"));
    let meanwhile = async || {
        pass(Duration::from_secs(6)).await;
        counterpart.until(|number, heard| (number, heard) == (SECOND, &kill)).await;
        pass(Duration::from_secs(6)).await;
    };
    let error = stopped(&counterpart, connection(&counterpart), meanwhile).await;
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Cancelled, Outcome::RolledBack));
    for number in [FIRST, SECOND] {
        counterpart.until(|of, heard| (of, heard) == (number, &Heard::Goodbye)).await;
    }
}

/// The number of a session means nothing to the server that has sent us to another.
#[tokio::test]
async fn a_session_is_killed_on_the_server_that_has_it() {
    let counterpart = answering(ENDLESS, Answer::Deaf).await;
    let port = counterpart.port;
    let gateway = Manners::greeting(move |_| Some(Tokens::new().welcome().elsewhere("localhost", port)));
    let gateway = Counterpart::with(gateway).await;
    let meanwhile = async || {
        pass(Duration::from_secs(6)).await;
        let kill = Heard::Batch(format!("KILL {SESSION}"));
        counterpart.until(|_, heard| *heard == kill).await;
        pass(Duration::from_secs(6)).await;
    };
    stopped(&counterpart, connection(&gateway), meanwhile).await;
    let asked = |login: &Login| login.server.starts_with("127.0.0.1");
    assert!(gateway.logins().iter().all(asked), "it was asked for itself only: {:?}", gateway.logins());
    assert_eq!(gateway.logins().len(), 1, "{:?}", gateway.logins());
    assert!(counterpart.logins().iter().all(|login| login.server.starts_with("localhost")));
}

/// Most drivers wait thirty seconds for a command. Here it is the time itself that has to pass: a driver's clock is its own.
#[tokio::test]
async fn a_statement_takes_as_long_as_it_takes() {
    let counterpart = answering(ENDLESS, Answer::Later(Tokens::new())).await;
    let done = async {
        counterpart.until(|_, heard| *heard == Heard::Batch(ENDLESS.into())).await;
        tokio::time::sleep(Duration::from_secs(33)).await;
        counterpart.speak();
    };
    let (result, ()) = tokio::join!(run(&counterpart, ENDLESS), done);
    result.unwrap();
}

#[tokio::test]
async fn an_error_has_number_state_line_and_procedure() {
    const CALL: &str = "SELECT 1\nEXEC dbo.fails";
    let fault = Fault { number: 50001, state: 5, class: 16, text: "thrown", procedure: "dbo.fails", line: 2 };
    let counterpart = answering(CALL, Answer::Tokens(Tokens::new().fault(fault))).await;
    let error = run(&counterpart, CALL).await.unwrap_err();
    assert_eq!((error.statement, error.error.position), (Some(0), None), "the line is one of the procedure");
    assert_eq!((error.error.kind, &*error.error.code), (ErrorKind::Sql, "50001"));
    assert_eq!(error.error.message, "thrown (level 16, state 5, dbo.fails line 2)");
    // The batch's own line.
    let counterpart = answering(CALL, Answer::Tokens(Tokens::new().fault(Fault { procedure: "", ..fault }))).await;
    let error = run(&counterpart, CALL).await.unwrap_err().error;
    assert_eq!((error.position, &*error.message), (Some("SELECT 1\n".len()), "thrown (level 16, state 5)"));
}

#[tokio::test]
async fn an_error_behind_many_results_is_seen_and_all_of_them_told() {
    const BATCH: &str = "EXEC many";
    let fault = |number, text| Fault { number, text, line: 1, ..Fault::default() };
    let cells = [Some("a text"), None];
    for answer in [
        // In the last of several results, behind more rows than a packet takes.
        Tokens::new().rows(&cells, 2000).next().remark("so far").rows(&cells, 1).next().fault(fault(8134, "divided")),
        // In the middle of a result.
        Tokens::new().rows(&cells, 300).fault(fault(8134, "divided")),
        // With others, and with what is said or comes behind it.
        Tokens::new().fault(fault(8134, "divided")).fault(fault(3621, "again")).row(&cells).remark("ended"),
    ] {
        let counterpart = answering(BATCH, Answer::Tokens(answer)).await;
        let error = run(&counterpart, BATCH).await.unwrap_err();
        assert_eq!((error.outcome, &*error.error.code), (Outcome::RolledBack, "8134"), "{error:?}");
        assert!(error.error.message.starts_with("divided"), "{error:?}");
        let said = counterpart.batches(FIRST);
        let behind = said.iter().skip_while(|batch| *batch != BATCH).nth(1).unwrap();
        assert!(behind.ends_with("IF @@TRANCOUNT > 0 ROLLBACK"), "{said:#?}");
        assert!(!said.iter().any(|batch| batch.contains("INSERT INTO [dbo].[__MigrationsHistory] ")), "{said:#?}");
    }
    let both = answering(BATCH, Answer::Tokens(Tokens::new().fault(fault(1, "one")).fault(fault(2, "two")))).await;
    let error = run(&both, BATCH).await.unwrap_err().error;
    assert!(error.message.starts_with("one (") && error.message.ends_with("; then error 2: two"), "{}", error.message);
}

/// The batches of a migration stand alone, between the beginning of a transaction and a commit that takes the ledger's row.
#[tokio::test]
async fn batches_and_their_ledger_row_are_one_transaction() {
    let counterpart = Counterpart::with(Manners::answering(|_| None)).await;
    let script = "CREATE TABLE [żółć] (a int)\nGO\nINSERT INTO [żółć] VALUES (N'数')\nGO 3\nPRINT 1\ngo -- last\n";
    let statements = branchkeeper::source::split(Provider::SqlServer, "f.sql", script).unwrap();
    let (mut session, fence) = locked(&counterpart).await;
    let one = planned("1_one", statements);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    let said = counterpart.batches(FIRST);
    let first = &said[0];
    assert!(first.contains("SET QUOTED_IDENTIFIER, XACT_ABORT ON"), "{first}");
    let lock = said.iter().find(|batch| batch.contains("sp_getapplock")).unwrap();
    let result = "EXEC @branchkeeper = sys.sp_getapplock @Resource = N'branchkeeper ";
    assert!(lock.contains(result) && lock.contains("CASE WHEN @branchkeeper >= 0"), "its result is read: {lock}");
    let at = said.iter().position(|batch| batch.starts_with("CREATE TABLE [żółć]")).unwrap();
    let insert = "INSERT INTO [żółć] VALUES (N'数')";
    assert_eq!(said[at + 1..at + 5], [insert, insert, insert, "PRINT 1"], "{said:#?}");
    let (before, after) = (&said[at - 1], &said[at + 5]);
    assert!(before.contains("SET XACT_ABORT ON") && before.contains("BEGIN TRANSACTION"), "{before}");
    let order = ["SET XACT_ABORT ON", "INSERT INTO [dbo].[__MigrationsHistory] ", "COMMIT\n", "sp_releaseapplock"];
    let places: Vec<_> =
        order.iter().map(|part| after.rfind(part).unwrap_or_else(|| panic!("{part}: {after}"))).collect();
    assert!(places.is_sorted(), "{after}");
    assert!(after.contains("N'1_one'") && !after.contains(" '1_one'"), "{after}");
    assert_eq!(counterpart.logins()[0].application, "branchkeeper/BR001");
}

#[tokio::test]
async fn a_missing_database_is_made_from_master() {
    let name = "Łódź ]数";
    let made = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let there = std::sync::Arc::clone(&made);
    let missing = Fault { number: 4060, class: 11, text: "Cannot open database", ..Fault::default() };
    let manners = Manners::greeting(move |login| {
        let there = login.database == "master" || there.load(std::sync::atomic::Ordering::SeqCst);
        (!there).then(|| Tokens::new().fault(missing))
    });
    let manners = Manners {
        batch: Box::new(move |text| {
            made.fetch_or(text == "CREATE DATABASE [Łódź ]]数]", std::sync::atomic::Ordering::SeqCst);
            None
        }),
        ..manners
    };
    let counterpart = Counterpart::with(manners).await;
    let server = ServerConnection { database: name.into(), ..connection(&counterpart) };
    let error = connect(server.clone()).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::DatabaseMissing, "{error:?}");
    create(&endpoint(server.clone()), &settings()).await.unwrap();
    connect(server).await.unwrap();
    assert_eq!(counterpart.logins().last().unwrap().database, name);
}

/// Whether letter case matters is the database's to say.
#[tokio::test]
async fn tables_are_compared_as_the_database_compares_them() {
    for (exact, holds) in [("0", true), ("1", false)] {
        let row = [Some("dbo"), Some("Sales"), Some("1"), Some(exact)];
        let answer = Answer::Tokens(Tokens::new().row(&row));
        let manners = Manners::answering(move |text| text.contains("COLLATE DATABASE_DEFAULT").then(|| answer.clone()));
        let counterpart = Counterpart::with(manners).await;
        let tables = connect(connection(&counterpart)).await.unwrap().tables().await.unwrap();
        assert_eq!((tables.exact, tables.holds(&ObjectName::bare("SALES"))), (!holds, holds), "{:?}", tables.names);
    }
}

#[tokio::test]
async fn encryption_is_what_was_asked_for() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = temp_dir();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ours, theirs) = (file("ours.pem", &authority.pem), file("theirs.pem", &stranger.pem));
    // Not for 127.0.0.1, so that the address is another host than the name.
    let certificate = authority.issue_for("database", &["localhost"]);
    let encrypts = Counterpart::with(Manners::answering(|_| None).encrypting(&certificate)).await;
    let declines = Counterpart::with(Manners::answering(|_| None)).await;
    // Whether login and work come encrypted; `None` where there is no session.
    let (all, login, nothing) = (Some((true, true)), Some((true, false)), Some((false, false)));
    for (counterpart, mode, host, authority, expected) in [
        (&encrypts, SslMode::Disable, "127.0.0.1", "", login),
        (&encrypts, SslMode::Prefer, "127.0.0.1", "", all),
        (&encrypts, SslMode::Require, "127.0.0.1", "", all),
        (&encrypts, SslMode::VerifyFull, "localhost", &*ours, all),
        (&encrypts, SslMode::VerifyFull, "127.0.0.1", &*ours, None),
        (&encrypts, SslMode::VerifyFull, "localhost", &*theirs, None),
        (&encrypts, SslMode::VerifyFull, "localhost", "", None),
        (&declines, SslMode::Disable, "127.0.0.1", "", None),
        (&declines, SslMode::Prefer, "127.0.0.1", "", nothing),
        (&declines, SslMode::Require, "127.0.0.1", "", None),
        (&declines, SslMode::VerifyFull, "localhost", &*ours, None),
    ] {
        let what = format!("{mode:?} of {host}, {authority}");
        let before = counterpart.logins().len();
        let server = ServerConnection {
            host: host.into(),
            ssl_mode: mode,
            ssl_ca_file: authority.into(),
            ..connection(counterpart)
        };
        let connected = connect(server).await.map(drop);
        let logins = counterpart.logins().split_off(before);
        let seen = logins.first().map(|login| (login.encrypted, login.stays_encrypted));
        assert_eq!(seen, expected, "{what}: {connected:?}");
        match connected {
            Ok(()) => assert!(expected.is_some(), "{what}"),
            Err(error) => {
                assert!(expected.is_none(), "{what}: {error:?}");
                assert_eq!(error.kind, ErrorKind::Unreachable, "{what}: {error:?}");
                assert!(error.hint.contains("ssl_mode"), "{what}: {error:?}");
            }
        }
    }
    // The certificate is for the name that the connection says.
    let mut server = ServerConnection { ssl_mode: SslMode::VerifyFull, ssl_ca_file: ours, ..connection(&encrypts) };
    server.options.insert("certificate_host".into(), "localhost".into());
    connect(server.clone()).await.unwrap();
    server.options.insert("certificate_host".into(), "elsewhere".into());
    connect(server).await.map(drop).unwrap_err();
}

/// The browser service tells an instance's port.
#[tokio::test]
async fn an_instance_is_found_by_its_name() {
    // Its port is always the same; of all this machine's addresses some are free.
    let browser = (2..250).find_map(|number| UdpSocket::bind((format!("127.86.{number}.1"), 1434)).ok());
    let browser = browser.expect("an address of this machine has the port free");
    let host = browser.local_addr().unwrap().ip().to_string();
    browser.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let counterpart = Counterpart::at(&host, Manners::answering(|_| None)).await;
    let port = counterpart.port;
    let mut server = ServerConnection { host, port: None, ..connection(&counterpart) };
    server.options.insert("instance".into(), "BERLIN".into());
    let answering = std::thread::spawn(move || {
        let mut questions = Vec::new();
        // Once for each way to encrypt.
        for _ in 0..2 {
            let mut question = [0; 100];
            let (length, client) = browser.recv_from(&mut question).unwrap();
            questions.push(question[..length].to_vec());
            let said = format!("ServerName;DB;InstanceName;BERLIN;IsClustered;No;Version;16.0.1000.6;tcp;{port};;");
            let length = u16::try_from(said.len()).unwrap().to_le_bytes();
            browser.send_to(&[&[5], &length[..], said.as_bytes()].concat(), client).unwrap();
        }
        questions
    });
    connect(server.clone()).await.unwrap();
    assert_eq!(answering.join().unwrap(), [b"\x04BERLIN", b"\x04BERLIN"]);
    assert_eq!(counterpart.logins().len(), 1);
    // Nobody is there any more.
    let error = connect(server).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    assert!(error.message.contains("BERLIN") && error.message.contains("browser service"), "{error:?}");
}
