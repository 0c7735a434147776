use tiberius::{AuthMethod, Config, EncryptionLevel};

use crate::domain::{BranchCode, SslMode};
use crate::provider::error::ProviderError;
use crate::provider::server::ServerPlace;

/// The driver's options for a database of the server, the password fetched. Nothing bounds a statement's time but our own
/// watchdog: the driver's limit would give up long statements while the server still works on them.
pub(super) async fn options(code: &BranchCode, place: &ServerPlace, database: &str) -> Result<Config, ProviderError> {
    let password = place.password().await?;
    let mut config = Config::new();
    config.host(place.host.trim_matches(['[', ']']));
    config.database(database);
    config.authentication(AuthMethod::sql_server(
        &place.username,
        password.as_ref().map_or("", |secret| secret.expose()),
    ));
    config.application_name(format!("branchkeeper/{code}"));
    config.command_timeout(None);
    // `connect_timeout` covers it.
    config.handshake_timeout(None);
    // A migration may select what is no text; nobody reads it here.
    config.lossy_utf16_decoding(true);
    match &place.instance {
        Some(instance) => config.instance_name(instance),
        None => config.port(place.port),
    }
    match place.ssl_mode {
        SslMode::VerifyFull | SslMode::VerifyCa => {
            if let Some(name) = &place.certificate_host {
                config.hostname_in_certificate(name);
            }
            if let Some(file) = &place.ssl_ca_file {
                config.trust_cert_ca(file);
            }
        }
        SslMode::Disable | SslMode::Prefer | SslMode::Require => config.trust_cert(),
    }
    Ok(config)
}

/// How much is encrypted, the attempts in their order: only a server that declines the first is asked for the next.
///
/// Without encryption the login alone is encrypted, as SQL Server's own tools do it: the protocol would show the password.
pub(super) fn encryption(mode: SslMode) -> &'static [EncryptionLevel] {
    match mode {
        SslMode::Disable => &[EncryptionLevel::Off],
        SslMode::Prefer => &[EncryptionLevel::On, EncryptionLevel::NotSupported],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[EncryptionLevel::Required],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_never_weakened() {
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert_eq!(encryption(mode), [EncryptionLevel::Required]);
        }
        assert_eq!(encryption(SslMode::Prefer)[0], EncryptionLevel::On);
        assert!(!encryption(SslMode::Disable).contains(&EncryptionLevel::NotSupported), "it would show the password");
    }
}
