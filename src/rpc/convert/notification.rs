use crate::domain::Violations;
use crate::engine::{Message, MessageFilter, MessageState, Page, TargetTest};
use crate::rpc::proto;

use super::fields::Fields;
use super::time::{duration, timestamp};

/// The longest name of a target that is looked for, in bytes; configured ones are shorter.
const MAX_TARGET: usize = 64;

pub(in crate::rpc) fn target_test_to_proto(test: TargetTest) -> proto::NotificationTest {
    proto::NotificationTest {
        target: test.target,
        delivered: test.problem.is_none(),
        message: test.problem.unwrap_or_default(),
        latency: Some(duration(test.took)),
    }
}

pub(in crate::rpc) fn message_filter(
    request: proto::ListNotificationsRequest,
) -> Result<(MessageFilter, Page), Violations> {
    let mut fields = Fields::default();
    let states = fields.choices("states", &request.states, state, STATES);
    if request.target.len() > MAX_TARGET {
        fields.bad("target", "is no target's name");
    }
    let page = fields.page(request.page_size, request.page_token);
    fields.finish(Some((MessageFilter { states, target: request.target }, page)))
}

pub(in crate::rpc) fn message_to_proto(message: Message) -> proto::Notification {
    proto::Notification {
        kind: message.notification.kind.as_str().to_owned(),
        subject: message.notification.subject(),
        summary: message.notification.summary,
        id: message.id,
        target: message.target,
        state: state_value(message.state).into(),
        attempts: message.attempts,
        create_time: Some(timestamp(message.create_time)),
        next_attempt_time: message.next_attempt_time.map(timestamp),
        settle_time: message.settle_time.map(timestamp),
        error: message.error,
    }
}

const STATES: &str = "NOTIFICATION_STATE_PENDING, NOTIFICATION_STATE_DELIVERED, NOTIFICATION_STATE_FAILED or \
                      NOTIFICATION_STATE_HELD_BACK";

fn state(number: i32) -> Option<MessageState> {
    MessageState::ALL.into_iter().find(|state| i32::from(state_value(*state)) == number)
}

fn state_value(state: MessageState) -> proto::NotificationState {
    match state {
        MessageState::Pending => proto::NotificationState::Pending,
        MessageState::Delivered => proto::NotificationState::Delivered,
        MessageState::Failed => proto::NotificationState::Failed,
        MessageState::HeldBack => proto::NotificationState::HeldBack,
    }
}
