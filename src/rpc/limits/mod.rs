//! What one caller may have: so many calls a second, so many at once, so many failed attempts to prove who it is.
//!
//! `rate.rs` decides, purely; the tables (`paces.rs`, `shares.rs`) are bounded. `seldom.rs` keeps the log bounded too.

mod paces;
mod rate;
mod seldom;
mod shares;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use paces::Paces;
use rate::Rate;
pub(super) use seldom::Seldom;
pub(super) use shares::Place;
use shares::{Full, Share, Shares};
use tonic::Status;
use tracing::warn;

use super::connections::Peer;
use super::settings::ServerSettings;
use super::status;

/// How many seconds' worth of failed attempts may come at once.
const FAILURE_BURST: u32 = 10;
/// The most streams of health and reflection of all callers.
const WATCHERS: Share = Share { each: 64, all: 1024 };
/// The most credentials that are remembered to have been accepted.
const MOST_ACCEPTED: usize = 10_000;
/// How long they are remembered.
const ACCEPTED_FOR: Duration = Duration::from_secs(600);

/// A caller, as the tables know it: a keyed hash of the name that it has proved, or of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Who(u64);

/// What kind of call it is, as far as how many there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A probe, which is always answered.
    Probe,
    /// A stream of health or reflection.
    Watching,
    /// A call that follows a run to its end.
    Following,
    /// Any other.
    Short,
}

impl Kind {
    /// The kind of the method at `path`.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/grpc.health.v1.Health/Check" | "/healthz" | "/readyz" => Self::Probe,
            "/grpc.health.v1.Health/Watch"
            | "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Self::Watching,
            "/branchkeeper.v1.MigrationService/Apply"
            | "/branchkeeper.v1.MigrationService/ApplyAll"
            | "/branchkeeper.v1.MigrationService/Rollback"
            | "/branchkeeper.v1.MigrationService/WatchRun" => Self::Following,
            _ => Self::Short,
        }
    }
}

/// The limits of each caller.
#[derive(Debug)]
pub(super) struct Limits {
    /// The key of the hashes: nobody can make two names meet.
    hasher: RandomState,
    requests: Paces,
    failures: Paces,
    shares: Shares,
    short: Share,
    following: Share,
    /// Credentials that were accepted, and when: they are looked at also when their address has failed too often.
    accepted: Mutex<HashMap<Who, Instant>>,
    told: Told,
}

/// What the log has been told of.
#[derive(Debug, Default)]
struct Told {
    rate: Seldom,
    full: Seldom,
    failures: Seldom,
}

impl Limits {
    pub(super) fn new(settings: &ServerSettings, now: Instant) -> Self {
        let failures = settings.auth.failures_per_second;
        // One caller leaves half of the places to others. That all of them together are no more is seen to elsewhere.
        let half = |limit: usize| Share { each: limit.div_ceil(2).max(1), all: usize::MAX };
        Self {
            hasher: RandomState::new(),
            requests: Paces::new(Rate::new(settings.requests_per_second, settings.request_burst), now),
            failures: Paces::new(Rate::new(failures, failures.saturating_mul(FAILURE_BURST)), now),
            shares: Shares::default(),
            short: half(settings.concurrency_limit),
            following: half(settings.max_followers),
            accepted: Mutex::default(),
            told: Told::default(),
        }
    }

    /// The caller who has proved this name.
    pub(super) fn named(&self, name: &str) -> Who {
        Who(self.hasher.hash_one(("name", name)))
    }

    /// The caller of whom nothing but the connection is known.
    pub(super) fn at(&self, peer: &Peer) -> Who {
        let address = peer.address().map(|address| match address {
            IpAddr::V4(_) => address,
            // Whoever has one address of IPv6 has 2^64 of them.
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        });
        Who(self.hasher.hash_one(("address", address, peer.local_user())))
    }

    /// Lets one more call of `who`, who is called `name` in the log, begin, or says when it may. The place is to be held until
    /// the answer has been taken.
    pub(super) fn admit(&self, who: Who, name: &str, kind: Kind, now: Instant) -> Result<Option<Place>, Status> {
        let share = match kind {
            Kind::Probe => return Ok(None),
            Kind::Watching => WATCHERS,
            Kind::Following => self.following,
            Kind::Short => self.short,
        };
        if let Err(wait) = self.requests.take(who, now) {
            if let Some(more) = self.told.rate.once(now) {
                warn!(who = name, more, "refused: the caller is over its rate (server.requests_per_second)");
            }
            return Err(status::rate_limited("the caller has sent more calls than it may", wait));
        }
        match self.shares.place(who, kind, share) {
            Ok(place) => Ok(Some(place)),
            Err(full) => {
                if let Some(more) = self.told.full.once(now) {
                    warn!(who = name, ?full, more, "refused: too many calls at once");
                }
                let hint = "try again when some of them have ended";
                Err(match full {
                    Full::Caller(most) => status::overloaded("the caller", "calls at work", most, hint),
                    Full::Service(most) => status::overloaded("the service", "streams of this kind", most, hint),
                })
            }
        }
    }

