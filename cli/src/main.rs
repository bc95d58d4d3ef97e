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
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use commands::{doctor, lab, run};
use console::style;
use developer::{bench, book, report, test, wheel};
use notebooks::Language;
use output::Verbosity;
use project::Project;
use setup::cuda::Processor;

#[derive(Parser)]
#[command(name = "cargo d2l", bin_name = "cargo d2l", about, version)]
#[command(
    after_help = "Exit status: 0 on success, 1 on failure, 2 for wrong arguments, 141 if the \
                        output's reader has ended (as `head` does)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print the commands that are run and their full output
    #[arg(short, long, global = true)]
    verbose: bool,
}

impl Arguments {
    fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Commands for readers of the notebooks first, then those in [`FOR_DEVELOPERS`].
#[derive(Subcommand)]
enum Command {
    /// Open JupyterLab on a notebook
    Lab {
        /// The notebook to open
        #[arg(default_value = notebooks::MAIN)]
        notebook: PathBuf,
        /// The notebook's language
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// Do not open a browser: print the address only
        #[arg(long)]
        no_browser: bool,
    },
    /// Execute a notebook without a browser, into target/notebooks
    Run {
        /// The notebooks; Fine-tuning if none is named
        notebooks: Vec<PathBuf>,
        /// Execute all notebooks, or all in the language of --lang
        #[arg(long, conflicts_with = "notebooks")]
        all: bool,
        /// List the notebooks with the time that each takes, and execute none
        #[arg(long, conflicts_with_all = ["notebooks", "all"])]
        list: bool,
        /// The notebooks' language
        #[arg(long, value_enum)]
        lang: Option<Language>,
        /// Train for this many epochs at most
        #[arg(long, allow_negative_numbers = true, value_parser = at_least_one())]
        epochs: Option<usize>,
        /// Use this many images of each data set at most
        #[arg(long, allow_negative_numbers = true, value_parser = at_least_one())]
        limit: Option<usize>,
    },
    /// Show what is installed, what is missing, and how to fix it
    ///
    /// The exit status is 0 if everything the notebooks need is installed, and 1 if something is missing.
    /// What is optional (a GPU, photographs, weights that are downloaded on first use) is reported as
    /// absent and does not count as missing.
    Doctor,
    /// Install what the notebooks need into .venv, and compile their cells' dependencies
    ///
    /// libtorch's CUDA half, 3.4 GB, is installed where there is an NVIDIA GPU. What --cpu or --cuda says
    /// instead is kept for later set-ups.
    Setup {
        /// Leave libtorch's CUDA half out, whether there is an NVIDIA GPU or not
        #[arg(long, conflicts_with = "cuda")]
        cpu: bool,
        /// Install libtorch's CUDA half, whether there is an NVIDIA GPU or not
        #[arg(long)]
        cuda: bool,
    },
    /// Check this project: format, lints, tests, notebooks, browser
    Test {
        /// The parts of the check; all of them if none is named
        #[arg(value_enum, value_name = "PART")]
        parts: Vec<test::Part>,
    },
    /// Measure this project beside the Python original, in one run, into target/bench
    Bench {
        /// The parts; all of them if none is named
        #[arg(value_name = "PART", value_parser = ["loader", "step", "optimizer", "ssd", "lesson", "notebook", "display"])]
        parts: Vec<String>,
        /// The whole lesson, with three seeds: takes hours on a CPU
        #[arg(long)]
        full: bool,
    },
    /// Run the crate's tests and write tables of their comparisons and refused inputs into docs/
    Report,
    /// Make a site of all notebooks, in all languages, into target/book
    Book,
    /// Build the kernel as a wheel for machines such as this one, into target/wheels
    Wheel,
}

/// Commands for those who work on this project.
const FOR_DEVELOPERS: [&str; 5] = ["test", "bench", "report", "book", "wheel"];

/// A count: with 0, a notebook would have nothing to show.
fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// The command line. Its help lists the commands for readers apart from those for developers.
fn command_line() -> clap::Command {
    let command = Arguments::command();
    let styles = command.get_styles();
    let (header, literal) = (*styles.get_header(), *styles.get_literal());
    let list = |for_developers: bool| -> String {
        let commands = command.get_subcommands();
        let commands = commands
            .filter(|command| FOR_DEVELOPERS.contains(&command.get_name()) == for_developers);
        let lines = commands.map(|command| {
            let about = command.get_about().cloned().unwrap_or_default();
            format!("  {literal}{:<6}{literal:#}  {}\n", command.get_name(), about.ansi())
        });
        lines.collect()
    };
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n\
         {header}Commands:{header:#}\n{}\n\
         {header}Commands for developers of this project:{header:#}\n{}\n\
         {header}Options:{header:#}\n{{options}}{{after-help}}",
        list(false),
        list(true)
    );
    command.help_template(template)
}

fn main() -> ExitCode {
    let matches = command_line().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    output::set_verbosity(arguments.verbosity());
    match execute(arguments.command) {
        Ok(status) => status,
        Err(error) => {
            let mark = style("error:").for_stderr().red().bold();
            output::error(format!("{mark} {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    let project = Project::find()?;
    match command {
        // Names are checked before the set-up, which takes minutes the first time.
        Command::Lab { notebook, lang, no_browser } => {
            let notebook = notebooks::find(&project, &notebook, lang)?;
            setup::setup(&project, None)?;
            lab::lab(&project, &notebook, no_browser)
        }
        Command::Run { list: true, lang, .. } => run::list(&project, lang.unwrap_or_default()),
        Command::Run { notebooks, all, lang, epochs, limit, .. } => {
            let notebooks = match (all, lang) {
                (true, None) => notebooks::all(&project),
                (true, Some(lang)) => notebooks::all_in(&project, lang),
                (false, _) => notebooks::named(&project, &notebooks, lang.unwrap_or_default()),
            }?;
            setup::setup(&project, None)?;
            run::run(&project, &notebooks, epochs, limit)
        }
        Command::Doctor => return Ok(doctor::doctor(&project)),
        Command::Setup { cpu, cuda } => {
            let processor = match (cpu, cuda) {
                (true, _) => Some(Processor::Cpu),
                (_, true) => Some(Processor::Cuda),
                _ => None,
            };
            setup::setup(&project, processor)
        }
        Command::Test { parts } => test::test(&project, &parts),
        Command::Bench { parts, full } => {
            setup::setup(&project, None)?;
            bench::bench(&project, &parts, full)
        }
        Command::Report => {
            setup::setup(&project, None)?;
            report::report(&project)
        }
        Command::Book => {
            setup::setup(&project, None)?;
            book::book(&project)
        }
        Command::Wheel => wheel::wheel(&project),
    }?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_each_command_once() {
        let help = command_line().render_help().to_string();
        let (readers, developers) = help.split_once("Commands for developers").unwrap();
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            let is_in =
                |text: &str| text.lines().any(|line| line.starts_with(&format!("  {name} ")));
            let for_developers = FOR_DEVELOPERS.contains(&name);
            assert_eq!((is_in(readers), is_in(developers)), (!for_developers, for_developers));
        }
        let known = |name: &&str| Arguments::command().find_subcommand(name).is_some();
        assert!(FOR_DEVELOPERS.iter().all(known));
    }
}
