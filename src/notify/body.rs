use serde_json::json;

use super::DeliveryError;
use crate::domain::Notification;

/// What a webhook's body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The notification itself, for programs.
    #[default]
    Json,
    /// `{"text": …}`, as Slack, Mattermost and others read it.
    Slack,
    /// A message with an adaptive card, as Microsoft Teams' workflows read it.
    Teams,
}

impl Format {}

/// The body of a request.
pub(super) fn body(format: Format, id: &str, notification: &Notification) -> Result<Vec<u8>, DeliveryError> {
    let value = match format {
        Format::Json => {
            let mut value = serde_json::to_value(notification).map_err(|_| unwritable())?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("id".to_owned(), json!(id));
            }
            value
        }
        Format::Slack => json!({ "text": defused(&notification.text()) }),
        Format::Teams => card(notification),
    };
    serde_json::to_vec(&value).map_err(|_| unwritable())
}

fn unwritable() -> DeliveryError {
    DeliveryError::new("the notification has no JSON form")
}

/// Text that neither links nor calls anybody: what a database server says is not ours to be acted on.
/// See <https://docs.slack.dev/messaging/formatting-message-text> for what needs escaping; Mattermost reads `@all` too.
fn defused(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('@', "@\u{200b}")
}

/// Runs of text rather than a text block, whose Markdown would be read.
fn card(notification: &Notification) -> serde_json::Value {
    let text = notification.text();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let color = if notification.kind.is_trouble() { "attention" } else { "default" };
    let paragraph = |run: serde_json::Value| json!({ "type": "RichTextBlock", "inlines": [run] });
    let mut blocks = vec![paragraph(json!({ "type": "TextRun", "text": first, "weight": "bolder", "color": color }))];
    let lines = rest.lines().map(|line| paragraph(json!({ "type": "TextRun", "text": line, "size": "small" })));
    blocks.extend(lines);
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": blocks,
            },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    fn read(format: Format, notification: &Notification) -> serde_json::Value {
        serde_json::from_slice(&body(format, "m1", notification).unwrap()).unwrap()
    }

    #[test]
    fn programs_get_the_notification_with_its_id() {
        let value = read(Format::Json, &Notification::of_test(Time::UNIX_EPOCH));
        assert_eq!((&value["id"], &value["type"]), (&json!("m1"), &json!("test")));
        assert_eq!(value["time"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn chats_neither_link_nor_call_anybody() {
        let problems = ["<!channel> @all see <http://evil.example|here> & run".to_owned()];
        let notification = Notification::of_catalogue(&problems, Time::UNIX_EPOCH);
        let text = read(Format::Slack, &notification)["text"].as_str().unwrap().to_owned();
        assert!(
            text.contains("&lt;!channel&gt; @\u{200b}all see &lt;http://evil.example|here&gt; &amp; run"),
            "{text}"
        );
        let card = read(Format::Teams, &notification);
        let blocks = card["attachments"][0]["content"]["body"].as_array().unwrap().clone();
        assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"), "{card}");
        assert_eq!(blocks[0]["inlines"][0]["color"], "attention");
    }
}
