//! Progress with the time that is left.
//!
//! In a notebook a bar that moves in its place, on a terminal too; elsewhere a line now and then.

use std::fmt::{self, Write};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{INTERVAL, Place, escape, in_notebook, is_live, say, show_as_text};

/// What takes less than this shows no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// Without a bar there is a line so often at most.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How far a long piece of work is (fastai and others: `progress_bar`, `tqdm`).
///
/// ```
/// use d2l::prelude::*;
/// let mut progress = Progress::new("reading", 3);
/// for _ in 0..3 {
///     progress.advance(1);
/// }
/// ```
///
/// When it is dropped, a bar that was shown gives way to a line that says how long the work took.
pub struct Progress {
    label: String,
    note: String,
    total: u64,
    done: u64,
    start: Instant,
    drawn: Option<Instant>,
    output: Output,
}

/// Where the bar is.
#[derive(Debug)]
enum Output {
    Page(Place),
    Terminal(ProgressBar),
    Lines,
}

impl Progress {
    /// Nothing is done yet of `total` parts; 0 if their number is not known.
    pub fn new(label: &str, total: u64) -> Progress {
        let output = if is_live() {
            Output::Page(Place::new())
        } else if !in_notebook() && std::io::stderr().is_terminal() {
            Output::Terminal(terminal_bar())
        } else {
            Output::Lines
        };
        Progress {
            label: label.to_string(),
            note: String::new(),
            total,
            done: 0,
            start: Instant::now(),
            drawn: None,
            output,
        }
    }

    /// Other work, in the place of what has ended.
    pub(crate) fn restart(&mut self, label: &str, total: u64) {
        (self.label, self.note, self.total, self.done) = (label.into(), String::new(), total, 0);
        (self.start, self.drawn) = (Instant::now(), None);
        if let Output::Terminal(bar) = &self.output {
            bar.reset();
        }
    }

    /// So many parts more are done.
    pub fn advance(&mut self, parts: u64) {
        self.done = self.done.saturating_add(parts);
        let interval = if matches!(self.output, Output::Lines) { LINE_INTERVAL } else { INTERVAL };
        let due = match self.drawn {
            None if matches!(self.output, Output::Lines) => self.start.elapsed() > LINE_INTERVAL,
            None => self.start.elapsed() > PATIENCE,
            Some(time) => time.elapsed() > interval,
        };
        if due {
            self.draw();
        }
    }

    /// Shows the bar at once: for work whose first part takes long.
    pub(crate) fn begin(&mut self) {
        if !matches!(self.output, Output::Lines) {
            self.draw();
        }
    }

    /// A word about the present state, shown behind the numbers.
    pub fn note(&mut self, note: impl Into<String>) {
        self.note = note.into();
    }

    /// Prints a line, above a terminal's bar; without a panic where nobody reads it.
    pub fn println(&self, line: &str) {
        match &self.output {
            Output::Terminal(bar) => bar.suspend(|| say(line)),
            Output::Page(_) | Output::Lines => say(line),
        }
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        let text = self.text();
        match &mut self.output {
            Output::Page(place) => {
                let bar = match self.total {
                    0 => String::new(),
                    total => format!(
                        r#"<progress value="{}" max="{total}" style="width:20em;max-width:40%;vertical-align:middle"></progress> "#,
                        self.done.min(total)
                    ),
                };
                let html = format!("<div>{bar}{}</div>", escape(&text));
                place.show(&[("text/html", html), ("text/plain", text)]);
            }
            Output::Terminal(bar) => {
                bar.set_message(text);
                bar.set_length(self.total.max(1));
                bar.set_position(self.done);
            }
            Output::Lines => say(format_args!("  {text}")),
        }
    }

    /// `reading: 40 %, 0:12 left; a note`
    fn text(&self) -> String {
        let mut text = format!("{}: ", self.label);
        let seconds = self.start.elapsed().as_secs_f64();
        if self.total > 0 {
            let part = (self.done as f64 / self.total as f64).min(1.);
            let left = if part > 0. { clock(seconds * (1. / part - 1.)) } else { "?".into() };
            let _ = write!(text, "{:.0} %, {left} left", part * 100.);
        } else {
            let _ = write!(text, "{}", clock(seconds));
        }
        if !self.note.is_empty() {
            let _ = write!(text, "; {}", self.note);
        }
        text
    }

    /// A bar that was shown gives way to a line that says how long the work took.
    pub(crate) fn finish(&mut self) {
        if self.drawn.take().is_none() {
            return;
        }
        let time = clock(self.start.elapsed().as_secs_f64());
        let end = match self.total {
            total if self.done < total => {
                format!(
                    "{}: ended at {:.0} % after {time}",
                    self.label,
                    self.done as f64 * 100. / total as f64
                )
            }
            _ => format!("{}: done in {time}", self.label),
        };
        match &mut self.output {
            Output::Page(place) => place.show(&[("text/plain", end)]),
            Output::Terminal(bar) => bar.finish_and_clear(),
            Output::Lines => {}
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text())
    }
}

show_as_text!(Progress);

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn terminal_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {msg}");
    let bar = ProgressBar::new(1);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// `0:07`, `12:30`, `1:02:03`
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}