    /// How long the connection's address has to wait before a credential of it is looked at; `None` when it need not, or
    /// when the credential was accepted not long ago.
    pub(super) fn barred(&self, at: Who, credential: &[u8], now: Instant) -> Option<Duration> {
        let wait = self.failures.wait(at, now)?;
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = accepted.get(&self.credential(credential));
        if known.is_some_and(|last| now.duration_since(*last) < ACCEPTED_FOR) { None } else { Some(wait) }
    }

    /// An attempt to prove who one is has failed. Says whether the log may tell of it: beyond the rate it would only grow.
    pub(super) fn failed(&self, at: Who, peer: &Peer, now: Instant) -> bool {
        if self.failures.take(at, now).is_ok() {
            return true;
        }
        if let Some(more) = self.told.failures.once(now) {
            warn!(%peer, more, "too many attempts of this address to prove who it is have failed (auth.failures_per_second)");
        }
        false
    }

    /// The credential was accepted.
    pub(super) fn accepted(&self, credential: &[u8], now: Instant) {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.len() >= MOST_ACCEPTED {
            accepted.retain(|_, last| now.duration_since(*last) < ACCEPTED_FOR);
            if accepted.len() >= MOST_ACCEPTED {
                accepted.clear();
            }
        }
        accepted.insert(self.credential(credential), now);
    }

    fn credential(&self, credential: &[u8]) -> Who {
        Who(self.hasher.hash_one(("credential", credential)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::AuthSettings;

    fn limits() -> Limits {
        let auth = AuthSettings { failures_per_second: 1, ..AuthSettings::default() };
        let settings = ServerSettings { auth, requests_per_second: 1, request_burst: 2, ..ServerSettings::default() };
        Limits::new(&settings, Instant::now())
    }

    #[test]
    fn every_method_of_a_kind_of_its_own_exists() {
        let kinds = |kind| crate::rpc::auth::paths().filter(|path| Kind::of(path) == kind).count();
        assert_eq!((kinds(Kind::Probe), kinds(Kind::Watching), kinds(Kind::Following)), (3, 3, 4));
    }

    #[test]
    fn a_probe_is_never_refused_and_others_are_told_when_to_come_again() {
        let (limits, now) = (limits(), Instant::now());
        let who = limits.named("jwt:ann");
        let admit = |kind| limits.admit(who, "jwt:ann", kind, now);
        assert!(admit(Kind::Short).is_ok() && admit(Kind::Short).is_ok());
        assert_eq!(admit(Kind::Short).unwrap_err().code(), tonic::Code::ResourceExhausted);
        assert!((0..1000).all(|_| admit(Kind::Probe).is_ok()));
        assert!(limits.admit(limits.named("jwt:bob"), "jwt:bob", Kind::Short, now).is_ok());
    }

    #[test]
    fn an_address_of_ipv6_stands_for_its_network() {
        let limits = limits();
        let at = |text: &str| limits.at(&Peer::at(text.parse().unwrap()));
        assert_eq!(at("2001:db8::1"), at("2001:db8::2:3"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_ne!(at("127.0.0.1"), at("127.0.0.2"));
        assert_ne!(at("127.0.0.1"), limits.at(&Peer::default()));
    }

    #[test]
    fn what_was_accepted_is_looked_at_also_when_others_of_its_address_fail() {
        let (limits, now) = (limits(), Instant::now());
        let at = limits.at(&Peer::default());
        limits.accepted(b"good", now);
        let logged = (0..50).filter(|_| limits.failed(at, &Peer::default(), now)).count();
        assert_eq!(logged, 10, "the burst, and no more");
        assert!(limits.barred(at, b"bad", now).is_some() && limits.barred(at, b"good", now).is_none());
        assert!(limits.barred(at, b"bad", now + Duration::from_secs(1)).is_none());
        let late = now + ACCEPTED_FOR;
        while limits.failed(at, &Peer::default(), late) {}
        assert!(limits.barred(at, b"good", late).is_some());
    }
}
