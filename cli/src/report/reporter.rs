//! Between the run and the terminal: events are taken from the engine at once and
//! printed by a thread of its own, so that a reader who is slow, stopped with Ctrl-S
//! or gone never stalls a step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use rayplat_engine::event::Event;
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle, time::Instant};

use super::{Live, human, json};
use crate::exit::Failure;

/// What the printing thread is told.
pub enum Message {
    /// Something happened, so many milliseconds after the run began: virtual ones in a
    /// rehearsal, which the thread cannot ask for.
    Event(u64, Event),
    /// A line for people.
    Note(String),
    /// A line for programs, before the last event.
    Json(String),
    /// Says when all before it is printed.
    Flush(Sender<()>),
    /// Nothing more comes.
    End,
}

/// How far a run has come: decides what an interrupt means.
#[derive(Debug, Clone, Default)]
pub struct Phase(Arc<AtomicU8>);

impl Phase {
    const WORKING: u8 = 1;
    const OVER: u8 = 2;

    /// Steps run from here on.
    pub fn work(&self) {
        self.0.fetch_max(Self::WORKING, Ordering::SeqCst);
    }

    /// Everything is done and saved.
    pub fn end(&self) {
        self.0.store(Self::OVER, Ordering::SeqCst);
    }

    /// True while steps may be running.
    pub fn working(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::WORKING
    }

    /// True before the first step.
    pub fn looking(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// Shows the events of one run.
pub struct Reporter {
    collector: JoinHandle<Vec<Event>>,
    printer: thread::JoinHandle<()>,
    messages: Sender<Message>,
}

impl Reporter {
    /// Begins to show what comes from `reader`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(mut reader: UnboundedReceiver<Event>, live: Live, phase: Phase) -> Result<Self, Failure> {
        let (messages, received) = channel();
        let printer = thread::Builder::new()
            .name("report".to_owned())
            .spawn(move || print(&received, live))
            .map_err(|source| Failure::Io { what: "the report cannot start".to_owned(), source })?;
        let to_printer = messages.clone();
        let collector = tokio::spawn(async move {
            let began = Instant::now();
            let mut seen = Vec::new();
            while let Some(event) = reader.recv().await {
                if matches!(event, Event::StepStarted { .. }) {
                    phase.work();
                }
                let at = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tell(&to_printer, Message::Event(at, event.clone()));
                seen.push(event);
            }
            seen
        });
        Ok(Self { collector, printer, messages })
    }

    /// A way to say something between the events.
    pub fn messages(&self) -> Sender<Message> {
        self.messages.clone()
    }

    /// All events, once the run is over.
    pub async fn seen(&mut self) -> Vec<Event> {
        (&mut self.collector).await.unwrap_or_default()
    }

    /// Waits until everything is printed.
    pub fn finish(self) {
        tell(&self.messages, Message::End);
        // A thread that has panicked has printed what it could.
        drop(self.printer.join());
    }
}

/// Waits, but not for ever, until what was told before is printed.
pub fn flush(messages: &Sender<Message>) {
    let (done, printed) = channel();
    tell(messages, Message::Flush(done));
    // Late lines are worse than none only for the eye.
    let _ = printed.recv_timeout(Duration::from_secs(1));
}

fn tell(messages: &Sender<Message>, message: Message) {
    // An error says that the thread has ended: nobody reads any more.
    drop(messages.send(message));
}

fn print(messages: &Receiver<Message>, live: Live) {
    match live {
        Live::Json => json::print(messages),
        Live::Lines => human::print(messages, false),
        Live::Terminal => human::print(messages, true),
    }
}
