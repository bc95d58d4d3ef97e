//! Steps that say what they do and how long they took.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The steps of one command; several may be under way.
#[derive(Default)]
pub struct Steps {
    bars: MultiProgress,
}

impl Steps {
    /// Runs a step and prints its time. On a terminal a line shows what it is doing meanwhile.
    pub fn run<T>(&self, name: &str, work: impl FnOnce(&ProgressBar) -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let on_terminal = console::user_attended_stderr();
        if !on_terminal {
            eprintln!("{name} ...");
        }
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(
            ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
                .context("progress style")?,
        );
        bar.set_prefix(name.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        let result = work(&bar);
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        let mark = if result.is_ok() { "done" } else { "failed" };
        let line = format!("{name}: {mark} in {seconds:.1} s");
        if on_terminal {
            self.bars.println(line)?;
        } else {
            eprintln!("{line}");
        }
        result.with_context(|| format!("{name} failed"))
    }
}

/// Runs a command quietly: its newest line is the bar's message, all lines are told if it fails.
pub fn quietly(command: &mut Command, bar: &ProgressBar) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let stdout = child.stdout.take().context("no stdout")?;
    let stderr = child.stderr.take().context("no stderr")?;
    let (out, err) = std::thread::scope(|scope| {
        let out = scope.spawn(|| collect(stdout, bar));
        let err = collect(stderr, bar);
        (out.join().unwrap_or_default(), err)
    });
    let status = child.wait().with_context(|| format!("cannot wait for {program}"))?;
    if !status.success() {
        let text = format!("{out}{err}");
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        bail!("{program} ended with {status}. The end of its output:\n{end}");
    }
    Ok(out)
}

fn collect(stream: impl Read, bar: &ProgressBar) -> String {
    let mut text = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        bar.set_message(line.trim().to_string());
        text.push_str(&line);
        text.push('\n');
    }
    text
}
