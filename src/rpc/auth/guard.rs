//! What stands in front of every method: who calls, and whether they may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::{Span, error, warn};

use super::access::{self, Need};
use super::certificates;
use super::key_source::KeySource;
use super::settings::AuthSettings;
use crate::domain::{ApiToken, Role, shorten};
use crate::engine::{Caller, Manager};
use crate::rpc::calls::Quiet;
use crate::rpc::connections::Peer;
use crate::rpc::limits::{Kind, Limits, Who};
use crate::rpc::messages::Held;
use crate::rpc::reasons;
use crate::rpc::status::{Refusal, rate_limited};

/// Decides who may call what.
pub(in crate::rpc) struct Guard {
    manager: Manager,
    settings: AuthSettings,
    keys: Option<KeySource>,
    limits: Limits,
}

/// Somebody who calls, with the role that they have proved; in the open, everybody has every role.
struct Identity {
    name: String,
    role: Option<Role>,
}

/// Why a caller is nobody.
enum Unknown {
    /// There is no credential.
    None,
    /// There is one that is not accepted. The text is for the log.
    Bad(String),
    /// There is one that was not looked at: too many from the same address were bad. It may be tried after this time.
    Barred(Duration),
    /// Whether it is accepted could not be found out.
    Unavailable(Status),
}

tokio::task_local! {
    /// The changing call that this task answers.
    static CALL: (Manager, Caller, String);
}

impl Guard {
    /// A guard by `settings`; reads the keys. It holds each caller to `limits`.
    pub(in crate::rpc) fn new(manager: Manager, mut settings: AuthSettings, limits: Limits) -> Result<Self, String> {
        let keys = settings.jwt.take().map(KeySource::open).transpose()?;
        Ok(Self { manager, settings, keys, limits })
    }

    fn is_on(&self) -> bool {
        self.keys.is_some() || self.settings.is_on()
    }

    fn is_open(&self, need: Need) -> bool {
        match need {
            Need::Health => self.settings.open_health,
            Need::Reflection => self.settings.open_reflection,
            Need::Look | Need::Manage | Need::Change => false,
        }
    }

    /// Who calls, within what the connection's address may try.
    async fn recognise(&self, headers: &HeaderMap, peer: &Peer, at: Who, now: Instant) -> Result<Identity, Unknown> {
        let credential = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        if let Some(wait) = credential.and_then(|credential| self.limits.barred(at, credential, now)) {
            return Err(Unknown::Barred(wait));
        }
        let identity = self.identify(headers, peer).await?;
        if let Some(credential) = credential {
            self.limits.accepted(credential, now);
        }
        Ok(identity)
    }

    async fn identify(&self, headers: &HeaderMap, peer: &Peer) -> Result<Identity, Unknown> {
        if let Some(text) = bearer(headers)? {
            return if text.starts_with(ApiToken::PREFIX) {
                self.by_token(text).await
            } else {
                self.by_jwt(text).await
            };
        }
        if let Some(user) = peer.local_user() {
            // Whoever may open the socket's file is let in by the system.
            return Ok(Identity { name: format!("local:{user}"), role: Some(Role::Admin) });
        }
        if self.settings.certificates.is_empty() {
            return Err(Unknown::None);
        }
        match certificates::identity(peer.names(), &self.settings.certificates) {
            Some((name, role)) => Ok(Identity { name: format!("cert:{name}"), role }),
            None => Err(Unknown::None),
        }
    }

    /// The answer to a caller who is nobody.
    fn turn_away(&self, unknown: Unknown, path: &str, peer: &Peer, at: Who, now: Instant) -> Response {
        let why = match unknown {
            Unknown::Unavailable(status) => return refusal(path, status, StatusCode::SERVICE_UNAVAILABLE),
            Unknown::Barred(wait) => {
                let status = rate_limited("too many credentials from this address were not accepted", wait);
                return quiet(refusal(path, status, StatusCode::TOO_MANY_REQUESTS));
            }
            Unknown::Bad(why) => why,
            Unknown::None => "the call has no credential".into(),
        };
        let response = refusal(path, unauthenticated(), StatusCode::UNAUTHORIZED);
        if self.limits.failed(at, peer, now) {
            warn!(why, %peer, path = shorten(path, 100), "refused: the caller is not known");
            return response;
        }
        quiet(response)
    }

    async fn by_token(&self, text: &str) -> Result<Identity, Unknown> {
        if !self.settings.tokens {
            return Err(Unknown::Bad("API tokens are off (auth.tokens)".into()));
        }
        match self.manager.recognise(text).await {
            Ok(Some(token)) => Ok(Identity { name: format!("token:{}", token.name), role: Some(token.role) }),
            Ok(None) => Err(Unknown::Bad("the API token is not known, has expired or was revoked".into())),
            Err(error) => Err(Unknown::Unavailable(crate::rpc::status::status_of(&error))),
        }
    }

