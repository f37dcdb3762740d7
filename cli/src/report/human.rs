//! Progress for people: one line for each running step, or plain lines.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rayplat_engine::{event::Event, provider::Action, urn::Urn};

use super::{duration, err, out, reporter::Message, style};

/// How often lines on a terminal are brought up to date.
const TICK: Duration = Duration::from_millis(200);

/// Without a terminal, how long nothing may be said: CI systems end jobs that are
/// silent for some minutes.
const SILENCE: Duration = Duration::from_secs(60);

/// A running step.
struct Running {
    action: Action,
    began: Instant,
    expected_ms: u64,
    status: String,
    bar: Option<ProgressBar>,
}

/// The line below all running steps.
struct Total {
    bar: ProgressBar,
    began: Instant,
    expected_ms: u64,
    steps: usize,
    ended: usize,
}

struct Progress {
    /// Of the last event: its time in the run, and when it was shown.
    last: (u64, Instant),
    running: BTreeMap<Urn, Running>,
    bars: Option<MultiProgress>,
    total: Option<Total>,
    said: Instant,
    style: style::Style,
}

/// Prints until the run is over.
pub fn print(messages: &Receiver<Message>, terminal: bool) {
    let now = Instant::now();
    let mut progress = Progress {
        last: (0, now),
        running: BTreeMap::new(),
        bars: terminal.then(MultiProgress::new),
        total: None,
        said: now,
        style: if terminal { style::stderr() } else { style::stdout() },
    };
    let tick = if terminal { TICK } else { SILENCE / 12 };
    loop {
        match messages.recv_timeout(tick) {
            Ok(Message::Event(at, event)) => {
                progress.last = (at, Instant::now());
                progress.show(&event);
            }
            Ok(Message::Note(text)) => match &progress.bars {
                // A terminal that has gone is no error.
                Some(bars) => drop(bars.println(text)),
                None => err(&text),
            },
            // Whoever asked may have stopped waiting.
            Ok(Message::Flush(done)) => drop(done.send(())),
            Ok(Message::Json(_)) => {}
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        progress.refresh();
    }
    progress.clear();
}

impl Progress {
    fn line(&mut self, text: &str) {
        let (at, shown) = self.last;
        let at = (at + millis(shown.elapsed())) / 1000;
        let text = format!("{}[{:2}:{:02}]{} {text}", self.style.dim, at / 60, at % 60, self.style.reset);
        self.said = Instant::now();
        match &self.bars {
            // A terminal that has gone is no error.
            Some(bars) => drop(bars.println(text)),
            None => out(&text),
        }
    }

    fn show(&mut self, event: &Event) {
        let style = self.style;
        match event {
            Event::RunStarted { steps, expected_ms, .. } => self.begin(*steps, *expected_ms),
            Event::Recovered { urn, message } => self.line(&format!("{urn}: {message}")),
            Event::Unread { urns, message } => self.line(&super::unread(urns.len(), message)),
            Event::Adopted { urn, id, .. } => self.line(&format!("{urn}: {id} is adopted")),
            Event::StepStarted { urn, action, expected_ms, .. } => self.started(urn, *action, *expected_ms),
            Event::StepStatus { urn, message } => {
                if let Some(running) = self.running.get_mut(urn) {
                    running.status.clone_from(message);
                }
            }
            Event::StepRetry { urn, error, attempt, delay_ms } => {
                let text = format!("waits {} after {error}", duration(*delay_ms));
                // On paper a few lines tell of many retries.
                if self.bars.is_none() && *attempt >= 4 && attempt.is_power_of_two() {
                    self.line(&format!("{urn} {text} (retry {attempt})"));
                }
                if let Some(running) = self.running.get_mut(urn) {
                    running.status = text;
                }
            }
            Event::StepFinished { urn, action, took_ms, unneeded, .. } => {
                self.ended(urn);
                if *unneeded {
                    self.line(&format!("{urn}: nothing to do after all"));
                } else {
                    let done = format!("{}{}{}", style.create, past(*action), style.reset);
                    self.line(&format!("{done} {urn} in {}", duration(*took_ms)));
                }
            }
            Event::StepFailed { urn, action, error, leftover, .. } => {
                self.ended(urn);
                self.line(&format!("{}failed{} to {} {urn}: {error}", style.error, style.reset, action.verb()));
                self.line(&format!("       {leftover}"));
                if let Some(hint) = &error.hint {
                    self.line(&format!("       {}hint:{} {hint}", style.hint, style.reset));
                }
            }
            Event::StepSkipped { urn, action, because, .. } => {
                self.drop_line(urn);
                let because =
                    because.as_ref().map_or_else(|| "the run was stopped".to_owned(), |urn| format!("{urn} failed"));
                self.line(&format!("skipped: {} {urn} ({because})", action.verb()));
            }
            Event::RunFinished { .. } => self.clear(),
        }
    }

    fn begin(&mut self, steps: usize, expected_ms: u64) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(line_at_the_bottom());
        self.total = Some(Total { bar, began: Instant::now(), expected_ms, steps, ended: 0 });
    }

    fn started(&mut self, urn: &Urn, action: Action, expected_ms: u64) {
        let bar = self.bars.as_ref().map(|bars| match &self.total {
            Some(total) => bars.insert_before(&total.bar, line_at_the_bottom()),
            None => bars.add(line_at_the_bottom()),
        });
        // Long ones are announced where nothing is kept up to date.
        if bar.is_none() && expected_ms >= 10_000 {
            self.line(&format!("{} {urn}, usually {}", gerund(action), duration(expected_ms)));
        }
        let running = Running { action, began: Instant::now(), expected_ms, status: String::new(), bar };
        self.running.insert(urn.clone(), running);
    }

    fn ended(&mut self, urn: &Urn) {
        self.drop_line(urn);
        if let Some(total) = &mut self.total {
            total.ended += 1;
        }
    }

    fn drop_line(&mut self, urn: &Urn) {
        if let Some(bar) = self.running.remove(urn).and_then(|running| running.bar) {
            bar.finish_and_clear();
            if let Some(bars) = &self.bars {
                bars.remove(&bar);
            }
        }
    }

    fn refresh(&mut self) {
        if self.bars.is_none() {
            return self.break_silence();
        }
        for (urn, running) in &self.running {
            if let Some(bar) = &running.bar {
                bar.set_message(format!("{}{}", running.since(urn), running.status()));
            }
        }
        if let Some(total) = &self.total {
            let (now, usual) = (duration(millis(total.began.elapsed())), duration(total.expected_ms));
            total.bar.set_message(format!("{} of {} steps, {now} of about {usual}", total.ended, total.steps));
        }
    }

    fn break_silence(&mut self) {
        if self.said.elapsed() < SILENCE {
            return;
        }
        let still: Vec<String> = self
            .running
            .iter()
            .map(|(urn, running)| format!("still {}{}", running.since(urn), running.status()))
            .collect();
        still.iter().for_each(|text| self.line(text));
    }

    fn clear(&mut self) {
        for running in std::mem::take(&mut self.running).into_values() {
            if let Some(bar) = running.bar {
                bar.finish_and_clear();
            }
        }
        if let Some(total) = self.total.take() {
            total.bar.finish_and_clear();
        }
    }
}

