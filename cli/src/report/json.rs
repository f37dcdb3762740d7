//! Events as JSON lines.

use std::sync::mpsc::Receiver;

use rayplat_engine::event::Event;

use super::{out, reporter::Message};

/// Prints until the run is over. The run's last event is held back, so that it is the
/// last line whatever else there is to tell.
pub fn print(messages: &Receiver<Message>) {
    let mut last = None;
    while let Ok(message) = messages.recv() {
        match message {
            Message::Event(_, event @ Event::RunFinished { .. }) => last = Some(event),
            Message::Event(_, event) => line(&event),
            Message::Json(text) => out(&text),
            Message::Note(text) => super::err(&text),
            // Whoever asked may have stopped waiting.
            Message::Flush(done) => drop(done.send(())),
            Message::End => break,
        }
    }
    if let Some(event) = last {
        line(&event);
    }
}

fn line(event: &Event) {
    // An event is made of texts and numbers: it always has a JSON form.
    if let Ok(line) = serde_json::to_string(event) {
        out(&line);
    }
}
