//! What happened, in order: writes, calls, events.

use std::sync::{Arc, Mutex};

use rayplat_engine::{event::Event, journal::Record, urn::Urn};

#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// The record is durable.
    Written(Record),
    /// The call has arrived in the account.
    Call { operation: &'static str, urn: Urn },
    /// The reader got the event.
    Event(Event),
}

/// Clones share it.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Item>>>);

impl Log {
    pub fn push(&self, item: Item) {
        self.0.lock().unwrap().push(item);
    }

    pub fn items(&self) -> Vec<Item> {
        self.0.lock().unwrap().clone()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// The events of failed steps.
    pub fn failures(&self) -> Vec<Item> {
        self.items().into_iter().filter(|item| matches!(item, Item::Event(Event::StepFailed { .. }))).collect()
    }

    /// The resources that `operation` was called on, in order.
    pub fn called(&self, operation: &str) -> Vec<String> {
        let name = |item| match item {
            Item::Call { operation: op, urn } if op == operation => Some(urn.name().to_owned()),
            _ => None,
        };
        self.items().into_iter().filter_map(name).collect()
    }
}
