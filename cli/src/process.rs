//! Starting other programs. Only this file does, as it removes variables that they must not see.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;

use crate::output;

/// The end of each output stream is kept, up to this many bytes.
const KEPT: usize = 64 * 1024;
/// The number of last lines printed if a command fails, and the number of characters of a line.
const LINES: usize = 40;
const WIDTH: usize = 1000;

/// A command with this program's environment, except for variables that crates read while they are
/// compiled: with another value, Cargo would compile them again.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| is_removed(name)).for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// `CI` is read by rust-analyzer's `ra_ap_stdx`, on which the kernel's largest crates depend. The others
/// are set by Cargo for programs that it runs, such as this one, and build scripts read them.
fn is_removed(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name == "CI" || name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")
}

/// A program named by a variable. A relative path is relative to this program's current folder.
pub fn program(name: &Path) -> PathBuf {
    let is_path = name.components().count() > 1;
    if is_path { std::path::absolute(name).unwrap_or_else(|_| name.into()) } else { name.into() }
}

/// Whether there is a program of this name.
pub fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Runs a command and shows its latest line as the bar's message; the last lines are printed if it fails.
pub fn quietly(command: &mut Command, bar: &ProgressBar) -> Result<()> {
    let program = started(command);
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
        let end = last_lines(&[out, err]);
        bail!("{program} ended with {status}. The end of its output:\n{end}");
    }
    Ok(())
}

/// Runs a command that prints directly; `failed` is the error's text if it fails.
pub fn visibly(command: &mut Command, failed: &str) -> Result<()> {
    let program = started(command);
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    succeeded(status, failed)
}

/// Runs a command and returns its output.
pub fn captured(command: &mut Command) -> Result<Output> {
    let program = started(command);
    command.output().with_context(|| format!("cannot start {program}"))
}

