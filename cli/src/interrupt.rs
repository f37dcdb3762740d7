//! Ctrl-C and SIGTERM. Before the first step they end the program; while steps run,
//! the first lets them finish and the second stops them at once. A thread of its own
//! listens, so that neither a question nor a busy run is deaf.

use std::{process, sync::mpsc::Sender, thread};

use rayplat_engine::apply::Interrupt;

use crate::{
    exit::Failure,
    report::{Message, Phase, err},
    store,
};

/// What a shell says of a program that Ctrl-C ended; see the table of exit codes.
const INTERRUPTED: i32 = 130;

/// Listens until the program ends.
///
/// # Errors
/// The system gives no thread or takes no handler.
pub fn listen(interrupt: Interrupt, phase: Phase, messages: Sender<Message>) -> Result<(), Failure> {
    let io = |source| Failure::Io { what: "Ctrl-C cannot be listened for".to_owned(), source };
    // Beside the run's own runtime: that one may be waiting for an answer, and in a
    // rehearsal its clock stands still.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(io)?
    };
    let listener = thread::Builder::new().name("signals".to_owned());
    listener.spawn(move || runtime.block_on(follow(signals, interrupt, phase, messages))).map_err(io)?;
    Ok(())
}

async fn follow(mut signals: Signals, interrupt: Interrupt, phase: Phase, messages: Sender<Message>) {
    loop {
        signals.next().await;
        if !phase.working() {
            if phase.looking() {
                err("\nstopped before anything was changed");
            }
            store::release_at_once().await;
            process::exit(INTERRUPTED);
        }
        interrupt.raise();
        let text = match interrupt.level() {
            1 => "stopping: nothing new is started, what runs is finished and saved. Ctrl-C again stops at once.",
            2 => "stopping at once: what was begun is written down; the next run looks at it and goes on.",
            // The journal covers even this.
            _ => process::exit(INTERRUPTED),
        };
        // The printer is gone only when the program is about to end.
        drop(messages.send(Message::Note(text.to_owned())));
    }
}

/// Ctrl-C, and what service managers and CI send.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes the signals from here on; they no longer end the program by themselves.
    /// Within a runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Nothing to prepare here.
    ///
    /// # Errors
    /// None.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for Ctrl-C.
    pub async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
