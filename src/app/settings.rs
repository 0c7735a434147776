//! From the configuration to what each layer wants to know.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Config};
use crate::domain::{Clock, Policy, Route, Routes, Sealer};
use crate::engine::{AutoMigrate, EngineSettings, NotifySettings, OnStartup};
use crate::notify::{Channel, Format, MailTarget, MailTls, Target, UrlSource, WebhookTarget};
use crate::provider;
use crate::rpc::{AuthSettings, JwtSettings, ServerSettings, TlsSettings};

/// How much longer than the engine the server has for stopping.
const ANSWER_TIME: Duration = Duration::from_secs(5);

pub(super) fn engine(config: &Config, clock: Arc<dyn Clock>, sealer: Sealer) -> EngineSettings {
    let migration = &config.migration;
    let auto = &config.auto_migrate;
    EngineSettings {
        environment: config.environment.as_str().to_owned(),
        provider: provider::Settings {
            sqlite_root: config.sqlite_root(),
            history_table: migration.history_table.clone(),
            connect_timeout: migration.connect_timeout,
            lock_timeout: Some(migration.lock_timeout),
            sealer,
            clock,
            ..provider::Settings::default()
        },
        ensure_created: migration.ensure_created,
        policy: Policy {
            out_of_order: migration.out_of_order,
            validate_checksums: migration.validate_checksums,
            transaction_mode: migration.transaction_mode,
        },
        migration_timeout: migration.timeout,
        lease: config.lock.lease,
        lock_wait: config.lock.wait,
        retry: config.retry.clone(),
        parallel: config.parallel.branches as usize,
        per_host: config.parallel.per_host as usize,
        required_tables: config.validation.required_tables.clone(),
        log_statements: migration.log_details,
        auto: AutoMigrate {
            enabled: auto.enabled,
            in_production: auto.in_production,
            on_startup: match auto.on_startup {
                config::OnStartup::Background => OnStartup::Background,
                config::OnStartup::Blocking => OnStartup::Blocking,
                config::OnStartup::Off => OnStartup::Off,
            },
            initial_delay: auto.initial_delay,
            interval: auto.interval,
        },
        run_retention: config.runs.retention,
        audit_retention: config.audit.retention,
    }
}

pub(super) fn notify(config: &Config) -> NotifySettings {
    let notify = &config.notify;
    let route = |(name, target): (&String, &config::NotifyTarget)| Route {
        target: name.clone(),
        kinds: target.events.clone(),
        environments: target.environments.clone(),
        labels: target.labels.clone(),
    };
    NotifySettings {
        targets: notify.targets.iter().map(|(name, target)| notify_target(name, target, notify.timeout)).collect(),
        routes: Routes {
            routes: notify.targets.iter().map(route).collect(),
            environment: config.environment.as_str().to_owned(),
            window: notify.dedup_window,
            max_pending: notify.max_pending,
        },
        retry: notify.retry.clone(),
        max_age: notify.max_age,
        retention: notify.retention,
    }
}

fn notify_target(name: &str, target: &config::NotifyTarget, timeout: Duration) -> Target {
    let ca_file = (!target.ca_file.as_os_str().is_empty()).then(|| target.ca_file.clone());
    let url = target.url.clone().map(UrlSource::Literal).or_else(|| target.url_ref.clone().map(UrlSource::Reference));
    let channel = match (target.kind, url) {
        (config::NotifyKind::Webhook, Some(url)) => Channel::Webhook(WebhookTarget {
            url,
            secret: target.secret_ref.clone(),
            format: match target.format {
                config::NotifyFormat::Json => Format::Json,
                config::NotifyFormat::Slack => Format::Slack,
                config::NotifyFormat::Teams => Format::Teams,
            },
            allow_plaintext: target.allow_plaintext,
            ca_file,
        }),
        _ => Channel::Mail(MailTarget {
            host: target.host.clone(),
            port: target.port,
            tls: match target.tls {
                config::NotifyTls::StartTls => MailTls::StartTls,
                config::NotifyTls::Tls => MailTls::Tls,
                config::NotifyTls::None => MailTls::None,
            },
            username: target.username.clone(),
            password: target.password_ref.clone(),
            from: target.from.clone(),
            to: target.to.clone(),
            ca_file,
        }),
    };
    Target { name: name.to_owned(), channel, timeout, max_per_minute: target.max_per_minute }
}

pub(super) fn server(config: &Config) -> ServerSettings {
    ServerSettings {
        listen: config.server.listen,
        unix_socket: given(&config.server.unix_socket),
        tls: tls(config),
        auth: auth(config),
        max_message_bytes: config.server.max_message_bytes,
        max_connections: config.server.max_connections as usize,
        concurrency_limit: config.server.max_concurrent_requests as usize,
        requests_per_second: config.server.requests_per_second,
        request_burst: config.server.request_burst,
        idle_timeout: config.server.idle_timeout,
        slow_reader_timeout: config.server.slow_reader_timeout,
        allowed_origins: config.server.allowed_origins.clone(),
        // A call that ends with the last statement still has to be answered.
        shutdown_timeout: config.server.shutdown_timeout + ANSWER_TIME,
        ..ServerSettings::default()
    }
}

fn given(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

fn tls(config: &Config) -> Option<TlsSettings> {
    let tls = &config.tls;
    tls.is_on().then(|| TlsSettings {
        cert_file: tls.cert_file.clone(),
        key_file: tls.key_file.clone(),
        client_ca_file: given(&tls.client_ca_file),
        client_required: tls.client_auth == config::ClientAuth::Required,
    })
}

fn auth(config: &Config) -> AuthSettings {
    let auth = &config.auth;
    let jwt = &auth.jwt;
    AuthSettings {
        jwt: jwt.has_keys().then(|| JwtSettings {
            secret_ref: jwt.secret_ref.clone(),
            public_key_file: given(&jwt.public_key_file),
            jwks_file: given(&jwt.jwks_file),
            jwks_url: Some(jwt.jwks_url.clone()).filter(|url| !url.is_empty()),
            issuer: jwt.issuer.clone(),
            audience: jwt.audience.clone(),
            role_claim: jwt.role_claim.clone(),
            leeway: jwt.leeway,
            ..JwtSettings::default()
        }),
        tokens: auth.tokens,
        certificates: auth.certificates.clone(),
        open_health: auth.open_health,
        open_reflection: auth.open_reflection,
        failures_per_second: auth.failures_per_second,
    }
}
