//! A connection to the service that remembers what it answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::Frame;
use percent_encoding::percent_decode;
use tonic::body::Body;
use tonic::transport::Error;

use super::secrets::Seen;

/// A tonic channel whose calls and answers are remembered.
#[derive(Clone)]
pub(crate) struct Channel {
    inner: tonic::transport::Channel,
    seen: Seen,
}

impl Channel {
    pub(crate) fn new(inner: tonic::transport::Channel, seen: &Seen) -> Self {
        Self { inner, seen: seen.clone() }
    }
}

impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        tower::Service::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        for value in request.headers().get_all(http::header::AUTHORIZATION) {
            let text = value.to_str().unwrap_or_default();
            self.seen.secret("a caller's token", text.split_once(' ').map_or(text, |(_, token)| token));
        }
        let sent = (Direction::Request, path.clone(), self.seen.clone());
        let request = request.map(|body| Body::new(Tee::new(body, sent)));
        let answered = (Direction::Answer, path, self.seen.clone());
        let answer = tower::Service::call(&mut self.inner, request);
        Box::pin(async move {
            let answer = answer.await?;
            head(answer.headers(), &answered.2);
            Ok(answer.map(|body| Body::new(Tee::new(body, answered))))
        })
    }
}

/// Remembers headers or trailers as they are meant: statuses travel in them in percent and base64 encoding.
fn head(headers: &http::HeaderMap, seen: &Seen) {
    for (name, value) in headers {
        if name.as_str().ends_with("-bin") {
            // Senders may leave the padding out.
            let rules = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let decoded = GeneralPurpose::new(&STANDARD, rules).decode(value.as_bytes());
            seen.answer(&decoded.expect("binary metadata is base64"));
        } else {
            seen.answer(&percent_decode(value.as_bytes()).collect::<Vec<u8>>());
        }
    }
}

enum Direction {
    Request,
    Answer,
}

/// A body that is told on when it has ended or was given up.
struct Tee {
    body: Body,
    passed: Vec<u8>,
    to: (Direction, String, Seen),
}

impl Tee {
    fn new(body: Body, to: (Direction, String, Seen)) -> Self {
        Self { body, passed: Vec::new(), to }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            if let Some(data) = frame.data_ref() {
                self.passed.extend_from_slice(data);
            }
            if let (Some(trailers), Direction::Answer) = (frame.trailers_ref(), &self.to.0) {
                head(trailers, &self.to.2);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        let (direction, path, seen) = &self.to;
        match direction {
            Direction::Request => seen.request(path, &self.passed),
            Direction::Answer => seen.messages(path, &self.passed),
        }
    }
}
