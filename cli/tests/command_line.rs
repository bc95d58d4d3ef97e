//! The program itself: exit statuses, a reader that goes, and what it is called with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// `cargo d2l` with these arguments, where it finds no tools and no data.
fn d2l(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_d2l-cli"));
    command.args(arguments).env("PATH", "/no/such/folder").env("HOME", "/no/such/home");
    for variable in ["CXX", "D2L_PYTHON", "D2L_DATA_DIR", "XDG_CACHE_HOME", "TORCH_HOME", "CARGO"] {
        command.env_remove(variable);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn refused(arguments: &[&str], status: i32, words: &[&str]) {
    let output = d2l(arguments).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: {word:?} is not in {error}");
    }
}

fn row(output: &Output, name: &str) -> String {
    let text = text(&output.stdout);
    let line = text.lines().find(|line| line.get(9..).is_some_and(|rest| rest.starts_with(name)));
    line.unwrap_or_else(|| panic!("no row {name}: {text}")).to_string()
}

/// C28: scripts go by the exit status.
#[test]
fn the_doctor_ends_with_1_if_something_is_missing() {
    for path in ["/no/such/folder", ""] {
        let output = d2l(&["doctor"]).env("PATH", path).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), "");
        assert!(row(&output, "Rust").starts_with("MISSING  Rust"));
        assert!(row(&output, "Rust").ends_with("install Rust with rustup"));
        assert!(row(&output, "C++ compiler").ends_with("or name one in CXX"));
        assert!(row(&output, "disk").contains(" GB free"));
        let all = text(&output.stdout);
        let missing = all.lines().filter(|line| line.starts_with("MISSING")).count();
        let end = format!("\n\n{missing} missing; the end of a line says how to fix it.\n");
        assert!(all.ends_with(&end), "{all}");
    }
}

#[test]
fn the_doctor_knows_what_variables_name() {
    let (cache, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let weights = cache.path().join("torch/hub/checkpoints");
    std::fs::create_dir_all(cache.path().join("d2l/hotdog")).unwrap();
    std::fs::create_dir_all(&weights).unwrap();
    std::fs::write(weights.join("resnet18-f37072fd.pth"), "").unwrap();
    std::fs::create_dir(data.path().join("hotdog")).unwrap();
    let mut doctor = d2l(&["doctor"]);
    doctor.env("XDG_CACHE_HOME", cache.path()).env("HOME", cache.path());
    doctor.env("CXX", "/no/such/c++");
    let output = doctor.output().unwrap();
    assert!(row(&output, "C++ compiler").contains("/no/such/c++ is not there"));
    if cfg!(target_os = "linux") {
        assert!(row(&output, "hot dogs").ends_with("/d2l/hotdog"));
        assert!(row(&output, "ResNet-18 weights").ends_with("/resnet18-f37072fd.pth"));
    }
    let named = doctor.env("D2L_DATA_DIR", data.path()).output().unwrap();
    let unpacked = data.path().join("hotdog").display().to_string();
    assert!(row(&named, "hot dogs").ends_with(&unpacked));
    // An empty value is none: it does not mean the current folder.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("hotdog")).unwrap();
    let mut doctor = d2l(&["doctor"]);
    doctor
        .current_dir(folder.path())
        .env("D2L_DATA_DIR", "")
        .env("XDG_CACHE_HOME", "")
        .env("CXX", "");
    let output = doctor.output().unwrap();
    assert!(row(&output, "hot dogs").contains("no photographs here"));
    assert!(row(&output, "C++ compiler").contains("c++ is not there"));
}

/// `cargo d2l doctor | head -1`: the program ends quietly, as SIGPIPE would end it.
#[test]
fn a_reader_that_goes_is_no_failure_to_tell_of() {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let output = d2l(&["doctor"]).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(141), String::new()));
    // The work goes on if nobody reads of it, and ends with its own status.
    let output = d2l(&["run", "no-such"]).stderr(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let status = d2l(&["--help"]).stdout(closed()).status().unwrap();
    assert!(status.code().is_some_and(|code| code != 101), "{status}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = d2l(&["doctor"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.starts_with("error: cannot write to standard output: No space left"), "{error}");
}

/// A program in the place of Cargo that prints what it was called with. A process of its own writes it:
/// were it open here while another test starts a program, it could not be run.
fn fake_cargo(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("cargo");
    let make = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
    let status = Command::new("sh").args(["-c", make]).arg(&path).arg(script).status();
    assert!(status.unwrap().success());
    path
}

#[test]
fn a_check_ends_with_all_times_and_all_that_was_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"echo "cargo $1"; echo "test a_gpu ... ignored, no GPU"; echo note >&2"#;
    let cargo = fake_cargo(folder.path(), script);
    // In their order, whichever way they are named
    let parts = ["test", "cli", "format"];
    let output = d2l(&parts).env("CARGO", &cargo).output().unwrap();
    let all = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{all}");
    let (printed, summary) = all.split_once("\nformat ").unwrap();
    assert!(printed.contains("cargo fmt\n") && printed.contains("cargo test\n"), "{all}");
    let lines: Vec<&str> = summary.lines().collect();
    assert!(lines[0].contains("rustfmt") && lines[0].ends_with(" s  passed"), "{all}");
    assert!(lines[1].starts_with("cli ") && lines[2].starts_with("all "), "{all}");
    assert_eq!(lines[4..], ["2 skipped:", "  format, a_gpu: no GPU", "  cli, a_gpu: no GPU"]);
    assert!(text(&output.stderr).contains("== format, rustfmt\n"), "{all}");
    // Results alone
    let output = d2l(&parts).arg("-q").env("CARGO", &cargo).output().unwrap();
    assert!(text(&output.stdout).starts_with("format "));
    assert_eq!(text(&output.stderr), "");
    // The commands, too
    let output = d2l(&["-v", "test", "format"]).env("CARGO", &cargo).output().unwrap();
    assert!(text(&output.stderr).contains(&format!("$ {} fmt --all --check\n", cargo.display())));

    // The first part that fails is the last one.
    let cargo = fake_cargo(folder.path(), "echo what is wrong; exit 1");
    for quiet in [&[][..], &["--quiet"]] {
        let output = d2l(&parts).args(quiet).env("CARGO", &cargo).output().unwrap();
        let (all, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1));
        assert!(all.contains("format ") && all.contains(" s  FAILED\nall "), "{all}");
        assert!(!all.contains("cli "), "{all}");
        assert!(all.contains("what is wrong") || error.contains("what is wrong"), "{error}");
        assert!(error.ends_with("error: format, rustfmt: failed; see above\n"), "{error}");
    }
}