/// Runs a command and returns its standard output, which is also shown as it comes; with `-q` only if
/// the command fails.
pub fn watched(command: &mut Command, failed: &str) -> Result<String> {
    if output::is_quiet() {
        let Output { status, stdout, stderr } = captured(command)?;
        if !status.success() {
            output::error(String::from_utf8_lossy(&[&stdout[..], &stderr].concat()));
        }
        succeeded(status, failed)?;
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let program = started(command);
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start {program}"))?;
    let mut stdout = child.stdout.take().context("no stdout")?;
    let mut text = vec![];
    let result = pieces(&mut stdout, |piece| {
        output::bytes(piece);
        text.extend_from_slice(piece);
    });
    let status = child.wait().with_context(|| format!("cannot wait for {program}"))?;
    succeeded(status, failed)?;
    result.with_context(|| format!("cannot read what {program} prints"))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn succeeded(status: ExitStatus, failed: &str) -> Result<()> {
    if status.code() == Some(output::READER_GONE) {
        std::process::exit(output::READER_GONE);
    }
    if !status.success() {
        bail!("{failed}; see above");
    }
    Ok(())
}

/// Prints a command that is about to start, with `-v`, and returns the program's name.
fn started(command: &Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let words = [name.clone()].into_iter();
    let words = words.chain(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    output::detail(format!("$ {}", words.collect::<Vec<_>>().join(" ")));
    name
}

/// Reads a stream to its end, whatever its bytes: a command whose pipe is closed would be killed.
fn pieces(stream: &mut impl Read, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut piece = [0; 8192];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
}

/// Returns the end of a stream and shows its latest line meanwhile.
fn collect(mut stream: impl Read, bar: &ProgressBar) -> Vec<u8> {
    let mut bytes = vec![];
    // What was read before an error is still useful.
    let _ = pieces(&mut stream, |piece| {
        if output::is_verbose() {
            let _ = stderr().write_all(piece);
        }
        bytes.extend_from_slice(piece);
        bytes.drain(..bytes.len().saturating_sub(KEPT));
        // A line that is redrawn, such as a progress bar, ends with a carriage return.
        let mut lines = bytes.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
        if let Some(line) = lines.find(|line| !line.trim_ascii().is_empty()) {
            let line = &line[..line.len().min(WIDTH)];
            bar.set_message(String::from_utf8_lossy(line).trim().to_string());
        }
    });
    bytes
}

/// The last lines of output streams, as a terminal would show them.
fn last_lines(streams: &[Vec<u8>]) -> String {
    let texts: Vec<_> = streams.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    let lines = lines[lines.len().saturating_sub(LINES)..].iter().map(|line| {
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        let shown: String = line.chars().take(WIDTH).collect();
        if shown.len() < line.len() { shown + " …" } else { shown }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    /// A set-up without `CI` and a check with it would compile rust-analyzer twice.
    #[test]
    fn what_is_started_does_not_see_what_would_compile_crates_again() {
        for name in ["CI", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR"] {
            assert!(is_removed(OsStr::new(name)), "{name}");
        }
        for name in ["CIRCLE", "CARGO", "CARGO_HOME", "PATH", "D2L_OFFLINE", "MACI"] {
            assert!(!is_removed(OsStr::new(name)), "{name}");
        }
        // Cargo, which runs this test, has set some.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let project = Project::find().unwrap();
        for command in [command("true"), project.cargo(), project.script("warm.py")] {
            let removed = |name: &str| command.get_envs().any(|pair| pair == (name.as_ref(), None));
            assert!(removed("CARGO_PKG_NAME") && removed("CARGO_MANIFEST_DIR"));
            assert_eq!(removed("CI"), std::env::var_os("CI").is_some());
        }
    }

    /// What another file starts could see `CI`.
    #[test]
    fn no_other_file_starts_programs() {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(test)]").next().unwrap();
                    let starts = code.contains("Command::new(");
                    assert_eq!(starts, path.ends_with("src/process.rs"), "{}", path.display());
                    count += 1;
                }
            }
        }
        assert!(count > 20);
    }

    /// The result of a shell script, and the bar's last message.
    fn shell(script: &str) -> (Result<()>, String) {
        let bar = ProgressBar::hidden();
        let result = quietly(Command::new("sh").args(["-c", script]), &bar);
        (result, bar.message())
    }

    fn told(script: &str) -> String {
        shell(script).0.unwrap_err().to_string()
    }

    /// C16: a compiler or pip in a locale of its own goes on printing after its first line that is not
    /// UTF-8; its pipe must stay open.
    #[test]
    fn a_command_may_print_bytes_that_are_not_utf8() {
        let bytes = [
            ("Latin-1", r"caf\351"),
            ("EUC-JP", r"\245\250\245\351\241\274"),
            ("Shift JIS", r"\203G\203\211\201["),
            ("UTF-16", r"\376\377\000e\000r"),
            ("a character that is cut", r"\343\202"),
            ("a lone continuation", r"\200\277"),
            ("zeros", r"\000\000"),
        ];
        for (what, bytes) in bytes {
            for stream in ["1", "2"] {
                // More than a pipe holds, so that a reader that has gone is noticed.
                let script = format!(
                    "{{ printf 'error: {bytes}\\n'; sleep 0.05; i=0; while [ $i -lt 3000 ]; do \
                     echo 'a line of forty characters, or nearly so'; i=$((i+1)); done; \
                     printf '{bytes} the last'; }} >&{stream}"
                );
                let (result, message) = shell(&script);
                result.unwrap_or_else(|error| panic!("{what}: {error:#}"));
                assert!(message.ends_with("the last"), "{what}: {message:?}");
                let text = told(&format!("printf 'error: {bytes}\\n' >&{stream}; exit 3"));
                assert!(text.contains("exit status: 3") && text.contains("error: "), "{text}");
            }
        }
        assert!(told(r"printf 'caf\351: not found'; exit 1").ends_with("caf\u{fffd}: not found"));
    }

    #[test]
    fn the_last_lines_are_told_of_a_command_that_fails() {
        let text = told("seq 1 100; echo from stderr >&2; exit 7");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "sh ended with exit status: 7. The end of its output:");
        assert_eq!((lines.len(), lines[1], lines[40]), (LINES + 1, "62", "from stderr"));
        // An unfinished line of one stream does not run into the other's.
        assert!(told("printf out; printf err >&2; exit 1").ends_with("out\nerr"));
        assert!(told("exit 1").ends_with("output:\n"));
        assert!(told("kill -9 $$").contains("signal: 9"));
    }

    #[test]
    fn a_line_that_is_drawn_over_shows_its_last_state() {
        let script = r"printf ' 10 %%\r 50 %%\r100 %%\r'";
        assert_eq!(shell(script).1, "100 %");
        assert!(told(&format!("{script}; exit 1")).ends_with("output:\n100 %"));
        assert!(told(r"printf 'a\rb\r\nc\r\n'; exit 1").ends_with("output:\nb\nc"));
        // Blank lines leave the message as it is.
        assert_eq!(shell(r"printf 'Compiling\n\n   \n\r\n'").1, "Compiling");
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let endless = "head -c 3000000 /dev/zero | tr '\\0' x";
        let (result, message) = shell(endless);
        result.unwrap();
        assert_eq!(message.len(), WIDTH);
        let text = told(&format!("{endless}; echo; echo the end; exit 1"));
        assert!(text.ends_with("x …\nthe end") && text.len() < 2 * WIDTH, "{}", text.len());
        let all = collect(std::io::repeat(b'x').take(300_000), &ProgressBar::hidden());
        assert_eq!(all.len(), KEPT);
        // By characters, not by bytes
        let text = told("yes é | head -n 2000 | tr -d '\\n'; exit 1");
        assert!(text.ends_with("é …") && text.matches('é').count() == WIDTH, "{text}");
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let missing = &mut Command::new("/no/such/program");
        for error in [
            quietly(missing, &ProgressBar::hidden()).unwrap_err(),
            visibly(missing, "it failed").unwrap_err(),
        ] {
            assert!(
                format!("{error:#}").starts_with("cannot start /no/such/program: "),
                "{error:#}"
            );
        }
    }

    #[test]
    fn a_failure_that_was_seen_is_not_told_again() {
        visibly(&mut Command::new("true"), "it failed").unwrap();
        let error = visibly(&mut Command::new("false"), "the site was not made").unwrap_err();
        assert_eq!(error.to_string(), "the site was not made; see above");
    }
}