    async fn by_jwt(&self, text: &str) -> Result<Identity, Unknown> {
        let Some(keys) = &self.keys else { return Err(Unknown::Bad("no auth.jwt key is configured".into())) };
        let said = keys.verify(text, chrono::Utc::now()).await.map_err(|error| Unknown::Bad(error.to_string()))?;
        Ok(Identity { name: format!("jwt:{}", said.subject), role: said.role })
    }
}

/// The bearer token; `None` when the request has no credential at all.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unknown> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unknown::Bad("the call has several authorization headers".into()));
    }
    let (scheme, text) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    let text = text.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || text.is_empty() {
        return Err(Unknown::Bad("the authorization header is not 'Bearer TOKEN'".into()));
    }
    Ok(Some(text))
}

/// Lets a call through, with its [`Caller`] among the request's extensions, or refuses it.
pub(in crate::rpc) async fn authorise(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let need = access::need(&path);
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let now = Instant::now();
    let at = guard.limits.at(&peer);
    let (who, identity) = match guard.recognise(request.headers(), &peer, at, now).await {
        Ok(identity) => (guard.limits.named(&identity.name), identity),
        Err(Unknown::None | Unknown::Bad(_) | Unknown::Barred(_)) if guard.is_open(need) || !guard.is_on() => {
            (at, Identity { name: peer.to_string(), role: None })
        }
        Err(unknown) => return guard.turn_away(unknown, &path, &peer, at, now),
    };
    Span::current().record("who", identity.name.as_str());
    let place = match guard.limits.admit(who, &identity.name, Kind::of(&path), now) {
        Ok(place) => place,
        Err(status) => return quiet(refusal(&path, status, StatusCode::TOO_MANY_REQUESTS)),
    };
    let caller = Caller::new(identity.name, identity.role, peer.to_string());
    let method = path.rsplit('/').next().unwrap_or_default().to_owned();
    let may = !guard.is_on() || guard.is_open(need) || caller.role.is_some_and(|role| role >= need.role());
    if !may {
        warn!(who = %caller.name, role = ?caller.role, %peer, path = shorten(&path, 100), "refused: not in this role");
        if need == Need::Change {
            let (manager, caller) = (guard.manager.clone(), caller.clone());
            // Also when the client does not wait for the answer.
            let kept = tokio::spawn(async move { keep(&manager, &caller, &method, &denied()).await });
            if kept.await.is_err() {
                error!("keeping an audit entry panicked");
            }
        }
        return refusal(&path, denied(), StatusCode::FORBIDDEN);
    }
    request.extensions_mut().insert(caller.clone());
    if need != Need::Change {
        let mut response = next.run(request).await;
        Held::with(&mut response, place);
        return response;
    }
    let call = (guard.manager.clone(), caller.clone(), method.clone());
    let mut response = CALL.scope(call, next.run(request)).await;
    Held::with(&mut response, place);
    if let Some(status) = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok) {
        keep(&guard.manager, &caller, &method, &status).await;
    }
    response
}

/// Keeps the failure of a changing call in the audit record; for work that goes on when the call's own task does not.
pub(in crate::rpc) struct FailureAudit(Option<(Manager, Caller, String)>);

impl FailureAudit {
    /// For the call that this task answers.
    pub(in crate::rpc) fn of_this_call() -> Self {
        Self(CALL.try_with(Clone::clone).ok())
    }

    /// The call has failed like this.
    pub(in crate::rpc) async fn failed(self, status: &Status) {
        if let Some((manager, caller, method)) = self.0 {
            keep(&manager, &caller, &method, status).await;
        }
    }
}

async fn keep(manager: &Manager, caller: &Caller, method: &str, status: &Status) {
    let reason = status.get_details_error_info().map(|info| info.reason);
    let reason = reason.unwrap_or_else(|| status.code().description().to_owned());
    manager.audit_refused(caller, method, &reason).await;
}

fn unauthenticated() -> Status {
    let hint = "send a token as 'authorization: Bearer TOKEN', or use a client certificate";
    Refusal::new(Code::Unauthenticated, reasons::UNAUTHENTICATED, "the caller is not known", hint).into_status()
}

fn denied() -> Status {
    let hint = "ask for the role HeadOfficeAdmin, or whom the service belongs to";
    Refusal::new(Code::PermissionDenied, reasons::PERMISSION_DENIED, "the caller may not do that", hint).into_status()
}

/// An answer that the log does not tell of.
fn quiet(mut response: Response) -> Response {
    response.extensions_mut().insert(Quiet);
    response
}

/// The answer to a call that is refused: a gRPC status, and for the plain routes a plain status.
fn refusal(path: &str, status: Status, plain: StatusCode) -> Response {
    if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
        return status.into_http();
    }
    let mut response = Response::new(Body::from(format!("{}\n", status.message())));
    *response.status_mut() = plain;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if plain == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