/// With another value of `CI`, rust-analyzer's crates are compiled again.
#[test]
fn what_is_started_does_not_see_ci() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = fake_cargo(folder.path(), r#"echo "CI is ${CI-not set}, OTHER is $OTHER""#);
    for value in ["", "1", "true"] {
        let mut test = d2l(&["test", "format"]);
        let output = test.env("CARGO", &cargo).env("CI", value).env("OTHER", "4").output().unwrap();
        let all = text(&output.stdout);
        assert!(all.starts_with("CI is not set, OTHER is 4\n"), "{all}");
    }
}

#[test]
fn the_help_tells_commands_for_readers_apart_and_names_the_parts_of_the_check() {
    let help = |arguments: &[&str]| text(&d2l(arguments).output().unwrap().stdout);
    let all = help(&["--help"]);
    let (readers, developers) = all.split_once("Commands for developers").unwrap();
    for name in ["lab", "run", "doctor", "setup"] {
        assert!(readers.contains(&format!("\n  {name} ")), "{all}");
    }
    for name in ["test", "bench", "report", "book", "wheel"] {
        assert!(developers.contains(&format!("\n  {name} ")), "{all}");
    }
    for part in ["--quiet", "--verbose", "Exit status: 0"] {
        assert!(developers.contains(part), "{all}");
    }
    let test = help(&["test", "--help"]);
    for part in PARTS.split(", ") {
        let line = test.lines().find(|line| line.trim().starts_with(&format!("- {part}:")));
        assert!(line.is_some_and(|line| line.len() > part.len() + 20), "{part}: {test}");
    }
    let doctor = help(&["doctor", "--help"]);
    assert!(doctor.contains("exit status is 0") && doctor.contains("1 if something"), "{doctor}");
}

const PARTS: &str = "format, clippy, cli, crate, doc, reference, kernel, notebooks, browser, site";

/// A list of what can be read, and how long it takes, needs no set-up.
#[test]
fn lessons_are_listed_without_a_set_up() {
    for (arguments, name, title) in [
        (&["run", "--list"][..], "fine_tuning", "Fine-tuning"),
        (&["run", "--list", "--lang", "ja"], "ja/fine_tuning", "ファインチューニング"),
    ] {
        let output = d2l(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let text = text(&output.stdout);
        let mut lines =
            text.lines().map(|line| line.split("  ").map(str::trim).collect::<Vec<_>>());
        let line = lines.find(|line| line[0] == name).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(*line.last().unwrap(), title, "{text}");
    }
}

/// Nobody waits for a set-up to hear of a typing mistake.
#[test]
fn an_unknown_notebook_is_refused_before_the_set_up() {
    let known = "fine_tuning, image_augmentation,";
    let words = ["error: there is no notebook finetuning", "what to do: name one of", known];
    refused(&["run", "finetuning"], 1, &words);
    refused(&["run", "fine_tuning", "finetuning"], 1, &words);
    refused(&["lab", "finetuning"], 1, &words);
    let words = ["there is no notebook x", "fine_tuning, image_augmentation,", ", solutions/fine"];
    refused(&["lab", "--lang", "ja", "x"], 1, &words);
    refused(&["run", "--lang", "ja", "x"], 1, &words);
    refused(&["run", "Cargo.toml"], 1, &["Cargo.toml is not a notebook", ".ipynb"]);
    refused(&["run", "/no/such/a.ipynb"], 1, &["there is no notebook /no/such/a.ipynb"]);
}

#[test]
fn bounds_are_whole_numbers_above_0() {
    for option in ["--epochs", "--limit"] {
        for value in ["0", "-1", "1.5", "all", "", "99999999999999999999999"] {
            refused(&["run", option, value], 2, &["invalid value", option]);
        }
        refused(&["run", option, "0"], 2, &["0 is not in 1.."]);
        refused(&["run", option], 2, &["a value is required", option]);
    }
}

#[test]
fn what_is_not_known_is_refused_with_what_is() {
    refused(&[], 2, &["Usage: cargo d2l", "doctor"]);
    refused(&["docter"], 2, &["docter", "doctor"]);
    refused(&["lab", "--lang", "de"], 2, &["de", "en, ja"]);
    refused(
        &["bench", "lessons"],
        2,
        &["lessons", "loader, step, optimizer, ssd, lesson, notebook, display"],
    );
    refused(&["test", "crates"], 2, &["crates", PARTS]);
    refused(&["setup", "--cpu", "--cuda"], 2, &["--cpu", "cannot be used with", "--cuda"]);
    refused(&["run", "--all", "fine_tuning"], 2, &["--all", "cannot be used with"]);
    refused(&["run", "--list", "--all"], 2, &["--list", "cannot be used with"]);
    refused(&["-q", "-v", "doctor"], 2, &["--quiet", "cannot be used with"]);
    refused(&["run", "--epoch", "1"], 2, &["--epoch", "--epochs"]);
}
