use percent_encoding::percent_decode_str;

use crate::domain::{Provider, ServerConnection, SslMode};

/// Reads a connection URL such as `postgres://keeper@db:5432/shop?schema=pos&sslmode=verify-full`.
///
/// Errors never repeat the URL, or any value of it: there may be a password in it.
pub(in crate::cli) fn parse_url(provider: Provider, url: &str) -> Result<ServerConnection, String> {
    let schemes: &[&str] = match provider {
        Provider::Sqlite => return Err("a SQLite branch has no URL; give its file with --path".into()),
        Provider::Postgres => &["postgres", "postgresql"],
        Provider::MySql => &["mysql", "mariadb"],
        Provider::SqlServer => &["sqlserver", "mssql"],
    };
    let shape = format!("the URL (not shown) has to look like {}://USER@HOST:PORT/DATABASE", schemes[0]);
    let uri: http::Uri = url.parse().map_err(|_| shape.clone())?;
    if !uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme.to_ascii_lowercase().as_str())) {
        return Err(shape);
    }
    let authority = uri.authority().ok_or_else(|| shape.clone())?;
    let user = authority.as_str().rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') {
        return Err(PASSWORD.into());
    }
    // A port that is out of range makes `port()` empty, just as none at all.
    let address = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = match address[authority.host().len()..].strip_prefix(':') {
        None | Some("") => None,
        Some(port) => match port.parse::<u16>() {
            Ok(0) | Err(_) => return Err("the URL's port is not between 1 and 65535".into()),
            Ok(port) => Some(port),
        },
    };
    let mut connection = ServerConnection {
        host: decoded(authority.host().trim_matches(['[', ']']))?,
        port,
        database: decoded(uri.path().trim_start_matches('/'))?,
        username: decoded(user)?,
        ..ServerConnection::default()
    };
    if connection.host.is_empty() || connection.database.is_empty() || connection.username.is_empty() {
        return Err(shape);
    }
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        match key.to_ascii_lowercase().as_str() {
            "schema" | "currentschema" => connection.schema = value,
            "sslmode" => connection.ssl_mode = ssl_mode(&value)?,
            "sslrootcert" => connection.ssl_ca_file = value,
            "passwordref" => connection.password_ref = Some(value.parse().map_err(|_| REFERENCE)?),
            "instance" | "certificate_host" if provider == Provider::SqlServer => {
                connection.options.insert(key.to_ascii_lowercase(), value);
            }
            "password" => return Err(PASSWORD.into()),
            _ => {
                let known = if provider == Provider::SqlServer { KNOWN_TO_SQLSERVER } else { KNOWN };
                return Err(format!("the URL's setting '{}' is not known; {known}", crate::domain::shorten(key, 40)));
            }
        }
    }
    Ok(connection)
}

const PASSWORD: &str = "the URL holds a password, and passwords cannot be stored yet; leave it out and say where the \
                        service finds it with --password-ref env:NAME or --password-ref file:PATH (if this was a real \
                        password, it may now be in your shell's history)";

const REFERENCE: &str = "the URL's passwordref (not shown) is not env:NAME or file:PATH";

const KNOWN: &str = "use schema, sslmode, sslrootcert and passwordref";
const KNOWN_TO_SQLSERVER: &str = "use schema, sslmode, sslrootcert, passwordref, instance and certificate_host";

fn ssl_mode(text: &str) -> Result<SslMode, String> {
    match text.replace('_', "-").as_str() {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err("the URL's sslmode is not known; use disable, prefer, require, verify-ca or verify-full".into()),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "the URL is not UTF-8 text once decoded")?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url =
            "postgres://kee%40per@db.example:5433/shop%20one?schema=pos&sslmode=verify-full&sslrootcert=%2Fca.pem";
        let read = parse_url(Provider::Postgres, url).unwrap();
        assert_eq!((read.host.as_str(), read.port), ("db.example", Some(5433)));
        assert_eq!((read.username.as_str(), read.database.as_str()), ("kee@per", "shop one"));
        assert_eq!((read.schema.as_str(), read.ssl_ca_file.as_str()), ("pos", "/ca.pem"));
        assert_eq!(read.ssl_mode, SslMode::VerifyFull);
        let read = parse_url(Provider::MySql, "mysql://k@db/d?passwordref=env:DB_PASSWORD").unwrap();
        assert_eq!(read.password_ref.map(String::from).as_deref(), Some("env:DB_PASSWORD"));
        let read = parse_url(Provider::Postgres, "postgresql://k@[::1]/d").unwrap();
        assert_eq!((read.host.as_str(), read.port, read.ssl_mode), ("::1", None, SslMode::Prefer));
    }

    #[test]
    fn sql_server_has_instances() {
        let url = "sqlserver://sa@db/shop?instance=SQLEXPRESS&sslmode=verify_full&Certificate_Host=sql.example";
        let read = parse_url(Provider::SqlServer, url).unwrap();
        assert_eq!((read.host.as_str(), read.port, read.database.as_str()), ("db", None, "shop"));
        assert_eq!((&*read.options["instance"], &*read.options["certificate_host"]), ("SQLEXPRESS", "sql.example"));
        assert_eq!(parse_url(Provider::SqlServer, "mssql://sa@db:1433/shop").unwrap().port, Some(1433));
        assert!(parse_url(Provider::Postgres, "postgres://k@db/d?instance=x").is_err());
        let error = parse_url(Provider::SqlServer, "sqlserver://sa@db/shop?encrypt=true").unwrap_err();
        assert!(error.contains("certificate_host"), "{error}");
    }

    #[test]
    fn passwords_are_refused_and_never_repeated() {
        for url in [
            "postgres://k:hunter2@db/d",
            "postgres://k:@db/d",
            "postgres://k@db/d?password=hunter2",
            "postgres://k:hunter2@db:99999/d",
            "mysql://k:hunter2@db/d",
            "hunter2",
            "postgres://k@db/hunter2 x",
            "postgres://k@db/d?hunter=hunter2",
            "postgres://k@db/d?sslmode=hunter2",
            "postgres://k@db/d?passwordref=hunter2",
            "postgres://k@db:hunter2/d",
        ] {
            let error = parse_url(Provider::Postgres, url).unwrap_err();
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
        assert!(parse_url(Provider::Postgres, "postgres://k:x@db/d").unwrap_err().contains("--password-ref"));
    }

    #[test]
    fn what_is_missing_or_odd_is_refused() {
        for url in ["", "postgres://", "postgres://db/d", "postgres://k@db", "postgres://k@db/", "postgres://k@/d"] {
            assert!(parse_url(Provider::Postgres, url).is_err(), "{url}");
        }
        for url in ["postgres://k@db:0/d", "postgres://k@db:65536/d"] {
            assert!(parse_url(Provider::Postgres, url).is_err(), "{url}");
        }
        assert!(parse_url(Provider::Sqlite, "sqlite://x").unwrap_err().contains("--path"));
    }

    proptest! {
        #[test]
        fn no_text_is_fatal(text in ".{0,60}", tail in "[a-z0-9:@/?=&%\\[\\]]{0,40}") {
            let _ = parse_url(Provider::Postgres, &text);
            let _ = parse_url(Provider::Postgres, &format!("postgres://{tail}"));
        }
    }
}
