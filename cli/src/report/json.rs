//! Events as JSON lines.

use rayplat_engine::event::Event;
use tokio::sync::mpsc::UnboundedReceiver;

use super::out;

pub async fn follow(mut reader: UnboundedReceiver<Event>) -> Vec<Event> {
    let mut seen = Vec::new();
    while let Some(event) = reader.recv().await {
        // An event is made of texts and numbers: it always has a JSON form.
        if let Ok(line) = serde_json::to_string(&event) {
            out(&line);
        }
        seen.push(event);
    }
    seen
}
