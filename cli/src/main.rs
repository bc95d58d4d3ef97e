//! `cargo d2l`: sets the notebooks up, checks the machine, opens, runs and tests them.

mod commands;
mod developer;
mod notebooks;
mod output;
mod process;
mod project;
mod setup;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand};
use commands::{doctor, lab, run};
use developer::{bench, book, report, test};
use notebooks::Language;
use project::Project;

#[derive(Parser)]
#[command(name = "cargo d2l", bin_name = "cargo d2l", about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the notebooks need into .venv and compile ahead what their cells need
    Setup,
    /// Show what is there, what is not, and what to do about it; the exit status is 0 if everything is
    /// there, 1 if something is missing
    Doctor,
    /// Open JupyterLab on a notebook
    Lab {
        /// The notebook to open
        #[arg(default_value = "fine_tuning")]
        notebook: PathBuf,
        /// The notebook's language
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// Do not open a browser: print the address only
        #[arg(long)]
        no_browser: bool,
    },
    /// Execute notebooks without a browser, into target/notebooks
    Run {
        /// The notebooks; all of notebooks/ if none is named
        notebooks: Vec<PathBuf>,
        /// Train for this many epochs at most
        #[arg(long, allow_negative_numbers = true, value_parser = at_least_one())]
        epochs: Option<usize>,
        /// Use this many pictures of each data set at most
        #[arg(long, allow_negative_numbers = true, value_parser = at_least_one())]
        limit: Option<usize>,
    },
    /// Measure this project beside the Python original, in one run, into target/bench
    Bench {
        /// The parts; all of them if none is named
        #[arg(value_parser = ["loader", "step", "lesson", "notebook", "display"])]
        parts: Vec<String>,
        /// The whole lesson, with three seeds: hours on a processor
        #[arg(long)]
        full: bool,
    },
    /// Make a site of all notebooks, in all languages, into target/book
    Book,
    /// Run the crate's tests and write what they compared and refused into docs/
    Report,
    /// Check the format, lint, run all tests, execute every notebook in quick mode
    Test,
}

/// A count; of nothing at all there would be nothing to see.
fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

fn main() -> ExitCode {
    match execute(Arguments::parse().command) {
        Ok(status) => status,
        Err(error) => {
            let mark = console::style("error:").for_stderr().red().bold();
            output::note(format!("{mark} {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    let project = Project::find()?;
    match command {
        Command::Setup => setup::setup(&project),
        Command::Doctor => return Ok(doctor::doctor(&project)),
        // What is named is looked for first: nobody waits for a set-up to hear of a slip of the pen.
        Command::Lab { notebook, lang, no_browser } => {
            let notebook = notebooks::find(&project, &notebook, lang)?;
            setup::setup(&project)?;
            lab::lab(&project, &notebook, no_browser)
        }
        Command::Run { notebooks, epochs, limit } => {
            let notebooks = notebooks::named(&project, &notebooks)?;
            setup::setup(&project)?;
            run::run(&project, &notebooks, epochs, limit)
        }
        Command::Bench { parts, full } => {
            setup::setup(&project)?;
            bench::bench(&project, &parts, full)
        }
        Command::Book => {
            setup::setup(&project)?;
            book::book(&project)
        }
        Command::Report => {
            setup::setup(&project)?;
            report::report(&project)
        }
        Command::Test => {
            setup::setup(&project)?;
            test::test(&project)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}
