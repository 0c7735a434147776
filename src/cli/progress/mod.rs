//! Following a run's events, whatever happens to the connection, and showing them.

mod bars;
mod follow;
mod tally;
mod view;

pub(crate) use follow::{Origin, follow, follow_until, interrupted};
pub(crate) use view::View;
