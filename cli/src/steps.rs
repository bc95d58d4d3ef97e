//! Progress messages for long steps: what is being done, and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output;

/// The steps of one command; several may run at a time.
#[derive(Default)]
pub struct Steps {
    bars: MultiProgress,
}

impl Steps {
    /// Runs a step and prints how long it took; `takes` says how long one usually waits. Meanwhile a line
    /// on the terminal shows what it is doing.
    pub fn run<T>(
        &self,
        name: &str,
        takes: &str,
        work: impl FnOnce(&ProgressBar) -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let on_terminal = console::user_attended_stderr() && output::is_normal();
        if !on_terminal {
            output::note(format!("{name} ({takes}) ..."));
        }
        let bar = match on_terminal {
            true => self.bars.add(ProgressBar::new_spinner()),
            false => ProgressBar::hidden(),
        };
        bar.set_style(
            ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
                .context("progress style")?,
        );
        bar.set_prefix(format!("{name} ({takes})"));
        bar.enable_steady_tick(Duration::from_millis(120));
        let result = work(&bar);
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        let mark = if result.is_ok() { "done" } else { "failed" };
        let line = format!("{name}: {mark} in {seconds:.1} s");
        if on_terminal {
            // A closed terminal does not undo the step.
            let _ = self.bars.println(line);
        } else {
            output::note(line);
        }
        result.with_context(|| format!("{name} failed"))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_step_names_itself_when_it_fails() {
        let steps = Steps::default();
        assert_eq!(steps.run("Counting", "a moment", |_| Ok(3)).unwrap(), 3);
        let error = steps
            .run("Counting", "a moment", |_| -> Result<()> { bail!("no numbers") })
            .unwrap_err();
        assert_eq!(format!("{error:#}"), "Counting failed: no numbers");
    }
}
