use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{self, Either, Ready};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use crate::options::Token;
use crate::semantics::{NAMED, STREAMS};

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What every call gets.
pub(crate) struct Defaults {
    pub(crate) token: Token,
    pub(crate) deadline: Duration,
    pub(crate) run_deadline: Duration,
}

/// The connection under the stubs: it adds the token and the deadline to every call.
#[derive(Clone)]
pub struct Transport {
    channel: Channel,
    defaults: Arc<Defaults>,
}

impl Transport {
    pub(crate) fn new(channel: Channel, defaults: Arc<Defaults>) -> Self {
        Self { channel, defaults }
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Either<
        future::MapErr<<Channel as Service<Request<Body>>>::Future, fn(tonic::transport::Error) -> Self::Error>,
        Ready<Result<Self::Response, Self::Error>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.defaults.token.current() {
            Ok(None) => {}
            Ok(Some(token)) => drop(request.headers_mut().insert(AUTHORIZATION, token)),
            Err(error) => return Either::Right(future::ready(Err(error.into()))),
        }
        let path = request.uri().path();
        if !STREAMS.contains(&path) && !request.headers().contains_key(TIMEOUT) {
            let named = NAMED.contains(&path);
            let limit = if named { self.defaults.run_deadline } else { self.defaults.deadline };
            // At most eight digits are allowed.
            let millis = limit.as_millis().min(99_999_999);
            if let Ok(value) = HeaderValue::try_from(format!("{millis}m")) {
                request.headers_mut().insert(TIMEOUT, value);
            }
        }
        let translate: fn(tonic::transport::Error) -> Self::Error = Into::into;
        Either::Left(future::TryFutureExt::map_err(self.channel.call(request), translate))
    }
}
