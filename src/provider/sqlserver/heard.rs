//! The errors that the driver keeps to itself. Of all errors of a batch it returns the first, and only writes the others to
//! its log; so its log is listened to, for as long as a batch of ours is under way. That also keeps the texts of servers
//! out of the service's log.

use std::cell::RefCell;
use std::fmt;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// The most errors of a batch that are kept.
const MOST: usize = 10;

/// An error as the driver logs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) code: u32,
    pub(super) message: String,
}

tokio::task_local! {
    static HEARD: RefCell<Vec<Heard>>;
}

/// Runs the driver's work, and gives the errors that the server has sent meanwhile, in their order.
pub(super) async fn listen<F: Future>(work: F) -> (F::Output, Vec<Heard>) {
    // Two, because where there is but one of them in a process, it is not asked what it wants to hear: whoever passes a
    // place in the driver first, and does not listen, would silence that place for good.
    static LISTENER: OnceLock<[Dispatch; 2]> = OnceLock::new();
    let [listener, _] = LISTENER.get_or_init(|| [Dispatch::new(Listener), Dispatch::new(Listener)]).clone();
    let work = async {
        let output = work.await;
        (output, HEARD.with(RefCell::take))
    };
    HEARD.scope(RefCell::default(), work.with_subscriber(listener)).await
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target().starts_with("tiberius")
    }

    fn event(&self, event: &Event<'_>) {
        let mut heard = Heard::default();
        event.record(&mut heard);
        let keep = |all: &RefCell<Vec<Heard>>| {
            if let Ok(mut all) = all.try_borrow_mut()
                && all.len() < MOST
                && heard.code != 0
            {
                all.push(heard);
            }
        };
        // Outside of `listen` there is nobody to tell.
        let _ = HEARD.try_with(keep);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "code" {
            self.code = u32::try_from(value).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_driver_logs_is_heard_and_nothing_else() {
        let log = |target: u8, code: u32| match target {
            0 => tracing::event!(target: "tiberius::tds", Level::ERROR, message = %"it's \"bad\"", code = code),
            1 => tracing::event!(target: "tiberius::tds", Level::INFO, message = %"so", code = code),
            _ => tracing::event!(target: "other", Level::ERROR, message = %"so", code = code),
        };
        let ((), heard) = listen(async {
            log(0, 207);
            log(1, 208);
            log(2, 209);
            tokio::task::yield_now().await;
            log(0, 1750);
        })
        .await;
        let expected = [207, 1750].map(|code| Heard { code, message: "it's \"bad\"".into() });
        assert_eq!(heard, expected);
        log(0, 1);
        assert_eq!(listen(async { (0..99).for_each(|code| log(0, code)) }).await.1.len(), MOST);
        assert!(listen(async {}).await.1.is_empty());
    }

    /// Whether a place in the driver is listened to is settled when it is first passed, for good.
    #[tokio::test]
    async fn who_passes_first_unheard_silences_nobody() {
        let log = |code: u32| tracing::event!(target: "tiberius::tds", Level::ERROR, message = %"late", code = code);
        listen(async {}).await;
        log(1);
        assert_eq!(listen(async { log(2) }).await.1, [Heard { code: 2, message: "late".into() }]);
    }
}
