//! Progress for people: one line for each running step, or plain lines.

use std::{collections::HashMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rayplat_engine::{event::Event, provider::Action, urn::Urn};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::{duration, out, style};

/// A running step.
struct Running {
    action: Action,
    began: Instant,
    expected_ms: u64,
    status: String,
    bar: Option<ProgressBar>,
}

struct Progress {
    began: Instant,
    running: HashMap<Urn, Running>,
    bars: Option<MultiProgress>,
    style: style::Style,
}

pub async fn follow(mut reader: UnboundedReceiver<Event>, terminal: bool) -> Vec<Event> {
    let mut progress = Progress {
        began: Instant::now(),
        running: HashMap::new(),
        bars: terminal.then(MultiProgress::new),
        style: style::stdout(),
    };
    let mut seen = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            event = reader.recv() => {
                let Some(event) = event else { return seen };
                progress.show(&event);
                seen.push(event);
            }
            _ = tick.tick(), if terminal => progress.refresh(),
        }
    }
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Delete => "deleted",
        Action::Read => "read",
    }
}

impl Progress {
    fn line(&self, text: &str) {
        let at = self.began.elapsed().as_secs();
        let text = format!("{}[{:2}:{:02}]{} {text}", self.style.dim, at / 60, at % 60, self.style.reset);
        match &self.bars {
            // A terminal that has gone is no error.
            Some(bars) => drop(bars.println(text)),
            None => out(&text),
        }
    }

    fn show(&mut self, event: &Event) {
        let style = self.style;
        match event {
            Event::Recovered { urn, message } => self.line(&format!("{urn}: {message}")),
            Event::StepStarted { urn, action, expected_ms, .. } => self.started(urn, *action, *expected_ms),
            Event::StepStatus { urn, message } => {
                if let Some(running) = self.running.get_mut(urn) {
                    running.status.clone_from(message);
                }
            }
            Event::StepRetry { urn, error, delay_ms, .. } => {
                let text = format!("waiting {} after {error}", duration(*delay_ms));
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
                let because =
                    because.as_ref().map_or_else(|| "the run was stopped".to_owned(), |urn| format!("{urn} failed"));
                self.line(&format!("skipped: {} {urn} ({because})", action.verb()));
            }
            Event::RunStarted { .. } | Event::RunFinished { .. } => {}
        }
    }

    fn started(&mut self, urn: &Urn, action: Action, expected_ms: u64) {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            // The template is a constant of ours.
            bar.set_style(
                ProgressStyle::with_template("  {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        // Long ones are announced where nothing is kept up to date.
        if bar.is_none() && expected_ms >= 10_000 {
            self.line(&format!("{} {urn}, usually {}", gerund(action), duration(expected_ms)));
        }
        let running = Running { action, began: Instant::now(), expected_ms, status: String::new(), bar };
        self.running.insert(urn.clone(), running);
        self.refresh();
    }

    fn ended(&mut self, urn: &Urn) {
        if let Some(bar) = self.running.remove(urn).and_then(|running| running.bar) {
            bar.finish_and_clear();
        }
    }

    fn refresh(&self) {
        for (urn, running) in &self.running {
            if let Some(bar) = &running.bar {
                let elapsed = u64::try_from(running.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let (now, usual) = (duration(elapsed), duration(running.expected_ms));
                let status = if running.status.is_empty() { String::new() } else { format!("  {}", running.status) };
                bar.set_message(format!("{} {urn}  {now} of about {usual}{status}", gerund(running.action)));
            }
        }
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