impl Running {
    fn since(&self, urn: &Urn) -> String {
        let elapsed = duration(millis(self.began.elapsed()));
        format!("{} {urn}  {elapsed} of about {}", gerund(self.action), duration(self.expected_ms))
    }

    fn status(&self) -> String {
        if self.status.is_empty() { String::new() } else { format!("  {}", self.status) }
    }
}

/// One line of text, cut at the terminal's edge.
fn line_at_the_bottom() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is a constant of ours.
    bar.set_style(ProgressStyle::with_template("  {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Delete => "deleted",
        Action::Read => "read",
    }
}

fn gerund(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "changing",
        Action::Delete => "deleting",
        Action::Read => "reading",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_is_not_silent() {
        let Some(long_ago) = Instant::now().checked_sub(SILENCE) else { return };
        let mut progress = Progress {
            last: (0, long_ago),
            running: BTreeMap::new(),
            bars: None,
            total: None,
            said: long_ago,
            style: style::Style::default(),
        };
        progress.refresh();
        assert_eq!(progress.said, long_ago, "nothing runs: nothing to say");
        let urn = Urn::new("aws:eks:Cluster", "main").unwrap_or_else(|error| panic!("{error}"));
        progress.started(&urn, Action::Create, 1000);
        progress.refresh();
        assert!(progress.said > long_ago);
    }
}
